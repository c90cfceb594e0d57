"""Vectors that are sums: a row of one's own, and a part that follows from features or from history. NumPy only.

    person = x_u + z_u        item = x_i + z_i        score = mean + b_u + b_i + person . item

`x` is learned for each row; `z` is a `Tower` of features (two-tower), or the sum of implicit item factors over what was rated,
divided by the root of its length (SVD++). For someone new z follows from what is known and x is solved for by ridge regression with
the trained rows as prior, so features alone give an answer and each rating moves it as much as it should.
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
from likewise.models.base import Arrays, Context, FittedModel, Model, Parts, Side, dot_rows
from likewise.models.levels import grown
from likewise.models.link import Link, LinkKind
from likewise.models.networks.tower import Tower, weighted_sums
from likewise.models.rows import RowModel, RowPrior, shares, solve_rows
from likewise.shapes import Floats, Rows

KINDS: tuple[LinkKind, ...] = ("free", "clip", "sigmoid", "logistic")


@dataclass(frozen=True, eq=False)
class FittedSums(FittedModel[Floats]):
    """A model of summed vectors after a fit.

    Parameters
    ----------
    users, items : float32 [user, factor + 1], [item, factor + 1]
        Whole vectors, the bias as last column.
    mean : float
    user_prior, item_prior : RowPrior over x, the part learned for each row
    noise : float
        Variance of a training rating around its prediction.
    user_tower, item_tower : Tower or None
        What features add, factor + 1 wide.
    implicit : float32 [item, factor] or None
        What having rated an item adds to a person.
    mirrored : float32 [user, factor] or None
        What having been rated by a user adds to an item.
    """

    config: Model
    users: Floats
    items: Floats
    mean: float
    link: Link
    user_prior: RowPrior
    item_prior: RowPrior
    noise: float
    user_tower: Tower | None = None
    item_tower: Tower | None = None
    implicit: Floats | None = None
    mirrored: Floats | None = None

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @cached_property
    def item_vectors(self) -> Floats:
        return _as_items(self.items)

    def factors(self, side: Side) -> Floats:
        return self.users[:, :-1] if side == "user" else self.items[:, :-1]

    def people(self, users: Rows) -> Floats:
        return self._as_people(_looked_up(self.users, users, self.user_prior))

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Floats:
        return self._as_people(self._solve("user", histories, features))

    def score(self, people: Floats, items: Rows | None = None) -> Floats:
        vectors = self.item_vectors if items is None else _as_items(_looked_up(self.items, items, self.item_prior))
        return people @ vectors.T

    def score_pairs(self, people: Floats, items: Rows, context: Context | None = None) -> Floats:
        return dot_rows(people, _as_items(_looked_up(self.items, items, self.item_prior)))

    def explain(self, people: Floats, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        """Each rating's share in the person's own part, and what its item adds to the implicit part.

        `extra` holds what features add; someone trained by descent is not exactly at the ridge solution, which is the residual.
        """
        return [self._parts(people[n], histories.take(np.array([n], np.int32)), item) for n in range(len(people))]

    def with_people(self, users: Rows, people: Floats) -> Self:
        rows = np.column_stack([people[:, :-2], people[:, -2] - np.float32(self.mean)])
        return replace(self, users=grown(self.users, users, rows, self.user_prior.mean))

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        longer = grown(self.items, items, self._solve("item", histories, features), self.item_prior.mean)
        implicit = self.implicit
        if implicit is not None and len(longer) > len(implicit):
            implicit = np.vstack([implicit, np.zeros((len(longer) - len(implicit), implicit.shape[1]), np.float32)])
        return replace(self, items=longer, implicit=implicit)

    @property
    def reads_features(self) -> bool:
        return self.user_tower is not None or self.item_tower is not None

    def row_models(self) -> list[RowModel]:
        """One, over the part of the vector that is learned for each row, from the population's person."""
        slope = self.link.slope(self.score(self.people(np.array([-1], np.int32)))[0])
        design = np.column_stack([self.items[:, :-1], np.ones(self.n_items, np.float32)]) * slope[:, None]
        return [RowModel(self.user_prior, np.asarray(design, np.float32), self.noise)]

    def state(self) -> Arrays:
        scalars = np.array([self.mean, self.noise, KINDS.index(self.link.kind), self.link.low, self.link.high])
        arrays: Arrays = {"users": self.users, "items": self.items, "scalars": scalars}
        for side, prior, tower in (("user", self.user_prior, self.user_tower), ("item", self.item_prior, self.item_tower)):
            arrays |= {f"{side}_mean": prior.mean, f"{side}_precision": prior.precision}
            if tower is not None:
                arrays |= {f"{side}_tower.{name}": array for name, array in tower.arrays().items()}
        given = {"implicit": self.implicit, "mirrored": self.mirrored}
        return arrays | {name: array for name, array in given.items() if array is not None}

    @classmethod
    def from_state(cls, config: Model, state: Mapping[str, NDArray[Any]]) -> Self:
        mean, noise, kind, low, high = (float(x) for x in state["scalars"])

        def tower(side: str) -> Tower | None:
            start = f"{side}_tower."
            return Tower.from_arrays({name[len(start) :]: array for name, array in state.items() if name.startswith(start)})

        priors = RowPrior(state["user_mean"], state["user_precision"]), RowPrior(state["item_mean"], state["item_precision"])
        link = Link(KINDS[int(kind)], low, high)
        towers = tower("user"), tower("item")
        return cls(
            config, state["users"], state["items"], mean, link, *priors, noise, *towers, state.get("implicit"), state.get("mirrored")
        )

    def _as_people(self, rows: Floats) -> Floats:
        ones = np.ones(len(rows), np.float32)
        return np.column_stack([rows[:, :-1], rows[:, -1] + np.float32(self.mean), ones]).astype(np.float32)

    def _given(self, side: Side, histories: Histories, features: CSR | None) -> Floats:
        """z, float32 [batch, factor + 1]: what follows from features and history."""
        tower = self.user_tower if side == "user" else self.item_tower
        given = np.zeros((len(histories), self.users.shape[1]), np.float32)
        if tower is not None and features is not None:
            given += tower(features)
        others = self.implicit if side == "user" else self.mirrored
        if others is not None:
            known = histories.keep(histories.rows >= 0)
            scale = np.repeat(1 / np.sqrt(np.maximum(known.counts, 1)), known.counts).astype(np.float32)
            given[:, :-1] += weighted_sums(CSR(known.indptr, known.rows, scale, len(others)), others)
        return given

    def _entries(self, side: Side, histories: Histories, given: Floats) -> tuple[Histories, Floats, Floats]:
        """(entries numbered, their design [entry, factor + 1], what each score holds without x)."""
        kept = histories.keep(histories.rows >= 0)
        others = (self.items if side == "user" else self.users)[kept.rows]
        design = np.column_stack([others[:, :-1], np.ones(len(others), np.float32)]).astype(np.float32)
        z = np.repeat(given, kept.counts, 0)
        offsets = np.asarray(self.mean + others[:, -1] + dot_rows(design, z), np.float32)
        return Histories(kept.indptr, np.arange(len(others), dtype=np.int32), kept.ratings, kept.weights), design, offsets

    def _solve(self, side: Side, histories: Histories, features: CSR | None) -> Floats:
        given = self._given(side, histories, features)
        entries, design, offsets = self._entries(side, histories, given)
        return solve_rows(entries, design, offsets, self.user_prior if side == "user" else self.item_prior, self.noise, self.link) + given

    def _parts(self, person: Floats, history: Histories, item: int) -> Parts:
        vector = _looked_up(self.items, np.array([item], np.int32), self.item_prior)[0]
        reach = np.append(vector[:-1], np.float32(1))
        given = self._given("user", history, None)
        entries, design, offsets = self._entries("user", history, given)
        row = np.append(person[:-2], person[-2] - np.float32(self.mean))
        x = row - given[0]
        known = history.rows >= 0
        taste, own, prior = np.zeros(len(history.rows), np.float32), np.zeros(len(reach), np.float32), self.user_prior.mean * reach
        levels = np.zeros(len(history.rows), np.float32)
        if known.any():
            by_entry, prior = shares(entries, reach, design, offsets, self.user_prior, self.noise, x, self.link)
            taste[known], levels[known], own = by_entry[:, :-1].sum(1), by_entry[:, -1], by_entry.sum(0)
            if self.implicit is not None:
                taste[known] += self.implicit[history.rows[known]] @ vector[:-1] / np.sqrt(known.sum())
        level = float(own[-1] + prior[-1])
        score = float(person @ _as_items(vector[None])[0])
        popular = float(vector[-1] + prior[:-1].sum())
        residual = score - self.mean - level - popular - float(taste.sum())
        response = float(self.link.respond(np.array([score], np.float32))[0])
        return Parts(self.mean, level, popular, taste, score, response, {}, residual, levels)


def _as_items(rows: Floats) -> Floats:
    return np.column_stack([rows[:, :-1], np.ones(len(rows), np.float32), rows[:, -1]]).astype(np.float32)


def _looked_up(table: Floats, rows: Rows, prior: RowPrior) -> Floats:
    return np.where((rows >= 0)[:, None], table[rows], prior.mean) if len(table) else np.tile(prior.mean, (len(rows), 1))


def _padded(table: Floats | None, size: int) -> Floats | None:
    """Rows of zeros behind the table's own, up to `size`."""
    if table is None or len(table) >= size:
        return table
    return np.vstack([table, np.zeros((size - len(table), table.shape[1]), np.float32)])
