"""Dot product of user and item factors, with biases.

    score(u, i) = mean + b_u + b_i + p_u . q_i            response = link(score)

`p_u`, `q_i` have `factors` entries; `b_u`, `b_i` are the user's and the item's bias (Koren, Bell and Volinsky 2009). The link
squeezes into a range by a scaled sigmoid, clips, or leaves the score. A row never seen gets the mean row of the trained ones.
Ranking sees one matrix product: users are (p, mean + b, 1) and items (q, 1, b).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories, Interactions
from likewise.errors import InputError
from likewise.models.base import Arrays, Context, FittedModel, Model, Parts, Side, dot_rows
from likewise.models.levels import grown
from likewise.models.link import Link
from likewise.models.rows import RowModel, RowPrior, bias_errors, improve_rows, new_rows, shares, solve_rows
from likewise.shapes import Floats, Rows

Output = Literal["sigmoid", "clip", "free", "logistic"]
Init = Literal["normal", "truncated", "scaled", "small"]


@dataclass(frozen=True)
class Dot(Model):
    """Settings of the dot-product model.

    Parameters
    ----------
    factors : int, at least 1
        Length of a user's and an item's vector.
    bias : bool
        Whether users and items have a bias of their own.
    output : "sigmoid", "clip", "free" or "logistic"
        Squeeze into `range`, limit to it, leave the score, or make it the probability of a like.
    range : (low, high) or None
        For "sigmoid" and "clip"; None takes it from the data ("sigmoid" a little wider, as the ends are never reached).
    init : "normal", "truncated", "scaled" or "small"
        Start of gradient solvers: normal with deviation 0.1; deviation 0.01, cut at two deviations, as fastai starts;
        normal / sqrt(factors); or deviation 0.005: factors that start near nothing learn the strongest tastes first, which is a
        regulariser of its own.
    freeze : layers that gradient training holds still, of "users", "items", biases with them; best with a start from another model.
    """

    factors: int = 50
    bias: bool = True
    output: Output = "clip"
    range: tuple[float, float] | None = None
    init: Init = "normal"
    freeze: tuple[str, ...] = ()

    name: ClassVar[str] = "dot"
    solvers: ClassVar[frozenset[str]] = frozenset({"gradient", "gibbs", "als"})

    def __post_init__(self) -> None:
        if self.factors < 1:
            raise InputError(f"factors must be at least 1; got {self.factors}")
        if self.output not in ("sigmoid", "clip", "free", "logistic"):
            raise InputError(f"output must be 'sigmoid', 'clip', 'free' or 'logistic'; got {self.output!r}")
        if self.init not in ("normal", "truncated", "scaled", "small"):
            raise InputError(f"init must be 'normal', 'truncated', 'scaled' or 'small'; got {self.init!r}")
        object.__setattr__(self, "freeze", tuple(self.freeze))
        if wrong := sorted(set(self.freeze) - {"users", "items"}):
            raise InputError(f"freeze holds 'users', 'items' or both; got {wrong[0]!r}")
        if self.range is not None:
            Link("clip", *self.range)  # refuses low >= high

    def link(self, data: Interactions, stated: tuple[float, float] | None = None) -> Link:
        """The output's last step on this data; `stated` is the range that the data set declares."""
        if self.output == "logistic":
            return Link("logistic")
        if data.ratings is None:
            return Link("free")
        if self.output == "free":
            return Link("clip")  # to no limits: the responses are ratings still
        if self.range is not None:
            return Link(self.output, *self.range)
        low, high = stated or (float(data.ratings.min()), float(data.ratings.max()))
        if self.output == "clip":
            return Link("clip", low, high) if low < high else Link("free")
        levels = np.unique(data.ratings)
        step = float(np.diff(levels).min()) if len(levels) > 1 else 1.0
        return Link("sigmoid", low - step, high + step / 2)


