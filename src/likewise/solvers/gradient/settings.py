"""What gradient descent is told: optimiser, schedule, loss, negatives, stopping. Nothing here needs torch.

Each object carries its `name`, so settings survive the way through a preset file: a mapping `{"name": "adamw", "lr": 0.005}`
stands for `AdamW(lr=0.005)` wherever an object is expected, and a bare name for an object with its defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, cast

from likewise.data.dataset import Dataset
from likewise.data.shards.shards import Shards
from likewise.errors import InputError
from likewise.models.base import Model
from likewise.models.dot import Dot
from likewise.solvers.base import Fit, FromDisk, Run, Solver, check_fits_together
from likewise.solvers.gradient.checks import above, at_least, fraction, one_of
from likewise.solvers.gradient.steps import OPTIMIZERS, SCHEDULES, SGD, Adagrad, AdamW, OneCycle, Optimizer, Schedule

# ---- loss, sampling, stopping -----------------------------------------------------------------------------------------------------

LossName: TypeAlias = Literal[
    "mse", "mae", "huber", "bce", "ordinal", "categorical", "bpr", "hinge", "warp", "contrastive", "sampled-softmax", "softmax"
]
_WITH_NEGATIVES = frozenset({"bpr", "hinge", "warp", "contrastive", "sampled-softmax"})
_LOSSES = _WITH_NEGATIVES | {"mse", "mae", "huber", "bce", "ordinal", "categorical", "softmax"}


@dataclass(frozen=True)
class Loss:
    """What is minimised.

    Parameters
    ----------
    name : one of
        "mse", "mae", "huber" on the rating that the link gives; "bce" on a like or its absence; "ordinal" and "categorical" on rating
        levels; "bpr", "hinge", "warp", "contrastive", "sampled-softmax" on a positive beside sampled negatives; "softmax" over
        the whole catalogue.
    margin : of "hinge" and "warp"; the cosine that "contrastive" lets negatives have.
    delta : where "huber" turns from square to line.
    weight : of the negatives of "contrastive".
    temperature : divides the scores of both softmax losses.
    """

    name: LossName = "mse"
    margin: float = 1.0
    delta: float = 1.0
    weight: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        one_of("loss", self.name, _LOSSES)
        at_least("margin", self.margin, 0)
        above("delta", self.delta, 0)
        above("weight", self.weight, 0)
        above("temperature", self.temperature, 0)

    @property
    def ranks(self) -> bool:
        """Whether each positive is set beside sampled negatives."""
        return self.name in _WITH_NEGATIVES

    @property
    def levels(self) -> bool:
        """Whether the rating is one of a few ordered levels."""
        return self.name in ("ordinal", "categorical")


@dataclass(frozen=True)
class Negatives:
    """Items that a user has not rated, drawn afresh each step; never one of the user's own.

    Parameters
    ----------
    ratio : negatives a row; below one, that share of the rows gets one.
    how : "uniform"; "popularity", in proportion to count^alpha; "in-batch", other rows' items; "hard", the best scored of `pool`.
    alpha : flattens popularity.
    replace : with ratio below one, the negative takes the row's place instead of joining it.
    pool : candidates of each hard negative.
    target : the rating a negative stands for under a rating loss.
    """

    ratio: float = 1.0
    how: Literal["uniform", "popularity", "in-batch", "hard"] = "uniform"
    alpha: float = 0.75
    replace: bool = False
    pool: int = 8
    target: float = 0.0

    def __post_init__(self) -> None:
        above("negatives.ratio", self.ratio, 0)
        one_of("negatives.how", self.how, ("uniform", "popularity", "in-batch", "hard"))
        at_least("negatives.alpha", self.alpha, 0)
        at_least("negatives.pool", self.pool, 1)
        if self.ratio > 1 and self.ratio != int(self.ratio):
            raise InputError(f"negatives.ratio above one must be a whole number; got {self.ratio}")
        if self.replace and self.ratio >= 1:
            raise InputError(f"negatives.replace needs a ratio below one, the share of rows replaced; got {self.ratio}")


@dataclass(frozen=True)
class Balance:
    """Rows drawn with chance n_user^-users * n_item^-items: 0 as they come, 1 every user (item) equally often."""

    users: float = 0.0
    items: float = 0.5

    def __post_init__(self) -> None:
        at_least("balance.users", self.users, 0)
        at_least("balance.items", self.items, 0)


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when `metric` on the validation rows has not improved by `least` for `patience` epochs; the best weights are restored.

    metric : "rmse", "mae", "loss", or "ndcg@K". Without validation rows nothing is stopped.
    """

    metric: str = "rmse"
    patience: int = 3
    least: float = 0.0

    def __post_init__(self) -> None:
        at_least("stopping.patience", self.patience, 1)
        at_least("stopping.least", self.least, 0)
        if self.metric not in ("rmse", "mae", "loss") and not (self.metric.startswith("ndcg@") and self.metric[5:].isdigit()):
            raise InputError(f"stopping.metric must be 'rmse', 'mae', 'loss' or 'ndcg@K' such as 'ndcg@10'; got {self.metric!r}")


