"""The noise of ratings: how precise it is, overall and for each user or item apart.

A rating's noise has precision `alpha * scale[user] * scale[item] * weight`. A field's scales are Gamma(nu / 2, nu / 2), mean one,
so that errors are Student-t with `nu` degrees of freedom over rows; `nu` is drawn as well. People who rate with care then count
for more than people who rate at random.
"""

from __future__ import annotations

from math import lgamma, log

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.models.streams import derived_key, gamma, stream
from likewise.parallel import in_threads
from likewise.shapes import Floats, Rows
from likewise.solvers.gibbs.layout import EMPTY_FLOATS, Field, Layout

_ALPHA_SHAPE, _ALPHA_RATE = 1.0, 1.0
_NU_PRIOR_MEAN = 30.0
PIECES, PIECE = 16, 16_384
"""Most pieces, and ratings that are worth one."""


class Noise:
    """Precision of Gaussian noise.

    Parameters
    ----------
    layout : Layout
    weights : float32 [rating] in the layout's order, or empty
    varying : names of the fields whose rows have scales of their own

    Attributes
    ----------
    alpha : float
    scales : float32 [stacked row]
    nu : degrees of freedom by field name
    drawn : int
        How often weights were drawn.
    """

    def __init__(self, layout: Layout, weights: Floats, varying: tuple[str, ...], fixed: float | None = None):
        self.layout, self.given = layout, weights
        self.varying = [f for f in layout.fields if f.name in varying]
        self.fixed = fixed
        self.alpha = 1.5 if fixed is None else fixed
        self.scales = np.ones(layout.n_rows, np.float32)
        self.nu = {f.name: 8.0 for f in self.varying}
        self.weights = weights
        if self.varying:  # filled anew in each draw
            self.weights = weights.copy() if len(weights) else np.ones(len(layout.rows), np.float32)
        self.drawn = 0
        self._squares, self._sorted = np.empty(len(layout.rows), np.float32), EMPTY_FLOATS  # large: made once, not in each sweep

    def draw(self, targets: Floats, scores: Floats, rng: np.random.Generator, key: tuple[int, ...], threads: int | None) -> None:
        """Draw precision, scales and degrees of freedom given targets and scores [rating]."""
        self.drawn += bool(self.varying)
        squares = np.subtract(targets, scores, out=self._squares)
        np.square(squares, out=squares)
        if self.fixed is None:
            total = float(np.dot(self.weights, squares)) if len(self.weights) else float(squares.sum(dtype=np.float64))
            self.alpha = float(rng.gamma(_ALPHA_SHAPE + len(squares) / 2) / (_ALPHA_RATE + total / 2))
        for n, field in enumerate(self.varying):
            self._draw_scales(field, squares, derived_key(*key, n), threads)
            self.nu[field.name] = draw_freedom(self.scales[field.rows], self.nu[field.name], rng)
        if self.varying:
            cuts = pieces_of(len(squares))
            given = self.given

            def fill(piece: int) -> None:
                _fill_weights(cuts[piece], cuts[piece + 1], self.layout.rows, self.scales, given, self.weights)

            in_threads(fill, len(cuts) - 1, threads)

    def _draw_scales(self, field: Field, squares: Floats, key: np.uint64, threads: int | None) -> None:
        parts = field.parts(PIECES, 2)
        given = self.given
        if len(field.place):
            self._sorted = taken(squares, field.place, threads, self._sorted if len(self._sorted) == len(field.place) else None)
            squares, given = self._sorted, taken(given, field.place, threads) if len(given) else given
        old = self.scales.copy()
        out = self.scales[field.rows]

        def work(piece: int) -> None:
            first, last = parts[piece]
            _draw_scales(first, last, field.indptr, field.partners, squares, given, old, self.alpha, self.nu[field.name], key, out)

        in_threads(work, len(parts), threads)


def pieces_of(n: int) -> NDArray[np.int64]:
    """Where n ratings are cut into pieces for threads: by their number alone, whatever the threads, as sums of pieces depend on it."""
    return np.unique(np.linspace(0, n, max(1, min(PIECES, n // PIECE)) + 1).astype(np.int64))


def draw_freedom(scales: Floats, nu: float, rng: np.random.Generator, steps: int = 5) -> float:
    """Degrees of freedom given scales, by Metropolis steps on the logarithm; the prior is exponential."""
    x = scales.astype(np.float64)
    n, total = len(x), float((np.log(x) - x).sum())

    def density(v: float) -> float:
        return n * (v / 2 * log(v / 2) - lgamma(v / 2)) + v / 2 * total - v / _NU_PRIOR_MEAN + log(v)

    here = density(nu)
    for _ in range(steps):
        proposal = nu * float(np.exp(0.2 * rng.standard_normal()))
        there = density(proposal)
        if log(1 - rng.random()) < there - here:
            nu, here = proposal, there
    return min(nu, 1e4)


@njit(cache=True, nogil=True)
def _draw_scales(first, last, indptr, partners, squares, given, scales, alpha, nu, key, out):  # type: ignore[no-untyped-def]
    for row in range(first, last):
        total = 0.0
        for e in range(indptr[row], indptr[row + 1]):
            weight = np.float64(given[e]) if given.shape[0] else 1.0
            for f in range(partners.shape[1]):
                if partners[e, f] >= 0:
                    weight *= scales[partners[e, f]]
            total += weight * squares[e]
        shape = 0.5 * (nu + indptr[row + 1] - indptr[row])
        out[row] = max(gamma(stream(key, row), 0, shape) / (0.5 * (nu + alpha * total)), 1e-6)


@njit(cache=True, nogil=True)
def _fill_weights(first, last, rows, scales, given, out):  # type: ignore[no-untyped-def]
    for e in range(first, last):
        weight = np.float32(1) if not given.shape[0] else given[e]
        for f in range(rows.shape[1]):
            if rows[e, f] >= 0:
                weight *= scales[rows[e, f]]
        out[e] = weight


@njit(cache=True, nogil=True, fastmath=True)
def score_ratings(first, last, rows, table, out):  # type: ignore[no-untyped-def]
    """Scores of ratings [first, last): biases, and the products of all pairs of fields."""
    k = table.shape[1] - 1
    together = np.empty(k, np.float32)
    for e in range(first, last):
        s = np.float32(0)
        for x in range(k):
            together[x] = 0
        for f in range(rows.shape[1]):
            row = rows[e, f]
            if row < 0:
                continue
            s += table[row, k]
            for x in range(k):
                s += together[x] * table[row, x]
                together[x] += table[row, x]
        out[e] = s


def all_scores(rows: NDArray[np.int32], table: Floats, threads: int | None, out: Floats | None = None) -> Floats:
    """Score of each rating, float32 [rating]; written into `out` where it is given."""
    out = np.empty(len(rows), np.float32) if out is None else out
    cuts = pieces_of(len(rows))
    in_threads(lambda piece: score_ratings(cuts[piece], cuts[piece + 1], rows, table, out), len(cuts) - 1, threads)
    return out


def taken(values: Floats, place: Rows, threads: int | None, out: Floats | None = None) -> Floats:
    """`values[place]`, shared by threads; written into `out` where it is given."""
    out = np.empty(len(place), np.float32) if out is None else out
    cuts = pieces_of(len(place))
    in_threads(lambda piece: _take(cuts[piece], cuts[piece + 1], values, place, out), len(cuts) - 1, threads)
    return out


@njit(cache=True, nogil=True)
def _take(first, last, values, place, out):  # type: ignore[no-untyped-def]
    for e in range(first, last):
        out[e] = values[place[e]]
