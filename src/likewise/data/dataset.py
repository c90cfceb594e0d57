"""Interactions with everything known about them: ids, tables, features, context, and how they were read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.columns import pairs_frame
from likewise.data.encoders import Encoder
from likewise.data.features import Features, align
from likewise.data.frames import to_polars
from likewise.data.interactions import Interactions
from likewise.data.report import Report, html_table
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError
from likewise.shapes import NO_TIME, Floats, Mask, Rows, Times

DAY = 86_400
"""Seconds of a day: the context "day" is `timestamp // DAY`, days since 1970 in UTC."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of a user and an item in rows, -1 where an id or a context value is not known.

    Parameters
    ----------
    users, items : int32 [batch]
    ratings, weights : float32 [batch] or None
    times : int64 [batch] or None
    context : mapping of name to int32 [batch]
        One for each context of the dataset that encoded them.
    """

    users: Rows
    items: Rows
    ratings: Floats | None = None
    weights: Floats | None = None
    times: Times | None = None
    context: Mapping[str, Rows] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.users)

    @property
    def known(self) -> Mask:
        """Where both the user and the item are known."""
        return (self.users >= 0) & (self.items >= 0)

    def select(self, pairs: Mask | NDArray[np.int64]) -> Pairs:
        """Some of the pairs."""
        ratings, weights = (None if c is None else c[pairs] for c in (self.ratings, self.weights))
        times = None if self.times is None else self.times[pairs]
        return Pairs(self.users[pairs], self.items[pairs], ratings, weights, times, {n: c[pairs] for n, c in self.context.items()})


@dataclass(frozen=True, eq=False)
class Dataset:
    """Who did what with which item, encoded, with the ids, tables and features that belong to it; never edited.

    Parameters
    ----------
    interactions : Interactions
    users, items : Vocabulary
        Exactly the ids that occur, unless made by `over`.
    user_table, item_table : pl.DataFrame or None
        Raw metadata keyed by a first column `user_id` / `item_id`; may know ids that never interacted.
    tag_table : pl.DataFrame or None
        Columns user_id, item_id, tag. A tag counts as an item's feature only where its (user, item) pair interacted here.
    contexts : mapping of name to Vocabulary
        Values of the context columns. "day" is days since 1970 in UTC, from the timestamp.
    stated_range : (float, float) or None
        The lowest and highest rating there can be, where the caller said so.
    kinds : mapping of column to kind
        Overrules the kinds of feature columns that are inferred from their types; see `Features`.
    encoders : mapping of "user" or "item" to tuple of Encoder
        How features are encoded where that is settled already: data that has grown keeps the encoders of what the model learned from.
    report : Report
    """

    interactions: Interactions
    users: Vocabulary
    items: Vocabulary
    user_table: pl.DataFrame | None = None
    item_table: pl.DataFrame | None = None
    tag_table: pl.DataFrame | None = None
    contexts: Mapping[str, Vocabulary] = field(default_factory=dict)
    stated_range: tuple[float, float] | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    encoders: Mapping[str, tuple[Encoder, ...]] = field(default_factory=dict)
    report: Report = field(default_factory=Report)

    def __post_init__(self) -> None:
        events = self.interactions
        if (events.n_users, events.n_items) != (len(self.users), len(self.items)):
            raise InputError(
                f"interactions of {events.n_users} x {events.n_items} do not fit vocabularies of {len(self.users)} x {len(self.items)}"
            )
        if set(events.context) != set(self.contexts):
            raise InputError(f"context columns {sorted(events.context)} do not fit context vocabularies {sorted(self.contexts)}")

    @classmethod
    def of(cls, frame: pl.DataFrame, context: tuple[str, ...] = (), **about: object) -> Dataset:
        """From a frame with columns user_id, item_id and any of rating, weight, timestamp and the context columns named.

        `about` is the rest of the fields: tables, stated range, kinds, report. Values are taken as they are;
        `likewise.read` is the door that checks and renames.

        >>> Dataset.of(pl.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"], "rating": [5, 3, 4]})).rating_range
        (3.0, 5.0)
        """
        users, user_rows = Vocabulary.encode(frame["user_id"])
        items, item_rows = Vocabulary.encode(frame["item_id"])
        times = times_of(frame)
        contexts, columns = {}, {}
        for name in context:
            values = context_values(frame, name, times)
            contexts[name] = Vocabulary.of(values.drop_nulls())
            columns[name] = contexts[name].rows(values)
        ratings, weights = floats_of(frame, "rating"), floats_of(frame, "weight")
        events = Interactions(user_rows, item_rows, len(users), len(items), ratings, weights, times, columns)
        return cls(events, users, items, contexts=contexts, **about)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.interactions)

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def explicit(self) -> bool:
        """Whether the events carry ratings."""
        return self.interactions.ratings is not None

    @cached_property
    def has_times(self) -> bool:
        """Whether every event has a time."""
        times = self.interactions.times
        return times is not None and len(times) > 0 and bool((times != NO_TIME).all())

    @cached_property
    def rating_range(self) -> tuple[float, float] | None:
        """The stated range, else the least and the greatest rating here; None without ratings."""
        ratings = self.interactions.ratings
        if self.stated_range is not None or ratings is None or not len(ratings):
            return self.stated_range
        return float(ratings.min()), float(ratings.max())

    @cached_property
    def titles(self) -> pl.Series | None:
        """The title of each item row, its id where it has none; None where no titles are known."""
        if self.item_table is None or "title" not in self.item_table.columns:
            return None
        ids = self.items.ids.rename("item_id").to_frame()
        table = self.item_table.select("item_id", pl.col("title").cast(pl.String))
        rows = self.items.rows(table["item_id"])
        table = table.with_columns(pl.Series("row", rows)).filter(pl.col("row") >= 0).unique("row", keep="first")
        joined = (
            ids.with_row_index("row")
            .cast({"row": pl.Int32})
            .join(table.select("row", "title"), on="row", how="left", maintain_order="left")
        )
        return joined.select(pl.coalesce("title", pl.col("item_id").cast(pl.String)).alias("title"))["title"]

    @cached_property
    def item_features(self) -> Features | None:
        """Encoded from the item table and the tags, aligned with `items`; None where there is nothing to encode."""
        ids = self.items.ids.rename("item_id").to_frame()
        table = ids if self.item_table is None else ids.hstack(align(self.item_table, "item_id", self.items))
        tags = self._tags()
        if tags is not None:
            table = (
                table.with_row_index("row_").cast({"row_": pl.Int32}).join(tags, on="row_", how="left", maintain_order="left").drop("row_")
            )
        return self._features(table, "item_id", self.items)

    @cached_property
    def user_features(self) -> Features | None:
        """Encoded from the user table, aligned with `users`; None where there is nothing to encode."""
        return None if self.user_table is None else self._features(self.user_table, "user_id", self.users)

    def frame(self) -> pl.DataFrame:
        """The events with their raw ids: user_id item_id rating weight timestamp and context columns, in the order read."""
        events = self.interactions
        columns: dict[str, pl.Series | NDArray[np.generic]] = {
            "user_id": self.users.take(events.users),
            "item_id": self.items.take(events.items),
        }
        columns |= {name: column for name, column in (("rating", events.ratings), ("weight", events.weights)) if column is not None}
        if events.times is not None:
            times = pl.Series(events.times)
            columns["timestamp"] = times.set(times == NO_TIME, None) if (events.times == NO_TIME).any() else times
        for name, rows in events.context.items():
            columns[name] = self.contexts[name].take(rows)
        return pl.DataFrame(columns)

    def select(self, events: Mask | NDArray[np.int64]) -> Dataset:
        """Some of the events, with vocabularies of their own: only the ids and context values that occur among them."""
        kept = self.interactions.select(events)
        users, user_rows = _compact(self.users, kept.users)
        items, item_rows = _compact(self.items, kept.items)
        compact = {name: _compact(self.contexts[name], rows) for name, rows in kept.context.items()}
        columns = {name: rows for name, (_, rows) in compact.items()}
        fresh = Interactions(user_rows, item_rows, len(users), len(items), kept.ratings, kept.weights, kept.times, columns)
        contexts = {name: vocabulary for name, (vocabulary, _) in compact.items()}
        report = replace(self.report, rows_kept=len(fresh))
        return replace(self, interactions=fresh, users=users, items=items, contexts=contexts, report=report)

    def over(self, other: Dataset) -> Dataset:
        """The same events over another's vocabularies; events whose user or item it does not know are left out and noted."""
        pairs = other.encode(self)
        kept = pairs.select(pairs.known)
        events = Interactions(
            kept.users, kept.items, len(other.users), len(other.items), kept.ratings, kept.weights, kept.times, kept.context
        )
        left_out = len(pairs) - len(kept)
        report = self.report.with_notes(f"{left_out:,} events left out: user or item unknown") if left_out else self.report
        return replace(self, interactions=events, users=other.users, items=other.items, contexts=other.contexts, report=report)

    def encode(self, source: object) -> Pairs:
        """Pairs in rows of this dataset's vocabularies, -1 for what they do not know.

        Parameters
        ----------
        source : Dataset, frame, mapping of columns, or sequence of (user, item) pairs
            Columns user_id and item_id; rating, weight, timestamp and contexts are taken where present.
            A context that is absent is -1 throughout, except "day", which follows from the timestamp.
        """
        frame = source.frame() if isinstance(source, Dataset) else pairs_frame(to_polars(source), tuple(self.contexts))
        times = times_of(frame)
        context = {name: known.rows(context_values(frame, name, times)) for name, known in self.contexts.items()}
        users, items = self.users.rows(frame["user_id"]), self.items.rows(frame["item_id"])
        return Pairs(users, items, floats_of(frame, "rating"), floats_of(frame, "weight"), times, context)

    def corner(self, n: int = 15) -> pl.DataFrame:
        """The densest corner: ratings of the `n` busiest users for the `n` most rated items, null where there is none.

        One row a user; columns are titles where known, else ids. Without ratings an event is a 1.
        """
        if n < 1:
            raise InputError(f"n must be at least 1; got {n}")
        events = self.interactions
        top_users = np.argsort(-np.bincount(events.users, minlength=len(self.users)), kind="stable")[:n].astype(np.int32)
        top_items = np.argsort(-np.bincount(events.items, minlength=len(self.items)), kind="stable")[:n].astype(np.int32)
        user_place, item_place = np.full(len(self.users), -1), np.full(len(self.items), -1)
        user_place[top_users], item_place[top_items] = np.arange(len(top_users)), np.arange(len(top_items))
        inside = (user_place[events.users] >= 0) & (item_place[events.items] >= 0)
        table = np.full((len(top_users), len(top_items)), np.nan, np.float32)
        table[user_place[events.users[inside]], item_place[events.items[inside]]] = 1 if events.ratings is None else events.ratings[inside]
        names = self.items.take(top_items).cast(pl.String) if self.titles is None else self.titles.gather(top_items)
        if names.n_unique() < len(names):
            names = names + " [" + self.items.take(top_items).cast(pl.String) + "]"
        columns = {name: pl.Series(table[:, n]).fill_nan(None) for n, name in enumerate(names)}
        return pl.DataFrame({"user_id": self.users.take(top_users), **columns})

    @cached_property
    def fingerprint(self) -> str:
        """A short digest of the events and their ids, in their order: the same data give the same digest anywhere."""
        digest = hashlib.blake2b(digest_size=16)
        for vocabulary in (self.users, self.items, *self.contexts.values()):
            digest.update("\n".join(map(str, vocabulary.ids)).encode() if vocabulary.kind == "str" else vocabulary.ids.to_numpy().tobytes())
        events = self.interactions
        for column in (events.users, events.items, events.ratings, events.weights, events.times, *events.context.values()):
            digest.update(b"none" if column is None else np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()

    def summary(self) -> list[tuple[str, str]]:
        """What it holds, as pairs of a label and a text."""
        cells = max(len(self.users) * len(self.items), 1)
        lines = [
            ("events", f"{len(self):,}"),
            ("users", f"{len(self.users):,}"),
            ("items", f"{len(self.items):,}"),
            ("density", f"{100 * len(self) / cells:.3g} %"),
        ]
        if self.rating_range is not None:
            lines.append(("ratings", f"{self.rating_range[0]:g} to {self.rating_range[1]:g}"))
        times = self.interactions.times
        if times is not None and (times != NO_TIME).any():
            first, last = (np.datetime64(int(t), "s").astype("datetime64[D]") for t in (times[times != NO_TIME].min(), times.max()))
            lines.append(("time", f"{first} to {last}"))
        lines += [("context", f"{name}: {len(vocabulary):,} values") for name, vocabulary in self.contexts.items()]
        tables = {"item table": self.item_table, "user table": self.user_table, "tags": self.tag_table}
        return lines + [(name, f"{table.height:,} rows: {', '.join(table.columns)}") for name, table in tables.items() if table is not None]

    def __repr__(self) -> str:
        return "Dataset\n" + "\n".join(f"  {label:<10} {text}" for label, text in self.summary())

    def _repr_html_(self) -> str:
        return html_table(self.summary() + self.report.lines())

    def _features(self, table: pl.DataFrame, id_column: str, vocabulary: Vocabulary) -> Features | None:
        settled = self.encoders.get(id_column.removesuffix("_id"))
        if settled is not None:
            features = Features.encoded(settled, table, id_column, vocabulary)
        else:
            kinds = {name: kind for name, kind in self.kinds.items() if name in table.columns}
            features = Features.fit(table, id_column, vocabulary, kinds)
        return features if features.blocks else None

    def settled(self) -> Dataset:
        """The same data whose features stay encoded as they are now, whatever its tables and vocabularies become."""
        encoded = {"user": self.user_features, "item": self.item_features}
        return replace(self, encoders={side: () if features is None else features.encoders for side, features in encoded.items()})

    def strangers(self, side: Literal["user", "item"], ids: pl.Series) -> Features | None:
        """Encoded features of ids from this data's tables, whether they are in the vocabulary or not; None where there is nothing to read.

        An id that the table lacks has no feature at all.
        """
        known = self.user_features if side == "user" else self.item_features
        table = self.user_table if side == "user" else self.item_table
        if known is None or table is None:
            return None
        asked = Vocabulary.of(ids)
        rows, held = asked.rows(ids), asked.rows(table[f"{side}_id"])
        there = np.zeros(len(asked), np.bool_)
        there[held[held >= 0]] = True
        encoded = Features.encoded(known.encoders, table, f"{side}_id", asked)
        return encoded.take(np.where(there[rows], rows, -1).astype(np.int32))

    def _tags(self) -> pl.DataFrame | None:
        """Tags of each item row as a list with repeats, from the (user, item) pairs that interacted here and no others."""
        if self.tag_table is None:
            return None
        users, items = self.users.rows(self.tag_table["user_id"]), self.items.rows(self.tag_table["item_id"])
        key = np.where((users >= 0) & (items >= 0), users.astype(np.int64) * len(self.items) + items, -1)
        here = self.interactions.users.astype(np.int64) * len(self.items) + self.interactions.items
        counted = np.isin(key, here)
        tagged = pl.DataFrame({"row_": items[counted], "tags": self.tag_table["tag"].filter(pl.Series(counted))})
        return tagged.group_by("row_", maintain_order=True).agg("tags")


def times_of(frame: pl.DataFrame) -> Times | None:
    """The timestamp column as int64 seconds, `NO_TIME` where null."""
    if "timestamp" not in frame.columns:
        return None
    return frame["timestamp"].cast(pl.Int64).fill_null(NO_TIME).to_numpy()


def floats_of(frame: pl.DataFrame, name: str) -> Floats | None:
    """A column as float32, None where the frame lacks it."""
    return frame[name].cast(pl.Float32).fill_null(np.nan).to_numpy() if name in frame.columns else None


def context_values(frame: pl.DataFrame, name: str, times: Times | None) -> pl.Series:
    """Values of a context column; "day" follows from the times where there is no such column."""
    if name in frame.columns:
        column = frame[name]
        return column.fill_nan(None) if column.dtype.is_float() else column
    if name == "day" and times is not None:
        seconds = pl.Series(times)
        return seconds.set(seconds == NO_TIME, None) // DAY
    return pl.Series([None] * frame.height, dtype=pl.String)


def _compact(vocabulary: Vocabulary, rows: Rows) -> tuple[Vocabulary, Rows]:
    used = np.zeros(len(vocabulary) + 1, np.bool_)
    used[rows] = True  # row -1 marks the spare place at the end
    used[-1] = False
    if used[:-1].all():
        return vocabulary, rows
    place = np.cumsum(used, dtype=np.int32) - np.int32(1)
    place[-1] = -1
    return Vocabulary(vocabulary.ids.filter(pl.Series(used[:-1]))), place[rows]
