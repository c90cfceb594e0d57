"""Popularity: everybody gets what most people took.

    score(u, i) = sum of weight * 2^(-age / half life) over the events of item i

Without a half-life every event counts the same. The baseline that every list has to beat; also what people without a history
get. Ratings count as events, high or low. An item never seen scores 0.
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
from likewise.models.base import Arrays, Context, FittedModel, Model, Parts, check_rows, dot_rows
from likewise.models.graph import Graph
from likewise.models.levels import grown, level_at
from likewise.models.link import Link
from likewise.shapes import NO_TIME, Floats, Rows, Times

if TYPE_CHECKING:
    from likewise.data.dataset import Dataset

DAY = 86_400.0


@dataclass(frozen=True)
class Popularity(Model):
    """Settings of the popularity model.

    Parameters
    ----------
    half_life : float or None
        Days after which an event counts half, before the newest event of the data; None: events do not age.
        An event without a time is as old as the middle one of those that have a time.
    """

    half_life: float | None = None

    name: ClassVar[str] = "popularity"
    solvers: ClassVar[frozenset[str]] = frozenset({"closed_form"})

    def __post_init__(self) -> None:
        if self.half_life is not None and not (np.isfinite(self.half_life) and self.half_life > 0):
            raise InputError(f"half_life must be a positive number of days or None; got {self.half_life}")

    def solve(self, data: Dataset) -> FittedPopularity:
        """The fitted model: one count an item.

        Raises InputError if there is a half-life and no event has a time.
        """
        events = data.interactions
        newest, usual = _clock(events.times)
        if self.half_life is not None and len(events) and newest == NO_TIME:
            raise InputError("half_life needs times and the data has none; read it with a timestamp column or leave half_life=None")
        weights = _aged(self.half_life, events.weights, events.times, newest, usual, len(events))
        counts = np.bincount(events.items, weights, events.n_items).astype(np.float32)
        return FittedPopularity(self, counts, events.n_users, newest, usual)


@dataclass(frozen=True, eq=False)
class FittedPopularity(FittedModel[Floats]):
    """Counts after a fit. Every person is the vector (1,); an item is (its count,).

    Parameters
    ----------
    counts : float32 [item]
    trained : int
        Number of users.
    newest, usual : int
        Time of the newest event, and the middle time, in seconds since 1970; `NO_TIME` where there were none.
    """

    config: Popularity
    counts: Floats
    trained: int
    newest: int = NO_TIME
    usual: int = NO_TIME
    link: Link = Link("free")  # noqa: RUF009 - frozen

    @property
    def n_users(self) -> int:
        return self.trained

    @property
    def n_items(self) -> int:
        return len(self.counts)

    def graph(self) -> Graph:
        graph = Graph()
        row = graph.add("item row", "[batch]", "input")
        return graph.end(self, graph.add("item count", f"{self.n_items:,}", "table", (row,)))

    def people(self, users: Rows) -> Floats:
        check_rows(users, self.trained, "users")
        return np.ones((len(users), 1), np.float32)

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Floats:
        return np.ones((len(histories), 1), np.float32)

    def score(self, people: Floats, items: Rows | None = None) -> Floats:
        return people @ (self.item_vectors if items is None else level_at(self.counts, items)[:, None]).T

    def score_pairs(self, people: Floats, items: Rows, context: Context | None = None) -> Floats:
        return dot_rows(people, level_at(self.counts, items)[:, None])

    def explain(self, people: Floats, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        count = float(level_at(self.counts, np.array([item], np.int32))[0])
        return [Parts(0.0, 0.0, count, np.zeros(entries, np.float32), count, count, {}) for entries in histories.counts]

    def with_people(self, users: Rows, people: Floats) -> Self:
        return replace(self, trained=max(self.trained, int(users.max()) + 1 if len(users) else 0))

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        entries = len(histories.rows)
        weights = _aged(self.config.half_life, histories.weights, histories.times, self.newest, self.usual, entries)
        counts = np.bincount(np.repeat(np.arange(len(histories)), histories.counts), weights, len(histories))
        return replace(self, counts=grown(self.counts, items, counts.astype(np.float32)))

    def state(self) -> Arrays:
        return {"counts": self.counts, "scalars": np.array([self.trained, self.newest, self.usual], np.int64)}

    @classmethod
    def from_state(cls, config: Popularity, state: Mapping[str, NDArray[Any]]) -> Self:
        trained, newest, usual = (int(x) for x in state["scalars"])
        return cls(config, state["counts"], trained, newest, usual)

    @property
    def item_vectors(self) -> Floats:
        return self.counts[:, None]


def _clock(times: Times | None) -> tuple[int, int]:
    """The newest time and the middle one; NO_TIME where nothing has a time."""
    known = np.empty(0, np.int64) if times is None else times[times != NO_TIME]
    return (int(known.max()), int(np.median(known))) if len(known) else (NO_TIME, NO_TIME)


def _aged(
    half_life: float | None, weights: Floats | None, times: Times | None, newest: int, usual: int, entries: int
) -> NDArray[np.float64]:
    """What each event counts, float64 [entry]; an event after the newest one counts as new."""
    worth = np.ones(entries) if weights is None else weights.astype(np.float64)
    if half_life is None or newest == NO_TIME:
        return worth
    dated = np.full(entries, usual) if times is None else np.where(times == NO_TIME, usual, times)
    return np.asarray(worth * np.exp2(-np.maximum(newest - dated, 0) / (half_life * DAY)))
