"""Person against person: what the people most like someone did with an item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.models.base import Arrays
from likewise.models.similarity import Comparison, neighbour_lists, weighed, with_columns
from likewise.shapes import Floats, Rows


@dataclass(frozen=True, eq=False)
class UserSide:
    """The people that others are compared with: those trained on, as they were then.

    Someone trained on is most like themselves, which tells nothing of the items they have not met.

    Parameters
    ----------
    pool : CSR [person, item]
        What each holds: residuals of ratings, or weights of likes.
    sizes : float64 [person]
        What similarities are divided by, as of the fit: items folded in later leave the answers about the others as they were.
    how : Comparison
    """

    pool: CSR
    sizes: NDArray[np.float64]
    how: Comparison

    @property
    def n_items(self) -> int:
        return self.pool.width

    @classmethod
    def of(cls, people: CSR, how: Comparison) -> Self:
        """From what each person holds, [person, item]."""
        return cls(people, how.sizes(people), how)

    def score(self, people: CSR, restraint: float | None) -> Floats:
        """Scores [batch, item]."""
        near = self._near(people)
        out = np.empty((people.n_rows, self.n_items), np.float32)
        rest = -1.0 if restraint is None else restraint
        _user_scores(
            near.indptr, near.columns, near.filled(), self.pool.indptr, self.pool.columns, self.pool.filled(), self.how.k, rest, out
        )
        return out

    def score_pairs(self, people: CSR, items: Rows, restraint: float | None) -> Floats:
        """Scores [batch] of each person with the item beside it; a history that comes again is compared once."""
        first: dict[bytes, int] = {}
        values = people.filled()
        lines = np.empty(people.n_rows, np.int32)
        different = []
        for n in range(people.n_rows):
            entries = slice(people.indptr[n], people.indptr[n + 1])
            key = people.columns[entries].tobytes() + values[entries].tobytes()
            if key not in first:
                first[key] = len(first)
                different.append(n)
            lines[n] = first[key]
        near = self._near(people.take(np.array(different, np.int32)))
        order = np.argsort(items, kind="stable")  # an item's raters are marked once
        out = np.empty(len(items), np.float32)
        out[order] = weighed(near, lines[order], self._raters, items[order], self.how.k, restraint)
        return out

    def contributions(self, person: CSR, item: int, restraint: float | None) -> NDArray[np.float64]:
        """What each entry of one history puts into the score of an item, float64 [entry].

        A neighbour's say is shared among what the two have in common, in proportion to the products that make them similar.
        """
        taste = np.zeros(len(person.columns))
        if item < 0:
            return taste
        near = self._near(person)
        raters = self._raters.take(np.array([item], np.int32))
        said = dict(zip(raters.columns.tolist(), raters.filled().tolist(), strict=True))
        chosen = [n for n, other in enumerate(near.columns.tolist()) if other in said][: self.how.k]
        below = 1.0 if restraint is None else float(near.filled()[chosen].sum(dtype=np.float64)) + restraint
        entry_of = {int(row): entry for entry, row in enumerate(person.columns) if row >= 0}
        values, held = person.filled().astype(np.float64), self.pool.filled().astype(np.float64)
        for n in chosen:
            other = int(near.columns[n])
            places = [p for p in range(self.pool.indptr[other], self.pool.indptr[other + 1]) if int(self.pool.columns[p]) in entry_of]
            entries = [entry_of[int(self.pool.columns[p])] for p in places]
            products = np.ones(len(places)) if self.how.kind == "phi" else values[entries] * held[places]
            taste[entries] += products / products.sum() * near.filled()[n] * said[other] / below
        return taste

    def with_items(self, items: Rows, histories: Histories, values: Floats, people: CSR) -> Self:
        """A copy in which these items are held by these people."""
        return type(self)(with_columns(self.pool, items, histories, values), self.sizes, self.how)

    def state(self) -> Arrays:
        return {
            "indptr": self.pool.indptr,
            "columns": self.pool.columns,
            "values": self.pool.filled(),
            "sizes": self.sizes,
            "width": np.array([self.pool.width], np.int64),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]], how: Comparison) -> Self:
        return cls(CSR(state["indptr"], state["columns"], state["values"], int(state["width"][0])), state["sizes"], how)

    def _near(self, people: CSR) -> CSR:
        nobody = np.full(people.n_rows, -1, np.int32)
        return neighbour_lists(people, nobody, self._raters, self.sizes, self.how)

    @cached_property
    def _raters(self) -> CSR:
        return self.pool.transpose()


@njit(cache=True, nogil=True)
def _user_scores(n_indptr, n_rows, n_values, p_indptr, p_items, p_values, k, restraint, out):  # type: ignore[no-untyped-def]
    """Neighbours come best first, so each item takes the first k that hold it."""
    n_items = out.shape[1]
    total, weight = np.zeros(n_items), np.zeros(n_items)
    count = np.zeros(n_items, np.int32)
    for person in range(out.shape[0]):
        total[:] = 0
        weight[:] = 0
        count[:] = 0
        for n in range(n_indptr[person], n_indptr[person + 1]):
            other = n_rows[n]
            for e in range(p_indptr[other], p_indptr[other + 1]):
                i = p_items[e]
                if count[i] < k:
                    total[i] += n_values[n] * p_values[e]
                    weight[i] += n_values[n]
                    count[i] += 1
        for i in range(n_items):
            if restraint < 0:
                out[person, i] = total[i]
            elif weight[i] + restraint > 0:
                out[person, i] = total[i] / (weight[i] + restraint)
            else:
                out[person, i] = 0
