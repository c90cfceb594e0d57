"""Draws of rows from their conditional, by solving for ratings and a prior mean that noise was added to.

A row x ~ N(m, P^-1) with ratings t_j = d_j . x + e_j, e_j ~ N(0, 1 / s_j), is drawn exactly by solving the least squares

    min over x of  (x - m - u)' P (x - m - u) + sum_j s_j (t_j - e_j - d_j . x)^2,    u ~ N(0, P^-1),  e_j ~ N(0, 1 / s_j)

(Papandreou and Yuille, 2010). So a draw costs what its mean costs, which for fewer ratings than columns is little (`models.few`).
The noise u is the same for every row and e_j for every row that meets partner j: a row's draw depends neither on its place nor on
the order of its ratings, and two rows that said the same are drawn the same. A partner met twice in a row disturbs it as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.interactions import Histories
from likewise.models.conditional import draw_rows
from likewise.models.few import LANES, solve_few
from likewise.models.streams import derived_key, fill_normals, normal, stream
from likewise.shapes import Floats, Rows

_PRIOR_KEY, _ENTRY_KEY = 7, 8
_KEY = np.uint64(0)
_ZERO, _ONE = np.float32(0), np.float32(1)


def prior_noise(draws: int, width: int) -> NDArray[np.float64]:
    """Standard normals [draw, width] behind u; every second draw mirrors the one before, so that they cancel from the mean."""
    noise = np.empty((draws, width))
    for s in range(draws):
        fill_normals(np.uint64(stream(derived_key(_PRIOR_KEY, s // 2), 0)), noise[s])
        noise[s] *= 1.0 - 2.0 * (s % 2)
    return noise


def rating_noise(draws: int, partners: Rows) -> Floats:
    """Standard normals float32 [draw, partner] behind e, mirrored likewise."""
    noise = np.empty((draws, len(partners)), np.float32)
    for s in range(0, draws, 2):
        _fill_by_row(derived_key(_ENTRY_KEY, s // 2), partners, noise[s])
        noise[s + 1 : s + 2] = -noise[s]
    return noise


@njit(cache=True, nogil=True)
def _fill_by_row(key, rows, out):  # type: ignore[no-untyped-def]
    for n in range(len(rows)):
        out[n] = normal(stream(key, rows[n]), 0)


def spreads(precision: NDArray[np.float64]) -> Floats:
    """S of each draw, float32 [draw, width, width], with S S' the inverse of the precision: u = S z for standard normal z."""
    roots = np.linalg.inv(np.linalg.cholesky(precision))
    return np.ascontiguousarray(roots.transpose(0, 2, 1), np.float32)


@dataclass(frozen=True, eq=False)
class Known:
    """What rows are drawn from, under each draw.

    Parameters
    ----------
    told : Histories
        Who rated which partner.
    table : float32 [partner, draw, width], factors and a bias
    targets, precisions : float32 [draw, entry]
        Of each rating; the targets hold their noise e.
    means : float32 [batch or 1, draw, width], one where all are alike
    precision : float64 [draw, width, width], spread : float32 [draw, width, width], noise : float64 [draw, width]
        Of the prior: P, S and the standard normals behind u.
    """

    told: Histories
    table: Floats
    targets: Floats
    precisions: Floats
    means: Floats
    precision: NDArray[np.float64]
    spread: Floats
    noise: NDArray[np.float64]

    def means_of(self, rows: NDArray[np.int64], draw: int) -> Floats:
        """Prior means of these rows, or the one of all."""
        return self.means[:, draw] if len(self.means) == 1 else self.means[rows, draw]


def drawn_rows(known: Known) -> Floats:
    """Rows [batch, draw, width]: those with fewer ratings than columns solved among their ratings, the others among the columns."""
    n, draws, width = len(known.told), *known.table.shape[1:]
    out = np.empty((n, draws, width), np.float32)
    is_few = known.told.counts < width
    few, many = np.flatnonzero(is_few), np.flatnonzero(~is_few)
    if len(many):
        told = known.told.take(many.astype(np.int32))
        entries = np.flatnonzero(np.repeat(~is_few, known.told.counts))
        for draw in range(draws):
            out[many, draw] = _among_columns(known, draw, many, told, entries)
    if len(few):
        rows = np.empty((n, width), np.float32)
        for draw in range(draws):
            _among_ratings(known, draw, few, rows)
            out[few, draw] = rows[few] if len(many) else rows
    return out


def _among_columns(known: Known, draw: int, many: NDArray[np.int64], told: Histories, entries: NDArray[np.int64]) -> Floats:
    rows = np.empty((len(told), known.table.shape[2]), np.float32)
    wanted, weights = known.targets[draw, entries], known.precisions[draw, entries]
    means = np.asarray(known.means_of(many, draw) + known.spread[draw] @ known.noise[draw], np.float32)
    table, partners = np.ascontiguousarray(known.table[:, draw]), np.ascontiguousarray(told.rows[:, None])
    draw_rows(0, len(told), told.indptr, partners, wanted, weights, 1.0, table, means, known.precision[draw], _KEY, 0.0, True, rows)
    return rows


def _among_ratings(known: Known, draw: int, few: NDArray[np.int64], rows: Floats) -> None:
    """Write `rows` [batch, width] of a few, in the basis in which the prior's precision is one."""
    told, spread, means = known.told, known.spread[draw], known.means[:, draw]
    width = len(spread)
    design, offsets = known.table[:, draw].copy(), known.table[:, draw, -1].copy()
    design[:, -1] = 1
    vectors = np.zeros((len(design), -(-width // LANES) * LANES), np.float32)
    np.matmul(design, spread, out=vectors[:, :width])
    if len(means) == 1:
        usual = (design @ means[0])[told.rows]
    else:
        usual = np.einsum("ek,ek->e", design[told.rows], means[np.repeat(np.arange(len(means)), told.counts)])
    entries = (told.indptr, told.rows, known.targets[draw] - usual, known.precisions[draw], vectors, offsets)
    solve_few(few, *entries, known.noise[draw].astype(np.float32), np.ones((1, width), np.float32), _ONE, False, _ZERO, _ONE, 1, rows)
    rows[few] = known.means_of(few, draw) + rows[few] @ spread.T
