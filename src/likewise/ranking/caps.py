"""At most so many of a kind: one walk down each ranked list, as long as it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.csr import CSR, csr_from_pairs
from likewise.errors import InputError
from likewise.ranking.catalogue import Catalogue
from likewise.ranking.topk import TopK
from likewise.shapes import Rows

AHEAD = 4
"""How much longer a list is fetched when it may run short."""


@dataclass(frozen=True, eq=False)
class Caps:
    """Which values each item has, and how often a list may hold each.

    Parameters
    ----------
    values : CSR [item, value]
        Values of all capped columns side by side; an item without a value is not capped.
    limits : int32 [value]
    """

    values: CSR
    limits: Rows

    @classmethod
    def of(cls, catalogue: Catalogue, caps: Mapping[str, int]) -> Caps:
        """From a column's name and its limit, such as `{"director": 2}`.

        Raises InputError for an unknown column or a limit below 1.
        """
        rows, codes, limits = [], [], []
        width = 0
        for name, limit in caps.items():
            if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
                raise InputError(
                    f"caps[{name!r}] must be a whole number, at least 1; got {limit!r}. To leave items out use where= or deny="
                )
            values = catalogue.members(name).by_item
            rows.append(np.repeat(np.arange(values.n_rows, dtype=np.int32), values.counts))
            codes.append(values.columns + np.int32(width))
            limits.append(np.full(values.width, limit, np.int32))
            width += values.width
        together = csr_from_pairs(np.concatenate(rows), np.concatenate(codes), None, len(catalogue), width)
        return cls(together, np.concatenate(limits))

    def cut(self, ranked: TopK, k: int) -> TopK:
        """The first k of each list that no limit forbids."""
        items = np.full((len(ranked), min(k, ranked.items.shape[1])), -1, np.int32)
        scores = np.full(items.shape, -np.inf, np.float32)
        counts = np.zeros(len(ranked), np.int64)
        _walk(ranked.items, ranked.scores, self.values.indptr, self.values.columns, self.limits, items, scores, counts)
        return TopK(items, scores, counts)


def capped(rank: Callable[[NDArray[np.int64], int], TopK], caps: Caps, n_people: int, n_items: int, k: int) -> TopK:
    """The first k of each person's full ranking that no limit forbids; fewer only where no more exist.

    Parameters
    ----------
    rank : (people, length) -> TopK
        Ranked lists of some of the people; a longer list must begin with the shorter one.
    """
    width = min(k, n_items)
    items = np.full((n_people, width), -1, np.int32)
    scores = np.full(items.shape, -np.inf, np.float32)
    counts = np.zeros(n_people, np.int64)
    left = np.arange(n_people)
    length = min(AHEAD * k, n_items)
    while len(left):
        ranked = rank(left, length)
        lists = caps.cut(ranked, width)
        have = lists.items.shape[1]
        items[left, :have], scores[left, :have], counts[left] = lists.items, lists.scores, lists.counts
        if length >= n_items:
            break
        left = left[(lists.counts < width) & (ranked.counts == length)]
        length = min(AHEAD * length, n_items)
    return TopK(items, scores, counts)


@njit(cache=True, nogil=True)
def _walk(ranked, ranked_scores, indptr, values, limits, items, scores, counts):  # type: ignore[no-untyped-def]
    left = limits.copy()
    for r in range(ranked.shape[0]):
        place = 0
        for c in range(ranked.shape[1]):
            item = ranked[r, c]
            if item < 0 or place == items.shape[1]:
                break
            free = True
            for e in range(indptr[item], indptr[item + 1]):
                free = free and left[values[e]] > 0
            if free:
                for e in range(indptr[item], indptr[item + 1]):
                    left[values[e]] -= 1
                items[r, place] = item
                scores[r, place] = ranked_scores[r, c]
                place += 1
        counts[r] = place
        for c in range(place):
            item = items[r, c]
            for e in range(indptr[item], indptr[item + 1]):
                left[values[e]] = limits[values[e]]
