"""Who and what is alike, and why: raters they share, axes they share; and clusters with their typical items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.answers import Answers
from likewise.errors import InputError
from likewise.insight.axes import Axes
from likewise.ranking.similar import similar, unit_rows

ROUNDS = 50


@dataclass(frozen=True, eq=False)
class Alike:
    """Items like one item, with what they have in common.

    Parameters
    ----------
    title : str
    frame : pl.DataFrame
        item_id, title, similarity, shared_raters, both_liked (share of the shared raters who rated both above their own mean), axes.
    """

    title: str
    frame: pl.DataFrame

    def __repr__(self) -> str:
        with pl.Config(tbl_rows=30, fmt_str_lengths=60, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, float_precision=2):
            return f"like {self.title}\n{self.frame}"

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()


def alike(answers: Answers, item: Any, found: Axes, k: int = 10) -> Alike:
    """The k items most like one, and why."""
    factors = _factors(answers)
    row = answers.titles.row(item)
    near = similar(factors, np.array([row], np.int32), k)
    rows = near.items[0][near.items[0] >= 0]
    by_item, level = answers.data.interactions.by_item, _levels(answers)
    mine = _raters(by_item, row, level)
    shared, liked = [], []
    for other in rows:
        theirs = _raters(by_item, int(other), level)
        both = mine.keys() & theirs.keys()
        shared.append(len(both))
        liked.append(sum(mine[u] and theirs[u] for u in both) / len(both) if both else None)
    frame = pl.DataFrame(
        {
            "item_id": answers.data.items.take(rows),
            "title": [answers.name(int(r)) for r in rows],
            "similarity": near.scores[0][: len(rows)],
            "shared_raters": shared,
            "both_liked": pl.Series(liked, dtype=pl.Float64),
            "axes": [_shared_axes(found, row, int(r)) for r in rows],
        }
    )
    return Alike(answers.name(row), frame)


@dataclass(frozen=True, eq=False)
class Clusters:
    """Groups of items whose vectors point the same way.

    Parameters
    ----------
    frame : pl.DataFrame
        cluster, size, share (of all ratings), typical (titles nearest the middle), about (what is commoner here than elsewhere).
    members : int32 [item]
        Cluster of each item; -1 for items with too few ratings.
    """

    frame: pl.DataFrame
    members: NDArray[np.int32]

    def __repr__(self) -> str:
        with pl.Config(tbl_rows=40, fmt_str_lengths=90, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, float_precision=2):
            return str(self.frame)

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()


def clusters(answers: Answers, n: int = 8, least: int = 10, seed: int = 0) -> Clusters:
    """Spherical k-means of the items that have at least `least` ratings (all of them if too few have)."""
    factors = _factors(answers)
    count = np.bincount(answers.data.interactions.items, minlength=len(factors))
    chosen = np.flatnonzero(count >= least)
    chosen = chosen if len(chosen) >= 2 * n else np.arange(len(factors))
    rows = unit_rows(factors[chosen]).astype(np.float64)
    centres, group = spherical_means(rows, min(n, len(rows)), np.random.default_rng(seed))
    members = np.full(len(factors), -1, np.int32)
    members[chosen] = group
    features = answers.data.item_features
    dense, labels = (None, []) if features is None else (features.design().toarray()[chosen] > 0, features.columns)
    table = []
    for c in range(len(centres)):
        inside = np.flatnonzero(group == c)
        best = inside[np.argsort(-(rows[inside] @ centres[c]) * np.log1p(count[chosen[inside]]), kind="stable")[:6]]
        typical = "; ".join(answers.name(int(chosen[i])) for i in best)
        table.append(
            (c + 1, len(inside), float(count[chosen[inside]].sum() / max(count.sum(), 1)), typical, _commoner(dense, labels, group == c))
        )
    order = np.argsort([-row[2] for row in table], kind="stable")
    frame = pl.DataFrame([table[i] for i in order], schema=["cluster", "size", "share", "typical", "about"], orient="row")
    return Clusters(frame, members)


def spherical_means(rows: NDArray[np.float64], n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """k-means on the sphere, started by k-means++: centres [cluster, factor] and each row's cluster."""
    centres = rows[[int(rng.integers(len(rows)))]]
    while len(centres) < n:
        far = np.maximum(1 - (rows @ centres.T).max(1), 0)
        total = far.sum()
        pick = int(rng.choice(len(rows), p=far / total)) if total > 0 else int(rng.integers(len(rows)))
        centres = np.vstack([centres, rows[pick]])
    group = np.full(len(rows), -1, np.int32)
    for _ in range(ROUNDS):
        nearest = (rows @ centres.T).argmax(1).astype(np.int32)
        if (nearest == group).all():
            break
        group = nearest
        sums = np.zeros_like(centres)
        np.add.at(sums, group, rows)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1), centres)
    return centres, group


