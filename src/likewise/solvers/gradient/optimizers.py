"""Optimisers at work: dense ones are torch's fused kernels, lazy ones touch only the table rows of the batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw

from likewise.models.networks.layers import Table
from likewise.solvers.gradient.steps import SGD, Adagrad, Adam, AdamW, LazyAdam, Optimizer


class Stepper(ABC):
    """Takes steps; its state is tensors by name."""

    @abstractmethod
    def step(self, rate: float, momentum: float | None) -> None:
        """One step at this learning rate; `momentum` overrules the optimiser's (Adam: beta 1)."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""

    @abstractmethod
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave."""


def stepper(settings: Optimizer, net: nn.Module) -> Stepper:
    """The optimiser that the settings ask for, over the parameters of `net` that learn; biases of dense layers do not decay.

    For the lazy ones the network's tables are switched to row gradients.
    """
    kept = _undecayed(net)
    learning = {name: p for name, p in net.named_parameters() if p.requires_grad}
    if not isinstance(settings, Adagrad | LazyAdam):
        return Dense(settings, learning, kept)
    rows = {}
    for name, layer in net.named_modules():
        if isinstance(layer, Table) and f"{name}.weight" in learning:
            layer.sparse = True
            rows[f"{name}.weight"] = learning.pop(f"{name}.weight")
    return Lazy(settings, rows, learning, kept)


class Dense(Stepper):
    """SGD, Adam and AdamW by torch's fused kernels.

    The kernels are called without torch's optimiser classes, whose first step imports the compiler: two seconds for nothing.
    """

    def __init__(self, settings: SGD | Adam | AdamW, learning: Mapping[str, nn.Parameter], undecayed: set[str]) -> None:
        self.settings, self.learning, self.undecayed = settings, dict(learning), undecayed
        moments = 1 if isinstance(settings, SGD) else 2
        self.moments = {name: tuple(torch.zeros_like(p) for _ in range(moments)) for name, p in learning.items()}
        self.counts = {name: torch.zeros((), device=p.device) for name, p in learning.items()}

    @torch.no_grad()
    def step(self, rate: float, momentum: float | None) -> None:
        moving = [name for name, p in self.learning.items() if p.grad is not None]
        for names, decay in (
            ([n for n in moving if n not in self.undecayed], self.settings.weight_decay),
            ([n for n in moving if n in self.undecayed], 0.0),
        ):
            if names and isinstance(self.settings, SGD):
                self._descend(self.settings, names, decay, rate, momentum)
            elif names and isinstance(self.settings, Adam | AdamW):
                self._adam(self.settings, names, decay, rate, momentum)

    def _descend(self, settings: SGD, names: list[str], decay: float, rate: float, momentum: float | None) -> None:
        share = settings.momentum if momentum is None or not settings.momentum else momentum
        for name in names:
            p, (velocity,) = self.learning[name], self.moments[name]
            if decay:
                p.mul_(1 - rate * decay)
            if p.grad is not None:
                p.add_(velocity.mul_(share).add_(p.grad) if share else p.grad, alpha=-rate)

    def _adam(self, settings: Adam | AdamW, names: list[str], decay: float, rate: float, momentum: float | None) -> None:
        (adamw if isinstance(settings, AdamW) else adam)(
            [self.learning[n] for n in names],
            [g for n in names if (g := self.learning[n].grad) is not None],
            [self.moments[n][0] for n in names],
            [self.moments[n][1] for n in names],
            [],
            [self.counts[n] for n in names],
            fused=True,
            amsgrad=False,
            beta1=settings.betas[0] if momentum is None else momentum,
            beta2=settings.betas[1],
            lr=rate,
            weight_decay=decay,
            eps=settings.eps,
            maximize=False,
        )

    def state(self) -> dict[str, Tensor]:
        moments = {f"{name}:{n}": moment for name, each in self.moments.items() for n, moment in enumerate(each)}
        return moments | {f"{name}:count": count for name, count in self.counts.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for name, moments in self.moments.items():
            self.counts[name].copy_(state[f"{name}:count"])
            for n, moment in enumerate(moments):
                moment.copy_(state[f"{name}:{n}"])


class Lazy(Stepper):
    """Row-wise Adagrad or lazy Adam for tables, their ordinary forms for everything else.

    A table's gradient comes as rows and values. Only those rows, and their moments, are read and written: the cost of a step
    follows the batch.
    """

    def __init__(
        self, settings: Adagrad | LazyAdam, rows: Mapping[str, nn.Parameter], others: Mapping[str, nn.Parameter], undecayed: set[str]
    ) -> None:
        self.settings, self.rows = settings, dict(rows)
        self.steps = 0
        self.others: Stepper | None = None
        if others and isinstance(settings, LazyAdam):
            plain = AdamW(settings.lr, settings.weight_decay, settings.betas, settings.eps)
            self.others = Dense(plain, others, undecayed)
        elif others and isinstance(settings, Adagrad):
            self.others = _Adagrad(settings, others, undecayed)
        self.moments = {name: self._fresh(p) for name, p in self.rows.items()}

    def _fresh(self, p: Tensor) -> Tensor:
        """Adagrad's sums [row], or Adam's two moments side by side [row, 2, column], so that a step finds both in one place."""
        shape = (len(p),) if isinstance(self.settings, Adagrad) else (len(p), 2, p.shape[1])
        # filled by hand: `zeros` leaves pages to be found at first touch, which costs each early step more than the step itself
        return torch.empty(shape, device=p.device).fill_(0)

    @torch.no_grad()
    def step(self, rate: float, momentum: float | None) -> None:
        self.steps += 1
        for name, p in self.rows.items():
            if p.grad is None:
                continue
            rows, slope = _summed(p.grad)
            if isinstance(self.settings, Adagrad):
                change = self._adagrad(self.moments[name], rows, slope)
            else:
                change = self._adam(self.settings, self.moments[name], rows, slope, momentum)
            current = p.index_select(0, rows)
            p.index_copy_(0, rows, current * (1 - rate * self.settings.weight_decay) - rate * change)
        if self.others is not None:
            self.others.step(rate, momentum)

    def _adagrad(self, total: Tensor, rows: Tensor, slope: Tensor) -> Tensor:
        grown = total.index_select(0, rows) + slope.square().mean(1)
        total.index_copy_(0, rows, grown)
        return slope / (grown.sqrt() + self.settings.eps)[:, None]

    def _adam(self, settings: LazyAdam, moments: Tensor, rows: Tensor, slope: Tensor, momentum: float | None) -> Tensor:
        beta1, beta2 = settings.betas if momentum is None else (momentum, settings.betas[1])
        both = moments.index_select(0, rows)
        m, v = both[:, 0].lerp_(slope, 1 - beta1), both[:, 1].lerp_(slope.square(), 1 - beta2)
        moments.index_copy_(0, rows, both)
        # bias correction counts all steps, as in TensorFlow's LazyAdam
        return m / (1 - beta1**self.steps) / ((v / (1 - beta2**self.steps)).sqrt_() + settings.eps)

    def state(self) -> dict[str, Tensor]:
        rows = {f"rows/{name}": moments for name, moments in self.moments.items()}
        others = {} if self.others is None else {f"others/{name}": value for name, value in self.others.state().items()}
        return {**rows, **others, "steps": torch.tensor([self.steps])}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.steps = int(state["steps"])
        for name, moments in self.moments.items():
            moments.copy_(state[f"rows/{name}"])
        if self.others is not None:
            self.others.restore({name[7:]: value for name, value in state.items() if name.startswith("others/")})


class _Adagrad(Stepper):
    """Adagrad for the few tensors that are not tables."""

    def __init__(self, settings: Adagrad, learning: Mapping[str, nn.Parameter], undecayed: set[str]) -> None:
        self.settings, self.learning, self.undecayed = settings, dict(learning), undecayed
        self.totals = {name: torch.zeros_like(p) for name, p in learning.items()}

    @torch.no_grad()
    def step(self, rate: float, momentum: float | None) -> None:
        for name, p in self.learning.items():
            if p.grad is None:
                continue
            self.totals[name].addcmul_(p.grad, p.grad)
            if name not in self.undecayed:
                p.mul_(1 - rate * self.settings.weight_decay)
            p.addcdiv_(p.grad, self.totals[name].sqrt().add_(self.settings.eps), value=-rate)

    def state(self) -> dict[str, Tensor]:
        return self.totals

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for name, total in self.totals.items():
            total.copy_(state[name])


def _summed(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Distinct rows, and the gradient of each, of a row gradient; a dense one has every row."""
    if not gradient.is_sparse:
        return torch.arange(len(gradient), device=gradient.device), gradient
    rows, values = gradient._indices()[0], gradient._values()
    distinct, place = torch.unique(rows, return_inverse=True)
    return distinct, torch.zeros(len(distinct), values.shape[1], device=values.device).index_add_(0, place, values)


def _undecayed(net: nn.Module) -> set[str]:
    """Names of the biases of dense layers, of norms and of the level heads."""
    tables = {f"{name}.weight" for name, layer in net.named_modules() if isinstance(layer, Table)}
    return {name for name, p in net.named_parameters() if name not in tables and p.ndim < 2}
