"""Alternating least squares: each side in turn is the exact or block-wise optimum while the other is fixed.

On likes it fits `FittedImplicit` (see there for the loss), on ratings the plain `FittedDot` with biases. Rows are independent of
one another, so the result is the same bytes on any number of threads. A row with few likes is solved among them (`models/few.py`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, ClassVar, Literal

import numpy as np
from numba import njit

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories, Interactions
from likewise.errors import DivergedError, InputError
from likewise.models.base import Model
from likewise.models.dot import Dot, FittedDot
from likewise.models.few import axes_of, rows_of_likes
from likewise.models.implicit import FittedImplicit, Penalty
from likewise.models.likes import LikeRule
from likewise.models.ridge_rows import frequency_ridge, gram_of, update_rows
from likewise.shapes import Floats
from likewise.solvers.base import Event, Fit, Run, Solver, check_fits_together
from likewise.solvers.clock import CompileClock
from likewise.solvers.inner import Inner, search

log = logging.getLogger("likewise")

UNOBSERVED = (0.003, 0.006, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
STRENGTH = (0.2, 0.4, 0.7, 1.0, 1.5, 2.5, 3.5, 5.0, 7.0, 9.0, 12.0, 16.0)
"""Penalty that a person without likes would have, l2 * unobserved * items: its best value differs least between data sets."""
MOST_AT_FIRST = 0.05
"""l2 that the search begins at, at most: in a small catalogue the usual strength holds every row at zero, from where no step is uphill."""
RATINGS_L2 = 0.05
FEW = 4
"""A row with so many times fewer likes than factors is solved among its likes, which is several times sooner."""
SEARCH_SWEEPS = 5


@dataclass(frozen=True)
class ALS(Solver):
    """Settings of alternating least squares for `Dot`.

    Parameters
    ----------
    feedback : "likes" or "ratings"
        Whether every pair counts, those without an event a little, or the ratings alone.
    unobserved : float above 0, or None
        Likes only: weight of every pair beside the 1 of a like. None chooses it on an inner split.
    l2 : float, 0 or more, or None
        Penalty; a row's is l2 * (its weight in the loss) ^ exponent. None chooses it on an inner split (ratings: 0.05).
    exponent : float
        1 penalises frequent rows as much as their data weighs, 0 all rows the same.
    sweeps : int, at least 1
        Times that both sides are updated.
    block : int, at least 1, or None
        Factors solved at once. 16 is several times faster for 64 factors and more; None solves all at once.
    spread : float above 0
        Standard deviation of the first factors times the square root of their number.
    positive : str or None
        Likes only: ratings that are likes, such as ">=4"; None takes every event.
    rating_power : float, 0 or more
        Likes only: how much more a higher rating counts; 0 counts every like the same.
    """

    feedback: Literal["likes", "ratings"] = "likes"
    unobserved: float | None = None
    l2: float | None = None
    exponent: float = 1.0
    sweeps: int = 8
    block: int | None = 16
    spread: float = 0.1
    positive: str | None = None
    rating_power: float = 0.0

    name: ClassVar[str] = "als"

    def __post_init__(self) -> None:
        if self.feedback not in ("likes", "ratings"):
            raise InputError(f"feedback must be 'likes' or 'ratings'; got {self.feedback!r}")
        if self.unobserved is not None and not (np.isfinite(self.unobserved) and self.unobserved > 0):
            raise InputError(f"unobserved must be above 0, or None to choose it; got {self.unobserved} (ratings alone: feedback='ratings')")
        if self.l2 is not None and not (np.isfinite(self.l2) and self.l2 >= 0):
            raise InputError(f"l2 must be 0 or more, or None to choose it; got {self.l2}")
        if self.sweeps < 1 or (self.block is not None and self.block < 1):
            raise InputError(f"sweeps and block must be at least 1; got sweeps={self.sweeps}, block={self.block}")
        if not (np.isfinite(self.spread) and self.spread > 0):
            raise InputError(f"spread must be above 0; got {self.spread}")
        LikeRule(self.positive, self.rating_power)  # refuses what is no comparison

    def fit(self, model: Model, data: Dataset, run: Run) -> Fit:
        """Find both sides' vectors.

        Raises InputError if there are no events, no likes, or no ratings where these are asked for; DivergedError if a row is
        not finite.
        """
        check_fits_together(model, self)
        dot = _dot(model)
        if not len(data.interactions):
            raise InputError("there is nothing to fit on: the data has no events; check the file, or the filter that made it")
        with CompileClock() as clock:
            fit = self._fit_ratings(dot, data, run) if self.feedback == "ratings" else self._fit_likes(dot, data, run)
        return replace(fit, seconds=clock.seconds, compile_seconds=clock.compile_seconds)

    def settled(self, model: Model, data: Dataset, run: Run) -> tuple[Model, ALS, list[str]]:
        """With `unobserved` and `l2` chosen on an inner split, where they are open and likes are fitted."""
        dot = _dot(model)
        if self.feedback == "ratings" or (self.unobserved is not None and self.l2 is not None):
            return model, self, []
        rule = LikeRule.of(data.interactions, self.positive, self.rating_power)
        chosen, note = self._chosen(_without_bias(dot), data, rule, run)
        return model, chosen, [note]

    def _fit_likes(self, model: Dot, data: Dataset, run: Run) -> Fit:
        events = data.interactions
        rule = LikeRule.of(events, self.positive, self.rating_power)
        notes = ["likes have no bias of their own here: fitted with bias=False"] if model.bias else []
        _, chosen, said = self.settled(model, data, run)
        history: list[Event] = []
        fitted = chosen._likes(_without_bias(model), events, rule, run, history)
        return Fit(fitted, history, notes=notes + said)

    def _chosen(self, model: Dot, data: Dataset, rule: LikeRule, run: Run) -> tuple[ALS, str]:
        splits = Inner.several(data, run.seed, rule.weights(data.interactions) > 0)
        axes: dict[str, tuple[Any, ...]] = {"unobserved": UNOBSERVED if self.unobserved is None else (self.unobserved,)}
        if self.l2 is None:
            axes["strength"] = STRENGTH

        def settings(at: dict[str, Any]) -> ALS:
            l2 = at["strength"] / (at["unobserved"] * data.n_items) if self.l2 is None else self.l2
            return replace(self, unobserved=at["unobserved"], l2=float(f"{l2:.4g}"), sweeps=min(self.sweeps, SEARCH_SWEEPS))

        def judge(at: dict[str, Any]) -> float:
            quick, quiet = settings(at), replace(run, watch=None)
            scores = [inner.judge(quick._likes(model, inner.data.interactions, rule, quiet, []), run.threads) for inner in splits]
            return float(np.mean(scores))

        unobserved = 0.2 if self.unobserved is None else self.unobserved
        gentle = [s for s in STRENGTH if s <= 7.0 and s <= MOST_AT_FIRST * unobserved * data.n_items]
        start = {"unobserved": unobserved, "strength": max(gentle, default=STRENGTH[0])}
        best, trials = search(axes, start, judge)
        chosen = replace(settings(best), sweeps=self.sweeps)
        note = f"unobserved={chosen.unobserved:g} and l2={chosen.l2:g} chosen among {len(trials)} on an inner split"
        log.info(note)
        return chosen, note

    def _likes(self, model: Dot, events: Interactions, rule: LikeRule, run: Run, history: list[Event]) -> FittedImplicit:
        penalty = Penalty(float(self.unobserved or 0), float(self.l2 or 0), self.exponent)
        by_user, by_item = rule.likes(events.by_user), rule.likes(events.by_item)
        users, items = self._start(model, events, run.seed)
        sides = (
            (users, by_user, items, penalty.ridge(by_user, events.n_items)),
            (items, by_item, users, penalty.ridge(by_item, events.n_users)),
        )
        start = perf_counter()
        for sweep in range(1, self.sweeps + 1):
            for rows, likes, fixed, ridge in sides:
                self._update_liked(rows, likes, fixed, penalty.unobserved, ridge, run.threads)
            _check_finite(users, items)
            event = {"sweep": sweep, "loss": _like_loss(by_user, users, items), "seconds": perf_counter() - start}
            history.append(event)
            if run.watch is not None and run.watch(event):
                break
        return FittedImplicit.trained(model, users, items, penalty, rule)

    def _update_liked(self, rows: Floats, likes: Histories, fixed: Floats, unobserved: float, ridge: Floats, threads: int | None) -> None:
        """One side of the likes: rows with few of them exactly, among their likes, and the others by blocks."""
        gram = gram_of(fixed)
        few = (likes.counts > 0) & (likes.counts * FEW <= fixed.shape[1]) & (self.l2 != 0)
        if few.any():
            who = np.flatnonzero(few).astype(np.int32)
            rows[who] = rows_of_likes(who, likes, fixed, axes_of(gram), unobserved, ridge, threads)
        others = np.flatnonzero(~few).astype(np.int32)
        moved = rows[others]
        update_rows(moved, likes.take(others), fixed, unobserved, ridge[others], None, self.block, threads, gram)
        rows[others] = moved

    def _fit_ratings(self, model: Dot, data: Dataset, run: Run) -> Fit:
        events = data.interactions
        if events.ratings is None:
            raise InputError("feedback='ratings' needs ratings and the data has none; take feedback='likes'")
        ratings, weights = events.ratings, np.ones(len(events), np.float32) if events.weights is None else events.weights
        if not weights.sum() > 0:
            raise InputError("every weight is zero: there is nothing to fit on")
        mean = float(np.average(ratings, weights=weights))
        users, items = (np.column_stack([side, np.zeros(len(side), np.float32)]) for side in self._start(model, events, run.seed))
        l2 = RATINGS_L2 if self.l2 is None else self.l2
        history: list[Event] = []
        start = perf_counter()
        for sweep in range(1, self.sweeps + 1):
            for rows, histories, fixed in ((users, events.by_user, items), (items, events.by_item, users)):
                self._update_rated(rows, histories, fixed, mean, l2, model.bias, run)
            _check_finite(users, items)
            event = {"sweep": sweep, "train_rmse": _rmse(events, mean, users, items), "seconds": perf_counter() - start}
            history.append(event)
            if run.watch is not None and run.watch(event):
                break
        link = model.link(events, data.stated_range)
        fitted = FittedDot.trained(model, users[:, :-1], items[:, :-1], users[:, -1], items[:, -1], mean, link, events)
        return Fit(fitted, history)

    def _update_rated(self, rows: Floats, histories: Histories, fixed: Floats, mean: float, l2: float, bias: bool, run: Run) -> None:
        """One side of the rating model: rows are (factors, bias); the other side's last column is its own bias."""
        ratings = np.asarray(histories.ratings, np.float32)
        targets = ratings - np.float32(mean) - fixed[histories.rows, -1]
        design = fixed.copy()
        design[:, -1] = 1 if bias else 0
        weight = histories.counts.astype(np.float64)
        ridge = np.maximum(frequency_ridge(l2, self.exponent, weight, 0.0, 0), np.float32(1e-6))
        update_rows(rows, histories, design, 0.0, ridge, targets, self.block, run.threads)

    def _start(self, model: Dot, events: Interactions, seed: int) -> tuple[Floats, Floats]:
        rng = np.random.default_rng(seed)
        scale = self.spread / np.sqrt(model.factors)
        users = scale * rng.standard_normal((events.n_users, model.factors), np.float32)
        items = scale * rng.standard_normal((events.n_items, model.factors), np.float32)
        return users.astype(np.float32), items.astype(np.float32)


