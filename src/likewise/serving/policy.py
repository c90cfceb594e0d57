"""Lists drawn by chance, with the chance that each item had: what can be evaluated later without a bias."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

POOL = 200
"""Candidates among which is drawn."""


def draw(scores: Sequence[float], n: int, temperature: float, rng: np.random.Generator) -> tuple[list[int], list[float]]:
    """Places drawn one after the other without putting back, in proportion to exp(score / temperature), and their propensities.

    The propensity is the chance of the item at its place, given those drawn before it (Plackett 1975).

    >>> draw([5.0, 1.0], 2, 0.1, np.random.default_rng(0))
    ([0, 1], [1.0, 1.0])
    """
    weight = np.asarray(scores, np.float64) / temperature
    free = np.ones(len(weight), np.bool_)
    chosen: list[int] = []
    chances: list[float] = []
    for _ in range(min(n, len(weight))):
        shares = np.where(free, np.exp(weight - weight[free].max()), 0.0)
        shares /= shares.sum()
        place = int(rng.choice(len(shares), p=shares))
        chosen.append(place)
        chances.append(round(float(shares[place]), 9))
        free[place] = False
    return chosen, chances
