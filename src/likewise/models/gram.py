"""Who is liked together with whom: G = X' W X of likes X [user, item] with a weight a user, dense or sparse, and its inverse."""

from __future__ import annotations

import numpy as np
from numba import njit

from likewise.data.csr import CSR, csr_from_pairs
from likewise.data.interactions import Histories
from likewise.parallel import in_threads, thread_count
from likewise.shapes import Floats

INVERTED_AT_ONCE = 512


def by_column(likes: Histories, n_items: int) -> CSR:
    """The same likes by item: rows of users, weights as values."""
    users = np.repeat(np.arange(len(likes), dtype=np.int32), likes.counts)
    return csr_from_pairs(likes.rows, users, weights_of(likes), n_items, len(likes))


def weights_of(likes: Histories) -> Floats:
    """The weight of each like, ones where there are none."""
    return np.ones(len(likes.rows), np.float32) if likes.weights is None else likes.weights


def dense_gram(likes: Histories, user_weights: Floats, n_items: int, threads: int | None = None) -> Floats:
    """G as float32 [item, item]."""
    gram = np.zeros((n_items, n_items), np.float32)
    raters, weights = by_column(likes, n_items), weights_of(likes)

    def work(piece: int) -> None:
        _dense_rows(piece, pieces, raters.indptr, raters.columns, raters.filled(), likes.indptr, likes.rows, weights, user_weights, gram)

    pieces = 4 * thread_count(threads)
    in_threads(work, pieces, threads)
    return gram


def sparse_gram(likes: Histories, user_weights: Floats, n_items: int, threads: int | None = None) -> CSR:
    """G as ragged rows, each in the order of first meeting."""
    raters, weights = by_column(likes, n_items), weights_of(likes)
    facts = (raters.indptr, raters.columns, raters.filled(), likes.indptr, likes.rows, weights, user_weights)
    indptr = np.zeros(n_items + 1, np.int64)
    pieces = 4 * thread_count(threads)
    in_threads(lambda piece: _sparse_counts(piece, pieces, *facts[:2], *facts[3:5], indptr), pieces, threads)
    np.cumsum(indptr, out=indptr)
    columns, values = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    in_threads(lambda piece: _sparse_rows(piece, pieces, *facts, indptr, columns, values), pieces, threads)
    return CSR(indptr, columns, values, n_items)


def invert_in_place(matrix: Floats) -> None:
    """Replace a symmetric positive definite float32 matrix [n, n] by its inverse, by halves.

    With A = [[P, Q], [Q', R]] and S = R - Q' P^-1 Q the inverse is made of P^-1, S^-1 and products with Q. That is half the work
    of a general inverse, all of it matrix products, and needs a quarter of the matrix as extra memory.
    """
    n = len(matrix)
    if n <= INVERTED_AT_ONCE:
        inverse = np.linalg.inv(matrix.astype(np.float64))
        matrix[:] = (inverse + inverse.T) / 2
        return
    half = n // 2
    first, cross, last = matrix[:half, :half], matrix[:half, half:], matrix[half:, half:]
    invert_in_place(first)
    moved = first @ cross
    last -= cross.T @ moved
    invert_in_place(last)
    np.matmul(moved, last, out=cross)
    first += cross @ moved.T
    np.negative(cross, out=cross)
    matrix[half:, :half] = cross.T


def inverse_by_users(likes: Histories, user_weights: Floats, ridge: Floats, n_items: int) -> Floats:
    """M float32 [item, user] with (X' W X + diag(ridge))^-1 = diag(1 / ridge) - M M', by a solve among the users (Woodbury).

    Nothing here is a product of dense [user, item] matrices: M is the likes times the inverse of a factor [user, user].
    """
    raters = by_column(likes, n_items)
    kernel = np.zeros((len(likes), len(likes)))
    _kernel(raters.indptr, raters.columns, raters.filled(), ridge.astype(np.float64), kernel)
    kernel[np.diag_indices(len(likes))] += 1.0 / np.maximum(user_weights.astype(np.float64), 1e-12)
    turned = np.ascontiguousarray(np.linalg.inv(np.linalg.cholesky(kernel)).T)
    out = np.zeros((n_items, len(likes)), np.float32)
    _by_users(raters.indptr, raters.columns, raters.filled(), ridge.astype(np.float64), turned, out)
    return out


