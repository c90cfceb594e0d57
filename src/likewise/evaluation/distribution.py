"""How good predicted distributions of ratings are.

    crps         integral of (F(x) - 1[x >= y])^2 dx, in rating units (Gneiting and Raftery 2007); 0 is perfect
    log_score    -ln of the chance of the rating given, in nats; 0 is perfect
    pit          F(y-) + v P(y), v uniform: uniform on [0, 1] if the distributions are right (Czado, Gneiting, Held 2009)
    interval_cover_80   share of ratings inside the central 80 % interval, by the PIT; should be .80
    ece          mean over levels of the gap between predicted chance and frequency, in bins of predicted chance

Where ratings have levels, a Gaussian is read as chances of levels (the mass between midpoints), so that a density and a set of
chances can be compared at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.evaluation.figures import Doubles, Figure, event_figure
from likewise.models.base import Predictive
from likewise.shapes import Floats, Rows

COVERED = (50, 80, 95)
"""Central intervals, in per cent."""
CHANCE_BINS = 15
"""Bins of predicted chance, of equal width."""


def distribution_figures(
    predictive: Predictive, actual: Floats, people: Rows, n_people: int, levels: Floats | None = None, seed: int = 0
) -> list[Figure]:
    """Figures of predicted distributions against the ratings given.

    Parameters
    ----------
    actual : float32 [event]
    people : int32 [event], in [0, n_people)
    levels : float32 [level] or None
        The levels ratings have, ascending; None reads a Gaussian as a density. The model's own levels come first.
    seed : int
        Of the uniform numbers in the PIT.
    """

    def figure(name: str, values: NDArray[np.floating]) -> Figure:
        return event_figure(name, values, people, n_people)

    uniform = pit(predictive, actual, levels, seed)
    figures = [figure("crps", crps(predictive, actual, levels)), figure("log_score", log_score(predictive, actual, levels))]
    figures += [figure(f"interval_cover_{share}", (np.abs(uniform - 0.5) <= share / 200).astype(np.float64)) for share in COVERED]
    found = as_levels(predictive, levels)
    gaps = _uniform_gaps(uniform) if found is None else level_gaps(*found, actual)
    return [*figures, figure("ece", gaps)]


def crps(predictive: Predictive, actual: Floats, levels: Floats | None = None) -> Doubles:
    """Continuous ranked probability score of each event, float64 [event]."""
    found = as_levels(predictive, levels)
    if found is None:
        return np.asarray(_gaussian_crps(predictive.mean.astype(np.float64), predictive.sd.astype(np.float64), actual.astype(np.float64)))
    values, chances = found
    below = np.cumsum(chances, axis=1)[:, :-1]
    apart = (chances * np.abs(values - actual[:, None])).sum(axis=1)
    return np.asarray(apart - (below * (1 - below) * np.diff(values)).sum(axis=1), np.float64)


def log_score(predictive: Predictive, actual: Floats, levels: Floats | None = None) -> Doubles:
    """Minus the log of the chance (or of the density) of each rating, float64 [event]."""
    found = as_levels(predictive, levels)
    if found is None:
        z = (actual - predictive.mean) / predictive.sd
        return np.asarray(0.5 * z**2 + np.log(predictive.sd) + 0.5 * math.log(2 * math.pi), np.float64)
    values, chances = found
    return -np.log(np.maximum(chances[np.arange(len(actual)), nearest(values, actual)], np.finfo(np.float64).tiny))


def pit(predictive: Predictive, actual: Floats, levels: Floats | None = None, seed: int = 0) -> Doubles:
    """Randomised probability integral transform of each event, float64 [event] in [0, 1]."""
    found = as_levels(predictive, levels)
    if found is None:
        return _normal_cdf((actual - predictive.mean) / predictive.sd)
    values, chances = found
    place = nearest(values, actual)
    event = np.arange(len(actual))
    here = chances[event, place]
    return np.clip(np.cumsum(chances, axis=1)[event, place] - here * np.random.default_rng(seed).random(len(actual)), 0, 1)


def pit_histogram(uniform: Doubles, bins: int = 10) -> Doubles:
    """Share of events in each of `bins` equal parts of [0, 1]; each should be 1 / bins."""
    return np.asarray(np.histogram(uniform, bins, (0, 1))[0] / max(len(uniform), 1), np.float64)


def as_levels(predictive: Predictive, levels: Floats | None) -> tuple[Doubles, Doubles] | None:
    """Levels [level] and the chance of each [event, level]; None where there are no levels to speak of."""
    if predictive.levels is not None and predictive.probabilities is not None:
        return predictive.levels.astype(np.float64), predictive.probabilities.astype(np.float64)
    if levels is None:
        return None
    values = levels.astype(np.float64)
    edges = (values[1:] + values[:-1]) / 2
    below = _normal_cdf((edges - predictive.mean[:, None]) / predictive.sd[:, None])
    ones = np.ones((len(below), 1))
    return values, np.diff(np.hstack([0 * ones, below, ones]), axis=1)


def levels_of(ratings: Floats, most: int = 20) -> Floats | None:
    """The levels that ratings have, or None if they have more than `most` or only one."""
    values = np.unique(ratings)
    return values.astype(np.float32) if 1 < len(values) <= most else None


def nearest(values: Doubles, actual: Floats) -> NDArray[np.int64]:
    """Place of the level nearest to each rating."""
    return np.asarray(np.searchsorted((values[1:] + values[:-1]) / 2, actual, side="right"), np.int64)


def level_gaps(values: Doubles, chances: Doubles, actual: Floats) -> Doubles:
    """What each event contributes to the expected calibration error, float64 [event].

    The mean of the column is the error: over levels, the mean gap between predicted chance and frequency in bins of chance. A bin's
    gap is split over its events with the gap's sign, so that the error can be resampled by people.
    """
    happened = nearest(values, actual)[:, None] == np.arange(len(values))
    bins = np.minimum((chances * CHANCE_BINS).astype(np.int64), CHANCE_BINS - 1) + CHANCE_BINS * np.arange(len(values))
    excess = chances - happened
    sign = np.sign(np.bincount(bins.ravel(), excess.ravel(), CHANCE_BINS * len(values)))
    return np.asarray((sign[bins] * excess).mean(axis=1), np.float64)


def reliability(values: Doubles, chances: Doubles, actual: Floats) -> tuple[Doubles, Doubles, NDArray[np.int64]]:
    """Mean predicted chance, frequency and number of (event, level) pairs in each bin of chance; for the reliability picture."""
    happened = (nearest(values, actual)[:, None] == np.arange(len(values))).ravel()
    bins = np.minimum((chances.ravel() * CHANCE_BINS).astype(np.int64), CHANCE_BINS - 1)
    size = np.bincount(bins, minlength=CHANCE_BINS)
    divide: Callable[[Any], Doubles] = lambda total: np.where(size > 0, total / np.maximum(size, 1), np.nan)  # noqa: E731
    return divide(np.bincount(bins, chances.ravel(), CHANCE_BINS)), divide(np.bincount(bins, happened, CHANCE_BINS)), size


def _uniform_gaps(uniform: Doubles) -> Doubles:
    """Without levels: the mean gap between the PIT's share below q and q, over q = .05, .1 ... .95, split as in `level_gaps`."""
    q = np.arange(0.05, 0.96, 0.05)
    excess = (uniform[:, None] <= q) - q
    return np.asarray((np.sign(excess.sum(axis=0)) * excess).mean(axis=1), np.float64)


@njit(cache=True, nogil=True)
def _erf(z):  # type: ignore[no-untyped-def]
    flat = z.ravel()
    out = np.empty(len(flat))
    for n in range(len(flat)):
        out[n] = math.erf(flat[n])
    return out.reshape(z.shape)


def _normal_cdf(z: NDArray[np.floating]) -> Doubles:
    return np.asarray(0.5 + 0.5 * _erf(np.ascontiguousarray(z, np.float64) / math.sqrt(2)))


def _gaussian_crps(mean: Doubles, sd: Doubles, actual: Doubles) -> Doubles:
    z = (actual - mean) / sd
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return np.asarray(sd * (z * (2 * _normal_cdf(z) - 1) + 2 * density - 1 / math.sqrt(math.pi)))
