"""The dot product learned by softmax over the catalogue: each like is a choice from all items.

    score(u, i) = b_i + p_u . q_i            chance that a like of u is i = exp(score(u, i)) / sum_j exp(score(u, j))

A person new is the optimum of the training loss with the items fixed, and there the penalty balances the likes:

    p_u = 1 / ridge * sum over likes j of w_j (q_j - mean of q under the person's chances)

so reasons add up: each like puts a known share into every score. Someone without likes gets the mean vector.

Rows learned beside the items explain the very likes that shaped these, and trust them too far. With `Weighing.people` everybody is
found anew after training and held more, the likes of a long history by their root: what a list needs is what comes next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories, Interactions
from likewise.models.base import Arrays, Context, FittedModel, Parts, Side, check_rows, dot_rows
from likewise.models.chances import WIDE, Choices, Takers, best_rows, softmax
from likewise.models.levels import grown
from likewise.models.link import Link
from likewise.shapes import Floats, Rows

if TYPE_CHECKING:
    from likewise.models.dot import Dot

BIAS_RIDGE = 0.1
"""Penalty of a new item's bias around the mean one, so that an item without likes has a finite one."""


@dataclass(frozen=True)
class Weighing:
    """What likes and penalties count in the loss, a sum over likes.

    Parameters
    ----------
    users : float
        A like weighs `scale` * (length of the person's history) ^ -users.
    scale : float
    l2, power : float
        A row is penalised by l2 * usual * (weight of its likes / usual) ^ (1 - power).
    usual_user, usual_item : float
        Mean weight of the likes of a person, of an item.
    temperature : float
        What training divided scores by; the scores here are divided already.
    people : float
        Above 0, people are found after training under people * l2 * usual * (weight of their likes / usual) ^ 0.5 instead.
    """

    users: float
    scale: float
    l2: float
    power: float
    usual_user: float
    usual_item: float
    temperature: float = 1.0
    people: float = 0.0

    @classmethod
    def of(cls, data: Interactions, users: float, l2: float, power: float, temperature: float = 1.0, people: float = 0.0) -> Self:
        """Likes that weigh one on average; both sides' vectors are divided by the root of the temperature, so penalties grow by it."""
        lengths = data.by_user.counts[data.by_user.counts > 0].astype(np.float64)
        events = max(len(data), 1)
        scale = events / max(float((lengths ** (1 - users)).sum()), 1e-12)
        usual = events / max(len(lengths), 1), events / max(int((data.by_item.counts > 0).sum()), 1)
        return cls(users, scale, l2 * temperature, power, *usual, temperature, people)

    def each(self, lengths: NDArray[np.integer] | Floats) -> NDArray[np.float64]:
        """What a like counts in histories of these lengths."""
        return np.asarray(self.scale * np.maximum(lengths, 1.0) ** -self.users, np.float64)

    @property
    def held(self) -> tuple[float, float]:
        """(power, times l2) of the penalty of people."""
        return (0.5, self.people) if self.people else (self.power, 1.0)

    def of_people(self, mass: NDArray[np.float64]) -> Floats:
        """The penalty of people by the weight of their likes."""
        return self._ridge(mass, self.usual_user, *self.held)

    def of_items(self, mass: NDArray[np.float64]) -> Floats:
        """The penalty of items by the weight of their likes."""
        return self._ridge(mass, self.usual_item, self.power, 1.0)

    def _ridge(self, mass: NDArray[np.float64], usual: float, power: float, times: float) -> Floats:
        return np.asarray(times * self.l2 * usual * np.maximum(mass / max(usual, 1e-12), 1e-6) ** (1 - power), np.float32)

    def state(self) -> NDArray[np.float64]:
        """As an array."""
        return np.array([self.users, self.scale, self.l2, self.power, self.usual_user, self.usual_item, self.temperature, self.people])


