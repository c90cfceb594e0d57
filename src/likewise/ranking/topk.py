"""The best k items of each person, masked and in order: the one ranking kernel of the house.

Scores are made block by block (a matrix product, or a model's own `score`) and each block is searched while it is still in the
cache. The search reads a score once, compares a whole chunk with the k-th best so far, and looks closer only where something is
better; so it costs less than the product that made the score.

An item that is excluded, not allowed, or scored NaN or minus infinity is never returned. Equal scores go to the lower row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.base import FittedModel
from likewise.parallel import in_threads, thread_count
from likewise.ranking.select import NOTHING, best_keys, write_products
from likewise.shapes import Floats, Mask, Offsets, Rows

BLOCK_BYTES = 16 << 20
"""Scores made before they are searched: as many as stay in the last level of cache, since each block costs the threads a meeting."""
LEAST, MOST_BYTES = 32, 128 << 20
"""Fewer people than that wait for the vectors to be read, so a wide catalogue's blocks leave the cache for them, up to so many bytes."""
SCAN = 16 << 20
"""Numbers of the item matrix that a thread must have to read for one person before another thread is worth starting."""
SHORT = 1 << 20
"""Up to this many of them, one person is answered by NumPy: as fast, and a fresh process need not wait for compiled code."""
SPARSE_SHARE = 0.3
"""Below this share of allowed items, gathering their vectors is cheaper than scoring all."""


@dataclass(frozen=True, eq=False)
class TopK:
    """Lists of a batch of people, best first.

    Parameters
    ----------
    items : int32 [batch, k]
        Item rows; -1 behind the end of a list. `k` is never more than the number of items.
    scores : float32 [batch, k]
        Their scores; minus infinity behind the end.
    counts : int64 [batch]
        Length of each list.
    propensities : float32 [batch, k] or None
        Chance of each item to have been on the list, where lists are drawn by chance.
    """

    items: Rows
    scores: Floats
    counts: Offsets
    propensities: Floats | None = None

    def __len__(self) -> int:
        return len(self.items)


