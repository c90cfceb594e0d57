"""Item vectors and what they are called, as the two tables that TensorBoard's projector reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from likewise.artifact.store import Saved
from likewise.errors import ArtifactError, InputError

_BREAKS = str.maketrans({"\t": " ", "\n": " ", "\r": " ", "\0": " ", "\u2028": " ", "\u2029": " ", "\x85": " ", "\x0b": " ", "\x0c": " "})


def export_projector(saved: Saved, folder: str | Path) -> list[Path]:
    """Write `vectors.tsv` and `metadata.tsv`, one row an item: its factors; its id, title and number of events.

    Text loses its tabs and line breaks, and what a spreadsheet would run as a formula gets an apostrophe in front.

    Raises InputError for a model without factors.
    """
    vectors = saved.fitted.factors("item")
    if vectors is None:
        raise InputError(f"a model of {type(saved.model).__name__!r} has no item vectors to show; fit one with factors, such as Dot")
    data = saved.data
    counts = np.bincount(data.interactions.items, minlength=len(data.items))
    titles = data.items.ids if data.titles is None else data.titles
    rows = zip(data.items.ids.to_list(), titles.to_list(), counts.tolist(), strict=True)
    folder = Path(folder)
    paths = [folder / "vectors.tsv", folder / "metadata.tsv"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.savetxt(paths[0], vectors, fmt="%.7g", delimiter="\t")
        lines = ["id\ttitle\tevents", *("\t".join(cell(value) for value in row) for row in rows)]
        paths[1].write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise ArtifactError(f"could not write to {folder}: {error.strerror or error}") from error
    return paths


def cell(value: Any) -> str:
    """A value as one cell of the table.

    >>> cell("=1+1"), cell("Heat\\t(1995)"), cell(-3)
    ("'=1+1", 'Heat (1995)', '-3')
    """
    if not isinstance(value, str):
        return "" if value is None else str(value)
    text = value.translate(_BREAKS)
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") else text
