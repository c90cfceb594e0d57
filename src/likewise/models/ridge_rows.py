"""One side's rows when the other side is fixed: weighted ridge regression, by blocks of factors.

Row x of a person with entries (item j, weight w_j, target t_j) and vectors y_j minimises

    sum_j w_j (x . y_j - t_j)^2  +  unobserved * sum over all items i of (x . y_i)^2  +  ridge * |x|^2

The middle term is x' G x with the Gram matrix G of all vectors, so its cost does not depend on the number of items (Hu, Koren
and Volinsky 2008). With a block as wide as the row this is one Cholesky solve and exact. Narrower blocks are solved one after
the other with the rest of the row fixed: a sweep costs factors * block instead of factors^2 an entry (Rendle et al. 2021,
"iALS++") and repeated sweeps reach the same row.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.interactions import Histories
from likewise.parallel import in_threads, thread_count
from likewise.shapes import Floats

PIECES = 64
"""Parts of equal work that threads share; their number does not depend on the threads, and no result depends on either."""


def update_rows(
    vectors: Floats,
    histories: Histories,
    fixed: Floats,
    unobserved: float,
    ridge: Floats,
    targets: Floats | None = None,
    block: int | None = None,
    threads: int | None = 1,
    gram: Floats | None = None,
) -> None:
    """Move every row of `vectors` [row, factor] towards its optimum, in place; rows without entries become zero.

    Parameters
    ----------
    histories : entries of each row; weights None counts all as one. Rows must not be -1.
    fixed : float32 [other, factor], the other side.
    unobserved : weight of every pair, observed or not.
    ridge : float32 [row], penalty of each row.
    targets : float32 [entry]; None is one everywhere.
    block : factors solved at once; None solves all at once, exactly.
    gram : float32 [factor, factor], `gram_of(fixed)` where the caller keeps it.
    """
    ones = np.ones(len(histories.rows), np.float32)
    weights = ones if histories.weights is None else histories.weights
    if gram is None:
        gram = gram_of(fixed) if unobserved > 0 else np.zeros((fixed.shape[1], fixed.shape[1]), np.float32)
    width = fixed.shape[1] if block is None else min(block, fixed.shape[1])
    order = np.argsort(-histories.counts, kind="stable")
    cuts = _equal_work(histories.counts[order] + fixed.shape[1], PIECES if thread_count(threads) > 1 else 1)

    def work(piece: int) -> None:
        rows = order[cuts[piece] : cuts[piece + 1]]
        targeted = ones if targets is None else targets
        _update(
            vectors,
            rows,
            histories.indptr,
            histories.rows,
            weights,
            targeted,
            fixed,
            gram,
            np.float32(unobserved),
            ridge,
            width,
        )

    in_threads(work, len(cuts) - 1, threads)


def gram_of(vectors: Floats) -> Floats:
    """Gram matrix [factor, factor] of rows [row, factor], the same bytes on any number of threads."""
    return np.asarray(_gram(np.ascontiguousarray(vectors, dtype=np.float32)))


def frequency_ridge(l2: float, exponent: float, weights: NDArray[np.floating], unobserved: float, others: int) -> Floats:
    """Penalty of each row, l2 * (observed + unobserved weight of the row) ^ exponent (Rendle et al. 2022)."""
    return np.asarray(l2 * (weights + unobserved * others) ** exponent, np.float32)


def _equal_work(work: NDArray[np.int64], pieces: int) -> NDArray[np.int64]:
    total = np.concatenate([[0], np.cumsum(work)])
    return np.unique(np.searchsorted(total, np.linspace(0, total[-1], pieces + 1)))


@njit(cache=True, nogil=True, fastmath=True)
def _gram(vectors):  # type: ignore[no-untyped-def]
    n, width = vectors.shape
    out = np.zeros((width, width), np.float32)
    part = np.zeros((width, width), np.float32)
    rows = np.zeros((4, width), np.float32)
    for start in range(0, n, 256):  # parts keep float32 sums short, and so exact enough
        part[:] = 0
        end = min(n, start + 256)
        for r in range(start, end, 4):  # four rows share each walk through the part
            last = min(4, end - r)
            rows[last:] = 0
            rows[:last] = vectors[r : r + last]
            p, q, s, t = rows[0], rows[1], rows[2], rows[3]
            for a in range(width):
                for b in range(a + 1):
                    part[a, b] += p[a] * p[b] + q[a] * q[b] + s[a] * s[b] + t[a] * t[b]
        for a in range(width):
            for b in range(a + 1):
                out[a, b] += part[a, b]
    for a in range(width):
        for b in range(a):
            out[b, a] = out[a, b]
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _update(vectors, rows, indptr, others, weights, targets, fixed, gram, unobserved, ridge, width):  # type: ignore[no-untyped-def]
    padded = (width + 6) // 4 * 4 + 4
    h = np.empty((padded, padded), np.float32)
    g = np.empty(padded, np.float32)
    for r in rows:
        low, high = indptr[r], indptr[r + 1]
        if high == low:
            vectors[r] = 0
            continue
        long = (high - low + 15) // 16 * 16
        y = np.zeros((padded, long), np.float32)
        error = np.zeros(long, np.float32)
        spare = np.empty(long, np.float32)
        _update_row(
            vectors[r],
            others[low:high],
            weights[low:high],
            targets[low:high],
            fixed,
            gram,
            unobserved,
            ridge[r],
            width,
            y,
            error,
            spare,
            h,
            g,
        )


@njit(cache=True, nogil=True, fastmath=True)
def _update_row(x, others, weights, targets, fixed, gram, unobserved, ridge, width, y, error, spare, h, g):  # type: ignore[no-untyped-def]
    """One pass over the blocks of one row. `y` holds a block of the vectors turned, [factor, entry], so that sums run along entries."""
    n, long, factors = len(others), len(error), len(x)
    for e in range(n):
        score = np.float32(0)
        for k in range(factors):
            score += fixed[others[e], k] * x[k]
        error[e] = weights[e] * (score - targets[e])
    for start in range(0, factors, width):
        size = min(width, factors - start)
        for e in range(n):
            for a in range(size):
                y[a, e] = fixed[others[e], start + a]
        for a in range(size):
            slope = np.float32(0)
            for k in range(factors):
                slope += gram[start + a, k] * x[k]
            g[a] = unobserved * slope + ridge * x[start + a]
            _block_row(a, n, y, error, weights, spare, h, g)
            for k in range(a + 1):
                h[a, k] += unobserved * gram[start + a, start + k]
            h[a, a] += ridge
        _cholesky_solve(h, g, size)
        for a in range(size):
            x[start + a] -= g[a]
        if start + size < factors:
            spare[:long] = 0
            for a in range(size):
                for e in range(long):
                    spare[e] += g[a] * y[a, e]
            for e in range(n):
                error[e] -= weights[e] * spare[e]


@njit(cache=True, nogil=True, fastmath=True)
def _block_row(a, n, y, error, weights, spare, h, g):  # type: ignore[no-untyped-def]
    """Row `a` of a block's normal equations, four sums at a time; places beyond the diagonal are written and never read."""
    long = len(error)
    mine = y[a]
    slope = np.float32(0)
    for e in range(long):
        slope += mine[e] * error[e]
    g[a] += slope
    spare[:] = 0
    for e in range(n):
        spare[e] = weights[e] * mine[e]
    for k in range(0, a + 1, 4):
        p, q, r, s = y[k], y[k + 1], y[k + 2], y[k + 3]
        t0, t1, t2, t3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for e in range(long):
            t0 += spare[e] * p[e]
            t1 += spare[e] * q[e]
            t2 += spare[e] * r[e]
            t3 += spare[e] * s[e]
        h[a, k], h[a, k + 1], h[a, k + 2], h[a, k + 3] = t0, t1, t2, t3


@njit(cache=True, nogil=True, fastmath=True)
def _cholesky_solve(h, g, size):  # type: ignore[no-untyped-def]
    """Overwrite `g` with the solution of h x = g; `h` is read below the diagonal and overwritten."""
    for j in range(size):
        s = h[j, j]
        for k in range(j):
            s -= h[j, k] * h[j, k]
        h[j, j] = np.sqrt(max(s, np.float32(1e-12)))
        inverse = np.float32(1) / h[j, j]
        for i in range(j + 1, size):
            s = h[i, j]
            for k in range(j):
                s -= h[i, k] * h[j, k]
            h[i, j] = s * inverse
    for j in range(size):
        s = g[j]
        for k in range(j):
            s -= h[j, k] * g[k]
        g[j] = s / h[j, j]
    for j in range(size - 1, -1, -1):
        g[j] /= h[j, j]
        for k in range(j):
            g[k] -= h[j, k] * g[j]
