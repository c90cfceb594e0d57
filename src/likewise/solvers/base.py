"""What every solver promises, and what it is told about the run.

Hyper-parameters belong to the solver and are saved; run options (seed, device, threads, progress) belong to the `Run` and are not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.models.base import FittedModel, Model

Event = Mapping[str, Any]
"""One line of news from a running fit: epoch or sweep, losses, rows a second, seconds left ..."""


@dataclass(frozen=True)
class Run:
    """How a fit is run; nothing here is a hyper-parameter.

    Parameters
    ----------
    valid : Dataset or None
        Ratings held out to watch and to stop by; encoded with the training vocabularies (rows unknown there are left out).
    seed : int
    device : str
        "auto", "cpu", "cuda", "cuda:1" ...; solvers that have only CPU code ignore it.
    threads : int or None
        None: what Numba and torch are set to.
    watch : callable or None
        Called with each event; progress bars, loggers and trackers are all this. Returning True asks the fit to stop cleanly.
    keep_on_interrupt : bool
        On Ctrl-C, return the best parameters so far instead of raising.
    checkpoint : path or None
        Folder for resumable state, for solvers that write one.
    precision : "float32" or "mixed"
        "mixed" lets a GPU multiply in bfloat16; CPU solvers ignore it.
    compile : bool
        Hand networks to `torch.compile`.
    start : FittedModel or None
        A model over the same rows whose tables training begins from.
    """

    valid: Dataset | None = None
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    watch: Callable[[Event], bool | None] | None = None
    keep_on_interrupt: bool = False
    checkpoint: str | None = None
    precision: Literal["float32", "mixed"] = "float32"
    compile: bool = False
    start: FittedModel[Any] | None = None


@dataclass(frozen=True)
class Fit:
    """What a solver returns.

    Parameters
    ----------
    model : FittedModel
    history : list of events
        One a sweep or epoch: train and validation error, rate, seconds.
    seconds, compile_seconds : float
        Wall time of the fit, and of compiling its kernels or reading them compiled, which the first leaves out.
    notes : list of str
        What the user should know: stopped early, a block left out, interrupted ...
    """

    model: FittedModel[Any]
    history: list[Event] = field(default_factory=list)
    seconds: float = 0.0
    compile_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Solver(ABC):
    """Settings of a way to find parameters; frozen, checked when made."""

    name: ClassVar[str]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as plain values, for the manifest and the preset files."""
        return asdict(self)

    @abstractmethod
    def fit(self, model: Model, data: Dataset, run: Run) -> Fit:
        """Find the parameters of `model` for `data`."""


def check_fits_together(model: Model, solver: Solver) -> None:
    """Refuse a pair that does not fit, naming those that do."""
    if solver.name not in model.solvers:
        raise InputError(
            f"{type(model).__name__} cannot be fitted by {type(solver).__name__}; it takes one of: {', '.join(sorted(model.solvers))}"
        )
