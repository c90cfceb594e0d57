"""How one side's rows are found when the other side is fixed: ridge regression with the population as prior.

A row x = (factors, bias) of a person with ratings r_j of items with vectors d_j = (factors, 1) is the mode of

    exp(-1/2 (x - mu)' L (x - mu)) * prod_j exp(-w_j / (2 noise) * (r_j - link(offset_j + d_j . x))^2)

For a free or clipped link that is one Cholesky solve, and x is a linear function of the ratings: the shares of each rating in
any score follow exactly. For a sigmoid it is a few Gauss-Newton steps from the population's row. The mean `mu` and precision `L`
are those of the trained rows, so nobody known gets the population's answer and each rating moves it as much as it should.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit

from likewise.data.interactions import Histories
from likewise.models.few import solve_few, turned
from likewise.models.link import Link
from likewise.parallel import in_threads, thread_count
from likewise.shapes import Floats, Offsets

STEPS = 6
"""Gauss-Newton steps through a sigmoid; four reach float32 precision on ratings, two more are cheap."""
DESCENTS = 1
"""Conjugate-gradient steps of a row that is near its optimum already; one recovers what a refit would find, and is cheapest."""
ARRIVALS = 8
"""Such steps of a row that begins at the population's."""

BLOCK = 1 << 17
"""Rows looked at together where all are too many in double precision."""
SAMPLE = 1024
"""Rows of the fixed side that tell how curved the problem is on average: it only decides how fast the steps arrive."""


