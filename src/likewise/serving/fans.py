"""What the events say of one item: how it was rated, by how much its raters favour it, and what its fans also like."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from likewise.data.dataset import Dataset
from likewise.shapes import Rows

SMALLEST_GROUP = 5
"""People below which nothing is said of what they like: aggregates must not tell on anybody."""
MOST_FANS = 2000
Z95 = 1.959964


def ratings_of(data: Dataset, row: int) -> dict[str, Any]:
    """How often and how the item was rated: count, mean, and how many gave each rating."""
    history = data.interactions.by_item.take(np.array([row], np.int32))
    if history.ratings is None:
        return {"count": len(history.rows), "mean": None, "histogram": []}
    levels, counts = np.unique(history.ratings, return_counts=True)
    histogram = [{"rating": float(level), "count": int(count)} for level, count in zip(levels, counts, strict=True)]
    mean = float(history.ratings.mean()) if len(history.rows) else None
    return {"count": len(history.rows), "mean": mean, "histogram": histogram}


def effect_of(data: Dataset, row: int) -> dict[str, float] | None:
    """By how much the item's ratings lie above what each rater usually gives, with a 95 % interval; None without ratings.

    A rater's usual rating is the mean of their others. One pseudo-rating at zero keeps few ratings from saying much.
    """
    raters = data.interactions.by_item.take(np.array([row], np.int32))
    if raters.ratings is None or not len(raters.rows):
        return None
    theirs = data.interactions.by_user.take(raters.rows)
    people = np.repeat(np.arange(len(raters.rows)), theirs.counts)
    totals = np.bincount(people, theirs.csr(data.n_items).filled(), len(raters.rows)) - raters.ratings
    others = theirs.counts - 1
    overall = float(np.mean(data.interactions.ratings)) if data.interactions.ratings is not None else 0.0
    usual = np.where(others > 0, totals / np.maximum(others, 1), overall)
    apart = raters.ratings - usual
    n = len(apart)
    value = float(apart.sum() / (n + 1))
    spread = float(np.sqrt((np.sum((apart - apart.mean()) ** 2) + 1.0) / n))
    half = Z95 * spread / np.sqrt(n + 1)
    return {"value": round(value, 4), "low": round(value - half, 4), "high": round(value + half, 4)}


def fans_of(data: Dataset, row: int, most: int = 8) -> list[tuple[int, int, float]]:
    """Items that the fans of an item like more than others do: item row, fans that like it, and how many times as often as everybody.

    A fan rated the item at or above their own mean (any event counts without ratings). Counts of fewer than five people are not told.
    """
    events = data.interactions
    raters = events.by_item.take(np.array([row], np.int32))
    fans = raters.rows
    if raters.ratings is not None and len(fans):
        fans = fans[:MOST_FANS][raters.ratings[:MOST_FANS] >= _means(data, fans[:MOST_FANS])]
    fans = fans[:MOST_FANS]
    if len(fans) < SMALLEST_GROUP:
        return []
    theirs = events.by_user.take(fans)
    liked = theirs.rows
    if theirs.ratings is not None and events.ratings is not None:
        liked = liked[theirs.ratings >= np.median(events.ratings)]
    together = np.bincount(liked, minlength=events.n_items).astype(np.float64)
    together[row] = 0
    everybody = np.bincount(events.items, minlength=events.n_items)
    expected = everybody / max(events.n_users, 1) * len(fans)
    lift = np.where(together >= SMALLEST_GROUP, together / (expected + 2.0), 0.0)  # two expected fans keep rare items from leading
    best = np.argsort(-lift, kind="stable")[:most]
    return [(int(one), int(together[one]), float(together[one] / max(expected[one], 1e-9))) for one in best if lift[one] > 0]


def _means(data: Dataset, users: Rows) -> NDArray[np.float64]:
    """The mean rating of each user."""
    theirs = data.interactions.by_user.take(users)
    people = np.repeat(np.arange(len(users)), theirs.counts)
    return np.asarray(np.bincount(people, theirs.csr(data.n_items).filled(), len(users)) / np.maximum(theirs.counts, 1))
