"""The posterior of the dot product: many draws of its parameters, which answer together.

    score(u, i) = mean over draws of  centre + b_u + b_i + v_u . v_i

With contexts c the pairs (u, c), (i, c), (c, c') meet as well, as in factorisation machines (Rendle, 2010). A mean of dot products
is a dot product of the draws side by side: people are (v, b, 1) of each draw and items (v, 1, b) / draws, so ranking is the same
single matrix product as for one draw. Three columns more: the logarithm of how precise a person's ratings are, which no score
reads, and two of the `Echo` of a rating in the histories of its user and item.
A row never seen is the prior mean of its field; a context not given is the mean of those in training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.models.base import Arrays, Context, FittedModel, Parts, Predictive, Side, dot_rows
from likewise.models.dot import Dot
from likewise.models.draws import FieldDraws, widened
from likewise.models.link import Link
from likewise.models.observed import Observed
from likewise.models.rows import RowModel, RowPrior
from likewise.shapes import Floats, Rows

TAIL = 3
"""Columns of people and items behind those of the draws."""
LATENT_ROUNDS = 4
"""Rounds in which latents of levels and the row folded in from them settle."""


@dataclass(frozen=True, eq=False)
class FittedPosterior(FittedModel[Floats]):
    """Draws from the posterior of `Dot`.

    Parameters
    ----------
    users, items : FieldDraws
    contexts : mapping of name to FieldDraws
    usual : mapping of name to float32 [draw, width]
        Mean context row of the training ratings under each draw: what stands in for a context that is not given.
    observed : Observed
        How a rating comes from a score: scale, noise, cut points.
    """

    config: Dot
    users: FieldDraws
    items: FieldDraws
    observed: Observed
    contexts: Mapping[str, FieldDraws] = field(default_factory=dict)
    usual: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def link(self) -> Link:  # type: ignore[override]
        return self.observed.link

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def n_draws(self) -> int:
        """Draws kept."""
        return self.users.n_draws

    @property
    def reads_features(self) -> bool:
        return self.users.features is not None or self.items.features is not None

    # ---- people --------------------------------------------------------------------------------------------------------------

    def people(self, users: Rows) -> Floats:
        """Trained people, float32 [batch, draw * (k + 2) + 3]."""
        return self._people(self.users.take(users), self.users.scales(users), *self.users.echo.take(users))

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Floats:
        """People never trained on, drawn from their conditional under each draw."""
        share, told = self._echo(self.users, histories)
        return self._people(self._fold("user", histories, features), np.ones(len(histories), np.float32), share, told)

    def with_people(self, users: Rows, people: Floats) -> Self:
        scale, share, told = people[:, -TAIL:].T
        return replace(self, users=self.users.with_rows(users, self._rows(people)[:, :, :-1], np.exp(scale), share, told))

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        rows = self._fold("item", histories, features)
        share, told = self._echo(self.items, histories)
        return replace(self, items=self.items.with_rows(items, rows, np.ones(len(rows), np.float32), share, told))

    # ---- scores --------------------------------------------------------------------------------------------------------------

    @cached_property
    def item_vectors(self) -> Floats:
        """float32 [item, draw * (k + 2) + 3], so that score = people @ item_vectors.T."""
        return self._item_side(np.arange(self.n_items, dtype=np.int32), None)

    def score(self, people: Floats, items: Rows | None = None) -> Floats:
        vectors = self.item_vectors if items is None else self._items(items)
        return people @ vectors.T

    def score_pairs(self, people: Floats, items: Rows, context: Context | None = None) -> Floats:
        vectors = self._items(items) if self._is_usual(context) else self._item_side(items, context)
        return dot_rows(people, vectors)

    def draws_of_pairs(self, people: Floats, items: Rows, context: Context | None = None) -> Floats:
        """Score of each pair under each draw, float32 [batch, draw]."""
        vectors = self._items(items) if self._is_usual(context) else self._item_side(items, context)
        shape = (len(people), self.n_draws, -1)
        scores = np.einsum("bsk,bsk->bs", people[:, :-TAIL].reshape(shape), vectors[:, :-TAIL].reshape(shape))
        echo = (people[:, -2:] * vectors[:, -2:]).sum(1)[:, None]
        return np.asarray(scores * np.float32(self.n_draws) + echo, np.float32)

    def predictive(self, people: Floats, items: Rows, context: Context | None = None) -> Predictive:
        """The distribution of each rating: uncertainty of the parameters, and noise of people and items.

        Somebody, or something, nothing is known of is the prior mean under each draw, so that the mean is the population's answer;
        here the prior's own spread is added.
        """
        scale = np.exp(people[:, -TAIL]) * self.items.scales(items)
        draws = widened(self.draws_of_pairs(people, items, context), self._prior_variance(people, items))
        return self.observed.predictive(draws, scale)

    def one_draw(self, people: Floats, draw: int) -> tuple[FittedPosterior, Floats]:
        """The model of one draw alone, and these people under it: one plausible model, for Thompson sampling."""
        contexts = {name: rows.of_draw(draw) for name, rows in self.contexts.items()}
        usual = {name: rows[draw : draw + 1] for name, rows in self.usual.items()}
        model = replace(
            self,
            users=self.users.of_draw(draw),
            items=self.items.of_draw(draw),
            observed=self.observed.of_draw(draw),
            contexts=contexts,
            usual=usual,
        )
        width = (people.shape[1] - TAIL) // self.n_draws
        return model, np.hstack([people[:, draw * width : (draw + 1) * width], people[:, -TAIL:]])

    # ---- reasons -------------------------------------------------------------------------------------------------------------

    def explain(self, people: Floats, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        """The conditional mean of a person's row is linear in the ratings: parts are exact, averaged over draws.

        `extra` holds what the prior knew from features and history, and what the draws differ from their mean by.
        """
        rows = np.array([item], np.int32)
        named = None if context is None else {name: value[:1] for name, value in context.items()}
        vector = self._item_side(rows, named)[0] if not self._is_usual(named) else self._items(rows)[0]
        return [self._parts(people[n], histories.take(np.array([n], np.int32)), vector) for n in range(len(people))]

    def biases(self, side: Side, histories: Histories) -> tuple[Floats, Floats]:
        """Mean and standard deviation over the draws; what the features and the history explain of a bias is in it."""
        draws = (self.users if side == "user" else self.items).rows[:, :, -1].astype(np.float32) * np.float32(self.observed.unit)
        centred = draws - draws.mean(0)
        return centred.mean(1), centred.std(1)

    def row_models(self) -> list[RowModel]:
        """One a draw, in the units of the rows."""
        models = []
        for draw in range(self.n_draws):
            design = self._item_draws[:, draw].copy()
            design[:, -1] = 1
            prior = RowPrior(self.users.nobody[draw], self.users.precision[draw].astype(np.float32))
            models.append(RowModel(prior, design, float(1 / self.observed.alpha[draw])))
        return models

    def factors(self, side: Side) -> Floats:
        """Directions of the mean score: the right side of its truncated singular value decomposition, [row, factor]."""
        return self._axes[0] if side == "user" else self._axes[1]

    # ---- keeping -------------------------------------------------------------------------------------------------------------

    def state(self) -> Arrays:
        arrays = {**self.users.state("users"), **self.items.state("items"), **self.observed.state()}
        for name, draws in self.contexts.items():
            arrays |= draws.state(f"context:{name}") | {f"usual:{name}": self.usual[name]}
        return arrays

    @classmethod
    def from_state(cls, config: Dot, state: Mapping[str, NDArray[Any]]) -> Self:
        names = [key.removeprefix("usual:") for key in state if key.startswith("usual:")]
        return cls(
            config,
            FieldDraws.from_state("users", state),
            FieldDraws.from_state("items", state),
            Observed.from_state(state),
            {name: FieldDraws.from_state(f"context:{name}", state) for name in names},
            {name: state[f"usual:{name}"] for name in names},
        )

    # ---- inside --------------------------------------------------------------------------------------------------------------

    def _people(self, rows: Floats, scales: Floats, share: Floats, told: Floats) -> Floats:
        n, draws, width = rows.shape
        people = np.ones((n, draws * (width + 1) + TAIL), np.float32)
        people[:, :-TAIL].reshape(n, draws, width + 1)[:, :, :width] = rows.astype(np.float16)  # as they would be stored
        people[:, -TAIL:] = np.column_stack([np.log(scales), share, told])
        return people

    def _rows(self, people: Floats) -> Floats:
        """People as [batch, draw, (v, b, 1)]."""
        return people[:, :-TAIL].reshape(len(people), self.n_draws, -1)

    def _items(self, items: Rows) -> Floats:
        if len(items) and items.min() >= 0:
            return self.item_vectors[items]
        return self._item_side(items, None)

    def _prior_variance(self, people: Floats, items: Rows) -> Floats:
        """What the priors of people and items nothing is known of add to the variance of each score, float32 [batch]."""
        rows = self._rows(people)[:, :, :-1]
        nobody, nothing = (rows == self.users.nobody.astype(np.float16)).all((1, 2)), items < 0
        variance = np.zeros(len(items), np.float32)
        if nobody.any():
            variance[nobody] += self.users.variance_along(self._with_context(self.items.take(items[nobody]), None))
        if nothing.any():
            variance[nothing] += self.items.variance_along(rows[nothing])
        if (nobody & nothing).any():
            variance[nobody & nothing] += self.users.variance_with(self.items)
        return np.asarray(variance * np.float32(self.observed.unit**2), np.float32)

    def _is_usual(self, context: Context | None) -> bool:
        return not self.contexts or not context or not set(context) & set(self.contexts)

    def _item_side(self, items: Rows, context: Context | None) -> Floats:
        """Items with their context as one row, (v, unit, b) of each draw, in the units of the score."""
        rows = self._with_context(self.items.take(items), context)
        unit = np.float32(self.observed.unit)
        n, draws, width = rows.shape
        side = np.zeros((n, draws * (width + 1) + TAIL), np.float32)
        share, told = self.items.echo.take(items)
        side[:, -2], side[:, -1] = told * unit, share * unit
        parts = side[:, :-TAIL].reshape(n, draws, width + 1)
        parts[:, :, : width - 1] = rows[:, :, :-1] * (unit / draws)
        parts[:, :, width - 1] = unit / draws
        parts[:, :, width] = (rows[:, :, -1] * unit + np.float32(self.observed.centre)) / draws
        return side

    def _with_context(self, rows: Floats, context: Context | None) -> Floats:
        """Rows of one side that have taken up the context: v + v_c, b + b_c + v . v_c."""
        for name, draws in self.contexts.items():
            given = (context or {}).get(name)
            usual = self.usual[name]
            other = usual[None] if given is None else np.where((given >= 0)[:, None, None], draws.take(given), usual)
            meet = (rows[:, :, :-1] * other[:, :, :-1]).sum(2)
            rows = rows + other
            rows[:, :, -1] += meet
        return rows

    def _fold(self, side: Side, histories: Histories, features: CSR | None) -> Floats:
        """Rows of one side [batch, draw, width] from ratings; ratings of unknown partners are left out."""
        mine, other, partners = (self.users, self.items, self._item_draws) if side == "user" else (self.items, self.users, self._user_draws)
        known = (histories.rows >= 0) & (histories.rows < len(other))
        histories = histories if known.all() else histories.keep(known)
        weights = self._weights(other, histories)
        scores = np.zeros(len(histories.rows), np.float32)
        rows = mine.fold(histories, features, partners, self.observed.alpha, self._targets(histories, scores), weights)
        for _ in range(LATENT_ROUNDS if self.observed.is_levels else 0):
            scores = _pair_scores(rows, histories, partners)
            rows = mine.fold(histories, features, partners, self.observed.alpha, self._targets(histories, scores), weights)
        return rows

    def _echo(self, mine: FieldDraws, histories: Histories) -> tuple[Floats, Floats]:
        """Shares and tellings of rows folded in from these histories."""
        return mine.echo.shares_of(histories.counts), np.full(len(histories), mine.echo.usual_told, np.float32)

    def _targets(self, histories: Histories, scores: Floats) -> Floats:
        ratings = np.ones(len(histories.rows), np.float32) if histories.ratings is None else histories.ratings
        return self.observed.targets(ratings, scores)

    def _weights(self, other: FieldDraws, histories: Histories) -> Floats:
        weights = other.scales(histories.rows)
        return weights if histories.weights is None else (weights * histories.weights).astype(np.float32)

    @cached_property
    def _item_draws(self) -> Floats:
        return self._with_context(self.items.rows.astype(np.float32), None)

    @cached_property
    def _user_draws(self) -> Floats:
        return self._with_context(self.users.rows.astype(np.float32), None)

    def _parts(self, person: Floats, history: Histories, vector: Floats) -> Parts:
        rows = self._rows(person[None])[0, :, :-1].astype(np.float64)
        item = vector[:-TAIL].reshape(self.n_draws, -1).astype(np.float64)
        slope, own = item[:, :-1], float(item[:, -1].sum() - self.observed.centre)
        weights, side = self._weights(self.items, history), self._item_draws
        targets = self._targets(history, _pair_scores(rows.astype(np.float32)[None], history, side))
        design = side[history.rows].transpose(1, 0, 2).astype(np.float64)
        rest = targets - design[:, :, -1]
        design[:, :, -1] = 1
        strength = weights * np.exp(person[-TAIL]) * self.observed.alpha[:, None]
        precision = self.users.precision + np.einsum("snk,sn,snl->skl", design, strength, design)
        pull = np.linalg.solve(precision, slope[:, :, None])[:, :, 0]
        taste = (np.einsum("sk,snk->sn", pull, design) * strength * rest).sum(0)
        lift = np.einsum("sk,skl->sl", pull, self.users.precision)
        general = float((lift * self.users.nobody).sum())
        known = self.users.prior_means(history, None)[0] - self.users.nobody
        about = {"history": float((lift * known).sum())} if self.users.history is not None else {}
        score = float(np.float32(person @ vector))
        rest_of_it = score - self.observed.centre - own - general - float(taste.sum()) - sum(about.values())
        about["features and draws"] = rest_of_it
        response = float(self.link.respond(np.array([score], np.float32))[0])
        return Parts(self.observed.centre, general, own, taste.astype(np.float32), score, response, about)

    @cached_property
    def _axes(self) -> tuple[Floats, Floats]:
        """Factors of users and items whose dot product is the mean over draws of v . v, by a randomised range finder."""
        k = self.users.rows.shape[2] - 1
        users = self.users.rows[:, :, :-1].reshape(self.n_users, -1).astype(np.float32)
        items = self.items.rows[:, :, :-1].reshape(self.n_items, -1).astype(np.float32) / np.float32(self.n_draws)
        basis = items @ (users.T @ np.random.default_rng(0).standard_normal((self.n_users, k + 8), np.float32))
        for _ in range(2):
            basis = np.linalg.qr(items @ (users.T @ (users @ (items.T @ basis))))[0]
        left, size, right = np.linalg.svd(users @ (items.T @ basis), full_matrices=False)
        root = np.sqrt(size[:k])
        return (left[:, :k] * root).astype(np.float32), (basis @ (right[:k].T * root)).astype(np.float32)


def _pair_scores(rows: Floats, histories: Histories, partners: Floats) -> Floats:
    """Mean score over draws of each entry of the histories, in the units of the rows."""
    mine = rows[np.repeat(np.arange(len(histories)), histories.counts)]
    theirs = partners[histories.rows]
    score = np.einsum("nsk,nsk->ns", mine[:, :, :-1], theirs[:, :, :-1]) + mine[:, :, -1] + theirs[:, :, -1]
    return np.asarray(score.mean(1), np.float32)
