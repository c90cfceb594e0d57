"""Axes of taste: principal components of the factors, with titles at both ends and names that were tested.

Components are of the rows that have ratings enough to be known, centred and weighted by the square root of their count. Their sign
is fixed so that the end of the more popular items is positive. An axis is named after what predicts it: for each genre, tag, or
number the correlation with the axis; a name is given only if a ridge regression of the axis on everything known predicts held-out items
(multiple correlation R by cross-validation) better than it does after the axis' values are shuffled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.answers import Answers
from likewise.errors import InputError
from likewise.insight.display import axes_of, short
from likewise.models.base import Side

FOLDS = 5
PERMUTATIONS = 199
RIDGE = 0.03
"""Strength of the ridge, a share of the number of rows."""
BENT = " far from the middle"
NAMED_R = 0.4
NAMED_P = 0.01
Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Axis:
    """One principal component.

    Parameters
    ----------
    number : int
        1 is the widest.
    variance : float
        Share of the variance of the rows it is made of.
    low, high : pl.DataFrame
        Titles at either end: row, name, place, count.
    name : str
        Such as "Drama - Action", or "unnamed".
    r, p : float
        Cross-validated multiple correlation with what is known of the items, and its permutation p; NaN where nothing is known.
    about : pl.DataFrame
        What goes with the axis: feature, correlation; strongest first.
    """

    number: int
    variance: float
    low: pl.DataFrame
    high: pl.DataFrame
    name: str
    r: float
    p: float
    about: pl.DataFrame

    def __repr__(self) -> str:
        head = f"axis {self.number}: {self.name} ({100 * self.variance:.1f} % of the variance"
        tested = "" if np.isnan(self.r) else f", R {self.r:.2f}, p {self.p:.3f}"
        ends = [", ".join(end["name"].head(6)) for end in (self.low, self.high)]
        return f"{head}{tested})\n  - {ends[0]}\n  + {ends[1]}"


@dataclass(frozen=True, eq=False)
class Axes:
    """Principal components of one side.

    Parameters
    ----------
    side : "item" or "user"
    axes : list of Axis
    components : float64 [axis, factor]
    centre : float64 [factor]
    places : float32 [row, axis]
        Every row's place on every axis.
    """

    side: Side
    axes: list[Axis]
    components: Doubles
    centre: Doubles
    places: NDArray[np.float32]

    @property
    def frame(self) -> pl.DataFrame:
        """One row an axis: axis, name, variance, r, p, low, high."""
        return pl.DataFrame(
            {
                "axis": [a.number for a in self.axes],
                "name": [a.name for a in self.axes],
                "variance": [a.variance for a in self.axes],
                "r": [a.r for a in self.axes],
                "p": [a.p for a in self.axes],
                "low": ["; ".join(a.low["name"].head(5)) for a in self.axes],
                "high": ["; ".join(a.high["name"].head(5)) for a in self.axes],
            }
        )

    def plot(self, axis: int = 1, n: int = 10, ax: Any = None) -> Any:
        """Titles at both ends of one axis as bars; returns the Matplotlib axes."""
        chosen = self.axes[axis - 1]
        shown = pl.concat([chosen.high.head(n), chosen.low.head(n).reverse()])
        ax = axes_of(ax, "insight.axes().plot()", (8, 1 + 0.26 * shown.height))
        ax.barh(range(shown.height), shown["place"], color=["C0" if place > 0 else "C1" for place in shown["place"]])
        ax.set_yticks(range(shown.height), [short(name) for name in shown["name"]])
        ax.invert_yaxis()
        ax.set_xlabel(f"place on axis {axis}, {100 * chosen.variance:.1f} % of the variance")
        ax.set_title(f"Axis {axis}: {chosen.name}")
        return ax

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.axes))


def axes(answers: Answers, side: Side = "item", n: int = 5, most: int = 500, least: int = 5, seed: int = 0) -> Axes:
    """The n widest axes of one side.

    Parameters
    ----------
    most : rows the components are made of: those with the most ratings.
    least : ratings a row must have to take part, or to stand at an end.

    Raises InputError for a model without factors.
    """
    factors = answers.fitted.factors(side)
    if factors is None:
        raise InputError(
            f"{type(answers.fitted.config).__name__} has no {side} factors, so it has no axes; use a model of vectors such as Dot"
        )
    count = _counts(answers, side)
    chosen = _busiest(count, most, least)
    centre, components, variance = principal(factors[chosen].astype(np.float64), np.sqrt(count[chosen]), n)
    places = (factors - centre) @ components.T
    signs = np.where(np.corrcoef(np.column_stack([places[chosen], np.log1p(count[chosen])]).T)[-1, :-1] < 0, -1.0, 1.0)
    components, places = components * signs[:, None], places * signs
    known, labels = describing(answers, side, count)
    rng = np.random.default_rng(seed)
    found = [
        _axis(answers, side, number, variance[number], places[:, number], chosen, count, known, labels, rng)
        for number in range(len(components))
    ]
    return Axes(side, found, components, centre, places.astype(np.float32))


def principal(rows: Doubles, weights: Doubles, n: int) -> tuple[Doubles, Doubles, Doubles]:
    """Weighted principal components: centre [factor], components [axis, factor], shares of the variance [axis].

    Fewer than n where there are fewer rows or factors.
    """
    weights = weights / max(float(weights.sum()), 1e-12)
    centre = weights @ rows
    _, size, components = np.linalg.svd((rows - centre) * np.sqrt(weights)[:, None], full_matrices=False)
    total = float((size**2).sum())
    kept = min(n, int((size > 1e-9 * max(size[0], 1e-300)).sum())) if len(size) else 0
    return centre, components[:kept], (size[:kept] ** 2) / max(total, 1e-300)


def agreement(one: Axes, other: Axes) -> Doubles:
    """Cosines of the principal angles between two fits' axes, by where they put the rows: 1 is the same space. [axis]"""
    bases = [np.linalg.qr(a.places.astype(np.float64) - a.places.mean(0))[0] for a in (one, other)]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)


