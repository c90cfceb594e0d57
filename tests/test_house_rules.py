"""Rules of the house that no linter knows: sizes of files, functions and settings, and what the library never does."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "src" / "likewise").rglob("*.py"))
MOST_LINES, MOST_FUNCTION_LINES, MOST_FIELDS, MOST_BYTES = 400, 50, 12, 1_000_000
NEVER_CALLED = {"eval", "exec", "compile", "__import__"}
NEVER_IMPORTED = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
MAY_PRINT = ("cli",)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_file_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", FILES, ids=name)
def test_functions_are_short(path: Path) -> None:
    """A function's docstring does not count."""
    long = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            doc = node.body[0] if ast.get_docstring(node) is not None else None
            length = (node.end_lineno or 0) - node.lineno + 1 - ((doc.end_lineno or 0) - doc.lineno + 1 if doc else 0)
            long += [f"{node.name}: {length} lines"] * (length > MOST_FUNCTION_LINES)
    assert not long


@pytest.mark.parametrize("path", FILES, ids=name)
def test_settings_are_few(path: Path) -> None:
    """A dataclass with more fields holds what wants to be an object of its own."""
    crowded = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
            fields = [item for item in node.body if isinstance(item, ast.AnnAssign) and "ClassVar" not in ast.unparse(item.annotation)]
            crowded += [f"{node.name}: {len(fields)} fields"] * (len(fields) > MOST_FIELDS)
    assert not crowded


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_unsafe_is_used(path: Path) -> None:
    may_print = path.relative_to(ROOT / "src" / "likewise").parts[0] in MAY_PRINT
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & NEVER_IMPORTED
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in NEVER_IMPORTED
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in NEVER_CALLED, f"line {node.lineno}: {node.func.id}"
            assert may_print or node.func.id != "print", f"line {node.lineno}: print"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"np.load", "numpy.load"}:
            allowed = [word for word in node.keywords if word.arg == "allow_pickle" and ast.unparse(word.value) != "False"]
            assert not allowed, f"line {node.lineno}: allow_pickle"
        assert not isinstance(node, ast.Global), "a global is rebound"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path))


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / entry for entry in listed.split("\0") if entry and (ROOT / entry).is_file()]


def test_nothing_big_is_tracked() -> None:
    assert not [name(path) for path in tracked() if path.stat().st_size > MOST_BYTES]


def test_only_the_sample_is_shipped() -> None:
    """Other data sets may not be redistributed: no table, archive or saved array outside the sample and the tests' own artifacts."""
    data = {".parquet", ".npz", ".pkl", ".pickle", ".pt", ".pth", ".zip", ".gz", ".dat", ".whl", ".so"}
    allowed = ("samples/src/likewise_samples/", "tests/")
    assert not [name(path) for path in tracked() if path.suffix in data and not name(path).startswith(allowed)]


def test_the_sample_names_its_licence() -> None:
    samples = ROOT / "samples"
    text = (samples / "LICENSE.txt").read_text(encoding="utf-8")
    assert "commercial" in text and "Harper" in text
    assert (samples / "src" / "likewise_samples" / "README.txt").is_file()
    assert 'license = "MIT"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_sample_is_whole() -> None:
    likewise_samples = pytest.importorskip("likewise_samples", reason="the sample package is not installed")
    pl = pytest.importorskip("polars")
    folder = likewise_samples.path()
    rows = {table: pl.read_parquet(folder / f"{table}.parquet").height for table in ("ratings", "movies", "tags", "links")}
    assert rows == {"ratings": 100_836, "movies": 9_742, "tags": 3_683, "links": 9_742}
