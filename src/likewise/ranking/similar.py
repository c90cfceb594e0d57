"""What is alike: the nearest rows of a matrix of factors."""

from __future__ import annotations

from typing import Literal

import numpy as np

from likewise.data.csr import CSR
from likewise.errors import InputError
from likewise.ranking.topk import TopK, top_k
from likewise.shapes import Floats, Mask, Rows

Metric = Literal["cosine", "dot"]


def similar(
    factors: Floats, rows: Rows, k: int, metric: Metric = "cosine", allowed: Mask | None = None, threads: int | None = None
) -> TopK:
    """The k rows of `factors` most like each of the rows named; a row is never like itself.

    Parameters
    ----------
    factors : float32 [item, factor]
        A row of zeros (nothing is known of it) has cosine zero with everything.
    rows : int32 [batch]
        Rows to find the like of, each in [0, item).
    k : int
    metric : "cosine" or "dot"
    allowed : bool [item] or None
        Rows that may be returned.

    Examples
    --------
    >>> similar(np.array([[1, 0], [2, 0.1], [0, 1]], np.float32), np.array([0]), 2).items.tolist()
    [[1, 2]]
    """
    if metric not in ("cosine", "dot"):
        raise InputError(f"metric must be 'cosine' or 'dot', not {metric!r}")
    rows = np.asarray(rows, np.int32)
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(factors)):
        raise InputError(f"rows must lie in [0, {len(factors)}); got {rows.min()} to {rows.max()}")
    vectors = unit_rows(factors) if metric == "cosine" else np.asarray(factors, np.float32)
    itself = CSR(np.arange(len(rows) + 1, dtype=np.int64), rows, None, len(vectors))
    return top_k(vectors[rows], vectors, k, itself, allowed, threads=threads)


def unit_rows(factors: Floats) -> Floats:
    """Rows of length one; rows of zeros stay zero."""
    factors = np.asarray(factors, np.float32)
    lengths = np.sqrt(np.einsum("ik,ik->i", factors, factors))[:, None]
    units: Floats = np.divide(factors, lengths, out=np.zeros_like(factors), where=lengths > 0)
    return units
