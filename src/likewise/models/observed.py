"""How a rating comes from a score, and what distribution that gives it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from likewise.models.base import Predictive
from likewise.models.link import Link
from likewise.shapes import Floats

Kind = Literal["gaussian", "ordinal", "binary"]
_KINDS: tuple[Kind, ...] = ("gaussian", "ordinal", "binary")
_LINKS = ("free", "clip", "sigmoid", "logistic", "ordinal", "probit")


@dataclass(frozen=True, eq=False)
class Observed:
    """The observation model under each draw.

        gaussian   rating = centre + unit * (score + e),   e ~ N(0, 1 / (alpha scale))
        ordinal    rating = level[j] where cut[j - 1] < score + e <= cut[j],   e ~ N(0, 1 / scale)
        binary     like where score + e > 0

    Parameters
    ----------
    kind : str
    link : Link
    centre, unit : float
        Where scores are zero, and what one is worth; 0 and 1 but for "gaussian".
    alpha : float32 [draw]
    levels : float32 [level] or None
    cuts : float32 [draw, level - 1] or None
    """

    kind: Kind
    link: Link
    centre: float
    unit: float
    alpha: Floats
    levels: Floats | None = None
    cuts: Floats | None = None

    def targets(self, ratings: Floats) -> Floats:
        """Ratings in the units of the rows, for folding in: for levels, the middle of what the latent score can be."""
        if self.kind == "gaussian":
            return ((ratings - np.float32(self.centre)) / np.float32(self.unit)).astype(np.float32)
        if self.kind == "binary":
            return np.where(ratings > 0.5, np.float32(0.8), np.float32(-0.8)).astype(np.float32)
        assert_levels = np.asarray(self.levels)
        nearest = np.abs(ratings[:, None] - assert_levels).argmin(1)
        return self._middles[nearest]

    @property
    def _middles(self) -> Floats:
        """Mean of a standard normal's part between the cut points of each level, around the middle of them all."""
        cuts = np.asarray(self.cuts, np.float64).mean(0)
        edges = np.concatenate([[cuts[0] - 1.6], cuts, [cuts[-1] + 1.6]])
        return ((edges[1:] + edges[:-1]) / 2).astype(np.float32)

    def predictive(self, scores: Floats, scale: Floats) -> Predictive:
        """Distribution of ratings whose score [batch, draw] and noise scale [batch] these are."""
        if self.kind == "gaussian":
            noise = self.unit**2 * float(np.mean(1 / self.alpha)) / scale
            spread = scores.var(1)
            return Predictive(scores.mean(1), np.sqrt(spread + noise), np.sqrt(spread))
        levels, chances = self._chances(scores, scale)
        each = chances @ levels
        mean = each.mean(1)
        probabilities = chances.mean(1)
        sd = np.sqrt(np.maximum(probabilities @ levels**2 - mean**2, 0))
        return Predictive(mean, sd, each.std(1), levels, probabilities)

    def _chances(self, scores: Floats, scale: Floats) -> tuple[Floats, Floats]:
        """Levels, and the chance of each under each draw, float32 [batch, draw, level]."""
        if self.kind == "binary":
            levels, cuts = np.array([0, 1], np.float32), np.zeros((scores.shape[1], 1), np.float32)
        else:
            levels, cuts = np.asarray(self.levels), np.asarray(self.cuts)
        below = normal_cdf((cuts[None] - scores[:, :, None]) * np.sqrt(scale)[:, None, None])
        edges = np.zeros((*below.shape[:2], len(levels) + 1), np.float32)
        edges[:, :, 1:-1], edges[:, :, -1] = below, 1
        return levels, np.diff(edges, axis=2)

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays by name."""
        head = [_KINDS.index(self.kind), self.centre, self.unit, _LINKS.index(self.link.kind), self.link.low, self.link.high]
        arrays: dict[str, NDArray[Any]] = {"observed.head": np.array(head, np.float64), "observed.alpha": self.alpha}
        if self.levels is not None and self.cuts is not None:
            arrays |= {"observed.levels": self.levels, "observed.cuts": self.cuts}
        return arrays

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """What `state` described."""
        kind, centre, unit, link, low, high = (float(x) for x in state["observed.head"])
        made = Link(_LINKS[int(link)], low, high)  # type: ignore[arg-type]
        return cls(_KINDS[int(kind)], made, centre, unit, state["observed.alpha"], state.get("observed.levels"), state.get("observed.cuts"))


def normal_cdf(x: Floats) -> Floats:
    """Standard normal distribution function, to 1e-7 (Abramowitz and Stegun 7.1.26 on erfc)."""
    z = np.abs(x) / np.float32(math.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    tail = (0.5 * poly * np.exp(-z * z)).astype(np.float32)
    return np.where(x > 0, 1 - tail, tail)