@dataclass(frozen=True)
class Penalty:
    """What keeps weights small beside the optimiser's decay.

    l2, l1 : times half the square (the size) of the table rows that each event looks up, so often-seen rows are held more.
    power : a row seen n times is held by l2 * (n / mean n)^-power at each event: with 0 all alike at each event, with 1 all alike in
        an epoch.
    choose : under loss "softmax", l2 is chosen on an inner split of the training data instead.
    people : under loss "softmax" of `Dot`, everybody is found anew after training with the items fixed, held by this times l2, growing
        with the root of their likes; 0 leaves people as trained.
    bias : share of l2 and l1 that biases get; levels need less holding than tastes. The loop's alone.
    clip : longest gradient of all weights together; 0 for none.
    """

    l2: float = 0.0
    l1: float = 0.0
    power: float = 0.0
    bias: float = 1.0
    clip: float = 0.0
    choose: bool = False
    people: float = 0.0

    def __post_init__(self) -> None:
        at_least("penalty.people", self.people, 0)
        at_least("penalty.l2", self.l2, 0)
        at_least("penalty.l1", self.l1, 0)
        at_least("penalty.power", self.power, 0)
        at_least("penalty.bias", self.bias, 0)
        at_least("penalty.clip", self.clip, 0)


@dataclass(frozen=True)
class Averaging:
    """Averages instead of the last weights.

    ema : decay a batch of a running average, 0 for none.
    swa : from this share of the run on, the mean of each epoch's weights; 1 for none.
    seeds : networks trained side by side in one batch; their scores are averaged.
    """

    ema: float = 0.0
    swa: float = 1.0
    seeds: int = 1

    def __post_init__(self) -> None:
        fraction("averaging.ema", self.ema)
        at_least("averaging.swa", self.swa, 0)
        at_least("averaging.seeds", self.seeds, 1)
        if self.ema and self.swa < 1:
            raise InputError("averaging takes ema or swa, not both; leave one at its default")


