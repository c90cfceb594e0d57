"""Two dimensions of taste: a map of items or people, with labels that do not overlap, and a visitor on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.answers import Answers
from likewise.errors import InputError, MissingExtraError
from likewise.insight.axes import principal
from likewise.insight.display import axes_of
from likewise.models.base import Side

Method = Literal["pca", "umap", "tsne"]
MOST = 20_000
"""Rows drawn at most; beyond that those with the most ratings, and the map says so."""


@dataclass(frozen=True, eq=False)
class Map:
    """Rows of one side in two dimensions.

    Parameters
    ----------
    side : "item" or "user"
    frame : pl.DataFrame
        row, id, name, x, y, count, and the columns of the item table.
    method : str
    note : str
        What was left out, or an empty text.
    marked : pl.DataFrame or None
        Points drawn on top, such as a visitor and what is recommended: name, x, y, kind.
    """

    side: Side
    frame: pl.DataFrame
    method: Method
    note: str = ""
    marked: pl.DataFrame | None = field(default=None)

    def plot(self, colour: str | None = None, labels: int = 50, ax: Any = None) -> Any:
        """The map; returns the Matplotlib axes.

        Parameters
        ----------
        colour : column of `frame` to colour by: a number as a scale, anything else by its most frequent values.
        labels : how many of the most rated to name; those that would cover an earlier one are left out.
        """
        ax = axes_of(ax, "insight.map().plot()", (10, 8))
        frame = self.frame
        size = 6 + 60 * np.sqrt(frame["count"].to_numpy() / max(frame["count"].to_numpy().max(initial=1), 1))
        if colour is None:
            ax.scatter(frame["x"], frame["y"], s=size, c="0.75", linewidths=0)
        else:
            _coloured(ax, frame, colour, size)
        busiest = frame.sort("count", descending=True, maintain_order=True).head(labels)
        points = busiest.select("x", "y").to_numpy()
        spans = (float(np.ptp(frame["x"].to_numpy())) or 1.0, float(np.ptp(frame["y"].to_numpy())) or 1.0)
        for row, shown in zip(busiest.iter_rows(named=True), clear_labels(points, busiest["name"].to_list(), spans), strict=True):
            if shown:
                ax.annotate(row["name"], (row["x"], row["y"]), fontsize=7, xytext=(3, 2), textcoords="offset points")
        if self.marked is not None:
            for kind, marker in (("recommended", "D"), ("rated", "s"), ("visitor", "*")):
                some = self.marked.filter(pl.col("kind") == kind)
                if some.height:
                    ax.scatter(some["x"], some["y"], marker=marker, s=140 if kind == "visitor" else 30, label=kind, zorder=3)
            ax.legend(frameon=False)
        ax.set_xticks([])
        ax.set_yticks([])
        words = {"pca": "principal components", "umap": "UMAP", "tsne": "t-SNE"}[self.method]
        ax.set_title(f"{self.side.capitalize()}s by {words}{'; ' + self.note if self.note else ''}")
        return ax


def map_of(
    answers: Answers,
    side: Side = "item",
    method: Method = "pca",
    least: int = 5,
    most: int = MOST,
    seed: int = 0,
    visitor: Any = None,
    k: int = 10,
) -> Map:
    """A map of one side's factors.

    Parameters
    ----------
    method : "pca" always; "umap" and "tsne" need the extra `maps`.
    least : ratings a row must have to be drawn.
    visitor : a Visitor to put on the map of items, with what they rated and the k best for them; "pca" only.

    Raises InputError for a model without factors.
    """
    factors = answers.fitted.factors(side)
    if factors is None:
        raise InputError(
            f"{type(answers.fitted.config).__name__} has no {side} factors, so there is no map; use a model of vectors such as Dot"
        )
    if visitor is not None and (method != "pca" or side != "item"):
        raise InputError("a visitor can be put only on a map of items by method='pca'")
    events = answers.data.interactions
    count = np.bincount(events.items if side == "item" else events.users, minlength=len(factors))
    drawn = np.flatnonzero(count >= min(least, int(count.max(initial=0))))
    note = ""
    if len(drawn) > most:
        drawn = np.sort(drawn[np.argsort(-count[drawn], kind="stable")[:most]])
        note = f"the {most:,} with the most ratings of {len(factors):,}"
    points, centre, components = _flat(factors[drawn].astype(np.float64), np.sqrt(count[drawn]), method, seed)
    frame = pl.DataFrame({"row": drawn, "name": _names(answers, side, drawn), "x": points[:, 0], "y": points[:, 1], "count": count[drawn]})
    if side == "item":
        frame = pl.concat([frame, answers.item_table[drawn]], how="horizontal") if "name" not in answers.item_table.columns else frame
    marked = None if visitor is None else _mark(answers, visitor, factors, centre, components, k)
    return Map(side, frame, method, note, marked)


def clear_labels(
    points: NDArray[np.float64], names: list[str], spans: tuple[float, float], width: float = 0.0075, height: float = 0.02
) -> list[bool]:
    """Which labels can be written without covering an earlier one; sizes are shares of the map a character, and a line, takes."""
    taken: list[tuple[float, float, float, float]] = []
    shown = []
    for (x, y), name in zip(points, names, strict=True):
        left, low = x / spans[0], y / spans[1]
        box = (left, low, left + width * len(name), low + height)
        free = all(box[2] < t[0] or t[2] < box[0] or box[3] < t[1] or t[3] < box[1] for t in taken)
        shown.append(free)
        if free:
            taken.append(box)
    return shown


def _flat(
    rows: NDArray[np.float64], weights: NDArray[np.float64], method: Method, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    centre, components, _ = principal(rows, weights, 2)
    if len(components) < 2:  # one factor, or fewer rows than dimensions
        components = np.vstack([components, np.zeros((2 - len(components), rows.shape[1]))])
    if method == "pca":
        return (rows - centre) @ components.T, centre, components
    try:
        if method == "umap":
            from umap import UMAP

            return np.asarray(UMAP(random_state=seed, n_jobs=1, metric="cosine").fit_transform(rows)), centre, components
        from sklearn.manifold import TSNE

        return np.asarray(TSNE(random_state=seed, metric="cosine", init="pca").fit_transform(rows)), centre, components
    except ImportError as error:
        raise MissingExtraError("maps", f"insight.map(method={method!r})") from error


def _mark(answers: Answers, visitor: Any, factors: Any, centre: Any, components: Any, k: int) -> pl.DataFrame:
    from likewise.answers import ListRequest

    rows = visitor.ranked(ListRequest(k, cold="mean"))[1]
    rated = visitor.history.rows[visitor.history.rows >= 0]
    rows = np.asarray(rows, np.int64)

    def place(which: NDArray[np.integer]) -> NDArray[np.float64]:
        return np.asarray((factors[which] - centre) @ components.T)

    ends = place(rows)
    spots = [place(rated), ends, ends.mean(0, keepdims=True) if len(ends) else np.zeros((1, 2))]
    kinds = ["rated"] * len(rated) + ["recommended"] * len(rows) + ["visitor"]
    names = [answers.name(int(row)) for row in [*rated, *rows]] + ["you"]
    both = np.vstack(spots)
    return pl.DataFrame({"name": names, "x": both[:, 0], "y": both[:, 1], "kind": kinds})


def _coloured(ax: Any, frame: pl.DataFrame, colour: str, size: Any) -> None:
    if colour not in frame.columns:
        raise InputError(f"there is no column {colour!r} to colour by; there are: {', '.join(frame.columns)}")
    column = frame[colour]
    if column.dtype.is_numeric():
        drawn = ax.scatter(frame["x"], frame["y"], s=size, c=column.to_numpy(), cmap="viridis", linewidths=0)
        ax.figure.colorbar(drawn, ax=ax, label=colour, shrink=0.6)
        return
    first = column.list.first() if column.dtype == pl.List else column.cast(pl.String).str.split("|").list.first()
    ax.scatter(frame["x"], frame["y"], s=size, c="0.85", linewidths=0)
    common = first.value_counts(sort=True).head(8)[first.name].drop_nulls().to_list()
    for n, value in enumerate(common):
        mask = (first == value).fill_null(False).to_numpy()
        ax.scatter(frame["x"].to_numpy()[mask], frame["y"].to_numpy()[mask], s=size[mask], color=f"C{n}", label=str(value), linewidths=0)
    ax.legend(frameon=False, fontsize=8, markerscale=0.8)


def _names(answers: Answers, side: Side, rows: NDArray[np.integer]) -> list[str]:
    return [answers.name(int(row)) if side == "item" else str(answers.data.users.id(int(row))) for row in rows]
