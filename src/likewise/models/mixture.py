"""Several representations of the same people, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likewise.data.interactions import Histories


@dataclass(frozen=True, eq=False)
class Mixture:
    """What each of several models makes of a batch of people.

    Parameters
    ----------
    parts : tuple of vectors [batch, ...] or Histories [batch]
        One a model, rows in the same order.
    """

    parts: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, rows: NDArray[np.integer] | slice) -> Mixture:
        """The people named, in that order."""
        places = np.arange(len(self), dtype=np.int32)[rows]
        return Mixture(tuple(part.take(places) if isinstance(part, Histories) else part[places] for part in self.parts))
