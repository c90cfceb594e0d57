"""Which features a field's rows have: from tables, tags, and from the training ratings themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from likewise.data.csr import CSR, csr_from_pairs
from likewise.data.dataset import Dataset
from likewise.data.features import Features
from likewise.data.interactions import Interactions

BLOCKS = ("user_features", "item_features", "tags", "history", "raters")
"""Switches: tables of users and items, tags of items, whom an item was rated by, what a user rated."""


@dataclass(frozen=True, eq=False)
class Given:
    """Features of one block: whose they are, which columns of `Features.design` (None: of the history), and the rows."""

    field: str
    name: str
    start: int | None
    x: CSR


def blocks_of(data: Dataset, wanted: tuple[str, ...]) -> list[Given]:
    """The blocks asked for that the data can give, in a fixed order."""
    events, found = data.interactions, []
    if "user_features" in wanted:
        found += _of_features("user", data.user_features, tags=False)
    if "item_features" in wanted:
        found += _of_features("item", data.item_features, tags=False)
    if "tags" in wanted:
        found += _of_features("item", data.item_features, tags=True)
    if "history" in wanted:
        found.append(Given("user", "history", None, partners_of(events, "user")))
    if "raters" in wanted:
        found.append(Given("item", "raters", None, partners_of(events, "item")))
    return [given for given in found if len(given.x.columns) and np.any(given.x.filled() != 0)]


def partners_of(events: Interactions, side: str) -> CSR:
    """Each row's partners in training, divided by the square root of their number: SVD++ (Koren, 2008), and its mirror."""
    pairs = (events.users, events.items, events.n_users, events.n_items)
    rows, columns, n_rows, width = pairs if side == "user" else (pairs[1], pairs[0], pairs[3], pairs[2])
    x = csr_from_pairs(rows, columns, None, n_rows, width)
    counts = np.maximum(x.counts, 1)
    return CSR(x.indptr, x.columns, np.repeat(1 / np.sqrt(counts), x.counts).astype(np.float32), width)


def _of_features(side: str, features: Features | None, tags: bool) -> list[Given]:
    if features is None:
        return []
    found, start = [], 0
    for block in features.blocks:
        if (block.kind == "tags") == tags:
            found.append(Given(side, block.name, start, block.matrix))
        start += block.matrix.width
    return found
