"""Train and test: who is held out of what, and which ids the test then finds unknown."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.csr import counting_sort
from likewise.data.dataset import Dataset
from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.shapes import NO_TIME, Mask, Rows

log = logging.getLogger("likewise.data")

By = Literal["random", "user", "last", "time", "cold-users", "cold-items"]


@dataclass(frozen=True, eq=False)
class Cold:
    """What a test set holds that its train set never saw.

    Parameters
    ----------
    users, items : pl.Series
        Raw ids.
    events : int
        Test events with a cold user or a cold item.
    """

    users: pl.Series
    items: pl.Series
    events: int

    def __str__(self) -> str:
        return f"{len(self.users):,} users and {len(self.items):,} items of the test are unknown to train, in {self.events:,} of its events"


def split(data: Dataset, by: By | None = None, test: float = 0.1, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Hold out part of the events.

    Both parts have vocabularies of their own, so features, ranges and contexts are learned from train alone. The report of
    the test part says how many of its ids are cold; `cold_ids` names them.

    Parameters
    ----------
    by : {"time", "random", "user", "last", "cold-users", "cold-items"}, optional
        "time": the latest events of all, cut between two moments; events without a time stay in train.
        "random": any events. "user": a share of each user's, at random; at least one stays.
        "last": each user's latest `test` events (1 where `test` is a fraction); ties by the order read; at least one stays.
        "cold-users", "cold-items": all events of a share of users or items.
        Default: "time" where every event has one, else "random"; the log says which.
    test : float or int
        The share held out, or a number of events (a whole number of 1 or more; of users or items under "cold-").
    seed : int

    Returns
    -------
    train, test : Dataset

    Raises
    ------
    InputError
        An unknown `by`, a share that leaves a part empty, "time" without times.

    Examples
    --------
    >>> data = Dataset.of(pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [7, 8, 7, 9], "timestamp": [1, 2, 3, 4]}))
    >>> train, held_out = split(data, by="last")
    >>> held_out.frame()["item_id"].to_list(), str(cold_ids(train, held_out).items.to_list())
    ([8, 9], '[8, 9]')
    """
    if not isinstance(data, Dataset):
        raise InputError(
            f"only what read(...) gives can be split; got {type(data).__name__}: read it, "
            "or hold events out where they are prepared, by scan(..., test=0.1)"
        )
    if by is None:
        by = "time" if data.has_times else "random"
        log.info("split by %s: %s", by, "every event has a time" if by == "time" else "not every event has a time")
    held_out = held_out_events(data, by, test, seed)
    return _parts(data, held_out)


def folds(data: Dataset, k: int = 5, by: Literal["random", "user"] = "random", seed: int = 0) -> Iterator[tuple[Dataset, Dataset]]:
    """Each of `k` parts held out once, as (train, test).

    by : "random" cuts the events, "user" each user's events, so that parts differ by at most one event of a user.
    """
    if not 2 <= k <= len(data):
        raise InputError(f"k must be at least 2 and at most the number of events ({len(data)}); got {k}")
    if by not in ("random", "user"):
        raise InputError(f"folds can be by 'random' or 'user'; got {by!r}")
    shuffled = np.random.default_rng(seed).permutation(len(data))
    if by == "user":
        _, order = counting_sort(data.interactions.users[shuffled], data.n_users)
        shuffled = shuffled[order]
    fold = np.empty(len(data), np.int64)
    fold[shuffled] = np.arange(len(data)) % k
    for n in range(k):
        yield _parts(data, fold == n)


def cold_ids(train: Dataset, test: Dataset) -> Cold:
    """The ids of `test` that `train` does not know."""
    pairs = train.encode(test)
    users, items = train.users.rows(test.users.ids) < 0, train.items.rows(test.items.ids) < 0
    return Cold(test.users.ids.filter(pl.Series(users)), test.items.ids.filter(pl.Series(items)), int((~pairs.known).sum()))


def held_out_events(data: Dataset, by: By, test: float = 0.1, seed: int = 0) -> Mask:
    """Which events `split` holds out, bool [event]."""
    if by not in get_args(By):
        raise InputError(f"by must be one of {', '.join(get_args(By))}; got {by!r}")
    if isinstance(test, bool) or not (0 < test < 1 or (test >= 1 and float(test).is_integer())):
        raise InputError(f"test must be a share between 0 and 1, or a whole number of events; got {test!r}")
    rng, events = np.random.default_rng(seed), data.interactions
    if by == "random":
        return _some(len(data), test, rng)
    if by == "user":
        return _of_each_user(events, test, rng)
    if by == "last":
        return _latest_of_each(events, int(test) if test >= 1 else 1)
    if by == "time":
        return _latest(data, test)
    rows, n = (events.users, events.n_users) if by == "cold-users" else (events.items, events.n_items)
    return np.asarray(_some(n, test, rng)[rows])


def _parts(data: Dataset, held_out: Mask) -> tuple[Dataset, Dataset]:
    n_test = int(held_out.sum())
    if n_test in (0, len(data)):
        empty = "the test" if n_test == 0 else "train"
        raise InputError(f"the split leaves {empty} empty: {n_test:,} of {len(data):,} events held out; hold out another share")
    train, test = data.select(~held_out), data.select(held_out)
    return train, replace(test, report=test.report.with_notes(str(cold_ids(train, test))))


def _some(n: int, test: float, rng: np.random.Generator) -> Mask:
    held_out = np.zeros(n, np.bool_)
    held_out[rng.permutation(n)[: _number(n, test)]] = True
    return held_out


def _number(n: int, test: float) -> int:
    return min(int(test), n) if test >= 1 else round(test * n)


def _of_each_user(events: Interactions, test: float, rng: np.random.Generator) -> Mask:
    shuffled = rng.permutation(len(events))
    rank, counts = _rank_of_each(events.users, events.n_users, shuffled)
    wanted = np.full(len(counts), int(test)) if test >= 1 else np.rint(test * counts).astype(np.int64)
    return np.asarray(rank < np.minimum(wanted, counts - 1)[events.users])


def _latest_of_each(events: Interactions, n: int) -> Mask:
    order = np.arange(len(events)) if events.times is None else np.argsort(events.times, kind="stable")
    rank, counts = _rank_of_each(events.users, events.n_users, order)
    return np.asarray(rank >= np.maximum(counts - n, 1)[events.users])


def _rank_of_each(users: Rows, n_users: int, order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each event's place among its user's events taken in that order, and the number of each user's events."""
    indptr, within = counting_sort(users[order], n_users)
    rank = np.empty(len(users), np.int64)
    place = order[within]
    rank[place] = np.arange(len(users)) - indptr[:-1][users[place]]
    return rank, np.diff(indptr)


def _latest(data: Dataset, test: float) -> Mask:
    times = data.interactions.times
    if times is None or not (times != NO_TIME).any():
        raise InputError("a split by time needs times, and this data has none: use by='random' or by='user'")
    timed = np.sort(times[times != NO_TIME])
    if len(timed) < len(times):
        log.warning("%d events without a time stay in train", len(times) - len(timed))
    cut = timed[len(timed) - max(min(_number(len(timed), test), len(timed)), 1)]
    # events of one moment stay together: all go to test unless train would be empty
    return np.asarray(times >= cut if cut > timed[0] else times > cut)
