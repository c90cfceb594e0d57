"""How a rating comes from a score, and what distribution that gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, get_args

import numpy as np
from numpy.typing import NDArray

from likewise.models.base import Predictive
from likewise.models.link import Link, LinkKind
from likewise.models.normal import normal_cdfs
from likewise.shapes import Floats

_LINKS: tuple[LinkKind, ...] = get_args(LinkKind)


@dataclass(frozen=True, eq=False)
class Observed:
    """The observation model under each draw; with cut points it is one of levels, else Gaussian.

        Gaussian   rating = centre + unit * (score + e),   e ~ N(0, 1 / (alpha scale))
        levels     rating = level[j] where cut[j - 1] < score + e <= cut[j],   e ~ N(0, 1 / scale)

    Parameters
    ----------
    link : Link
    centre, unit : float
        Where scores are zero, and what one is worth; 0 and 1 for levels.
    alpha : float32 [draw]
    levels : float32 [level] or None
    cuts : float32 [draw, level - 1] or None
    """

    link: Link
    centre: float
    unit: float
    alpha: Floats
    levels: Floats | None = None
    cuts: Floats | None = None

    def of_draw(self, draw: int) -> Observed:
        """Under one draw alone."""
        one = slice(draw, draw + 1)
        return replace(self, alpha=self.alpha[one], cuts=None if self.cuts is None else self.cuts[one])

    @property
    def is_levels(self) -> bool:
        return self.levels is not None

    def targets(self, ratings: Floats, scores: Floats) -> Floats:
        """What a row is fitted to: ratings in the units of the rows, or the mean latents given the level and the score so far."""
        if self.levels is None or self.cuts is None:
            return np.asarray((ratings - np.float32(self.centre)) / np.float32(self.unit), np.float32)
        level = np.abs(ratings[:, None] - self.levels).argmin(1)
        edges = np.concatenate([[-40.0], self.cuts.mean(0), [40.0]]).astype(np.float32)
        low, high = edges[level] - scores, edges[level + 1] - scores
        upper = low > 0  # where the distribution function is nearly one its differences are rounding errors: take the other tail
        chance = normal_cdfs(np.where(upper, -low, high)) - normal_cdfs(np.where(upper, -high, low))
        pull = (_density(low) - _density(high)) / np.maximum(chance, np.float32(1e-6))
        low, high = np.maximum(edges[level], scores - 4), np.minimum(edges[level + 1], scores + 4)
        return np.asarray(np.clip(scores + pull, low, high), np.float32)

    def predictive(self, scores: Floats, scale: Floats) -> Predictive:
        """Distribution of ratings whose score [batch, draw] and noise scale [batch] these are."""
        if self.levels is None or self.cuts is None:
            noise = np.float32(self.unit**2 * float(np.mean(1 / self.alpha))) / scale
            spread = scores.var(1)
            return Predictive(scores.mean(1), np.sqrt(spread + noise), np.sqrt(spread))
        chances = np.zeros((len(scores), len(self.levels)), np.float32)
        means = np.full(scores.shape, self.levels[0], np.float32)
        above = np.ones(len(scores), np.float32)
        root = np.sqrt(scale)[:, None]
        for j, step in enumerate(np.diff(self.levels)):
            beyond = normal_cdfs((scores - self.cuts[:, j]) * root)
            means += step * beyond
            chances[:, j] = above - beyond.mean(1)
            above = beyond.mean(1)
        chances[:, -1] = above
        chances = np.maximum(chances, 0)
        mean = means.mean(1)
        sd = np.sqrt(np.maximum(chances @ self.levels**2 - mean**2, 0))
        return Predictive(mean, sd, means.std(1), self.levels, chances)

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays by name."""
        head = [self.centre, self.unit, _LINKS.index(self.link.kind), self.link.low, self.link.high, self.link.blur]
        arrays: dict[str, NDArray[Any]] = {"observed.head": np.array(head, np.float64), "observed.alpha": self.alpha}
        if self.levels is not None and self.cuts is not None:
            arrays |= {"observed.levels": self.levels, "observed.cuts": self.cuts}
        return arrays

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """What `state` described."""
        centre, unit, kind, low, high, blur = (float(x) for x in state["observed.head"])
        levels, cuts = state.get("observed.levels"), state.get("observed.cuts")
        link = Link(_LINKS[int(kind)], low, high) if levels is None or cuts is None else levels_link(levels, cuts, blur)
        return cls(link, centre, unit, state["observed.alpha"], levels, cuts)


def levels_link(levels: Floats, cuts: Floats, blur: float) -> Link:
    """The link of levels [level] at the mean of the cut points [draw, level - 1]."""
    return Link("levels", float(levels[0]), float(levels[-1]), tuple(levels.tolist()), tuple(cuts.mean(0).tolist()), blur)


def _density(x: Floats) -> Floats:
    return np.asarray(np.float32(0.3989423) * np.exp(np.float32(-0.5) * np.minimum(x * x, 80)), np.float32)
