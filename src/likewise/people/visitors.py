"""Many people the model was not trained on, folded in as one batch and answered in one frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from likewise.answers import Answers, ListRequest
from likewise.border import in_kind
from likewise.data.columns import pairs_frame
from likewise.data.csr import CSR
from likewise.data.dataset import floats_of, times_of
from likewise.data.features import align
from likewise.data.frames import to_polars
from likewise.data.interactions import Histories, Interactions
from likewise.data.report import html_table
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError, UnknownIdError
from likewise.people.recency import aged
from likewise.people.visitor import Visitor
from likewise.ranking.filters import hidden
from likewise.ranking.shown import Moment
from likewise.shapes import Floats


@dataclass(frozen=True, eq=False)
class Visitors:
    """People by what they did, each under an id of the caller's own, which the model never keeps.

    Made by `Recommender.visitors`.

    Parameters
    ----------
    answers : Answers
    ids : Vocabulary
        The caller's ids, in sorted order.
    histories : Histories
        One a person, in item rows.
    features : CSR or None
        Encoded user features, a row a person.
    unknown : pl.DataFrame
        The caller's rows whose item the model does not know; they are not used.
    """

    answers: Answers
    ids: Vocabulary
    histories: Histories
    features: CSR | None
    unknown: pl.DataFrame

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def people(self) -> Any:
        """What the model makes of them, a row each."""
        return self.answers.fitted.fold_in(self.histories, self.features)

    def recommend(
        self,
        k: int = 10,
        *,
        where: str | None = None,
        allow: Any = None,
        deny: Any = None,
        caps: Mapping[str, int] | None = None,
        filter_seen: bool = True,
        at: Moment | None = None,
        shown: Any = None,
        shown_days: float | None = None,
        rerank: Any = None,
    ) -> Any:
        """The best k items of each: user_id item_id title score rank source. Arguments as for `Recommender.recommend`."""
        ask = ListRequest(k, self.answers.filters(where, allow, deny, caps, at), filter_seen, "mean", rerank)
        seen = self.histories.csr(len(self.answers.data.items)) if filter_seen else None
        if (told := self.answers.shown(shown, at, shown_days)) is not None:
            seen = hidden(seen, told.to(self.ids.ids))
        ranked = self.answers.ranked(self.people, k, seen, ask, self.histories)
        frame = self.answers.list_frame(np.arange(len(self)), ranked, "folded")
        sources = pl.Series("source", self._sources()).gather(frame["position"])
        users = self.ids.ids.gather(frame["position"]).alias("user_id")
        return in_kind(frame.drop("position", "source").with_columns(sources).insert_column(0, users))

    def predict(self, pairs: Any) -> Any:
        """The frame of pairs (user_id, item_id) with a column `score`; an unknown item gets the population's answer.

        Raises UnknownIdError for a user who is not among these people.
        """
        frame = to_polars(pairs)
        named = self.answers.titles_to_ids(pairs_frame(frame))
        who, what = self.ids.rows(named["user_id"]), self.answers.data.items.rows(named["item_id"])
        if len(who) and who.min() < 0:
            stranger = named["user_id"][int(np.flatnonzero(who < 0)[0])]
            raise UnknownIdError(f"{stranger!r} is not among these {len(self)} visitors; add what they did to the frame")
        fitted = self.answers.fitted
        people = self.people.take(who) if isinstance(self.people, Histories) else self.people[who]
        return in_kind(frame.with_columns(score=fitted.link.respond(fitted.score_pairs(people, what))), pairs)

    def __getitem__(self, user: Any) -> Visitor:
        row = np.array([self.ids.row(user)], np.int32)
        return Visitor(self.answers, self.histories.take(row), None if self.features is None else self.features.take(row))

    def _sources(self) -> list[str]:
        told = np.zeros(len(self), np.int64) if self.features is None else self.features.counts
        named = zip(self.histories.counts, told, strict=True)
        return ["folded" if events else "features" if known and self.answers.fitted.reads_features else "cold" for events, known in named]

    def _repr_html_(self) -> str:
        sources = self._sources()
        kinds = ", ".join(f"{sources.count(kind):,} {kind}" for kind in ("folded", "features", "cold") if kind in sources)
        lines = [("people", f"{len(self):,}"), ("entries", f"{len(self.histories.rows):,}"), ("answered as", kinds)]
        return html_table([*lines, *([("ignored", f"{self.unknown.height:,} rows of unknown items")] if self.unknown.height else [])])

    def __repr__(self) -> str:
        ignored = f", {self.unknown.height} rows of unknown items ignored" if self.unknown.height else ""
        return f"Visitors({len(self):,} people, {len(self.histories.rows):,} entries{ignored})"


def visitors(answers: Answers, frame: Any, features: Any = None, half_life: float | None = None) -> Visitors:
    """Visitors from a frame of what they did; see `Recommender.visitors`."""
    events = answers.titles_to_ids(pairs_frame(to_polars(frame)))
    table = None if features is None else _keyed(to_polars(features))
    everybody = events["user_id"] if table is None else pl.concat([events["user_id"], table["user_id"].cast(events["user_id"].dtype)])
    if everybody.null_count():
        raise InputError(f"a visitor needs a user_id; {everybody.null_count()} rows have none")
    ids = Vocabulary.of(everybody)
    ratings = check_ratings(answers, floats_of(events, "rating"), events.height)
    items = answers.data.items.rows(events["item_id"])
    latest = events.select(pl.struct("user_id", "item_id").is_last_distinct()).to_series().to_numpy()
    kept = (items >= 0) & latest
    times = times_of(events)
    if half_life is not None and times is None:
        raise InputError("half_life needs a time for every entry: add a column 'timestamp'")
    told = Interactions(
        ids.rows(events["user_id"])[kept],
        items[kept],
        len(ids),
        len(answers.data.items),
        None if ratings is None else ratings[kept],
        _kept(floats_of(events, "weight"), kept),
        _kept(times, kept),
    )
    histories = aged(told.by_user, half_life)
    return Visitors(answers, ids, histories, _encoded(answers, table, ids), events.filter(pl.Series(items < 0)))


def check_ratings(answers: Answers, ratings: Floats | None, n: int) -> Floats | None:
    """Ratings as the model knows them: in range, finite; a like is the top of the range; none where the model learned from likes."""
    limits = answers.data.rating_range
    if not answers.data.explicit:
        return None
    if ratings is None:
        return None if limits is None else np.full(n, limits[1], np.float32)
    wrong = ~np.isfinite(ratings) if limits is None else ~((ratings >= limits[0]) & (ratings <= limits[1]))
    if wrong.any():
        allowed = "finite" if limits is None else f"from {limits[0]:g} to {limits[1]:g}"
        raise InputError(f"ratings must be {allowed}; {int(wrong.sum())} are not, the first is {ratings[wrong][0]:g}")
    return ratings


def _kept(column: Any, kept: Any) -> Any:
    return None if column is None else column[kept]


def _keyed(table: pl.DataFrame) -> pl.DataFrame:
    if "user_id" not in table.columns:
        raise InputError(f"the visitors' features need a column 'user_id'; the columns are: {', '.join(table.columns)}")
    return table


def _encoded(answers: Answers, table: pl.DataFrame | None, ids: Vocabulary) -> CSR | None:
    if table is None:
        return None
    known = answers.data.user_features
    if known is None:
        raise InputError("features were given, but the model was trained without user features; leave them out")
    return known.encode(align(table, "user_id", ids)).design()
