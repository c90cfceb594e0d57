"""The order in which the one-pass kernel visits events: a grid of user blocks and item blocks.

Users are dealt into `side` blocks, items likewise. Stratum s holds the blocks (u, (u + s) mod side): no two of them share a user or
an item, so threads may learn them at once and the result is that of one thread (Gemulla et al. 2011). The grid depends on
the data and the seed, never on the number of threads; its blocks' rows fit the second level of cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from likewise.data.interactions import Interactions
from likewise.data.shards.cells import cell_order, deal
from likewise.shapes import Floats, Offsets, Rows

SMALL = 200_000
"""Events below which one block is faster than handing blocks to threads."""
CACHE = 1 << 20
"""Bytes of rows that a block may touch."""
MOST_BLOCKS = 32


@dataclass(frozen=True, eq=False)
class Grid:
    """Events in visiting order.

    Parameters
    ----------
    side : int
    starts : int64 [side * side + 1]
        Where block `user_block` of stratum `s` begins: at place `s * side + user_block`.
    users, items : int32 [event]
    targets : float32 [event]
    weights : float32 [event or 0]
    choices : list of int32 arrays
        Items of each item block.
    """

    side: int
    starts: Offsets
    users: Rows
    items: Rows
    targets: Floats
    weights: Floats
    choices: list[Rows]

    def block(self, stratum: int, user_block: int) -> tuple[slice, Rows]:
        """The events of a block, and the items it may touch."""
        place = stratum * self.side + user_block
        return slice(int(self.starts[place]), int(self.starts[place + 1])), self.choices[(user_block + stratum) % self.side]


def side_for(events: int, rows: int, row_bytes: int) -> int:
    """Blocks a side: one for small data, else enough for the rows of a block to fit the cache, four at least."""
    return 1 if events < SMALL else int(np.clip(-(-rows * row_bytes // CACHE), 4, MOST_BLOCKS))


def lay_out(data: Interactions, targets: Floats, side: int, rng: np.random.Generator) -> Grid:
    """Shuffle the events, then sort them into blocks."""
    shuffled = rng.permutation(len(data))
    user_blocks = deal(np.bincount(data.users, minlength=data.n_users), side, rng)
    item_blocks = deal(np.bincount(data.items, minlength=data.n_items), side, rng)
    starts, order = cell_order(user_blocks[data.users[shuffled]], item_blocks[data.items[shuffled]], side)
    visited = shuffled[order]
    weights = np.empty(0, np.float32) if data.weights is None else data.weights[visited]
    choices = [np.flatnonzero(item_blocks == block).astype(np.int32) for block in range(side)]
    return Grid(side, starts, data.users[visited], data.items[visited], targets[visited], weights, choices)
