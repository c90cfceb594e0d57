"""Side information: the prior mean of a row is linear in its features (Macau; Simm et al., 2017).

    row = mean + sum over blocks of x B + e,    e ~ N(0, precision^-1),    B[f, c] ~ N(0, 1 / strength[c]),    strength ~ Gamma

Each block has a strength for factors and one for the bias. Turning the columns so that the precision becomes the identity and the
strengths diagonal makes the columns of B independent, each a ridge regression with the same `x'x` and a strength of its own; so
one eigendecomposition, made before the first sweep, serves every draw of every column.
"""

from __future__ import annotations

import numpy as np

from likewise.data.csr import CSR
from likewise.shapes import Floats
from likewise.solvers.gibbs.hyper import Doubles
from likewise.solvers.gibbs.ridge import FewFeatures, FewRows, ManyFeatures, Ridge

DIRECT_LIMIT = 1500
"""Smaller side of x up to which its eigenvectors are computed; beyond it, conjugate gradients."""
MOST_PRODUCTS = 300_000_000_000
"""Multiplications that making the matrix of those eigenvectors may take."""


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
        self.name, self.x, self.width = name, x, width
        self.shape, self.rate = shape, rate
        self.strength = np.full(width, 20.0)
        self.effect = np.zeros((x.n_rows, width), np.float32)
        self.ridge = _ridge(x, direct_limit, threads)
        self._back_turn = np.eye(width, dtype=np.float32)

    def draw(self, rows: Floats, precision: Doubles, rng: np.random.Generator) -> None:
        """Draw the coefficients given rows [row, width] less everything else, then the strengths given the coefficients."""
        root = np.linalg.cholesky(precision)
        inverse = np.linalg.inv(root)
        half = inverse * np.sqrt(self.strength)
        shrink, turn = np.linalg.eigh(half @ half.T)
        shrink = np.maximum(shrink, 1e-9)
        forward, backward = root @ turn, turn.T @ inverse
        effect, gram = self.ridge.draw(rows @ forward.astype(np.float32), shrink, rng)
        self._back_turn = backward.astype(np.float32)
        self.effect = effect @ self._back_turn
        squares = np.diag(backward.T @ gram @ backward)
        k, f = self.width - 1, self.ridge.count
        self.strength[:k] = rng.gamma(self.shape + k * f / 2) / (self.rate + squares[:k].sum() / 2)
        self.strength[k] = rng.gamma(self.shape + f / 2) / (self.rate + squares[k] / 2)

    def coefficients(self) -> Floats:
        """Coefficients of the last draw, [feature, width]; in the directions that no row has, their mean, zero."""
        return self.ridge.coefficients() @ self._back_turn


def _ridge(x: CSR, direct_limit: int, threads: int | None) -> Ridge:
    small, large = sorted((x.n_rows, x.width))
    direct = small <= direct_limit and small * small * large <= MOST_PRODUCTS
    if not direct:
        return ManyFeatures(x, threads)
    return FewRows(x, threads) if x.n_rows < x.width else FewFeatures(x, threads)
