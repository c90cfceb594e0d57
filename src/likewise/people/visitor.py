"""Somebody the model was not trained on: folded in once, then asked like anybody else. The model is never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl

from likewise.answers import Answers, ListRequest
from likewise.border import as_list, in_kind
from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.data.report import html_table
from likewise.errors import InputError
from likewise.models.base import Side
from likewise.people.reasons import Reasons, reasons_of
from likewise.people.recency import recency
from likewise.ranking.shown import Moment
from likewise.shapes import Floats, Rows

SHOWN = 20
"""Entries that a notebook shows of somebody's history."""


@dataclass(frozen=True, eq=False)
class Visitor:
    """One person by what they did, not by an id.

    Made by `Recommender.visitor`. Every method that changes something returns a new visitor.

    Parameters
    ----------
    answers : Answers
    history : Histories
        Of one person, in item rows.
    features : CSR or None
        One row of encoded user features.
    unknown : tuple
        What was said of items that the model does not know; it is not used.
    unseen : tuple of int
        Item rows that they were asked about and do not know; it tells which questions make sense.
    """

    answers: Answers
    history: Histories
    features: CSR | None = None
    unknown: tuple[Any, ...] = ()
    unseen: tuple[int, ...] = ()

    @cached_property
    def person(self) -> Any:
        """What the model makes of this person."""
        return self.answers.fitted.fold_in(self.history, self.features)

    @property
    def source(self) -> str:
        """Which path answers: "folded" from a history, "features" alone, or "cold"."""
        if len(self.history.rows):
            return "folded"
        told = self.features is not None and len(self.features.columns) and self.answers.fitted.reads_features
        return "features" if told else "cold"

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
        rerank: Any = None,
        explain: bool = False,
    ) -> Any:
        """The best k items: item_id title score rank source, and with `explain` a column `because`.

        `shown` are ids or titles that they were shown lately. Other arguments as for `Recommender.recommend`.
        """
        ask = ListRequest(k, self.answers.filters(where, allow, joined(deny, shown), caps, at), filter_seen, "mean", rerank)
        frame, _ = self.ranked(ask, explain)
        return in_kind(frame)

    def ranked(self, ask: ListRequest, explain: bool = False) -> tuple[pl.DataFrame, Rows]:
        """The list as a polars frame, and its item rows."""
        seen = self.history.csr(len(self.answers.data.items)) if ask.filter_seen else None
        found = self.answers.ranked(self.person, ask.k, seen, ask, self.history)
        frame = self.answers.list_frame(np.zeros(1, np.int64), found, self.source).drop("position")
        rows = found.items[0][found.items[0] >= 0]
        if explain:
            frame = frame.with_columns(pl.Series("because", [r.sentence() for r in self._reasons(rows)], dtype=pl.String))
        return frame, rows

    def predict(self, items: Any) -> Any:
        """The rating this person would give: a number for one item, an array for several; an unknown item gets the population's answer."""
        values, alone = as_list(items)
        rows = self.answers.titles.rows(values)
        fitted = self.answers.fitted
        people = _repeated(self.person, len(rows))
        response: Floats = fitted.link.respond(fitted.score_pairs(people, rows))
        return float(response[0]) if alone else response

    def explain(self, item: Any) -> Reasons:
        """Why this item gets its score: parts over this person's own entries that add up."""
        return self._reasons([self.answers.titles.row(item)])[0]

    def rate(self, item: Any, rating: float | None = None) -> Self:
        """The same person with one more rating or like; rating an item again replaces the earlier one."""
        row = self.answers.titles.row(item)
        history = with_entry(self.history, row, check_rating(self.answers, item, rating))
        return replace(self, history=history, unseen=tuple(other for other in self.unseen if other != row))

    def not_seen(self, item: Any) -> Self:
        """The same person, who was asked about this item and does not know it."""
        row = self.answers.titles.row(item)
        return self if row in self.unseen else replace(self, unseen=(*self.unseen, row))

    def next_question(self) -> tuple[Any, str] | None:
        """The id and title of the one item to ask about next; None when nothing is left to ask."""
        from likewise.people.questions import Questionnaire

        rows, _, _ = Questionnaire(self.answers).ask(self.history, np.array(self.unseen, np.int32), 1)
        return (self.answers.data.items.id(int(rows[0])), self.answers.name(int(rows[0]))) if len(rows) else None

    def questions(self, n: int = 1) -> Any:
        """The n items to ask this person about next, most telling first: item_id title gain chance rank.

        `gain` is what the answer would tell, times the `chance` that they know the item; what they rated or said they had not seen is
        not asked again. Answers change what is best asked next, so asking one at a time is better than asking n at once.
        """
        from likewise.people.questions import questions

        return in_kind(questions(self.answers, self.history, np.array(self.unseen, np.int32), n))

    def _reasons(self, rows: Sequence[int] | Rows) -> list[Reasons]:
        return [reasons_of(self.answers, self.person, self.history, int(row))[0] for row in rows]

    def _repr_html_(self) -> str:
        ratings = self.history.ratings
        entries = [
            (self.answers.name(int(row)), "liked" if ratings is None else f"{ratings[n]:g}") for n, row in enumerate(self.history.rows)
        ]
        shown = entries if len(entries) <= SHOWN else [*entries[:SHOWN], ("...", f"{len(entries) - SHOWN} more")]
        ignored = [("ignored, as unknown", ", ".join(map(str, self.unknown)))] if self.unknown else []
        return html_table([("answered as", self.source), *shown, *ignored])

    def __repr__(self) -> str:
        ignored = f", {len(self.unknown)} unknown items ignored" if self.unknown else ""
        return f"Visitor({len(self.history.rows)} entries{ignored}, {self.source})"


