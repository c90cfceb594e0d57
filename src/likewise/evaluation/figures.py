"""A figure: one number about a model, kept as what each person contributed to it.

Every figure of the house is a ratio of sums over people, `sum(totals) / sum(counts)`, or the root of one: a mean over people has
counts of one, an RMSE has squared errors over numbers of ratings. So every figure can be resampled by people, compared in pairs
and cut into segments by the same few lines. Figures that are no such ratio (coverage, Gini, calibration error) are kept as their
linear expansion, which has the same value and, to first order, the same spread.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from likewise.errors import InputError

Doubles = NDArray[np.float64]
Better = Literal["high", "low", "neither"]

_LOW = {"rmse", "mae", "crps", "log_score", "ece"}
_NEITHER = {"gini", "popularity", "novelty", "diversity", "coverage", "interval_cover_50", "interval_cover_80", "interval_cover_95"}


@dataclass(frozen=True, eq=False)
class Figure:
    """One number and what each person contributed.

    Parameters
    ----------
    name : str
        As it is reported: "rmse", "ndcg@10", "sampled_hit@10".
    totals, counts : float64 [person]
        The figure is `sum(totals) / sum(counts)`; people with count 0 do not take part.
    root : bool
        Take the square root at the end.
    """

    name: str
    totals: Doubles
    counts: Doubles
    root: bool = False

    def __post_init__(self) -> None:
        if self.totals.shape != self.counts.shape or self.totals.ndim != 1:
            raise InputError(
                f"{self.name}: totals and counts must be one number a person; got shapes {self.totals.shape} and {self.counts.shape}"
            )

    @property
    def value(self) -> float:
        """The number itself; NaN if nobody took part."""
        count = self.counts.sum()
        if not count > 0:
            return float("nan")
        ratio = self.totals.sum() / count
        return float(np.sqrt(ratio) if self.root else ratio)

    @property
    def better(self) -> Better:
        """Whether more is better, less is better, or the figure is a description."""
        stem = self.name.split("@")[0].removeprefix("sampled_")
        return "low" if stem in _LOW else "neither" if stem in _NEITHER else "high"

    @property
    def n_people(self) -> int:
        """How many people took part."""
        return int(np.count_nonzero(self.counts))

    def among(self, people: NDArray[np.bool_]) -> Figure:
        """The same figure over some of the people."""
        return Figure(self.name, np.where(people, self.totals, 0.0), np.where(people, self.counts, 0.0), self.root)


def mean_figure(name: str, per_person: Doubles) -> Figure:
    """The mean over people of a number each; people with NaN do not take part."""
    there = ~np.isnan(per_person)
    return Figure(name, np.where(there, per_person, 0.0), there.astype(np.float64))


def event_figure(name: str, values: NDArray[np.floating], people: NDArray[np.int32], n_people: int, root: bool = False) -> Figure:
    """The mean over events (ratings), each belonging to a person."""
    totals = np.bincount(people, values, n_people).astype(np.float64)
    return Figure(name, totals, np.bincount(people, minlength=n_people).astype(np.float64), root)


def by_name(figures: Iterable[Figure]) -> dict[str, Figure]:
    """Figures keyed by their names, in order."""
    return {figure.name: figure for figure in figures}
