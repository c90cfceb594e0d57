"""Where the one-pass kernel's events come from: a grid in memory, or the same grid in shards on disk, read a stratum ahead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from likewise.data.dataset import Dataset
from likewise.data.interactions import Interactions
from likewise.data.shards.ahead import ahead
from likewise.data.shards.shards import Shards
from likewise.errors import InputError
from likewise.shapes import Floats, Offsets, Rows
from likewise.solvers.gradient.grid import lay_out, side_for
from likewise.solvers.gradient.tables import own_items

NOBODYS: tuple[Offsets, Rows] = np.zeros(1, np.int64), np.empty(0, np.int32)
WATCHED_PEOPLE = 2000
"""Users whose lists are judged while training, where events stay on disk."""


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of all events before any is learned from.

    Parameters
    ----------
    events : Interactions
        All, or where they stay on disk a sample of them in which every row occurs that is learned.
    counts : (int64 [user], int64 [item])
        Events of each row.
    n : int
    weight : float
        Sum of the events' weights.
    ratings : (low, high, mean) or None
    limits : (low, high) or None
        The lowest and highest rating there can be, where that is not to be read off `events`.
    """

    events: Interactions
    counts: tuple[Offsets, Offsets]
    n: int
    weight: float
    ratings: tuple[float, float, float] | None
    limits: tuple[float, float] | None

    @classmethod
    def of(cls, data: Dataset | Shards) -> Known:
        """Of data in memory or on disk; InputError where there are no events."""
        if not len(data):
            raise InputError("there is nothing to learn from: the training data has no rows")
        if isinstance(data, Shards):
            given = data.manifest["ratings"]
            ratings = None if given is None else (float(given["low"]), float(given["high"]), data.mean)
            return cls(data.kept.interactions, data.counts, len(data), data.weight, ratings, data.rating_range)
        events = data.interactions
        found, weights = events.ratings, events.weights
        told = None if found is None else (float(found.min()), float(found.max()), float(found.mean()))
        counts = np.bincount(events.users, minlength=events.n_users), np.bincount(events.items, minlength=events.n_items)
        weight = float(len(events) if weights is None else weights.sum(dtype=np.float64))
        return cls(events, counts, len(events), weight, told, data.stated_range)

    @property
    def likes(self) -> bool:
        """Whether ratings say nothing but that something happened, or are not probabilities."""
        return self.ratings is None or self.ratings[0] == self.ratings[1] or self.ratings[0] < 0 or self.ratings[1] > 1


@dataclass(frozen=True, eq=False)
class Stratum:
    """Events whose blocks share neither users nor items.

    Parameters
    ----------
    starts : int64 [block + 1]
        Where each block begins.
    users, items : int32 [event]
    targets : float32 [event]
    weights : float32 [event or 0]
    choices : list of int32 arrays
        Items of each block.
    own : (int64 [user + 1], int32 [entry])
        Users' own items among those of their block, in rising order; nothing where no negatives are drawn.
    """

    starts: Offsets
    users: Rows
    items: Rows
    targets: Floats
    weights: Floats
    choices: Sequence[Rows]
    own: tuple[Offsets, Rows]


class Supply(ABC):
    """Strata of `side` blocks, as many as blocks."""

    side: int

    @abstractmethod
    def strata(self, epoch: int, first: int = 0) -> Iterator[Stratum]:
        """The strata of an epoch from the `first` on."""


class InMemory(Supply):
    """A grid laid out once, and again each epoch where negatives are drawn from the event's own block of items."""

    def __init__(self, data: Dataset, likes: bool, negatives: bool, row_bytes: int, rng: np.random.Generator) -> None:
        self.events, self.rng, self.changes = data.interactions, rng, negatives
        self.targets = np.ones(len(data), np.float32) if likes or self.events.ratings is None else self.events.ratings
        self.side = side_for(len(data), self.events.n_users + self.events.n_items, row_bytes)
        self.grid = lay_out(self.events, self.targets, self.side, rng)
        self.own = own_items(self.events) if negatives else NOBODYS

    def strata(self, epoch: int, first: int = 0) -> Iterator[Stratum]:
        if self.changes and epoch:
            self.grid = lay_out(self.events, self.targets, self.side, self.rng)
        grid = self.grid
        for stratum in range(first, self.side):
            starts = grid.starts[stratum * self.side : (stratum + 1) * self.side + 1]
            span = slice(int(starts[0]), int(starts[-1]))
            choices = [grid.choices[(block + stratum) % self.side] for block in range(self.side)]
            weights = grid.weights[span] if len(grid.weights) else grid.weights
            columns = grid.users[span], grid.items[span], grid.targets[span], weights
            yield Stratum(starts - starts[0], *columns, choices, self.own)


class OnDisk(Supply):
    """The grid that the shards were written in; a user's items among those of one block lie in one stratum, so no negative is missed."""

    def __init__(self, data: Shards, likes: bool, negatives: bool) -> None:
        self.data, self.likes, self.negatives, self.side = data, likes, negatives, data.side
        self.choices = [np.flatnonzero(data.blocks[1] == block).astype(np.int32) for block in range(data.side)]

    def strata(self, epoch: int, first: int = 0) -> Iterator[Stratum]:
        order = np.random.default_rng([epoch]).permutation(len(self.data.files))
        return ahead(self._stratum(stratum, order) for stratum in range(first, self.side))

    def _stratum(self, stratum: int, order: Any) -> Stratum:
        starts, found = self.data.stratum(stratum, order)
        targets = np.ones(len(found), np.float32) if self.likes or found.ratings is None else found.ratings
        weights = np.empty(0, np.float32) if found.weights is None else found.weights
        choices = [self.choices[(block + stratum) % self.side] for block in range(self.side)]
        own = NOBODYS
        if self.negatives:
            own = own_items(Interactions(found.users, found.items, self.data.n_users, self.data.n_items))
        return Stratum(starts, found.users, found.items, targets, weights, choices, own)


def supply_for(data: Dataset | Shards, likes: bool, negatives: bool, row_bytes: int, rng: np.random.Generator) -> Supply:
    """Where the events of `data` come from."""
    return OnDisk(data, likes, negatives) if isinstance(data, Shards) else InMemory(data, likes, negatives, row_bytes, rng)


def watched(data: Dataset | Shards, valid: Dataset | Shards, lists: bool) -> tuple[Interactions, Interactions]:
    """Validation rows over the training rows, and what their users had in training.

    Where events stay on disk these are a random sample of the rows or, to judge lists, all rows of some users. Raises InputError for
    shards of another preparation, and for those that are learned from.
    """
    if isinstance(data, Dataset):
        if isinstance(valid, Shards):
            raise InputError("events in memory cannot be watched by shards: give valid=shards.resident(), or train on the shards")
        return valid.over(data).interactions, data.interactions
    if isinstance(valid, Dataset):
        return valid.over(data.dataset([], False)).interactions, data.kept.interactions
    if valid.users != data.users or valid.items != data.items:
        raise InputError("the shards to watch were prepared apart from those to learn from: give valid=data.held_out")
    if valid.part == "train":
        raise InputError("events that are learned from cannot watch the learning: give valid=data.held_out")
    if lists:
        train, held = data.people(WATCHED_PEOPLE)
        return held, train
    return valid.sample(1_000_000).interactions, data.dataset([], False).interactions
