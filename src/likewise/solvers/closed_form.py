"""Parameters that follow from the data in one step: counts, means, similarities, one matrix inverse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.models.base import FittedModel, Model
from likewise.solvers.base import Fit, Run, Solver, check_fits_together
from likewise.solvers.clock import CompileClock
from likewise.solvers.inner import Inner, search


@runtime_checkable
class Solvable(Protocol):
    """Settings of a model that knows its own closed form."""

    def solve(self, data: Dataset) -> FittedModel[Any]:
        """The fitted model."""


@runtime_checkable
class Choosable(Protocol):
    """Settings of a model that may leave some of themselves to an inner split."""

    def choices(self, data: Dataset) -> Mapping[str, tuple[Sequence[Any], Any]]:
        """Values to try of each setting left open, and which to begin with; none where nothing is open."""


@dataclass(frozen=True)
class ClosedForm(Solver):
    """Asks the model's settings for their closed form; has no hyper-parameters, and randomness only where settings are left open.

    Examples
    --------
    >>> from likewise.models.bias import Bias
    >>> check_fits_together(Bias(), ClosedForm())
    """

    name: ClassVar[str] = "closed_form"

    def fit(self, model: Model, data: Dataset, run: Run) -> Fit:
        """The model's closed form on this data; the device and validation data change nothing, the seed only an inner split."""
        check_fits_together(model, self)
        if not len(data.interactions):
            raise InputError("there is nothing to fit on: the data has no events; check the file, or the filter that made it")
        if not isinstance(model, Solvable):
            raise InputError(
                f"{type(model).__name__} has no closed form; give it another of its solvers: {', '.join(sorted(model.solvers))}"
            )
        with CompileClock() as clock:
            chosen, _, notes = self.settled(model, data, run)
            fitted = chosen.solve(data) if isinstance(chosen, Solvable) else model.solve(data)
        return Fit(fitted, [{"step": 1, "seconds": clock.seconds}], clock.seconds, clock.compile_seconds, notes)

    def settled(self, model: Model, data: Dataset, run: Run) -> tuple[Model, ClosedForm, list[str]]:
        """The model with the settings chosen that it leaves open."""
        choices = dict(model.choices(data)) if isinstance(model, Choosable) else {}
        if not choices:
            return model, self, []
        splits = Inner.several(data, run.seed)

        def judge(at: dict[str, Any]) -> float:
            tried = replace(model, **at)
            scores = [inner.judge(tried.solve(inner.data), run.threads) for inner in splits if isinstance(tried, Solvable)]
            return float(np.mean(scores))

        best, trials = search({n: values for n, (values, _) in choices.items()}, {n: first for n, (_, first) in choices.items()}, judge)
        said = ", ".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in best.items())
        return replace(model, **best), self, [f"{said} chosen among {len(trials)} on an inner split"]
