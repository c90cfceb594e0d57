"""A weight for each pair of items, and sums of them over histories: all of them dense, or the largest of each item.

score(u, i) = sum over j in u's history of w_uj * B[j, i]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.csr import CSR, csr_from_pairs, empty_csr
from likewise.data.interactions import Histories
from likewise.models.gram import weights_of
from likewise.parallel import in_threads, thread_count
from likewise.shapes import Floats, Rows

WORTH_THREADS = 64
"""People in a batch from which threads pay."""


@dataclass(frozen=True, eq=False)
class ItemWeights:
    """B by rows: what liking item j says of every other item.

    Parameters
    ----------
    dense : float32 [item, item] or None
    sparse : CSR [item, item] or None
        Columns of each row ascending. Exactly one of the two is given.
    """

    dense: Floats | None
    sparse: CSR | None

    @property
    def n_items(self) -> int:
        return self._ragged.n_rows if self.dense is None else len(self.dense)

    @property
    def _ragged(self) -> CSR:
        return empty_csr(0, 0) if self.sparse is None else self.sparse

    def sums(self, likes: Histories) -> Floats:
        """Scores [batch, item] of all items."""
        out = np.zeros((len(likes), self.n_items), np.float32)
        weights = weights_of(likes)
        pieces = thread_count(None) if len(likes) >= WORTH_THREADS else 1
        cuts = np.linspace(0, len(likes), pieces + 1).astype(np.int64)

        def work(piece: int) -> None:
            first, last = cuts[piece], cuts[piece + 1]
            if self.dense is not None:
                _dense_sums(likes.indptr[first : last + 1], likes.rows, weights, self.dense, out[first:last])
            else:
                b = self._ragged
                _sparse_sums(likes.indptr[first : last + 1], likes.rows, weights, b.indptr, b.columns, b.filled(), out[first:last])

        in_threads(work, pieces)
        return out

    def pair_sums(self, likes: Histories, items: Rows) -> Floats:
        """Score [batch] of each person with the item beside it; 0 for item -1."""
        person = np.repeat(np.arange(len(likes)), likes.counts)
        each = weights_of(likes) * self.at(likes.rows, items[person])
        return np.bincount(person, each, len(likes)).astype(np.float32)

    def at(self, rows: Rows, columns: Rows) -> Floats:
        """B[row, column] for pairs; 0 where either is -1."""
        known = (rows >= 0) & (columns >= 0)
        if not self.n_items:
            return np.zeros(len(rows), np.float32)
        if self.dense is not None:
            return np.where(known, self.dense[rows, columns], np.float32(0))
        b = self._ragged
        found = _lookup(b.indptr, b.columns, b.filled(), np.where(known, rows, 0), np.where(known, columns, 0))
        return np.where(known, found, np.float32(0))

    def with_items(self, items: Rows, columns: Floats, rows: Floats) -> Self:
        """A copy with new or replaced items.

        Parameters
        ----------
        columns : float32 [new, item], what each old item says of the new one.
        rows : float32 [new, item], what the new one says of each old item.
        """
        size = max(self.n_items, int(items.max()) + 1 if len(items) else 0)
        old = self.n_items
        if self.dense is not None:
            dense = np.zeros((size, size), np.float32)
            dense[:old, :old] = self.dense
            dense[items], dense[:, items] = 0, 0
            for n, item in enumerate(items):
                dense[:old, item] = columns[n]
                dense[item, :old] = rows[n]
            return type(self)(dense, None)
        replaced = np.isin(np.arange(size), items)
        r, c, v = _triples(self._ragged)
        kept = ~(replaced[r] | replaced[c])
        triples = [(r[kept], c[kept], v[kept])]
        for n, item in enumerate(items):
            into, out_of = np.flatnonzero(columns[n]), np.flatnonzero(rows[n])
            triples.append((into.astype(np.int32), np.full(len(into), item, np.int32), columns[n][into]))
            triples.append((np.full(len(out_of), item, np.int32), out_of.astype(np.int32), rows[n][out_of]))
        r, c, v = (np.concatenate([t[k] for t in triples]) for k in range(3))
        return type(self)(None, sorted_csr(r, c, v, size))

    def state(self) -> dict[str, NDArray[Any]]:
        """As arrays."""
        if self.dense is not None:
            return {"dense": self.dense}
        return {"indptr": self._ragged.indptr, "columns": self._ragged.columns, "values": self._ragged.filled()}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> Self:
        """The weights that `state` described."""
        if "dense" in state:
            return cls(state["dense"], None)
        return cls(None, CSR(state["indptr"], state["columns"], state["values"], len(state["indptr"]) - 1))


def sorted_csr(rows: Rows, columns: Rows, values: Floats, size: int) -> CSR:
    """Square ragged rows [size, size] with ascending columns, of triples in any order."""
    order = np.argsort(columns, kind="stable")
    return csr_from_pairs(rows[order], columns[order], values[order], size, size)


def _triples(b: CSR) -> tuple[Rows, Rows, Floats]:
    return np.repeat(np.arange(b.n_rows, dtype=np.int32), b.counts), b.columns, b.filled()


@njit(cache=True, nogil=True, fastmath=True)
def _dense_sums(indptr, rows, weights, dense, out):  # type: ignore[no-untyped-def]
    for n in range(len(out)):
        for e in range(indptr[n], indptr[n + 1]):
            if rows[e] >= 0:
                w = weights[e]
                for i in range(dense.shape[1]):
                    out[n, i] += w * dense[rows[e], i]


@njit(cache=True, nogil=True)
def _sparse_sums(indptr, rows, weights, starts, columns, values, out):  # type: ignore[no-untyped-def]
    for n in range(len(out)):
        for e in range(indptr[n], indptr[n + 1]):
            if rows[e] >= 0:
                for f in range(starts[rows[e]], starts[rows[e] + 1]):
                    out[n, columns[f]] += weights[e] * values[f]


@njit(cache=True, nogil=True)
def _lookup(indptr, columns, values, rows, wanted):  # type: ignore[no-untyped-def]
    out = np.zeros(len(rows), np.float32)
    for n in range(len(rows)):
        low, high = indptr[rows[n]], indptr[rows[n] + 1]
        end = high
        while low < high:
            middle = (low + high) // 2
            if columns[middle] < wanted[n]:
                low = middle + 1
            else:
                high = middle
        if low < end and columns[low] == wanted[n]:
            out[n] = values[low]
    return out
