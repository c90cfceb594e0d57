"""Ridge regressions with the same features and a strength each, drawn together: three ways, by the shape of the features.

    b[:, c] ~ N(0, 1 / shrink[c]),    turned[:, c] = x b[:, c] + N(0, 1)

Few features  eigenvectors of `x'x`, and x itself, sparse.
Few rows      singular vectors of x, by way of `xx'`.
Neither       conjugate gradients on a perturbed right-hand side draw the same distribution (Papandreou and Yuille, 2010); what the
              largest eigenvectors span is solved outright in each step. These come from a randomised range finder (Halko, Martinsson
              and Tropp, 2011).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np
from numba import njit

from likewise.data.csr import CSR
from likewise.parallel import in_threads
from likewise.shapes import Floats
from likewise.solvers.gibbs.hyper import Doubles

TOLERANCE, MOST_STEPS = 3e-3, 200
PIECES, PIECE = 16, 1 << 18
"""Most parts of a sparse product that threads share, and multiplications that are worth a part."""
LARGEST, AT_ONCE, ROUNDS = 256, 16, 4
"""Eigenvectors found for conjugate gradients, in so many columns at a time, and the rounds that find them."""
WIDE = 500
"""Side of a matrix from which its eigenvectors are found in single precision."""
ROUNDING = 1e-6
"""Eigenvalues this much smaller than the largest are rounding errors."""


class Ridge(ABC):
    """Features and how their coefficients are drawn.

    Parameters
    ----------
    x : CSR [row, feature]
    threads : int or None

    Attributes
    ----------
    count : int
        Coefficients of a column that are drawn.
    drawn : float32, what the last draw's coefficients are found from
    """

    def __init__(self, x: CSR, threads: int | None):
        self.x, self.back, self.threads, self.count = x, x.transpose(), threads, x.width
        self.drawn: Floats = np.empty((0, 0), np.float32)

    @abstractmethod
    def draw(self, turned: Floats, shrink: Doubles, rng: np.random.Generator) -> tuple[Floats, Doubles]:
        """Draw the columns: what they add to each row [row, column], and their products with one another [column, column]."""

    @abstractmethod
    def coefficients(self) -> Floats:
        """Coefficients of the last draw, [feature, column]; their mean, zero, in directions that no row has."""


@final
class FewFeatures(Ridge):
    """By all eigenvectors of x'x."""

    def __init__(self, x: CSR, threads: int | None):
        super().__init__(x, threads)
        self.values, self.right = eigenvectors(gram(x))

    def draw(self, turned: Floats, shrink: Doubles, rng: np.random.Generator) -> tuple[Floats, Doubles]:
        d = (self.values[:, None] + shrink).astype(np.float32)
        inner = (self.right.T @ spmm(self.back, turned, self.threads)) / d + rng.standard_normal(d.shape, np.float32) / np.sqrt(d)
        self.drawn = np.asarray(self.right @ inner, np.float32)
        return spmm(self.x, self.drawn, self.threads), _products(inner)

    def coefficients(self) -> Floats:
        return self.drawn


@final
class FewRows(Ridge):
    """By the singular vectors of x, found from xx': rows meet the left ones alone, and what no row has is summed out."""

    def __init__(self, x: CSR, threads: int | None):
        super().__init__(x, threads)
        values, left = eigenvectors(gram(self.back))
        first = int(np.searchsorted(values, ROUNDING * values[-1]))
        self.values, self.left = values[first:], np.ascontiguousarray(left[:, first:])
        self.size: Floats = np.sqrt(self.values).astype(np.float32)[:, None]
        self.count = len(self.values)

    def draw(self, turned: Floats, shrink: Doubles, rng: np.random.Generator) -> tuple[Floats, Doubles]:
        d = (self.values[:, None] + shrink).astype(np.float32)
        inner = self.size / d * (self.left.T @ turned) + rng.standard_normal(d.shape, np.float32) / np.sqrt(d)
        self.drawn = np.asarray(inner, np.float32)
        return self.left @ (self.size * self.drawn), _products(self.drawn)

    def coefficients(self) -> Floats:
        return spmm(self.back, self.left @ (self.drawn / self.size), self.threads)