def _without_bias(model: Dot) -> Dot:
    return replace(model, bias=False, output="free", range=None)


def _dot(model: Model) -> Dot:
    if not isinstance(model, Dot):
        raise InputError(f"ALS fits Dot; {type(model).__name__} was given")
    return model


def _check_finite(users: Floats, items: Floats) -> None:
    if not (np.isfinite(users).all() and np.isfinite(items).all()):
        raise DivergedError("alternating least squares left the numbers; raise l2, or check the weights for huge values")


def _like_loss(likes: Histories, users: Floats, items: Floats) -> float:
    """Mean weighted squared error of the likes alone."""
    weights = np.ones(len(likes.rows), np.float32) if likes.weights is None else likes.weights
    return float(_squared_error(likes.indptr, likes.rows, weights, users, items) / max(float(weights.sum()), 1e-9))


def _rmse(events: Interactions, mean: float, users: Floats, items: Floats) -> float:
    score = mean + users[events.users, -1] + items[events.items, -1]
    score += np.einsum("ek,ek->e", users[events.users, :-1], items[events.items, :-1])
    return float(np.sqrt(np.mean((score - np.asarray(events.ratings)) ** 2)))


@njit(cache=True, nogil=True, fastmath=True)
def _squared_error(indptr, rows, weights, users, items):  # type: ignore[no-untyped-def]
    total = 0.0
    for u in range(len(indptr) - 1):
        for e in range(indptr[u], indptr[u + 1]):
            score = np.float32(0)
            for k in range(users.shape[1]):
                score += users[u, k] * items[rows[e], k]
            total += weights[e] * (score - 1.0) ** 2
    return total
