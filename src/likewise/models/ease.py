"""EASE: each item is predicted from all others by one ridge regression in closed form.

    score(u, i) = sum_j w_uj B[j, i]        B = I - P diag(1 / diag P)        P = (X' W X + diag(ridge))^-1

(Steck 2019). The diagonal of B is zero, so an item does not predict itself; without that constraint B = I - P diag(ridge).
`ridge_i = l2 * (g_i / mean g)^item_power + dropout / (1 - dropout) * g_i` with g the diagonal of X' W X: the second term is what
training on histories with likes dropped at random comes to (Steck 2020). W weighs a user by (length of history)^-user_power, so
that the busiest do not decide everything. People are their histories: someone new is answered as someone trained on, and a score
is a sum over history entries, so reasons are exact. A catalogue too large for the matrix keeps the nearest items of each (`ease_sparse`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.base import Arrays, Context, FittedModel, Model, Parts, check_rows
from likewise.models.ease_sparse import local_columns
from likewise.models.gram import activity_weights, dense_gram, diagonal, inverse_by_users, invert_in_place, sparse_gram, weights_of
from likewise.models.graph import Graph, of_history
from likewise.models.item_weights import DenseWeights, FactoredWeights, ItemWeights, SparseWeights, sorted_csr, weights_from_state
from likewise.models.levels import grown
from likewise.models.likes import LikeRule
from likewise.models.link import Link
from likewise.shapes import Floats, Rows

if TYPE_CHECKING:
    from likewise.data.dataset import Dataset

L2 = (25.0, 50.0, 100.0, 200.0, 400.0, 700.0, 1200.0, 2000.0)
ITEM_POWER = (0.0, 0.5, 1.0)
DENSE_ITEMS = 16_000
"""Largest catalogue that keeps all weights when nothing is said: a matrix of 1 GB."""
SPARSE_NEIGHBOURS = 100
FEW_USERS = 4
"""With so many times more items than users the weights are kept as a product of two matrices [item, user]."""


@dataclass(frozen=True)
class EASE(Model):
    """Settings of EASE.

    Parameters
    ----------
    l2 : float above 0, or None
        Penalty of an item of mean popularity, in likes. None chooses it on an inner split.
    user_power : float, 0 or more
        A user weighs (length of history) ^ -user_power; 0 is the published EASE.
    item_power : float or None
        An item's penalty grows with its popularity to this power; 0 is the published EASE. None chooses it on an inner split.
    dropout : float in [0, 1)
        Share of likes imagined to be missing.
    zero_diagonal : bool
        Whether an item may not predict itself.
    neighbours : int, at least 1, or None
        Weights kept for each item; None keeps all in catalogues of up to 16,000 items and 100 in larger ones.
    positive : str or None
        Ratings that are likes, such as ">=4"; None takes every event.
    rating_power : float, 0 or more
        How much more a higher rating counts; 0 counts every like the same.

    Examples
    --------
    >>> EASE(l2=400.0, item_power=0.0, user_power=0.0).zero_diagonal
    True
    """

    l2: float | None = None
    user_power: float = 0.5
    item_power: float | None = None
    dropout: float = 0.0
    zero_diagonal: bool = True
    neighbours: int | None = None
    positive: str | None = None
    rating_power: float = 0.0

    name: ClassVar[str] = "ease"
    solvers: ClassVar[frozenset[str]] = frozenset({"closed_form"})

    def __post_init__(self) -> None:
        if self.l2 is not None and not (np.isfinite(self.l2) and self.l2 > 0):
            raise InputError(f"l2 must be above 0, or None to choose it; got {self.l2}")
        if not (np.isfinite(self.user_power) and self.user_power >= 0):
            raise InputError(f"user_power must be 0 or more; got {self.user_power}")
        if self.item_power is not None and not np.isfinite(self.item_power):
            raise InputError(f"item_power must be a number; got {self.item_power}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be in [0, 1); got {self.dropout}")
        if self.neighbours is not None and self.neighbours < 1:
            raise InputError(f"neighbours must be at least 1, or None; got {self.neighbours}")
        LikeRule(self.positive, self.rating_power)  # refuses what is no comparison

    def choices(self, data: Dataset) -> dict[str, tuple[tuple[Any, ...], Any]]:
        """Values to try of each setting left open, and where to begin: a penalty of five times the likes of a mean item."""
        usual = 5 * len(data.interactions) / max(data.n_items, 1)
        open_ones = {"l2": (L2, min(L2, key=lambda l2: abs(np.log(l2 / max(usual, 1e-9))))), "item_power": (ITEM_POWER, 0.5)}
        return {name: found for name, found in open_ones.items() if getattr(self, name) is None}

    def solve(self, data: Dataset) -> FittedEASE:
        """The fitted model; settings left open are l2=400 and item_power=0.5.

        Raises InputError if no event is a like.
        """
        events = data.interactions
        rule = LikeRule.of(events, self.positive, self.rating_power)
        known = replace(rule.likes(events.by_user), times=None)
        config = replace(self, l2=self.l2 or 400.0, item_power=0.5 if self.item_power is None else self.item_power)
        kept = config._kept(events.n_items)
        weights, left = config._dense(known, events.n_items) if kept is None else config._sparse(known, events.n_items, kept)
        return FittedEASE(config, known, weights, left, _usual(known, weights), rule)

    def ridge(self, own: Floats) -> Floats:
        """The penalty of each item, float32 [item], from the diagonal of X' W X."""
        liked = own[own > 0]
        share = np.where(own > 0, own / (liked.mean() if len(liked) else 1.0), 1.0)
        return np.asarray(float(self.l2 or 0) * share ** (self.item_power or 0) + self.dropout / (1 - self.dropout) * own, np.float32)

    def _kept(self, n_items: int) -> int | None:
        kept = SPARSE_NEIGHBOURS if self.neighbours is None and n_items > DENSE_ITEMS else self.neighbours
        return None if kept is None or kept >= n_items - 1 else kept

    def _dense(self, known: Histories, n_items: int) -> tuple[ItemWeights, Floats]:
        user_weights = activity_weights(known, self.user_power)
        if len(known) < n_items // FEW_USERS:
            return self._factored(known, user_weights, n_items)
        matrix = dense_gram(known, user_weights, n_items)
        ridge = self.ridge(np.diagonal(matrix).copy())
        matrix[np.diag_indices(n_items)] += ridge
        invert_in_place(matrix)
        inverse = np.maximum(np.diagonal(matrix), np.float32(1e-12))
        left = (1 / inverse - ridge).astype(np.float32)
        matrix *= -(1 / inverse if self.zero_diagonal else ridge)
        if self.zero_diagonal:
            matrix[np.diag_indices(n_items)] = 0
        else:
            matrix[np.diag_indices(n_items)] += 1
        return DenseWeights(matrix), left

    def _factored(self, known: Histories, user_weights: Floats, n_items: int) -> tuple[ItemWeights, Floats]:
        own = np.bincount(known.rows, np.repeat(user_weights, known.counts) * weights_of(known) ** 2, n_items).astype(np.float32)
        ridge = self.ridge(own)
        half = inverse_by_users(known, user_weights, ridge, n_items)
        squares = np.einsum("iu,iu->i", half, half, dtype=np.float64)
        inverse = np.maximum(1 / ridge - squares, 1e-12)
        scale = 1 / inverse if self.zero_diagonal else ridge.astype(np.float64)
        diagonal = squares * scale if self.zero_diagonal else np.zeros(n_items)
        right = (half * scale[:, None]).astype(np.float32)
        return FactoredWeights(half, right, diagonal.astype(np.float32)), (1 / inverse - ridge).astype(np.float32)

    def _sparse(self, known: Histories, n_items: int, kept: int) -> tuple[ItemWeights, Floats]:
        gram = sparse_gram(known, activity_weights(known, self.user_power), n_items)
        ridge = self.ridge(diagonal(gram))
        items = np.arange(n_items, dtype=np.int32)
        neighbours, weights, left = local_columns(gram, ridge, items, kept)
        if not self.zero_diagonal:
            weights, own = _with_diagonal(weights, left, ridge)
            neighbours, weights = np.column_stack([neighbours, items]), np.column_stack([weights, own])
        real = (neighbours >= 0) & (weights != 0)
        columns = np.repeat(items, real.sum(1))
        return SparseWeights(sorted_csr(neighbours[real], columns, weights[real], n_items)), left


