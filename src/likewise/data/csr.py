"""Ragged rows of columns: the one sparse format of the house."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.errors import InputError
from likewise.shapes import Floats, Offsets, Rows

FEW = 1 << 18
"""Below this many keys NumPy sorts them: no slower, and a fresh process need not wait for compiled code."""


@dataclass(frozen=True, slots=True, eq=False)
class CSR:
    """Ragged rows: row `r` owns `columns[indptr[r]:indptr[r + 1]]`.

    Parameters
    ----------
    indptr : int64 [row + 1]
    columns : int32 [entry]
    values : float32 [entry] or None
        None means that every entry is one.
    width : int
        Number of columns.
    """

    indptr: Offsets
    columns: Rows
    values: Floats | None
    width: int

    def __post_init__(self) -> None:
        if self.indptr[0] != 0 or self.indptr[-1] != len(self.columns):
            raise InputError(
                f"indptr must run from 0 to the number of entries ({len(self.columns)}); it runs from {self.indptr[0]} to {self.indptr[-1]}"
            )
        if self.values is not None and len(self.values) != len(self.columns):
            raise InputError(f"values must have one number an entry ({len(self.columns)}); {len(self.values)} were given")

    @property
    def n_rows(self) -> int:
        return len(self.indptr) - 1

    @property
    def counts(self) -> Offsets:
        """Entries of each row, int64 [row]."""
        return np.diff(self.indptr)

    def row(self, r: int) -> Rows:
        """The columns of one row."""
        return self.columns[self.indptr[r] : self.indptr[r + 1]]

    def filled(self) -> Floats:
        """The values, ones where there are none."""
        return np.ones(len(self.columns), np.float32) if self.values is None else self.values

    def take(self, rows: Rows) -> CSR:
        """The rows named, in that order; row -1 is empty."""
        indptr, positions = ragged_take(self.indptr, rows)
        return CSR(indptr, self.columns[positions], None if self.values is None else self.values[positions], self.width)

    def transpose(self) -> CSR:
        """Rows become columns; entries stay ordered by row."""
        rows = np.repeat(np.arange(self.n_rows, dtype=np.int32), self.counts)
        return csr_from_pairs(self.columns, rows, self.values, self.width, self.n_rows)

    def toarray(self) -> Floats:
        """Dense float32 [row, column]; duplicates add up."""
        dense = np.zeros((self.n_rows, self.width), np.float32)
        np.add.at(dense, (np.repeat(np.arange(self.n_rows), self.counts), self.columns), self.filled())
        return dense


def csr_from_pairs(rows: Rows, columns: Rows, values: Floats | None, n_rows: int, width: int) -> CSR:
    """CSR of (row, column) pairs by a stable counting sort: one pass to count, one to place."""
    indptr, order = counting_sort(rows, n_rows)
    return CSR(indptr, columns[order], None if values is None else values[order], width)


def empty_csr(n_rows: int, width: int) -> CSR:
    """Rows without entries."""
    return CSR(np.zeros(n_rows + 1, np.int64), np.empty(0, np.int32), None, width)


def counting_sort(keys: Rows, n_keys: int) -> tuple[Offsets, NDArray[np.int64]]:
    """Where each key's run starts (int64 [n_keys + 1]), and the stable order that sorts the keys.

    Raises InputError if a key lies outside [0, n_keys).
    """
    if len(keys) and (int(keys.min()) < 0 or int(keys.max()) >= n_keys):
        raise InputError(f"rows must lie in [0, {n_keys}); found {int(keys.min())} to {int(keys.max())}")
    keys = np.ascontiguousarray(keys, dtype=np.int32)
    if len(keys) < FEW:
        return np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=n_keys))]), np.argsort(keys, kind="stable")
    indptr, order = _counting_sort(keys, n_keys)
    return indptr, order


def ragged_take(indptr: Offsets, rows: Rows) -> tuple[Offsets, NDArray[np.int64]]:
    """The offsets of the rows taken, and the positions of their entries. Row -1 is empty.

    Raises InputError for a row below -1 or beyond the last.
    """
    rows = np.ascontiguousarray(rows, dtype=np.int32)
    if len(rows) and (int(rows.min()) < -1 or int(rows.max()) >= len(indptr) - 1):
        raise InputError(f"rows must lie in [0, {len(indptr) - 1}), or be -1; found {int(rows.min())} to {int(rows.max())}")
    starts = indptr[rows]
    counts = np.where(rows >= 0, indptr[rows + 1] - starts, 0)
    taken = np.concatenate([[0], np.cumsum(counts)])
    return taken, np.arange(taken[-1]) + np.repeat(starts - taken[:-1], counts)


@njit(cache=True, nogil=True)
def _counting_sort(keys, n_keys):  # type: ignore[no-untyped-def]
    indptr = np.zeros(n_keys + 1, np.int64)
    for key in keys:
        indptr[key + 1] += 1
    for key in range(n_keys):
        indptr[key + 1] += indptr[key]
    place = indptr[:-1].copy()
    order = np.empty(len(keys), np.int64)
    for n in range(len(keys)):
        order[place[keys[n]]] = n
        place[keys[n]] += 1
    return indptr, order
