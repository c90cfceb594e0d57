"""Where predictions fail: error by how often an item was rated, by its age, by activity; and who is served worse than others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.answers import Answers
from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.evaluation.evaluate import Asked, evaluate, rates
from likewise.evaluation.figures import Figure, event_figure
from likewise.evaluation.held import Held, held_out
from likewise.evaluation.protocol import Protocol
from likewise.evaluation.result import Evaluation
from likewise.evaluation.scoring import predict_held
from likewise.evaluation.significance import interval_list
from likewise.insight.display import axes_of

COUNTS = (0, 1, 5, 20, 100)
"""Where bins of an item's number of training ratings begin."""
FEWEST = 20
"""People a group must have to be told apart."""
COLUMNS = ("segment", "part", "events", "people", "figure", "value", "low", "high")


@dataclass(frozen=True, eq=False)
class Weak:
    """A figure for parts of the test, beside the whole.

    Parameters
    ----------
    frame : pl.DataFrame
        segment, part, events, people, figure, value, low, high (95 % over people), overall, worse (whether the whole interval lies on
        the worse side of the overall value).
    what : str
        What the parts are of.
    """

    frame: pl.DataFrame
    what: str

    @property
    def worst(self) -> pl.DataFrame:
        """Parts whose whole interval is worse than the whole test, those furthest from it first; of forty parts one is by chance."""
        gap = ((pl.col("value") - pl.col("overall")).abs() / pl.col("overall")).alias("gap")
        return self.frame.filter("worse").with_columns(gap).sort("gap", descending=True, maintain_order=True).drop("gap")

    def plot(self, figure: str | None = None, ax: Any = None) -> Any:
        """One figure of every part with its interval, beside the overall value; returns the Matplotlib axes."""
        named = figure or self.frame["figure"][0]
        shown = self.frame.filter(pl.col("figure") == named)
        if not shown.height:
            raise InputError(f"there is no figure {named!r} here; there are {', '.join(self.frame['figure'].unique(maintain_order=True))}")
        ax = axes_of(ax, "insight.weak().plot()", (7, 1 + 0.3 * shown.height))
        for place, row in enumerate(shown.iter_rows(named=True)):
            colour = "C3" if row["worse"] else "C0"
            ax.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2)
            ax.plot(row["value"], place, "o", color=colour, markersize=5)
        ax.axvline(shown["overall"][0], color="0.7", linewidth=1, linestyle="--")
        ax.set_yticks(range(shown.height), [f"{row['segment']}: {row['part']} ({row['events']:,})" for row in shown.iter_rows(named=True)])
        ax.invert_yaxis()
        ax.set_xlabel(f"{named}, 95 % interval over people; dashed: overall")
        ax.set_title(self.what)
        return ax

    def __repr__(self) -> str:
        with pl.Config(tbl_rows=60, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, float_precision=3, tbl_cols=12):
            return f"{self.what}\n{self.frame}"

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()


def errors(answers: Answers, test: Dataset, found: Evaluation | None = None) -> Weak:
    """Error by activity, by popularity and count of the item, by its age. `found` is this test's evaluation where it was made already.

    Raises InputError where the model predicts no ratings.
    """
    if not (test.explicit and answers.data.explicit and rates(answers.fitted)):
        raise InputError("errors need predicted ratings; this model ranks: see insight.served(test)")
    held = held_out(answers.data, test)
    found = found or evaluate(answers.fitted, answers.data, test, asked=Asked(lists=False, distribution=False), held=held)
    frame = pl.concat([found.segments.filter(pl.col("figure").is_in(["rmse", "mae"])), _by_count(answers, held)])
    return Weak(_judged(frame, found), "Error by part of the test")


