"""Side information: the prior mean of a row is linear in its features (Macau; Simm et al., 2017).

    row = mean + sum over blocks of x B + e,    e ~ N(0, precision^-1),    B[f, c] ~ N(0, 1 / strength[c]),    strength ~ Gamma

Each block has a strength for factors and one for the bias. Turning the columns so that the precision becomes the identity and the
strengths diagonal makes the columns of B independent, each a ridge regression with the same `x'x` and a strength of its own; so
one eigendecomposition, made before the first sweep, serves every draw of every column. Where the smaller side of x is too large
for that, conjugate gradients on a perturbed right-hand side draw the same distribution.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from likewise.data.csr import CSR
from likewise.shapes import Floats
from likewise.solvers.gibbs.hyper import Doubles, wishart

DIRECT_LIMIT = 4500
"""Smaller side of x up to which its eigenvectors are computed; beyond it, conjugate gradients."""
MOST_PRODUCTS = 300_000_000_000
"""Multiplications that making the matrix of those eigenvectors may take."""
TOLERANCE, MOST_STEPS = 1e-3, 200


class Block:
    """Features of a field's rows and the state of their coefficients.

    Parameters
    ----------
    name : str
    x : CSR [row, feature]
    width : int
        Of the rows, the bias last.
    """

    def __init__(self, name: str, x: CSR, width: int, shape: float = 1.0, rate: float = 0.1, direct_limit: int = DIRECT_LIMIT):
        self.name, self.x, self.width = name, x, width
        self.back = x.transpose()
        self.shape, self.rate = shape, rate
        self.strength = np.full(width, 20.0)
        self.effect = np.zeros((x.n_rows, width), np.float32)
        self.dual = x.n_rows < x.width
        small, large = sorted((x.n_rows, x.width))
        self.direct = small <= direct_limit and small * small * large <= MOST_PRODUCTS
        self._coefficients = np.zeros((x.n_rows if self.dual and self.direct else x.width, width), np.float32)
        if not self.direct:
            self.diagonal = np.bincount(x.columns, x.filled() ** 2, x.width)
            return
        gram = _gram(self.back if self.dual else x)
        values, vectors = np.linalg.eigh(gram if len(gram) > 2000 else gram.astype(np.float64))
        self.values = np.maximum(values, 0).astype(np.float64)
        self.vectors = np.ascontiguousarray(vectors, np.float32)

    def draw(self, rows: Doubles, precision: Doubles, rng: np.random.Generator) -> None:
        """Draw the coefficients given rows [row, width] less everything else, then the strengths given the coefficients."""
        root = np.linalg.cholesky(precision)
        half = np.linalg.solve(root, np.diag(np.sqrt(self.strength)))
        shrink, turn = np.linalg.eigh(half @ half.T)
        shrink = np.maximum(shrink, 1e-9)
        forward, backward = root @ turn, turn.T @ np.linalg.inv(root)
        turned = (rows @ forward).astype(np.float32)
        if not self.direct:
            coefficients = self._conjugate_gradients(turned, shrink, rng)
            self._coefficients = (coefficients @ backward).astype(np.float32)
            self.effect = spmm(self.x, self._coefficients)
            self._draw_strengths(coefficients.T @ coefficients, backward, rng)
            return
        d = self.values[:, None] + shrink
        noise = rng.standard_normal(d.shape) / np.sqrt(d)
        if self.dual:
            size = np.sqrt(self.values)[:, None]
            coefficients = size / d * (self.vectors.T @ turned) + noise
            self.effect = (self.vectors @ (size * coefficients).astype(np.float32)) @ backward.astype(np.float32)
            inner = np.where(size > 1e-3, coefficients / np.maximum(size, 1e-3), 0)
            self._coefficients = (self.vectors @ inner.astype(np.float32)) @ backward.astype(np.float32)
            gram = coefficients.T @ coefficients + self._unseen(shrink, self.x.width - self.x.n_rows, rng)
        else:
            coefficients = (self.vectors.T @ spmm(self.back, turned)) / d + noise
            self._coefficients = (self.vectors @ coefficients.astype(np.float32)) @ backward.astype(np.float32)
            self.effect = spmm(self.x, self._coefficients)
            gram = coefficients.T @ coefficients
        self._draw_strengths(gram, backward, rng)

    def _conjugate_gradients(self, turned: Floats, shrink: Doubles, rng: np.random.Generator) -> Doubles:
        """Draw columns b by solving (x'x + shrink) b = x'(rows + noise) + sqrt(shrink) noise (Papandreou and Yuille, 2010)."""
        noisy = turned + rng.standard_normal(turned.shape, np.float32)
        right = spmm(self.back, noisy) + np.sqrt(shrink) * rng.standard_normal((self.x.width, len(shrink)))
        scale = 1 / (self.diagonal[:, None] + shrink)
        b, residual = np.zeros_like(right), right
        step = scale * residual
        size = (residual * step).sum(0)
        goal = TOLERANCE**2 * np.maximum(size, 1e-30)
        for _ in range(MOST_STEPS):
            if (size <= goal).all():
                break
            image = spmm(self.back, spmm(self.x, step.astype(np.float32))) + shrink * step
            length = size / np.maximum((step * image).sum(0), 1e-30)
            b = b + length * step
            residual = residual - length * image
            preconditioned = scale * residual
            before, size = size, (residual * preconditioned).sum(0)
            step = preconditioned + size / np.maximum(before, 1e-30) * step
        return b

    def _draw_strengths(self, gram: Doubles, backward: Doubles, rng: np.random.Generator) -> None:
        squares = np.diag(backward.T @ gram @ backward)
        k = self.width - 1
        f = self.x.width
        self.strength[:k] = rng.gamma(self.shape + k * f / 2) / (self.rate + squares[:k].sum() / 2)
        self.strength[k] = rng.gamma(self.shape + f / 2) / (self.rate + squares[k] / 2)

    def coefficients(self) -> Floats:
        """Coefficients of the last draw, [feature, width]; in the directions that no row has, their mean, zero."""
        return spmm(self.back, self._coefficients) if self.dual and self.direct else self._coefficients

    def _unseen(self, shrink: Doubles, n: int, rng: np.random.Generator) -> Doubles:
        e = rng.standard_normal((n, len(shrink))) if n < 200 else None
        gram = e.T @ e if e is not None else wishart(np.eye(len(shrink)), n, rng)
        s = 1 / np.sqrt(shrink)
        return gram * s[:, None] * s


def _gram(x: CSR, at_once: int = 1024) -> Floats:
    """x'x, float32 [feature, feature], from some rows at a time."""
    gram = np.zeros((x.width, x.width), np.float32)
    for start in range(0, x.n_rows, at_once):
        dense = x.take(np.arange(start, min(start + at_once, x.n_rows), dtype=np.int32)).toarray()
        gram += dense.T @ dense
    return gram


def spmm(x: CSR, dense: Floats) -> Floats:
    """x @ dense, float32 [row, column]."""
    out = np.zeros((x.n_rows, dense.shape[1]), np.float32)
    _spmm(x.indptr, x.columns, x.filled(), np.ascontiguousarray(dense, np.float32), out)
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _spmm(indptr, columns, values, dense, out):  # type: ignore[no-untyped-def]
    width = dense.shape[1]
    for r in range(indptr.shape[0] - 1):
        for p in range(indptr[r], indptr[r + 1]):
            v, c = values[p], columns[p]
            for x in range(width):
                out[r, x] += v * dense[c, x]
