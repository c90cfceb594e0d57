"""What importing a module loads: torch stays in its three rooms, optional packages stay out of the base install.

Import-linter (pyproject.toml) checks the order of the rooms and looks at every import. Here only imports that run when the module
is imported count, since an import inside a function is how the other rooms reach torch and the extras.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src"
MODULES = {
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((SRC / "likewise").rglob("*.py"))
}
TORCH_ROOMS = ("likewise.models.networks", "likewise.solvers.gradient", "likewise.solvers.sharded")
BASE = {"numpy", "numba", "polars", "pyarrow", "narwhals", "safetensors", "typer", "rich", "click"}
"""What the base install has beside torch."""
AT_HOME = {
    "torch": TORCH_ROOMS,
    "jaxtyping": TORCH_ROOMS,
    "torchrec": ("likewise.solvers.sharded",),
    "fbgemm_gpu": ("likewise.solvers.sharded",),
    "fastapi": ("likewise.serving",),
    "starlette": ("likewise.serving",),
    "pydantic": ("likewise.serving",),
    "sqlalchemy": ("likewise.serving",),
    "alembic": ("likewise.serving",),
    "uvicorn": ("likewise.serving",),
    "prometheus_client": ("likewise.serving",),
    "rapidfuzz": ("likewise.serving",),
}
"""Rooms that may load a package when they are imported; every other room imports it inside the function that needs it."""


def is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING")


def statements_run(body: list[ast.stmt]) -> list[ast.Import | ast.ImportFrom]:
    """Return the import statements that run when the module is imported."""
    found: list[ast.Import | ast.ImportFrom] = []
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.If) and is_type_checking(node.test):
            found += statements_run(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody", "handlers"):
                children = getattr(node, field, [])
                found += statements_run([child for child in children if isinstance(child, ast.stmt)])
                for handler in (child for child in children if isinstance(child, ast.ExceptHandler)):
                    found += statements_run(handler.body)
    return found


@cache
def loaded_by(module: str) -> frozenset[str]:
    """Return what importing `module` loads directly: modules of Likewise by full name, other packages by their top name."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: set[str] = set()
    for node in statements_run(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
            continue
        base = node.module or ""
        if node.level:
            base = ".".join([*package.split(".")[: len(package.split(".")) - node.level + 1], *([base] if base else [])])
        names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    ours = {name for name in names if name in MODULES}
    parents = {".".join(name.split(".")[:depth]) for name in [*ours, module] for depth in range(1, name.count(".") + 1)}
    others = {name.split(".")[0] for name in names if name.split(".")[0] != "likewise"}
    return frozenset((ours | (parents & MODULES.keys())) - {module} | (others - set(sys.stdlib_module_names)))


def chains_from(module: str) -> dict[str, list[str]]:
    """Return each package outside Likewise that importing `module` loads, with the chain of imports that leads to it."""
    seen = {module: [module]}
    queue = [module]
    while queue:
        here = queue.pop(0)
        for name in sorted(loaded_by(here)):
            if name not in seen:
                seen[name] = [*seen[here], name]
                if name in MODULES:
                    queue.append(name)
    return {name: chain for name, chain in seen.items() if name not in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_importing_loads_only_what_belongs(module: str) -> None:
    for name, chain in chains_from(module).items():
        rooms = AT_HOME.get(name, ())
        at_home = any(module == room or module.startswith(room + ".") for room in rooms)
        assert name in BASE or at_home, (
            f"importing {module} loads {name} ({' -> '.join(chain)}): import it inside the function that needs it"
        )


@pytest.mark.parametrize("module", [module for module in MODULES if module == "likewise" or module.startswith("likewise.cli")])
def test_front_doors_load_nothing_heavy(module: str) -> None:
    """`import likewise` and `likewise --help` load the standard library, Typer and Rich alone."""
    assert set(chains_from(module)) <= {"typer", "rich", "click"}
