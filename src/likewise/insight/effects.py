"""What each part of the equation does to predictions: biases and taste, features, context, with intervals.

part       deviation of a part over training pairs: how far it moves a prediction from one pair to the next
feature    mean prediction for items (of users) with a feature minus that without it, over everybody: what is predicted of the
           group, not what the feature causes
context    mean change of a prediction when the context is given, against the prediction without it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.answers import Answers
from likewise.data.interactions import Histories
from likewise.insight.biases import Z95
from likewise.insight.display import axes_of
from likewise.models.base import Side

PAIRS, PEOPLE, DRAWS = 400, 200, 400
FEWEST = 5
"""Rows that must have a feature, and lack it, for the two to be compared."""
MOST_CONTEXTS = 30
NOTHING = Histories(np.zeros(2, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Effects:
    """What moves predictions.

    Parameters
    ----------
    frame : pl.DataFrame
        kind ("part", "item feature", "user feature", "context"), name, effect, low, high (95 %), rows (pairs, or rows with the feature).
    """

    frame: pl.DataFrame

    def plot(self, n: int = 30, ax: Any = None) -> Any:
        """Effects with their intervals, parts first, then the strongest; returns the Matplotlib axes."""
        parts = self.frame.filter(pl.col("kind") == "part")
        others = self.frame.filter(pl.col("kind") != "part").sort(pl.col("effect").abs(), descending=True, maintain_order=True)
        shown = pl.concat([parts, others.head(max(n - parts.height, 0))])
        ax = axes_of(ax, "insight.effects().plot()", (7, 1 + 0.26 * shown.height))
        for place, row in enumerate(shown.iter_rows(named=True)):
            colour = "0.4" if row["kind"] == "part" else "C0" if row["effect"] >= 0 else "C3"
            ax.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2)
            ax.plot(row["effect"], place, "o", color=colour, markersize=4)
        ax.axvline(0, color="0.7", linewidth=1)
        ax.set_yticks(range(shown.height), [f"{row['kind']}: {row['name']}" for row in shown.iter_rows(named=True)])
        ax.invert_yaxis()
        ax.set_xlabel("effect on the prediction, 95 % interval")
        ax.set_title("What moves predictions")
        return ax

    def __repr__(self) -> str:
        with pl.Config(tbl_rows=60, fmt_str_lengths=40, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, float_precision=3):
            return str(self.frame)

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()


def effects(answers: Answers, pairs: int = PAIRS, seed: int = 0) -> Effects:
    """What each bias, feature and context does to predictions, over a sample of `pairs` training pairs and of people."""
    rng = np.random.default_rng(seed)
    rows = _parts(answers, pairs, rng)
    for side in ("item", "user"):
        rows += _features(answers, side, rng)
    for name in answers.data.contexts:
        rows += _contexts(answers, name, pairs, rng)
    return Effects(pl.DataFrame(rows, schema=["kind", "name", "effect", "low", "high", "rows"], orient="row"))


Row = tuple[str, str, float, float, float, int]


def _parts(answers: Answers, pairs: int, rng: np.random.Generator) -> list[Row]:
    """Deviation of each part over random training pairs; intervals by drawing the pairs again."""
    events = answers.data.interactions
    if not len(events):
        return []
    chosen = np.sort(rng.choice(len(events), min(pairs, len(events)), replace=False))
    columns: dict[str, list[float]] = {"user": [], "item": [], "taste": []}
    for n, event in enumerate(chosen):
        user = events.users[event : event + 1]
        people = answers.fitted.people(user)
        # sharing taste out over a history is dear; of vectors from ids alone, what is no bias is taste
        alone = isinstance(people, np.ndarray) and not answers.fitted.reads_features
        found = answers.fitted.explain(people, NOTHING if alone else events.by_user.take(user), int(events.items[event]))[0]
        extra = {} if alone else dict(found.extra)
        taste = found.score - found.mean - found.user - found.item - sum(extra.values())
        told = {"user": found.user, "item": found.item, "taste": taste, **extra}
        for name, value in told.items():
            columns.setdefault(name, [0.0] * n).append(float(value))
        for name in columns.keys() - told.keys():
            columns[name].append(0.0)
    values = np.array(list(columns.values()))
    draws = values[:, rng.integers(0, len(chosen), (DRAWS, len(chosen)))].std(2)
    low, high = np.quantile(draws, [0.025, 0.975], axis=1)
    return [
        ("part", name, float(v.std()), float(a), float(b), len(chosen)) for name, v, a, b in zip(columns, values, low, high, strict=True)
    ]


def _features(answers: Answers, side: Side, rng: np.random.Generator) -> list[Row]:
    """Items (users) with each feature against those without, by their mean prediction over a sample of the other side."""
    features = answers.data.item_features if side == "item" else answers.data.user_features
    if features is None:
        return []
    data, fitted = answers.data, answers.fitted
    mine, others = (data.n_items, data.n_users) if side == "item" else (data.n_users, data.n_items)
    some = np.sort(rng.choice(others, min(PEOPLE, others), replace=False)).astype(np.int32)
    if side == "item":
        mean = fitted.link.respond(fitted.score(fitted.people(some))).mean(0)
    else:
        blocks = [np.arange(start, min(start + 1024, mine), dtype=np.int32) for start in range(0, mine, 1024)]
        mean = np.concatenate([fitted.link.respond(fitted.score(fitted.people(rows), some)).mean(1) for rows in blocks])
    rows: list[Row] = []
    for block in features.blocks:
        if block.kind not in ("category", "set"):
            continue
        dense = block.matrix.toarray() > 0
        for name, has in zip(block.columns, dense.T, strict=True):
            if min(has.sum(), (~has).sum()) >= FEWEST:
                gap, error = _difference(mean[has].astype(np.float64), mean[~has].astype(np.float64))
                rows.append((f"{side} feature", name, gap, gap - Z95 * error, gap + Z95 * error, int(has.sum())))
    return sorted(rows, key=lambda row: -abs(row[2]))


def _difference(a: Doubles, b: Doubles) -> tuple[float, float]:
    """Difference of two means, and its standard error (Welch 1947)."""
    return float(a.mean() - b.mean()), float(np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)))


def _contexts(answers: Answers, name: str, pairs: int, rng: np.random.Generator) -> list[Row]:
    """The change that each value of a context makes, over the same random pairs; the most frequent values where there are many."""
    events, fitted, values = answers.data.interactions, answers.fitted, answers.data.contexts[name]
    chosen = np.sort(rng.choice(len(events), min(pairs, len(events)), replace=False))
    items = events.items[chosen]

    def predicted(context: dict[str, NDArray[np.int32]] | None) -> Doubles:
        people = fitted.people(events.users[chosen])
        return fitted.link.respond(fitted.score_pairs(people, items, context)).astype(np.float64)

    counts = np.bincount(events.context[name][events.context[name] >= 0], minlength=len(values))
    plain, rows = predicted(None), []
    for row in np.sort(np.argsort(-counts, kind="stable")[:MOST_CONTEXTS]):
        change = predicted({name: np.full(len(chosen), row, np.int32)}) - plain
        mean, error = float(change.mean()), float(change.std() / np.sqrt(len(change)))
        rows.append(("context", f"{name}={values.id(int(row))}", mean, mean - Z95 * error, mean + Z95 * error, int(counts[row])))
    return rows
