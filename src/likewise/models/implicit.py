"""The dot product learned from likes: every pair counts, those that did not happen a little.

    score(u, i) = p_u . q_i          loss = sum over likes of w (score - 1)^2 + unobserved * sum over all pairs of score^2 + penalty

Weighted matrix factorisation (Hu, Koren and Volinsky 2008) with the penalty of Rendle et al. (2022): l2 times the weight that a
row has in the loss, to the power `exponent`. Someone new is the exact optimum of the same loss with the items fixed, so their
vector is a sum over their likes and reasons add up. Someone without likes gets the mean vector; an item without likes scores 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.models.base import Arrays, Context, FittedModel, Parts, Side, check_rows, dot_rows
from likewise.models.dot import Dot
from likewise.models.few import axes_of, rows_of_likes
from likewise.models.levels import grown
from likewise.models.likes import LikeRule
from likewise.models.link import Link
from likewise.models.ridge_rows import frequency_ridge, gram_of, update_rows
from likewise.shapes import Floats, Rows


@dataclass(frozen=True)
class Penalty:
    """What the loss holds beside the likes.

    Parameters
    ----------
    unobserved : float
        Weight of every pair, liked or not.
    l2, exponent : float
        A row is penalised by l2 * (its likes' weight + unobserved * size of the other side) ^ exponent.
    """

    unobserved: float
    l2: float
    exponent: float = 1.0

    def ridge(self, likes: Histories, others: int) -> Floats:
        """The penalty of each row, float32 [row]."""
        weight = np.add.reduceat(np.append(likes.weights, 0.0), likes.indptr[:-1]) if len(likes) else np.zeros(0)  # type: ignore[arg-type]
        return frequency_ridge(self.l2, self.exponent, np.where(likes.counts > 0, weight, 0.0), self.unobserved, others)


@dataclass(frozen=True, eq=False)
class FittedImplicit(FittedModel[Floats]):
    """Vectors learned from likes.

    Parameters
    ----------
    user_factors, item_factors : float32 [user, factor], [item, factor]
    usual : float32 [factor]
        The mean vector of the people who liked something: somebody nothing is known of.
    penalty : Penalty
    rule : LikeRule
        Which events are likes, and their weights.
    """

    config: Dot
    user_factors: Floats
    item_factors: Floats
    usual: Floats
    penalty: Penalty
    rule: LikeRule
    link: Link = Link("free")  # noqa: RUF009 - frozen

    @classmethod
    def trained(cls, config: Dot, user_factors: Floats, item_factors: Floats, penalty: Penalty, rule: LikeRule) -> Self:
        """From what a solver found; people without likes get the mean vector."""
        liked = np.abs(user_factors).sum(axis=1) > 0
        usual = user_factors[liked].mean(0, dtype=np.float64).astype(np.float32) if liked.any() else user_factors.sum(0)
        return cls(config, np.where(liked[:, None], user_factors, usual), item_factors, usual, penalty, rule)

    @property
    def n_users(self) -> int:
        return len(self.user_factors)

    @property
    def n_items(self) -> int:
        return len(self.item_factors)

    @property
    def item_vectors(self) -> Floats:
        return self.item_factors

    def factors(self, side: Side) -> Floats:
        return self.user_factors if side == "user" else self.item_factors

    def people(self, users: Rows) -> Floats:
        check_rows(users, self.n_users, "users")
        return np.where((users >= 0)[:, None], self.user_factors[users], self.usual)

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Floats:
        check_rows(histories.rows, self.n_items, "items of a history")
        likes = self.rule.likes(histories)
        rows = np.zeros((len(histories), len(self.usual)), np.float32)
        few = likes.counts < len(self.usual)
        if few.any():
            who = np.flatnonzero(few & (likes.counts > 0)).astype(np.int32)
            ridge = self.penalty.ridge(likes, self.n_items)
            rows[who] = rows_of_likes(who, likes, self.item_factors, self._item_axes, self.penalty.unobserved, ridge)
        if not few.all():
            many = np.flatnonzero(~few).astype(np.int32)
            rows[many] = self._solved(likes.take(many), self.item_factors, self._item_gram)
        rows[likes.counts == 0] = self.usual
        return rows

    def score(self, people: Floats, items: Rows | None = None) -> Floats:
        return people @ (self.item_factors if items is None else self._items(items)).T

    def score_pairs(self, people: Floats, items: Rows, context: Context | None = None) -> Floats:
        return dot_rows(people, self._items(items))

    def explain(self, people: Floats, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        vector = self._items(np.array([item], np.int32))[0]
        weights = np.where(histories.rows >= 0, self.rule.weights(histories), np.float32(0))
        parts = []
        for n in range(len(histories)):
            entries = slice(histories.indptr[n], histories.indptr[n + 1])
            score = float(people[n] @ vector)
            taste = self._shares(histories.rows[entries], weights[entries], vector)
            nobody = not (weights[entries] > 0).any()
            mean = score if nobody else 0.0
            parts.append(Parts(mean, 0.0, 0.0, taste, score, score, {}, 0.0 if nobody else score - float(taste.sum())))
        return parts

    def with_people(self, users: Rows, people: Floats) -> Self:
        longer = grown(self.user_factors, users, people)
        gaps = np.setdiff1d(np.arange(self.n_users, len(longer)), users)
        longer[gaps] = self.usual
        return replace(self, user_factors=longer)

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        rows = self._solved(self.rule.likes(histories), self.user_factors, gram_of(self.user_factors))
        return replace(self, item_factors=grown(self.item_factors, items, rows))

    def state(self) -> Arrays:
        penalty = np.array([self.penalty.unobserved, self.penalty.l2, self.penalty.exponent])
        factors = {"user_factors": self.user_factors, "item_factors": self.item_factors, "usual": self.usual}
        return {**factors, "penalty": penalty, "rule": self.rule.state()}

    @classmethod
    def from_state(cls, config: Dot, state: Mapping[str, NDArray[Any]]) -> Self:
        penalty = Penalty(*(float(x) for x in state["penalty"]))
        return cls(config, state["user_factors"], state["item_factors"], state["usual"], penalty, LikeRule.from_state(state["rule"]))

    @cached_property
    def _item_gram(self) -> Floats:
        return gram_of(self.item_factors)

    @cached_property
    def _item_axes(self) -> tuple[Floats, Floats]:
        return axes_of(self._item_gram)

    def _items(self, items: Rows) -> Floats:
        check_rows(items, self.n_items, "items")
        return np.where((items >= 0)[:, None], self.item_factors[items], np.float32(0))

    def _solved(self, likes: Histories, fixed: Floats, gram: Floats) -> Floats:
        """The optimum of each row for its likes; zero for those without."""
        rows = np.zeros((len(likes), fixed.shape[1]), np.float32)
        update_rows(rows, likes, fixed, self.penalty.unobserved, self.penalty.ridge(likes, len(fixed)), gram=gram)
        return rows

    def _shares(self, items: Rows, weights: Floats, vector: Floats) -> Floats:
        """What each entry of one history puts into the score of an item with this vector."""
        y = np.where((weights > 0)[:, None], self.item_factors[items], 0).astype(np.float64)
        likes = Histories(np.array([0, len(items)]), items, None, weights)
        a = self.penalty.unobserved * self._item_gram + float(self.penalty.ridge(likes, self.n_items)[0]) * np.eye(len(vector))
        return (weights * (y @ np.linalg.solve(a + (y * weights[:, None]).T @ y, vector))).astype(np.float32)
