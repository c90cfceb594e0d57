"""What is recommended against what there is: popular items' share of the lists, of the ratings and of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from likewise.answers import Answers, ListRequest, seen_items
from likewise.errors import InputError
from likewise.evaluation.beyond import beyond_figures
from likewise.evaluation.figures import by_name
from likewise.evaluation.significance import intervals
from likewise.insight.display import axes_of

BLOCK = 512


@dataclass(frozen=True, eq=False)
class Coverage:
    """Whom the lists show.

    Parameters
    ----------
    k, people : int
        Length of the lists, and how many people's.
    frame : pl.DataFrame
        One row a tenth of the catalogue, most rated first: tenth, items, ratings (share of all ratings), shown (share of all places
        in the lists), items_shown (share of the tenth that is in somebody's list).
    figures : pl.DataFrame
        figure, value, low, high: coverage, Gini, popularity and novelty of the lists, with 95 % intervals over people.
    shown : int64 [item]
        In how many lists each item is.
    """

    k: int
    people: int
    frame: pl.DataFrame
    figures: pl.DataFrame
    shown: np.ndarray[Any, np.dtype[np.int64]]

    def plot(self, ax: Any = None) -> Any:
        """Share of the ratings and of the lists by tenths of the catalogue; returns the Matplotlib axes."""
        ax = axes_of(ax, "insight.coverage().plot()", (7, 4))
        place = np.arange(self.frame.height)
        ax.bar(place - 0.2, 100 * self.frame["ratings"], 0.4, color="0.75", label="of all ratings")
        ax.bar(place + 0.2, 100 * self.frame["shown"], 0.4, color="C0", label=f"of the places in lists of {self.k}")
        ax.set_xticks(place, self.frame["tenth"])
        ax.set_xlabel("tenth of the catalogue, most rated first")
        ax.set_ylabel("per cent")
        value = self.figures.row(by_predicate=pl.col("figure") == f"coverage@{self.k}", named=True)["value"]
        ax.set_title(f"{100 * value:.1f} % of the catalogue is in somebody's list")
        ax.legend(frameon=False)
        return ax

    def __repr__(self) -> str:
        with pl.Config(tbl_rows=30, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, float_precision=3):
            return f"lists of {self.k} for {self.people:,} people\n{self.frame}\n{self.figures}"

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()


def coverage(answers: Answers, k: int = 10, most: int = 5_000, seed: int = 0) -> Coverage:
    """What lists of k show, over everybody or a sample of `most` people."""
    if k < 1:
        raise InputError(f"k must be at least 1; got {k}")
    data = answers.data
    users = np.arange(data.n_users, dtype=np.int32)
    if len(users) > most:
        users = np.sort(np.random.default_rng(seed).choice(users, most, replace=False)).astype(np.int32)
    k = min(k, data.n_items)
    lists = np.full((len(users), k), -1, np.int32)
    for start in range(0, len(users), BLOCK):
        block = users[start : start + BLOCK]
        histories = data.interactions.by_user.take(block)
        found = answers.ranked(answers.fitted.people(block), k, seen_items(data, block), ListRequest(k), histories)
        lists[start : start + len(block), : found.items.shape[1]] = found.items
    counts = np.bincount(data.interactions.items, minlength=data.n_items)
    shown = np.bincount(lists[lists >= 0], minlength=data.n_items)
    measured = intervals(list(by_name(beyond_figures(lists, counts, data.n_users, [k])).values()))
    rows = [(name, i.value, i.low, i.high) for name, i in measured.items()]
    figures = pl.DataFrame(rows, schema=["figure", "value", "low", "high"], orient="row")
    return Coverage(k, len(users), _tenths(counts, shown), figures, shown)


def _tenths(counts: np.ndarray[Any, np.dtype[np.int64]], shown: np.ndarray[Any, np.dtype[np.int64]]) -> pl.DataFrame:
    rows = []
    for n, part in enumerate(np.array_split(np.argsort(-counts, kind="stable"), min(10, len(counts)))):
        share = counts[part].sum() / max(counts.sum(), 1), shown[part].sum() / max(shown.sum(), 1)
        rows.append((n + 1, len(part), float(share[0]), float(share[1]), float((shown[part] > 0).mean())))
    return pl.DataFrame(rows, schema=["tenth", "items", "ratings", "shown", "items_shown"], orient="row")
