"""What an evaluation found: figures with intervals, their protocol, parts of the test, and cautions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError
from likewise.evaluation.figures import Figure
from likewise.evaluation.protocol import Protocol
from likewise.evaluation.significance import Difference, Interval, differences, interval_list, intervals
from likewise.evaluation.tables import html_page, number, page


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The figures of one model on one test set; what each person contributed is kept, for paired comparisons.

    Parameters
    ----------
    name : str
    protocol : Protocol
    figures : mapping of name to Figure
    parts : tuple of Part
        Figures of segments of the test.
    cautions : tuple of str
    people : Vocabulary or None
        Raw ids of the people, in the order of each figure's `totals`.
    n_train, n_test : int
    """

    name: str
    protocol: Protocol
    figures: dict[str, Figure]
    parts: tuple[Any, ...]
    cautions: tuple[str, ...]
    people: Vocabulary | None
    n_train: int
    n_test: int

    def __getitem__(self, figure: str) -> float:
        """The value of a figure: `evaluation["ndcg@10"]`."""
        if figure not in self.figures:
            raise InputError(f"there is no figure {figure!r} here; there are {', '.join(self.figures)}")
        return self.figures[figure].value

    def __contains__(self, figure: object) -> bool:
        return figure in self.figures

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Each figure with its 95 % interval over people."""
        return intervals(list(self.figures.values()))

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row a figure: figure, value, low, high (95 % over people), people."""
        rows = [(name, i.value, i.low, i.high, self.figures[name].n_people) for name, i in self.intervals.items()]
        schema = {"figure": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "people": pl.Int64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    @cached_property
    def segments(self) -> pl.DataFrame:
        """One row a part of the test and a figure: segment, part, events, people, figure, value, low, high."""
        figures = [(part, figure) for part in self.parts for figure in part.figures.values()]
        found = interval_list([figure for _, figure in figures])
        rows = [
            (part.segment, part.part, part.events, figure.n_people, figure.name, i.value, i.low, i.high)
            for (part, figure), i in zip(figures, found, strict=True)
        ]
        names = ("segment", "part", "events", "people", "figure", "value", "low", "high")
        kinds = (pl.String, pl.String, pl.Int64, pl.Int64, pl.String, pl.Float64, pl.Float64, pl.Float64)
        return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")

    @property
    def values(self) -> dict[str, float]:
        """The bare numbers by name."""
        return {name: figure.value for name, figure in self.figures.items()}

    @cached_property
    def json(self) -> str:
        """Everything but the people's own figures, as one JSON object."""
        figures = {name: {"value": number(i.value), "low": number(i.low), "high": number(i.high)} for name, i in self.intervals.items()}
        about = {"name": self.name, "protocol": self.protocol.settings, "n_train": self.n_train, "n_test": self.n_test}
        return json.dumps({**about, "figures": figures, "segments": self.segments.to_dicts(), "cautions": list(self.cautions)})

    def against(self, other: Evaluation) -> list[Difference]:
        """Paired differences from another model's figures on the same people.

        Raises InputError if the two were not evaluated on the same test set by the same protocol.
        """
        if self.people != other.people or self.n_test != other.n_test or self.protocol != other.protocol:
            raise InputError(
                f"{self.name} and {other.name} were evaluated on different test sets or by different protocols; evaluate both on one"
            )
        return differences(self.figures, other.figures)

    def lines(self) -> list[list[str]]:
        """The table as text cells: figure, value, interval."""
        return [[name, f"{i.value:.4f}", f"{i.low:.4f} to {i.high:.4f}"] for name, i in self.intervals.items()]

    @property
    def title(self) -> str:
        """One line on what was measured how."""
        people = max((figure.n_people for figure in self.figures.values()), default=0)
        return f"{self.name} on {self.n_test:,} held-out events of {people:,} people"

    def __repr__(self) -> str:
        return self.text()

    def text(self, length: int | None = None) -> str:
        """The table as text; with `length`, of the figures of lists only those of that many places, and how many there are besides."""
        lines, notes = self.lines(), [self.protocol.describe(), *self.cautions]
        if length is not None:
            kept = [line for line in lines if "@" not in line[0] or line[0].endswith(f"@{length}")]
            notes += [f"{len(lines) - len(kept)} more figures are of lists of other lengths"] if len(kept) < len(lines) else []
            lines = kept
        return page(self.title, ["figure", "value", "95 % interval"], lines, notes)

    def _repr_html_(self) -> str:
        return html_page(self.title, ["figure", "value", "95 % interval"], self.lines(), [self.protocol.describe(), *self.cautions])
