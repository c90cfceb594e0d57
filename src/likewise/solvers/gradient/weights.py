"""Weights as a whole: copies to go back to, and running averages to answer from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from likewise.solvers.gradient.settings import Averaging

Weights = dict[str, Tensor]


def copy_of(net: nn.Module) -> Weights:
    """A copy of every parameter and buffer."""
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


@torch.no_grad()
def put_back(net: nn.Module, weights: Weights) -> None:
    """Write a copy into the network."""
    for name, tensor in net.state_dict().items():
        tensor.copy_(weights[name])


class RunningAverage:
    """EMA of every batch, or SWA of every epoch (Izmailov et al. 2018), as the settings ask; neither keeps nothing."""

    def __init__(self, settings: Averaging, net: nn.Module) -> None:
        self.settings, self.net = settings, net
        self.weights: Weights | None = copy_of(net) if settings.ema else None
        self.count = 0

    @torch.no_grad()
    def after_step(self) -> None:
        """Take a batch's weights in."""
        if self.settings.ema and self.weights is not None:
            self.count += 1
            share = max(1 - self.settings.ema, 1 / (self.count + 1))  # the start counts no more than one batch
            self._move(self.weights, share)

    @torch.no_grad()
    def after_epoch(self, progress: float) -> None:
        """Take an epoch's weights in, `progress` of the run being done."""
        if progress <= self.settings.swa or self.settings.swa >= 1:
            return
        self.count += 1
        if self.weights is None:
            self.weights = copy_of(self.net)
        else:
            self._move(self.weights, 1 / self.count)

    def _move(self, weights: Weights, share: float) -> None:
        for name, tensor in self.net.state_dict().items():
            if tensor.is_floating_point():
                weights[name].lerp_(tensor, share)
            else:
                weights[name].copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The averages in the network's place, and back."""
        if self.weights is None:
            yield
            return
        own = copy_of(self.net)
        put_back(self.net, self.weights)
        try:
            yield
        finally:
            put_back(self.net, own)