# ---- the solver -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gradient(Solver, FromDisk):
    """Gradient descent on batches: the solver of the biased dot product and of every network.

    Parameters
    ----------
    epochs : passes over the training rows; the most, where `stopping` may end them earlier.
    batch_size : rows a step.
    optimizer, schedule, loss, penalty, averaging : objects of this file, or the mappings and names that stand for them.
    stopping : EarlyStopping or None
        Needs `Run.valid`.
    negatives : Negatives or None
        None: no negatives for losses on ratings, one uniform negative a row for losses that rank.
    balance : Balance or None
    engine : "torch" is the loop; "one-pass" the compiled kernel for the dot product under "mse", "bce" or "bpr" with SGD or Adagrad,
        one event a step; "auto" takes the kernel where it can do what is asked; "torchrec" is the loop over the processes of torchrun.
    """

    epochs: int = 5
    batch_size: int = 8192
    optimizer: Optimizer = field(default_factory=AdamW)
    schedule: Schedule = field(default_factory=OneCycle)
    loss: Loss = field(default_factory=Loss)
    penalty: Penalty = field(default_factory=Penalty)
    stopping: EarlyStopping | None = None
    negatives: Negatives | None = None
    balance: Balance | None = None
    averaging: Averaging = field(default_factory=Averaging)
    engine: Literal["auto", "one-pass", "torch", "torchrec"] = "auto"
    name: ClassVar[str] = "gradient"

    def __post_init__(self) -> None:
        at_least("epochs", self.epochs, 1)
        at_least("batch_size", self.batch_size, 1)
        one_of("engine", self.engine, ("auto", "one-pass", "torch", "torchrec"))
        self._become("optimizer", _named("optimizer", self.optimizer, OPTIMIZERS))
        self._become("schedule", _named("schedule", self.schedule, SCHEDULES))
        self._become("loss", _plain("loss", {"name": self.loss} if isinstance(self.loss, str) else self.loss, Loss))
        for part, kind in (
            ("penalty", Penalty),
            ("stopping", EarlyStopping),
            ("negatives", Negatives),
            ("balance", Balance),
            ("averaging", Averaging),
        ):
            if getattr(self, part) is not None:
                self._become(part, _plain(part, getattr(self, part), kind))
        if self.penalty.people and self.loss.name != "softmax":
            raise InputError(f"penalty.people is for loss 'softmax'; under {self.loss.name!r} leave it at 0")
        for part in ("period", "warmup"):
            if (length := getattr(self.schedule, part, 0)) > self.epochs:
                raise InputError(f"schedule.{part} must not be longer than training; it is {length} of {self.epochs} epochs: lower it")

    def fit(self, model: Model, data: Dataset, run: Run) -> Fit:
        """Find the parameters of `model` for `data`."""
        self._check(model)
        if self.penalty.choose:
            _, settled, notes = self.settled(model, data, run)
            done = settled.fit(model, data, run)
            return replace(done, notes=[*done.notes, *notes])
        return self._fit(model, data, run)

    def fit_on_disk(self, model: Model, data: Shards, run: Run) -> Fit:
        """Find the parameters of `model` for events that stay on disk."""
        self._check(model)
        if self.penalty.choose:
            raise InputError("penalty.choose needs the events in memory: give penalty.l2 a number")
        return self._fit(model, data, run)

    def _check(self, model: Model) -> None:
        check_fits_together(model, self)
        if self.penalty.people and model.name != "dot":
            raise InputError(f"penalty.people finds the people of Dot anew, and {type(model).__name__} makes them in layers: set it to 0")

    def _fit(self, model: Model, data: Dataset | Shards, run: Run) -> Fit:
        if self.engine == "torchrec":
            from likewise.solvers.sharded import fitting

            return fitting.fit(model, data, run, self)
        if self._one_pass(model):
            from likewise.solvers.gradient import one_pass

            return one_pass.fit(cast(Dot, model), data, run, self)
        from likewise.solvers.gradient import loop

        return loop.fit(model, data, run, self)

    def settled(self, model: Model, data: Dataset, run: Run) -> tuple[Model, Gradient, list[str]]:
        """With the penalty chosen on an inner split, where that was asked for."""
        if not self.penalty.choose:
            return model, self, []
        from likewise.solvers.gradient.choose import chosen

        solver, notes = chosen(model, data, run, self)
        return model, solver, notes

    def _one_pass(self, model: Model) -> bool:
        able = (
            isinstance(model, Dot)
            and self.loss.name in ("mse", "bce", "bpr")
            and isinstance(self.optimizer, SGD | Adagrad)
            and not self.optimizer.weight_decay
            and not getattr(self.optimizer, "momentum", 0)
            and (self.negatives is None or self._plain_negatives(self.negatives))
            and self.balance is None
            and self.averaging.ema == 0
            and self.averaging.seeds == 1
            and not model.freeze
            and not self.penalty.l1
            and self.penalty.bias == 1
            and not self.penalty.clip
        )
        if self.engine == "one-pass" and not able:
            raise InputError(
                "engine 'one-pass' fits the dot product under loss 'mse', 'bce' or 'bpr' with SGD or Adagrad, even negatives of ratio "
                "1, 2 ..., and without momentum, weight_decay (use penalty.l2), balance, ema, seeds, l1, penalty.bias, "
                "clip or freeze; use engine='torch' for the rest"
            )
        return able and self.engine in ("auto", "one-pass")

    def _plain_negatives(self, wanted: Negatives) -> bool:
        even = wanted.how == "uniform" and wanted.ratio >= 1 and wanted.target == 0
        return even and self.loss.name != "mse"

    def _become(self, part: str, value: object) -> None:
        object.__setattr__(self, part, value)


T = TypeVar("T")


def _named(part: str, value: Any, kinds: dict[str, Any]) -> Any:
    if isinstance(value, tuple(kinds.values())):
        return value
    given = {"name": value} if isinstance(value, str) else dict(value) if isinstance(value, dict) else {}
    if given.get("name") not in kinds:
        raise InputError(f"{part} must be an object or a table with name= one of {', '.join(sorted(kinds))}; got {value!r}")
    return _plain(part, {k: v for k, v in given.items() if k != "name"}, kinds[given["name"]])


def _plain(part: str, value: Any, kind: type[T]) -> T:
    if isinstance(value, kind):
        return value
    if not isinstance(value, dict):
        raise InputError(f"{part} must be a {kind.__name__} or a table of its settings; got {value!r}")
    known = [f.name for f in fields(kind) if f.init]  # type: ignore[arg-type]
    if unknown := sorted(set(value) - set(known)):
        raise InputError(f"{part} has no setting {unknown[0]!r}; it takes {', '.join(known)}")
    return kind(**value)
