"""The best items of one person in one call: what a service asks thousands of times a second."""

from __future__ import annotations

import numpy as np
from numba import njit

from likewise.ranking.select import NOTHING, best_keys, write_products
from likewise.shapes import Floats, Rows


def best_of(vectors: Floats, person: Floats, seen: Rows, k: int) -> tuple[Rows, Floats]:
    """Rows and scores of the k best items, best first; fewer where fewer are left. The same list as `top_k` gives.

    Parameters
    ----------
    vectors : float32 [item, factor]
    person : float32 [factor]
    seen : int32 rows that must not come back.
    k : int, at least 1

    Examples
    --------
    >>> rows, scores = best_of(np.array([[1], [3], [2]], np.float32), np.ones(1, np.float32), np.array([1], np.int32), 5)
    >>> rows.tolist(), scores.tolist()
    ([2, 0], [2.0, 1.0])
    """
    return _best_of(vectors, person, seen, min(k, len(vectors)))  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def _best_of(vectors, person, seen, k):  # type: ignore[no-untyped-def]
    scores = np.empty((1, len(vectors)), np.float32)
    write_products(vectors, person, scores[0])
    keys = np.full((1, k), NOTHING, np.int64)
    bounds = np.array([0, len(seen)])
    best_keys(scores, bounds, seen, np.ones((0, 0), np.bool_), keys)
    ordered = np.sort(keys[0])[::-1]
    n = 0
    while n < k and ordered[n] != NOTHING:
        n += 1
    rows = np.empty(n, np.int32)
    values = np.empty(n, np.float32)
    for place in range(n):
        rows[place] = np.int32(np.int64(0x7FFFFFFF) - (ordered[place] & np.int64(0xFFFFFFFF)))
        values[place] = scores[0, rows[place]]
    return rows, values
