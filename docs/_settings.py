"""What a page about a model takes from its source: the equation, what it says of itself, and its settings.

A page says `<!-- from source: models/dot.py Dot -->`. The comment is replaced when the site is built, so a page cannot disagree with
the code.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from textwrap import dedent

from mkdocs.exceptions import PluginError

SOURCE = Path(__file__).parent.parent / "src" / "likewise"
PLACE = re.compile(r"<!-- from source: (?P<file>[\w/]+\.py)(?P<classes>(?: \w+)*) -->")
ENTRY = re.compile(r"^(?P<names>[\w, ]+?) ?: ?(?P<rest>.*)$")


def told(text: str) -> str:
    """A page with its comments replaced."""
    return PLACE.sub(lambda found: _section(found["file"], found["classes"].split()), text)


def _section(file: str, classes: list[str]) -> str:
    tree = ast.parse((SOURCE / file).read_text(encoding="utf-8"))
    parts = [] if "/" in file and file.startswith("solvers") else [_docstring(ast.get_docstring(tree) or "")]
    for name in classes:
        node = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name), None)
        if node is None:
            raise PluginError(f"there is no class {name} in src/likewise/{file}")
        parts.append(f"### Settings of `{name}`\n\n{_table(node)}")
    return "\n\n".join([*parts, f"Source: `src/likewise/{file}`"])


def _docstring(text: str) -> str:
    """A module's docstring as Markdown: indented lines are the equation."""
    first, _, rest = text.partition("\n")
    lines, code = [f"*{first.strip()}*", ""], False
    for line in rest.strip("\n").splitlines():
        indented = line.startswith("    ")
        if indented != code and line.strip():
            lines.append("```text" if indented else "```\n")
            code = indented
        lines.append(line[4:] if indented else line)
    return "\n".join([*lines, "```"] if code else lines)


def _table(node: ast.ClassDef) -> str:
    defaults = {
        part.target.id: ("" if part.value is None else ast.unparse(part.value))
        for part in node.body
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name) and "ClassVar" not in ast.unparse(part.annotation)
    }
    meaning = _meanings(ast.get_docstring(node) or "")
    rows = [f"| `{name}` | `{value}` | {meaning.get(name, '')} |" for name, value in defaults.items() if not name.startswith("_")]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])


def _meanings(docstring: str) -> dict[str, str]:
    """Name to meaning, from a numpydoc list of parameters."""
    _, _, after = docstring.partition("Parameters\n----------\n")
    section = re.split(r"\n\n\w[\w ]*\n-{3,}", after)[0]
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in dedent(section).splitlines():
        entry = ENTRY.match(line) if not line.startswith(" ") else None
        if entry:
            names = [name.strip() for name in entry["names"].split(",")]
            for name in names:
                found[name] = [entry["rest"]]
        elif line.strip():
            for name in names:
                found[name].append(line.strip())
    return {name: _escaped(parts) for name, parts in found.items()}


def _escaped(parts: list[str]) -> str:
    return " ".join(part if part.endswith((".", ";", ":", ",")) or n else f"{part}." for n, part in enumerate(parts) if part).replace(
        "|", "\\|"
    )
