"""Items that a user has not rated, drawn on the device in O(batch) memory; never one of the user's own.

Uniform ones are exact without rejection. A user's items p_0 < p_1 < ... leave `p_j - j` unseen items below p_j, so the r-th unseen
item is r + j for the number j of items with p_j - j <= r: one binary search in one sorted array for the whole batch, equally fast
for users who liked nearly everything. Other samplers propose, reject by binary search, and fall back on uniform.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from likewise.data.interactions import Interactions
from likewise.solvers.gradient.settings import Negatives

ROUNDS = 8
"""Proposals of a sampler that rejects before it falls back on uniform."""


class Unseen:
    """Who has not rated what: draws and checks by binary search.

    Memory: two int64 arrays of one entry a distinct pair, and one of one entry a user.
    """

    def __init__(self, data: Interactions, device: torch.device) -> None:
        users = torch.from_numpy(data.users.astype(np.int64))
        items = torch.from_numpy(data.items.astype(np.int64))
        self.n_items = data.n_items
        keys = torch.unique(users * data.n_items + items)
        owner = keys // data.n_items
        starts = torch.searchsorted(owner, torch.arange(data.n_users + 1))
        place = torch.arange(len(keys)) - starts[owner]
        # the number of unseen items below each of a user's own, made globally sorted by the user's row
        self._gaps = (owner * (data.n_items + 1) + keys % data.n_items - place).to(device)
        self._keys, self._starts = keys.to(device), starts.to(device)

    def draw(self, users: Tensor, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(items [batch, number], there [batch, number]); a user who rated everything has none, and `there` is False."""
        start = self._starts[users]
        left = self.n_items - (self._starts[users + 1] - start)
        chance = torch.rand(len(users), number, generator=generator, device=users.device, dtype=torch.float64)
        rank = torch.minimum((chance * left[:, None]).long(), (left - 1).clamp_min(0)[:, None])
        below = torch.searchsorted(self._gaps, users[:, None] * (self.n_items + 1) + rank, right=True) - start[:, None]
        there = (left > 0)[:, None].expand_as(rank)
        return (rank + below).clamp_max(self.n_items - 1), there

    def seen(self, users: Tensor, items: Tensor) -> Tensor:
        """Whether each user has rated the item beside it."""
        if not len(self._keys):
            return torch.zeros_like(items, dtype=torch.bool)
        key = users * self.n_items + items
        place = torch.searchsorted(self._keys, key).clamp_max(len(self._keys) - 1)
        found: Tensor = self._keys[place] == key
        return found


class Sampler:
    """Negatives as the settings ask for them.

    Parameters
    ----------
    score : callable or None
        (users [n], items [n]) -> scores [n] without gradient, for hard negatives.
    """

    def __init__(
        self, settings: Negatives, data: Interactions, device: torch.device, score: Callable[[Tensor, Tensor], Tensor] | None = None
    ) -> None:
        self.settings, self.score = settings, score
        self.unseen = Unseen(data, device)
        counts = torch.from_numpy(np.bincount(data.items, minlength=data.n_items).astype(np.float64)).to(device)
        alpha = settings.alpha if settings.how == "popularity" else 1.0 if settings.how == "in-batch" else 0.0
        strength = counts.clamp_min(1e-9) ** alpha if alpha else torch.ones_like(counts)
        self._cumulated = torch.cumsum(strength / strength.sum(), 0)
        self.log_chance = torch.log(strength / strength.sum()).float()

    @property
    def number(self) -> int:
        """Negatives drawn beside each row, at least one."""
        return max(1, int(self.settings.ratio))

    def draw(self, users: Tensor, items: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(negatives [batch, number], there [batch, number]) for a batch of positives."""
        if self.settings.how == "uniform":
            return self.unseen.draw(users, self.number, generator)
        if self.settings.how == "hard":
            return self._hard(users, generator)
        return self._rejecting(users, items, generator)

    def _rejecting(self, users: Tensor, items: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        beside = users[:, None].expand(-1, self.number)
        drawn = self._propose(beside, items, generator)
        bad = self.unseen.seen(beside, drawn)
        for _ in range(ROUNDS - 1):
            drawn = torch.where(bad, self._propose(beside, items, generator), drawn)
            bad = self.unseen.seen(beside, drawn)
        exact, there = self.unseen.draw(users, self.number, generator)
        return torch.where(bad, exact, drawn), there

    def _propose(self, beside: Tensor, items: Tensor, generator: torch.Generator) -> Tensor:
        chance = torch.rand(beside.shape, generator=generator, device=beside.device, dtype=torch.float64)
        if self.settings.how == "in-batch":
            return items[(chance * len(items)).long().clamp_max(len(items) - 1)]
        return torch.searchsorted(self._cumulated, chance).clamp_max(len(self._cumulated) - 1)

    def _hard(self, users: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        pool, number = self.settings.pool, self.number
        drawn, there = self.unseen.draw(users, pool * number, generator)
        if self.score is None:
            return drawn[:, :number], there[:, :number]
        with torch.no_grad():
            scores = self.score(users.repeat_interleave(pool * number), drawn.reshape(-1)).reshape(len(users), number, pool)
        best = scores.argmax(-1, keepdim=True)
        return drawn.reshape(len(users), number, pool).gather(-1, best)[..., 0], there[:, :number]