@dataclass(frozen=True, eq=False)
class FittedDot(FittedModel[Floats]):
    """The dot product after a fit.

    Parameters
    ----------
    user_factors, item_factors : float32 [user, factor], [item, factor]
    user_bias, item_bias : float32 [user], [item]
    mean : float
    link : Link
    user_prior, item_prior : RowPrior over (factors, bias)
    noise : float
        Variance of a training rating around its prediction.
    """

    config: Dot
    user_factors: Floats
    item_factors: Floats
    user_bias: Floats
    item_bias: Floats
    mean: float
    link: Link
    user_prior: RowPrior
    item_prior: RowPrior
    noise: float

    @classmethod
    def trained(
        cls,
        config: Dot,
        user_factors: Floats,
        item_factors: Floats,
        user_bias: Floats,
        item_bias: Floats,
        mean: float,
        link: Link,
        data: Interactions,
    ) -> Self:
        """From what a solver found: rows without ratings become the mean row; priors and noise are measured on the training data."""
        users, items = data.by_user.counts, data.by_item.counts
        user_rows = np.column_stack([user_factors, user_bias]).astype(np.float32)
        item_rows = np.column_stack([item_factors, item_bias]).astype(np.float32)
        user_prior, item_prior = RowPrior.of_rows(user_rows, users), RowPrior.of_rows(item_rows, items)
        user_rows[users == 0] = user_prior.mean
        item_rows[items == 0] = item_prior.mean
        if not config.bias:
            user_rows[:, -1], item_rows[:, -1] = 0, 0
        fitted = cls(
            config,
            np.ascontiguousarray(user_rows[:, :-1]),
            np.ascontiguousarray(item_rows[:, :-1]),
            user_rows[:, -1].copy(),
            item_rows[:, -1].copy(),
            float(mean),
            link,
            user_prior,
            item_prior,
            1.0,
        )
        return replace(fitted, noise=fitted._residual_variance(data))

    @property
    def n_users(self) -> int:
        return len(self.user_factors)

    @property
    def n_items(self) -> int:
        return len(self.item_factors)

    def people(self, users: Rows) -> Floats:
        known = users >= 0
        rows = np.where(known[:, None], self.user_factors[users], self.user_prior.mean[:-1])
        bias = np.where(known, self.user_bias[users], self.user_prior.mean[-1] if self.config.bias else 0)
        return self._vectors(rows, bias)

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Floats:
        if len(histories.rows) < self.n_items // 4 and (histories.rows >= 0).all():
            # the few items that occur are gathered: a service folds people in while it maps the model from its file
            some, places = np.unique(histories.rows, return_inverse=True)
            histories = replace(histories, rows=places.astype(np.int32))
            design, offsets = self._design(self.item_factors[some]), self.mean + self.item_bias[some]
        else:
            design, offsets = self._item_design, self.mean + self.item_bias
        rows = solve_rows(histories, design, offsets, self.user_prior, self.noise, self.link)
        if not self.config.bias:
            rows[:, -1] = 0
        return self._vectors(rows[:, :-1], rows[:, -1])

    def score(self, people: Floats, items: Rows | None = None) -> Floats:
        vectors = self.item_vectors if items is None else self._items(items)
        return people @ vectors.T

    def score_pairs(self, people: Floats, items: Rows, context: Context | None = None) -> Floats:
        return dot_rows(people, self._items(items))

    def explain(self, people: Floats, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        vector = self._items(np.array([item], np.int32))[0]
        design = np.append(vector[:-2], np.float32(1 if self.config.bias else 0))
        return [self._parts(people[n], histories.take(np.array([n], np.int32)), vector, design) for n in range(len(people))]

    def with_people(self, users: Rows, people: Floats) -> Self:
        rows = np.column_stack([people[:, :-2], people[:, -2] - self.mean])
        longer = grown(np.column_stack([self.user_factors, self.user_bias]), users, rows, self.user_prior.mean)
        return replace(self, user_factors=np.ascontiguousarray(longer[:, :-1]), user_bias=longer[:, -1].copy())

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        rows = solve_rows(histories, self._user_design, self.mean + self.user_bias, self.item_prior, self.noise, self.link)
        if not self.config.bias:
            rows[:, -1] = 0
        longer = grown(np.column_stack([self.item_factors, self.item_bias]), items, rows, self.item_prior.mean)
        return replace(self, item_factors=np.ascontiguousarray(longer[:, :-1]), item_bias=longer[:, -1].copy())

    def refined(self, side: Side, rows: Rows, histories: Histories, features: CSR | None = None) -> Self:
        """Rows move by a conjugate-gradient step from where they are; new ones are found from the population's row."""
        users = side == "user"
        factors, bias, prior = (
            (self.user_factors, self.user_bias, self.user_prior) if users else (self.item_factors, self.item_bias, self.item_prior)
        )
        fixed = (self._item_design, self.mean + self.item_bias) if users else (self._user_design, self.mean + self.user_bias)
        table = np.column_stack([factors, bias])
        old = rows < len(table)
        values = np.empty((len(rows), table.shape[1]), np.float32)
        places = np.flatnonzero(old).astype(np.int32), np.flatnonzero(~old).astype(np.int32)
        values[old] = improve_rows(table[rows[old]], histories.take(places[0]), *fixed, prior, self.noise, self.link)
        values[~old] = new_rows(histories.take(places[1]), *fixed, prior, self.noise, self.link)
        if not self.config.bias:
            values[:, -1] = 0
        longer = grown(table, rows, values, prior.mean)
        table, bias = np.ascontiguousarray(longer[:, :-1]), longer[:, -1].copy()
        return replace(self, user_factors=table, user_bias=bias) if users else replace(self, item_factors=table, item_bias=bias)

    def row_models(self) -> list[RowModel]:
        """One: the population's row and its covariance, ratings through the link's slope at the population's answer."""
        usual = self.mean + self.item_bias + self.item_factors @ self.user_prior.mean[:-1] + self.user_prior.mean[-1]
        slope = self.link.slope(np.asarray(usual, np.float32))
        return [RowModel(self.user_prior, self._item_design * slope[:, None], self.noise)]

    def factors(self, side: Side) -> Floats:
        return self.user_factors if side == "user" else self.item_factors

    def biases(self, side: Side, histories: Histories) -> tuple[Floats, Floats] | None:
        """Shrunk towards zero by how little the row's own ratings say (empirical Bayes), as gradient descent shrinks rare rows too little.

        Errors count the spread of ratings around the biases alone: how well the factors fit in training is no evidence.
        """
        if not self.config.bias or histories.ratings is None:
            return None
        users = side == "user"
        mine, theirs = (self.user_bias, self.item_bias) if users else (self.item_bias, self.user_bias)
        left = histories.ratings - self.mean - np.repeat(mine, histories.counts) - theirs[histories.rows]
        noise = max(float(np.mean(left**2)), self.noise) if len(left) else self.noise
        design, prior = (self._item_design, self.user_prior) if users else (self._user_design, self.item_prior)
        known = histories.counts > 0
        between = float(np.var(mine[known])) if known.any() else 1.0
        trust = between / (between + noise / np.maximum(histories.counts, 1))
        return np.asarray(mine * trust, np.float32), bias_errors(histories, design, prior, noise)

    def state(self) -> Arrays:
        # the items' vectors are kept as ranking reads them, so that processes can share them in the file
        names = ("user_factors", "user_bias", "item_vectors")
        priors = {
            "user_mean": self.user_prior.mean,
            "user_precision": self.user_prior.precision,
            "item_mean": self.item_prior.mean,
            "item_precision": self.item_prior.precision,
        }
        kinds = ("free", "clip", "sigmoid", "logistic")
        scalars = np.array([self.mean, self.noise, kinds.index(self.link.kind), self.link.low, self.link.high])
        return {**{name: getattr(self, name) for name in names}, **priors, "scalars": scalars}

    @classmethod
    def from_state(cls, config: Dot, state: Mapping[str, NDArray[Any]]) -> Self:
        mean, noise, kind, low, high = (float(x) for x in state["scalars"])
        kinds: tuple[Literal["free", "clip", "sigmoid", "logistic"], ...] = ("free", "clip", "sigmoid", "logistic")
        vectors = state.get("item_vectors")
        fitted = cls(
            config,
            state["user_factors"],
            state["item_factors"] if vectors is None else vectors[:, :-2],
            state["user_bias"],
            state["item_bias"] if vectors is None else vectors[:, -1],
            mean,
            Link(kinds[int(kind)], low, high),
            RowPrior(state["user_mean"], state["user_precision"]),
            RowPrior(state["item_mean"], state["item_precision"]),
            noise,
        )
        if vectors is not None:
            fitted.__dict__["item_vectors"] = vectors
        return fitted

    @cached_property
    def item_vectors(self) -> Floats:
        vectors = np.ones((self.n_items, self.item_factors.shape[1] + 2), np.float32)
        vectors[:, :-2], vectors[:, -1] = self.item_factors, self.item_bias
        return vectors

    @cached_property
    def _item_design(self) -> Floats:
        return self._design(self.item_factors)

    @cached_property
    def _user_design(self) -> Floats:
        return self._design(self.user_factors)

    def _design(self, factors: Floats) -> Floats:
        """Factors with the bias's column of ones."""
        ones = np.full((len(factors), 1), 1 if self.config.bias else 0, np.float32)
        return np.ascontiguousarray(np.hstack([factors, ones]))

    def _vectors(self, factors: Floats, bias: Floats) -> Floats:
        return np.column_stack([factors, bias + np.float32(self.mean), np.ones(len(factors), np.float32)]).astype(np.float32)

    def _items(self, items: Rows) -> Floats:
        if len(items) and items.min() >= 0:
            return self.item_vectors[items]
        unknown = np.concatenate([self.item_prior.mean[:-1], [1.0], self.item_prior.mean[-1:] if self.config.bias else [0.0]]).astype(
            np.float32
        )
        return np.where((items >= 0)[:, None], self.item_vectors[items], unknown)

    def _parts(self, person: Floats, history: Histories, vector: Floats, design: Floats) -> Parts:
        row = np.append(person[:-2], person[-2] - np.float32(self.mean))
        entries, prior = shares(history, design, self._item_design, self.mean + self.item_bias, self.user_prior, self.noise, row, self.link)
        taste = entries[:, :-1].sum(1)
        score = float(person @ vector)
        own = float(row[-1])
        item = float(vector[-1] + prior[:-1].sum())
        residual = score - self.mean - own - item - float(taste.sum())
        response = float(self.link.respond(np.array([score], np.float32))[0])
        return Parts(self.mean, own, item, taste, score, response, {}, residual, entries[:, -1])

    def _residual_variance(self, data: Interactions, sample: int = 20_000) -> float:
        if data.ratings is None or not len(data):
            return 1.0
        events = np.linspace(0, len(data) - 1, min(len(data), sample)).astype(np.int64)
        score = self.score_pairs(self.people(data.users[events]), data.items[events])
        return max(float(np.mean((data.ratings[events] - self.link.respond(score)) ** 2)), 1e-4)
