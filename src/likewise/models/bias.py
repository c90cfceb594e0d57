"""Biases alone: some people rate higher, some items are rated higher, and nothing else.

    score(u, i) = mean + b_u + b_i                        response = score, clipped to the rating range

`b_u` and `b_i` are damped means (`levels.py`; Koren 2010). The baseline that every model of ratings has to beat. A row never
seen has bias 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.models.base import Arrays, Context, FittedModel, Model, Parts, Side, dot_rows
from likewise.models.levels import Levels, check_damping, grown, level_at, rated
from likewise.models.link import Link
from likewise.shapes import Floats, Rows

if TYPE_CHECKING:
    from likewise.data.dataset import Dataset


@dataclass(frozen=True)
class Bias(Model):
    """Settings of the bias model.

    Parameters
    ----------
    user_damping, item_damping : float, 0 or more
        Ratings' worth of evidence for "no different from the mean"; draws people and items with few ratings to it.
    """

    user_damping: float = 5.0
    item_damping: float = 3.0

    name: ClassVar[str] = "bias"
    solvers: ClassVar[frozenset[str]] = frozenset({"closed_form"})

    def __post_init__(self) -> None:
        check_damping(user_damping=self.user_damping, item_damping=self.item_damping)

    def solve(self, data: Dataset) -> FittedBias:
        """The fitted model, in closed form.

        Raises InputError if the data has no ratings.
        """
        levels = Levels.of(data.interactions, self.user_damping, self.item_damping)
        return FittedBias(self, levels, rating_link(data))


@dataclass(frozen=True, eq=False)
class FittedBias(FittedModel[Floats]):
    """Biases after a fit. People are vectors (1, mean + b_u); items are (b_i, 1).

    Parameters
    ----------
    levels : Levels
    link : Link
    """

    config: Bias
    levels: Levels
    link: Link

    @property
    def n_users(self) -> int:
        return len(self.levels.users)

    @property
    def n_items(self) -> int:
        return len(self.levels.items)

    def people(self, users: Rows) -> Floats:
        return self._vectors(level_at(self.levels.users, users))

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Floats:
        return self._vectors(self.levels.of_people(histories))

    def score(self, people: Floats, items: Rows | None = None) -> Floats:
        return people @ (self.item_vectors if items is None else self._items(items)).T

    def score_pairs(self, people: Floats, items: Rows, context: Context | None = None) -> Floats:
        return dot_rows(people, self._items(items))

    def explain(self, people: Floats, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        mean, own = self.levels.mean, float(self.levels.at_items(np.array([item], np.int32))[0])
        parts = []
        for person, entries in zip(people, histories.counts, strict=True):
            level = float(person[1]) - mean
            score = mean + level + own
            response = float(self.link.respond(np.array([score], np.float32))[0])
            parts.append(Parts(mean, level, own, np.zeros(entries, np.float32), score, response, {}))
        return parts

    def with_people(self, users: Rows, people: Floats) -> Self:
        column = grown(self.levels.users, users, people[:, 1] - np.float32(self.levels.mean))
        return replace(self, levels=replace(self.levels, users=column))

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        column = grown(self.levels.items, items, self.levels.of_items(histories))
        return replace(self, levels=replace(self.levels, items=column))

    def biases(self, side: Side, histories: Histories) -> tuple[Floats, Floats] | None:
        mine, theirs, damping = self.levels.items, self.levels.users, self.config.item_damping
        if side == "user":
            mine, theirs, damping = theirs, mine, self.config.user_damping
        if histories.ratings is None:
            return None
        left = histories.ratings - self.levels.mean - np.repeat(mine, histories.counts) - theirs[histories.rows]
        spread = float(np.sqrt(np.mean(left**2))) if len(left) else 0.0
        return mine, (spread / np.sqrt(np.maximum(histories.counts + damping, 1))).astype(np.float32)

    def state(self) -> Arrays:
        scalars = np.array([self.levels.mean, self.link.low, self.link.high])
        return {"users": self.levels.users, "items": self.levels.items, "scalars": scalars}

    @classmethod
    def from_state(cls, config: Bias, state: Mapping[str, NDArray[Any]]) -> Self:
        mean, low, high = (float(x) for x in state["scalars"])
        levels = Levels(mean, state["users"], state["items"], config.user_damping, config.item_damping)
        return cls(config, levels, range_link(low, high))

    @cached_property
    def item_vectors(self) -> Floats:
        return self._item_rows(self.levels.items)

    def _vectors(self, own: Floats) -> Floats:
        return np.column_stack([np.ones(len(own), np.float32), own + np.float32(self.levels.mean)])

    def _items(self, items: Rows) -> Floats:
        return self._item_rows(self.levels.at_items(items))

    @staticmethod
    def _item_rows(levels: Floats) -> Floats:
        return np.column_stack([levels, np.ones(len(levels), np.float32)])


def rating_link(data: Dataset) -> Link:
    """Clips to the range that the data set declares, else to that of its ratings; free where there is no range."""
    ratings = rated(data.interactions.ratings, len(data.interactions))
    low, high = data.rating_range or ((float(ratings.min()), float(ratings.max())) if len(ratings) else (0.0, 0.0))
    return range_link(low, high)


def range_link(low: float, high: float) -> Link:
    """Clips to a range; free if it is infinite or a single point."""
    return Link("clip", low, high) if np.isfinite([low, high]).all() and low < high else Link("free")
