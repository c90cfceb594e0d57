"""Tables as text and as HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape


def page(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A title, aligned columns (the first to the left), and a line for each note.

    >>> print(page("Dot", ["figure", "value"], [["rmse", "0.91"]], ["random split"]))
    Dot
    figure  value
    rmse     0.91
    - random split
    """
    widths = [max(len(row[c]) for row in [heads, *rows]) for c in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(w) if c == 0 else cell.rjust(w) for c, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in [heads, *rows]
    ]
    return "\n".join([title, *lines, *(f"- {note}" for note in notes)])


def html_page(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """The same as HTML, everything escaped."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    remarks = "".join(f"<li>{escape(note)}</li>" for note in notes)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<figure><figcaption>{escape(title)}</figcaption>{table}<ul>{remarks}</ul></figure>"


def number(value: float) -> float | None:
    """For JSON, which knows no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None
