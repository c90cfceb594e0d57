"""Rows of those with fewer ratings than a row has columns: solved among the ratings instead of among the columns.

A row z with ratings t_j of vectors d_j, in a basis in which the prior is N(m, diag(spread)), is

    z = m + spread * D' a,        (D diag(spread) D' + diag(1 / strength)) a = t - D m

so n ratings cost n^2 * column where the columns would cost n * column^2, and a visitor with twenty ratings is found many times
sooner. The answer is the same. Through a sigmoid the products of the ratings are made once for all Gauss-Newton steps.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from likewise.data.interactions import Histories
from likewise.parallel import in_threads
from likewise.shapes import Floats, Rows

LANES = 8
"""Columns are filled up with zeros to a multiple of this, so that every loop over them is a vector loop."""
TOGETHER = 4096
"""Rows whose spreads are held at once."""


def axes_of(gram: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues [column], none below zero, and eigenvectors [column, column] of a Gram matrix."""
    sizes, axes = np.linalg.eigh(gram.astype(np.float64))
    return np.maximum(sizes, 0).astype(np.float32), np.ascontiguousarray(axes, np.float32)


def rows_of_likes(
    who: Rows, likes: Histories, fixed: Floats, axes: tuple[Floats, Floats], unobserved: float, ridge: Floats, threads: int | None = 1
) -> Floats:
    """The rows [who, column] that `ridge_rows.update_rows` reaches for likes: all pairs count, and along the axes their loss is a sum.

    Parameters
    ----------
    who : rows of `likes`, best those with far fewer likes than columns.
    fixed : float32 [other, column], the other side.
    axes : `axes_of(gram_of(fixed))`
    unobserved : weight of every pair.
    ridge : float32 [row], above 0.
    """
    sizes, basis = axes
    if likes.weights is None:
        likes = Histories(likes.indptr, likes.rows, None, np.ones(len(likes.rows), np.float32))
    vectors, nothing = turned(fixed, likes.rows, basis), np.zeros(len(fixed), np.float32)
    mean, one, zero = np.zeros(len(sizes), np.float32), np.float32(1), np.float32(0)
    out = np.empty((len(who), len(sizes)), np.float32)

    def work(piece: int) -> None:
        some = slice(piece * TOGETHER, (piece + 1) * TOGETHER)
        part = likes.take(who[some])
        spread = np.asarray(1 / (unobserved * sizes + ridge[who[some], None]), np.float32)
        entries = (part.indptr, part.rows, np.ones(len(part.rows), np.float32), part.weights, vectors, nothing)
        rows = np.empty_like(out[some])
        solve_few(np.arange(len(part)), *entries, mean, spread, one, False, zero, one, 1, rows)
        out[some] = rows @ basis.T

    in_threads(work, -(-len(who) // TOGETHER), threads)
    return out


def turned(design: Floats, rows: Rows, basis: Floats) -> Floats:
    """`design @ basis` where `rows` point, columns filled up with zeros: float32 [other, padded column]; the rest is not to be read."""
    pointed_at = np.zeros(len(design), np.bool_)
    pointed_at[rows[rows >= 0]] = True
    met, width = np.flatnonzero(pointed_at), basis.shape[1]
    out = np.empty((len(design), -(-width // LANES) * LANES), np.float32)
    out[met, :width] = design[met] @ basis
    out[met, width:] = 0
    return out


@njit(cache=True, nogil=True, fastmath=True)
def solve_few(who, indptr, rows, ratings, weights, design, offsets, mean, spread, alpha, squeezed, low, high, steps, out):  # type: ignore[no-untyped-def]
    """Write the row of each of `who` to `out` [batch, column]; see the module.

    Parameters
    ----------
    who : int [some], of the batch
    indptr, rows, ratings, weights : the batch's histories; entries with row -1 are left out.
    design : float32 [other, padded column], offsets : float32 [other]
    mean : float32 [column], spread : float32 [1 or batch, column]
    alpha : precision of a rating at weight one
    squeezed, low, high : whether the link is a sigmoid between two numbers
    """
    width, padded = len(mean), design.shape[1]
    most = 0
    for person in who:
        most = max(most, indptr[person + 1] - indptr[person])
    own = np.empty((most, padded), np.float32)
    products, factor = np.empty((most, most), np.float32), np.empty((most, most), np.float64)
    usual, linear, target = np.empty(most), np.empty(most), np.empty(most)
    root, pull = np.empty(most), np.empty(most)
    scale = np.zeros(padded, np.float32)
    for person in who:
        first = indptr[person]
        n = indptr[person + 1] - first
        for a in range(width):
            scale[a] = np.sqrt(spread[person if len(spread) > 1 else 0, a])
        _gather(rows[first : first + n], design, mean, scale, own, usual)
        _products(own, n, products)
        for j in range(n):
            linear[j] = usual[j]
        for _ in range(steps):
            for j in range(n):
                other = rows[first + j]
                strength = alpha * weights[first + j] if other >= 0 else 0.0
                offset = offsets[other] if other >= 0 else 0.0
                target[j] = ratings[first + j] - offset
                if squeezed:
                    half = 0.5 + 0.5 * np.tanh(0.5 * (linear[j] + offset))
                    slope = max((high - low) * half * (1 - half), 1e-3)
                    target[j] = linear[j] + (ratings[first + j] - low - (high - low) * half) / slope
                    strength *= slope * slope
                root[j] = np.sqrt(strength)
                pull[j] = root[j] * (target[j] - usual[j])
            _pulls(products, root, n, factor, pull)
            if squeezed:
                for j in range(n):
                    linear[j] = usual[j]
                for i in range(n):
                    for j in range(n):
                        linear[i] += pull[j] * (products[i, j] if i >= j else products[j, i])
        row = out[person]
        for a in range(width):
            row[a] = 0
        for j in range(n):
            share = np.float32(pull[j])
            for a in range(width):
                row[a] += share * own[j, a]
        for a in range(width):
            row[a] = mean[a] + scale[a] * row[a]


@njit(cache=True, nogil=True, fastmath=True)
def _gather(rows, design, mean, scale, own, usual):  # type: ignore[no-untyped-def]
    """The scaled vectors of one history side by side, and what the population's row would give each of its entries."""
    width = len(mean)
    for j in range(len(rows)):
        if rows[j] < 0:
            own[j] = 0
            usual[j] = 0
            continue
        d, mine = design[rows[j]], own[j]
        s = np.float32(0)
        for a in range(width):
            s += d[a] * mean[a]
        usual[j] = s
        for a in range(len(mine)):
            mine[a] = d[a] * scale[a]


@njit(cache=True, nogil=True, fastmath=True)
def _products(own, n, products):  # type: ignore[no-untyped-def]
    """Dot products of the first n vectors with one another, the lower half; two by two, so that each load serves two of them."""
    for i in range(0, n - 1, 2):
        x, y = own[i], own[i + 1]
        for j in range(0, i + 2, 2):
            v, w = own[j], own[j + 1]
            xv = xw = yv = yw = np.float32(0)
            for a in range(len(x)):
                xv += x[a] * v[a]
                xw += x[a] * w[a]
                yv += y[a] * v[a]
                yw += y[a] * w[a]
            products[i, j], products[i + 1, j], products[i, j + 1], products[i + 1, j + 1] = xv, yv, xw, yw
    if n % 2:
        x = own[n - 1]
        for j in range(n):
            v = own[j]
            xv = np.float32(0)
            for a in range(len(x)):
                xv += x[a] * v[a]
            products[n - 1, j] = xv


@njit(cache=True, nogil=True, fastmath=True)
def _pulls(products, root, n, factor, pull):  # type: ignore[no-untyped-def]
    """Solve (1 + R G R) b = pull, R the diagonal of `root` and G the products, and leave R b in `pull`."""
    for i in range(n):
        for j in range(i + 1):
            s = products[i, j] * root[i] * root[j]
            if i == j:
                s += 1
            for z in range(j):
                s -= factor[i, z] * factor[j, z]
            factor[i, j] = s * factor[j, j] if i > j else 1 / np.sqrt(s)
        s = pull[i]
        for z in range(i):
            s -= factor[i, z] * pull[z]
        pull[i] = s * factor[i, i]
    for i in range(n - 1, -1, -1):
        s = pull[i] * factor[i, i]
        pull[i] = s
        for z in range(i):
            pull[z] -= s * factor[i, z]
    for i in range(n):
        pull[i] *= root[i]
