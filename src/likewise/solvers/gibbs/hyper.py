"""Priors that learn themselves: normal-Wishart for the rows of a field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class NormalWishart:
    """Prior of a field's mean and precision: precision ~ Wishart(identity / spread**2, width + 1), mean ~ N(0, (strength precision)^-1).

    A row's expected squared length is then about `spread**2`, however many columns it has.
    """

    strength: float = 2.0
    spread: float = 1.4

    def prior_scale_inverse(self, width: int) -> Doubles:
        return np.eye(width) * self.spread**2

    def draw_prior(self, width: int, rng: np.random.Generator) -> tuple[Doubles, Doubles]:
        """Mean [width] and precision [width, width] before any row was seen."""
        return self.draw(np.zeros((0, width)), rng)

    def draw(self, rows: Doubles, rng: np.random.Generator) -> tuple[Doubles, Doubles]:
        """Mean [width] and precision [width, width] given the rows [row, width] that they made."""
        n, width = rows.shape
        mean = rows.mean(0) if n else np.zeros(width)
        centred = rows - mean
        inverse = self.prior_scale_inverse(width) + centred.T @ centred + (self.strength * n / (self.strength + n)) * np.outer(mean, mean)
        precision = wishart(inverse, width + 1 + n, rng)
        root = np.linalg.cholesky((self.strength + n) * precision)
        return n * mean / (self.strength + n) + np.linalg.solve(root.T, rng.standard_normal(width)), precision


def wishart(scale_inverse: Doubles, degrees: float, rng: np.random.Generator) -> Doubles:
    """Wishart variate by Bartlett's decomposition, from the inverse of its scale."""
    width = len(scale_inverse)
    bartlett = np.tril(rng.standard_normal((width, width)), -1)
    bartlett[np.diag_indices(width)] = np.sqrt(rng.chisquare(degrees - np.arange(width)))
    # scale = (L L')^-1, so a root of it is L^-T
    root = np.linalg.solve(np.linalg.cholesky((scale_inverse + scale_inverse.T) / 2).T, bartlett)
    return np.asarray(root @ root.T)
