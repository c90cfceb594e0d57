"""Several events of one (user, item) pair made one."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.csr import counting_sort
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
    first, second = first_repeat(events)
    if second < 0:
        return replace(data, interactions=replace(events, weights=np.ones(len(events), np.float32))) if implicit_sum else data
    if how == "error":
        user, item = data.users.id(int(events.users[first])), data.items.id(int(events.items[first]))
        raise InputError(
            f"a pair of user and item may occur once under duplicates='error'; user {user!r} has item {item!r} in rows {first + 1} and"
            f" {second + 1}: drop one, or say duplicates='last', 'mean' or 'sum'"
        )
    key = events.users.astype(np.int64) * events.n_items + events.items
    merged = _merged(events, key, how, implicit_sum)
    what = {"last": "the last kept", "mean": "averaged", "sum": "summed"}[how]
    report = data.report
    dropped = {**report.dropped, f"more events of one pair, {what}": len(events) - len(merged)}
    return replace(data, interactions=merged, report=replace(report, rows_kept=len(merged), dropped=dropped))


def first_repeat(events: Interactions) -> tuple[int, int]:
    """Positions of two events of one pair, (-1, -1) where every pair occurs once."""
    indptr, order = counting_sort(events.users, events.n_users)
    first, second = _first_repeat(indptr, order, events.items, np.full(events.n_items, -1, np.int64))
    return int(first), int(second)


@njit(cache=True, nogil=True)
def _first_repeat(indptr, order, items, seen):  # type: ignore[no-untyped-def]
    """`seen` holds the place of each item's last event; one at or after the user's first is the user's own."""
    for user in range(len(indptr) - 1):
        for n in range(indptr[user], indptr[user + 1]):
            item = items[order[n]]
            if seen[item] >= indptr[user]:
                return order[seen[item]], order[n]
            seen[item] = n
    return -1, -1


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
