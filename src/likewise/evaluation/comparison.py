"""Several models on one test set: one table, one picture, and a verdict on every difference."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import polars as pl

from likewise.errors import InputError
from likewise.evaluation.figures import Figure
from likewise.evaluation.result import Evaluation
from likewise.evaluation.significance import Difference
from likewise.evaluation.tables import html_page, number, page

LEADING = ("rmse", "ndcg@10", "sampled_ndcg@10")
"""The figure that decides which model is the strongest, in this order."""
RATING_FIGURES = {"rmse", "mae", "crps", "log_score", "ece", "interval_cover_50", "interval_cover_80", "interval_cover_95"}
Kind = Literal["ratings", "lists"]
KINDS: tuple[Kind, ...] = ("ratings", "lists")
SHOWN = ("rmse", "mae", "crps", "ndcg@10", "recall@20", "hit@10", "auc", "coverage@10", "sampled_hit@10", "sampled_ndcg@10")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Models side by side; every figure is compared with a reference's over the same people.

    Parameters
    ----------
    evaluations : mapping of name to Evaluation
        In the order of the table; all of one test set and one protocol.
    references : mapping of "ratings" and "lists" to a model's name
        Whom the others' figures of either kind are compared with.
    baselines : tuple of str
        Names that are there to be beaten.
    seconds : mapping of name to float
        How long each fit took, where known.
    remarks : tuple of str
        What else a reader should know.
    """

    evaluations: Mapping[str, Evaluation]
    references: Mapping[Kind, str]
    baselines: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.references.values():
            if name not in self.evaluations:
                raise InputError(f"a reference must be one of {', '.join(self.evaluations)}; got {name!r}")

    def __getitem__(self, figure: str) -> float:
        """The first model's figure: `rec.evaluate(test)["rmse"]`."""
        return next(iter(self.evaluations.values()))[figure]

    @cached_property
    def differences(self) -> dict[str, dict[str, Difference]]:
        """Each model's difference from the reference in each figure both have, with its interval and verdict."""
        gaps: dict[str, dict[str, Difference]] = {name: {} for name in self.evaluations}
        for kind, reference in self.references.items():
            base = self.evaluations[reference]
            for name, found in self.evaluations.items():
                if name != reference:
                    gaps[name] |= {gap.name: gap for gap in found.against(base) if kind_of(gap.name) == kind}
        return gaps

    def to(self, reference: str) -> Comparison:
        """The same models compared with another of them."""
        return Comparison(self.evaluations, dict.fromkeys(KINDS, reference), self.baselines, self.seconds, self.remarks)

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row a model and figure: model, figure, value, low, high, reference, difference, difference_low, difference_high, verdict."""
        rows = []
        for name, found in self.evaluations.items():
            for figure, interval in found.intervals.items():
                gap = self.differences[name].get(figure)
                compared = (self.references[kind_of(figure)], gap.difference, gap.low, gap.high, gap.verdict) if gap else (None,) * 5
                rows.append((name, figure, interval.value, interval.low, interval.high, *compared))
        numbers = dict.fromkeys(("value", "low", "high"), pl.Float64)
        gaps = dict.fromkeys(("difference", "difference_low", "difference_high"), pl.Float64)
        schema = {"model": pl.String, "figure": pl.String, **numbers, "reference": pl.String, **gaps, "verdict": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row")

    @cached_property
    def json(self) -> str:
        """The same as one JSON object."""
        models = {
            name: {
                "baseline": name in self.baselines,
                "fit_seconds": self.seconds.get(name),
                **json.loads(found.json),
                "differences": {
                    figure: {"difference": number(gap.difference), "low": number(gap.low), "high": number(gap.high), "verdict": gap.verdict}
                    for figure, gap in self.differences[name].items()
                },
            }
            for name, found in self.evaluations.items()
        }
        return json.dumps({"references": dict(self.references), "cautions": self.notes[1:], "models": models})

    @property
    def figures(self) -> list[str]:
        """The figures of the table: those of `SHOWN` that any model has."""
        return [name for name in SHOWN if any(name in found for found in self.evaluations.values())]

    @property
    def notes(self) -> list[str]:
        """The protocol, what is compared with what, and every caution."""
        first = next(iter(self.evaluations.values()))
        judges = " and ".join(f"{kind} against {name}'s" for kind, name in self.references.items())
        compared = f"{judges}, over the same people; tied: the 95 % interval of the difference holds zero"
        return [first.protocol.describe(), compared, *first.cautions, *self.remarks]

    def plot(self, figure: str | None = None, ax: Any = None) -> Any:
        """Every model's value with its interval, as a point and a line; returns the Matplotlib axes.

        Parameters
        ----------
        figure : str or None
            None takes the leading figure.
        ax : matplotlib axes or None
        """
        from likewise.evaluation.picture import plot_comparison

        return plot_comparison(self, figure or self.leading, ax)

    @property
    def leading(self) -> str:
        """The figure that decides."""
        return leading_figure({name: found.figures for name, found in self.evaluations.items()})

    def _lines(self) -> list[list[str]]:
        lines = []
        for name, found in self.evaluations.items():
            cells = [self._cell(name, found, figure) for figure in self.figures]
            seconds = f"{self.seconds[name]:.2f}" if name in self.seconds else ""
            lines.append([f"{name} (baseline)" if name in self.baselines else name, *cells, seconds])
        return lines

    def _cell(self, name: str, found: Evaluation, figure: str) -> str:
        if figure not in found:
            return ""
        gap = self.differences[name].get(figure)
        return f"{found[figure]:.4f}" + (f" {gap.verdict}" if gap else "")

    @property
    def title(self) -> str:
        """One line on what was compared."""
        first = next(iter(self.evaluations.values()))
        models = "1 model" if len(self.evaluations) == 1 else f"{len(self.evaluations)} models"
        return f"{models} on {first.n_test:,} held-out events"

    def __repr__(self) -> str:
        return page(self.title, ["model", *self.figures, "fit s"], self._lines(), self.notes)

    def _repr_html_(self) -> str:
        return html_page(self.title, ["model", *self.figures, "fit s"], self._lines(), self.notes)


def kind_of(figure: str) -> Kind:
    """Whether a figure is of predicted ratings or of lists."""
    return "ratings" if figure in RATING_FIGURES else "lists"


def leading_figure(models: Mapping[str, Mapping[str, Figure]]) -> str:
    """The first of `LEADING` that a model has, else the first figure of the first model."""
    for name in LEADING:
        if any(name in figures for figures in models.values()):
            return name
    return next(iter(next(iter(models.values()))))


def alone(found: Evaluation) -> Comparison:
    """One model with nothing beside it."""
    told = {found.name: found}
    return Comparison(told, references_of(told, ()))


def references_of(evaluations: Mapping[str, Evaluation], baselines: Sequence[str]) -> dict[Kind, str]:
    """For ratings and for lists the strongest baseline, or the first model that has such figures where no baseline has."""
    chosen: dict[Kind, str] = {}
    for kind in KINDS:
        measured = {name: found for name, found in evaluations.items() if any(kind_of(figure) == kind for figure in found.figures)}
        rivals = [name for name in measured if name in baselines]
        if rivals:
            figure = leading_figure({name: {f: v for f, v in measured[name].figures.items() if kind_of(f) == kind} for name in rivals})
            sign = 1 if measured[rivals[0]].figures[figure].better == "low" else -1
            chosen[kind] = min(rivals, key=lambda name, f=figure, s=sign: s * measured[name][f])  # type: ignore[misc]
        elif measured:
            chosen[kind] = next(iter(measured))
    return chosen
