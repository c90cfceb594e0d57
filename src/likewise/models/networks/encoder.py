"""A causal transformer over windows of events, without padding waste.

Windows lie behind one another, longest first, in one table [event, width]: every dense layer sees real events only. Attention alone
needs windows side by side; those of like length make a group that is padded to its longest, and whole windows need no padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LIKE = 0.8
"""Windows share a group if they are at least so long, compared with its longest."""


@dataclass(frozen=True, eq=False)
class Group:
    """Windows of like length that attend side by side.

    Parameters
    ----------
    rows : slice of the table
    shape : windows and places, as many as the longest has
    spread : int64 [window * place] or None
        The row that stands at each place, padding repeats a window's last; None where all are equally long.
    real : int64 [row] or None
        The place of each row.
    """

    rows: slice
    shape: tuple[int, int]
    spread: Tensor | None = None
    real: Tensor | None = None

    def attend(self, looked: Tensor, distances: Tensor) -> Tensor:
        """What each row of the group sees, [row, width].

        Parameters
        ----------
        looked : [row of the table, 3 * width], queries, keys and values.
        distances : [head, distance], what each distance adds to the logit of attention.
        """
        heads = len(distances)
        n, places = self.shape
        width = looked.shape[1] // 3
        inner = looked[self.rows] if self.spread is None else looked.index_select(0, self.spread)
        query, key, value = inner.reshape(n, places, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        apart = torch.arange(places, device=looked.device)
        apart = apart[:, None] - apart
        near = distances.index_select(1, apart.clamp_min(0).reshape(-1)).reshape(heads, places, places)
        near = near.masked_fill(apart < 0, -torch.inf).to(query.dtype)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=near[None])
        seen = seen.transpose(1, 2).reshape(n * places, width)
        return seen if self.real is None else seen.index_select(0, self.real)


def groups_of(lengths: Tensor) -> list[Group]:
    """Groups of windows that lie behind one another, of these lengths, falling."""
    found = []
    sizes, first, row = lengths.tolist(), 0, 0
    while first < len(sizes):
        longest, end = sizes[first], first
        while end < len(sizes) and sizes[end] >= LIKE * longest:
            end += 1
        found.append(_group(lengths[first:end], longest, row, sum(sizes[first:end])))
        first, row = end, row + sum(sizes[first:end])
    return found


def _group(lengths: Tensor, longest: int, row: int, events: int) -> Group:
    rows, shape = slice(row, row + events), (len(lengths), longest)
    if len(lengths) * longest == events:
        return Group(rows, shape)
    places = torch.arange(longest, device=lengths.device)
    starts = row + lengths.cumsum(0) - lengths
    spread = starts[:, None] + torch.minimum(places, lengths[:, None] - 1)
    return Group(rows, shape, spread.reshape(-1), (places < lengths[:, None]).reshape(-1).nonzero()[:, 0])


class Block(nn.Module):
    """x + attention(norm(x)), then x + dense(norm(x)) (the order of GPT-2); attention knows how far back it looks."""

    def __init__(self, width: int, heads: int, window: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.distances = nn.Parameter(torch.zeros(heads, window))
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.look, self.gather = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, groups: Sequence[Group]) -> Tensor:
        """[event, width] to the same; an event sees itself and what came before in its window."""
        looked = self.look(self.before(x))
        seen = torch.cat([group.attend(looked, self.distances) for group in groups])
        x = x + F.dropout(self.gather(seen), self.dropout, self.training)
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
        self.blocks = nn.ModuleList(Block(width, heads, window, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)

    def forward(self, vectors: Tensor, counts: Tensor) -> Tensor:
        """States before each event, [event, width], of whole histories side by side.

        Histories longer than the window are cut; while training each is cut elsewhere each time, so that no event always lacks what
        came before it.

        Parameters
        ----------
        vectors : [event, width], the item of each event.
        counts : int64 [person], events of each person, in the order of `vectors`.
        """
        firsts = counts.cumsum(0) - counts
        inputs = vectors.roll(1, 0).index_copy(0, firsts[counts > 0], self.start.expand(int((counts > 0).sum()), -1))
        skipped = torch.zeros_like(counts)
        if self.training:
            drawn = torch.randint(self.window, counts.shape, device=counts.device)
            skipped = torch.where(counts > self.window, drawn, skipped)
        place = torch.arange(len(vectors), device=vectors.device) - torch.repeat_interleave(firsts - skipped, counts)
        opens = place % self.window == 0
        opens[firsts[counts > 0]] = True
        return self._windows(inputs, opens)

    def last(self, vectors: Tensor, counts: Tensor) -> Tensor:
        """States [person, width] after the last `window` inputs of each person at most: the start, then their events."""
        kept = counts.clamp_max(self.window)
        grown = (counts + 1).clamp_max(self.window)
        stops = grown.cumsum(0)
        inner = torch.arange(int(kept.sum()), device=vectors.device)
        inner = inner + torch.repeat_interleave(counts.cumsum(0) - kept.cumsum(0), kept)
        inputs = self.start.expand(int(grown.sum()), -1).clone()
        opens = torch.zeros(len(inputs), dtype=torch.bool, device=vectors.device)
        opens[stops - grown] = True
        begun = torch.zeros_like(opens)
        begun[(stops - grown)[grown > kept]] = True
        inputs[~begun] = vectors[inner]
        return self._windows(inputs, opens)[stops - 1]

    def _windows(self, inputs: Tensor, opens: Tensor) -> Tensor:
        """States of inputs that lie window by window; `opens` marks the first of each."""
        if not len(inputs):
            return inputs
        starts = opens.nonzero()[:, 0]
        lengths = torch.diff(starts, append=torch.tensor([len(inputs)], device=inputs.device))
        lengths, longest_first = lengths.sort(descending=True, stable=True)
        shift = starts[longest_first] - (lengths.cumsum(0) - lengths)
        rows = torch.arange(len(inputs), device=inputs.device) + torch.repeat_interleave(shift, lengths)
        x = F.dropout(inputs.index_select(0, rows), self.dropout, self.training)
        groups = groups_of(lengths)
        for block in self.blocks:
            x = block(x, groups)
        back = torch.empty_like(rows)
        back[rows] = torch.arange(len(rows), device=rows.device)
        normed: Tensor = self.norm(x)
        return normed.index_select(0, back)