def joined(deny: Any, shown: Any) -> Any:
    """Everything that one person must not get, ids or titles."""
    if deny is None or shown is None:
        return shown if deny is None else deny
    return [*as_list(deny)[0], *as_list(shown)[0]]


def visitor(
    answers: Answers,
    ratings: Mapping[Any, float] | None = None,
    likes: Iterable[Any] | None = None,
    history: Any = None,
    features: Mapping[str, Any] | None = None,
    half_life: float | None = None,
) -> Visitor:
    """A visitor from what they said; see `Recommender.visitor`."""
    said: dict[int, float | None] = {}
    unknown: list[Any] = []

    def note(item: Any, rating: float | None) -> None:
        row = answers.titles.find(item)
        if row < 0:
            unknown.append(item)
            return
        said.pop(row, None)  # said twice: the later counts, and comes later
        said[row] = rating

    for item, rating in (ratings or {}).items():
        note(item, check_rating(answers, item, rating))
    for item in likes or ():
        note(item, check_rating(answers, item, None))
    times: dict[int, int] = {}
    for item, rating, time in _events(history):
        note(item, check_rating(answers, item, rating))
        if time is not None and answers.titles.find(item) >= 0:
            times[answers.titles.find(item)] = time
    return Visitor(answers, _histories(said, times, half_life), encode_features(answers, features), tuple(unknown))


def with_entry(history: Histories, row: int, rating: float | None) -> Histories:
    """A one-person history with an entry added at its end, or moved there."""
    kept = history.keep(history.rows != row)

    def grown(column: Any, value: float) -> Any:
        return None if column is None else np.append(column, np.asarray(value, column.dtype))

    ratings = kept.ratings
    if ratings is None and rating is not None:
        ratings = np.ones(len(kept.rows), np.float32)
    newest = int(kept.times.max()) if kept.times is not None and len(kept.times) else 0
    return Histories(
        np.array([0, len(kept.rows) + 1], np.int64),
        np.append(kept.rows, np.int32(row)).astype(np.int32),
        grown(ratings, 1.0 if rating is None else rating),
        grown(kept.weights, 1.0),
        grown(kept.times, newest),
    )


def check_rating(answers: Answers, item: Any, rating: Any) -> float | None:
    """The rating as the model knows ratings; a like is the top of their range, or nothing where the model learned from likes."""
    limits = answers.data.rating_range
    if rating is None or not answers.data.explicit:
        return None if limits is None or not answers.data.explicit else limits[1]
    try:
        value = float(rating)
    except (TypeError, ValueError):
        raise InputError(f"the rating of {item!r} must be a number; got {rating!r}") from None
    if not np.isfinite(value) or (limits is not None and not limits[0] <= value <= limits[1]):
        allowed = "finite" if limits is None else f"from {limits[0]:g} to {limits[1]:g}"
        raise InputError(f"the rating of {item!r} must be {allowed}; got {rating!r}")
    return value


def encode_features(answers: Answers, features: Mapping[str, Any] | None, side: Side = "user") -> CSR | None:
    """One row of user (item) features, encoded as those of training were."""
    if not features:
        return None
    known = answers.data.user_features if side == "user" else answers.data.item_features
    if known is None:
        raise InputError(f"features were given, but the model was trained without {side} features; leave them out")
    names = [encoder.name for encoder in known.encoders]
    stray = [name for name in features if name not in names]
    if stray:
        raise InputError(f"there is no {side} feature {stray[0]!r}; there are: {', '.join(names)}")
    return known.encode(pl.DataFrame({name: [value] for name, value in features.items()})).design()


def _histories(said: Mapping[int, float | None], times: Mapping[int, int], half_life: float | None) -> Histories:
    rows = np.fromiter(said, np.int32, len(said))
    rated = [r for r in said.values() if r is not None]
    ratings = np.array([1.0 if r is None else r for r in said.values()], np.float32) if rated else None
    when = np.array([times[r] for r in said], np.int64) if times and all(r in times for r in said) else None
    if when is not None:
        order = np.argsort(when, kind="stable")
        rows, when, ratings = rows[order], when[order], None if ratings is None else ratings[order]
    if half_life is not None and when is None:
        raise InputError("half_life needs a time for every entry: give history=[(item, rating, time), ...]")
    return Histories(np.array([0, len(rows)], np.int64), rows, ratings, recency(when, half_life), when)


def _events(history: Any) -> Iterable[tuple[Any, Any, int | None]]:
    """Entries of a history: items, or tuples of item, rating and time."""
    for entry in history if history is not None else ():
        if isinstance(entry, (str, int, np.integer)):
            yield entry, None, None
        elif isinstance(entry, Sequence) and 1 <= len(entry) <= 3:
            item, rating, time = (*entry, None, None)[:3]
            yield item, rating, None if time is None else int(time)
        else:
            raise InputError(f"a history is a list of items or of (item, rating, time); got {entry!r}")


def _repeated(person: Any, n: int) -> Any:
    rows = np.zeros(n, np.int32)
    return person.take(rows) if isinstance(person, Histories) else person[rows]
