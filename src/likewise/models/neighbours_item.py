"""Item against item: each item's most similar items, weighed by what a person did with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.csr import CSR, csr_from_pairs
from likewise.data.interactions import Histories
from likewise.models.base import Arrays
from likewise.models.similarity import Comparison, neighbour_lists, weighed, with_columns
from likewise.parallel import in_threads
from likewise.shapes import Floats, Rows

PEOPLE = 64
"""People scored by one piece of work."""


@dataclass(frozen=True, eq=False)
class ItemSide:
    """The neighbour list of every item.

    Parameters
    ----------
    lists : CSR [item, item]
        Similar items, best first; values are similarities.
    how : Comparison
    """

    lists: CSR
    how: Comparison

    @property
    def n_items(self) -> int:
        return self.lists.n_rows

    @classmethod
    def of(cls, people: CSR, how: Comparison) -> Self:
        """From what each person holds, [person, item]."""
        raters = people.transpose()
        own = np.arange(people.width, dtype=np.int32)
        return cls(neighbour_lists(raters, own, people, how.sizes(raters), how), how)

    def score(self, people: CSR, restraint: float | None) -> Floats:
        """Scores [batch, item]."""
        out = np.empty((people.n_rows, self.n_items), np.float32)
        values, reverse = people.filled(), self._reverse
        rest = -1.0 if restraint is None else restraint

        def work(piece: int) -> None:
            start, stop = piece * PEOPLE, min((piece + 1) * PEOPLE, people.n_rows)
            _item_scores(
                people.indptr[start : stop + 1], people.columns, values, self.lists.indptr, self.lists.columns, self.lists.filled(),
                reverse.indptr, reverse.columns, reverse.filled(), self.how.k, rest, out[start:stop],
            )  # fmt: skip

        in_threads(work, -(-people.n_rows // PEOPLE))
        return out

    def score_pairs(self, people: CSR, items: Rows, restraint: float | None) -> Floats:
        """Scores [batch] of each person with the item beside it."""
        return weighed(self.lists, items, people, np.arange(people.n_rows, dtype=np.int32), self.how.k, restraint)

    def contributions(self, person: CSR, item: int, restraint: float | None) -> NDArray[np.float64]:
        """What each entry of one history puts into the score of an item, float64 [entry]."""
        taste = np.zeros(len(person.columns))
        if item < 0:
            return taste
        entry_of = {int(row): entry for entry, row in enumerate(person.columns)}
        start, stop = self.lists.indptr[item], self.lists.indptr[item + 1]
        near = [n for n in range(start, stop) if int(self.lists.columns[n]) in entry_of][: self.how.k]
        entries = [entry_of[int(self.lists.columns[n])] for n in near]
        similar = self.lists.filled()[near].astype(np.float64)
        below = 1.0 if restraint is None else float(similar.sum()) + restraint
        if below > 0:
            taste[entries] = similar * person.filled()[entries] / below
        return taste

    def with_items(self, items: Rows, histories: Histories, values: Floats, people: CSR) -> Self:
        """A copy in which these items have these raters; they enter the others' lists too."""
        people = with_columns(people, items, histories, values)
        raters = people.transpose()
        sizes = self.how.sizes(raters)
        fresh = neighbour_lists(raters.take(items), items, people, sizes, self.how)
        n_items = people.width
        rows = np.repeat(np.arange(self.n_items, dtype=np.int32), self.lists.counts)
        stale = np.isin(rows, items) | np.isin(self.lists.columns, items)
        new_rows, new_columns, new_values = np.repeat(items, fresh.counts), fresh.columns, fresh.filled()
        back = ~np.isin(new_columns, items)  # pairs of two new items are in both of their lists already
        rows = np.concatenate([rows[~stale], new_rows, new_columns[back]]).astype(np.int32)
        columns = np.concatenate([self.lists.columns[~stale], new_columns, new_rows[back]]).astype(np.int32)
        similar = np.concatenate([self.lists.filled()[~stale], new_values, new_values[back]])
        order = np.lexsort((columns, -similar, rows))
        rows = rows[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        order, rows = order[place < self.how.stored], rows[place < self.how.stored]
        return type(self)(csr_from_pairs(rows, columns[order], similar[order], n_items, n_items), self.how)

    def state(self) -> Arrays:
        return {"indptr": self.lists.indptr, "columns": self.lists.columns, "values": self.lists.filled()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], how: Comparison) -> Self:
        return cls(CSR(state["indptr"], state["columns"], state["values"], len(state["indptr"]) - 1), how)

    @cached_property
    def _reverse(self) -> CSR:
        """Whose list each item is in."""
        return self.lists.transpose()


@njit(cache=True, nogil=True)
def _item_scores(indptr, rows, values, l_indptr, l_rows, l_values, r_indptr, r_rows, r_values, k, restraint, out):  # type: ignore[no-untyped-def]
    """Each entry of a history is pushed to the items whose lists it is in; an item that got more than k looks at its list again."""
    n_items = len(l_indptr) - 1
    total, weight = np.zeros(n_items), np.zeros(n_items)
    count = np.zeros(n_items, np.int32)
    mark, value = np.full(n_items, -1, np.int32), np.zeros(n_items)
    for person in range(len(indptr) - 1):
        total[:] = 0
        weight[:] = 0
        count[:] = 0
        for e in range(indptr[person], indptr[person + 1]):
            if rows[e] >= 0:
                mark[rows[e]] = person
                value[rows[e]] = values[e]
        for e in range(indptr[person], indptr[person + 1]):
            j = rows[e]
            if j < 0 or mark[j] != person:
                continue
            mark[j] = -1  # an item that is there twice is pushed once
            for n in range(r_indptr[j], r_indptr[j + 1]):
                total[r_rows[n]] += r_values[n] * value[j]
                weight[r_rows[n]] += r_values[n]
                count[r_rows[n]] += 1
        for e in range(indptr[person], indptr[person + 1]):
            if rows[e] >= 0:
                mark[rows[e]] = person
        for i in range(n_items):
            if count[i] > k:
                total[i], weight[i] = 0.0, 0.0
                left = k
                for n in range(l_indptr[i], l_indptr[i + 1]):
                    j = l_rows[n]
                    if mark[j] == person:
                        total[i] += l_values[n] * value[j]
                        weight[i] += l_values[n]
                        left -= 1
                        if left == 0:
                            break
            if restraint < 0:
                out[person, i] = total[i]
            elif weight[i] + restraint > 0:
                out[person, i] = total[i] / (weight[i] + restraint)
            else:
                out[person, i] = 0
