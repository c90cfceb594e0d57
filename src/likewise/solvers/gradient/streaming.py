"""Batches for the loop from shards on disk: a shard at a time on the device, in a new order, the next one being read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from likewise.data.dataset import Dataset
from likewise.data.shards.shards import Columns, Shards
from likewise.errors import InputError
from likewise.models.base import Model
from likewise.solvers.gradient.batches import Batch
from likewise.solvers.gradient.settings import Gradient

MODELS = ("dot", "mlp", "neumf", "two-tower", "dlrm")
"""Those that look nothing up but the rows of an event."""


class ShardBatches:
    """What `Batches` is to rows in memory.

    Shards come in a new order each epoch and so do the rows of each; a shard's last batch may be short. Since every row was thrown
    into its shard at random, one epoch's order is as good as a shuffle of everything; from one to the next a shard's rows stay together.

    Attributes
    ----------
    place : (int, int)
        What this epoch's order was drawn by, and how many shards of it were handed out whole; set it to go on from there.
    between : bool
        Whether the batch handed out last ended a shard, with more of the epoch left.
    """

    def __init__(self, data: Shards, size: int, device: torch.device, likes: bool) -> None:
        self.data, self.size, self.device, self.likes = data, size, device, likes
        self.steps = [-(-int(entry[data.part]["rows"]) // size) for entry in data.manifest["shards"]]
        self.place, self.between = (0, 0), False

    def __len__(self) -> int:
        return sum(self.steps)

    def epoch(self, generator: torch.Generator) -> Iterator[Batch]:
        """One pass over all rows; one that was left off goes on at `done`."""
        seed, done = self.place
        if not done:
            seed = int(torch.randint(1 << 62, (1,), generator=generator, device=generator.device))
        order = np.random.default_rng(seed).permutation(len(self.steps))[done:]
        for before, (number, columns) in enumerate(zip(order, self.data.each(order), strict=True), done):
            rows = self._batch(columns, np.random.default_rng([seed, int(number)]).permutation(len(columns)))
            for start in range(0, len(rows), self.size):
                last = start + self.size >= len(rows)
                done = before + last
                self.place, self.between = (seed, done % len(self.steps)), last and done < len(self.steps)
                yield rows.at(slice(start, start + self.size))
        self.place = seed, 0  # said again, since a shard without rows hands nothing out

    def _batch(self, columns: Columns, order: NDArray[np.int64]) -> Batch:
        def put(column: NDArray[np.generic]) -> torch.Tensor:
            return torch.from_numpy(column[order]).to(self.device)

        likes = self.likes or columns.ratings is None
        target = torch.ones(len(columns), device=self.device) if likes or columns.ratings is None else put(columns.ratings)
        weight = None if columns.weights is None else put(columns.weights)
        return Batch(put(columns.users).long(), put(columns.items).long(), target, weight, {})


def check_streams(model: Model, solver: Gradient) -> None:
    """Refuse what needs all events at once."""
    resident = "fit the files they were prepared from, which takes memory"
    if model.name not in MODELS:
        name = type(model).__name__
        raise InputError(f"{name} reads whole histories; from shards only {', '.join(MODELS)} learn: {resident}")
    if solver.balance is not None:
        raise InputError(f"balance draws from all events at once, and they stay on disk: {resident}, or leave it out")
    if solver.negatives is not None or solver.loss.ranks or solver.loss.name in ("softmax", "bce"):
        asked = f"loss {solver.loss.name!r} looks up what each user has had, which stays on disk"
        raise InputError(f"{asked}: take engine='one-pass' with 'bpr' or 'bce', SGD or Adagrad")


def shares_on_disk(data: Shards, kept: Dataset) -> NDArray[np.float64]:
    """How often each event kept stands for one of its user's, so that rows are held by how often they really occur; sums to one."""
    here = np.bincount(kept.interactions.users, minlength=data.n_users)
    shares = (data.counts[0] / np.maximum(here, 1))[kept.interactions.users]
    return np.asarray(shares / shares.sum(), np.float64)
