"""Finding the row of an id: by a table, by binary search, or by a hash table where many are asked at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numba import njit

from likewise.shapes import Rows

Id = int | str


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """A run of ids, Int64 or String, and the rows they have.

    Parameters
    ----------
    ids : pl.Series
        Sorted.
    order : int32 [id] or None
        Row of each sorted id; None where that is its place.
    table : int32 or None
        Where ints are dense: the row of each int from `low` on, -1 between.
    low : int
    """

    ids: pl.Series
    order: Rows | None
    table: Rows | None
    low: int

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, wanted: pl.Series) -> Rows:
        """The row of each id wanted, -1 where it is missing or not here."""
        if not len(self) or not len(wanted):
            return np.full(len(wanted), -1, np.int32)
        if self.table is not None:
            return self._by_table(wanted, self.table)
        places = self._by_search(wanted) if len(wanted) * 16 < len(self) else self._by_hash(wanted)
        return places if self.order is None else np.where(places >= 0, self.order[places], np.int32(-1))

    def find(self, raw: Id) -> int:
        """The row of one id, -1 where it is not here."""
        if self.table is not None:
            place = int(raw) - self.low
            return int(self.table[place]) if 0 <= place < len(self.table) else -1
        place = self.place(raw)
        if place == len(self) or self.ids[place] != raw:
            return -1
        return place if self.order is None else int(self.order[place])

    def place(self, raw: Id) -> int:
        """Where the id is, or would be, among the sorted ids."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.ids[middle] < raw:
                low = middle + 1
            else:
                high = middle
        return low

    def _by_table(self, wanted: pl.Series, table: Rows) -> Rows:
        if wanted.null_count():
            wanted = wanted.fill_null(self.low - 1)
        values = wanted.to_numpy()
        if int(values.min()) >= self.low and int(values.max()) < self.low + len(table):
            return np.asarray(table[values - self.low if self.low else values])
        inside = (values >= self.low) & (values < self.low + len(table))
        rows = np.full(len(values), -1, np.int32)
        rows[inside] = table[values[inside] - self.low]
        return rows

    def _by_search(self, wanted: pl.Series) -> Rows:
        places = np.minimum(self.ids.search_sorted(wanted.fill_null(self.ids[0])).to_numpy(), len(self) - 1)
        return self._verified(places.astype(np.int32), wanted)

    def _by_hash(self, wanted: pl.Series) -> Rows:
        hashes = self.ids.hash().to_numpy()
        slots = np.full(1 << int(2 * len(self) - 1).bit_length(), -1, np.int32)
        if not _fill(hashes, slots):  # two ids with one 64-bit hash
            known = pl.DataFrame({"id": self.ids, "row": np.arange(len(self), dtype=np.int32)})
            joined = pl.DataFrame({"id": wanted}).join(known, on="id", how="left", maintain_order="left")["row"]
            return joined.fill_null(-1).to_numpy().astype(np.int32)
        places = np.empty(len(wanted), np.int32)
        _probe(hashes, slots, wanted.hash().to_numpy(), places)
        return self._verified(places, wanted)

    def _verified(self, places: Rows, wanted: pl.Series) -> Rows:
        """Places where the id is the one wanted, -1 elsewhere."""
        same = (self.ids.gather(np.maximum(places, 0)) == wanted).fill_null(False).to_numpy()
        return np.where(same & (places >= 0), places, np.int32(-1))


def indexes_of(ids: pl.Series) -> tuple[Index, ...]:
    """What finds these ids' rows: one index, or two where sorted ids have others appended."""
    if table := _table(ids, 0):
        return (table,)
    if len(ids) and ids.dtype == pl.String and not ids.is_sorted():
        sorted_run = int((ids < ids.shift(1)).fill_null(False).arg_max() or 0)
        if sorted_run > len(ids) // 2:
            return index(ids.slice(0, sorted_run), 0), index(ids.slice(sorted_run), sorted_run)
    return (index(ids, 0),)


def index(ids: pl.Series, start: int) -> Index:
    """The index of ids whose rows begin at `start`."""
    if table := _table(ids, start):
        return table
    if start == 0 and ids.is_sorted():
        return Index(ids, None, None, 0)
    order = np.argsort(ids.to_numpy(), kind="stable") if ids.dtype == pl.Int64 else ids.arg_sort().to_numpy()
    return Index(ids.gather(order).rechunk(), order.astype(np.int32) + np.int32(start), None, 0)


def is_dense(low: int, high: int, n: int) -> bool:
    """Whether a table over the ints from `low` to `high` is worth it for `n` of them."""
    return high - low < 8 * n + 65_536 and low > np.iinfo(np.int64).min


def repeated(indexes: tuple[Index, ...]) -> Id | None:
    """An id that occurs more than once, None where all are distinct."""
    for one in indexes:
        if one.table is not None and int((one.table >= 0).sum()) == len(one):
            continue
        ids = one.ids if one.table is None else one.ids.sort()
        twice = ids.filter(ids == ids.shift(1))
        if len(twice):
            return twice[0]  # type: ignore[no-any-return]
    for later in indexes[1:]:
        known = indexes[0].rows(later.ids) >= 0
        if known.any():
            return later.ids[int(np.argmax(known))]  # type: ignore[no-any-return]
    return None


def _table(ids: pl.Series, start: int) -> Index | None:
    if ids.dtype != pl.Int64 or not len(ids):
        return None
    values = ids.to_numpy()
    low, high = int(values.min()), int(values.max())
    if not is_dense(low, high, len(ids)):
        return None
    table = np.full(high - low + 1, -1, np.int32)
    table[values - low] = np.arange(start, start + len(ids), dtype=np.int32)
    return Index(ids, None, table, low)


@njit(cache=True, nogil=True)
def _fill(hashes, slots):  # type: ignore[no-untyped-def]
    """Open addressing, at most half full; False where two hashes are the same."""
    mask = np.uint64(len(slots) - 1)
    one = np.uint64(1)
    for n in range(len(hashes)):
        place = hashes[n] & mask
        while slots[place] >= 0:
            if hashes[slots[place]] == hashes[n]:
                return False
            place = (place + one) & mask
        slots[place] = n
    return True


@njit(cache=True, nogil=True)
def _probe(hashes, slots, wanted, places):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(slots) - 1)
    one = np.uint64(1)
    for n in range(len(wanted)):
        place = wanted[n] & mask
        while slots[place] >= 0 and hashes[slots[place]] != wanted[n]:
            place = (place + one) & mask
        places[n] = slots[place]
