"""What makes a figure look better than it is: checks of a train and test pair, each a line or nothing."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.dataset import Dataset
from likewise.evaluation.protocol import Protocol
from likewise.models.base import Model
from likewise.shapes import NO_TIME

BACKWARD = 0.05
"""Share of a split's test events that may be older than the same person's training events before the split counts as random."""
MOMENT = 0.1
"""A context whose values each last less than this share of the training period marks a moment in time."""


def cautions(train: Dataset, test: Dataset, protocol: Protocol | None = None) -> list[str]:
    """Everything a reader of the figures should know, most serious first; empty where nothing was found."""
    found = [
        duplicates_across(train, test),
        random_on_times(train, test),
        *hindsight_contexts(train, test),
        *features_from_test(train, test),
        only_in_test(train, test),
        None if protocol is None else k_beyond_catalogue(train, protocol),
        None if protocol is None else few_candidates(protocol),
    ]
    return [line for line in found if line is not None]


def order_unknown(model: Model, train: Dataset) -> list[str]:
    """A model that reads the order of events, where the data does not say it."""
    if not model.reads_order or train.has_times:
        return []
    unknown = "no event has" if train.interactions.times is None else "not every event has"
    return [
        f"order unknown: {model.name} learns what comes after what, and {unknown} a time; "
        "events without one are taken in the order read: give timestamps, or a model that ignores order"
    ]


def random_on_times(train: Dataset, test: Dataset) -> str | None:
    """A split at random of data with times."""
    share = backward_share(train, test)
    if share is None or share <= BACKWARD:
        return None
    return (
        f"random split on data with times: {share:.0%} of the test ratings of known people are older than a training rating "
        "of the same person; predicting the future is harder, and a split by time shows how much"
    )


def backward_share(train: Dataset, test: Dataset) -> float | None:
    """Share of the test events of known people that are older than that person's newest training event; None without times."""
    newest = newest_of_users(train)
    times = test.interactions.times
    if newest is None or times is None:
        return None
    rows = train.users.rows(test.users.ids)[test.interactions.users]
    usable = (rows >= 0) & (times != NO_TIME)
    usable &= newest[np.where(rows >= 0, rows, 0)] != NO_TIME
    if not usable.any():
        return None
    return float((times[usable] < newest[rows[usable]]).mean())


def newest_of_users(train: Dataset) -> NDArray[np.int64] | None:
    """Time of each user's newest event, `NO_TIME` where none has a time; None without times."""
    events = train.interactions
    if events.times is None or not (events.times != NO_TIME).any():
        return None
    newest = np.full(events.n_users, NO_TIME, np.int64)
    np.maximum.at(newest, events.users, events.times)
    return newest


def only_in_test(train: Dataset, test: Dataset) -> str | None:
    """People and items that the model cannot have learned."""
    users, items = train.users.rows(test.users.ids) < 0, train.items.rows(test.items.ids) < 0
    if not users.any() and not items.any():
        return None
    events = test.interactions
    touched = float((users[events.users] | items[events.items]).mean())
    unknown = f"{int(users.sum()):,} users and {int(items.sum()):,} items ({touched:.1%} of its events)"
    return f"only in the test set: {unknown}; the model answers them with the population's"


def duplicates_across(train: Dataset, test: Dataset) -> str | None:
    """Pairs that are in both sets."""
    users, items = train.users.rows(test.users.ids)[test.interactions.users], train.items.rows(test.items.ids)[test.interactions.items]
    known = (users >= 0) & (items >= 0)
    wanted = users[known].astype(np.int64) * train.n_items + items[known]
    there = np.sort(train.interactions.users.astype(np.int64) * train.n_items + train.interactions.items)
    place = np.searchsorted(there, wanted)
    count = int((there[np.minimum(place, len(there) - 1)] == wanted).sum()) if len(there) else 0
    if not count:
        return None
    return (
        f"duplicates across the sets: {count:,} test pairs are in the training set too; their ratings are known, and lists do not rank them"
    )


