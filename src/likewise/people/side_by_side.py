"""Two people side by side: what both rated and how, and what each loved that the other has not met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from likewise.answers import Answers
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.shapes import Floats, Rows


@dataclass(frozen=True)
class SideBySide:
    """What two people share, and what each could tell the other about.

    Parameters
    ----------
    a, b : ids
    both : pl.DataFrame
        item_id title rating_a rating_b difference, the most different last.
    for_a, for_b : pl.DataFrame
        item_id title rating score: what the other loved and this one has not met, by how this one would rate it.
    agreement : float or None
        Correlation of their ratings of the same items; None with fewer than three, or where one rates all alike.
    """

    a: Any
    b: Any
    both: pl.DataFrame
    for_a: pl.DataFrame
    for_b: pl.DataFrame
    agreement: float | None

    def __repr__(self) -> str:
        alike = "" if self.agreement is None else f", agreement {self.agreement:+.2f}"
        return (
            f"{self.a!r} and {self.b!r}: {self.both.height} items in common{alike}\n{self.both.head(5)}\n"
            f"for {self.a!r}: {self.for_a.head(5)}\nfor {self.b!r}: {self.for_b.head(5)}"
        )

    def _repr_html_(self) -> str:
        parts = (("in common", self.both), (f"for {self.a}", self.for_a), (f"for {self.b}", self.for_b))
        return "".join(f"<h4>{title}</h4>{frame.head(10)._repr_html_()}" for title, frame in parts)


def side_by_side(answers: Answers, a: Any, b: Any, k: int = 10) -> SideBySide:
    """Two known users side by side; see `Recommender.compare_users`.

    Raises UnknownIdError for somebody who is not there.
    """
    if k < 1:
        raise InputError(f"k must be at least 1; got {k}")
    users = np.array([answers.data.users.row(a), answers.data.users.row(b)], np.int32)
    histories = answers.data.interactions.by_user.take(users)
    mine, theirs = (histories.take(np.array([n], np.int32)) for n in (0, 1))
    shared, at_mine, at_theirs = np.intersect1d(mine.rows, theirs.rows, return_indices=True)
    one, other = _ratings(mine)[at_mine], _ratings(theirs)[at_theirs]
    both = answers.item_frame(shared, rating_a=one, rating_b=other, difference=other - one).drop("rank")
    both = both.sort(pl.col("difference").abs(), -pl.col("rating_a"), maintain_order=True)
    told = len(shared) >= 3 and one.std() > 0 and other.std() > 0
    agreement = float(np.corrcoef(one, other)[0, 1]) if told else None
    tips = [_tips(answers, users[n : n + 1], has, loved, k) for n, has, loved in ((0, mine, theirs), (1, theirs, mine))]
    return SideBySide(a, b, both, tips[0], tips[1], agreement)


def _tips(answers: Answers, user: Rows, has: Histories, others: Histories, k: int) -> pl.DataFrame:
    """What the other rated above their own mean and this user has not met, best first by this user's score."""
    ratings = _ratings(others)
    new = ~np.isin(others.rows, has.rows) & (ratings >= ratings.mean() if len(ratings) else np.empty(0, np.bool_))
    rows, given = others.rows[new], ratings[new]
    fitted = answers.fitted
    scores = fitted.link.respond(fitted.score(fitted.people(user), rows)[0])
    best = np.argsort(-scores, kind="stable")[:k]
    return answers.item_frame(rows[best], rating=given[best], score=scores[best]).drop("rank")


def _ratings(history: Histories) -> Floats:
    return np.ones(len(history.rows), np.float32) if history.ratings is None else history.ratings
