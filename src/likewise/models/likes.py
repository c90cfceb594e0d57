"""Which events are likes, and how much each counts, for models that learn from lists and not from ratings.

    weight = event weight * (rating / mean rating) ^ power      where the rating satisfies `positive`, else 0

A like without a rating counts its event weight. The rule is part of the fitted model, so that a history folded in later is
read as the training data was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from likewise.data.interactions import Histories, Interactions
from likewise.errors import InputError
from likewise.shapes import Floats

_COMPARISON = re.compile(r"^(>=|>|<=|<|==)\s*(-?\d+(?:\.\d+)?)$")
_SIGNS = ("", ">=", ">", "<=", "<", "==")
_COMPARE = {">=": np.greater_equal, ">": np.greater, "<=": np.less_equal, "<": np.less, "==": np.equal}


@dataclass(frozen=True)
class LikeRule:
    """How events become weights of likes.

    Parameters
    ----------
    positive : str or None
        Ratings that are likes, such as ">=4"; None takes every event.
    power : float, 0 or more
        How much a higher rating counts more; 0 counts every like the same.
    mean : float
        Mean rating of the likes of the training data.

    Examples
    --------
    >>> LikeRule(">=4").weights(Histories.of({0: 5.0, 1: 2.0})).tolist()
    [1.0, 0.0]
    """

    positive: str | None = None
    power: float = 0.0
    mean: float = 1.0

    def __post_init__(self) -> None:
        if self.positive is not None and not _COMPARISON.match(self.positive):
            raise InputError(f"positive must be a comparison with a number, as in '>=4'; got {self.positive!r}")
        if not (np.isfinite(self.power) and self.power >= 0):
            raise InputError(f"the power of the ratings must be 0 or more; got {self.power}")

    @property
    def comparison(self) -> tuple[str, float] | None:
        """The sign and the threshold of `positive`; None where every event is a like."""
        match = None if self.positive is None else _COMPARISON.match(self.positive)
        return None if match is None else (match[1], float(match[2]))

    @classmethod
    def of(cls, events: Interactions, positive: str | None, power: float) -> Self:
        """The rule with the mean rating of the likes among these events; InputError if none of them is a like."""
        rule = cls(positive, power)
        liked = rule.weights(events) > 0
        if not liked.any():
            raise InputError(f"no event is a like: positive is {positive!r} and weights may be zero; check both against the data")
        if power == 0 or events.ratings is None:
            return rule
        if events.ratings[liked].min() < 0:
            raise InputError("ratings below 0 cannot be weights; leave the power of the ratings at 0 or set positive='>0'")
        return cls(positive, power, float(events.ratings[liked].mean()))

    def weights(self, events: Histories | Interactions) -> Floats:
        """What each event counts, float32 [entry]; 0 for those that are no likes."""
        ratings, size = events.ratings, len(events.rows if isinstance(events, Histories) else events.users)
        weights = np.ones(size, np.float32) if events.weights is None else events.weights
        if ratings is None:
            return weights
        if self.comparison is not None:
            sign, threshold = self.comparison
            weights = np.asarray(weights * _COMPARE[sign](ratings, np.float32(threshold)), np.float32)
        if self.power > 0:
            scaled = np.maximum(ratings, 0) / np.float32(self.mean or 1.0)
            weights = np.asarray(weights * scaled ** np.float32(self.power), np.float32)
        return weights

    def likes(self, histories: Histories) -> Histories:
        """Only the likes, each with its weight, without ratings; order kept."""
        weights = self.weights(histories)
        kept = Histories(histories.indptr, histories.rows, None, weights, histories.times)
        return kept.keep((weights > 0) & (histories.rows >= 0))

    def state(self) -> NDArray[np.float64]:
        """As an array of four numbers: comparison, threshold, power, mean."""
        sign, threshold = self.comparison or ("", 0.0)
        return np.array([_SIGNS.index(sign), threshold, self.power, self.mean])

    @classmethod
    def from_state(cls, state: NDArray[np.float64]) -> Self:
        """The rule that `state` described."""
        sign = _SIGNS[int(state[0])]
        return cls(f"{sign}{float(state[1]):g}" if sign else None, float(state[2]), float(state[3]))
