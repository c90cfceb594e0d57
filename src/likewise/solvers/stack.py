"""How a blend is found: settle what its parts leave open, weigh them on inner splits, fit them on everything."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from time import perf_counter
from typing import Any, ClassVar

import numpy as np

from likewise.data.csr import CSR
from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.models.base import FittedModel, Model
from likewise.models.blend import Blend, FittedBlend, settings_of
from likewise.models.registry import fitted_name
from likewise.ranking.topk import top_k_scores
from likewise.shapes import Floats
from likewise.solvers.base import Event, Fit, Run, Solver, check_fits_together
from likewise.solvers.clock import CompileClock
from likewise.solvers.inner import LENGTHS, Inner, settled
from likewise.solvers.registry import solver_settings

log = logging.getLogger("likewise")

SAMPLE = 1_000
"""People by whose scores the scale of a part is measured."""


@dataclass(frozen=True)
class Stack(Solver):
    """Settings of the blend's solver.

    Parameters
    ----------
    steps : int, at least 1
        Weights are multiples of 1 / steps.
    """

    steps: int = 10

    name: ClassVar[str] = "stack"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"steps must be at least 1; got {self.steps}")

    def fit(self, model: Model, data: Dataset, run: Run) -> Fit:
        """Fit every part and weigh them.

        Raises InputError if there are no events, or a part cannot be fitted by its solver.
        """
        check_fits_together(model, self)
        if not isinstance(model, Blend):
            raise InputError(f"Stack fits Blend; {type(model).__name__} was given")
        if not len(data.interactions):
            raise InputError("there is nothing to fit on: the data has no events; check the file, or the filter that made it")
        with CompileClock() as clock:
            fit = self._fit(model, data, run)
        return replace(fit, seconds=clock.seconds, compile_seconds=clock.compile_seconds)

    def _fit(self, blend: Blend, data: Dataset, run: Run) -> Fit:
        notes: list[str] = []
        quiet = replace(run, watch=None)
        start, history = perf_counter(), list[Event]()

        def tell(step: str, **facts: float) -> None:
            event = {"step": step, **facts, "seconds": perf_counter() - start}
            history.append(event)
            if run.watch is not None:
                run.watch(event)

        parts = []
        for part in blend.parts:
            model, solver, said = settled(blend.model_of(part), solver_of(part), data, quiet)
            notes += [f"{model.name}: {line}" for line in said]
            parts.append((model, solver))
            tell(f"{model.name} settled")
        weights = blend.weights
        if weights is None:
            weights, score = self._weights(parts, data, quiet)
            notes.append(
                "weights found on an inner split: " + ", ".join(f"{m.name} {w:g}" for (m, _), w in zip(parts, weights, strict=True))
            )
            log.info(notes[-1])
            tell("weights found", inner=score)
        models, used = [], []
        for (model, solver), weight in zip(parts, weights, strict=True):
            if weight == 0:
                continue
            models.append(solver.fit(model, data, quiet).model)
            used.append((solver, weight))
            tell(f"{model.name} fitted")
        config = Blend(tuple(_described(m, s) for m, (s, _) in zip(models, used, strict=True)), tuple(w for _, w in used))
        shares = tuple(w / _scale(m, data, run.seed) for m, (_, w) in zip(models, used, strict=True))
        return Fit(FittedBlend(config, tuple(models), shares), history, notes=notes)

    def _weights(self, parts: Sequence[tuple[Model, Solver]], data: Dataset, run: Run) -> tuple[tuple[float, ...], float]:
        """The weights, and how well they do on the inner splits."""
        if len(parts) == 1:
            return (1.0,), 0.0
        splits = []
        for inner in Inner.several(data, run.seed + 100):
            models = [solver.fit(model, inner.data, run).model for model, solver in parts]
            splits.append((inner, [_standard(m, inner, run.seed) for m in models]))
        even = [self.steps // len(parts)] * len(parts)
        even[0] += self.steps - sum(even)
        tried: dict[tuple[int, ...], float] = {}

        def judge(at: tuple[int, ...]) -> float:
            if at not in tried:
                tried[at] = float(np.mean([_judged(inner, scores, at, run.threads) for inner, scores in splits]))
                log.debug("inner split: weights %s score %.4f", at, tried[at])
            return tried[at]

        best = climb(tuple(even), judge)
        return tuple(w / self.steps for w in best), tried[best]


def climb(start: tuple[int, ...], judge: Any) -> tuple[int, ...]:
    """Move single units of weight from one part to another while that is better.

    >>> climb((5, 5), lambda at: -((at[0] - 8) ** 2))
    (8, 2)
    """
    best, moved = start, True
    while moved:
        moved = False
        for giver, taker in permutations(range(len(start)), 2):
            while best[giver] > 0:
                near = tuple(w - (n == giver) + (n == taker) for n, w in enumerate(best))
                if judge(near) <= judge(best):
                    break
                best, moved = near, True
    judge(best)
    return best


def solver_of(part: Mapping[str, Any]) -> Solver:
    """The solver of a part; closed form where none is named."""
    table = part.get("solver", {"name": "closed_form"})
    solver: Solver = settings_of(table, solver_settings(table["name"]))
    check_fits_together(Blend.model_of(part), solver)
    return solver


def _described(fitted: FittedModel[Any], solver: Solver) -> dict[str, Any]:
    model = {"name": fitted.config.name, **fitted.config.settings}
    return {"model": model, "solver": {"name": solver.name, **solver.settings}, "fitted": fitted_name(fitted)}


def _scale(fitted: FittedModel[Any], data: Dataset, seed: int) -> float:
    """Standard deviation of the scores of some people over all items."""
    people = np.flatnonzero(data.interactions.by_user.counts > 0)
    if len(people) > SAMPLE:
        people = np.sort(np.random.default_rng(seed).choice(people, SAMPLE, replace=False))
    total, squares, count = 0.0, 0.0, 0
    for start in range(0, len(people), 100):
        scores = fitted.score(fitted.people(people[start : start + 100].astype(np.int32))).astype(np.float64)
        total, squares, count = total + float(scores.sum()), squares + float((scores**2).sum()), count + scores.size
    variance = squares / max(count, 1) - (total / max(count, 1)) ** 2
    return float(np.sqrt(variance)) if variance > 1e-12 else 1.0


def _standard(fitted: FittedModel[Any], inner: Inner, seed: int) -> Floats:
    scale = np.float32(_scale(fitted, inner.data, seed))
    return np.asarray(fitted.score(fitted.people(inner.people)) / scale, np.float32)


def _judged(inner: Inner, scores: Sequence[Floats], weights: tuple[int, ...], threads: int | None) -> float:
    total = np.zeros_like(scores[0])
    for weight, score in zip(weights, scores, strict=True):
        if weight:
            total += np.float32(weight) * score
    exclude = CSR(inner.seen.indptr, inner.seen.rows, None, total.shape[1])
    return float(inner.judge_lists(top_k_scores(total, LENGTHS[-1], exclude, None, None, threads).items).mean())
