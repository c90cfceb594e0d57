"""Why a score is what it is: parts that add up, in words, in a table, as a bar.

On the scale before the link

    score = mean + user + item + taste (+ features, context)

and taste is split over the person's own ratings. The link, where there is one, is the last step and is shown as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import polars as pl

from likewise.answers import Answers
from likewise.data.interactions import Histories
from likewise.models.base import Parts

SENTENCES: Mapping[str, str] = {
    "because": "because you gave {items}",
    "although": "although you gave {items}",
    "liked": "because you liked {items}",
    "popular": "because it is well liked",
    "and": " and ",
    "one": "{title} {rating:g}",
}
"""The words of a reason, to be translated: pass a mapping of the same keys to `Reasons.sentence`."""


@dataclass(frozen=True)
class Reasons:
    """One score and what made it.

    Parameters
    ----------
    item : id
    title : str
    parts : Parts
    history : list of (id, title, rating or None)
        The person's own entries, in the order of `parts.taste`.
    """

    item: Any
    title: str
    parts: Parts
    history: list[tuple[Any, str, float | None]] = field(default_factory=list)

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row a part: part, item_id, title, rating, contribution; own ratings strongest first, then the link's step and the answer."""
        order = np.argsort(-np.abs(self.parts.taste), kind="stable")
        rows: list[tuple[str, Any, str | None, float | None, float]] = [
            ("mean", None, None, None, self.parts.mean),
            ("user", None, None, None, self.parts.user),
            ("item", None, None, None, self.parts.item),
        ]
        rows += [("taste", str(self.history[n][0]), self.history[n][1], self.history[n][2], float(self.parts.taste[n])) for n in order]
        rows += [(name, None, None, None, float(value)) for name, value in self.parts.extra.items()]
        if abs(self.parts.residual) > 5e-4:
            rows.append(("residual", None, None, None, float(self.parts.residual)))
        schema = {"part": pl.String, "item_id": pl.String, "title": pl.String, "rating": pl.Float64, "contribution": pl.Float64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    @property
    def score(self) -> float:
        """What the parts sum to."""
        return self.parts.score

    @property
    def response(self) -> float:
        """The score through the link: a rating, or a probability."""
        return self.parts.response

    def strongest(self, n: int = 3) -> list[tuple[Any, str, float | None, float]]:
        """The person's own entries that count most: id, title, rating, and nearly what the score would lose without the entry.

        That is the entry's contribution to taste and its share of the person's level.
        """
        influence = self.parts.influence
        order = np.argsort(-np.abs(influence), kind="stable")[:n]
        return [(*self.history[i], float(influence[i])) for i in order]

    def sentence(self, n: int = 2, words: Mapping[str, str] = SENTENCES) -> str:
        """A line such as "because you gave Heat 5 and Casino 4": the entries that pulled the score up most."""
        pulls = [i for i in np.argsort(-self.parts.taste, kind="stable") if self.parts.taste[i] > 0][:n]
        if not pulls:
            return words["popular"]
        named = [self.history[i] for i in pulls]
        if any(rating is None for _, _, rating in named):
            return words["liked"].format(items=words["and"].join(title for _, title, _ in named))
        return words["because"].format(items=words["and"].join(words["one"].format(title=t, rating=r) for _, t, r in named))

    def __repr__(self) -> str:
        lines = [f"{self.title}: {self.response:.2f}, {self.sentence()}"]
        for part, _, title, rating, contribution in self._short().iter_rows():
            label = part if title is None else f"{title} ({rating:g})" if rating is not None else title
            lines.append(f"  {contribution:+.3f}  {label}")
        lines.append(
            f"  = {self.score:.3f}" + (f", through the link {self.response:.3f}" if abs(self.response - self.score) > 1e-6 else "")
        )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(part if title is None else title)}</td><td>{'' if rating is None else f'{rating:g}'}</td>"
            f"<td style='text-align:right'>{contribution:+.3f}</td></tr>"
            for part, _, title, rating, contribution in self._short().iter_rows()
        )
        total = f"<tr><td>score</td><td></td><td style='text-align:right'>{self.score:.3f}</td></tr>"
        return f"<table><caption>{escape(self.title)}: {self.response:.2f}</caption>{rows}{total}</table>"

    def _short(self, most: int = 8) -> pl.DataFrame:
        """The parts with the weakest of a long history summed into one line."""
        taste = self.frame.filter(pl.col("part") == "taste")
        if taste.height <= most:
            return self.frame
        others = taste.slice(most)
        rest = pl.DataFrame(
            [("taste", None, f"{others.height} other items", None, others["contribution"].sum())], schema=self.frame.schema, orient="row"
        )
        rank = {"mean": 0, "user": 1, "item": 2}
        return pl.concat(
            [
                self.frame.filter(pl.col("part").is_in(list(rank))),
                taste.head(most),
                rest,
                self.frame.filter(~pl.col("part").is_in([*rank, "taste"])),
            ]
        )


def reasons_of(answers: Answers, people: Any, histories: Histories, item: int, context: Any = None) -> list[Reasons]:
    """The reasons for one item row, a person each."""
    parts = answers.fitted.explain(people, histories, item, context)
    return [Reasons(answers.data.items.id(item), answers.name(item), p, entries(answers, histories, n)) for n, p in enumerate(parts)]


def with_reasons(answers: Answers, lists: pl.DataFrame) -> pl.DataFrame:
    """Lists of known and unknown users (user_id, item_id, ...) with a column `because`."""
    users, items = answers.data.users.rows(lists["user_id"]), answers.data.items.rows(lists["item_id"])
    sentences = []
    for user, item in zip(users, items, strict=True):
        row = np.array([user], np.int32)
        history = answers.data.interactions.by_user.take(row)
        sentences.append(reasons_of(answers, answers.fitted.people(row), history, int(item))[0].sentence())
    return lists.with_columns(pl.Series("because", sentences, dtype=pl.String))


def entries(answers: Answers, histories: Histories, person: int) -> list[tuple[Any, str, float | None]]:
    """A person's history as ids, titles and ratings."""
    part = slice(int(histories.indptr[person]), int(histories.indptr[person + 1]))
    rows = histories.rows[part]
    ratings = [None] * len(rows) if histories.ratings is None else [float(r) for r in histories.ratings[part]]
    return [
        (answers.data.items.id(int(row)) if row >= 0 else None, answers.name(int(row)), r) for row, r in zip(rows, ratings, strict=True)
    ]
