"""Ids to rows as they come: a row is given where an id is first met, and all are put in sorted order at the end."""

from __future__ import annotations

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from likewise.data.vocabulary import LARGEST, Vocabulary, as_ids
from likewise.errors import InputError
from likewise.shapes import Offsets, Rows

Hashes = NDArray[np.uint64]
EMPTY = -1


class GrowingIds:
    """Distinct ids met so far, how often each was met, and their rows in the order of the first meeting.

    An int is its own key; a text is known by two independent 64-bit hashes of it, so that two of a thousand million texts are taken
    for one with a chance of 1e-21.

    Parameters
    ----------
    word : "user" or "item", for errors.
    most : int
        Ids beyond which the rows would not fit their type.
    """

    def __init__(self, word: str, most: int = LARGEST) -> None:
        self.word, self.most, self.size = word, most, 0
        self.kind: pl.DataType | None = None
        self._slots = np.full(1 << 16, EMPTY, np.int32)
        self._keys: Hashes = np.empty(1 << 15, np.uint64)
        self._checks: Hashes = np.empty(0, np.uint64)
        self._counts: Offsets = np.zeros(1 << 15, np.int64)
        self._texts: list[pl.Series] = []

    def rows(self, values: pl.Series) -> Rows:
        """Rows [batch] of the ids, none of them missing; ids not met before get the next rows."""
        ids = as_ids(values)
        if not len(ids):
            return np.empty(0, np.int32)
        if self.kind is None:
            self.kind = ids.dtype
            if ids.dtype == pl.String:
                self._checks = np.empty(len(self._keys), np.uint64)
        return self._meet(ids if ids.dtype == self.kind else ids.cast(self.kind))

    def vocabulary(self) -> tuple[Vocabulary, Rows, Offsets]:
        """All ids in sorted order, the sorted row of each row given out, and how often each sorted id was met."""
        if self.kind == pl.String:
            ids = pl.concat(self._texts).rechunk()
            order = ids.arg_sort().to_numpy().astype(np.int64)
        else:
            ids = pl.Series(self._keys[: self.size].view(np.int64))
            order = np.argsort(ids.to_numpy(), kind="stable")
        rank = np.empty(self.size, np.int32)
        rank[order] = np.arange(self.size, dtype=np.int32)
        return Vocabulary(ids.gather(order)), rank, self._counts[order]

    def _meet(self, ids: pl.Series) -> Rows:
        text = self.kind == pl.String
        keys = ids.hash(seed=1).to_numpy() if text else ids.to_numpy().view(np.uint64)
        checks = ids.hash(seed=2).to_numpy() if text else np.empty(0, np.uint64)
        rows, fresh = np.empty(len(ids), np.int32), np.empty(len(ids), np.int64)
        done, met = 0, 0
        while done < len(ids):
            tables = self._slots, self._keys, self._checks, self._counts
            done, size = _meet(keys, checks, *tables, self.size, done, rows, fresh[met:])
            met, self.size = met + size - self.size, size
            if self.size > self.most:
                raise InputError(f"there are more than {self.most:,} different {self.word}s, which rows of 32 bits cannot number")
            if done < len(ids):
                self._grow()
        if text and met:
            self._texts.append(ids.gather(fresh[:met]))
        return rows

    def _grow(self) -> None:
        size = 2 * len(self._keys)
        self._keys, self._counts = np.resize(self._keys, size), np.resize(self._counts, size)
        self._counts[self.size :] = 0
        if len(self._checks):
            self._checks = np.resize(self._checks, size)
        self._slots = np.full(2 * size, EMPTY, np.int32)
        _place(self._keys[: self.size], self._slots)


@njit(nogil=True)
def _slot(key, mask):  # type: ignore[no-untyped-def]
    """Where a key would be: ids that differ in a few low bits are spread (the finaliser of splitmix64)."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (key ^ (key >> np.uint64(31))) & mask


@njit(cache=True, nogil=True)
def _meet(keys, checks, slots, known, known_checks, counts, size, start, rows, fresh):  # type: ignore[no-untyped-def]
    """Rows of the keys from `start` on, by open addressing; (how far it came before the table was half full, ids known then)."""
    mask = np.uint64(len(slots) - 1)
    both = len(checks) > 0
    first = size
    for n in range(start, len(keys)):
        place = _slot(keys[n], mask)
        row = slots[place]
        while row >= 0 and (known[row] != keys[n] or (both and known_checks[row] != checks[n])):
            place = (place + np.uint64(1)) & mask
            row = slots[place]
        if row < 0:
            if size == len(known):
                return n, size
            row = np.int32(size)
            slots[place], known[row] = row, keys[n]
            if both:
                known_checks[row] = checks[n]
            fresh[size - first] = n
            size += 1
        counts[row] += 1
        rows[n] = row
    return len(keys), size


@njit(cache=True, nogil=True)
def _place(known, slots):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(slots) - 1)
    for row in range(len(known)):
        place = _slot(known[row], mask)
        while slots[place] >= 0:
            place = (place + np.uint64(1)) & mask
        slots[place] = row
