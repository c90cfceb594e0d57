"""The table of who liked what, encoded: rows of users and items with rating, weight, time and context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR, counting_sort, ragged_take
from likewise.errors import InputError
from likewise.shapes import NO_TIME, Floats, Offsets, Rows, Times


@dataclass(frozen=True, eq=False)
class Histories:
    """What a batch of people did: one ragged row a person, in item rows.

    Read the other way round it holds who rated each of a batch of items, in user rows. Entries of a row are in the order in
    which they happened where times are known.

    Parameters
    ----------
    indptr : int64 [batch + 1]
    rows : int32 [entry]
        Item rows of a person's history (user rows of an item's).
    ratings, weights : float32 [entry] or None
        None: no rating was given (a like counts as one); every weight is one.
    times : int64 [entry] or None
    """

    indptr: Offsets
    rows: Rows
    ratings: Floats | None = None
    weights: Floats | None = None
    times: Times | None = None

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def counts(self) -> Offsets:
        """Entries of each row, int64 [batch]."""
        return np.diff(self.indptr)

    def take(self, rows: Rows) -> Histories:
        """The rows named, in that order; row -1 is an empty history."""
        indptr, positions = ragged_take(self.indptr, rows)
        return self._at(indptr, positions)

    def keep(self, entries: NDArray[np.bool_]) -> Histories:
        """Only the entries where the mask is true; rows may become empty."""
        kept = np.concatenate([[0], np.cumsum(entries)])[self.indptr]
        return self._at(kept.astype(np.int64), np.flatnonzero(entries))

    def replaced(self, rows: Rows, others: Histories) -> Histories:
        """A copy in which these rows are those of `others`; rows beyond the end are new, gaps are empty.

        A column that only one of the two has is kept with ones where it is missing, times not at all.
        """
        size = max(len(self), int(rows.max()) + 1 if len(rows) else 0)
        source = np.full(size, -1, np.int32)
        source[: len(self)] = np.arange(len(self), dtype=np.int32)
        source[rows] = len(self) + np.arange(len(others), dtype=np.int32)

        def joined(a: Floats | None, b: Floats | None) -> Floats | None:
            if a is None and b is None:
                return None
            mine, theirs = (np.ones(len(h.rows), np.float32) if c is None else c for h, c in ((self, a), (others, b)))
            return np.concatenate([mine, theirs])

        indptr = np.concatenate([self.indptr, self.indptr[-1] + others.indptr[1:]])
        times = None if self.times is None or others.times is None else np.concatenate([self.times, others.times])
        ratings, weights = joined(self.ratings, others.ratings), joined(self.weights, others.weights)
        return Histories(indptr, np.concatenate([self.rows, others.rows]), ratings, weights, times).take(source)

    def csr(self, width: int) -> CSR:
        """As ragged rows with the ratings as values."""
        return CSR(self.indptr, self.rows, self.ratings, width)

    def _at(self, indptr: Offsets, positions: NDArray[np.int64]) -> Histories:
        def pick(column: NDArray[np.generic] | None) -> NDArray[np.generic] | None:
            return None if column is None else column[positions]

        return Histories(indptr, self.rows[positions], pick(self.ratings), pick(self.weights), pick(self.times))  # type: ignore[arg-type]

    @classmethod
    def of(cls, *people: Mapping[int, float]) -> Histories:
        """Histories from mappings of item row to rating, for tests and examples.

        >>> Histories.of({3: 5.0, 1: 2.0}, {}).counts.tolist()
        [2, 0]
        """
        indptr = np.concatenate([[0], np.cumsum([len(p) for p in people])]).astype(np.int64)
        rows = np.array([row for p in people for row in p], np.int32)
        return cls(indptr, rows, np.array([r for p in people for r in p.values()], np.float32))


@dataclass(frozen=True, eq=False)
class Interactions:
    """Encoded events, in the order they were read; validated once, never edited.

    Parameters
    ----------
    users, items : int32 [event]
        Rows of the vocabularies.
    n_users, n_items : int
        Sizes of the vocabularies.
    ratings : float32 [event] or None
        None for implicit feedback: every event is a like.
    weights : float32 [event] or None
        Not negative.
    times : int64 [event] or None
        Seconds since 1970, `NO_TIME` where missing.
    context : mapping of name to int32 [event]
        Rows of the context vocabularies, -1 where unknown.

    Raises
    ------
    InputError
        Columns of different lengths, rows outside the vocabularies, ratings or weights that are not finite, negative weights.
    """

    users: Rows
    items: Rows
    n_users: int
    n_items: int
    ratings: Floats | None = None
    weights: Floats | None = None
    times: Times | None = None
    context: Mapping[str, Rows] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {
            "users": self.users,
            "items": self.items,
            "ratings": self.ratings,
            "weights": self.weights,
            "times": self.times,
            **self.context,
        }
        for name, column in columns.items():
            if column is not None and len(column) != len(self.users):
                raise InputError(f"{name} must have one value an event ({len(self.users)}); {len(column)} were given")
        for name, rows, size in (("users", self.users, self.n_users), ("items", self.items, self.n_items)):
            if len(rows) and (int(rows.min()) < 0 or int(rows.max()) >= size):
                raise InputError(f"{name} must be rows in [0, {size}); found {int(rows.min())} to {int(rows.max())}")
        for name, values in (("ratings", self.ratings), ("weights", self.weights)):
            if values is not None and not np.isfinite(values).all():
                raise InputError(f"{name} must be finite; {int((~np.isfinite(values)).sum())} of {len(values)} are not")
        if self.weights is not None and len(self.weights) and self.weights.min() < 0:
            raise InputError(f"weights must not be negative; the least is {self.weights.min()}")

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def by_user(self) -> Histories:
        """Each user's history, in time order where times are known, else in the order read."""
        return self._grouped(self.users, self.items, self.n_users)

    @cached_property
    def by_item(self) -> Histories:
        """Each item's raters (rows are user rows), in time order where times are known."""
        return self._grouped(self.items, self.users, self.n_items)

    def select(self, events: NDArray[np.bool_] | NDArray[np.int64]) -> Interactions:
        """Some of the events, over the same vocabularies."""
        return Interactions(
            self.users[events],
            self.items[events],
            self.n_users,
            self.n_items,
            None if self.ratings is None else self.ratings[events],
            None if self.weights is None else self.weights[events],
            None if self.times is None else self.times[events],
            {name: column[events] for name, column in self.context.items()},
        )

    def in_order(self) -> Interactions:
        """The same events person by person, each person's as `by_user` has them."""
        return self.select(self._order(self.users, self.n_users)[1])

    def _grouped(self, keys: Rows, rows: Rows, n_keys: int) -> Histories:
        indptr, order = self._order(keys, n_keys)
        return Histories(indptr, rows, self.ratings, self.weights, self.times)._at(indptr, order)

    def _order(self, keys: Rows, n_keys: int) -> tuple[Offsets, NDArray[np.int64]]:
        """Where each key's events start, and the order that sorts by key, then by time."""
        if self.times is None or not (self.times != NO_TIME).any():
            return counting_sort(keys, n_keys)
        by_time = np.argsort(self.times, kind="stable")
        indptr, order = counting_sort(keys[by_time], n_keys)
        return indptr, by_time[order]