def top_k(
    users: Floats,
    items: Floats,
    k: int,
    exclude: CSR | None = None,
    allowed: Mask | None = None,
    block: int | None = None,
    threads: int | None = None,
) -> TopK:
    """The k items of the largest dot product with each user.

    Parameters
    ----------
    users : float32 [batch, factor]
    items : float32 [item, factor]
    k : int
        At least 1; more than there are gives what there is.
    exclude : CSR [batch, item] or None
        Items that each user must not get, usually the history.
    allowed : bool [item] or [batch, item], or None
        Items that may be returned; None allows all.
    block : int or None
        Users scored at once; None chooses it by the size of the cache.
    threads : int or None
        None uses what Numba is set to.

    Examples
    --------
    >>> top_k(np.eye(2, dtype=np.float32), np.array([[1, 0], [3, 1], [2, 5]], np.float32), 2).items.tolist()
    [[1, 2], [2, 1]]
    """
    users, items = np.asarray(users, np.float32), np.asarray(items, np.float32)
    if users.ndim != 2 or items.ndim != 2 or users.shape[1] != items.shape[1]:
        raise InputError(
            f"users [batch, factor] and items [item, factor] must have the same factors; got shapes {users.shape} and {items.shape}"
        )
    _check(len(users), len(items), k, exclude, allowed)
    wanted = _few_allowed(allowed)
    if wanted is not None:
        found = top_k(users, items[wanted], k, _renumber(exclude, wanted, len(items)), None, block, threads)
        rows = np.where(found.items >= 0, wanted[found.items], np.int32(-1)) if len(wanted) else found.items
        return _widen(TopK(rows, found.scores, found.counts), min(k, len(items)))
    if len(users) == 1 and items.size <= SHORT:
        return _short_list(items @ users[0], k, exclude, allowed)
    columns, vectors = items.T, np.ascontiguousarray(items)
    pieces = min(thread_count(threads), max(1, items.size // SCAN))

    def scan(user: Floats, scores: Floats, piece: int) -> None:
        first, last = (len(items) * n // pieces for n in (piece, piece + 1))
        write_products(vectors[first:last], user, scores[first:last])

    def write_scores(start: int, stop: int, scores: Floats) -> None:
        if stop == start + 1:  # a library's matrix-vector product waits for all of its threads, and is slower even alone
            in_threads(partial(scan, np.ascontiguousarray(users[start]), scores[0]), pieces, threads)
        else:
            np.matmul(users[start:stop], columns, out=scores)

    return _by_blocks(write_scores, len(users), len(items), k, exclude, allowed, block, threads)


def top_k_scores(
    scores: Floats, k: int, exclude: CSR | None = None, allowed: Mask | None = None, block: int | None = None, threads: int | None = None
) -> TopK:
    """The k items of the largest score in each row of `scores` [batch, item]; other arguments as for `top_k`.

    >>> top_k_scores(np.array([[1, 3, 3, 2]], np.float32), 3).items.tolist()
    [[1, 2, 3]]
    """
    scores = np.asarray(scores, np.float32)
    if scores.ndim != 2:
        raise InputError(f"scores must be a matrix [batch, item]; got shape {scores.shape}")
    n_people, n_items = scores.shape
    _check(n_people, n_items, k, exclude, allowed)

    def write_scores(start: int, stop: int, out: Floats) -> None:
        out[:] = scores[start:stop]

    return _by_blocks(write_scores, n_people, n_items, k, exclude, allowed, block, threads)


def rank_model(
    model: FittedModel[Any],
    people: Floats | Histories,
    k: int,
    exclude: CSR | None = None,
    allowed: Mask | None = None,
    threads: int | None = None,
) -> TopK:
    """The k best items of each of the people (`model.people` or `model.fold_in` gave them), in bounded memory."""
    vectors = model.item_vectors
    if vectors is not None and not isinstance(people, Histories):
        return top_k(people, vectors, k, exclude, allowed, None, threads)
    _check(len(people), model.n_items, k, exclude, allowed)

    def write_scores(start: int, stop: int, scores: Floats) -> None:
        part = people.take(np.arange(start, stop, dtype=np.int32)) if isinstance(people, Histories) else people[start:stop]
        scores[:] = model.score(part)

    return _by_blocks(write_scores, len(people), model.n_items, k, exclude, allowed, None, threads)


def _by_blocks(
    write_scores: Callable[[int, int, Floats], None],
    n_people: int,
    n_items: int,
    k: int,
    exclude: CSR | None,
    allowed: Mask | None,
    block: int | None,
    threads: int | None,
) -> TopK:
    """Score and search block after block; what is returned does not depend on the number of threads."""
    width = min(k, n_items)
    keys = np.full((n_people, width), NOTHING, np.int64)
    bytes_each = 4 * max(n_items, 1)
    usual = max(1, min(2048, BLOCK_BYTES // bytes_each), min(LEAST, MOST_BYTES // bytes_each))
    size = min(block or usual, max(n_people, 1))
    masks = np.ones((0, 0), np.bool_) if allowed is None else np.ascontiguousarray(np.atleast_2d(allowed))
    indptr = np.zeros(n_people + 1, np.int64) if exclude is None else exclude.indptr
    columns = np.empty(0, np.int32) if exclude is None else exclude.columns

    scores = np.empty((size, n_items), np.float32)

    def search(start: int, cuts: list[int], piece: int) -> None:
        first, last = cuts[piece], cuts[piece + 1]
        rows = masks[first:last] if len(masks) > 1 else masks
        best_keys(scores[first - start : last - start], indptr[first : last + 1], columns, rows, keys[first:last])
        keys[first:last].sort(axis=1)

    for start in range(0, n_people if width else 0, size):
        # the product has threads of its own; the search gets them when it is done, so that the two never wait for each other
        stop = min(start + size, n_people)
        write_scores(start, stop, scores[: stop - start])
        pieces = min(thread_count(threads), stop - start)
        cuts = [start + (stop - start) * n // pieces for n in range(pieces + 1)]
        in_threads(partial(search, start, cuts), pieces, threads)
    return _decode(keys[:, ::-1])


def _short_list(scores: Floats, k: int, exclude: CSR | None, allowed: Mask | None) -> TopK:
    """The list of one person; overwrites `scores` [item]."""
    if exclude is not None:
        scores[exclude.columns] = -np.inf
    if allowed is not None:
        scores[~allowed.reshape(-1)] = -np.inf
    scores[np.isnan(scores)] = -np.inf
    width = min(k, len(scores))
    bar = np.partition(scores, -width)[-width] if width else np.float32(0)
    rows = np.flatnonzero((scores >= bar) & (scores > -np.inf)).astype(np.int32)
    rows = rows[np.argsort(-scores[rows], kind="stable")[:width]]
    return _widen(TopK(rows[None], scores[rows][None], np.array([len(rows)])), width)


def _decode(keys: NDArray[np.int64]) -> TopK:
    """Keys, best first, to rows and scores (`select.best_keys` says how a key is made)."""
    real = keys != NOTHING
    order = (keys >> 32).astype(np.int32)
    bits = np.where(order >= 0, order, order ^ np.int32(0x7FFFFFFF))
    rows = (np.int64(0x7FFFFFFF) - (keys & 0xFFFFFFFF)).astype(np.int32)
    scores = np.where(real, bits.view(np.float32), np.float32(-np.inf))
    return TopK(np.where(real, rows, np.int32(-1)), scores, real.sum(axis=1))


def _few_allowed(allowed: Mask | None) -> Rows | None:
    """Rows of the allowed items if they are the same few for everybody."""
    if allowed is None or allowed.ndim != 1 or np.count_nonzero(allowed) > SPARSE_SHARE * len(allowed):
        return None
    return np.flatnonzero(allowed).astype(np.int32)


def _renumber(exclude: CSR | None, wanted: Rows, n_items: int) -> CSR | None:
    """The same exclusions counted among the wanted items."""
    if exclude is None:
        return None
    place = np.full(n_items, -1, np.int32)
    place[wanted] = np.arange(len(wanted), dtype=np.int32)
    columns = place[exclude.columns]
    indptr = np.concatenate([[0], np.cumsum(columns >= 0)])[exclude.indptr].astype(np.int64)
    return CSR(indptr, columns[columns >= 0], None, len(wanted))


def _widen(lists: TopK, width: int) -> TopK:
    """Lists padded to `width` places."""
    batch, have = lists.items.shape
    rows, scores = np.full((batch, width), -1, np.int32), np.full((batch, width), -np.inf, np.float32)
    rows[:, :have], scores[:, :have] = lists.items, lists.scores
    return TopK(rows, scores, lists.counts)


def _check(n_people: int, n_items: int, k: int, exclude: CSR | None, allowed: Mask | None) -> None:
    if k < 1:
        raise InputError(f"k must be at least 1; got {k}")
    if exclude is not None and (exclude.n_rows != n_people or exclude.width != n_items):
        raise InputError(f"exclude must be [{n_people} people, {n_items} items]; it is [{exclude.n_rows}, {exclude.width}]")
    if allowed is not None and (allowed.dtype != np.bool_ or allowed.shape not in ((n_items,), (n_people, n_items))):
        raise InputError(f"allowed must be bool [{n_items}] or [{n_people}, {n_items}]; it is {allowed.dtype} {list(allowed.shape)}")
