"""Learning rate and momentum at each point of training: pure functions of the epoch, as a fraction."""

from __future__ import annotations

import math

from likewise.solvers.gradient.steps import CosineRestarts, OneCycle, Schedule, Step


def rate(schedule: Schedule, epoch: float, epochs: int) -> float:
    """What the optimiser's rate is multiplied with, `epoch` epochs into `epochs`.

    A plateau's own drops come from the loop, which sees the error; here it only warms up.

    >>> [round(rate(OneCycle(), e, 4), 3) for e in (0, 0.5, 1, 2.5, 4)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """
    if isinstance(schedule, OneCycle):
        return _two_arcs(epoch / epochs, schedule.rise, 1 / schedule.start, 1.0, 1 / schedule.end)
    warm = min(1.0, epoch / schedule.warmup) if schedule.warmup else 1.0
    if isinstance(schedule, Step):
        return warm * schedule.factor ** (int(epoch) // schedule.every)
    if isinstance(schedule, CosineRestarts):
        return warm * _restarts(schedule, max(0.0, epoch - schedule.warmup))
    return warm


def momentum(schedule: Schedule, epoch: float, epochs: int) -> float | None:
    """The momentum (Adam: beta 1) that the schedule asks for, or None where it leaves that alone."""
    if not isinstance(schedule, OneCycle) or schedule.momentum is None:
        return None
    ends, peak = schedule.momentum
    return _two_arcs(epoch / epochs, schedule.rise, ends, peak, ends)


def _two_arcs(share: float, rise: float, start: float, top: float, end: float) -> float:
    """Half a cosine from start to top over `rise`, then half a cosine to the end (fastai's one-cycle)."""
    if share < rise:
        return _arc(start, top, share / rise)
    return _arc(top, end, (share - rise) / (1 - rise))


def _arc(start: float, end: float, share: float) -> float:
    return start + (end - start) * (1 - math.cos(math.pi * min(max(share, 0.0), 1.0))) / 2


def _restarts(schedule: CosineRestarts, epoch: float) -> float:
    period = schedule.period
    while epoch >= period:
        epoch -= period
        period *= schedule.growth
    return _arc(1.0, schedule.floor, epoch / period)
