"""A network at work: the layers its settings asked for, and its equation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from likewise.errors import InputError
from likewise.models.link import Link
from likewise.models.networks.base import Facts, Network
from likewise.models.networks.layers import Table
from likewise.shapes import Floats


class Net(nn.Module):
    """The torch module of a `Network`: persons, items, and the score that joins them.

    Scores are before the link. `mean` is added to each; with rating levels a `LevelHead` follows.
    """

    def __init__(self, settings: Network, facts: Facts) -> None:
        super().__init__()
        self.settings, self.link, self.mean = settings, facts.link, facts.mean
        widths = settings.widths(facts)
        for name, layer in {**settings.tables(facts), **settings.head(widths, facts.contexts)}.items():
            self.add_module(name, layer)
        self.cosine = facts.cosine
        self.level_head = None if facts.levels is None else LevelHead(facts.levels, facts.level_kind)

    def person(self, users: Tensor) -> Tensor:
        """Representations [batch, a] of user rows."""
        return self.settings.person(self, users)

    def item(self, items: Tensor) -> Tensor:
        """Representations [batch, b] of item rows."""
        return self.settings.item(self, items)

    def join(self, person: Tensor, item: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        """Scores of persons and items with the same leading axes."""
        if self.cosine:
            left, right = self.directions(person, item)
            return (left * right).sum(-1)
        score = self.settings.score(self, person, item, context)
        return score + self.mean if self.mean else score

    def forward(self, users: Tensor, items: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        """Scores [batch] of pairs of rows."""
        return self.join(self.person(users), self.item(items), context)

    def response(self, score: Tensor) -> Tensor:
        """Ratings or chances of scores, clipped ones left as they are."""
        return respond(self.link, score) if self.level_head is None else self.level_head.chances(score) @ self.level_head.levels

    def grid(self, person: Tensor, item: Tensor) -> Tensor:
        """Scores [batch, n] of each person [batch, a] with each item [n, b], in their default context."""
        if self.cosine:
            left, right = self.directions(person, item)
            return left @ right.T
        if (pair := self.settings.vectors(person, item)) is not None:
            return pair[0] @ pair[1].T + self.mean
        shape = (len(person), len(item))
        people = person[:, None].expand(*shape, -1)
        items = item[None].expand(*shape, -1)
        return self.join(people, items, {})

    def directions(self, person: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        """Both sides as vectors of length one.

        Raises InputError where the score is no dot product.
        """
        pair = self.settings.vectors(person, item)
        if pair is None:
            name = type(self.settings).__name__
            raise InputError(f"loss 'contrastive' compares directions and needs a dot product; {name} has none: use 'bpr'")
        return nn.functional.normalize(pair[0], dim=-1), nn.functional.normalize(pair[1], dim=-1)

    def held(self) -> Iterator[Table]:
        """Tables that penalties by occurrence hold."""
        for layer in self.modules():
            if isinstance(layer, Table) and layer.seen is not None:
                yield layer

    @torch.no_grad()
    def everyone(self, side: str, rows: int, block: int = 4096) -> Floats:
        """Representations of every row of a side, float32 [row, width], without dropout."""
        self.eval()
        step = self.person if side == "user" else self.item
        device = next(self.parameters()).device
        blocks = [torch.arange(start, min(start + block, rows), device=device) for start in range(0, rows, block)]
        parts = [step(some).float().cpu().numpy() for some in blocks]
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


class LevelHead(nn.Module):
    """From a score to chances of rating levels.

    Ordinal: P(rating > level l) = sigmoid(score - cut_l), cuts rising (McCullagh 1980).
    Categorical: P(level l) ~ exp(slope_l * score + offset_l), slopes rising by one a level at the start (Anderson 1984).
    """

    levels: Tensor

    def __init__(self, levels: Floats, kind: str) -> None:
        super().__init__()
        self.kind, n = kind, len(levels)
        self.register_buffer("levels", torch.from_numpy(np.asarray(levels, np.float32)))
        middles = torch.from_numpy(((levels[1:] + levels[:-1]) / 2).astype(np.float32))
        self.first = nn.Parameter(middles[:1].clone())
        self.gaps = nn.Parameter(torch.log(torch.expm1(middles.diff().clamp_min(1e-3))))
        self.slopes = nn.Parameter(torch.arange(n, dtype=torch.float32) - (n - 1) / 2)
        self.offsets = nn.Parameter(-(torch.arange(n, dtype=torch.float32) ** 2) / 2)

    @property
    def cuts(self) -> Tensor:
        """Rising cut points [level - 1]."""
        return torch.cat([self.first, self.first + nn.functional.softplus(self.gaps).cumsum(0)])

    def logits(self, score: Tensor) -> Tensor:
        """Categorical logits [batch, level]."""
        return score[..., None] * self.slopes + self.offsets

    def chances(self, score: Tensor) -> Tensor:
        """Chances [..., level]."""
        if self.kind == "categorical":
            return self.logits(score).softmax(-1)
        above = torch.sigmoid(score[..., None] - self.cuts)
        ends = above.new_ones(*score.shape, 1)
        return torch.cat([ends, above], -1) - torch.cat([above, ends - 1], -1)


def respond(link: Link, score: Tensor) -> Tensor:
    """`link.respond` for training: a clipped output is trained before the clip, so that it keeps its gradient."""
    if link.kind == "sigmoid":
        return link.low + (link.high - link.low) * torch.sigmoid(score)
    return torch.sigmoid(score) if link.kind == "logistic" else score
