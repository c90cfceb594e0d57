"""The search inside a block of scores: the best k of each row, in two passes that vectorise.

A candidate is one int64 key: the score's bits, turned so that they sort like the score, above the row counted downwards.
A larger key is a higher score, or the same score and a lower row; so an order of keys is the order of a list, ties included.

The first pass folds a row into 2k groups and keeps the largest score of each. The k-th largest of these is a bar that at least k
items reach, and hardly more: about 1.4 k do when scores are in no order. The second pass compares whole chunks with the bar and
looks closer only where something reaches it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NOTHING = np.iinfo(np.int64).min
"""Key of an empty place."""
CHUNK = 16
"""Scores whose keys are made at once, where one of them exceeds the bar."""
SPAN = 128
"""Scores compared with the bar at once: a long stretch, since counting up a vector costs as much as a dozen comparisons."""


@njit(cache=True, nogil=True, boundscheck=False)
def best_keys(scores, indptr, excluded, masks, keys):  # type: ignore[no-untyped-def]
    """Write the keys of the best items of each row of `scores` [batch, item] to `keys` [batch, k], in no order.

    Items that a row must not get have their score overwritten: `indptr` [batch + 1] and `excluded` [entry] name them, and so does
    `masks`, bool [0 or 1 or batch, item], where it is false.
    """
    n_items, k = scores.shape[1], keys.shape[1]
    pool = np.empty(max(4 * k, k + 8 * CHUNK), np.int64)
    tops = np.empty(-(-2 * k // CHUNK) * CHUNK, np.float32)
    for r in range(scores.shape[0]):
        for e in range(indptr[r], indptr[r + 1]):
            scores[r, excluded[e]] = -np.inf
        if masks.shape[0] > 0:
            m = min(r, masks.shape[0] - 1)
            for i in range(n_items):
                scores[r, i] = scores[r, i] if masks[m, i] else np.float32(-np.inf)
        count = _candidates(scores[r], _first_bar(scores[r], tops, k), k, pool)
        if count > k:
            _keep_best(pool, count, k)
            count = k
        for place in range(count):
            keys[r, place] = pool[place]


@njit(cache=True, nogil=True, boundscheck=False, fastmath={"reassoc", "contract"})
def write_products(vectors, person, scores):  # type: ignore[no-untyped-def]
    """Scores [item] of one person [factor]: a scan that reads each item's vector once."""
    width = np.uint64(vectors.shape[1])
    for i in range(np.uint64(len(vectors))):  # unsigned, or the inner loop is no vector loop
        score = np.float32(0)
        for f in range(width):
            score += vectors[i, f] * person[f]
        scores[i] = score


@njit(cache=True, nogil=True, boundscheck=False)
def _first_bar(scores, tops, k):  # type: ignore[no-untyped-def]
    """A number that at least k scores exceed, if k scores exceed minus infinity; found by bisection among the groups' largest."""
    nothing = np.float32(-np.inf)
    groups = len(tops)
    if len(scores) < 2 * groups:
        return nothing
    tops[:] = nothing
    for start in range(0, len(scores) - groups + 1, groups):
        part = scores[start : start + groups]  # a slice, because an index that is a sum keeps the loop from vectorising
        for g in range(groups):
            tops[g] = part[g] if part[g] > tops[g] else tops[g]
    low, high, real = np.float32(np.inf), nothing, 0
    for g in range(groups):
        high = max(high, tops[g])
        if tops[g] > nothing:
            low = min(low, tops[g])
            real += 1
    if real < k:
        return nothing
    for _ in range(16):
        middle = np.float32(0.5) * low + np.float32(0.5) * high
        reached = np.int32(0)
        for g in range(groups):
            reached += np.int32(tops[g] >= middle)
        if reached >= k:
            low = middle
            if reached < k + k // 16 + 1:
                break
        else:
            high = middle
    return np.nextafter(low, nothing)


@njit(cache=True, nogil=True, boundscheck=False)
def _candidates(scores, bar, k, pool):  # type: ignore[no-untyped-def]
    """Fill `pool` with the keys of scores above the bar, the best k among them; returns how many it holds."""
    count = 0
    for first in range(0, len(scores), SPAN):
        span = scores[first : first + SPAN]
        if len(span) == SPAN:
            better = np.int32(0)
            for j in range(SPAN):
                better += np.int32(span[j] > bar)
            if better == 0:
                continue
        for start in range(0, len(span), CHUNK):
            part = span[start : start + CHUNK]
            better = np.int32(0)
            for j in range(len(part)):
                better += np.int32(part[j] > bar)
            if better == 0:
                continue
            if count + CHUNK > len(pool):
                _keep_best(pool, count, k)
                count = k
                bar = scores[0x7FFFFFFF - (pool[k - 1] & 0x7FFFFFFF)]
            bits = part.view(np.int32)
            for j in range(len(part)):
                order = bits[j] ^ ((bits[j] >> 31) & np.int32(0x7FFFFFFF))
                order += np.int32(order == -1)  # minus zero ties with zero
                pool[count] = (np.int64(order) << 32) | np.int64(0x7FFFFFFF - first - start - j)
                count += part[j] > bar
    return count


@njit(cache=True, nogil=True, boundscheck=False)
def _keep_best(values, count, k):  # type: ignore[no-untyped-def]
    """Quickselect: the largest k of the first `count` values come first, the k-th of them at place k - 1."""
    low, high = 0, count - 1
    while low < high:
        a, b, c = values[low], values[(low + high) // 2], values[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            return
