"""Figures on held-out rows, each rank scoring its part."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from likewise.data.dataset import Dataset
from likewise.data.interactions import Interactions
from likewise.data.shards.shards import Shards
from likewise.models.networks.net import Net
from likewise.solvers.gradient.batches import Batch, rows_of
from likewise.solvers.gradient.supply import watched
from likewise.solvers.sharded.ranking import ranked
from likewise.solvers.sharded.ranks import Rank

BLOCK = 65_536
"""Rows scored at once."""
K = 10


@dataclass(frozen=True)
class Measuring:
    """Held-out rows over the training vocabularies.

    Parameters
    ----------
    likes : the loss learns likes, so lists are measured and not ratings.
    """

    net: Net
    events: Interactions
    rows: Interactions
    rank: Rank
    likes: bool

    @classmethod
    def of(cls, net: Net, valid: Dataset | Shards | None, data: Dataset | Shards, rank: Rank, likes: bool) -> Measuring | None:
        """None where there is nothing to watch."""
        if valid is None:
            return None
        rows, train = watched(data, valid, likes)
        return cls(net, train, rows, rank, likes) if len(rows) else None

    def figures(self) -> dict[str, float]:
        """What an epoch's event tells: `valid_rmse` and `valid_mae`, or `valid_ndcg@10`."""
        if self.likes:
            return {f"valid_ndcg@{K}": self._ndcg()}
        squares, errors = misses(self.net, rows_of(self.rows, self.rank.device), self.rank)
        return {"valid_rmse": math.sqrt(squares / len(self.rows)), "valid_mae": errors / len(self.rows)}

    def _ndcg(self) -> float:
        """Mean NDCG of the users with held-out rows: binary relevance, the whole catalogue less what they had."""
        users = np.unique(self.rows.users)
        lists = ranked(self.net, users, K, self.events.by_user.csr(self.events.n_items), self.events.n_items, self.rank)
        held = self.rows.by_user.take(users)
        keys = np.repeat(np.arange(len(users)), held.counts) * self.events.n_items + held.rows
        places = np.arange(len(users))[:, None] * self.events.n_items + lists.items
        hits = np.isin(places, keys) & (lists.items >= 0)
        gain = 1 / np.log2(np.arange(2, lists.items.shape[1] + 2))
        relevant = np.array([len(np.unique(rows)) for rows in np.split(held.rows, held.indptr[1:-1])])
        ideal = np.cumsum(gain)[np.minimum(relevant, len(gain)) - 1]
        return float(((hits * gain).sum(1) / ideal).mean())


@torch.no_grad()
def misses(net: Net, rows: Batch, rank: Rank) -> tuple[float, float]:
    """(sum of squared errors, sum of absolute errors) of all the rows, each rank scoring its part."""
    sums = torch.zeros(2, dtype=torch.float64)
    for low, high in rank.blocks(len(rows), BLOCK):
        some = rows.at(slice(low, high)) if low < high else rows.at(slice(0, 1))
        missed = _responses(net, some) - some.target
        if low < high:
            sums += torch.stack([missed.square().sum(dtype=torch.float64), missed.abs().sum(dtype=torch.float64)]).cpu()
    squares, errors = rank.summed(sums).tolist()
    return squares, errors


def sample_of(events: Interactions, size: int) -> Interactions:
    """So many events, evenly spread."""
    places = np.linspace(0, len(events) - 1, min(len(events), size)).astype(np.int64)
    return events.select(places)


def _responses(net: Net, rows: Batch) -> Tensor:
    answer = net.response(net(rows.users, rows.items, rows.context))
    return answer.clamp(net.link.low, net.link.high) if net.link.kind == "clip" else answer
