"""Whether predictions mean what they say: predicted against given ratings, residuals, and chances against frequencies.

Ratings are cut into bins of the predicted rating, as many held-out ratings in each; a bin of a calibrated model lies on the
diagonal. Intervals are over people (`evaluation.significance`). Chances of levels are judged by `evaluation.distribution`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from likewise.answers import Answers
from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.evaluation.distribution import COVERED, as_levels, levels_of, pit, reliability as reliability_of
from likewise.evaluation.figures import event_figure
from likewise.evaluation.held import Held, held_out
from likewise.evaluation.scoring import predict_held, predictive_held
from likewise.evaluation.significance import interval_list
from likewise.insight.display import axes_of
from likewise.shapes import Floats

BINS = 10


@dataclass(frozen=True, eq=False)
class Calibration:
    """Predicted against given ratings on held-out events.

    Parameters
    ----------
    frame : pl.DataFrame
        One row a bin of the predicted rating: predicted (mean), actual (mean), low, high (95 % over people), residual (actual -
        predicted), spread (deviation of the residuals), events.
    slope : float
        Of the given rating on the predicted one: below 1 the predictions are spread too wide, above 1 too narrow.
    residuals : float32 [event]
        Given minus predicted.
    """

    frame: pl.DataFrame
    slope: float
    residuals: Floats

    def plot(self, ax: Any = None) -> Any:
        """Mean given rating of each bin with its interval, against the diagonal; returns the Matplotlib axes."""
        ax = axes_of(ax, "insight.calibration().plot()", (5.5, 5.5))
        frame = self.frame
        ends = [min(frame["predicted"].min(), frame["low"].min()), max(frame["predicted"].max(), frame["high"].max())]  # type: ignore[type-var]
        ax.plot(ends, ends, color="0.7", linewidth=1, linestyle="--", label="calibrated")
        ax.vlines(frame["predicted"], frame["low"], frame["high"], color="C0", linewidth=2)
        ax.plot(frame["predicted"], frame["actual"], "o-", color="C0", markersize=5, label=f"this model, slope {self.slope:.2f}")
        ax.set_xlabel("predicted rating")
        ax.set_ylabel("mean rating given, 95 % interval over people")
        ax.set_title("Calibration on held-out ratings")
        ax.legend(frameon=False)
        return ax

    def __repr__(self) -> str:
        return _shown(self.frame, f"calibration: slope {self.slope:.3f} (1 is right), residuals {self.residuals.std():.3f} wide")

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted chances of rating levels against how often they came true.

    Parameters
    ----------
    frame : pl.DataFrame
        One row a bin of predicted chance: chance (mean), frequency, pairs (of an event and a level).
    covered : pl.DataFrame
        share (nominal, of the central interval), inside (measured).
    pit : float64 [event]
        Uniform if the distributions are right.
    """

    frame: pl.DataFrame
    covered: pl.DataFrame
    pit: np.ndarray[Any, np.dtype[np.float64]]

    def plot(self, ax: Any = None) -> Any:
        """Frequency against chance; returns the Matplotlib axes."""
        ax = axes_of(ax, "insight.reliability().plot()", (5.5, 5.5))
        size = 10 + 90 * np.sqrt(self.frame["pairs"].to_numpy() / max(self.frame["pairs"].to_numpy().max(initial=1), 1))
        ax.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--", label="reliable")
        ax.plot(self.frame["chance"], self.frame["frequency"], color="C0", linewidth=1)
        ax.scatter(self.frame["chance"], self.frame["frequency"], s=size, color="C0", label="bins of chance, sized by how many")
        ax.set_xlabel("predicted chance of a rating level")
        ax.set_ylabel("how often it was given")
        inside = ", ".join(f"{100 * row['share']:.0f} %: {100 * row['inside']:.1f}" for row in self.covered.iter_rows(named=True))
        ax.set_title(f"Reliability (central intervals hold {inside} %)")
        ax.legend(frameon=False)
        return ax

    def __repr__(self) -> str:
        return _shown(self.frame, "reliability of chances")

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()


def calibration(answers: Answers, test: Dataset, bins: int = BINS) -> Calibration:
    """How far predicted ratings are from those given, in bins of the prediction.

    Raises InputError where there are no ratings on either side, or the model predicts none.
    """
    held = _rated(answers, test)
    actual, predicted = _ratings(held), predict_held(answers.fitted, held, answers.data.rating_range)
    order = np.argsort(predicted, kind="stable")
    place = np.empty(len(held), np.int64)
    place[order] = np.arange(len(held)) * min(bins, len(held)) // len(held)
    figures = [event_figure("actual", actual[place == b], held.people[place == b], held.n_people) for b in range(place.max() + 1)]
    rows = []
    for b, found in enumerate(interval_list(figures)):
        here = place == b
        left = actual[here] - predicted[here]
        rows.append((predicted[here].mean(), found.value, found.low, found.high, left.mean(), left.std(), int(here.sum())))
    names = ("predicted", "actual", "low", "high", "residual", "spread", "events")
    frame = pl.DataFrame([[float(v) for v in row[:-1]] + [row[-1]] for row in rows], schema=list(names), orient="row")
    spread = float(predicted.var())
    slope = float(np.mean((predicted - predicted.mean()) * (actual - actual.mean())) / spread) if spread > 0 else float("nan")
    return Calibration(frame, slope, (actual - predicted).astype(np.float32))


def reliability(answers: Answers, test: Dataset) -> Reliability:
    """How often predicted chances come true.

    Raises InputError for a model that predicts a point, or ratings without levels.
    """
    held = _rated(answers, test)
    predictive = predictive_held(answers.fitted, held)
    if predictive is None:
        raise InputError(f"{type(answers.fitted.config).__name__} predicts a point, not a distribution; use the preset 'posterior'")
    learned = answers.data.interactions.ratings
    levels = None if learned is None else levels_of(learned)
    actual = _ratings(held)
    found = as_levels(predictive, levels)
    if found is None:
        raise InputError("these ratings have no levels, so there are no chances of levels to judge")
    chance, frequency, size = reliability_of(*found, actual)
    uniform = pit(predictive, actual, levels)
    frame = pl.DataFrame({"chance": chance, "frequency": frequency, "pairs": size}).filter(pl.col("pairs") > 0)
    inside = [float((np.abs(uniform - 0.5) <= share / 200).mean()) for share in COVERED]
    return Reliability(frame, pl.DataFrame({"share": [share / 100 for share in COVERED], "inside": inside}), uniform)


def _rated(answers: Answers, test: Dataset) -> Held:
    if not (answers.data.explicit and test.explicit):
        raise InputError("calibration needs ratings in the training data and in the test; these are likes: see insight.coverage()")
    if answers.fitted.link.kind not in ("clip", "sigmoid", "levels"):
        raise InputError(f"{type(answers.fitted.config).__name__} ranks and predicts no ratings, so there is nothing to calibrate")
    return held_out(answers.data, test)


def _ratings(held: Held) -> Floats:
    return np.zeros(0, np.float32) if held.ratings is None else held.ratings


def _shown(frame: pl.DataFrame, title: str) -> str:
    with pl.Config(tbl_rows=30, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, float_precision=3):
        return f"{title}\n{frame}"
