"""What was read, renamed and dropped on the way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape


@dataclass(frozen=True)
class Report:
    """An account of how a table became a `Dataset`.

    Parameters
    ----------
    source : str
        Where it came from.
    rows_read, rows_kept : int
    columns : mapping of our column name to the source's
    dropped : mapping of reason to number of rows
    notes : tuple of str
        Anything else one should know.
    """

    source: str = "memory"
    rows_read: int = 0
    rows_kept: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def with_notes(self, *notes: str) -> Report:
        """The same account with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def lines(self) -> list[tuple[str, str]]:
        """The account as pairs of a label and a text."""
        taken = ", ".join(ours if ours == theirs else f"{ours} from {theirs!r}" for ours, theirs in self.columns.items())
        lines = [("source", self.source), ("rows", f"{self.rows_read:,} read, {self.rows_kept:,} kept")]
        lines += [("columns", taken)] if taken else []
        lines += [("dropped", f"{count:,} rows: {reason}") for reason, count in self.dropped.items()]
        return lines + [("note", note) for note in self.notes]

    def __repr__(self) -> str:
        return "\n".join(f"{label:<8} {text}" for label, text in self.lines())

    def _repr_html_(self) -> str:
        return html_table(self.lines())


def html_table(lines: list[tuple[str, str]]) -> str:
    """Two columns, everything escaped."""
    rows = "".join(f"<tr><th style='text-align:left'>{escape(a)}</th><td style='text-align:left'>{escape(b)}</td></tr>" for a, b in lines)
    return f"<table>{rows}</table>"
