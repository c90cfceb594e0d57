"""General level of people and items: damped means that agree with each other.

    rating ~ mean + b_u + b_i,    b_i = sum_u w (r - mean - b_u) / (sum_u w + item damping),  b_u likewise

The two closed forms are alternated; they settle at the ridge solution (Koren 2010, section 2.1). The users' means come last, so
a person's level is the damped mean of what their own history leaves over, trained or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likewise.data.interactions import Histories, Interactions
from likewise.errors import InputError
from likewise.shapes import Floats, Rows

SWEEPS = 10
"""Alternations; what is left over falls by about ten each, on real data."""


@dataclass(frozen=True, eq=False)
class Levels:
    """The mean, and what items and people add to it.

    Parameters
    ----------
    mean : float
    users, items : float32 [user], [item]
    user_damping, item_damping : float
        Ratings' worth of evidence for "no different from the mean".
    """

    mean: float
    users: Floats
    items: Floats
    user_damping: float
    item_damping: float

    @classmethod
    def of(cls, data: Interactions, user_damping: float, item_damping: float) -> Levels:
        """The levels of a table of ratings."""
        ratings = rated(data.ratings, len(data)).astype(np.float64)
        weights = None if data.weights is None else data.weights.astype(np.float64)
        mean = float(np.average(ratings, weights=weights)) if len(ratings) and (weights is None or weights.sum() > 0) else 0.0
        users, items = np.zeros(data.n_users), np.zeros(data.n_items)
        left = ratings - mean
        for _ in range(SWEEPS):
            items = _damped_means(data.items, left - users[data.users], weights, data.n_items, item_damping)
            users = _damped_means(data.users, left - items[data.items], weights, data.n_users, user_damping)
        return cls(mean, users.astype(np.float32), items.astype(np.float32), user_damping, item_damping)

    def of_people(self, histories: Histories) -> Floats:
        """Level of each person, float32 [batch], from their history of item rows; unknown items count as average."""
        return self._of(histories, self.items, self.user_damping)

    def of_items(self, histories: Histories) -> Floats:
        """Level of each item, float32 [batch], from who rated it (user rows)."""
        return self._of(histories, self.users, self.item_damping)

    def at_items(self, items: Rows) -> Floats:
        """Levels of the items named; row -1 is average."""
        return level_at(self.items, items)

    def left_over(self, histories: Histories) -> Floats:
        """What the levels do not say of each entry of people's histories, float32 [entry]."""
        return self._left_over(histories, self.items, self.of_people(histories))

    def left_over_items(self, histories: Histories) -> Floats:
        """The same of items' raters, with the level that these raters give each item."""
        return self._left_over(histories, self.users, self.of_items(histories))

    def _left_over(self, histories: Histories, others: Floats, own: Floats) -> Floats:
        ratings = rated(histories.ratings, len(histories.rows))
        return np.asarray(ratings - np.float32(self.mean) - np.repeat(own, histories.counts) - level_at(others, histories.rows), np.float32)

    def _of(self, histories: Histories, others: Floats, damping: float) -> Floats:
        left = rated(histories.ratings, len(histories.rows)).astype(np.float64) - self.mean - level_at(others, histories.rows)
        weights = None if histories.weights is None else histories.weights.astype(np.float64)
        keys = np.repeat(np.arange(len(histories)), histories.counts)
        return _damped_means(keys, left, weights, len(histories), damping).astype(np.float32)


def level_at(levels: Floats, rows: Rows) -> Floats:
    """`levels[rows]`, zero for row -1."""
    if not len(levels):
        return np.zeros(len(rows), np.float32)
    return np.where(rows >= 0, levels[rows], np.float32(0))


def rated(ratings: Floats | None, entries: int) -> Floats:
    """The ratings, or InputError where there are none (an empty history needs none)."""
    if ratings is None and entries:
        raise InputError("this model needs ratings and the data has none; for likes take Popularity, Neighbours, EASE or Dot fitted by ALS")
    return np.zeros(0, np.float32) if ratings is None else ratings


def check_damping(**damping: float) -> None:
    """Refuse dampings that are negative or no number."""
    for name, value in damping.items():
        if not (np.isfinite(value) and value >= 0):
            raise InputError(f"{name} must be a number of ratings, 0 or more; got {value}")


def grown(column: Floats, rows: Rows, values: Floats | float, fill: Floats | float = 0) -> Floats:
    """A copy of a column or table with these rows set; rows beyond its end make it longer, gaps are `fill`."""
    size = max(len(column), int(rows.max()) + 1 if len(rows) else 0)
    longer = np.empty((size, *column.shape[1:]), column.dtype)
    longer[: len(column)], longer[len(column) :] = column, fill
    longer[rows] = values
    return longer


def _damped_means(
    keys: NDArray[np.integer], values: NDArray[np.float64], weights: NDArray[np.float64] | None, size: int, damping: float
) -> NDArray[np.float64]:
    """sum(weight * value) / (sum(weight) + damping) of each key, float64 [size]; zero without evidence."""
    total = np.bincount(keys, values if weights is None else values * weights, size)
    evidence = np.bincount(keys, weights, size) + damping
    return np.asarray(np.divide(total, evidence, out=np.zeros(size), where=evidence > 0))
