"""What every solver promises, and what it is told about the run.

Hyper-parameters belong to the solver and are saved; run options (seed, device, threads, progress) belong to the `Run` and are not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from likewise.data.dataset import Dataset
from likewise.data.shards.shards import Shards
from likewise.errors import InputError
from likewise.models.base import FittedModel, Model, Side
from likewise.shapes import Rows

Event = Mapping[str, Any]
"""One line of news from a running fit: epoch or sweep, losses, rows a second, seconds left ..."""


Placing = Literal["row-wise", "planner"]


@dataclass(frozen=True)
class Ranks:
    """How a fit over several processes is run.

    Parameters
    ----------
    plan : "row-wise" or "planner"
        Every rank holds an even share of each table's rows, or TorchRec's planner decides.
    checkpoint_every : int or None
        Steps between checkpoints within an epoch; None: one an epoch.
    folder : path or None
        Folder, reached by every rank, in which the model's arrays are written, so that saving there moves them and copies nothing.
    """

    plan: Placing = "row-wise"
    checkpoint_every: int | None = None
    folder: str | None = None

    def __post_init__(self) -> None:
        if self.plan not in ("row-wise", "planner"):
            raise InputError(f"plan must be 'row-wise' or 'planner'; got {self.plan!r}")
        if self.checkpoint_every is not None and self.checkpoint_every < 1:
            raise InputError(f"checkpoint_every must be at least 1 step; got {self.checkpoint_every}")


@dataclass(frozen=True, eq=False)
class Start:
    """A fitted model that training begins from, and where the training rows are among its own.

    Parameters
    ----------
    users, items : int32 [row] or None
        Its row for each row of the training data, -1 for one that it does not know; None: the same rows.
    """

    model: FittedModel[Any]
    users: Rows | None = None
    items: Rows | None = None

    def places(self, side: Side) -> Rows | None:
        """Its row for each of a side's."""
        return self.users if side == "user" else self.items


@dataclass(frozen=True)
class Run:
    """How a fit is run; nothing here is a hyper-parameter.

    Parameters
    ----------
    valid : Dataset, Shards or None
        Ratings held out to watch and to stop by; encoded with the training vocabularies (rows unknown there are left out).
        Shards watch a fit from shards alone.
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
    start : FittedModel over the same rows, Start, a sequence of Start, or None
        What training begins from; several are the halves of `NeuMF`.
    ranks : Ranks
        Of fits over several processes; others ignore it.
    """

    valid: Dataset | Shards | None = None
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    watch: Callable[[Event], bool | None] | None = None
    keep_on_interrupt: bool = False
    checkpoint: str | None = None
    precision: Literal["float32", "mixed"] = "float32"
    compile: bool = False
    start: FittedModel[Any] | Start | Sequence[Start] | None = None
    ranks: Ranks = field(default_factory=Ranks)

    def __post_init__(self) -> None:
        if self.precision not in ("float32", "mixed"):
            raise InputError(f"precision must be 'float32' or 'mixed'; got {self.precision!r}")

    @property
    def valid_in_memory(self) -> Dataset | None:
        """The validation ratings, for a solver that holds its events in memory; InputError where they are shards."""
        if isinstance(self.valid, Shards):
            raise InputError("events in memory cannot be watched by shards: give valid=shards.resident(), or train on the shards")
        return self.valid

    @property
    def starts(self) -> list[Start]:
        """What training begins from."""
        if self.start is None:
            return []
        if isinstance(self.start, Start | FittedModel):
            return [self.start if isinstance(self.start, Start) else Start(self.start)]
        return list(self.start)


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
    written : path or None
        A file that holds the model's arrays already, to be moved into the artifact.
    """

    model: FittedModel[Any]
    history: list[Event] = field(default_factory=list)
    seconds: float = 0.0
    compile_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    written: Path | None = None

    @property
    def told(self) -> dict[str, Any]:
        """How it went, as the artifact keeps it."""
        history = [dict(event) for event in self.history]
        return {"fit_seconds": self.seconds, "compile_seconds": self.compile_seconds, "history": history}


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


class FromDisk(ABC):
    """A solver that also learns from events that stay on disk."""

    @abstractmethod
    def fit_on_disk(self, model: Model, data: Shards, run: Run) -> Fit:
        """Find the parameters of `model`, memory bounded whatever the number of events."""


def check_fits_together(model: Model, solver: Solver) -> None:
    """Refuse a pair that does not fit, naming those that do."""
    if solver.name not in model.solvers:
        raise InputError(
            f"{type(model).__name__} cannot be fitted by {type(solver).__name__}; it takes one of: {', '.join(sorted(model.solvers))}"
        )
    if getattr(model, "freeze", ()) and solver.name != "gradient":
        raise InputError(f"freeze is for gradient descent, and {type(solver).__name__} moves every row: leave it out")


def fit_from(solver: Solver, model: Model, data: Dataset | Shards, run: Run) -> Fit:
    """Fit in memory or from disk; InputError for a solver that needs all events at once."""
    if isinstance(data, Dataset):
        return solver.fit(model, data, run)
    if data.part != "train":
        raise InputError("these are the events held out, to be evaluated on: fit on the shards that hold them out")
    if not isinstance(solver, FromDisk):
        name = type(solver).__name__
        raise InputError(
            f"{name} needs all events in memory: fit the files they were prepared from, or take the preset 'dot', which reads shards"
        )
    return solver.fit_on_disk(model, data, run)


def starts_from(given: Any, data: Dataset, solver: Solver, load: Callable[[Any], Any]) -> list[Start] | None:
    """What training begins from, of fitted recommenders or the folders of saved ones, each row matched by its id.

    Raises InputError for a solver that begins from nothing.
    """
    if given is None:
        return None
    if solver.name != "gradient":
        raise InputError(f"only gradient descent can start from another model; the solver here is {solver.name!r}: leave start out")
    several = [load(one) if isinstance(one, str | Path) else one for one in (given if isinstance(given, list | tuple) else [given])]
    return [Start(rec.fitted, rec.data.users.rows(data.users.ids), rec.data.items.rows(data.items.ids)) for rec in several]
