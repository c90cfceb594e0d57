"""What was asked of a preparation, and the columns an encoded event has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from likewise.errors import InputError

Watch = Callable[[Mapping[str, Any]], object]
SplitBy = Literal["random", "time"]
COLUMNS = {"user": "<i4", "item": "<i4", "rating": "<f4", "weight": "<f4", "time": "<i8"}
"""An event's columns as they are kept; the last three where the source has them."""


@dataclass(frozen=True)
class Plan:
    """How rows are dealt and split.

    Parameters
    ----------
    shards : int
    side : int
        Blocks of users, and of items.
    columns : tuple of str
        Of `COLUMNS`.
    test : float
        Share of the events held out; 0 for none.
    by : "random" or "time"
    seed : int
    """

    shards: int
    side: int
    columns: tuple[str, ...]
    test: float
    by: SplitBy
    seed: int

    @property
    def record(self) -> np.dtype[Any]:
        """One encoded event."""
        return np.dtype([(name, COLUMNS[name]) for name in self.columns])

    def random(self, *place: int) -> np.random.Generator:
        """The generator of one part of the work; the same whatever else was done, and in whichever order."""
        return np.random.default_rng([self.seed, *place])


def check_split(test: float, by: str | None, timed: bool) -> SplitBy:
    """How to split; InputError for a share or a way that may not be."""
    if isinstance(test, bool) or not 0 <= test < 1:
        raise InputError(f"test must be a share in [0, 1) of the events; got {test!r}")
    if by not in (None, "random", "time"):
        raise InputError(f"by must be 'random' or 'time' where events stay on disk; got {by!r}: other splits need read(...)")
    if by == "time" and not timed:
        raise InputError("a split by time needs times, and the files have none: use by='random'")
    return "random" if by == "random" or (by is None and not timed) else "time"
