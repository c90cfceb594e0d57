"""`rec.insight`: everything one can ask about what was learned."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from likewise.answers import Answers
from likewise.data.dataset import Dataset
from likewise.insight.axes import Axes, axes
from likewise.insight.biases import Biases, biases
from likewise.insight.calibration import Calibration, Reliability, calibration, reliability
from likewise.insight.curves import TrainingCurve, training_curve
from likewise.insight.effects import Effects, effects
from likewise.insight.exposure import Coverage, coverage
from likewise.insight.maps import Map, Method, map_of
from likewise.insight.neighbours import Alike, Clusters, alike, clusters, side_by_side
from likewise.insight.weak import Weak, errors, served
from likewise.models.base import Side


@dataclass(frozen=True, eq=False)
class Insight:
    """What a fitted model learned. Every answer shows itself, has its numbers as `.frame`, and most draw themselves by `.plot()`."""

    answers: Answers
    history: pl.DataFrame = field(default_factory=pl.DataFrame)

    def items(self) -> Biases:
        """Items loved and hated beyond what the factors explain, with intervals."""
        return self._items

    def users(self) -> Biases:
        """Generous and strict users, with intervals."""
        return biases(self.answers, "user")

    def axes(self, side: Side = "item", n: int = 5, seed: int = 0) -> Axes:
        """Principal components of taste, with titles at both ends and names that were tested."""
        return self._item_axes if (side, n, seed) == ("item", 5, 0) else axes(self.answers, side, n, seed=seed)

    def map(self, side: Side = "item", method: Method = "pca", seed: int = 0, visitor: Any = None) -> Map:
        """One side in two dimensions, a visitor on it if given."""
        return map_of(self.answers, side, method, seed=seed, visitor=visitor)

    def like(self, item: Any, k: int = 10) -> Alike:
        """Items like one item, and why: shared raters, shared axes."""
        return alike(self.answers, item, self._item_axes, k)

    def clusters(self, n: int = 8, seed: int = 0) -> Clusters:
        """Groups of items with their typical members."""
        return clusters(self.answers, n, seed=seed)

    def side_by_side(self, one: Any, other: Any) -> pl.DataFrame:
        """What two users both rated, and how."""
        return side_by_side(self.answers, one, other)

    def effects(self, seed: int = 0) -> Effects:
        """What each bias, feature and context does to predictions, with intervals."""
        return effects(self.answers, seed=seed)

    def training(self) -> TrainingCurve:
        """Error by epoch or sweep; InputError for a model in closed form."""
        return training_curve(self.history, type(self.answers.fitted.config).__name__)

    def calibration(self, test: Any) -> Calibration:
        """Predicted against given ratings, and residuals, on held-out events."""
        return calibration(self.answers, _dataset(test))

    def reliability(self, test: Any) -> Reliability:
        """Predicted chances against frequencies on held-out events, for models that predict a distribution."""
        return reliability(self.answers, _dataset(test))

    def errors(self, test: Any) -> Weak:
        """Error by an item's count and age and by people's activity, on held-out events."""
        return errors(self.answers, _dataset(test))

    def served(self, test: Any) -> Weak:
        """Who gets bad predictions and recommendations, on held-out events."""
        return served(self.answers, _dataset(test))

    def coverage(self, k: int = 10, seed: int = 0) -> Coverage:
        """Popularity of what lists of k show, against the catalogue's."""
        return coverage(self.answers, k, seed=seed)

    @cached_property
    def _items(self) -> Biases:
        return biases(self.answers, "item")

    @cached_property
    def _item_axes(self) -> Axes:
        return axes(self.answers)


def _dataset(source: Any) -> Dataset:
    if isinstance(source, Dataset):
        return source
    from likewise.data.readers import read

    return read(source)
