"""Lists in two stages: something cheap names candidates, the model scores those alone.

The scores and their order are the model's own; what a candidate stage can cost is an item it did not name. A person whose
candidates, once filtered, cannot fill k places is ranked over the whole catalogue instead, so k is k while k exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.base import FittedModel
from likewise.ranking.topk import TopK, rank_model
from likewise.shapes import Floats, Mask, Rows

PAIRS = 1 << 18
"""Pairs scored at once: a megabyte of scores, and what a network needs for them."""


def rank_candidates(
    model: FittedModel[Any],
    people: Floats | Histories,
    candidates: Rows,
    k: int,
    exclude: CSR | None = None,
    allowed: Mask | None = None,
) -> TopK:
    """The k best of each person's candidates, scored by the model in blocks.

    Parameters
    ----------
    people : what `model.people` or `model.fold_in` gave
    candidates : int32 [batch, candidate]
        Distinct item rows of each person, -1 for none.
    exclude : CSR [batch, item] or None
    allowed : bool [item] or None
    """
    if k < 1:
        raise InputError(f"k must be at least 1; got {k}")
    if candidates.ndim != 2 or len(candidates) != len(people):
        raise InputError(f"candidates must be [{len(people)} people, candidate]; got shape {list(candidates.shape)}")
    kept = visible(candidates, exclude, allowed)
    scores = np.full(kept.shape, -np.inf, np.float32)
    person, place = np.nonzero(kept >= 0)
    for start in range(0, len(person), PAIRS):
        block = slice(start, start + PAIRS)
        who = taken(people, person[block].astype(np.int32))
        scores[person[block], place[block]] = model.score_pairs(who, kept[person[block], place[block]])
    lists = best_of(kept, scores, min(k, model.n_items))
    return filled(lists, people, k, exclude, lambda some, hide: rank_model(model, some, k, hide, allowed))


def visible(candidates: Rows, exclude: CSR | None, allowed: Mask | None) -> Rows:
    """The candidates that a person may get, -1 in place of the others."""
    kept = candidates.astype(np.int32, copy=True)
    there = kept >= 0
    if allowed is not None:
        kept[there & ~allowed[np.where(there, kept, 0)]] = -1
    if exclude is not None:
        width = np.int64(exclude.width)
        people = np.repeat(np.arange(exclude.n_rows, dtype=np.int64), exclude.counts)
        hidden = people * width + exclude.columns
        pairs = np.arange(len(kept), dtype=np.int64)[:, None] * width + kept
        kept[(kept >= 0) & np.isin(pairs, hidden)] = -1
    return kept


def best_of(items: Rows, scores: Floats, k: int) -> TopK:
    """The k best of each row; equal scores go to the lower item row, NaN and items of -1 are left out."""
    scores = np.where((items >= 0) & ~np.isnan(scores), scores, np.float32(-np.inf))
    order = np.lexsort((items, -scores), axis=1)[:, :k]
    scores = np.take_along_axis(scores, order, 1)
    real = scores > -np.inf
    items = np.where(real, np.take_along_axis(items, order, 1), np.int32(-1))
    short = k - items.shape[1]
    if short > 0:
        items, scores = (
            np.pad(items, ((0, 0), (0, short)), constant_values=-1),
            np.pad(scores, ((0, 0), (0, short)), constant_values=-np.inf),
        )
    return TopK(items, scores, real.sum(1))


def taken(people: Floats | Histories, rows: Rows) -> Any:
    """Some of the people."""
    return people.take(rows) if isinstance(people, Histories) else people[rows]


def filled(lists: TopK, people: Floats | Histories, k: int, exclude: CSR | None, rank: Callable[[Any, CSR | None], TopK]) -> TopK:
    """Short lists replaced by a ranking of the whole catalogue."""
    short = np.flatnonzero(lists.counts < min(k, lists.items.shape[1])).astype(np.int32)
    if not len(short):
        return lists
    full = rank(taken(people, short), None if exclude is None else exclude.take(short))
    items, scores, counts = lists.items.copy(), lists.scores.copy(), lists.counts.copy()
    items[short], scores[short], counts[short] = full.items, full.scores, full.counts
    return TopK(items, scores, counts)
