"""A learning rate from one short run in which it rises until the loss explodes (Smith 2015)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.models.base import Model
from likewise.models.networks.base import network_of
from likewise.shapes import Floats
from likewise.solvers.base import Run, check_fits_together
from likewise.solvers.gradient.device import borrowed, device_of
from likewise.solvers.gradient.loop import Training
from likewise.solvers.gradient.settings import Gradient

SMOOTHING = 0.9
EXPLODED = 4.0
"""The run ends once the smoothed loss is this many times its least."""


@dataclass(frozen=True, eq=False)
class RateCurve:
    """Losses at rising rates.

    Parameters
    ----------
    rates, losses : float32 [step]
        The loss is smoothed.
    suggestion : float
        Where the loss falls fastest on a logarithmic scale of rates.
    """

    rates: Floats
    losses: Floats
    suggestion: float

    def plot(self, ax: Any = None) -> Any:
        """The curve with the suggestion marked, on a Matplotlib axis; the axis comes back."""
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.figure(figsize=(5, 3.2), layout="constrained").add_subplot()
        ax.plot(self.rates, self.losses)
        ax.axvline(self.suggestion, linestyle="--", label=f"suggestion {self.suggestion:.2g}")
        ax.set(xscale="log", xlabel="learning rate", ylabel="training loss, smoothed")
        ax.legend(frameon=False)
        return ax

    def __repr__(self) -> str:
        return f"RateCurve({len(self.rates)} steps, suggestion {self.suggestion:.3g})"


def find_rate(
    model: Model, data: Dataset, solver: Gradient, run: Run | None = None, low: float = 1e-5, high: float = 10.0, steps: int = 100
) -> RateCurve:
    """Train for `steps` batches while the rate rises from `low` to `high`; nothing is kept of the weights.

    Raises InputError for low >= high or fewer than ten steps.
    """
    if not 0 < low < high:
        raise InputError(f"rates must rise from above 0: low < high; got low={low}, high={high}")
    if steps < 10:
        raise InputError(f"steps must be at least 10; got {steps}")
    run = run or Run()
    check_fits_together(model, solver)
    device = device_of(run.device)
    with borrowed(device, run.seed, run.threads):
        training = Training(network_of(model), model, data, run, solver, device)
        rates, losses = _rise(training, np.geomspace(low, high, steps))
    return RateCurve(rates, losses, _steepest(rates, losses))


def _rise(training: Training, rates: np.ndarray) -> tuple[Floats, Floats]:
    taken: list[float] = []
    smooth, average = [], 0.0
    batches = training.batches.epoch(training.generator)
    training.nets.train()
    for n, rate in enumerate(rates):
        batch = next(batches, None)
        if batch is None:
            batches = training.batches.epoch(training.generator)
            batch = next(batches)
        loss = float(training.step(batch, float(rate), None)[0])
        if not math.isfinite(loss):
            break
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        taken.append(rate)
        smooth.append(average / (1 - SMOOTHING ** (n + 1)))
        if smooth[-1] > EXPLODED * min(smooth) or not all(bool(p.isfinite().all()) for p in training.learning[:1]):
            break
    return np.asarray(taken, np.float32), np.asarray(smooth, np.float32)


def _steepest(rates: Floats, losses: Floats) -> float:
    """Where the loss falls fastest before its least; the first steps, whose average is of few batches, are left out."""
    if len(rates) < 3:
        return float(rates[0]) if len(rates) else math.nan
    end = max(int(losses.argmin()) + 1, 3)
    start = min(len(rates) // 10, end - 3)
    slopes = np.gradient(losses[start:end], np.log(rates[start:end]))
    return float(rates[start + int(slopes.argmin())])
