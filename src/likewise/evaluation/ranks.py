"""Where the held-out items stand among all candidates: counted, not sorted.

The rank of an item is the number of candidates before it: those with a higher score, and those with the same score and a lower
row, as `ranking` orders a list. Only the held-out items are looked up, each in one pass over the scores, so memory is the block
of scores and a full ranking costs about as much as the scores themselves.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.shapes import Floats, Rows

UNREACHED = np.iinfo(np.int32).max
"""Rank of an item that no list can hold: unknown to the model, or scored NaN or minus infinity."""


def ranks_in(scores: Floats, seen: CSR, wanted: CSR) -> Rows:
    """Ranks of the wanted items of each person among all items but those seen.

    Parameters
    ----------
    scores : float32 [person, item]
    seen, wanted : CSR [person, item]
        `wanted` may hold -1 for items the model does not know; an item both wanted and seen is ranked as if it were not seen.

    Returns
    -------
    int32 [entry of wanted]
        0 for the head of the list; `UNREACHED` for an item no list can hold.

    >>> from likewise.data.csr import csr_from_pairs
    >>> zero = np.zeros(1, np.int32)
    >>> seen, wanted = csr_from_pairs(zero, zero, None, 1, 4), csr_from_pairs(zero, np.array([2], np.int32), None, 1, 4)
    >>> ranks_in(np.array([[9, 5, 5, 1]], np.float32), seen, wanted).tolist()  # item 0 is seen, item 1 ties and has the lower row
    [1]
    """
    ranks = np.empty(len(wanted.columns), np.int32)
    _rank(np.ascontiguousarray(scores, np.float32), seen.indptr, seen.columns, wanted.indptr, wanted.columns, ranks)
    return ranks


def ranks_among_sampled(scores: Floats, taken: CSR, wanted: CSR, n_negatives: int, seed: int, streams: Rows) -> tuple[Rows, Rows]:
    """Ranks of each wanted item among `n_negatives` items drawn without replacement from those the person never took.

    Each person has a stream of random numbers of its own, made of `seed` and the person's number in `streams` [person], so the
    negatives depend neither on the blocks nor on other people. `taken` is everything the person took, wanted items included.

    Returns
    -------
    ranks, candidates : int32 [entry of wanted]
        The rank, and among how many candidates (one more than the negatives there were).
    """
    ranks, candidates = np.empty(len(wanted.columns), np.int32), np.empty(len(wanted.columns), np.int32)
    _rank_sampled(
        np.ascontiguousarray(scores, np.float32),
        taken.indptr,
        taken.columns,
        wanted.indptr,
        wanted.columns,
        n_negatives,
        np.uint64(seed & 0xFFFFFFFFFFFFFFFF),
        streams,
        ranks,
        candidates,
    )
    return ranks, candidates


def candidates_of(n_items: int, seen: CSR) -> NDArray[np.int64]:
    """How many items are ranked for each person: all but those seen, int64 [person]."""
    return n_items - seen.counts


@njit(cache=True, nogil=True)
def _rank(scores, seen_indptr, seen, indptr, wanted, ranks):  # type: ignore[no-untyped-def]
    n_items = scores.shape[1]
    for person in range(scores.shape[0]):
        row = scores[person]
        for entry in range(indptr[person], indptr[person + 1]):
            item = wanted[entry]
            if item < 0 or not row[item] > -np.inf:
                ranks[entry] = UNREACHED
                continue
            score = row[item]
            before = np.int32(0)
            # two plain loops instead of one with a tie rule: both become vector instructions
            for other in range(item):
                before += row[other] >= score
            for other in range(item + 1, n_items):
                before += row[other] > score
            for place in range(seen_indptr[person], seen_indptr[person + 1]):
                other = seen[place]
                before -= row[other] > score or (row[other] == score and other < item)
            ranks[entry] = before


@njit(cache=True, nogil=True)
def _rank_sampled(scores, taken_indptr, taken, indptr, wanted, n_negatives, seed, streams, ranks, candidates):  # type: ignore[no-untyped-def]
    n_items = scores.shape[1]
    mark = np.full(n_items, -1, np.int64)
    pool = np.empty(n_items, np.int32)
    for person in range(scores.shape[0]):
        row = scores[person]
        for place in range(taken_indptr[person], taken_indptr[person + 1]):
            if taken[place] >= 0:
                mark[taken[place]] = person
        free = 0
        for item in range(n_items):
            if mark[item] != person:
                pool[free] = item
                free += 1
        state = _mix(seed + np.uint64(streams[person] + 1) * np.uint64(0x9E3779B97F4A7C15))
        for entry in range(indptr[person], indptr[person + 1]):
            drawn = min(n_negatives, free)
            item = wanted[entry]
            reachable = item >= 0 and row[item] > -np.inf
            before = 0
            for place in range(drawn):
                # a partial shuffle: what was drawn moves to the front
                state += np.uint64(0x9E3779B97F4A7C15)
                other = place + np.int64(_mix(state) % np.uint64(free - place))
                pool[place], pool[other] = pool[other], pool[place]
                negative = pool[place]
                if reachable:
                    before += row[negative] > row[item] or (row[negative] == row[item] and negative < item)
            ranks[entry] = before if reachable else UNREACHED
            candidates[entry] = drawn + 1


@njit(cache=True, nogil=True)
def _mix(state):  # type: ignore[no-untyped-def]
    """splitmix64's finaliser (Steele, Lea, Flood 2014)."""
    z = np.uint64(state)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