def served(answers: Answers, test: Dataset, found: Evaluation | None = None) -> Weak:
    """Who gets bad recommendations and predictions: groups of people by activity, by how mainstream they are, by what is known of them."""
    found = found or evaluate(answers.fitted, answers.data, test, Protocol(ks=(10,)), asked=Asked(segments=False, distribution=False))
    held = held_out(answers.data, test)
    wanted = [name for name in ("rmse", "ndcg@10") if name in found]
    cells: list[tuple[str, str, int, Figure]] = []
    for segment, part, mask in _groups(answers, held):
        events = int(np.bincount(held.people, minlength=held.n_people)[mask].sum())
        cells += [(segment, part, events, found.figures[name].among(mask)) for name in wanted]
    cells = [cell for cell in cells if cell[3].n_people >= FEWEST]
    if not cells:
        raise InputError(f"no group of at least {FEWEST} people has held-out events; give a larger test")
    rows = [
        (segment, part, events, figure.n_people, figure.name, i.value, i.low, i.high)
        for (segment, part, events, figure), i in zip(cells, interval_list([cell[3] for cell in cells]), strict=True)
    ]
    return Weak(_judged(pl.DataFrame(rows, schema=list(COLUMNS), orient="row"), found), "Who is served how well")


def _judged(frame: pl.DataFrame, found: Evaluation) -> pl.DataFrame:
    overall = pl.col("figure").replace_strict({name: found[name] for name in found.figures}, default=None, return_dtype=pl.Float64)
    high_is_bad = pl.col("figure").replace_strict({name: f.better == "low" for name, f in found.figures.items()}, default=False)
    frame = frame.with_columns(overall.alias("overall")).filter(pl.col("value").is_not_nan())
    worse = pl.when(high_is_bad).then(pl.col("low") > pl.col("overall")).otherwise(pl.col("high") < pl.col("overall"))
    return frame.with_columns(worse.alias("worse"))


def _by_count(answers: Answers, held: Held) -> pl.DataFrame:
    counts = np.bincount(answers.data.interactions.items, minlength=answers.data.n_items)
    rows = held.event_items
    bins = np.searchsorted(COUNTS, np.where(rows >= 0, counts[rows], 0), side="right") - 1
    ratings = np.zeros(len(held), np.float32) if held.ratings is None else held.ratings
    left = predict_held(answers.fitted, held, answers.data.rating_range) - ratings
    cells = []
    for code, start in enumerate(COUNTS):
        here = bins == code
        end = "+" if code + 1 == len(COUNTS) else f"-{COUNTS[code + 1] - 1}" if COUNTS[code + 1] - 1 > start else ""
        for name, values in (("rmse", left**2), ("mae", np.abs(left))):
            if here.any():
                figure = event_figure(name, values[here], held.people[here], held.n_people, root=name == "rmse")
                cells.append((f"{start}{end}", int(here.sum()), figure))
    rows_of = [
        ("item's ratings", part, events, figure.n_people, figure.name, i.value, i.low, i.high)
        for (part, events, figure), i in zip(cells, interval_list([cell[2] for cell in cells]), strict=True)
    ]
    return pl.DataFrame(rows_of, schema=list(COLUMNS), orient="row")


def _groups(answers: Answers, held: Held) -> list[tuple[str, str, NDArray[np.bool_]]]:
    events = answers.data.interactions
    activity = np.bincount(events.users, minlength=events.n_users)
    share = np.bincount(events.items, minlength=events.n_items) / max(events.n_users, 1)
    mainstream = np.bincount(events.users, share[events.items], minlength=events.n_users) / np.maximum(activity, 1)
    known = held.users >= 0
    groups = [("person", "new", ~known)]
    for segment, column in (("activity", activity.astype(np.float64)), ("mainstream", mainstream)):
        mine = np.where(known, column[held.users], np.nan)
        edges = np.unique(np.nanquantile(mine, [1 / 3, 2 / 3])) if known.any() else np.empty(0)
        for n, word in enumerate(("lowest", "middle", "highest") if len(edges) == 2 else ()):
            groups.append((segment, f"{word} third", known & (np.searchsorted(edges, mine) == n)))
    features = answers.data.user_features
    for block in () if features is None else features.blocks:
        if block.kind in ("category", "set"):
            dense = block.matrix.toarray()
            for n, name in enumerate(block.columns):
                groups.append((block.name, name.partition("=")[2], known & (dense[held.users, n] > 0)))
    return groups