def k_beyond_catalogue(train: Dataset, protocol: Protocol) -> str | None:
    """Lists longer than the catalogue."""
    beyond = [str(k) for k in protocol.ks if k > train.n_items]
    return f"k = {', '.join(beyond)} is more than the {train.n_items:,} items there are: such a list shows everything" if beyond else None


def few_candidates(protocol: Protocol) -> str | None:
    """Sampled negatives."""
    if protocol.negatives is None:
        return None
    return (
        f"ranked among {protocol.negatives} sampled items, not the catalogue: such figures are much higher, "
        "and can order models differently (Krichene and Rendle 2020)"
    )


def hindsight_contexts(train: Dataset, test: Dataset) -> list[str]:
    """Contexts that stand for a moment, in a split that is not by time: their effect is learned from ratings of the same moment."""
    times = train.interactions.times
    share = backward_share(train, test)
    if times is None or share is None or share <= BACKWARD:
        return []
    return [
        f"context '{name}' is known only by hindsight: its values are moments, and the training set holds ratings "
        "of the same moments as the test; a forecast has no such knowledge"
        for name, rows in train.interactions.context.items()
        if _marks_moments(rows, times, len(train.contexts[name]))
    ]


def features_from_test(train: Dataset, test: Dataset) -> list[str]:
    """Numeric item or user columns that equal a count or a mean rating over train and test together, and not over train alone."""
    found = []
    for side, table, key in (("item", train.item_table, "item_id"), ("user", train.user_table, "user_id")):
        if table is None:
            continue
        columns = [name for name, dtype in table.schema.items() if name != key and dtype.is_numeric()]
        if columns:
            found += _leaks(side, table.select(key, *columns), key, train, test)
    return found


def _leaks(side: str, table: pl.DataFrame, key: str, train: Dataset, test: Dataset) -> list[str]:
    wanted = [key] + (["rating"] if train.explicit and test.explicit else [])
    alone = train.frame().select(wanted)
    both = pl.concat([alone, test.frame().select(wanted)], how="vertical_relaxed")
    frames = [(name, _summary(frame, key, name)) for name, frame in (("train", alone), ("both", both))]
    joined = frames[1][1].join(frames[0][1], on=key, how="left").join(table, on=key, how="inner")
    found = []
    for column in table.columns[1:]:
        for what in ("count", "mean") if "rating" in wanted else ("count",):
            there = joined.select(
                pl.col(column).alias("x"), pl.col(f"{what}_both").alias("b"), pl.col(f"{what}_train").alias("t")
            ).drop_nulls()
            there = there.filter((pl.col("b") - pl.col("t")).abs() > 1e-6)
            agree = (there["x"] - there["b"]).abs() < 1e-4
            if there.height >= 5 and int(agree.sum()) > 0.9 * there.height:
                found.append(f"{side} feature '{column}' was made from the test ratings: it is the {what} over train and test together")
    return found


def _summary(frame: pl.DataFrame, key: str, name: str) -> pl.DataFrame:
    means = [pl.col("rating").mean().alias(f"mean_{name}")] if "rating" in frame.columns else []
    return frame.group_by(key).agg(pl.len().cast(pl.Float64).alias(f"count_{name}"), *means)


def _marks_moments(rows: NDArray[np.int32], times: NDArray[np.int64], size: int) -> bool:
    usable = (rows >= 0) & (times != NO_TIME)
    if size < 10 or not usable.any():
        return False
    rows, times = rows[usable], times[usable]
    first, last = np.full(size, np.iinfo(np.int64).max), np.full(size, NO_TIME)
    np.minimum.at(first, rows, times)
    np.maximum.at(last, rows, times)
    used = last != NO_TIME
    period = int(times.max() - times.min())
    return period > 0 and float(np.mean(last[used] - first[used])) < MOMENT * period
