"""Who and what is loved or hated beyond what the factors explain.

A bias comes with a standard error, from the draws of a posterior or from the curvature of the fit at its optimum, so a film with
two ratings has a wide interval. The tables rank by the interval's near end: loved means that even the low end is high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from likewise.answers import Answers
from likewise.insight.display import axes_of, short
from likewise.models.base import Side
from likewise.models.bias import Bias

Z95 = 1.959964


@dataclass(frozen=True, eq=False)
class Biases:
    """Biases of one side.

    Parameters
    ----------
    side : "item" or "user"
    frame : pl.DataFrame
        One row a row of the vocabulary, most loved first: id, title, bias, low, high (95 %), count, mean (raw), beyond (near end, 0
        where the interval holds zero).
    source : str
        Where the biases are from, in a line.
    """

    side: Side
    frame: pl.DataFrame
    source: str

    def loved(self, n: int = 15) -> pl.DataFrame:
        """The n whose interval lies highest above zero; fewer where fewer are above the average."""
        return self.frame.filter(pl.col("bias") > 0).sort("low", descending=True, maintain_order=True).head(n)

    def hated(self, n: int = 15) -> pl.DataFrame:
        """The n whose interval lies deepest below zero; fewer where fewer are below the average."""
        return self.frame.filter(pl.col("bias") < 0).sort("high", maintain_order=True).head(n)

    def plot(self, n: int = 15, ax: Any = None) -> Any:
        """The n most loved and the n most hated with their intervals; returns the Matplotlib axes."""
        shown = pl.concat([self.loved(n), self.hated(n).reverse()])
        ax = axes_of(ax, "insight.items().plot()", (8, 1 + 0.24 * shown.height))
        for place, row in enumerate(shown.iter_rows(named=True)):
            colour = "C0" if row["bias"] >= 0 else "C3"
            ax.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2)
            ax.plot(row["bias"], place, "o", color=colour, markersize=4)
        ax.axvline(0, color="0.7", linewidth=1)
        ax.set_yticks(range(shown.height), [f"{short(row['name'])} ({row['count']})" for row in shown.iter_rows(named=True)])
        ax.invert_yaxis()
        ax.set_xlabel("bias, 95 % interval")
        ax.set_title("Loved and not, beyond taste")
        return ax

    def __repr__(self) -> str:
        columns = [c for c in ("name", "bias", "low", "high", "count", "mean") if c in self.frame.columns]
        with pl.Config(tbl_rows=30, fmt_str_lengths=45, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, float_precision=2):
            return f"loved\n{self.loved().select(columns)}\nhated\n{self.hated().select(columns)}\n{self.source}"

    def _repr_html_(self) -> str:
        columns = ["name", "bias", "low", "high", "count", "mean"]
        return f"<h4>loved</h4>{self.loved().select(columns)._repr_html_()}<h4>hated</h4>{self.hated().select(columns)._repr_html_()}"


def biases(answers: Answers, side: Side) -> Biases:
    """The biases of one side of a fitted model; of the plain bias model where the fitted one has none."""
    data = answers.data
    events = data.interactions
    histories = events.by_item if side == "item" else events.by_user
    found = answers.fitted.biases(side, histories)
    source = f"biases of {type(answers.fitted.config).__name__}, beyond its factors"
    if found is None:
        found = Bias().solve(data).biases(side, histories)
        source = f"{type(answers.fitted.config).__name__} has no biases: these are damped means beyond the other side's"
    if found is None:
        raise AssertionError("the bias model has biases")
    bias, error = found
    rows = events.items if side == "item" else events.users
    count = np.bincount(rows, minlength=len(bias))
    ratings = np.ones(len(events), np.float32) if events.ratings is None else events.ratings
    total = np.bincount(rows, ratings, minlength=len(bias))
    low, high = bias - Z95 * error, bias + Z95 * error
    ids = (data.items if side == "item" else data.users).ids
    names = answers.titles.names(np.arange(len(bias), dtype=np.int32)) if side == "item" else None
    frame = pl.DataFrame(
        {
            "row": np.arange(len(bias)),
            f"{side}_id": ids,
            "name": ids.cast(pl.String) if names is None else names,
            "bias": bias,
            "low": low,
            "high": high,
            "beyond": np.where(low > 0, low, np.where(high < 0, high, 0)),
            "count": count,
            "mean": np.where(count > 0, total / np.maximum(count, 1), np.nan),
        }
    )
    return Biases(side, frame.sort("low", descending=True, maintain_order=True), source)
