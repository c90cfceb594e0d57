"""Neighbours: what similar items (or people) got from this person (or for this item).

Ratings, with b = mean + b_u + b_i from `levels.py` and e = r - b (Koren 2010, section 2.2):

    score(u, i) = b_ui + sum_j s_ij e_uj / (restraint + sum_j s_ij),      j the k items of u's history most like i
    s_ij = common / (common + shrinkage) * cosine or correlation of the e of i and j; negative ones are left out

Likes: score(u, i) = sum_j s_ij w_uj, with s_ij over 0/1 columns. With by="user" people and items change places. People are
their histories, so someone never trained on is answered as someone who was. An item never seen scores the baseline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.base import Arrays, Context, FittedModel, Model, Parts, check_rows
from likewise.models.bias import range_link, rating_link
from likewise.models.graph import Graph, of_history
from likewise.models.levels import Levels, check_damping, grown, rated
from likewise.models.link import Link
from likewise.models.neighbours_item import ItemSide
from likewise.models.neighbours_user import UserSide
from likewise.models.similarity import Comparison
from likewise.shapes import Floats, Rows

if TYPE_CHECKING:
    from likewise.data.dataset import Dataset


@dataclass(frozen=True)
class Neighbours(Model):
    """Settings of the neighbours model.

    Parameters
    ----------
    by : "item" or "user"
        Whether items are compared (by who rated them) or people (by what they rated).
    k : int, at least 1
        Neighbours that make one score.
    similarity : "cosine" or "pearson"
        Cosine divides by all of both histories, Pearson by what they have in common; on likes it is the correlation of 0/1 columns.
    shrinkage : float, 0 or more
        Common events' worth of evidence for "not similar".
    restraint : float, 0 or more
        Similarity's worth of evidence for "as the baseline says"; ratings only.
    stored : int, at least 1
        Most similar neighbours that are looked at, for each item (or person); bounds memory and time.
    user_damping, item_damping : float, 0 or more
        Of the baseline, as in `Bias`; ratings only.
    """

    by: Literal["item", "user"] = "item"
    k: int = 40
    similarity: Literal["cosine", "pearson"] = "cosine"
    shrinkage: float = 50.0
    restraint: float = 0.1
    stored: int = 500
    user_damping: float = 5.0
    item_damping: float = 3.0

    name: ClassVar[str] = "neighbours"
    solvers: ClassVar[frozenset[str]] = frozenset({"closed_form"})

    def __post_init__(self) -> None:
        if self.by not in ("item", "user"):
            raise InputError(f"by must be 'item' or 'user'; got {self.by!r}")
        if self.similarity not in ("cosine", "pearson"):
            raise InputError(f"similarity must be 'cosine' or 'pearson'; got {self.similarity!r}")
        if self.k < 1 or self.stored < 1:
            raise InputError(f"k and stored must be at least 1; got k={self.k}, stored={self.stored}")
        for name, value in (("shrinkage", self.shrinkage), ("restraint", self.restraint)):
            if not (np.isfinite(value) and value >= 0):
                raise InputError(f"{name} must be 0 or more; got {value}")
        check_damping(user_damping=self.user_damping, item_damping=self.item_damping)

    @property
    def side(self) -> type[ItemSide] | type[UserSide]:
        """Which of the two is compared."""
        return ItemSide if self.by == "item" else UserSide

    def comparison(self, rated: bool) -> Comparison:
        """How rows are compared: residuals of ratings, or presence."""
        kind: Literal["cosine", "pearson", "phi"] = "phi" if self.similarity == "pearson" and not rated else self.similarity
        return Comparison(self.k, self.stored, self.shrinkage, kind)

    def solve(self, data: Dataset) -> FittedNeighbours:
        """The fitted model: levels and, by item, each item's neighbour list; by user, the residuals of everybody."""
        events = data.interactions
        with_ratings = events.ratings is not None
        levels = Levels.of(events, self.user_damping, self.item_damping) if with_ratings else None
        known = replace(events.by_user, times=None)
        side = self.side.of(_held(levels, known, events.n_items), self.comparison(with_ratings))
        return FittedNeighbours(self, known, side, levels, rating_link(data) if with_ratings else Link("free"))


