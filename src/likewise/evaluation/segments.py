"""Figures for parts of the test: who is served well and what is found.

    user        known to the model, or new
    activity    number of training events of the person
    item        head: the fewest items that make up half of all training events; tail: the others; new: without training events
    item age    days from the item's first training event to the rating, where times are known

`found@k` is the share of a part's held-out items that are among the person's first k.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likewise.data.interactions import Interactions
from likewise.evaluation.figures import Figure, event_figure
from likewise.evaluation.held import Held
from likewise.shapes import NO_TIME, Floats

DAY = 86_400
ACTIVITY = (0, 1, 10, 50, 200)
AGES = (0, 30, 365)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the test: which segment, which part of it, how many events, and its figures."""

    segment: str
    part: str
    events: int
    figures: Mapping[str, Figure]


def segment_parts(train: Interactions, held: Held, columns: Mapping[str, Floats]) -> list[Part]:
    """Every part that has events, with the mean of each column over it.

    Parameters
    ----------
    columns : mapping of name to float [event]
        NaN where an event does not take part; the column "rmse" holds squared errors, and its root is reported.
    """
    parts = []
    for segment, (names, label) in labels(train, held).items():
        for code, name in enumerate(names):
            here = label == code
            if not here.any():
                continue
            figures = {column: _figure(column, values, here, held) for column, values in columns.items()}
            parts.append(Part(segment, name, int(here.sum()), figures))
    return parts


def labels(train: Interactions, held: Held) -> dict[str, tuple[list[str], NDArray[np.int64]]]:
    """Names of each segment's parts, and the part of each event, int64 [event]; -1 where it is not known."""
    users, items = held.event_users, held.event_items
    activity = _count_of(np.bincount(train.users, minlength=train.n_users), users)
    found: dict[str, tuple[list[str], NDArray[np.int64]]] = {
        "user": (["known", "new"], (users < 0).astype(np.int64)),
        "activity": (_ranges(ACTIVITY, ""), np.searchsorted(ACTIVITY, activity, side="right") - 1),
        "item": (["head", "tail", "new"], _popularity_part(train, items)),
    }
    age = item_age(train, held)
    if age is not None:
        found["item age"] = (_ranges(AGES, " days"), np.where(age >= 0, np.searchsorted(AGES, age, side="right") - 1, -1))
    return found


def item_age(train: Interactions, held: Held) -> NDArray[np.int64] | None:
    """Whole days from each item's first training event to the held-out one, -1 where not known; None without times."""
    if train.times is None or held.times is None or not (train.times != NO_TIME).any():
        return None
    first = np.full(train.n_items, np.iinfo(np.int64).max)
    timed = train.times != NO_TIME
    np.minimum.at(first, train.items[timed], train.times[timed])
    items = held.event_items
    known = (items >= 0) & (items < train.n_items) & (held.times != NO_TIME)
    born = first[np.where(known, items, 0)]
    known &= born < np.iinfo(np.int64).max
    return np.where(known, np.maximum(held.times - np.where(known, born, 0), 0) // DAY, -1)


def head_items(train: Interactions) -> NDArray[np.bool_]:
    """The fewest items that make up half of the events, bool [item]."""
    counts = np.bincount(train.items, minlength=train.n_items)
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    head = np.zeros(train.n_items, np.bool_)
    head[order[before < len(train) / 2]] = True
    return head


def _popularity_part(train: Interactions, items: NDArray[np.int32]) -> NDArray[np.int64]:
    counts = np.bincount(train.items, minlength=train.n_items)
    kind = np.where(counts == 0, 2, np.where(head_items(train), 0, 1))
    known = (items >= 0) & (items < train.n_items)
    return np.where(known, kind[np.where(known, items, 0)], 2)


def _count_of(counts: NDArray[np.int64], rows: NDArray[np.int32]) -> NDArray[np.int64]:
    known = (rows >= 0) & (rows < len(counts))
    return np.where(known, counts[np.where(known, rows, 0)], 0)


def _ranges(starts: tuple[int, ...], unit: str) -> list[str]:
    ends = [*(start - 1 for start in starts[1:]), None]
    return [
        f"{low}+{unit}" if high is None else f"{low}{unit}" if low == high else f"{low}-{high}{unit}"
        for low, high in zip(starts, ends, strict=True)
    ]


def _figure(name: str, values: Floats, here: NDArray[np.bool_], held: Held) -> Figure:
    there = here & ~np.isnan(values)
    return event_figure(name, values[there], held.people[there], held.n_people, root=name == "rmse")
