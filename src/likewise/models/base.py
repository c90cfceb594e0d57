"""What every model promises: settings before fitting (`Model`), answers after it (`FittedModel`).

A model is two things. Its *settings* are a frozen dataclass, checked when made and saved with the artifact. What a solver makes
of them is a *fitted model*: arrays and the answers that follow from them, in rows; ids never reach this room.

Every fitted model first turns people into a *representation* and then scores representations. For a model of vectors that is
a matrix [batch, factor]; for a model that reads histories it is the history. A person it was trained on (`people`) and one it
never saw (`fold_in`) get the same kind of representation, so everything downstream (ranking, reasons, serving) treats them alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.graph import Graph, of_vectors
from likewise.models.link import Link
from likewise.models.mixture import Mixture
from likewise.shapes import Floats, Rows

if TYPE_CHECKING:
    from likewise.models.rows import RowModel

P = TypeVar("P", Floats, Histories, Mixture)
"""How a model represents people: vectors, histories, or several of these (`Blend`)."""

Side = Literal["user", "item"]
Arrays = dict[str, NDArray[Any]]
Context = Mapping[str, Rows]
"""Context rows of each pair by name, -1 where unknown."""


@dataclass(frozen=True)
class Model(ABC):
    """Settings of a model; frozen, checked when made.

    Class attributes
    ----------------
    name : the registry's word for it, as used in presets and artifacts.
    solvers : names of the solvers that can fit it.
    reads_order : whether it learns from the order of a person's events.
    """

    name: ClassVar[str]
    solvers: ClassVar[frozenset[str]]
    reads_order: ClassVar[bool] = False

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as plain values, for the manifest and the preset files."""
        return asdict(self)


@dataclass(frozen=True)
class Parts:
    """One score split into what made it: the parts sum to `score`, and `response` is the score through the link.

    Parameters
    ----------
    mean, user, item : float
        The general level, the person's own level, the item's own level.
    taste : float32 [entry]
        What each entry of the person's history contributes, in the history's order.
    extra : mapping of name to float
        Anything else that the score holds: features, context, popularity; empty for most.
    residual : float
        What an attribution that is not exact left over (score minus all parts); zero for exact ones.
    level : float32 [entry] or None
        How much of `user` each entry accounts for, where the person's level is learned from them. It is part of `user` already;
        with `taste` it is nearly what the score would lose without the entry.
    score, response : float
    """

    mean: float
    user: float
    item: float
    taste: Floats
    score: float
    response: float
    extra: Mapping[str, float]
    residual: float = 0.0
    level: Floats | None = None

    @property
    def influence(self) -> Floats:
        """What each entry put into the score in all, float32 [entry]: its taste, and its share of the person's level."""
        return self.taste if self.level is None else self.taste + self.level


@dataclass(frozen=True)
class Predictive:
    """The distribution of a prediction, for models that have one.

    Parameters
    ----------
    mean, sd : float32 [batch]
        Of the rating that would be given, observation noise included in `sd`.
    sd_mean : float32 [batch]
        Of the expected rating alone: how unsure the model is.
    levels : float32 [level] or None
        The rating levels, where the model has them.
    probabilities : float32 [batch, level] or None
        Chance of each level.
    """

    mean: Floats
    sd: Floats
    sd_mean: Floats
    levels: Floats | None = None
    probabilities: Floats | None = None


