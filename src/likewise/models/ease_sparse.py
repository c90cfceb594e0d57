"""EASE item by item among its nearest items, for catalogues whose dense matrix does not fit, and for items that come later.

The column of item i solves the ridge regression of i on the items S most often liked with it:

    (G_SS + diag(ridge_S)) b = G_Si

Solving for b among the S largest entries of G_Si / sqrt(G_ii G_jj) costs S^3 an item instead of (all items)^3 once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from likewise.data.csr import CSR
from likewise.models.gram import diagonal
from likewise.parallel import in_threads, thread_count
from likewise.shapes import Floats, Rows


def local_columns(gram: CSR, ridge: Floats, items: Rows, size: int, threads: int | None = None) -> tuple[Rows, Floats, Floats]:
    """Neighbours and weights of these items.

    Parameters
    ----------
    gram : CSR [item, item]
    ridge : float32 [item], penalty of each item as a predictor.
    items : int32 [batch]
    size : at most so many neighbours each.

    Returns
    -------
    (neighbours int32 [batch, size], -1 behind the end; weights float32 [batch, size]; left float32 [batch], what of G_ii the
    neighbours do not explain).
    """
    neighbours = np.full((len(items), size), -1, np.int32)
    weights, left = np.zeros((len(items), size), np.float32), np.zeros(len(items), np.float32)
    own, values = diagonal(gram), gram.filled()
    pieces = 8 * thread_count(threads)

    def work(piece: int) -> None:
        _local(piece, pieces, items, gram.indptr, gram.columns, values, own, ridge, neighbours, weights, left)

    in_threads(work, pieces, threads)
    return neighbours, weights, left


@njit(cache=True, nogil=True)
def _local(piece, pieces, items, indptr, columns, values, own, ridge, neighbours, weights, left):  # type: ignore[no-untyped-def]
    size = neighbours.shape[1]
    place = np.full(len(indptr) - 1, -1, np.int32)
    a = np.empty((size, size), np.float32)
    b = np.empty(size, np.float32)
    for n in range(piece, len(items), pieces):
        i = items[n]
        start, count = indptr[i], indptr[i + 1] - indptr[i]
        like = np.empty(count, np.float32)
        for e in range(count):
            j = columns[start + e]
            like[e] = -1 if j == i or own[j] <= 0 else values[start + e] / np.sqrt(own[i] * own[j])
        order = np.argsort(-like, kind="mergesort")
        chosen = min(size, count)
        while chosen > 0 and like[order[chosen - 1]] <= 0:
            chosen -= 1
        for k in range(chosen):
            j = columns[start + order[k]]
            neighbours[n, k] = j
            place[j] = k
            b[k] = values[start + order[k]]
        for k in range(chosen):
            j = neighbours[n, k]
            a[k, :chosen] = 0
            for e in range(indptr[j], indptr[j + 1]):
                if place[columns[e]] >= 0:
                    a[k, place[columns[e]]] = values[e]
            a[k, k] += ridge[j]
        for k in range(chosen):
            place[neighbours[n, k]] = -1
        explained = _solve(a, b, chosen, weights[n])
        left[n] = own[i] - explained


@njit(cache=True, nogil=True, fastmath=True)
def _solve(a, b, size, x):  # type: ignore[no-untyped-def]
    """x = a^-1 b by Cholesky in place; returns b . x."""
    for j in range(size):
        s = a[j, j]
        for k in range(j):
            s -= a[j, k] * a[j, k]
        a[j, j] = np.sqrt(max(s, np.float32(1e-12)))
        for i in range(j + 1, size):
            s = a[i, j]
            for k in range(j):
                s -= a[i, k] * a[j, k]
            a[i, j] = s / a[j, j]
    for j in range(size):
        s = b[j]
        for k in range(j):
            s -= a[j, k] * x[k]
        x[j] = s / a[j, j]
    for j in range(size - 1, -1, -1):
        x[j] /= a[j, j]
        for k in range(j):
            x[k] -= a[j, k] * x[j]
    explained = np.float32(0)
    for j in range(size):
        explained += b[j] * x[j]
    return explained
