"""Events that count less as they age."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.shapes import NO_TIME, Floats, Times

DAY = 86_400.0


def recency(times: Times | None, half_life: float | None) -> Floats | None:
    """Weights that halve every `half_life` days before the newest time; one where the time is missing; None for no decay."""
    if half_life is None or times is None or not len(times):
        return None
    if not half_life > 0:
        raise InputError(f"half_life must be a positive number of days; got {half_life}")
    when = times != NO_TIME
    if not when.any():
        raise InputError("half_life needs times and none of the events has one")
    age = np.where(when, times[when].max() - times, 0) / DAY
    return np.asarray(np.exp2(-age / half_life), np.float32)


def aged(histories: Histories, half_life: float | None) -> Histories:
    """The same histories, each entry's weight halved every `half_life` days before the newest."""
    weights = recency(histories.times, half_life)
    if weights is None:
        return histories
    return replace(histories, weights=weights if histories.weights is None else histories.weights * weights)
