"""Full ranking over ranks: each ranks the items it holds, and the lists are merged into those of one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from likewise.data.csr import CSR
from likewise.models.base import Side
from likewise.models.networks.net import Net
from likewise.ranking.topk import TopK, top_k_scores
from likewise.shapes import Floats, Rows
from likewise.solvers.sharded.ranks import Rank

CELLS = 1 << 22
"""Scores made at once."""
BLOCK = 8_192
"""Rows looked up at once."""


@torch.no_grad()
def ranked(net: Net, users: Rows, k: int, exclude: CSR | None, n_items: int, rank: Rank) -> TopK:
    """The k best items of each of these users, the same lists on every rank; every rank must ask for the same users.

    Parameters
    ----------
    exclude : CSR [user, item] over all users, what each must not get; None leaves nothing out.
    """
    net.eval()
    first, last = rank.part(n_items)
    things = [block for _, block in own_rows(net, "item", n_items, rank)]
    own = torch.cat(things) if things else torch.zeros(0, 1, device=rank.device)
    width = min(k, n_items)
    size = max(1, min(BLOCK, CELLS // max(1, -(-n_items // rank.size))))
    lists = []
    for start in range(0, len(users), size):
        some = users[start : start + size]
        person = net.person(torch.from_numpy(some.astype(np.int64)).to(rank.device))
        found = _own_lists(net, person, own, width, None if exclude is None else _within(exclude.take(some), first, last))
        lists.append(_merged(found, first, width, rank))
    empty = TopK(np.zeros((0, width), np.int32), np.zeros((0, width), np.float32), np.zeros(0, np.int64))
    if not lists:
        return empty
    return TopK(*(np.concatenate([getattr(part, name) for part in lists]) for name in ("items", "scores", "counts")))


@torch.no_grad()
def own_rows(
    net: Net, side: Side, rows: int, rank: Rank, look_up: Callable[[Tensor], Tensor] | None = None
) -> Iterator[tuple[int, Tensor]]:
    """(first row, representations [row, width]) of the rows that this rank speaks for, block by block.

    Every rank must go through all of them at the same time. `look_up` takes rows [batch]; None is what the network makes of them.
    """
    step = look_up or (net.person if side == "user" else net.item)
    for low, high in rank.blocks(rows, BLOCK):
        asked = torch.arange(low, max(high, low + 1), device=rank.device).clamp_max(rows - 1)
        found = step(asked).float()
        if low < high:
            yield low, found


def _own_lists(net: Net, person: Tensor, own: Tensor, width: int, exclude: CSR | None) -> TopK:
    """Lists over the items held here, `width` long, filled up with nothing."""
    if not len(own):
        return _padded(np.zeros((len(person), 0), np.int32), np.zeros((len(person), 0), np.float32), width)
    scores: Floats = net.grid(person, own).float().cpu().numpy()
    found = top_k_scores(scores, width, exclude)
    return _padded(found.items, found.scores, width)


def _padded(items: Rows, scores: Floats, width: int) -> TopK:
    rows, values = np.full((len(items), width), -1, np.int32), np.full((len(items), width), -np.inf, np.float32)
    rows[:, : items.shape[1]], values[:, : items.shape[1]] = items, scores
    return TopK(rows, values, (rows >= 0).sum(1))


def _merged(found: TopK, first: int, width: int, rank: Rank) -> TopK:
    """The best of every rank's lists; equal scores go to the lower row."""
    rows = np.where(found.items >= 0, found.items + first, np.int32(-1)).astype(np.int32)
    parts = [[torch.empty_like(torch.from_numpy(mine)) for _ in range(rank.size)] for mine in (rows, found.scores)]
    for box, mine in zip(parts, (rows, found.scores), strict=True):
        dist.all_gather(box, torch.from_numpy(np.ascontiguousarray(mine)))
    items, scores = (torch.cat(box, 1).numpy() for box in parts)
    order = np.lexsort((items, -scores), axis=1)[:, :width]
    best, values = np.take_along_axis(items, order, 1), np.take_along_axis(scores, order, 1)
    return TopK(best, values, (best >= 0).sum(1))


def _within(exclude: CSR, first: int, last: int) -> CSR:
    """The entries in [first, last), counted from `first`."""
    here = (exclude.columns >= first) & (exclude.columns < last)
    indptr = np.concatenate([[0], np.cumsum(here)])[exclude.indptr].astype(np.int64)
    return CSR(indptr, exclude.columns[here] - np.int32(first), None, last - first)