@dataclass(frozen=True, eq=False)
class FittedSoftmax(FittedModel[Floats]):
    """Vectors learned by softmax.

    Parameters
    ----------
    user_factors, item_factors : float32 [user, factor], [item, factor]
    item_bias : float32 [item]
    usual : float32 [factor]
        The mean vector of the people who liked something.
    lengths : float32 [user]
        Length of each person's history.
    weighing : Weighing
    """

    config: Dot
    user_factors: Floats
    item_factors: Floats
    item_bias: Floats
    usual: Floats
    lengths: Floats
    weighing: Weighing
    link: Link = Link("free")  # noqa: RUF009 - frozen

    @classmethod
    def trained(
        cls, config: Dot, user_factors: Floats, item_factors: Floats, item_bias: Floats, weighing: Weighing, data: Interactions
    ) -> Self:
        """From what a solver found; people without likes get the mean vector."""
        lengths = data.by_user.counts
        liked = lengths > 0
        usual = user_factors[liked].mean(0, dtype=np.float64).astype(np.float32) if liked.any() else user_factors[:1].sum(0)
        users = np.where(liked[:, None], user_factors, usual).astype(np.float32)
        if weighing.l2 == 0:  # nothing held the rows: how far they spread stands in
            spread = max(float((users[liked] ** 2).mean()) if liked.any() else 1.0, 1e-6)
            weighing = replace(weighing, l2=1 / (spread * weighing.usual_user), power=1.0)
        fitted = cls(config, users, item_factors, item_bias, usual, lengths.astype(np.float32), weighing)
        return fitted._anew(data.by_user) if weighing.people else fitted

    @property
    def n_users(self) -> int:
        return len(self.user_factors)

    @property
    def n_items(self) -> int:
        return len(self.item_factors)

    @cached_property
    def item_vectors(self) -> Floats:
        return np.column_stack([self.item_factors, self.item_bias]).astype(np.float32)

    def factors(self, side: Side) -> Floats:
        return self.user_factors if side == "user" else self.item_factors

    def people(self, users: Rows) -> Floats:
        check_rows(users, self.n_users, "users")
        return _with_one(np.where((users >= 0)[:, None], self.user_factors[users], self.usual))

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Floats:
        check_rows(histories.rows, self.n_items, "items of a history")
        return _with_one(self._folded(histories))

    def score(self, people: Floats, items: Rows | None = None) -> Floats:
        return people @ (self.item_vectors if items is None else self._items(items)).T

    def score_pairs(self, people: Floats, items: Rows, context: Context | None = None) -> Floats:
        return dot_rows(people, self._items(items))

    def explain(self, people: Floats, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        vector = self._items(np.array([item], np.int32))[0]
        parts = []
        for n in range(len(people)):
            mine = histories.take(np.array([n], np.int32))
            score, item_part = float(people[n] @ vector), float(vector[-1])
            taste = self._shares(mine, people[n], vector[:-1])
            nobody = not (mine.rows >= 0).any()
            mean = score - item_part if nobody else 0.0
            parts.append(Parts(mean, 0.0, item_part, taste, score, score, {}, score - item_part - mean - float(taste.sum())))
        return parts

    def with_people(self, users: Rows, people: Floats) -> Self:
        longer = grown(self.user_factors, users, people[:, :-1], self.usual)
        return replace(self, user_factors=longer, lengths=grown(self.lengths, users, self._usual_length, self._usual_length))

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        """An item is taken or left by every person, beside all others that they could choose."""
        check_rows(histories.rows, self.n_users, "users of a history")
        each = self.weighing.each(self.lengths)
        likes = _weighted(histories, lambda known: each[known.rows])
        design = _with_one(self.user_factors)
        ridge = np.repeat(self.weighing.of_items(_sums(likes))[:, None], design.shape[1], 1)
        ridge[:, -1] = BIAS_RIDGE
        centre = np.zeros(design.shape[1], np.float32)
        centre[-1] = self.item_bias.mean() if self.n_items else 0.0
        mass = (each * self.lengths).astype(np.float32)
        logs = self._logs()
        rows = best_rows(
            lambda some: (Takers(_dense(likes, some, self.n_users), mass), -self._beside(items[some], logs)), design, ridge, centre
        )
        if not self.config.bias:
            rows[:, -1] = 0
        longer = grown(self.item_vectors, items, rows, centre if self.config.bias else 0 * centre)
        return replace(self, item_factors=np.ascontiguousarray(longer[:, :-1]), item_bias=longer[:, -1].copy())

    def state(self) -> Arrays:
        return {
            "user_factors": self.user_factors,
            "item_vectors": self.item_vectors,
            "usual": self.usual,
            "lengths": self.lengths,
            "weighing": self.weighing.state(),
        }

    @classmethod
    def from_state(cls, config: Dot, state: Mapping[str, NDArray[Any]]) -> Self:
        vectors = state["item_vectors"]
        weighing = Weighing(*(float(x) for x in state["weighing"]))
        fitted = cls(config, state["user_factors"], vectors[:, :-1], vectors[:, -1], state["usual"], state["lengths"], weighing)
        fitted.__dict__["item_vectors"] = vectors
        return fitted

    def _items(self, items: Rows) -> Floats:
        check_rows(items, self.n_items, "items")
        return np.where((items >= 0)[:, None], self.item_vectors[items], np.append(np.zeros_like(self.usual), self.item_bias.mean()))

    def _anew(self, histories: Histories) -> Self:
        """With everybody found from their own likes; their mean vector with them."""
        users, liked = self._folded(histories), histories.counts > 0
        usual = users[liked].mean(0, dtype=np.float64).astype(np.float32) if liked.any() else self.usual
        return replace(self, user_factors=np.where(liked[:, None], users, usual).astype(np.float32), usual=usual)

    def _folded(self, histories: Histories) -> Floats:
        """The optimum of each row for its likes, [row, factor]; the mean vector for those without."""
        likes = self._likes(histories)
        ridge = np.repeat(self.weighing.of_people(_sums(likes))[:, None], len(self.usual), 1)
        rows = best_rows(
            lambda some: (Choices(_dense(likes, some, self.n_items)), self.item_bias), self.item_factors, ridge, np.zeros_like(self.usual)
        )
        rows[likes.counts == 0] = self.usual
        return rows

    def _likes(self, histories: Histories) -> Histories:
        """What each like of these people counts; unknown items left out."""
        return _weighted(histories, lambda known: np.repeat(self.weighing.each(known.counts), known.counts))

    def _shares(self, history: Histories, person: Floats, vector: Floats) -> Floats:
        """What each entry of one history puts into the product with this vector, float32 [entry]."""
        likes = self._likes(history)
        taste = np.zeros(len(history.rows), np.float32)
        if len(likes.rows):
            chance = softmax(person[None] @ self.item_vectors.T)[0]
            away = self.item_factors[likes.rows] - chance @ self.item_factors
            taste[history.rows >= 0] = np.asarray(likes.weights) * (away @ vector) / float(self.weighing.of_people(_sums(likes))[0])
        return taste

    @property
    def _usual_length(self) -> float:
        return float(self.lengths.mean()) if len(self.lengths) else 1.0

    def _logs(self) -> Floats:
        """Log of what each person's scores sum to, float32 [user]."""
        logs = np.empty(self.n_users, np.float32)
        block = max(1, WIDE // max(1, self.n_items))
        for start in range(0, self.n_users, block):
            logits = _with_one(self.user_factors[start : start + block]) @ self.item_vectors.T
            top = logits.max(1, initial=-1e30)
            logs[start : start + block] = np.log(np.exp(logits - top[:, None]).sum(1)) + top
        return logs

    def _beside(self, items: Rows, logs: Floats) -> Floats:
        """Log of what each person's scores sum to without an item, float32 [item, user]; a new one is in no sum."""
        known = items < self.n_items
        own = np.where(known, items, 0)
        scores = self.item_factors[own] @ self.user_factors.T + self.item_bias[own, None]
        share = np.where(known[:, None], np.exp(np.minimum(scores - logs, 0)), 0)
        return np.asarray(logs + np.log1p(-np.minimum(share, 0.999)), np.float32)


def _with_one(rows: Floats) -> Floats:
    return np.column_stack([rows, np.ones(len(rows), np.float32)]).astype(np.float32)


def _weighted(histories: Histories, each: Callable[[Histories], NDArray[np.float64]]) -> Histories:
    """Entries of known rows alone, each weight times what it counts."""
    known = histories.keep(histories.rows >= 0)
    given = np.ones(len(known.rows), np.float32) if known.weights is None else known.weights
    return Histories(known.indptr, known.rows, None, (given * each(known)).astype(np.float32))


def _sums(likes: Histories) -> NDArray[np.float64]:
    """Weight of each row's likes, [row]."""
    owner = np.repeat(np.arange(len(likes)), likes.counts)
    return np.asarray(np.bincount(owner, likes.weights, len(likes)), np.float64)


def _dense(likes: Histories, some: slice, width: int) -> Floats:
    """The weights of some rows' likes as a matrix [row, other]."""
    rows = np.arange(len(likes), dtype=np.int32)[some]
    part = likes.take(rows)
    matrix = np.zeros((len(rows), width), np.float32)
    np.add.at(matrix, (np.repeat(np.arange(len(rows)), part.counts), part.rows), np.asarray(part.weights))
    return matrix
