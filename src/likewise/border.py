"""The border between raw ids and rows: whom and what the caller means, and frames of the kind that came in."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from likewise.data.dataset import Dataset
from likewise.data.shards.shards import Shards
from likewise.data.vocabulary import Vocabulary
from likewise.errors import AmbiguousTitleError, InputError, UnknownIdError
from likewise.shapes import Rows


def as_dataset(source: Any, **options: Any) -> Dataset:
    """A data set as it is, or what `lw.read` makes of anything else."""
    if isinstance(source, Dataset):
        return source
    from likewise.data.readers import read

    return read(source, **options)


def as_events(source: Any) -> Dataset | Shards:
    """Shards as they are, and of anything else a data set."""
    return source if isinstance(source, Shards) else as_dataset(source)


def in_kind(frame: pl.DataFrame, asked_with: object = None) -> Any:
    """A polars frame as the kind of frame or column that was asked with; without one, pandas if the caller has imported it, else polars.

    Importing pandas unasked would cost the first answer of a process half a second.
    """
    module = type(asked_with).__module__.partition(".")[0]
    if module == "polars":
        return frame
    if module == "pyarrow":
        return frame.to_arrow()
    return frame.to_pandas() if module == "pandas" or "pandas" in sys.modules else frame


def as_list(ids: Any) -> tuple[list[Any] | pl.Series, bool]:
    """Ids the caller gave as a column, and whether it was a single one."""
    if isinstance(ids, (str, int, np.integer)):
        return [ids], True
    if isinstance(ids, pl.Series):
        return ids, False
    if isinstance(ids, np.ndarray) or type(ids).__module__.partition(".")[0] in ("pandas", "pyarrow"):
        return pl.Series(np.asarray(ids)), False
    if isinstance(ids, Iterable):
        return list(ids), False
    raise InputError(f"expected an id or a list of ids; got {type(ids).__name__}")


@dataclass(frozen=True, eq=False)
class Titles:
    """Items by id or by title.

    An id wins over a title. A title that several items share is refused with its candidates.
    """

    items: Vocabulary
    titles: pl.Series | None

    @cached_property
    def _rows_by_title(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row, title in enumerate(self.titles if self.titles is not None else ()):
            if title is not None:
                found.setdefault(title, []).append(row)
        return found

    def find(self, item: Any) -> int:
        """The row of an id or title, -1 if it is neither; AmbiguousTitleError if several items share the title."""
        if item in self.items:
            return self.items.row(item)
        rows = self._rows_by_title.get(item, []) if isinstance(item, str) else []
        if len(rows) > 1:
            candidates = ", ".join(repr(self.items.id(row)) for row in rows[:5])
            raise AmbiguousTitleError(f"{len(rows)} items are called {item!r}; give one of their ids: {candidates}")
        return rows[0] if rows else -1

    def row(self, item: Any) -> int:
        """As `find`, but UnknownIdError with what is near when there is no such item."""
        row = self.find(item)
        if row < 0:
            near = get_close_matches(str(item), self._rows_by_title, 3) if isinstance(item, str) else []
            near = near or [repr(raw) for raw in self.items.near(item)]
            hint = f"; nearest: {', '.join(near)}" if near else ""
            raise UnknownIdError(f"there is no item with id or title {item!r} among {len(self.items):,}{hint}")
        return row

    def rows(self, items: Any) -> Rows:
        """Rows [batch] of ids or titles, -1 where unknown."""
        values, _ = as_list(items)
        rows = self.items.rows(values) if self._could_be_ids(values) else np.full(len(values), -1, np.int32)
        if self.titles is not None:
            for place in np.flatnonzero(rows < 0):
                rows[place] = self.find(values[int(place)])
        return rows

    def names(self, rows: Rows) -> pl.Series | None:
        """Titles of the rows, null where there is none; None if no titles are known."""
        if self.titles is None:
            return None
        return self.titles.to_frame("title").select(pl.col("title").gather(pl.Series(rows).cast(pl.Int64)))["title"]

    def _could_be_ids(self, values: Any) -> bool:
        """Whether a column of ids can be looked up at once; titles among integer ids cannot be cast."""
        return not (self.items.kind == "int" and any(isinstance(v, str) and not v.lstrip("-").isdigit() for v in values))
