"""Markov chain of the last few items: what tends to come after what.

    score(u, i) = sum over the last `window` entries j of u's history, age a = 0 for the newest, of  decay^a * T[j, i]
    T[j, i]     = c_ji / (c_j + shrinkage) + shrinkage / (c_j + shrinkage) * p_i
    c_ji        = sum over times that i came `lag` steps after j, lag = 1 ... window, of decay^(lag - 1)

c_j sums c_ji over i, and p_i is the share of all steps that led to i, so an item seen once says little and everybody's favourites break
ties. The cheap baseline that stands beside every model of sequences; it reads the order of a history and nothing else. Somebody
without a history gets p. Histories are in time order where times are known, else in the order read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.base import Arrays, Context, FittedModel, Model, Parts, check_rows
from likewise.models.gram import weights_of
from likewise.models.graph import Graph, of_history
from likewise.models.item_weights import SparseWeights, sorted_csr
from likewise.models.levels import grown
from likewise.models.link import Link
from likewise.shapes import Floats, Rows

if TYPE_CHECKING:
    from likewise.data.dataset import Dataset


@dataclass(frozen=True)
class Markov(Model):
    """Settings of the Markov chain.

    Parameters
    ----------
    window : int, at least 1
        Entries of the history that are read, newest first.
    decay : float in (0, 1]
        How much each step back counts less.
    shrinkage : float, 0 or more
        Steps' worth of everybody's habits mixed into each item's.
    """

    window: int = 5
    decay: float = 0.7
    shrinkage: float = 20.0

    name: ClassVar[str] = "markov"
    solvers: ClassVar[frozenset[str]] = frozenset({"closed_form"})
    reads_order: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.window < 1:
            raise InputError(f"window must be at least 1; got {self.window}")
        if not 0 < self.decay <= 1:
            raise InputError(f"decay must be in (0, 1]; got {self.decay}")
        if not (np.isfinite(self.shrinkage) and self.shrinkage >= 0):
            raise InputError(f"shrinkage must be 0 or more; got {self.shrinkage}")

    def solve(self, data: Dataset) -> FittedMarkov:
        """The fitted model: discounted counts of what came after what."""
        events = data.interactions
        if not len(events):
            raise InputError("there is nothing to fit on: the data has no events")
        histories = events.by_user
        sources, targets, counts = _steps(histories.indptr, histories.rows, self.window, np.float32(self.decay))
        steps = _summed(sources, targets, counts, events.n_items)
        led = np.bincount(histories.rows, minlength=events.n_items).astype(np.float32)
        return FittedMarkov(self, Histories(histories.indptr, histories.rows), steps, led / max(float(led.sum()), 1.0))


@dataclass(frozen=True, eq=False)
class FittedMarkov(FittedModel[Histories]):
    """Counts after a fit; a person is the end of their history, its entries weighted by age.

    Parameters
    ----------
    config : Markov
    known : Histories
        Each trained person's items in order.
    steps : CSR [item, item]
        Discounted counts c_ji, columns ascending.
    habit : float32 [item]
        p, the share of steps that led to each item.
    """

    config: Markov
    known: Histories
    steps: CSR
    habit: Floats

    @property
    def link(self) -> Link:  # type: ignore[override]
        return Link("free")

    @property
    def n_users(self) -> int:
        return len(self.known)

    @property
    def n_items(self) -> int:
        return len(self.habit)

    @property
    def item_vectors(self) -> None:
        return None

    def graph(self) -> Graph:
        return of_history(self, "steps", f"{self.n_items:,} × {self.n_items:,}", "weighted sum", f"of the last {self.config.window}")

    def people(self, users: Rows) -> Histories:
        check_rows(users, self.n_users, "users")
        return self._ends(self.known.take(users))

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Histories:
        check_rows(histories.rows, self.n_items, "items of a history")
        return self._ends(histories.keep(histories.rows >= 0))

    def score(self, people: Histories, items: Rows | None = None) -> Floats:
        scores = self._transitions.sums(people) + self._habit_share(people)[:, None] * self.habit
        if items is None:
            return scores
        check_rows(items, self.n_items, "items")
        return np.where(items >= 0, scores[:, items], np.float32(0))

    def score_pairs(self, people: Histories, items: Rows, context: Context | None = None) -> Floats:
        if len(items) != len(people):
            raise InputError(f"there must be an item for each of the {len(people)} people; {len(items)} were given")
        check_rows(items, self.n_items, "items")
        general = np.where(items >= 0, self.habit[items] if self.n_items else 0, 0).astype(np.float32)
        return self._transitions.pair_sums(people, items) + self._habit_share(people) * general

    def explain(self, people: Histories, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        """Exact: the score is a sum over the entries that are read; older ones contribute nothing."""
        scores = self.score_pairs(people, np.full(len(people), item, np.int32))
        shares = self._habit_share(people) * (self.habit[item] if item >= 0 else np.float32(0))
        parts = []
        for n, score in enumerate(scores.tolist()):
            whole = histories.take(np.array([n], np.int32))
            taste = np.zeros(len(whole.rows), np.float32)
            read = np.flatnonzero(whole.rows >= 0)[-self.config.window :]
            end = whole.rows[read]
            taste[read] = self._weights(len(end)) * self._transitions.at(end, np.full(len(end), item, np.int32))
            habit = float(shares[n])
            parts.append(Parts(0.0, 0.0, habit, taste, score, score, {}, score - habit - float(taste.sum(dtype=np.float64))))
        return parts

    def with_people(self, users: Rows, people: Histories) -> Self:
        return replace(self, known=self.known.replaced(users, Histories(people.indptr, people.rows)))

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        """New items start without steps of their own; what leads to them is their share of all events."""
        size = max(self.n_items, int(items.max()) + 1 if len(items) else 0)
        indptr = np.append(self.steps.indptr, np.full(size - self.n_items, self.steps.indptr[-1]))
        total = max(float(len(self.known.rows)), 1.0)
        habit = grown(self.habit, items, (histories.counts / total).astype(np.float32))
        return replace(self, steps=CSR(indptr, self.steps.columns, self.steps.values, size), habit=habit)

    def state(self) -> Arrays:
        known: Arrays = {"known_indptr": self.known.indptr, "known_rows": self.known.rows}
        steps: Arrays = {"indptr": self.steps.indptr, "columns": self.steps.columns, "counts": self.steps.filled()}
        return {**known, **steps, "habit": self.habit}

    @classmethod
    def from_state(cls, config: Markov, state: Mapping[str, NDArray[Any]]) -> Self:
        habit = state["habit"]
        steps = CSR(state["indptr"], state["columns"], state["counts"], len(habit))
        return cls(config, Histories(state["known_indptr"], state["known_rows"]), steps, habit)

    @cached_property
    def _transitions(self) -> SparseWeights:
        """c_ji / (c_j + shrinkage)."""
        rows = np.repeat(np.arange(self.n_items), self.steps.counts)
        values = self.steps.filled() / (self._left[rows] + np.float32(self.config.shrinkage))
        return SparseWeights(CSR(self.steps.indptr, self.steps.columns, values.astype(np.float32), self.n_items))

    @cached_property
    def _left(self) -> Floats:
        """c_j, float32 [item]."""
        rows = np.repeat(np.arange(self.n_items), self.steps.counts)
        return np.bincount(rows, self.steps.filled(), self.n_items).astype(np.float32)

    def _ends(self, histories: Histories) -> Histories:
        """The last entries of each history, weighted by age."""
        age = np.repeat(histories.indptr[1:], histories.counts) - 1 - np.arange(len(histories.rows))
        read = age < self.config.window
        ends = Histories(histories.indptr, histories.rows).keep(read)
        return replace(ends, weights=(np.float32(self.config.decay) ** age[read]).astype(np.float32))

    def _weights(self, n: int) -> Floats:
        return (np.float32(self.config.decay) ** np.arange(n - 1, -1, -1)).astype(np.float32)

    def _habit_share(self, people: Histories) -> Floats:
        """How much of everybody's habits each person's score holds, float32 [batch]; one for somebody without a history."""
        each = weights_of(people) * self.config.shrinkage / np.maximum(self._left[people.rows] + self.config.shrinkage, 1e-9)
        share = np.bincount(np.repeat(np.arange(len(people)), people.counts), each, len(people)).astype(np.float32)
        return np.where(people.counts == 0, np.float32(1), share)


def _summed(sources: Rows, targets: Rows, counts: Floats, n_items: int) -> CSR:
    """Triples with equal places added up."""
    place = sources.astype(np.int64) * n_items + targets
    places, where = np.unique(place, return_inverse=True)
    total = np.bincount(where, counts, len(places)).astype(np.float32)
    return sorted_csr((places // n_items).astype(np.int32), (places % n_items).astype(np.int32), total, n_items)


@njit(cache=True, nogil=True)
def _steps(indptr, rows, window, decay):  # type: ignore[no-untyped-def]
    total = 0
    for n in range(len(indptr) - 1):
        length = indptr[n + 1] - indptr[n]
        for lag in range(1, window + 1):
            total += max(0, length - lag)
    sources, targets, counts = np.empty(total, np.int32), np.empty(total, np.int32), np.empty(total, np.float32)
    place = 0
    for n in range(len(indptr) - 1):
        for e in range(indptr[n], indptr[n + 1]):
            worth = np.float32(1)
            for lag in range(1, window + 1):
                if e - lag < indptr[n]:
                    break
                sources[place], targets[place], counts[place] = rows[e - lag], rows[e], worth
                worth *= decay
                place += 1
    return sources, targets, counts
