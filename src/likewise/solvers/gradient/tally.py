"""An epoch's sums: losses, squared errors and rows so far."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from likewise.solvers.gradient.batches import Batch


class Tally:
    """Sums kept on the device, where looking at them would make it wait."""

    def __init__(self, device: torch.device, so_far: Sequence[float] | None = None) -> None:
        total, squares, rows, answered, steps = so_far or (0.0, 0.0, 0, 0, 0)
        self.total, self.squares = torch.tensor(total, device=device), torch.tensor(squares, device=device)
        self.rows, self.answered, self.steps = int(rows), int(answered), int(steps)

    def add(self, loss: Tensor, batch: Batch, response: Tensor | None) -> None:
        """A step on a batch: its mean loss, and the responses of its rows where the loss has any."""
        self.total += loss * len(batch)
        self.rows += len(batch)
        self.steps += 1
        if response is not None:
            self.squares += (response.float() - batch.target).square().sum()
            self.answered += len(batch)

    def finite(self) -> bool:
        """Whether the losses are numbers still."""
        return math.isfinite(float(self.total))

    def figures(self, nets: int) -> tuple[float, float | None, int]:
        """(mean loss of one of so many networks, root mean squared error or None, rows)."""
        error = math.sqrt(float(self.squares) / self.answered) if self.answered else None
        return float(self.total) / self.rows / nets, error, self.rows

    @property
    def so_far(self) -> list[float]:
        """What a checkpoint keeps."""
        return [float(self.total), float(self.squares), self.rows, self.answered, self.steps]
