"""Batches: the training rows as tensors already on the device, put in a new order once an epoch, then sliced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from likewise.data.interactions import Interactions
from likewise.solvers.gradient.settings import Balance


@dataclass(frozen=True, eq=False)
class Batch:
    """Some training rows.

    Parameters
    ----------
    users, items : int64 [batch]
    target : float32 [batch]
    weight : float32 [batch] or None
    context : mapping of name to int64 [batch]
    """

    users: Tensor
    items: Tensor
    target: Tensor
    weight: Tensor | None
    context: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.users)

    def at(self, rows: Tensor | slice) -> Batch:
        """Some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return Batch(self.users[rows], self.items[rows], self.target[rows], weight, {n: c[rows] for n, c in self.context.items()})


def rows_of(data: Interactions, device: torch.device) -> Batch:
    """All rows of a table, on the device; without ratings each event is a one."""
    ratings = np.ones(len(data), np.float32) if data.ratings is None else data.ratings

    def whole(column: np.ndarray) -> Tensor:
        return torch.from_numpy(column.astype(np.int64)).to(device)

    def real(column: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(column, np.float32)).to(device)

    weight = None if data.weights is None else real(data.weights)
    return Batch(whole(data.users), whole(data.items), real(ratings), weight, {n: whole(c) for n, c in data.context.items()})


class Batches:
    """Yields an epoch of batches.

    Parameters
    ----------
    size : rows a batch
    balance : draws rows with replacement by how rare their user and item are; None takes each once.
    grouped : "user" or "item" keeps all rows of one in one batch, each batch filled up to about `size`.
    """

    def __init__(self, rows: Batch, size: int, balance: Balance | None, grouped: str | None) -> None:
        self.rows, self.size, self.place = rows, size, (0, 0)
        self.chance = None if balance is None else _cumulated(rows, balance)
        self.order: Tensor | None = None
        if grouped is not None:
            keys = rows.users if grouped == "user" else rows.items
            ordered, self.order = keys.sort(stable=True)
            _, self.counts = torch.unique_consecutive(ordered, return_counts=True)
            self.starts = self.counts.cumsum(0) - self.counts

    @property
    def between(self) -> bool:
        """Never: rows in memory have no places to stop at within an epoch; see `ShardBatches`."""
        return False

    def __len__(self) -> int:
        if self.order is None:
            return max(1, -(-len(self.rows) // self.size))
        return max(1, round(len(self.rows) / self.size))

    def epoch(self, generator: torch.Generator) -> Iterator[Batch]:
        """One pass over the rows in a new order."""
        if self.order is not None:
            yield from self._groups(self.order, generator)
            return
        shuffled = self.rows.at(self._shuffle(generator))
        for start in range(0, len(shuffled), self.size):
            yield shuffled.at(slice(start, start + self.size))

    def _shuffle(self, generator: torch.Generator) -> Tensor:
        n, device = len(self.rows), self.rows.users.device
        if self.chance is None:
            return torch.randperm(n, generator=generator, device=device)
        drawn = torch.rand(n, generator=generator, device=device, dtype=torch.float64) * self.chance[-1]
        return torch.searchsorted(self.chance, drawn, right=True).clamp_max(n - 1)

    def _groups(self, order: Tensor, generator: torch.Generator) -> Iterator[Batch]:
        shuffled = torch.randperm(len(self.counts), generator=generator, device=self.counts.device)
        ends = self.counts[shuffled].cumsum(0)
        number = len(self)
        edges = torch.searchsorted(ends, torch.arange(1, number, device=ends.device) * (len(self.rows) / number)).unique()  # type: ignore[no-untyped-call]
        for groups in torch.tensor_split(shuffled, edges.cpu()):
            if not len(groups):
                continue
            counts = self.counts[groups]
            shift = torch.repeat_interleave(self.starts[groups] - (counts.cumsum(0) - counts), counts)
            yield self.rows.at(order[torch.arange(len(shift), device=shift.device) + shift])


def shares_of(users: NDArray[np.integer], items: NDArray[np.integer], balance: Balance) -> NDArray[np.float64]:
    """How often each event is drawn, float64 [event], in sum one: n_user^-users * n_item^-items."""
    of_users, of_items = (np.bincount(rows)[rows].astype(np.float64) for rows in (users, items))
    chance: NDArray[np.float64] = of_users**-balance.users * of_items**-balance.items
    return np.asarray(chance / chance.sum(), np.float64)


def _cumulated(rows: Batch, balance: Balance) -> Tensor:
    shares = shares_of(rows.users.cpu().numpy(), rows.items.cpu().numpy(), balance)
    return torch.from_numpy(shares.cumsum()).to(rows.users.device)
