"""The ratings, sorted once for each field, so that a row's update reads its ratings in one run."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import counting_sort
from likewise.shapes import Floats, Offsets, Rows

EMPTY_ROWS: Rows = np.empty(0, np.int32)
EMPTY_FLOATS: Floats = np.empty(0, np.float32)


WORTH_A_PIECE = 400_000
"""Operations, nearly, that take a thread longer than handing them over: some tenths of a millisecond."""


@dataclass(frozen=True, eq=False)
class Field:
    """One categorical column of the ratings: users, items, or a context.

    Parameters
    ----------
    name : str
    size, base : int
        Rows of the field, and where they start in the stacked table.
    indptr : int64 [row + 1]
        Runs of the field's ratings, sorted by row.
    partners : int32 [entry, other field]
        Stacked rows of the other fields, -1 where unknown.
    place : int32 [entry] or empty
        Where each rating is in the layout's order; empty when it is that order.
    """

    name: str
    size: int
    base: int
    indptr: Offsets
    partners: NDArray[np.int32]
    place: Rows
    _parts: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=dict, repr=False)

    @property
    def rows(self) -> slice:
        """Its rows in the stacked table."""
        return slice(self.base, self.base + self.size)

    def parts(self, count: int, width: int) -> list[tuple[int, int]]:
        """At most `count` runs of rows that cost about the same to draw, and enough to be worth handing to a thread."""
        if (count, width) not in self._parts:
            self._parts[count, width] = self._cut(count, width)
        return self._parts[count, width]

    def _cut(self, count: int, width: int) -> list[tuple[int, int]]:
        cost = np.cumsum(np.diff(self.indptr) * (width * width / 8 + 4.0) + width**3 / 3 + 50.0)
        count = max(1, min(count, int(cost[-1] // WORTH_A_PIECE))) if self.size else 1
        cuts = np.searchsorted(cost, cost[-1] * np.arange(1, count) / count) + 1 if self.size else np.empty(0, np.int64)
        edges = np.unique(np.concatenate([[0], cuts, [self.size]]))
        return [(int(a), int(b)) for a, b in itertools.pairwise(edges)]


@dataclass(frozen=True, eq=False)
class Layout:
    """Ratings in the order of the first field, with one sorted view a field.

    Parameters
    ----------
    fields : tuple of Field
    order : int64 [rating]
        From this order to the order the ratings came in.
    rows : int32 [rating, field]
        Stacked rows of each rating, -1 where unknown.
    """

    fields: tuple[Field, ...]
    order: NDArray[np.int64]
    rows: NDArray[np.int32]

    @property
    def n_rows(self) -> int:
        return sum(field.size for field in self.fields)


def make_layout(columns: list[Rows], sizes: list[int], names: list[str]) -> Layout:
    """Sort the ratings once for each of their columns; row -1 leaves a rating out of that field alone."""
    bases = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    _, order = counting_sort(columns[0], sizes[0])
    stacked = np.empty((len(order), len(columns)), np.int32)
    for f, column in enumerate(columns):
        stacked[:, f] = np.where(column[order] < 0, -1, column[order] + bases[f])
    fields = []
    for f, (name, size) in enumerate(zip(names, sizes, strict=True)):
        known = stacked[:, f] >= 0
        keys = stacked[known, f] - np.int32(bases[f])
        indptr, place = counting_sort(keys, size)
        if not known.all():
            place = np.flatnonzero(known)[place]
        others = [h for h in range(len(columns)) if h != f]
        partners = stacked[:, others] if f == 0 else stacked[place][:, others]
        fields.append(
            Field(name, size, int(bases[f]), indptr, np.ascontiguousarray(partners), EMPTY_ROWS if f == 0 else place.astype(np.int32))
        )
    return Layout(tuple(fields), order, stacked)