@dataclass(frozen=True, eq=False)
class FittedNeighbours(FittedModel[Histories]):
    """Neighbours after a fit; a person is represented by their history.

    Parameters
    ----------
    known : Histories
        What each trained person did.
    side : ItemSide or UserSide
        Who is compared with whom.
    levels : Levels or None
        The baseline; None for likes.
    link : Link
    """

    config: Neighbours
    known: Histories
    side: ItemSide | UserSide
    levels: Levels | None
    link: Link

    @property
    def n_users(self) -> int:
        return len(self.known)

    @property
    def n_items(self) -> int:
        return self.side.n_items

    def graph(self) -> Graph:
        rows = self.n_items if self.config.by == "item" else self.n_users
        return of_history(self, f"similar {self.config.by}s", f"{rows:,} × nearest", "weighted mean", "of deviations")

    def people(self, users: Rows) -> Histories:
        return self.known.take(users)

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Histories:
        if self.levels is not None:
            rated(histories.ratings, len(histories.rows))  # refused here, not at the first answer
        return replace(histories, times=None)

    def score(self, people: Histories, items: Rows | None = None) -> Floats:
        out = self.side.score(self._held(people), self._restraint)
        if self.levels is not None:
            out += (self.levels.of_people(people) + np.float32(self.levels.mean))[:, None]
            out += self.levels.items
        if items is None:
            return out
        check_rows(items, self.n_items, "items")
        unknown = np.zeros(len(people), np.float32) if self.levels is None else self.levels.of_people(people) + np.float32(self.levels.mean)
        return np.where(items >= 0, out[:, items], unknown[:, None]) if self.n_items else np.repeat(unknown[:, None], len(items), 1)

    def score_pairs(self, people: Histories, items: Rows, context: Context | None = None) -> Floats:
        check_rows(items, self.n_items, "items")
        if len(items) != len(people):
            raise InputError(f"score_pairs takes one item a person; got {len(people)} people and {len(items)} items")
        out = self.side.score_pairs(self._held(people), items, self._restraint)
        if self.levels is not None:
            out += self.levels.of_people(people) + np.float32(self.levels.mean) + self.levels.at_items(items)
        return out

    def explain(self, people: Histories, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        levels = self.levels
        mean = 0.0 if levels is None else levels.mean
        own = np.zeros(len(people), np.float32) if levels is None else levels.of_people(people)
        level = 0.0 if levels is None else float(levels.at_items(np.array([item], np.int32))[0])
        held = self._held(people)
        scores = self.score_pairs(people, np.full(len(people), item, np.int32))
        parts = []
        for n, score in enumerate(scores):
            taste = self.side.contributions(held.take(np.array([n], np.int32)), item, self._restraint)
            response = float(self.link.respond(scores[n : n + 1])[0])
            residual = float(score) - mean - float(own[n]) - level - float(taste.sum())
            parts.append(Parts(mean, float(own[n]), level, taste.astype(np.float32), float(score), response, {}, residual))
        return parts

    def with_people(self, users: Rows, people: Histories) -> Self:
        known = _replaced(self.known, users, people)
        if self.levels is None:
            return replace(self, known=known)
        return replace(self, known=known, levels=replace(self.levels, users=grown(self.levels.users, users, self.levels.of_people(people))))

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        levels = self.levels
        if levels is not None:
            levels = replace(levels, items=grown(levels.items, items, levels.of_items(histories)))
        values = _weights(histories) if levels is None else levels.left_over_items(histories)
        side = self.side.with_items(items, histories, values, self._held(self.known))
        return replace(self, levels=levels, side=side)

    def state(self) -> Arrays:
        columns = {"indptr": self.known.indptr, "rows": self.known.rows, "ratings": self.known.ratings, "weights": self.known.weights}
        arrays: Arrays = {f"known_{name}": np.asarray(column) for name, column in columns.items() if column is not None}
        scalars = np.array([np.nan if self.levels is None else self.levels.mean, self.link.low, self.link.high])
        levels = {} if self.levels is None else {"levels_users": self.levels.users, "levels_items": self.levels.items}
        return {**arrays, **levels, **{f"side_{name}": array for name, array in self.side.state().items()}, "scalars": scalars}

    @classmethod
    def from_state(cls, config: Neighbours, state: Mapping[str, NDArray[Any]]) -> Self:
        known = Histories(state["known_indptr"], state["known_rows"], state.get("known_ratings"), state.get("known_weights"))
        mean, low, high = (float(x) for x in state["scalars"])
        levels = None
        if not np.isnan(mean):
            levels = Levels(mean, state["levels_users"], state["levels_items"], config.user_damping, config.item_damping)
        arrays = {name.removeprefix("side_"): array for name, array in state.items() if name.startswith("side_")}
        side = config.side.from_state(arrays, config.comparison(levels is not None))
        return cls(config, known, side, levels, range_link(low, high))

    @property
    def item_vectors(self) -> None:
        return None

    def _held(self, people: Histories) -> CSR:
        return _held(self.levels, people, self.n_items)

    @property
    def _restraint(self) -> float | None:
        return None if self.levels is None else self.config.restraint


def _held(levels: Levels | None, histories: Histories, n_items: int) -> CSR:
    """What each person holds: residuals of ratings, or weights of likes; [person, item]."""
    values = _weights(histories) if levels is None else levels.left_over(histories)
    return CSR(histories.indptr, histories.rows, values, n_items)


def _weights(histories: Histories) -> Floats:
    return np.ones(len(histories.rows), np.float32) if histories.weights is None else histories.weights


def _replaced(known: Histories, rows: Rows, values: Histories) -> Histories:
    """A copy in which these rows are those of `values`; rows beyond the end are new, gaps are empty."""
    size = max(len(known), int(rows.max()) + 1 if len(rows) else 0)
    source = np.full(size, -1, np.int32)
    source[: len(known)] = np.arange(len(known), dtype=np.int32)
    source[rows] = len(known) + np.arange(len(values), dtype=np.int32)
    indptr = np.concatenate([known.indptr, known.indptr[-1] + values.indptr[1:]])

    def joined(a: Floats | None, b: Floats | None) -> Floats | None:
        if a is None and b is None:
            return None
        first = np.ones(len(known.rows), np.float32) if a is None else a
        return np.concatenate([first, np.ones(len(values.rows), np.float32) if b is None else b])

    both = Histories(
        indptr, np.concatenate([known.rows, values.rows]), joined(known.ratings, values.ratings), joined(known.weights, values.weights)
    )
    return both.take(source)
