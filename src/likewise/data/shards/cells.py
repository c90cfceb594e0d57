"""Blocks of users and of items, and the cells between them: the order in which ratings are learned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import counting_sort
from likewise.shapes import Offsets, Rows


def deal(counts: Offsets, side: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """A block for each row: the busiest `side` rows go to different blocks, then the next, so blocks are about as busy."""
    rounds = -(-len(counts) // side)
    dealt = rng.permuted(np.tile(np.arange(side, dtype=np.int32), (rounds, 1)), axis=1).ravel()[: len(counts)]
    blocks = np.empty(len(counts), np.int32)
    blocks[np.argsort(-counts, kind="stable")] = dealt
    return blocks


def cell_order(users: Rows, items: Rows, side: int) -> tuple[Offsets, NDArray[np.int64]]:
    """Sort events by cell, stably, given the block of each event's user and item.

    Cell `s * side + b` holds user block b and item block (b + s) mod side: no two cells of stratum s share a user or an item.
    Returns where each cell begins, int64 [side * side + 1], and the order.
    """
    return counting_sort((items - users) % side * side + users, side * side)