def describing(answers: Answers, side: Side, count: Doubles) -> tuple[Doubles, list[str]]:
    """What is known of each row, [row, feature] standardised, and its labels: features and the logarithm of the count."""
    features = answers.data.item_features if side == "item" else answers.data.user_features
    columns, labels = [np.log1p(count)], ["popularity"]
    if features is not None:
        for block in features.blocks:
            dense = block.matrix.toarray().astype(np.float64)
            often = (dense != 0).sum(0) >= max(10, 0.005 * len(dense))
            if block.kind != "vector":
                columns += list(dense[:, often].T)
                labels += [name for name, kept in zip(block.columns, often, strict=True) if kept]
            if block.kind == "number":  # a taste can be for the middle of a scale
                columns.append(dense[:, 0] ** 2)
                labels.append(block.name + BENT)
    known = np.column_stack(columns)
    spread = known.std(0)
    return (known - known.mean(0)) / np.where(spread > 0, spread, 1), labels


def predicted_r(known: Doubles, place: Doubles, weights: Doubles, rng: np.random.Generator) -> tuple[float, float]:
    """Cross-validated multiple correlation of an axis with what is known, and its permutation p; rows weigh as given."""
    n = len(place)
    weights = weights / weights.mean()
    known = known - (weights @ known) / n
    if n < 10 * FOLDS or known.shape[1] == 0:
        return float("nan"), float("nan")
    fold = rng.permutation(np.arange(n) % FOLDS)
    smoothers = []
    for f in range(FOLDS):
        train, test = known[fold != f], known[fold == f]
        weighted = train.T * weights[fold != f]
        ridge = weighted @ train + np.eye(known.shape[1]) * max(1.0, RIDGE * len(train))
        smoothers.append((fold != f, fold == f, test @ np.linalg.solve(ridge, weighted)))

    def r_of(values: Doubles) -> Doubles:
        guess = np.empty_like(values)
        for train, test, smoother in smoothers:
            middle = np.average(values[train], 0, weights[train])
            guess[test] = middle + smoother @ (values[train] - middle)
        a, b = guess - np.average(guess, 0, weights), values - np.average(values, 0, weights)
        size = np.sqrt((weights @ a**2) * (weights @ b**2))
        return np.asarray((weights @ (a * b)) / np.where(size > 0, size, 1))

    observed = float(r_of(place[:, None])[0])
    shuffled = r_of(np.column_stack([place[rng.permutation(n)] for _ in range(PERMUTATIONS)]))
    return observed, float((1 + (shuffled >= observed).sum()) / (1 + PERMUTATIONS))


def _axis(
    answers: Answers, side: Side, number: int, variance: float, place: Doubles, chosen: NDArray[np.int64], count: Doubles, known: Doubles,
    labels: list[str], rng: np.random.Generator,
) -> Axis:  # fmt: skip
    order = chosen[np.argsort(place[chosen], kind="stable")]
    r, p = predicted_r(known[chosen], place[chosen], np.sqrt(count[chosen]), rng)
    about = _about(known[chosen], place[chosen], labels)
    name = _name(about) if r >= NAMED_R and p < NAMED_P else "unnamed"
    ends = [_end(answers, side, rows, place, count) for rows in (order[:30], order[::-1][:30])]
    return Axis(number + 1, float(variance), ends[0], ends[1], name, r, p, about)


def _about(known: Doubles, place: Doubles, labels: list[str]) -> pl.DataFrame:
    size = known.std(0) * place.std()
    correlation = ((known - known.mean(0)) * (place - place.mean())[:, None]).mean(0) / np.where(size > 0, size, 1)
    order = np.argsort(-np.abs(correlation), kind="stable")
    return pl.DataFrame({"feature": [labels[n] for n in order], "correlation": correlation[order]})


def _name(about: pl.DataFrame, least: float = 0.2) -> str:
    """The strongest features of both ends: "Drama, older - Action, popular"."""
    ends = []
    for sign in (-1, 1):
        side = about.filter((pl.col("correlation") * sign >= least) & ~pl.col("feature").str.ends_with(BENT)).head(2)
        ends.append(", ".join(_word(feature) for feature in side["feature"]))
    return " - ".join(end or "the rest" for end in ends) if any(ends) else "unnamed"


def _word(feature: str) -> str:
    """A level of a category is its own word; a number says that it is high at that end."""
    return feature.partition("=")[2] or {"popularity": "popular", "year": "recent"}.get(feature, f"high {feature}")


def _end(answers: Answers, side: Side, rows: NDArray[np.int64], place: Doubles, count: Doubles) -> pl.DataFrame:
    names = [answers.name(int(row)) if side == "item" else str(answers.data.users.id(int(row))) for row in rows]
    return pl.DataFrame({"row": rows, "name": names, "place": place[rows], "count": count[rows].astype(np.int64)})


def _counts(answers: Answers, side: Side) -> Doubles:
    events = answers.data.interactions
    rows, size = (events.items, events.n_items) if side == "item" else (events.users, events.n_users)
    return np.bincount(rows, minlength=size).astype(np.float64)


def _busiest(count: Doubles, most: int, least: int) -> NDArray[np.int64]:
    order = np.argsort(-count, kind="stable")[:most]
    known = order[count[order] >= least]
    return known if len(known) >= 2 else order
