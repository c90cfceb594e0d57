"""Several events of one (user, item) pair made one."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
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
    key = events.users.astype(np.int64) * events.n_items + events.items
    ordered = np.sort(key)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    implicit_sum = how == "sum" and events.ratings is None and events.weights is None
    if not len(repeated):
        return replace(data, interactions=replace(events, weights=np.ones(len(events), np.float32))) if implicit_sum else data
    if how == "error":
        user, item = data.users.id(int(repeated[0] // events.n_items)), data.items.id(int(repeated[0] % events.n_items))
        rows = np.flatnonzero(key == repeated[0])[:2] + 1
        raise InputError(
            f"each (user, item) pair may occur once under duplicates='error'; user {user!r} has item {item!r} in rows {rows[0]} and {rows[1]}:"
            " drop one, or say duplicates='last', 'mean' or 'sum'"
        )
    merged = _merged(events, key, how, implicit_sum)
    what = {"last": "the last kept", "mean": "averaged", "sum": "summed"}[how]
    report = data.report
    dropped = {**report.dropped, f"more events of one pair, {what}": len(events) - len(merged)}
    return replace(data, interactions=merged, report=replace(report, rows_kept=len(merged), dropped=dropped))


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
