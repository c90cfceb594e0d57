"""Settings chosen on an inner split of the training data: what a preset knows when it knows nothing of the data.

A share of each person's events is held out, a model is fitted on the rest, and how well its lists find them decides: the mean
of NDCG at 10, what people see, and at 100, which varies less. The test rows play no part in it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories, Interactions
from likewise.models.base import FittedModel, Model
from likewise.ranking.topk import rank_model
from likewise.shapes import Mask, Rows
from likewise.solvers.base import Run, Solver

log = logging.getLogger("likewise")

SHARE = 0.1
"""Small, because a model fitted on much less than there is wants other settings."""
LENGTHS = (10, 100)
ENOUGH = 3_000
"""People whose lists are judged. Of fewer, several splits are made; of more, some are drawn."""
MOST_SPLITS = 5


@dataclass(frozen=True, eq=False)
class Inner:
    """Training data cut in two: what is fitted on, and what lists are judged by.

    Parameters
    ----------
    data : Dataset
        The larger part, over the vocabularies of the whole.
    people : int32 [batch]
        Users who are judged.
    seen, held : Histories [batch]
        What each of them did in `data`, and what was held out.
    """

    data: Dataset
    people: Rows
    seen: Histories
    held: Histories

    @classmethod
    def of(cls, data: Dataset, seed: int, likes: Mask | None = None) -> Self:
        """Hold out a share of each user's events; `likes` [event] says which held-out events are worth finding."""
        events = data.interactions
        rng = np.random.default_rng(seed)
        held = _held_out(events, rng)
        kept, missing = events.select(~held), events.select(held if likes is None else held & likes)
        people = np.flatnonzero((missing.by_user.counts > 0) & (kept.by_user.counts > 0)).astype(np.int32)
        if len(people) > ENOUGH:
            people = np.sort(rng.choice(people, ENOUGH, replace=False))
        return cls(replace(data, interactions=kept), people, kept.by_user.take(people), missing.by_user.take(people))

    @classmethod
    def several(cls, data: Dataset, seed: int, likes: Mask | None = None) -> list[Self]:
        """As many splits as it takes to judge enough people."""
        first = cls.of(data, seed, likes)
        more = min(MOST_SPLITS, -(-ENOUGH // max(len(first.people), 1)))
        return [first, *(cls.of(data, seed + n, likes) for n in range(1, more))]

    def judge(self, fitted: FittedModel[Any], threads: int | None = None) -> float:
        """How well lists of all that a person has not seen find what was held out; 0 if nobody can be judged."""
        if not len(self.people):
            return 0.0
        exclude = CSR(self.seen.indptr, self.seen.rows, None, fitted.n_items)
        lists = rank_model(fitted, fitted.people(self.people), LENGTHS[-1], exclude, None, threads)
        return float(self.judge_lists(lists.items).mean())

    def judge_lists(self, items: Rows) -> NDArray[np.float64]:
        """The same of each person, float64 [batch], from lists of item rows [batch, k], -1 behind their end."""
        ranks = _places(items, self.held)
        from likewise.evaluation.top_n import list_metrics  # answering does not need it

        metrics = list_metrics(self.held.indptr, ranks, np.full(len(self.held), items.shape[1] + 1), LENGTHS)
        return np.asarray(np.mean([metrics[f"ndcg@{k}"] for k in LENGTHS], axis=0))


def search(
    axes: Mapping[str, Sequence[Any]], start: Mapping[str, Any], judge: Callable[[dict[str, Any]], float]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Climb a grid from `start` until no neighbour is better: one axis at a time, then two.

    Settings that make up for each other form a ridge that single steps cannot follow.

    Returns the best point and every point tried, in order, each with its "score".

    >>> search({"x": [0, 1, 2, 3, 4]}, {"x": 1}, lambda at: -((at["x"] - 3) ** 2))[0]
    {'x': 3}
    """
    tried: dict[tuple[Any, ...], float] = {}
    names = list(axes)

    def score(at: dict[str, int]) -> float:
        key = tuple(at[name] for name in names)
        if key not in tried:
            tried[key] = judge({name: axes[name][at[name]] for name in names})
            log.debug("inner split: %s scores %.4f", {name: axes[name][at[name]] for name in names}, tried[key])
        return tried[key]

    best = {name: list(axes[name]).index(start[name]) for name in names}
    top, moved = score(best), True
    while moved:
        moved = False
        for move in _moves(names):
            while all(0 <= best[n] + step < len(axes[n]) for n, step in move.items()):
                near = {n: place + move.get(n, 0) for n, place in best.items()}
                if score(near) <= top:
                    break
                best, top, moved = near, score(near), True
    trials = [{**{name: axes[name][i] for name, i in zip(names, key, strict=True)}, "score": value} for key, value in tried.items()]
    return {name: axes[name][best[name]] for name in names}, trials


@runtime_checkable
class Settling(Protocol):
    """A solver that can choose what the settings leave open."""

    def settled(self, model: Model, data: Dataset, run: Run) -> tuple[Model, Solver, list[str]]:
        """The model's and the solver's settings with nothing left open, and what to tell the user."""


def settled(model: Model, solver: Solver, data: Dataset, run: Run) -> tuple[Model, Solver, list[str]]:
    """The same pair with everything chosen that it leaves open; pairs that leave nothing open come back as they are."""
    return solver.settled(model, data, run) if isinstance(solver, Settling) else (model, solver, [])


def _moves(names: Sequence[str]) -> list[dict[str, int]]:
    single = [{name: step} for name in names for step in (1, -1)]
    return single + [{a: step, b: sign * step} for a, b in combinations(names, 2) for sign in (-1, 1) for step in (1, -1)]


def _held_out(events: Interactions, rng: np.random.Generator) -> Mask:
    """A share of each user's events, at least one of people with two or more."""
    key = rng.random(len(events))
    order = np.lexsort((key, events.users))
    counts = np.bincount(events.users, minlength=events.n_users)
    place = np.arange(len(events)) - np.repeat(np.cumsum(counts) - counts, counts)
    most = np.where(counts > 1, np.maximum(np.floor(counts * SHARE), 1), 0)
    held = np.zeros(len(events), np.bool_)
    held[order] = place < np.repeat(most, counts)
    return held


def _places(items: Rows, held: Histories) -> Rows:
    """Place of each held-out item in the person's list, the list's length + 1 where it is not in it."""
    width = items.shape[1]
    people = np.repeat(np.arange(len(held)), held.counts)
    span = np.int64(max(items.max(initial=0), held.rows.max(initial=0))) + 2
    keys = (np.arange(len(items))[:, None] * span + items + 1).ravel()
    order = np.argsort(keys)
    wanted = people * span + held.rows + 1
    found = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    hit = keys[order][found] == wanted
    return np.asarray(np.where(hit, order[found] % width, width + LENGTHS[-1]), np.int32)