@dataclass(frozen=True, eq=False)
class RowPrior:
    """Gaussian of one side's rows.

    Parameters
    ----------
    mean : float32 [column]
    precision : float32 [column, column]
    """

    mean: Floats
    precision: Floats

    @classmethod
    def of_rows(cls, rows: Floats, counts: np.ndarray | None = None) -> RowPrior:
        """Moments of the trained rows [row, column]; rows without ratings (count 0) are left out.

        A unit of pseudo-rows keeps the covariance invertible when there are fewer rows than columns.
        """
        places = np.arange(len(rows)) if counts is None or not (counts > 0).any() else np.flatnonzero(counts > 0)
        parts = range(0, len(places), BLOCK)
        mean = np.sum([rows[places[start : start + BLOCK]].sum(0, dtype=np.float64) for start in parts], 0) / len(places)
        scatter = np.zeros((rows.shape[1], rows.shape[1]))
        for start in parts:  # a copy of all rows in double precision would be the most that a large fit holds
            centred = rows[places[start : start + BLOCK]] - mean
            scatter += centred.T @ centred
        return cls.of_moments(len(places), mean, scatter)

    @classmethod
    def of_moments(cls, n: int, mean: np.ndarray, scatter: np.ndarray) -> RowPrior:
        """From `n` rows' mean [column] and the sum of their centred outer products [column, column]."""
        width = len(mean)
        scale = float(np.trace(scatter)) / (n * width) if n > 1 else 1.0
        covariance = (scatter + max(scale, 1e-6) * np.eye(width)) / (n + 1)
        precision = np.linalg.inv(covariance)
        return cls(mean.astype(np.float32), ((precision + precision.T) / 2).astype(np.float32))

    @cached_property
    def spread(self) -> Floats:
        """Matrix S, float32 [column, column], with S S' the covariance: a row x = S z has z ~ N(S^-1 mean, 1)."""
        return np.ascontiguousarray(np.linalg.inv(np.linalg.cholesky(self.precision.astype(np.float64))).T, np.float32)

    @cached_property
    def unspread(self) -> Floats:
        """The matrix that turns rows x into z, float32 [column, column]: z = x @ unspread."""
        return np.linalg.cholesky(self.precision.astype(np.float64)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class RowModel:
    """What a rating tells of a person's row x: r_j ~ N(design_j . x + what is known, noise), x ~ N(prior).

    Parameters
    ----------
    prior : RowPrior
    design : float32 [item, column]
    noise : float
    """

    prior: RowPrior
    design: Floats
    noise: float


def solve_rows(histories: Histories, design: Floats, offsets: Floats, prior: RowPrior, noise: float, link: Link) -> Floats:
    """Rows [batch, column] that fit each history best under the prior.

    Parameters
    ----------
    histories : who to solve for; entries with row -1 are left out.
    design : float32 [other, column], vectors of the fixed side, a column of ones last for the bias.
    offsets : float32 [other], what the score holds without the row: mean plus the other side's bias.
    noise : variance of a rating around its prediction.
    """
    problem = _problem(histories, design, offsets, prior, noise, link)
    steps = STEPS if problem[9] else 1
    rows = np.empty((len(histories), len(prior.mean)), np.float32)
    many = histories.counts >= len(prior.mean)
    _solve_rows(np.flatnonzero(many), *problem, steps, rows)
    if not many.all():
        vectors = turned(design, histories.rows, prior.spread)
        entries, link_of = (*problem[:4], vectors, problem[5]), problem[8:]
        few = np.flatnonzero(~many)
        solve_few(few, *entries, prior.mean @ prior.unspread, np.ones((1, len(prior.mean)), np.float32), *link_of, steps, rows)
        rows[few] = rows[few] @ prior.spread.T
    return rows


def improve_rows(
    rows: Floats, histories: Histories, design: Floats, offsets: Floats, prior: RowPrior, noise: float, link: Link, steps: int = DESCENTS
) -> Floats:
    """Rows [batch, column] moved from where they are towards what `solve_rows` finds, by a few conjugate-gradient steps.

    A step costs two products an entry where the solve costs `column`, so a table that changed a little is followed cheaply. The steps
    are taken in the basis in which the prior's precision is one and the mean outer product of the designs is diagonal: there the
    diagonal is nearly the whole curvature of a row.
    """
    if not len(rows):
        return rows
    counts = np.bincount(histories.rows[histories.rows >= 0], minlength=len(design))
    scales, axes = _curvature(design, counts, prior.spread)
    basis, back = prior.spread @ axes, prior.unspread @ axes
    problem = _problem(histories, turned(design, histories.rows, basis), offsets, prior, noise, link)
    entries, numbers = problem[:6], problem[8:]
    start = np.ascontiguousarray(rows @ back)
    mean, cuts = prior.mean @ back, even_cuts(histories.indptr, thread_count(None))

    def work(piece: int) -> None:
        _improve_rows(cuts[piece], cuts[piece + 1], start, *entries, mean, scales, *numbers, steps)

    in_threads(work, len(cuts) - 1, None)
    return np.asarray(start @ basis.T, np.float32)


def even_cuts(indptr: Offsets, pieces: int) -> np.ndarray:
    """Rows at which to cut histories into so many pieces of about as many entries; no result depends on where."""
    return np.unique(np.append(np.searchsorted(indptr[:-1], np.linspace(0, indptr[-1], pieces + 1)[:-1]), len(indptr) - 1))


def new_rows(histories: Histories, design: Floats, offsets: Floats, prior: RowPrior, noise: float, link: Link) -> Floats:
    """Rows [batch, column] as `solve_rows` finds them, long histories by enough conjugate-gradient steps to be as good."""
    long = histories.counts >= len(prior.mean)
    if link.kind not in ("free", "clip") or not long.any():
        return solve_rows(histories, design, offsets, prior, noise, link)
    rows = np.tile(prior.mean, (len(histories), 1))
    many, few = np.flatnonzero(long).astype(np.int32), np.flatnonzero(~long).astype(np.int32)
    rows[few] = solve_rows(histories.take(few), design, offsets, prior, noise, link)
    rows[many] = improve_rows(rows[many], histories.take(many), design, offsets, prior, noise, link, ARRIVALS)
    return rows


def _curvature(design: Floats, counts: np.ndarray, spread: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues and eigenvectors of the mean outer product of the designs met, in the basis of `spread`; of those met most, if many."""
    most = np.flatnonzero(counts)
    if len(most) > SAMPLE:
        most = most[np.argpartition(-counts[most], SAMPLE)[:SAMPLE]]
    some = design[most] @ spread
    mean = (some * (counts[most] / max(counts[most].sum(), 1)).astype(np.float32)[:, None]).T @ some
    scales, axes = np.linalg.eigh((mean + mean.T) / 2)
    return np.maximum(scales, 0), axes


def _problem(histories: Histories, design: Floats, offsets: Floats, prior: RowPrior, noise: float, link: Link) -> tuple[Any, ...]:
    ratings = np.ones(len(histories.rows), np.float32) if histories.ratings is None else histories.ratings
    weights = np.ones(len(histories.rows), np.float32) if histories.weights is None else histories.weights
    squeezed = link.kind in ("sigmoid", "logistic")
    low, high = (0.0, 1.0) if link.kind == "logistic" else (link.low, link.high)
    alpha = np.float32(1.0 / max(noise, 1e-6))
    entries = (histories.indptr, histories.rows, ratings, weights, design, np.asarray(offsets, np.float32))
    return (*entries, prior.mean, prior.precision, alpha, squeezed, np.float32(low), np.float32(high))


def shares(
    history: Histories, item: Floats, design: Floats, offsets: Floats, prior: RowPrior, noise: float, row: Floats, link: Link
) -> tuple[Floats, Floats]:
    """What each entry of one history, and the population, put into a row's products with `item` [column].

    Returns (entries [entry, column], population [column]), elementwise products that sum over axis 0 to `item * row` for the
    stationary row: x = mu + A^-1 sum_j w_j s_j d_j (t_j - d_j . mu) / noise, s the link's slope and t the linearised target. So an
    entry counts by how much it differs from what the population would have said, and nearly what the score would lose without it.
    """
    other = history.rows
    known = other >= 0
    d = np.where(known[:, None], design[other], 0).astype(np.float64)
    weights = np.ones(len(other)) if history.weights is None else history.weights.astype(np.float64)
    ratings = np.ones(len(other)) if history.ratings is None else history.ratings.astype(np.float64)
    score = offsets[other] + d @ row
    slope = link.slope(score.astype(np.float32)).astype(np.float64)
    if link.kind in ("free", "clip"):
        target = ratings - offsets[other]
    else:
        target = d @ row + (ratings - link.respond(score.astype(np.float32))) / np.maximum(slope, 1e-6)
    strength = weights * slope**2 / max(noise, 1e-6)
    a = prior.precision.astype(np.float64) + (d * strength[:, None]).T @ d
    surprise = strength * (target - d @ prior.mean.astype(np.float64))
    entries = np.linalg.solve(a, (d * surprise[:, None]).T).T
    return (entries * item).astype(np.float32), (prior.mean * item).astype(np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def _solve_rows(who, indptr, rows, ratings, weights, design, offsets, mean, precision, alpha, squeezed, low, high, steps, out):  # type: ignore[no-untyped-def]
    k = design.shape[1]
    start = np.zeros(k)
    for x in range(k):
        for y in range(k):
            start[x] += precision[x, y] * mean[y]
    a = np.empty((k, k))
    b = np.empty(k)
    row = np.empty(k)
    for person in who:
        for x in range(k):
            row[x] = mean[x]
        for _ in range(steps):
            for x in range(k):
                b[x] = start[x]
                for y in range(x + 1):
                    a[x, y] = precision[x, y]
            for entry in range(indptr[person], indptr[person + 1]):
                other = rows[entry]
                if other < 0:
                    continue
                strength = alpha * weights[entry]
                target = ratings[entry] - offsets[other]
                if squeezed:
                    linear = np.float64(0)
                    for x in range(k):
                        linear += design[other, x] * row[x]
                    half = 0.5 + 0.5 * np.tanh(0.5 * (linear + offsets[other]))
                    slope = max((high - low) * half * (1 - half), 1e-3)
                    target = linear + (ratings[entry] - low - (high - low) * half) / slope
                    strength *= slope * slope
                for x in range(k):
                    dx = strength * design[other, x]
                    b[x] += dx * target
                    for y in range(x + 1):
                        a[x, y] += dx * design[other, y]
            _cholesky_solve(a, b)
            for x in range(k):
                row[x] = b[x]
        for x in range(k):
            out[person, x] = row[x]


@njit(cache=True, nogil=True, fastmath=True)
def _descent(x, rows, ratings, weights, design, offsets, mean, alpha, squeezed, low, high, g, strength):  # type: ignore[no-untyped-def]
    """Writes the way down from a row into `g` and each entry's curvature into `strength`; the sum of the latter comes back."""
    k = len(x)
    for a in range(k):
        g[a] = mean[a] - x[a]
    total = np.float32(0)
    for e in range(len(rows)):
        other = rows[e]
        strength[e] = 0
        if other < 0:
            continue
        d = design[other]
        s = offsets[other]
        for a in range(k):
            s += d[a] * x[a]
        w = alpha * weights[e]
        miss = ratings[e] - s
        if squeezed:
            half = np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * s)
            slope = max((high - low) * half * (1 - half), np.float32(1e-3))
            miss = (ratings[e] - low - (high - low) * half) / slope
            w *= slope * slope
        strength[e] = w
        total += w
        pull = w * miss
        for a in range(k):
            g[a] += pull * d[a]
    return total


@njit(cache=True, nogil=True, fastmath=True)
def _improve_rows(low_row, high_row, out, indptr, rows, ratings, weights, design, offsets, mean, scales, alpha, squeezed, low, high, steps):  # type: ignore[no-untyped-def]
    k = out.shape[1]
    g, curvature, p, q = np.empty(k, np.float32), np.empty(k, np.float32), np.empty(k, np.float32), np.empty(k, np.float32)
    most = 0
    for person in range(low_row, high_row):
        most = max(most, indptr[person + 1] - indptr[person])
    strength = np.empty(most, np.float32)
    for person in range(low_row, high_row):
        x = out[person]
        first = indptr[person]
        n = indptr[person + 1] - first
        span = slice(first, first + n)
        total = _descent(x, rows[span], ratings[span], weights[span], design, offsets, mean, alpha, squeezed, low, high, g, strength)
        before = np.float32(0)
        for a in range(k):
            curvature[a] = 1 / (1 + total * scales[a])
            p[a] = g[a] * curvature[a]
            before += g[a] * p[a]
        for _ in range(steps):
            for a in range(k):
                q[a] = p[a]
            for e in range(n):
                d = design[rows[first + e]]
                s = np.float32(0)
                for a in range(k):
                    s += d[a] * p[a]
                s *= strength[e]
                for a in range(k):
                    q[a] += s * d[a]
            curve = np.float32(0)
            for a in range(k):
                curve += p[a] * q[a]
            if before < 1e-12 * k:
                break
            reach = before / curve
            after = np.float32(0)
            for a in range(k):
                x[a] += reach * p[a]
                g[a] -= reach * q[a]
                after += g[a] * g[a] * curvature[a]
            share = after / before
            before = after
            for a in range(k):
                p[a] = g[a] * curvature[a] + share * p[a]


@njit(cache=True, nogil=True, fastmath=True)
def _cholesky_solve(a, b):  # type: ignore[no-untyped-def]
    k = len(b)
    for x in range(k):
        for y in range(x + 1):
            s = a[x, y]
            for z in range(y):
                s -= a[x, z] * a[y, z]
            a[x, y] = np.sqrt(max(s, 1e-12)) if x == y else s / a[y, y]
    for x in range(k):
        s = b[x]
        for z in range(x):
            s -= a[x, z] * b[z]
        b[x] = s / a[x, x]
    for x in range(k - 1, -1, -1):
        s = b[x]
        for z in range(x + 1, k):
            s -= a[z, x] * b[z]
        b[x] = s / a[x, x]


def bias_errors(histories: Histories, design: Floats, prior: RowPrior, noise: float) -> Floats:
    """Standard error [batch] of each row's bias at its optimum, whatever its factors are.

    The bias is the last column, so its variance is the inverse square of the last entry of the Cholesky factor of the precision.
    """
    weights = np.ones(len(histories.rows), np.float32) if histories.weights is None else histories.weights
    return np.asarray(_bias_errors(histories.indptr, histories.rows, weights, design, prior.precision, np.float32(1 / max(noise, 1e-6))))


@njit(cache=True, nogil=True, fastmath=True)
def _bias_errors(indptr, rows, weights, design, precision, alpha):  # type: ignore[no-untyped-def]
    k = design.shape[1]
    out = np.empty(len(indptr) - 1, np.float32)
    a = np.empty((k, k), np.float32)
    b = np.zeros(k)
    for n in range(len(out)):
        a[:] = precision
        for entry in range(indptr[n], indptr[n + 1]):
            other = rows[entry]
            strength = alpha * weights[entry]
            for x in range(k):
                dx = strength * design[other, x]
                for y in range(x + 1):
                    a[x, y] += dx * design[other, y]
        _cholesky_solve(a, b)
        out[n] = 1 / a[k - 1, k - 1]
    return out