def side_by_side(answers: Answers, one: Any, other: Any) -> pl.DataFrame:
    """What two users both rated, and how: item_id, title, and a column for each; most agreed first."""
    rows = [answers.data.users.row(u) for u in (one, other)]
    by_user = answers.data.interactions.by_user
    taken = [by_user.take(np.array([r], np.int32)) for r in rows]
    ratings = [dict(zip(t.rows.tolist(), [1.0] * len(t.rows) if t.ratings is None else t.ratings.tolist(), strict=True)) for t in taken]
    both = sorted(
        ratings[0].keys() & ratings[1].keys(), key=lambda r: (abs(ratings[0][r] - ratings[1][r]), -ratings[0][r] - ratings[1][r], r)
    )
    return pl.DataFrame(
        {
            "item_id": answers.data.items.take(np.array(both, np.int32)),
            "title": pl.Series([answers.name(r) for r in both], dtype=pl.String),
            f"user {one}": pl.Series([ratings[0][r] for r in both], dtype=pl.Float64),
            f"user {other}": pl.Series([ratings[1][r] for r in both], dtype=pl.Float64),
        }
    )


def _factors(answers: Answers) -> Any:
    factors = answers.fitted.factors("item")
    if factors is None:
        raise InputError(
            f"{type(answers.fitted.config).__name__} has no item factors, so nothing is alike; use a model of vectors such as Dot"
        )
    return factors


def _levels(answers: Answers) -> NDArray[np.float64]:
    """Each user's mean rating."""
    events = answers.data.interactions
    ratings = np.ones(len(events)) if events.ratings is None else events.ratings
    count = np.maximum(np.bincount(events.users, minlength=events.n_users), 1)
    return np.asarray(np.bincount(events.users, ratings, minlength=events.n_users) / count)


def _raters(by_item: Any, row: int, level: NDArray[np.float64]) -> dict[int, bool]:
    """Who rated an item, and whether at or above their own mean."""
    part = slice(int(by_item.indptr[row]), int(by_item.indptr[row + 1]))
    users = by_item.rows[part]
    liked = np.ones(len(users), np.bool_) if by_item.ratings is None else by_item.ratings[part] >= level[users]
    return dict(zip(users.tolist(), liked.tolist(), strict=True))


def _shared_axes(found: Axes, one: int, other: int, least: float = 1.0) -> str:
    """Axes on which both stand out to the same side, by name where there is one."""
    spread = found.places.std(0)
    a, b = found.places[one] / np.where(spread > 0, spread, 1), found.places[other] / np.where(spread > 0, spread, 1)
    named = []
    for n in np.argsort(-np.abs(a * b), kind="stable"):
        if a[n] * b[n] > 0 and min(abs(a[n]), abs(b[n])) >= least:
            axis = found.axes[n]
            ends = axis.name.split(" - ")
            named.append(ends[int(a[n] > 0)] if len(ends) == 2 else f"axis {axis.number} {'+' if a[n] > 0 else '-'}")
    return ", ".join(named[:3])


def _commoner(dense: Any, labels: list[str], inside: NDArray[np.bool_], n: int = 3) -> str:
    """Features that are commoner in a cluster than outside it."""
    if dense is None or inside.all():
        return ""
    gap = dense[inside].mean(0) - dense[~inside].mean(0)
    best = [i for i in np.argsort(-gap, kind="stable")[: 2 * n] if gap[i] > 0.08 and "=" in labels[i]][:n]
    return ", ".join(labels[i].partition("=")[2] for i in best)
