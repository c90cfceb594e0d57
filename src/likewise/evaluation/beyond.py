"""What lists show besides hits: how much of the catalogue, how evenly, how popular, how new, how varied.

    coverage@k    share of the catalogue that is in somebody's list
    gini@k        inequality of how often items are shown: 0 all alike, near 1 a few items take every place
    popularity@k  mean share of people who have the shown items in their history
    novelty@k     mean self-information of the shown items, -log2(that share), in bits; an item nobody has counts as one person's
    diversity@k   mean of 1 - cosine over the pairs of a list, in the space of the vectors given

All describe; none is good by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from likewise.evaluation.figures import Doubles, Figure, mean_figure
from likewise.evaluation.top_n import check_ks
from likewise.shapes import Floats, Offsets, Rows


def beyond_figures(lists: Rows, counts: Offsets, n_people: int, ks: Sequence[int], vectors: Floats | None = None) -> list[Figure]:
    """Figures of lists.

    Parameters
    ----------
    lists : int32 [person, place]
        Item rows, best first, -1 behind the end; as long as the largest k, or as the catalogue.
    counts : int64 [item]
        In how many training histories each item is; also the size of the catalogue.
    n_people : int
        Number of training histories.
    vectors : float32 [item, column] or None
        What diversity is measured in: encoded features or factors; None leaves it out.
    """
    share = counts / max(n_people, 1)
    novelty = -np.log2(np.maximum(counts, 1) / max(n_people, 1))
    figures = []
    for k in check_ks(ks):
        shown = lists[:, :k]
        exposure = np.bincount(shown[shown >= 0], minlength=len(counts))
        figures += [
            _coverage(f"coverage@{k}", shown, exposure),
            _gini(f"gini@{k}", shown, exposure),
            mean_figure(f"popularity@{k}", _mean_shown(shown, share)),
            mean_figure(f"novelty@{k}", _mean_shown(shown, novelty)),
        ]
    if vectors is not None:
        lengths = np.array(check_ks(ks), np.int64)
        varied = _diversity(np.ascontiguousarray(lists), _unit(vectors), lengths)
        figures += [mean_figure(f"diversity@{k}", varied[j]) for j, k in enumerate(lengths)]
    return figures


def gini(exposure: NDArray[np.integer]) -> float:
    """Gini coefficient of how often each item is shown, over the whole catalogue.

    >>> gini(np.array([3, 3, 3])), gini(np.array([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    total = exposure.sum()
    if not total:
        return float("nan")
    n = len(exposure)
    return float((_gini_slopes(exposure) * exposure).sum() / (n * total))


def _coverage(name: str, shown: Rows, exposure: NDArray[np.int64]) -> Figure:
    """By the jackknife: leaving a person out loses the items that nobody else is shown."""
    n, n_items = len(shown), len(exposure)
    only_here = np.where(shown >= 0, exposure[shown] == 1, False).sum(axis=1)
    return _expanded(name, float(np.count_nonzero(exposure)) / max(n_items, 1), only_here / max(n_items, 1) * (n - 1))


def _gini(name: str, shown: Rows, exposure: NDArray[np.int64]) -> Figure:
    """By its derivative: each item's slope is its place among all, held fixed."""
    value = gini(exposure)
    if np.isnan(value):
        return Figure(name, np.zeros(len(shown)), np.zeros(len(shown)))
    there = shown >= 0
    slopes = _gini_slopes(exposure) / len(exposure) - value
    return _expanded(name, value, np.where(there, slopes[shown], 0.0).sum(axis=1) * len(shown) / exposure.sum())


def _gini_slopes(exposure: NDArray[np.integer]) -> Doubles:
    """2 * place - n - 1 of each item in the order of exposure; items shown equally often share the middle of their places."""
    _, level, size = np.unique(exposure, return_inverse=True, return_counts=True)
    middle = np.cumsum(size) - (size - 1) / 2
    return np.asarray(2 * middle[level] - len(exposure) - 1, np.float64)


def _expanded(name: str, value: float, influence: Doubles) -> Figure:
    """A figure with this value whose people spread as their influence does."""
    return Figure(name, value + influence - influence.mean() if len(influence) else influence, np.ones(len(influence)))


def _mean_shown(shown: Rows, values: Doubles) -> Doubles:
    """Mean of each list; NaN for an empty one."""
    there = shown >= 0
    length = there.sum(axis=1)
    total = np.where(there, values[shown], 0.0).sum(axis=1)
    return np.where(length > 0, total / np.maximum(length, 1), np.nan)


def _unit(vectors: Floats) -> Floats:
    """Rows of length one; a zero row stays zero, alike to nothing."""
    norms = np.sqrt(np.einsum("ik,ik->i", vectors, vectors, dtype=np.float64))
    return np.ascontiguousarray(vectors / np.where(norms > 0, norms, 1.0)[:, None], np.float32)


@njit(cache=True, nogil=True)
def _diversity(lists, vectors, ks):  # type: ignore[no-untyped-def]
    """Sum of cosines of a new item with all before it is its product with their sum: k products a list, not k squared."""
    n_people, width = lists.shape
    varied = np.full((len(ks), n_people), np.nan)
    total = np.empty(vectors.shape[1])
    for person in range(n_people):
        total[:] = 0
        cosines, pairs, j = 0.0, 0, 0
        for place in range(width):
            item = lists[person, place]
            if item < 0:
                break
            for c in range(vectors.shape[1]):
                cosines += total[c] * vectors[item, c]
                total[c] += vectors[item, c]
            pairs += place
            if place + 1 == ks[j]:
                varied[j, person] = 1 - cosines / pairs if pairs > 0 else np.nan
                j += 1
                if j == len(ks):
                    break
        for rest in range(j, len(ks)):  # shorter than k: all there is
            if pairs > 0:
                varied[rest, person] = 1 - cosines / pairs
    return varied
