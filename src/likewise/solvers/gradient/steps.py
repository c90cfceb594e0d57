"""How a step is taken: the settings of optimisers and of rate schedules. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from likewise.solvers.gradient.checks import above, at_least, fraction

# ---- optimisers -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum; `weight_decay` is decoupled, as in AdamW.

    Parameters
    ----------
    lr : learning rate; a schedule multiplies it.
    momentum : in [0, 1).
    weight_decay : share of each weight taken away a step, times the rate.
    """

    lr: float = 0.05
    momentum: float = 0.0
    weight_decay: float = 0.0
    name: str = field(default="sgd", init=False)

    def __post_init__(self) -> None:
        _check_rates(self.lr, self.weight_decay)
        fraction("momentum", self.momentum)


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015); `weight_decay` is added to the gradient, so it is scaled with it."""

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    name: str = field(default="adam", init=False)

    def __post_init__(self) -> None:
        _check_adam(self)


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): decay does not depend on the gradient's size."""

    lr: float = 5e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    eps: float = 1e-8
    name: str = field(default="adamw", init=False)

    def __post_init__(self) -> None:
        _check_adam(self)


@dataclass(frozen=True)
class Adagrad:
    """Row-wise Adagrad: one running sum of squares a table row, as large embedding tables are trained.

    Cost and memory of a step depend on the batch, not on the table. Tensors that are not tables get ordinary Adagrad.
    """

    lr: float = 0.05
    eps: float = 1e-8
    weight_decay: float = 0.0
    name: str = field(default="adagrad", init=False)

    def __post_init__(self) -> None:
        _check_rates(self.lr, self.weight_decay)


@dataclass(frozen=True)
class LazyAdam:
    """Adam whose moments and decay move only for the table rows that a batch touches: cost independent of the table's size.

    Tensors that are not tables get AdamW.
    """

    lr: float = 5e-3
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)
    eps: float = 1e-8
    name: str = field(default="lazy-adam", init=False)

    def __post_init__(self) -> None:
        _check_adam(self)


# ---- schedules --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Constant:
    """The same rate throughout, after `warmup` epochs of linear rise."""

    warmup: float = 0.0
    name: str = field(default="constant", init=False)

    def __post_init__(self) -> None:
        at_least("warmup", self.warmup, 0)


@dataclass(frozen=True)
class OneCycle:
    """One rise and one fall by half cosines over the whole run, every batch; momentum goes the other way (Smith 2018).

    Parameters
    ----------
    rise : share of the batches that the rate rises.
    start, end : the first and the last rate, as divisors of the optimiser's.
    momentum : momentum (Adam: beta 1) at the ends and at the peak; None leaves it alone.
    """

    rise: float = 0.25
    start: float = 25.0
    end: float = 1e5
    momentum: tuple[float, float] | None = (0.95, 0.85)
    name: str = field(default="one-cycle", init=False)

    def __post_init__(self) -> None:
        fraction("rise", self.rise)
        above("start", self.start, 0)
        above("end", self.end, 0)
        if self.momentum is not None:
            object.__setattr__(self, "momentum", tuple(self.momentum))


@dataclass(frozen=True)
class Step:
    """The rate times `factor` every `every` epochs, after `warmup` epochs of linear rise."""

    every: int = 30
    factor: float = 0.1
    warmup: float = 0.0
    name: str = field(default="step", init=False)

    def __post_init__(self) -> None:
        at_least("every", self.every, 1)
        above("factor", self.factor, 0)
        at_least("warmup", self.warmup, 0)


@dataclass(frozen=True)
class Plateau:
    """The rate times `factor` once the watched error has not improved for `patience` epochs."""

    patience: int = 10
    factor: float = 0.1
    warmup: float = 0.0
    name: str = field(default="plateau", init=False)

    def __post_init__(self) -> None:
        at_least("patience", self.patience, 0)
        above("factor", self.factor, 0)
        at_least("warmup", self.warmup, 0)


@dataclass(frozen=True)
class CosineRestarts:
    """Half a cosine from the rate down to `floor` of it, every batch, then again (Loshchilov and Hutter 2017).

    Parameters
    ----------
    period : epochs of the first half cosine.
    growth : each period is this many times the one before.
    floor : lowest rate, as a share of the optimiser's.
    warmup : epochs of linear rise before the first period.
    """

    period: float = 2.0
    growth: float = 1.0
    floor: float = 0.0
    warmup: float = 0.0
    name: str = field(default="cosine-restarts", init=False)

    def __post_init__(self) -> None:
        above("period", self.period, 0)
        at_least("growth", self.growth, 1)
        fraction("floor", self.floor)
        at_least("warmup", self.warmup, 0)


Optimizer: TypeAlias = SGD | Adam | AdamW | Adagrad | LazyAdam
Schedule: TypeAlias = Constant | OneCycle | Step | Plateau | CosineRestarts

OPTIMIZERS = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "adagrad": Adagrad, "lazy-adam": LazyAdam}
SCHEDULES = {"constant": Constant, "one-cycle": OneCycle, "step": Step, "plateau": Plateau, "cosine-restarts": CosineRestarts}


def _check_rates(lr: float, weight_decay: float) -> None:
    above("lr", lr, 0)
    at_least("weight_decay", weight_decay, 0)


def _check_adam(optimizer: Adam | AdamW | LazyAdam) -> None:
    _check_rates(optimizer.lr, optimizer.weight_decay)
    object.__setattr__(optimizer, "betas", tuple(optimizer.betas))
    for beta in optimizer.betas:
        fraction("betas", beta)
    above("eps", optimizer.eps, 0)
