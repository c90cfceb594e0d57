"""Ratings as ordered levels: a latent score behind each, and the cut points between levels.

    level j is seen where cut[j - 1] < latent <= cut[j],    latent ~ N(score, 1 / weight)

Latents are drawn given the cut points (Albert and Chib, 1993); cut points are drawn with the latents summed out (the remedy of
Cowles, 1996), from a normal proposal around the Newton step that a Metropolis-Hastings test corrects. The middle cut stays where
it is: the biases hold the location.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.models.normal import normal_cdf, normal_quantile
from likewise.models.streams import stream, uniform
from likewise.parallel import in_threads
from likewise.shapes import Floats, Rows
from likewise.solvers.gibbs.hyper import Doubles
from likewise.solvers.gibbs.noise import pieces_of

MOST_LEVELS = 32
_PRIOR_PRECISION = 0.01
_START_SPREAD = 1.3


@dataclass
class Cuts:
    """What is known of the cut points at one place: log density, its gradient, and Fisher's information, of the free ones."""

    at: Doubles
    density: float
    step: Doubles
    root: Doubles


class Levels:
    """State of the latents and the cut points.

    Parameters
    ----------
    level : int32 [rating], 0 .. n_levels - 1
    n_levels : int, at least 2
    """

    def __init__(self, level: Rows, n_levels: int):
        self.level = level
        share = np.cumsum(np.bincount(level, minlength=n_levels) + 0.5)[:-1] / (len(level) + 0.5 * n_levels)
        self.cuts = _START_SPREAD * np.array([normal_quantile(p) for p in share])
        self.start = self.cuts.copy()
        self.free = np.delete(np.arange(n_levels - 1), (n_levels - 1) // 2)
        self.accepted = 0

    def start_targets(self) -> Floats:
        """Latents to begin with: the middle of each level."""
        edges = np.concatenate([[self.cuts[0] - 1], self.cuts, [self.cuts[-1] + 1]])
        return np.asarray(((edges[1:] + edges[:-1]) / 2)[self.level], np.float32)

    def draw(self, scores: Floats, weights: Floats, rng: np.random.Generator, key: np.uint64, settle: bool, threads: int | None) -> Floats:
        """Draw cut points, then latents [rating]; with `settle`, cut points take the Newton step untested, to start near their place."""
        if len(self.free):
            here = self._look(self.cuts, scores, weights, threads)
            proposal = here.step + here.root @ rng.standard_normal(len(self.free))
            there = self._at(proposal)
            if np.all(np.diff(there) > 0):
                back = self._look(there, scores, weights, threads)
                ratio = back.density - here.density + _log_normal(here.at, back) - _log_normal(proposal, here)
                if settle or math.log(1 - rng.random()) < ratio:
                    self.cuts = there
                    self.accepted += 1
        out = np.empty(len(scores), np.float32)
        cuts = pieces_of(len(scores))

        def work(piece: int) -> None:
            _draw_latents(cuts[piece], cuts[piece + 1], self.level, scores, weights, self._edges(self.cuts), key, out)

        in_threads(work, len(cuts) - 1, threads)
        return out

    def _at(self, free: Doubles) -> Doubles:
        cuts = self.cuts.copy()
        cuts[self.free] = free
        return cuts

    def _edges(self, cuts: Doubles) -> Doubles:
        return np.concatenate([[-np.inf], cuts, [np.inf]])

    def _look(self, cuts: Doubles, scores: Floats, weights: Floats, threads: int | None) -> Cuts:
        """The conditional density of the cut points, and the normal that is nearest to it there."""
        at = pieces_of(len(scores))
        n = len(cuts)
        found = np.zeros((len(at) - 1, 1 + 3 * n))

        def work(piece: int) -> None:
            _look_at_cuts(at[piece], at[piece + 1], self.level, scores, weights, self._edges(cuts), found[piece])

        in_threads(work, len(at) - 1, threads)
        total = found.sum(0)
        away = cuts - self.start
        density = total[0] - 0.5 * _PRIOR_PRECISION * float((away[self.free] ** 2).sum())
        gradient = total[1 : 1 + n] - _PRIOR_PRECISION * away
        information = np.diag(total[1 + n : 1 + 2 * n] + _PRIOR_PRECISION)
        beside = total[1 + 2 * n : 3 * n]
        information += np.diag(beside, 1) + np.diag(beside, -1)
        information = information[np.ix_(self.free, self.free)]
        covariance = np.linalg.inv(information)
        free = cuts[self.free]
        root = np.asarray(np.linalg.cholesky((covariance + covariance.T) / 2), np.float64)
        return Cuts(free, density, free + covariance @ gradient[self.free], root)


def _log_normal(x: Doubles, around: Cuts) -> float:
    z = np.linalg.solve(around.root, x - around.step)
    return float(-0.5 * z @ z - np.log(np.diag(around.root)).sum())


@njit(cache=True, nogil=True)
def _draw_latents(first, last, level, scores, weights, edges, key, out):  # type: ignore[no-untyped-def]
    for e in range(first, last):
        s = np.float64(scores[e])
        root = math.sqrt(weights[e]) if weights.shape[0] else 1.0
        low, high = (edges[level[e]] - s) * root, (edges[level[e] + 1] - s) * root
        sign = 1.0
        if low > 0:  # keep to the lower tail, where probabilities do not round to one
            low, high, sign = -high, -low, -1.0
        below, above = normal_cdf(low), normal_cdf(high)
        p = below + uniform(stream(key, e), 0) * (above - below)
        out[e] = s + sign * min(max(normal_quantile(max(p, 1e-300)), low), high) / root


@njit(cache=True, nogil=True)
def _look_at_cuts(first, last, level, scores, weights, edges, out):  # type: ignore[no-untyped-def]
    """Log-likelihood; gradient, information and its off-diagonal by cut, one behind the other in `out`."""
    n = edges.shape[0] - 2
    for e in range(first, last):
        s = np.float64(scores[e])
        root = math.sqrt(weights[e]) if weights.shape[0] else 1.0
        j = level[e]
        low, high = (edges[j] - s) * root, (edges[j + 1] - s) * root
        chance = normal_cdf(-low) - normal_cdf(-high) if low > 0 else normal_cdf(high) - normal_cdf(low)
        chance = max(chance, 1e-290)
        out[0] += math.log(chance)
        if j < n:
            out[1 + j] += root * _density(high) / chance
        if j > 0:
            out[j] -= root * _density(low) / chance
        # expected information: a rating tells of each cut through the two levels beside it
        before = 0.0
        last_density = 0.0
        last_chance = 0.0
        for c in range(n + 1):
            here = normal_cdf((edges[c + 1] - s) * root) if c < n else 1.0
            p = max(here - before, 1e-12)
            d = root * _density((edges[c + 1] - s) * root) if c < n else 0.0
            if c > 0:
                out[1 + n + c - 1] += last_density * last_density * (1 / last_chance + 1 / p)
            if c > 0 and c < n:
                out[1 + 2 * n + c - 1] -= last_density * d / p
            before, last_density, last_chance = here, d, p


@njit(cache=True, nogil=True)
def _density(x):  # type: ignore[no-untyped-def]
    return 0.3989422804014327 * math.exp(-0.5 * x * x)


def levels_of(ratings: Floats) -> tuple[Rows, NDArray[np.float32]]:
    """Level of each rating, int32, and the levels, in order."""
    levels, level = np.unique(ratings, return_inverse=True)
    return level.astype(np.int32), levels.astype(np.float32)
