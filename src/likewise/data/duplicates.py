"""Several events of one (user, item) pair made one."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.dataset import Dataset
from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.shapes import Floats

Duplicates = Literal["last", "mean", "sum", "error"]


def resolve(data: Dataset, how: Duplicates) -> Dataset:
    """The dataset with one event a pair, in the place and with the time and context of the pair's last.

    Parameters
    ----------
    how : {"last", "mean", "sum", "error"}
        Keep the rating and weight of the last event (by time, then by order read), their means, or their sums; or refuse.
        The sum of events without ratings and weights is a weight: how many there were.
    """
    if how not in get_args(Duplicates):
        raise InputError(f"duplicates must be 'last', 'mean', 'sum' or 'error'; got {how!r}")
    events = data.interactions
    implicit_sum = how == "sum" and events.ratings is None and events.weights is None
    key = events.users.astype(np.int64) * events.n_items + events.items
    if all_differ(key, events.n_users * events.n_items):
        return replace(data, interactions=replace(events, weights=np.ones(len(events), np.float32))) if implicit_sum else data
    if how == "error":
        first, second = _first_repeat(key)
        user, item = data.users.id(int(events.users[first])), data.items.id(int(events.items[first]))
        raise InputError(
            f"a pair of user and item may occur once under duplicates='error'; user {user!r} has item {item!r} in rows {first + 1} and"
            f" {second + 1}: drop one, or say duplicates='last', 'mean' or 'sum'"
        )
    merged = _merged(events, key, how, implicit_sum)
    what = {"last": "the last kept", "mean": "averaged", "sum": "summed"}[how]
    report = data.report
    dropped = {**report.dropped, f"more events of one pair, {what}": len(events) - len(merged)}
    return replace(data, interactions=merged, report=replace(report, rows_kept=len(merged), dropped=dropped))


def all_differ(keys: NDArray[np.int64], n_keys: int) -> bool:
    """Whether no key in [0, n_keys) occurs twice: by ticking them off where that takes little memory, else by hashing."""
    if n_keys <= 32 * len(keys) + 4_000_000:
        ticked = np.zeros(n_keys, np.bool_)
        ticked[keys] = True
        return int(np.count_nonzero(ticked)) == len(keys)
    return pl.Series(keys).n_unique() == len(keys)


def _first_repeat(keys: NDArray[np.int64]) -> tuple[int, int]:
    """Positions of the first event whose pair was there before, and of that earlier one: (earlier, later)."""
    order = np.argsort(keys, kind="stable")
    again = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    earliest = again[np.argmin(order[again + 1])]
    return int(order[earliest]), int(order[earliest + 1])


def _merged(events: Interactions, key: NDArray[np.int64], how: Duplicates, implicit_sum: bool) -> Interactions:
    order = np.arange(len(key)) if events.times is None else np.argsort(events.times, kind="stable")
    _, first_of_reversed, group = np.unique(key[order][::-1], return_index=True, return_inverse=True)
    last = order[::-1][first_of_reversed]  # position of each pair's last event, by key
    place = np.argsort(last)
    kept = events.select(last[place])
    if how == "last":
        return kept
    group_of_event = np.empty(len(key), np.int64)
    group_of_event[order[::-1]] = group
    counts = np.bincount(group_of_event)

    def pooled(column: Floats | None) -> Floats | None:
        if column is None:
            return None
        total = np.bincount(group_of_event, column)
        return (total / counts if how == "mean" else total)[place].astype(np.float32)

    weights = counts[place].astype(np.float32) if implicit_sum else pooled(events.weights)
    return replace(kept, ratings=pooled(events.ratings), weights=weights)