@final
class ManyFeatures(Ridge):
    """By conjugate gradients."""

    def __init__(self, x: CSR, threads: int | None):
        super().__init__(x, threads)
        self.values, self.vectors = largest(x, self.back, LARGEST, threads)
        self.rest = max(float((x.filled() ** 2).sum() - self.values.sum()) / x.width, 0.0)

    def draw(self, turned: Floats, shrink: Doubles, rng: np.random.Generator) -> tuple[Floats, Doubles]:
        """Solve (x'x + shrink) b = x'(rows + noise) + sqrt(shrink) noise."""
        noisy = turned + rng.standard_normal(turned.shape, np.float32)
        right = spmm(self.back, noisy, self.threads) + np.sqrt(shrink) * rng.standard_normal((self.x.width, len(shrink)))
        b, residual = np.zeros_like(right), right
        step = self._roughly_solved(residual, shrink)
        size = (residual * step).sum(0)
        goal = TOLERANCE**2 * np.maximum(size, 1e-30)
        for _ in range(MOST_STEPS):
            if (size <= goal).all():
                break
            image = spmm(self.back, spmm(self.x, step.astype(np.float32), self.threads), self.threads) + shrink * step
            length = size / np.maximum((step * image).sum(0), 1e-30)
            b = b + length * step
            residual = residual - length * image
            preconditioned = self._roughly_solved(residual, shrink)
            before, size = size, (residual * preconditioned).sum(0)
            step = preconditioned + size / np.maximum(before, 1e-30) * step
        self.drawn = b.astype(np.float32)
        return spmm(self.x, self.drawn, self.threads), _products(b)

    def coefficients(self) -> Floats:
        return self.drawn

    def _roughly_solved(self, right: Doubles, shrink: Doubles) -> Doubles:
        """What solves for `right` where the largest eigenvectors lead, and as if all other eigenvalues were alike."""
        inside = self.vectors.T @ right.astype(np.float32)
        usual = 1 / (self.rest + shrink)
        return right * usual + self.vectors @ (inside * (1 / (self.values[:, None] + shrink) - usual)).astype(np.float32)


def _products(drawn: Doubles | Floats) -> Doubles:
    return np.asarray(drawn.T @ drawn, np.float64)


def gram(x: CSR, at_once: int = 1024) -> Floats:
    """x'x, float32 [feature, feature], from some rows at a time."""
    found = np.zeros((x.width, x.width), np.float32)
    for start in range(0, x.n_rows, at_once):
        dense = x.take(np.arange(start, min(start + at_once, x.n_rows), dtype=np.int32)).toarray()
        found += dense.T @ dense
    return found


def eigenvectors(square: Floats) -> tuple[Doubles, Floats]:
    """Eigenvalues, none below zero, and eigenvectors [side, eigenvector] of a symmetric matrix, the smallest first."""
    values, vectors = np.linalg.eigh(square if len(square) > WIDE else square.astype(np.float64))
    return np.maximum(values, 0).astype(np.float64), np.ascontiguousarray(vectors, np.float32)


def largest(x: CSR, back: CSR, count: int, threads: int | None) -> tuple[Doubles, Floats]:
    """Largest eigenvalues and eigenvectors [feature, eigenvector] of x'x, nearly; the smallest of them first."""
    rng = np.random.default_rng(0)

    def squared(dense: Floats) -> Floats:
        return spmm_wide(back, spmm_wide(x, dense, threads), threads)

    basis = rng.standard_normal((x.width, min(count, x.width)), np.float32)
    for _ in range(ROUNDS):
        basis = np.linalg.qr(squared(basis))[0]
    image = spmm_wide(x, basis, threads)
    values, turn = np.linalg.eigh((image.T @ image).astype(np.float64))
    return np.maximum(values, 0), np.ascontiguousarray(basis @ turn, np.float32)


def spmm_wide(x: CSR, dense: Floats, threads: int | None = 1) -> Floats:
    """x @ dense for dense matrices of many columns, some columns at a time."""
    return np.hstack([spmm(x, dense[:, start : start + AT_ONCE], threads) for start in range(0, dense.shape[1], AT_ONCE)])


def spmm(x: CSR, dense: Floats, threads: int | None = 1) -> Floats:
    """x @ dense, float32 [row, column]."""
    out = np.zeros((x.n_rows, dense.shape[1]), np.float32)
    values, right = x.filled(), np.ascontiguousarray(dense, np.float32)
    pieces = min(PIECES, 1 + len(values) * dense.shape[1] // PIECE)
    cuts = np.unique(np.searchsorted(x.indptr, np.linspace(0, x.indptr[-1], pieces + 1)))
    cuts[0], cuts[-1] = 0, x.n_rows
    in_threads(lambda piece: _spmm(cuts[piece], cuts[piece + 1], x.indptr, x.columns, values, right, out), len(cuts) - 1, threads)
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _spmm(first, last, indptr, columns, values, dense, out):  # type: ignore[no-untyped-def]
    width = dense.shape[1]
    for r in range(first, last):
        for p in range(indptr[r], indptr[r + 1]):
            v, c = values[p], columns[p]
            for x in range(width):
                out[r, x] += v * dense[c, x]
