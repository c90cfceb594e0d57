"""What a figure would have been with other people: bootstrap intervals, and verdicts on differences.

People are drawn with replacement, as many as there are, and every figure is computed again from their totals (Efron and
Tibshirani 1993); all figures of all models share the draws, so differences are paired. A model is called better only where the
interval of the difference leaves zero out; otherwise the two are tied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.errors import InputError
from likewise.evaluation.figures import Doubles, Figure

Verdict = Literal["better", "worse", "tied", "higher", "lower"]

DRAWS = 1000
MOST_UNITS = 10_000
"""More people than this are dealt at random into this many groups, and groups are drawn: the same spread for a bounded cost."""
BLOCK = 500_000
"""People drawn at once; bounds the memory of the bootstrap."""


@dataclass(frozen=True)
class Interval:
    """A figure with the interval that holds it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """One figure of two models over the same people.

    Parameters
    ----------
    ours, theirs : float
    difference, low, high : float
        `ours - theirs` and its interval.
    verdict : str
        "better", "worse" or "tied"; for figures that are not good or bad in themselves "higher", "lower" or "tied".
    """

    name: str
    ours: float
    theirs: float
    difference: float
    low: float
    high: float
    verdict: Verdict


def intervals(figures: Sequence[Figure], level: float = 0.95, draws: int = DRAWS, seed: int = 0) -> dict[str, Interval]:
    """The interval of every figure, all over the same people.

    Raises InputError if the figures are of different numbers of people, or `level` is not between 0 and 1.
    """
    return {figure.name: found for figure, found in zip(figures, interval_list(figures, level, draws, seed), strict=True)}


def interval_list(figures: Sequence[Figure], level: float = 0.95, draws: int = DRAWS, seed: int = 0) -> list[Interval]:
    """As `intervals`, in order, for figures whose names repeat."""
    if not figures:
        return []
    samples = resampled(figures, draws, seed)
    return [Interval(figure.value, *_bounds(samples[:, j], level)) for j, figure in enumerate(figures)]


def differences(
    ours: Mapping[str, Figure], theirs: Mapping[str, Figure], level: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> list[Difference]:
    """Paired differences of every figure that both models have; both must have been evaluated on the same people in the same order."""
    names = [name for name in ours if name in theirs]
    if not names:
        return []
    samples = resampled([*(ours[n] for n in names), *(theirs[n] for n in names)], draws, seed)
    gaps = samples[:, : len(names)] - samples[:, len(names) :]
    found = []
    for j, name in enumerate(names):
        low, high = _bounds(gaps[:, j], level)
        mine, other = ours[name].value, theirs[name].value
        found.append(Difference(name, mine, other, mine - other, low, high, _verdict(ours[name], low, high)))
    return found


def resampled(figures: Sequence[Figure], draws: int = DRAWS, seed: int = 0) -> Doubles:
    """Every figure in every draw of people, float64 [draw, figure]; NaN where a draw holds nobody who took part."""
    sizes = {len(figure.totals) for figure in figures}
    if len(sizes) != 1:
        raise InputError(
            f"figures to compare must be of the same people; they are of {sorted(sizes)} people: evaluate the models on one test set"
        )
    if draws < 2:
        raise InputError(f"draws must be at least 2; got {draws}")
    rng = np.random.default_rng(seed)
    columns, places = _columns(figures)
    units = _grouped(columns, places[:, 1], rng)
    n = len(units)
    sums = np.empty((draws, columns.shape[1]))
    step = max(1, BLOCK // max(n, 1))
    for start in range(0, draws, step):
        size = min(step, draws - start)
        times = np.zeros((size, n))
        _tally(rng.integers(0, max(n, 1), (size, n), dtype=np.int32), times)
        sums[start : start + size] = times @ units
    totals, counts = sums[:, places[:, 0]], sums[:, places[:, 1]]
    ratio = np.divide(totals, counts, out=np.full_like(totals, np.nan), where=counts > 0)
    roots = np.array([figure.root for figure in figures])
    return np.where(roots, np.sqrt(np.maximum(ratio, 0)), ratio)


def _columns(figures: Sequence[Figure]) -> tuple[Doubles, NDArray[np.int64]]:
    """Totals and counts as one matrix [person, column], and each figure's two columns in it; columns that are alike are kept once."""
    place: dict[bytes, int] = {}
    columns: list[Doubles] = []
    where = np.empty((len(figures), 2), np.int64)
    for j, figure in enumerate(figures):
        for side, column in enumerate((figure.totals, figure.counts)):
            key = column.tobytes()
            if key not in place:
                place[key] = len(columns)
                columns.append(column)
            where[j, side] = place[key]
    return np.column_stack(columns), where


@njit(cache=True, nogil=True)
def _tally(drawn, times):  # type: ignore[no-untyped-def]
    """How often each unit was drawn, added to `times` [draw, unit]."""
    for draw in range(drawn.shape[0]):
        for place in range(drawn.shape[1]):
            times[draw, drawn[draw, place]] += 1.0


def _grouped(columns: Doubles, counts: NDArray[np.int64], rng: np.random.Generator) -> Doubles:
    """People who took part in nothing are left out; too many are added up in random groups."""
    columns = columns[(columns[:, np.unique(counts)] > 0).any(axis=1)]
    if len(columns) <= MOST_UNITS:
        return columns
    group = rng.permutation(len(columns)) % MOST_UNITS
    return np.column_stack([np.bincount(group, column, MOST_UNITS) for column in columns.T])


def _bounds(samples: Doubles, level: float) -> tuple[float, float]:
    if not 0 < level < 1:
        raise InputError(f"level must be between 0 and 1, as in .95; got {level}")
    there = samples[~np.isnan(samples)]
    if not len(there):
        return float("nan"), float("nan")
    low, high = np.quantile(there, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _verdict(figure: Figure, low: float, high: float) -> Verdict:
    if not (low > 0 or high < 0):
        return "tied"
    if figure.better == "neither":
        return "higher" if low > 0 else "lower"
    return "better" if (low > 0) == (figure.better == "high") else "worse"
