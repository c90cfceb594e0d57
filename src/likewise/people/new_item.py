"""An item the model was not trained on: folded in once from who rated it and what is known of it. The model is never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from likewise.answers import Answers
from likewise.border import as_list, in_kind
from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.data.report import html_table
from likewise.errors import InputError
from likewise.models.base import FittedModel
from likewise.people.visitor import check_rating, encode_features
from likewise.ranking.similar import similar
from likewise.shapes import Floats, Rows

USERS_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class NewItem:
    """One item by who rated it and by its features, not by an id.

    Made by `Recommender.new_item`.

    Parameters
    ----------
    answers : Answers
    history : Histories
        Of one item, in user rows.
    features : CSR or None
        One row of encoded item features.
    title : str
    unknown : tuple
        Users that the model does not know; what they said is not used.
    """

    answers: Answers
    history: Histories
    features: CSR | None
    title: str
    unknown: tuple[Any, ...] = ()

    @cached_property
    def fitted(self) -> FittedModel[Any]:
        """The model with this item as its last row."""
        model = self.answers.fitted
        return model.with_items(np.array([model.n_items], np.int32), self.history, self.features)

    @property
    def source(self) -> str:
        """Which path answers: "folded" from ratings, "features" alone, or "cold"."""
        if len(self.history.rows):
            return "folded"
        return "features" if self.features is not None and self.fitted.reads_features else "cold"

    def predict(self, users: Any) -> Any:
        """The rating that a user would give it: a number for one user, an array for several; unknown ones get the population's answer."""
        values, alone = as_list(users)
        scores = self._scores(self.answers.data.users.rows(values))
        response: Floats = self.answers.fitted.link.respond(scores)
        return float(response[0]) if alone else response

    def similar_items(self, k: int = 10) -> Any:
        """The k known items whose vectors point the same way (cosine): item_id title similarity rank."""
        factors = self.fitted.factors("item")
        if factors is None:
            name = type(self.fitted.config).__name__
            raise InputError(f"{name} has no item factors, so nothing is alike; use a model of vectors such as Dot")
        found = similar(factors, np.array([len(factors) - 1], np.int32), k)
        rows = found.items[0][found.items[0] >= 0]
        return in_kind(self.answers.item_frame(rows, similarity=found.scores[0][: len(rows)]))

    def fans(self, k: int = 10) -> Any:
        """The k users who would like it most, without those who rated it: user_id score rank."""
        if k < 1:
            raise InputError(f"k must be at least 1; got {k}")
        scores = self._scores(np.arange(len(self.answers.data.users), dtype=np.int32))
        scores[self.history.rows] = -np.inf
        best = np.argsort(-scores, kind="stable")[: min(k, len(scores) - len(self.history.rows))]
        users = self.answers.data.users.take(best.astype(np.int32)).alias("user_id")
        score = self.answers.fitted.link.respond(scores[best])
        return in_kind(pl.DataFrame({"user_id": users, "score": score, "rank": np.arange(1, len(best) + 1, dtype=np.int32)}))

    def _scores(self, users: Rows) -> Floats:
        item = np.array([self.answers.fitted.n_items], np.int32)
        blocks = [users[start : start + USERS_AT_ONCE] for start in range(0, max(len(users), 1), USERS_AT_ONCE)]
        return np.concatenate([self.fitted.score(self.fitted.people(block), item)[:, 0] for block in blocks])

    def _repr_html_(self) -> str:
        lines = [("new item", self.title), ("ratings", f"{len(self.history.rows):,}"), ("answered as", self.source)]
        return html_table([*lines, *([("ignored, as unknown", ", ".join(map(str, self.unknown)))] if self.unknown else [])])

    def __repr__(self) -> str:
        ignored = f", {len(self.unknown)} unknown users ignored" if self.unknown else ""
        return f"NewItem({self.title!r}, {len(self.history.rows)} ratings{ignored}, {self.source})"


def new_item(
    answers: Answers, ratings: Mapping[Any, float | None] | None = None, features: Mapping[str, Any] | None = None, title: str = "new item"
) -> NewItem:
    """A new item from who rated it; see `Recommender.new_item`."""
    said: dict[int, float | None] = {}
    unknown: list[Any] = []
    for user, rating in (ratings or {}).items():
        value = check_rating(answers, title, rating)
        row = int(answers.data.users.rows([user])[0])
        if row < 0:
            unknown.append(user)
        else:
            said[row] = value
    rows = np.fromiter(said, np.int32, len(said))
    values = np.array([1.0 if r is None else r for r in said.values()], np.float32) if answers.data.explicit else None
    history = Histories(np.array([0, len(rows)], np.int64), rows, values)
    return NewItem(answers, history, encode_features(answers, features, "item"), title, tuple(unknown))
