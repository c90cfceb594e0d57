"""A causal transformer over windows of events, without padding waste: windows of like length are padded to their own longest."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 8
"""Groups of windows by length; more groups waste less padding and make smaller products."""


class Block(nn.Module):
    """x + attention(norm(x)), then x + dense(norm(x)) (the order of GPT-2)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.look, self.gather = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[window, place, width] to the same; a place sees itself and what came before."""
        n, places, width = x.shape
        query, key, value = self.look(self.before(x)).reshape(n, places, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True, dropout_p=self.dropout if self.training else 0.0)
        x = x + F.dropout(self.gather(seen.transpose(1, 2).reshape(n, places, width)), self.dropout, self.training)
        wide = torch.relu(self.widen(self.after(x)))
        out: Tensor = x + F.dropout(self.narrow(wide), self.dropout, self.training)
        return out


class Encoder(nn.Module):
    """States of events: what is known of a person just before each next event.

    Parameters
    ----------
    width, blocks, heads, window, dropout : as in `Sequential`.
    """

    def __init__(self, width: int, blocks: int, heads: int, window: int, dropout: float) -> None:
        super().__init__()
        self.window, self.dropout = window, dropout
        self.start = nn.Parameter(torch.randn(width) * width**-0.5)
        self.places = nn.Parameter(torch.randn(window, width) * width**-0.5)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)

    def forward(self, vectors: Tensor, counts: Tensor) -> Tensor:
        """States before each event, [event, width], of whole histories side by side.

        Parameters
        ----------
        vectors : [event, width], the item of each event.
        counts : int64 [person], events of each person, in the order of `vectors`.
        """
        ends = counts.cumsum(0)
        firsts = torch.zeros(len(vectors), dtype=torch.bool, device=vectors.device)
        firsts[(ends - counts)[counts > 0]] = True
        before = torch.where(firsts[:, None], self.start, vectors.roll(1, 0))
        place = torch.arange(len(vectors), device=vectors.device) - torch.repeat_interleave(ends - counts, counts)
        return self._windows(before, place)

    def last(self, vectors: Tensor, counts: Tensor) -> Tensor:
        """States [person, width] after the last `window - 1` events of each person at most."""
        kept = counts.clamp_max(self.window - 1)
        ends = counts.cumsum(0)
        inner = torch.arange(int(kept.sum()), device=vectors.device)
        inner = inner - torch.repeat_interleave(kept.cumsum(0) - kept, kept) + torch.repeat_interleave(ends - kept, kept)
        grown = kept + 1
        stops = grown.cumsum(0)
        inputs = self.start.expand(int(stops[-1]) if len(stops) else 0, -1).clone()
        open_ = torch.ones(len(inputs), dtype=torch.bool, device=vectors.device)
        open_[stops - grown] = False
        inputs[open_] = vectors[inner]
        place = torch.arange(len(inputs), device=vectors.device) - torch.repeat_interleave(stops - grown, grown)
        return self._windows(inputs, place)[stops - 1]

    def _windows(self, inputs: Tensor, place: Tensor) -> Tensor:
        """States of inputs that lie person by person; each person's are cut into windows."""
        within = place % self.window
        starts = (within == 0).nonzero()[:, 0]
        lengths = torch.diff(starts, append=torch.tensor([len(inputs)], device=inputs.device))
        x = F.dropout(inputs + self.places[within], self.dropout, self.training)
        order = lengths.argsort(stable=True)
        parts, where = [], []
        for group in torch.tensor_split(order, min(GROUPS, max(len(order), 1))):
            if not len(group):
                continue
            longest = int(lengths[group].max())
            places = starts[group][:, None] + torch.arange(longest, device=x.device)
            real = torch.arange(longest, device=x.device) < lengths[group][:, None]
            states = x[places.clamp_max(len(x) - 1)]
            for block in self.blocks:
                states = block(states)
            parts.append(states[real])
            where.append(places[real])
        if not parts:
            return inputs
        back = torch.empty_like(torch.cat(where))
        back[torch.cat(where)] = torch.arange(len(back), device=x.device)
        states = torch.cat(parts)[back]
        normed: Tensor = self.norm(states)
        return normed
