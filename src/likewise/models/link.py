"""From a score to a rating: the output's last step, applied after everything that adds up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from likewise.errors import InputError
from likewise.models.normal import normal_cdfs
from likewise.shapes import Floats

LinkKind = Literal["free", "clip", "sigmoid", "logistic", "levels"]


@dataclass(frozen=True)
class Link:
    """What turns a score into a response.

    kind : "free" leaves it, "clip" limits it to [low, high], whose default limits nothing, "sigmoid" squeezes it into (low, high) by
        `low + (high - low) / (1 + exp(-score))`, "logistic" makes it the probability of a like, "levels" takes the mean of
        ordered levels between which a latent score, normal around this one with deviation `blur`, is cut.

    >>> Link("sigmoid", 0.0, 5.5).respond(np.zeros(1, np.float32)).tolist()
    [2.75]
    """

    kind: LinkKind = "free"
    low: float = -np.inf
    high: float = np.inf
    levels: tuple[float, ...] = ()
    cuts: tuple[float, ...] = ()
    blur: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ("free", "clip", "sigmoid", "logistic", "levels"):
            raise InputError(f"link must be 'free', 'clip', 'sigmoid', 'logistic' or 'levels', not {self.kind!r}")
        if not self.low < self.high:
            raise InputError(f"a range must have low < high; got low={self.low}, high={self.high}")
        if self.kind == "sigmoid" and not np.isfinite([self.low, self.high]).all():
            raise InputError(f"a sigmoid range must be finite; got low={self.low}, high={self.high}")
        if self.kind == "levels" and not len(self.levels) == len(self.cuts) + 1 > 1:
            raise InputError(f"levels need one cut between each two; got {len(self.levels)} levels and {len(self.cuts)} cuts")

    @property
    def rates(self) -> bool:
        """Whether responses are ratings."""
        return self.kind in ("clip", "sigmoid", "levels")

    @property
    def label(self) -> str:
        """What a drawing says of it: the kind, and the range where there is one."""
        if self.kind not in ("clip", "sigmoid"):
            return self.kind
        return f"{self.kind} [{self.low:g}, {self.high:g}]" if np.isfinite([self.low, self.high]).any() else "free"

    def respond(self, score: Floats) -> Floats:
        """Scores of any shape to responses of the same shape."""
        if self.kind == "free":
            return score
        if self.kind == "clip":
            return np.clip(score, self.low, self.high)
        if self.kind == "levels":
            return self._mean_level(score)
        low, high = (0.0, 1.0) if self.kind == "logistic" else (self.low, self.high)
        # tanh does not overflow where exp would
        return np.asarray(low + (high - low) * (0.5 + 0.5 * np.tanh(0.5 * score)), np.float32)

    def slope(self, score: Floats) -> Floats:
        """Derivative of the response by the score, for folding in through the link."""
        if self.kind in ("free", "clip"):
            return np.ones_like(score)
        if self.kind == "levels":
            return (self._mean_level(score + np.float32(0.01)) - self._mean_level(score - np.float32(0.01))) / np.float32(0.02)
        half = 0.5 + 0.5 * np.tanh(0.5 * score)
        scale = 1.0 if self.kind == "logistic" else self.high - self.low
        return np.asarray(scale * half * (1 - half), np.float32)

    def _mean_level(self, score: Floats) -> Floats:
        mean = np.full(np.shape(score), self.levels[0], np.float32)
        for cut, below, above in zip(self.cuts, self.levels[:-1], self.levels[1:], strict=True):
            mean += np.float32(above - below) * normal_cdfs((score - np.float32(cut)) / np.float32(self.blur))
        return mean
