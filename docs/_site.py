"""What MkDocs does beyond its settings: folders in the menu, API pages made from the source tree, and no request to the network."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

SOURCE = Path(__file__).parent.parent / "src" / "likewise"
ROOMS = (
    ("recommender", "The face: raw ids in, raw ids out"),
    ("data", "What happened"),
    ("models", "How a pair is scored"),
    ("ranking", "How scores become a list"),
    ("evaluation", "How good a list or a rating is"),
    ("solvers", "How parameters are found"),
    ("people", "How it meets someone new"),
    ("insight", "What it learned"),
    ("artifact", "How it is kept"),
    ("studies", "What to try"),
    ("serving", "How it is asked"),
    ("errors", "What it refuses, and why"),
)
_spec = importlib.util.spec_from_file_location("docs_settings", Path(__file__).with_name("_settings.py"))
_module: Any = importlib.util.module_from_spec(_spec)  # type: ignore[arg-type]
_spec.loader.exec_module(_module)  # type: ignore[union-attr]
_told = _module.told
FETCHED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^>]*>|<link\b[^>]*\bhref=[\"']?(?:https?:)?//[^>]*>", re.IGNORECASE
)


def modules_of(room: str) -> list[str]:
    """Return the public modules of a room that have something to show, by their full names."""
    paths = sorted((SOURCE / room).rglob("*.py")) if (SOURCE / room).is_dir() else [SOURCE / f"{room}.py"]
    found = []
    for path in paths:
        parts = path.relative_to(SOURCE).with_suffix("").parts
        if not path.exists() or parts[-1] == "__init__" or any(part.startswith("_") for part in parts):
            continue
        found.append(".".join(("likewise", *parts)))
    return found


def public_names() -> dict[str, str]:
    """Return the public names and their modules, as `likewise/__init__.py` lists them."""
    for node in ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            homes: dict[str, str] = ast.literal_eval(node.value)
            return homes
    raise PluginError("likewise/__init__.py has no _HOMES")


def api_pages() -> dict[str, str]:
    """Return the API pages, address to Markdown."""
    rows = "\n".join(
        f"| [`likewise.{name}`][likewise.{home}.{name}] | `likewise.{home}` |" for name, home in sorted(public_names().items())
    )
    pages = {"api/index.md": f"# API\n\nEverything here is reached as `likewise.NAME`.\n\n| name | lives in |\n|---|---|\n{rows}\n"}
    for room, question in ROOMS:
        if modules := modules_of(room):
            body = "\n\n".join(f"::: {module}" for module in modules)
            pages[f"api/{room}.md"] = f"---\ntitle: {room}\n---\n\n# {room}: {question[0].lower()}{question[1:]}\n\n{body}\n"
    return pages


def pages_of(folder: str, docs: Path) -> list[str]:
    """Return the pages of a folder of the menu: index.md first, then by file name."""
    if folder == "api/":
        return list(api_pages())
    pages = sorted(str(path.relative_to(docs).as_posix()) for path in (docs / folder).rglob("*.md"))
    return sorted(pages, key=lambda page: page != f"{folder}index.md")


def on_config(config: Any) -> Any:
    """Replace folders in the menu by their pages."""
    docs = Path(config.docs_dir)
    config.nav = [
        {title: pages_of(target, docs) if target.endswith("/") else target for title, target in entry.items()} for entry in config.nav
    ]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the API pages."""
    for address, text in api_pages().items():
        files.append(File.generated(config, address, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put in what pages take from the source."""
    return str(_told(markdown))


def on_post_build(config: Any) -> None:
    """Refuse a page that would fetch anything from elsewhere."""
    site = Path(config.site_dir)
    for path in site.rglob("*.html"):
        if found := FETCHED.search(path.read_text(encoding="utf-8")):
            raise PluginError(f"{path.relative_to(site)} would fetch from the network: {found.group(0)[:200]}")