@dataclass(frozen=True, eq=False)
class FittedEASE(FittedModel[Histories]):
    """EASE after a fit; a person is represented by their likes.

    Parameters
    ----------
    known : Histories
        The likes of each trained person.
    weights : ItemWeights
        B.
    left : float32 [item]
        What of an item's own weight G_ii the other items do not explain.
    usual : float32 [item]
        The mean person's scores: the answer for somebody without likes.
    rule : LikeRule
        Which events are likes, and their weights.
    """

    config: EASE
    known: Histories
    weights: ItemWeights
    left: Floats
    usual: Floats
    rule: LikeRule
    link: Link = Link("free")  # noqa: RUF009 - frozen

    @property
    def n_users(self) -> int:
        return len(self.known)

    @property
    def n_items(self) -> int:
        return self.weights.n_items

    @property
    def item_vectors(self) -> None:
        return None

    def graph(self) -> Graph:
        return of_history(self, "item weights", f"{self.n_items:,} × {self.n_items:,}", "matrix product")

    def people(self, users: Rows) -> Histories:
        check_rows(users, self.n_users, "users")
        return self.known.take(users)

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Histories:
        check_rows(histories.rows, self.n_items, "items of a history")
        return replace(self.rule.likes(histories), times=None)

    def score(self, people: Histories, items: Rows | None = None) -> Floats:
        scores = self.weights.sums(people)
        scores[people.counts == 0] = self.usual
        if items is None:
            return scores
        check_rows(items, self.n_items, "items")
        return np.where(items >= 0, scores[:, items], np.float32(0))

    def score_pairs(self, people: Histories, items: Rows, context: Context | None = None) -> Floats:
        if len(items) != len(people):
            raise InputError(f"there must be an item for each of the {len(people)} people; {len(items)} were given")
        check_rows(items, self.n_items, "items")
        usual = np.where(items >= 0, self.usual[items], np.float32(0))
        return np.where(people.counts == 0, usual, self.weights.pair_sums(people, items))

    def explain(self, people: Histories, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        items = np.full(len(people), item, np.int32)
        scores = self.score_pairs(people, items)
        own = np.where(histories.rows >= 0, self.rule.weights(histories), np.float32(0))
        shares = own * self.weights.at(histories.rows, np.full(len(own), item, np.int32))
        parts = []
        for n, score in enumerate(scores.tolist()):
            taste = shares[histories.indptr[n] : histories.indptr[n + 1]].astype(np.float32)
            mean = score if people.counts[n] == 0 else 0.0
            parts.append(Parts(mean, 0.0, 0.0, taste, score, score, {}, score - mean - float(taste.sum(dtype=np.float64))))
        return parts

    def with_people(self, users: Rows, people: Histories) -> Self:
        return replace(self, known=self.known.replaced(users, people))

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        """New items are regressed on the items nearest to them, and answer for them as the whole solution would."""
        likes = self.rule.likes(histories)
        columns, rows = np.zeros((len(items), self.n_items), np.float32), np.zeros((len(items), self.n_items), np.float32)
        for n in range(len(items)):
            columns[n], rows[n] = self._joined(likes.take(np.array([n], np.int32)))
        weights = self.weights.with_items(items, columns, rows)
        raters = np.bincount(np.repeat(np.arange(len(likes)), likes.counts), minlength=len(likes)) / max(self.n_users, 1)
        left, usual = (
            grown(self.left, items, 0),
            grown(self.usual, items, (columns @ self._mean_history() * (raters > 0)).astype(np.float32)),
        )
        return replace(self, weights=weights, left=left, usual=usual)

    def _joined(self, raters: Histories) -> tuple[Floats, Floats]:
        """What old items say of a new one that these users like, and what it says of them, float32 [item] each."""
        from_old, to_old = np.zeros(self.n_items, np.float32), np.zeros(self.n_items, np.float32)
        own = weights_of(raters)
        users = self.known.take(raters.rows)
        if not len(users.rows):
            return from_old, to_old
        weight = activity_weights(self.known, self.config.user_power)[raters.rows]
        together = np.bincount(users.rows, np.repeat(weight * own, users.counts) * weights_of(users), self.n_items)
        near = np.argsort(-together, kind="stable")[: min(SPARSE_NEIGHBOURS, int((together > 0).sum()))].astype(np.int32)
        gram = self._gram_of(near)
        ridge = self.config.ridge(np.diagonal(gram).copy()).astype(np.float64)
        b = np.linalg.solve(gram.astype(np.float64) + np.diag(ridge), together[near])
        size = float((weight * own**2).sum())
        penalty = float(self.config.l2 or 0) + self.config.dropout / (1 - self.config.dropout) * size
        schur = max(size + penalty - float(together[near] @ b), 1e-6)
        if self.config.zero_diagonal:
            inverse = 1 / np.maximum(self.left[near] + ridge, 1e-6)
            from_old[near], to_old[near] = b, (b / schur) / (inverse + b * b / schur)
        else:
            from_old[near], to_old[near] = b * penalty / schur, b * ridge / schur
        return from_old, to_old

    def _gram_of(self, items: Rows) -> Floats:
        """X' W X of some items, [some, some]."""
        place = np.full(self.n_items, -1, np.int32)
        place[items] = np.arange(len(items), dtype=np.int32)
        inside = Histories(self.known.indptr, place[self.known.rows], None, weights_of(self.known)).keep(place[self.known.rows] >= 0)
        return dense_gram(inside, activity_weights(self.known, self.config.user_power), len(items), 1)

    def _mean_history(self) -> Floats:
        return np.asarray(np.bincount(self.known.rows, weights_of(self.known), self.n_items) / max(self.n_users, 1), np.float32)

    def state(self) -> Arrays:
        known: Arrays = {"known_indptr": self.known.indptr, "known_rows": self.known.rows, "known_weights": weights_of(self.known)}
        weights: Arrays = {f"weights_{name}": array for name, array in self.weights.state().items()}
        return {**known, **weights, "left": self.left, "usual": self.usual, "rule": self.rule.state()}

    @classmethod
    def from_state(cls, config: EASE, state: Mapping[str, NDArray[Any]]) -> Self:
        known = Histories(state["known_indptr"], state["known_rows"], None, state["known_weights"])
        weights = weights_from_state({name.removeprefix("weights_"): array for name, array in state.items() if name.startswith("weights_")})
        return cls(config, known, weights, state["left"], state["usual"], LikeRule.from_state(state["rule"]))


def _usual(known: Histories, weights: ItemWeights) -> Floats:
    """Scores of the mean history, float32 [item]."""
    total = np.bincount(known.rows, weights_of(known), weights.n_items) / max(len(known), 1)
    liked = np.flatnonzero(total).astype(np.int32)
    everybody = Histories(np.array([0, len(liked)], np.int64), liked, None, total[liked].astype(np.float32))
    return np.asarray(weights.sums(everybody)[0])


def _with_diagonal(weights: Floats, left: Floats, ridge: Floats) -> tuple[Floats, Floats]:
    """Weights of the regression without the zero diagonal, and the diagonal itself, from those with it.

    With the diagonal P_ii = 1 / (left_i + ridge_i), column i of I - P diag(ridge) is ridge_i P_ii times the constrained column.
    """
    own = ridge / np.maximum(left + ridge, np.float32(1e-12))
    return (weights * own[:, None]).astype(np.float32), (1 - own).astype(np.float32)