@njit(cache=True, nogil=True)
def _kernel(indptr, raters, values, ridge, kernel):  # type: ignore[no-untyped-def]
    """Add X diag(1 / ridge) X' to the kernel, item by item."""
    for i in range(len(ridge)):
        for e in range(indptr[i], indptr[i + 1]):
            weight = values[e] / ridge[i]
            for f in range(indptr[i], indptr[i + 1]):
                kernel[raters[e], raters[f]] += weight * values[f]


@njit(cache=True, nogil=True)
def _by_users(indptr, raters, values, ridge, turned, out):  # type: ignore[no-untyped-def]
    """Row i of `out`: the rows of `turned` [user, user] of those who like i, weighed and over its ridge."""
    total = np.empty(turned.shape[1])
    for i in range(len(ridge)):
        total[:] = 0
        for e in range(indptr[i], indptr[i + 1]):
            for u in range(len(total)):
                total[u] += values[e] * turned[raters[e], u]
        for u in range(len(total)):
            out[i, u] = total[u] / ridge[i]


@njit(cache=True, nogil=True)
def _dense_rows(piece, pieces, item_indptr, raters, values, indptr, rows, weights, user_weights, gram):  # type: ignore[no-untyped-def]
    """Rows piece, piece + pieces, ... of G; a row fits the nearest cache."""
    for i in range(piece, gram.shape[0], pieces):
        row = gram[i]
        for e in range(item_indptr[i], item_indptr[i + 1]):
            u = raters[e]
            w = user_weights[u] * values[e]
            for f in range(indptr[u], indptr[u + 1]):
                row[rows[f]] += w * weights[f]


@njit(cache=True, nogil=True)
def _sparse_counts(piece, pieces, item_indptr, raters, indptr, rows, counts):  # type: ignore[no-untyped-def]
    met = np.full(len(item_indptr) - 1, -1, np.int32)
    for i in range(piece, len(item_indptr) - 1, pieces):
        count = 0
        for e in range(item_indptr[i], item_indptr[i + 1]):
            for f in range(indptr[raters[e]], indptr[raters[e] + 1]):
                if met[rows[f]] != i:
                    met[rows[f]] = i
                    count += 1
        counts[i + 1] = count


@njit(cache=True, nogil=True)
def _sparse_rows(piece, pieces, item_indptr, raters, values, indptr, rows, weights, user_weights, starts, columns, out):  # type: ignore[no-untyped-def]
    n_items = len(item_indptr) - 1
    met = np.full(n_items, -1, np.int32)
    place = np.empty(n_items, np.int64)
    for i in range(piece, n_items, pieces):
        end = starts[i]
        for e in range(item_indptr[i], item_indptr[i + 1]):
            u = raters[e]
            w = user_weights[u] * values[e]
            for f in range(indptr[u], indptr[u + 1]):
                j = rows[f]
                if met[j] != i:
                    met[j] = i
                    place[j] = end
                    columns[end], out[end] = j, 0
                    end += 1
                out[place[j]] += w * weights[f]


def diagonal(gram: CSR) -> Floats:
    """G's diagonal, float32 [item]; zero for items nobody liked."""
    rows = np.repeat(np.arange(gram.n_rows), gram.counts)
    own = rows == gram.columns
    out = np.zeros(gram.n_rows, np.float32)
    out[rows[own]] = gram.filled()[own]
    return out


def activity_weights(likes: Histories, power: float) -> Floats:
    """A weight a user, length of history ^ -power, scaled so that the likes' weights sum to what they did; 0 for empty ones."""
    counts = likes.counts.astype(np.float64)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -power, 0.0)
    total = float((weights * counts).sum())
    return np.asarray(weights * (counts.sum() / total if total > 0 else 1.0), np.float32)
