"""A model whose scores are a table, and small worlds to evaluate it on."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from likewise.data.dataset import Dataset
from likewise.evaluation.held import Held
from likewise.models.base import FittedModel
from likewise.models.bias import Bias
from likewise.models.link import Link


class TableModel(FittedModel[Any]):
    """Scores [user, item] as given; row -1 gets `stranger` [item]; a folded-in person scores an item by how often they took it."""

    link = Link("clip", 1.0, 5.0)
    config = Bias()

    def __init__(self, scores: np.ndarray, stranger: np.ndarray | None = None) -> None:
        self.scores = scores.astype(np.float32)
        self.stranger = np.zeros(scores.shape[1], np.float32) if stranger is None else stranger.astype(np.float32)
        self._shape = scores.shape

    @property
    def n_users(self):
        return self._shape[0]

    @property
    def n_items(self):
        return self._shape[1]

    def people(self, users):
        return np.vstack([self.scores, self.stranger])[users]

    def fold_in(self, histories, features=None):
        return histories.csr(self.n_items).toarray()

    def score(self, people, items=None):
        return people if items is None else people[:, items]

    def score_pairs(self, people, items, context=None):
        return np.where(items >= 0, people[np.arange(len(people)), items], 0).astype(np.float32)

    def explain(self, people, histories, item, context=None):
        raise NotImplementedError

    def with_people(self, users, people):
        raise NotImplementedError

    def with_items(self, items, histories, features=None):
        raise NotImplementedError

    def state(self):
        return {}

    @classmethod
    def from_state(cls, config, state):
        raise NotImplementedError

    @property
    def item_vectors(self):
        return None


class Liker(TableModel):
    """The same whose scores are no ratings."""

    link = Link("free")


def held_of(pairs: list[tuple[int, int]], users: list[int], n_items: int, **columns: Any) -> Held:
    """Held-out (person, item) pairs; `users` is each person's row in the model; items from `n_items` on are unknown to it."""
    people, things = (np.array(column, np.int32).reshape(-1) for column in (zip(*pairs, strict=True) if pairs else ([], [])))
    width = max(n_items, int(things.max(initial=-1)) + 1)
    items = np.where(np.arange(width) < n_items, np.arange(width), -1).astype(np.int32)
    return Held(people, things, np.array(users, np.int32), items, **columns)


def dataset(rows: list[tuple], columns: tuple[str, ...] = ("user_id", "item_id", "rating"), **about: Any) -> Dataset:
    """A data set of rows."""
    return Dataset.of(pl.DataFrame(rows, schema=list(columns), orient="row"), **about)
