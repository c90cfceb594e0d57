"""How one side's rows are found when the other side is fixed: ridge regression with the population as prior.

A row x = (factors, bias) of a person with ratings r_j of items with vectors d_j = (factors, 1) is the mode of

    exp(-1/2 (x - mu)' L (x - mu)) * prod_j exp(-w_j / (2 noise) * (r_j - link(offset_j + d_j . x))^2)

For a free or clipped link that is one Cholesky solve, and x is a linear function of the ratings: the shares of each rating in
any score follow exactly. For a sigmoid it is a few Gauss-Newton steps from the population's row. The mean `mu` and precision `L`
are those of the trained rows, so nobody known gets the population's answer and each rating moves it as much as it should.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from likewise.data.interactions import Histories
from likewise.models.link import Link
from likewise.shapes import Floats

STEPS = 6
"""Gauss-Newton steps through a sigmoid; four reach float32 precision on ratings, two more are cheap."""


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
        trained = rows if counts is None or not (counts > 0).any() else rows[counts > 0]
        trained = trained.astype(np.float64)
        n, width = trained.shape
        mean = trained.mean(0)
        centred = trained - mean
        scale = float((centred**2).mean()) if n > 1 else 1.0
        covariance = (centred.T @ centred + max(scale, 1e-6) * np.eye(width)) / (n + 1)
        precision = np.linalg.inv(covariance)
        return cls(mean.astype(np.float32), ((precision + precision.T) / 2).astype(np.float32))


def solve_rows(histories: Histories, design: Floats, offsets: Floats, prior: RowPrior, noise: float, link: Link) -> Floats:
    """Rows [batch, column] that fit each history best under the prior.

    Parameters
    ----------
    histories : who to solve for; entries with row -1 are left out.
    design : float32 [other, column], vectors of the fixed side, a column of ones last for the bias.
    offsets : float32 [other], what the score holds without the row: mean plus the other side's bias.
    noise : variance of a rating around its prediction.
    """
    ratings = np.ones(len(histories.rows), np.float32) if histories.ratings is None else histories.ratings
    weights = np.ones(len(histories.rows), np.float32) if histories.weights is None else histories.weights
    squeezed = link.kind in ("sigmoid", "logistic")
    low, high = (0.0, 1.0) if link.kind == "logistic" else (link.low, link.high)
    return np.asarray(
        _solve_rows(
            histories.indptr,
            histories.rows,
            ratings,
            weights,
            design,
            offsets,
            prior.mean,
            prior.precision,
            np.float32(1.0 / max(noise, 1e-6)),
            squeezed,
            np.float32(low),
            np.float32(high),
            STEPS if squeezed else 1,
        )
    )


def shares(
    history: Histories, item: Floats, design: Floats, offsets: Floats, prior: RowPrior, noise: float, row: Floats, link: Link
) -> tuple[Floats, Floats]:
    """What each entry of one history, and the prior, put into a row's products with `item` [column].

    Returns (entries [entry, column], prior [column]), elementwise products that sum over axis 0 to `item * row` for the
    stationary row: x = A^-1 (L mu + sum_j w_j s_j d_j t_j / noise), s the link's slope and t the linearised target.
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
    inverse = np.linalg.inv(a)
    entries = (d * (strength * target)[:, None]) @ inverse
    base = inverse @ (prior.precision.astype(np.float64) @ prior.mean)
    return (entries * item).astype(np.float32), (base * item).astype(np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def _solve_rows(indptr, rows, ratings, weights, design, offsets, mean, precision, alpha, squeezed, low, high, steps):  # type: ignore[no-untyped-def]
    k = design.shape[1]
    n = len(indptr) - 1
    out = np.empty((n, k), np.float32)
    start = np.zeros(k)
    for x in range(k):
        for y in range(k):
            start[x] += precision[x, y] * mean[y]
    a = np.empty((k, k))
    b = np.empty(k)
    row = np.empty(k)
    for person in range(n):
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
    return out


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
