"""A weight for each pair of items, and sums of them over histories: dense, ragged, or as a product.

score(u, i) = sum over j in u's history of w_uj * B[j, i]
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.csr import CSR, csr_from_pairs
from likewise.data.interactions import Histories
from likewise.models.gram import weights_of
from likewise.models.levels import grown
from likewise.parallel import in_threads, thread_count
from likewise.shapes import Floats, Offsets, Rows

WORTH_THREADS = 64
"""People in a batch from which threads pay."""


class ItemWeights(ABC):
    """B: what liking item j says of every item i."""

    @property
    @abstractmethod
    def n_items(self) -> int:
        """Rows and columns of B."""

    @abstractmethod
    def sums(self, likes: Histories) -> Floats:
        """Scores [batch, item] of all items."""

    @abstractmethod
    def at(self, rows: Rows, columns: Rows) -> Floats:
        """B[row, column] of pairs, float32 [batch]; 0 where either is -1."""

    @abstractmethod
    def with_items(self, items: Rows, columns: Floats, rows: Floats) -> Self:
        """A copy with new or replaced items; gaps say nothing.

        Parameters
        ----------
        columns : float32 [new, item], what each old item says of the new one.
        rows : float32 [new, item], what the new one says of each old item.
        """

    @abstractmethod
    def state(self) -> dict[str, NDArray[Any]]:
        """As arrays."""

    def pair_sums(self, likes: Histories, items: Rows) -> Floats:
        """Score [batch] of each person with the item beside it; 0 for item -1."""
        person = np.repeat(np.arange(len(likes)), likes.counts)
        each = weights_of(likes) * self.at(likes.rows, items[person])
        return np.bincount(person, each, len(likes)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class DenseWeights(ItemWeights):
    """All of B, float32 [item, item]."""

    matrix: Floats

    @property
    def n_items(self) -> int:
        return len(self.matrix)

    def sums(self, likes: Histories) -> Floats:
        out = np.zeros((len(likes), self.n_items), np.float32)
        weights = weights_of(likes)

        def work(indptr: Offsets, part: Floats) -> None:
            _dense_sums(indptr, likes.rows, weights, self.matrix, part)

        _shared(likes, out, work)
        return out

    def at(self, rows: Rows, columns: Rows) -> Floats:
        if not self.n_items:
            return np.zeros(len(rows), np.float32)
        return np.where((rows >= 0) & (columns >= 0), self.matrix[rows, columns], np.float32(0))

    def with_items(self, items: Rows, columns: Floats, rows: Floats) -> Self:
        old, size = self.n_items, _size(self.n_items, items)
        matrix = np.zeros((size, size), np.float32)
        matrix[:old, :old] = self.matrix
        matrix[items], matrix[:, items] = 0, 0
        matrix[:old, items] = columns.T
        matrix[items, :old] = rows
        return type(self)(matrix)

    def state(self) -> dict[str, NDArray[Any]]:
        return {"dense": self.matrix}


@dataclass(frozen=True, eq=False)
class SparseWeights(ItemWeights):
    """Some of B, as ragged rows with ascending columns."""

    ragged: CSR

    @property
    def n_items(self) -> int:
        return self.ragged.n_rows

    def sums(self, likes: Histories) -> Floats:
        out = np.zeros((len(likes), self.n_items), np.float32)
        b, weights, values = self.ragged, weights_of(likes), self.ragged.filled()

        def work(indptr: Offsets, part: Floats) -> None:
            _sparse_sums(indptr, likes.rows, weights, b.indptr, b.columns, values, part)

        _shared(likes, out, work)
        return out

    def at(self, rows: Rows, columns: Rows) -> Floats:
        if not self.n_items:
            return np.zeros(len(rows), np.float32)
        known, b = (rows >= 0) & (columns >= 0), self.ragged
        found = _lookup(b.indptr, b.columns, b.filled(), np.where(known, rows, 0), np.where(known, columns, 0))
        return np.where(known, found, np.float32(0))

    def with_items(self, items: Rows, columns: Floats, rows: Floats) -> Self:
        size = _size(self.n_items, items)
        replaced = np.zeros(size, np.bool_)
        replaced[items] = True
        r, c, v = np.repeat(np.arange(self.n_items, dtype=np.int32), self.ragged.counts), self.ragged.columns, self.ragged.filled()
        kept = ~(replaced[r] | replaced[c])
        triples = [(r[kept], c[kept], v[kept])]
        for n, item in enumerate(items):
            into, out_of = np.flatnonzero(columns[n]).astype(np.int32), np.flatnonzero(rows[n]).astype(np.int32)
            triples.append((into, np.full(len(into), item, np.int32), columns[n][into]))
            triples.append((np.full(len(out_of), item, np.int32), out_of, rows[n][out_of]))
        r, c, v = (np.concatenate([triple[k] for triple in triples]) for k in range(3))
        return type(self)(sorted_csr(r, c, v, size))

    def state(self) -> dict[str, NDArray[Any]]:
        return {"indptr": self.ragged.indptr, "columns": self.ragged.columns, "values": self.ragged.filled()}


@dataclass(frozen=True, eq=False)
class FactoredWeights(ItemWeights):
    """B as a product: B[j, i] = left_j . right_i, less `own_i` where j = i. Small where there are few users.

    Parameters
    ----------
    left, right : float32 [item, rank]
    own : float32 [item]
    """

    left: Floats
    right: Floats
    own: Floats

    @property
    def n_items(self) -> int:
        return len(self.left)

    def sums(self, likes: Histories) -> Floats:
        weights = weights_of(likes)
        out = np.asarray(self._people(likes) @ self.right.T, np.float32)
        known = likes.rows >= 0
        person, items = np.repeat(np.arange(len(likes)), likes.counts)[known], likes.rows[known]
        np.subtract.at(out, (person, items), weights[known] * self.own[items])
        return out

    def pair_sums(self, likes: Histories, items: Rows) -> Floats:
        if not self.n_items:
            return np.zeros(len(items), np.float32)
        out = np.einsum("nr,nr->n", self._people(likes), self.right[items])  # a vector a pair, never one an entry of its history
        person = np.repeat(np.arange(len(likes)), likes.counts)
        same = likes.rows == items[person]
        out -= np.bincount(person[same], weights_of(likes)[same] * self.own[likes.rows[same]], len(likes)).astype(np.float32)
        return np.where(items >= 0, out, np.float32(0))

    def _people(self, likes: Histories) -> Floats:
        """What each person says, float32 [batch, rank]."""
        people = np.zeros((len(likes), self.left.shape[1]), np.float32)
        _dense_sums(likes.indptr, likes.rows, weights_of(likes), self.left, people)
        return people

    def at(self, rows: Rows, columns: Rows) -> Floats:
        if not self.n_items:
            return np.zeros(len(rows), np.float32)
        product = np.einsum("nr,nr->n", self.left[rows], self.right[columns], dtype=np.float32)
        product -= np.where(rows == columns, self.own[columns], np.float32(0))
        return np.where((rows >= 0) & (columns >= 0), product, np.float32(0))

    def with_items(self, items: Rows, columns: Floats, rows: Floats) -> Self:
        """Each new item adds two columns to the product: one for what is said of it, one for what it says."""
        old, rank, new = self.n_items, self.left.shape[1], len(items)
        size = _size(old, items)
        left, right = np.zeros((size, rank + 2 * new), np.float32), np.zeros((size, rank + 2 * new), np.float32)
        left[:old, :rank], right[:old, :rank] = self.left, self.right
        left[items], right[items] = 0, 0
        left[:old, rank : rank + new] = columns.T
        left[items, rank : rank + new] = 0
        right[items, rank + np.arange(new)] = 1
        right[:old, rank + new :] = rows.T
        right[items, rank + new :] = 0
        left[items, rank + new + np.arange(new)] = 1
        return type(self)(left, right, grown(self.own, items, 0))

    def state(self) -> dict[str, NDArray[Any]]:
        return {"left": self.left, "right": self.right, "own": self.own}


def weights_from_state(state: Mapping[str, NDArray[Any]]) -> ItemWeights:
    """The weights that `state` described."""
    if "dense" in state:
        return DenseWeights(state["dense"])
    if "left" in state:
        return FactoredWeights(state["left"], state["right"], state["own"])
    return SparseWeights(CSR(state["indptr"], state["columns"], state["values"], len(state["indptr"]) - 1))


def sorted_csr(rows: Rows, columns: Rows, values: Floats, size: int) -> CSR:
    """Square ragged rows [size, size] with ascending columns, of triples in any order."""
    order = np.argsort(columns, kind="stable")
    return csr_from_pairs(rows[order], columns[order], values[order], size, size)


def _size(old: int, items: Rows) -> int:
    return max(old, int(items.max()) + 1 if len(items) else 0)


def _shared(likes: Histories, out: Floats, work: Any) -> None:
    """Call `work(indptr, out)` on parts of the people, in threads where there are many."""
    pieces = thread_count(None) if len(likes) >= WORTH_THREADS else 1
    cuts = np.linspace(0, len(likes), pieces + 1).astype(np.int64)
    in_threads(lambda n: work(likes.indptr[cuts[n] : cuts[n + 1] + 1], out[cuts[n] : cuts[n + 1]]), pieces)


@njit(cache=True, nogil=True, fastmath=True)
def _dense_sums(indptr, rows, weights, matrix, out):  # type: ignore[no-untyped-def]
    for n in range(len(out)):
        for e in range(indptr[n], indptr[n + 1]):
            if rows[e] >= 0:
                for i in range(matrix.shape[1]):
                    out[n, i] += weights[e] * matrix[rows[e], i]


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
