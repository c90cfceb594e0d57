"""Side information: the prior mean of a row is linear in its features (Macau; Simm et al., 2017).

    row = mean + sum over blocks of x B + e,    e ~ N(0, precision^-1),    B[f, c] ~ N(0, 1 / strength[c]),    strength ~ Gamma

Each block has a strength for factors and one for the bias. Turning the columns so that the precision becomes the identity and the
strengths diagonal makes the columns of B independent, each a ridge regression with the same `x'x` and a strength of its own; so
one eigendecomposition, made before the first sweep, serves every draw of every column. Where the smaller side of x is too large
for that, conjugate gradients on a perturbed right-hand side draw the same distribution; the largest eigenvectors alone are then
found, by a randomised range finder (Halko, Martinsson and Tropp, 2011), and what they span is solved outright in each step.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from likewise.data.csr import CSR
from likewise.parallel import in_threads
from likewise.shapes import Floats
from likewise.solvers.gibbs.hyper import Doubles, wishart

DIRECT_LIMIT = 1500
"""Smaller side of x up to which its eigenvectors are computed; beyond it, conjugate gradients."""
MOST_PRODUCTS = 300_000_000_000
"""Multiplications that making the matrix of those eigenvectors may take."""
TOLERANCE, MOST_STEPS = 3e-3, 200
PIECES = 16
LARGEST, AT_ONCE, ROUNDS = 128, 16, 4
"""Eigenvectors found for conjugate gradients, in so many columns at a time, and the rounds that find them."""


class Block:
    """Features of a field's rows and the state of their coefficients.

    Parameters
    ----------
    name : str
    x : CSR [row, feature]
    width : int
        Of the rows, the bias last.
    """

    def __init__(
        self,
        name: str,
        x: CSR,
        width: int,
        shape: float = 1.0,
        rate: float = 0.1,
        direct_limit: int = DIRECT_LIMIT,
        threads: int | None = 1,
    ):
        self.name, self.x, self.width, self.threads = name, x, width, threads
        self.back = x.transpose()
        self.shape, self.rate = shape, rate
        self.strength = np.full(width, 20.0)
        self.effect = np.zeros((x.n_rows, width), np.float32)
        self.dual = x.n_rows < x.width
        small, large = sorted((x.n_rows, x.width))
        self.direct = small <= direct_limit and small * small * large <= MOST_PRODUCTS
        self._coefficients = np.zeros((x.n_rows if self.dual and self.direct else x.width, width), np.float32)
        if not self.direct:
            self.values, self.vectors = self._largest()
            self.rest = max(float((x.filled() ** 2).sum() - self.values.sum()) / x.width, 0.0)
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
            self.effect = self._times(self.x, self._coefficients)
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
            coefficients = (self.vectors.T @ self._times(self.back, turned)) / d + noise
            self._coefficients = (self.vectors @ coefficients.astype(np.float32)) @ backward.astype(np.float32)
            self.effect = self._times(self.x, self._coefficients)
            gram = coefficients.T @ coefficients
        self._draw_strengths(gram, backward, rng)

    def _conjugate_gradients(self, turned: Floats, shrink: Doubles, rng: np.random.Generator) -> Doubles:
        """Draw columns b by solving (x'x + shrink) b = x'(rows + noise) + sqrt(shrink) noise (Papandreou and Yuille, 2010)."""
        noisy = turned + rng.standard_normal(turned.shape, np.float32)
        right = self._times(self.back, noisy) + np.sqrt(shrink) * rng.standard_normal((self.x.width, len(shrink)))
        b, residual = np.zeros_like(right), right
        step = self._roughly_solved(residual, shrink)
        size = (residual * step).sum(0)
        goal = TOLERANCE**2 * np.maximum(size, 1e-30)
        for _ in range(MOST_STEPS):
            if (size <= goal).all():
                break
            image = self._times(self.back, self._times(self.x, step.astype(np.float32))) + shrink * step
            length = size / np.maximum((step * image).sum(0), 1e-30)
            b = b + length * step
            residual = residual - length * image
            preconditioned = self._roughly_solved(residual, shrink)
            before, size = size, (residual * preconditioned).sum(0)
            step = preconditioned + size / np.maximum(before, 1e-30) * step
        return b

    def _roughly_solved(self, right: Doubles, shrink: Doubles) -> Doubles:
        """What solves for `right` where the largest eigenvectors lead, and as if all other eigenvalues were alike."""
        inside = self.vectors.T @ right.astype(np.float32)
        usual = 1 / (self.rest + shrink)
        return right * usual + self.vectors @ (inside * (1 / (self.values[:, None] + shrink) - usual)).astype(np.float32)

    def _largest(self) -> tuple[Doubles, Floats]:
        """Largest eigenvalues and eigenvectors [feature, eigenvector] of x'x, nearly."""
        rng = np.random.default_rng(0)
        basis = rng.standard_normal((self.x.width, min(LARGEST, self.x.width)), np.float32)
        for _ in range(ROUNDS):
            basis = np.linalg.qr(self._squared(basis))[0]
        values, turn = np.linalg.eigh((basis.T @ self._squared(basis)).astype(np.float64))
        return np.maximum(values, 0), np.ascontiguousarray(basis @ turn, np.float32)

    def _times(self, x: CSR, dense: Floats) -> Floats:
        return spmm(x, dense, self.threads)

    def _squared(self, dense: Floats) -> Floats:
        """x'x @ dense."""
        parts = [slice(start, start + AT_ONCE) for start in range(0, dense.shape[1], AT_ONCE)]
        return np.hstack([self._times(self.back, self._times(self.x, dense[:, part])) for part in parts])

    def _draw_strengths(self, gram: Doubles, backward: Doubles, rng: np.random.Generator) -> None:
        squares = np.diag(backward.T @ gram @ backward)
        k = self.width - 1
        f = self.x.width
        self.strength[:k] = rng.gamma(self.shape + k * f / 2) / (self.rate + squares[:k].sum() / 2)
        self.strength[k] = rng.gamma(self.shape + f / 2) / (self.rate + squares[k] / 2)

    def coefficients(self) -> Floats:
        """Coefficients of the last draw, [feature, width]; in the directions that no row has, their mean, zero."""
        return self._times(self.back, self._coefficients) if self.dual and self.direct else self._coefficients

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


def spmm(x: CSR, dense: Floats, threads: int | None = 1) -> Floats:
    """x @ dense, float32 [row, column]."""
    out = np.zeros((x.n_rows, dense.shape[1]), np.float32)
    values, right = x.filled(), np.ascontiguousarray(dense, np.float32)
    cuts = np.unique(np.searchsorted(x.indptr, np.linspace(0, x.indptr[-1], PIECES + 1)))
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
