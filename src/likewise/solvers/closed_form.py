"""Parameters that follow from the data in one step: counts, means, similarities, one matrix inverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.models.base import FittedModel, Model
from likewise.solvers.base import Fit, Run, Solver, check_fits_together
from likewise.solvers.clock import CompileClock


@runtime_checkable
class Solvable(Protocol):
    """Settings of a model that knows its own closed form."""

    def solve(self, data: Dataset) -> FittedModel[Any]:
        """The fitted model."""


@dataclass(frozen=True)
class ClosedForm(Solver):
    """Asks the model's settings for their closed form; has no hyper-parameters and no randomness.

    Examples
    --------
    >>> from likewise.models.bias import Bias
    >>> check_fits_together(Bias(), ClosedForm())
    """

    name: ClassVar[str] = "closed_form"

    def fit(self, model: Model, data: Dataset, run: Run) -> Fit:
        """The model's closed form on this data; the seed, the device and validation data change nothing."""
        check_fits_together(model, self)
        if not len(data.interactions):
            raise InputError("there is nothing to fit on: the data has no events; check the file, or the filter that made it")
        if not isinstance(model, Solvable):
            raise InputError(
                f"{type(model).__name__} has no closed form; give it another of its solvers: {', '.join(sorted(model.solvers))}"
            )
        with CompileClock() as clock:
            fitted = model.solve(data)
        return Fit(fitted, [{"step": 1, "seconds": clock.seconds}], clock.seconds, clock.compile_seconds)
