"""The door: any table of who liked what, checked and encoded."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import polars as pl

from likewise.data.columns import Named, choose_columns, coerce, pairs_frame, pick
from likewise.data.dataset import Dataset
from likewise.data.duplicates import Duplicates, resolve
from likewise.data.report import Report
from likewise.data.side import side_table, tag_table
from likewise.data.tables import describe, load_table
from likewise.errors import InputError

log = logging.getLogger("likewise.data")

Column = str | Literal[False] | None


def read(
    source: Any,
    user: str | None = None,
    item: str | None = None,
    rating: Column = None,
    timestamp: Column = None,
    weight: Column = None,
    context: Sequence[str] = (),
    items: Any = None,
    users: Any = None,
    tags: Any = None,
    duplicates: Duplicates = "last",
    range: tuple[float, float] | None = None,
    kinds: Mapping[str, str] | None = None,
    query: str | None = None,
    delimiter: str | None = None,
    at_least: int = 2,
) -> Dataset:
    """Read who did what with which item, from anything that holds a table.

    Parameters
    ----------
    source : path, glob, frame, mapping of columns, sequence of rows, or database URL
        Text of any delimiter, the MovieLens `::` format, Parquet, Arrow and JSON lines by their content; pandas, polars and Arrow
        frames; a SQLAlchemy URL together with `query`.
    user, item, rating, timestamp, weight : str, optional
        Names of the columns. The usual ones are recognised (userId, customer, movieId, sku, score, stars, datetime, plays ...) and
        a log line says which were taken. Without column names the order is user, item, rating, timestamp. False leaves
        a column out: `rating=False` makes every event a like.
    context : sequence of str
        Columns that say under which circumstances; "day" is made of the timestamp.
    items, users : table, or list of tables joined by id, optional
        Metadata keyed by id; see `likewise.data.side.side_table`.
    tags : table, optional
        Columns user, item, tag.
    duplicates : {"last", "mean", "sum", "error"}
        What to do with several events of one pair.
    range : (low, high), optional
        The lowest and highest rating there can be; a rating outside is refused. Default: what occurs.
    kinds : mapping of column to kind, optional
        How columns of `items` and `users` become features, where their type does not say it.
    query, delimiter : str, optional
        For databases and for text.
    at_least : int
        How many users and items there must be; 1 lets a table of one person through.

    Returns
    -------
    Dataset
        Its `report` says what was read, renamed and dropped.

    Raises
    ------
    InputError
        One line: a missing or empty file, a wrong delimiter, a missing column, ratings that are text, missing, not finite or out of
        range, negative weights, times that are not times, a single user or item, repeated pairs under "error".
    MissingExtraError
        A database without the extra `sql`.

    Examples
    --------
    >>> data = read({"customer": ["ann", "ann", "bob"], "sku": [7, 8, 7], "stars": [5, 3, 4]})
    >>> data.n_users, data.n_items, data.rating_range
    (2, 2, (3.0, 5.0))
    """
    context = [context] if isinstance(context, str) else list(context)
    table = load_table(source, query, delimiter)
    if not table.height:
        raise InputError(f"{describe(source)} has columns ({', '.join(table.columns)}) but no rows")
    named = {"user_id": user, "item_id": item, "rating": rating, "timestamp": timestamp, "weight": weight}
    taken = choose_columns(table, named, context)
    if "day" in context and "day" not in table.columns and "timestamp" not in taken:
        raise InputError("context 'day' is made of the timestamp, which the table lacks: name it with timestamp=...")
    n_read, table = table.height, pick(table, taken, context)  # the other columns need no more memory
    frame, missing = _with_ids(coerce(table, range))
    del table
    dropped = {"no user or no item": missing} if missing else {}
    report = Report(describe(source), n_read, frame.height, taken, dropped)
    side = {
        "item_table": None if items is None else side_table(items, "item"),
        "user_table": None if users is None else side_table(users, "user"),
        "tag_table": None if tags is None else tag_table(tags),
    }
    _check_kinds(kinds or {}, side)
    data = resolve(Dataset.of(frame, tuple(context), stated_range=range, kinds=dict(kinds or {}), report=report, **side), duplicates)
    _check_size(data, at_least)
    data = replace(data, report=data.report.with_notes(*_without_rows(data)))
    for reason, count in data.report.dropped.items():
        log.warning("%s: %d of %d rows dropped: %s", report.source, count, n_read, reason)
    return data


def read_pairs(
    source: Any,
    context: Sequence[str] = (),
    query: str | None = None,
    delimiter: str | None = None,
    named: Named | None = None,
) -> pl.DataFrame:
    """A table of pairs as a frame for `Dataset.encode`: our column names, values checked, any number of users and items."""
    return pairs_frame(load_table(source, query, delimiter), context, named)


def _with_ids(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    if not (frame["user_id"].null_count() or frame["item_id"].null_count()):
        return frame, 0
    kept = frame.filter(pl.col("user_id").is_not_null() & pl.col("item_id").is_not_null())
    return kept, frame.height - kept.height


def _without_rows(data: Dataset) -> list[str]:
    """How many ids the tables of items and users do not know, where they miss any."""
    notes = []
    for table, vocabulary, word in ((data.item_table, data.items, "item"), (data.user_table, data.users, "user")):
        if table is not None:
            rows = vocabulary.rows(table[f"{word}_id"])
            missing = len(vocabulary) - len(np.unique(rows[rows >= 0]))
            if missing:
                notes.append(f"{missing:,} of {len(vocabulary):,} {word}s have no row in the {word} table")
    return notes


def _check_size(data: Dataset, at_least: int) -> None:
    for found, word in ((data.n_users, "user"), (data.n_items, "item")):
        if found < at_least:
            only = f"only one {word}, {(data.users if word == 'user' else data.items).id(0)!r}" if found == 1 else f"{found} {word}s"
            raise InputError(
                f"{data.report.source} holds {only}: a recommender needs at least {at_least} of users and of items; check the {word} column"
            )


def _check_kinds(kinds: Mapping[str, str], side: Mapping[str, pl.DataFrame | None]) -> None:
    known = [name for table in side.values() if table is not None for name in table.columns]
    for name in kinds:
        if name not in known:
            raise InputError(f"kinds names column {name!r}, which no table of items or users has; they have: {', '.join(known) or 'none'}")
