"""How good lists are, from the ranks of the held-out items; binary relevance, every k in one pass.

With n held-out items of a person, ranks r counted from 0, and hits those with r < k:

    recall@k         hits / n                        can stay below 1 where n > k
    capped_recall@k  hits / min(k, n)                what the VAE papers call recall
    precision@k      hits / k                        also where fewer than k candidates exist
    hit@k            1 if there is a hit
    ndcg@k           sum over hits of 1 / log2(r + 2), over the best possible sum, that of min(k, n) items
    mrr@k            1 / (best rank + 1) if it is a hit, else 0
    map@k            sum over hits of (hits up to it) / (r + 1), over min(k, n)
    auc              share of pairs (held-out item, other candidate) in the right order; ties as ranked, by the lower row

A held-out item that the model does not know counts in n and is never a hit: it is what the model failed to show.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.errors import InputError
from likewise.evaluation.figures import Doubles
from likewise.shapes import Offsets, Rows

LIST_METRICS = ("recall", "capped_recall", "precision", "hit", "ndcg", "mrr", "map")


def check_ks(ks: Sequence[int]) -> tuple[int, ...]:
    """The list lengths in order, each once; refuses lengths below 1."""
    lengths = tuple(sorted({int(k) for k in ks}))
    if not lengths or lengths[0] < 1:
        raise InputError(f"k must be one or more list lengths of at least 1, as in (5, 10, 20, 100); got {tuple(ks)}")
    return lengths


def list_metrics(indptr: Offsets, ranks: Rows, candidates: NDArray[np.int64], ks: Sequence[int]) -> dict[str, Doubles]:
    """Every metric of every person, NaN for people without held-out items.

    Parameters
    ----------
    indptr : int64 [person + 1]
        Where each person's ranks lie in `ranks`.
    ranks : int32 [entry]
        Ranks of the held-out items, 0 first, as `ranks.ranks_in` gives them.
    candidates : int64 [person]
        How many items were ranked, held-out ones included.
    ks : list lengths

    Returns
    -------
    dict of "ndcg@10" ... and "auc" to float64 [person]

    >>> got = list_metrics(np.array([0, 2]), np.array([0, 7], np.int32), np.array([10]), [5])
    >>> got["recall@5"].tolist(), got["hit@5"].tolist(), got["auc"].tolist()
    ([0.5], [1.0], [0.625])
    """
    lengths = check_ks(ks)
    values, auc = _list_metrics(indptr, ranks, candidates, np.array(lengths, np.int64))
    metrics = {f"{name}@{k}": values[m, j] for m, name in enumerate(LIST_METRICS) for j, k in enumerate(lengths)}
    return {**metrics, "auc": auc}


@njit(cache=True, nogil=True)
def _list_metrics(indptr, ranks, candidates, ks):  # type: ignore[no-untyped-def]
    n_people = len(indptr) - 1
    values = np.full((7, len(ks), n_people), np.nan)
    auc = np.full(n_people, np.nan)
    longest = ks[-1]
    gain = 1.0 / np.log2(np.arange(longest) + 2.0)
    ideal = np.concatenate((np.zeros(1), np.cumsum(gain)))
    for person in range(n_people):
        n = indptr[person + 1] - indptr[person]
        if n == 0:
            continue
        mine = np.sort(ranks[indptr[person] : indptr[person + 1]])
        for j in range(len(ks)):
            k = ks[j]
            hits, gained, precisions = 0, 0.0, 0.0
            while hits < n and mine[hits] < k:
                gained += gain[mine[hits]]
                precisions += (hits + 1.0) / (mine[hits] + 1.0)
                hits += 1
            best = min(k, n)
            values[0, j, person] = hits / n
            values[1, j, person] = hits / best
            values[2, j, person] = hits / k
            values[3, j, person] = 1.0 if hits > 0 else 0.0
            values[4, j, person] = gained / ideal[best]
            values[5, j, person] = 1.0 / (mine[0] + 1.0) if hits > 0 else 0.0
            values[6, j, person] = precisions / best
        auc[person] = _auc(mine, candidates[person])
    return values, auc


@njit(cache=True, nogil=True)
def _auc(ranks, candidates):  # type: ignore[no-untyped-def]
    """Sorted ranks: the i-th held-out item has rank - i others before it; one never reached has all of them."""
    reached = 0
    while reached < len(ranks) and ranks[reached] < candidates:
        reached += 1
    others = candidates - reached
    if others <= 0:
        return np.nan
    right = 0.0
    for i in range(reached):
        right += 1.0 - (ranks[i] - i) / others
    return right / len(ranks)
