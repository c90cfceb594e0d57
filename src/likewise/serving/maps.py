"""Items and people on a plane: the two directions in which the items' factors differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from likewise.shapes import Floats

MOST_SAMPLED = 50_000
"""Items that the directions are made of; more change no digit that can be seen."""


@dataclass(frozen=True, eq=False)
class Plane:
    """Two directions in the space of the factors.

    Parameters
    ----------
    centre : float32 [factor]
    axes : float32 [factor, 2], of length one
    scale : float
        Standard deviation of the items along the first.
    explained : share of the variance along each
    """

    centre: Floats
    axes: Floats
    scale: float
    explained: tuple[float, float]

    @classmethod
    def of(cls, factors: Floats) -> Plane:
        """The principal axes of the items' factors [item, factor]."""
        step = max(1, len(factors) // MOST_SAMPLED)
        sample = np.asarray(factors[::step], np.float64)
        centre = sample.mean(0)
        values, vectors = np.linalg.eigh(np.cov((sample - centre).T) if len(sample) > 1 else np.eye(sample.shape[1]))
        axes = vectors[:, ::-1][:, :2]
        if axes.shape[1] < 2:
            axes = np.column_stack([axes[:, 0], np.zeros(len(axes))])
        axes = axes * np.where(axes[np.abs(axes).argmax(0), [0, 1]] < 0, -1.0, 1.0)  # the same model gives the same picture
        total = max(float(values.sum()), 1e-12)
        top = (*(float(value) / total for value in values[::-1][:2]), 0.0)
        return cls(
            centre.astype(np.float32), axes.astype(np.float32), float(np.sqrt(max(values[-1], 1e-12))), (max(top[0], 0), max(top[1], 0))
        )

    def place(self, factors: Floats) -> Floats:
        """Where rows of factors lie, [row, 2], in standard deviations of the items along the first axis."""
        return np.asarray((factors - self.centre) @ self.axes / self.scale, np.float32)

    def towards(self, taste: Floats) -> Floats:
        """Where a person stands: their taste's direction on the plane, as far out as it is strong, up to the rim."""
        flat = taste @ self.axes
        length = float(np.linalg.norm(flat))
        return np.asarray(flat / length * min(2.5, 1 + length) if length > 0 else flat, np.float32)