class FittedModel(ABC, Generic[P]):
    """A model after fitting: answers in rows.

    `n_users` and `n_items` are abstract properties, so a dataclass must not have fields of those names. Scores live before the
    link, are float32, and rank items: higher is better. `link.respond` turns them into ratings,
    probabilities, or leaves them. Row -1 stands for a person or an item never seen and gets the population's answer.
    """

    config: Model
    link: Link

    @property
    @abstractmethod
    def n_users(self) -> int:
        """Rows of the user table."""

    @property
    @abstractmethod
    def n_items(self) -> int:
        """Rows of the item table."""

    @abstractmethod
    def people(self, users: Rows) -> P:
        """Representation of trained people, [batch, ...]; row -1 is someone nothing is known of."""

    @abstractmethod
    def fold_in(self, histories: Histories, features: CSR | None = None) -> P:
        """Representation of people never trained on, from what they did and, where the model reads them, their features.

        An empty history without features gives the same as `people` for row -1. The model is not changed.
        """

    @abstractmethod
    def score(self, people: P, items: Rows | None = None) -> Floats:
        """Scores [batch, item] of every item, or of the items named."""

    @abstractmethod
    def score_pairs(self, people: P, items: Rows, context: Context | None = None) -> Floats:
        """Scores [batch] of each person with the item beside it."""

    @abstractmethod
    def explain(self, people: P, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        """Why each person gets the score of this item: parts over their own history that add up."""

    @abstractmethod
    def with_people(self, users: Rows, people: P) -> Self:
        """A copy in which these users have these representations; rows from `n_users` on are new. Nobody else's answers change."""

    @abstractmethod
    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        """A copy in which these items are folded in from who rated them; rows from `n_items` on are new."""

    @abstractmethod
    def state(self) -> Arrays:
        """Everything but the settings, as arrays."""

    @classmethod
    @abstractmethod
    def from_state(cls, config: Any, state: Mapping[str, NDArray[Any]]) -> Self:
        """The model that `state` described."""

    @property
    @abstractmethod
    def item_vectors(self) -> Floats | None:
        """Matrix [item, column] such that score = people @ item_vectors.T, or None if no such matrix exists."""

    @property
    def reads_features(self) -> bool:
        """Whether what the tables say changes the answer about someone, or something, never rated."""
        return False

    def refined(self, side: Side, rows: Rows, histories: Histories, features: CSR | None = None) -> Self:
        """A copy in which these rows follow their whole histories again; nobody else's row moves, rows from the table's end on are new.

        Models whose rows are dear to solve may move them from where they are instead.
        """
        if side == "item":
            return self.with_items(rows, histories, features)
        return self.with_people(rows, self.fold_in(histories, features))

    @property
    def n_draws(self) -> int:
        """Plausible sets of parameters that the model holds; 0 for models that give a point."""
        return 0

    def one_draw(self, people: P, draw: int) -> tuple[FittedModel[P], P]:
        """The model of one plausible set of parameters alone, and these people under it."""
        raise NotImplementedError

    def row_models(self) -> list[RowModel]:
        """What ratings tell of a person's row, one model a draw, for choosing questions; empty where a person is no such row."""
        return []

    def graph(self) -> Graph:
        """How a score is made, for a drawing."""
        return of_vectors(self)

    def factors(self, side: Side) -> Floats | None:
        """What similarity, axes and maps are made of, [user or item, factor]; None for models without factors."""
        return None

    def biases(self, side: Side, histories: Histories) -> tuple[Floats, Floats] | None:
        """The bias of every row of one side, and its standard error given who was rated by whom; None for models without biases.

        `histories` holds the training events of every row of that side.
        """
        return None

    def predictive(self, people: P, items: Rows, context: Context | None = None) -> Predictive | None:
        """The distribution of each pair's rating; None for models that give a point."""
        return None


def dot_rows(a: Floats, b: Floats) -> Floats:
    """Row-wise dot products [batch] of two matrices [batch, column]."""
    return np.asarray(np.einsum("bk,bk->b", a, b, dtype=np.float32), np.float32)


def check_rows(rows: Rows, size: int, what: str) -> None:
    """Refuse rows outside [-1, size): beyond an array's end, compiled code would answer with whatever lies there."""
    if len(rows) and (int(rows.min()) < -1 or int(rows.max()) >= size):
        raise InputError(f"{what} must be rows in [0, {size}), or -1 for unknown; found {int(rows.min())} to {int(rows.max())}")
