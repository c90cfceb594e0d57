"""A history inside a graph: which entries count, what each weighs, and sums over ragged rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from likewise.artifact.export.graph import Graph, Value
from likewise.data.csr import CSR
from likewise.models.likes import LikeRule

_SIGNS = {">=": "GreaterOrEqual", ">": "Greater", "<=": "LessOrEqual", "<": "Less", "==": "Equal"}


@dataclass(frozen=True)
class Entries:
    """One person's history with an entry of no weight behind it, so that no sum runs over nothing.

    Parameters
    ----------
    rows : int64 [n + 1]
        Item rows; 0 at the end.
    ratings : float32 [n + 1]
        Ones where the model learned from likes.
    worth : float32 [n + 1]
        1, and 0 at the end.
    count : float32 [1], n
    kept : int64 [n], the rows without the end
    rated : bool
        Whether the model learned from ratings.
    """

    rows: Value
    ratings: Value
    worth: Value
    count: Value
    kept: Value
    rated: bool

    @classmethod
    def of(cls, g: Graph, items: Value, ratings: Value, rated: bool) -> Entries:
        """Of the graph's inputs; unknown items, row -1, are left out."""
        known = items >= 0
        kept = items.where(known)
        end = np.zeros(1, np.float32)
        worth = g.concat(g.filled(1.0, kept.length(), np.float32), end)
        return cls(
            g.concat(kept, np.zeros(1, np.int64)),
            g.concat(ratings.where(known), end) if rated else worth,
            worth,
            kept.length().to(np.float32),
            kept,
            rated,
        )

    def likes(self, g: Graph, rule: LikeRule) -> Value:
        """What each entry counts as a like, float32 [n + 1]; without ratings in training every entry is one."""
        if not self.rated:
            return self.worth
        weights = self.worth
        if rule.comparison is not None:
            sign, threshold = rule.comparison
            weights = weights * g.op(_SIGNS[sign], self.ratings, np.array(threshold, np.float32), dtype=np.bool_).to(np.float32)
        if rule.power > 0:
            weights = weights * (self.ratings.most(0.0) / (rule.mean or 1.0)) ** rule.power
        return weights


def known_run(g: Graph, indptr: np.ndarray, column: np.ndarray, user: Value) -> Value:
    """One ragged row of a column: what a known user did."""
    starts = g.constant(np.asarray(indptr, np.int64))
    return g.constant(column).slice(starts.take(user), starts.take(user + 1))


def ragged_sums(g: Graph, table: CSR, rows: Value, weights: Value) -> Value:
    """Sum over rows of weight * row of a ragged table, float32 [column]."""
    counts = g.constant(table.counts.astype(np.int64)).take(rows)
    starts = g.constant(np.asarray(table.indptr[:-1], np.int64)).take(rows)
    total = counts.sum(0, keep=True)
    first = g.op("CumSum", counts, np.array(0, np.int64)) - counts
    marks = g.op("ScatterElements", g.filled(0, total + 1, np.int64), first, g.filled(1, rows.length(), np.int64), axis=0, reduction="add")
    owner = g.op("CumSum", marks, np.array(0, np.int64)).slice(g.constant(np.zeros(1, np.int64)), total) - 1
    place = g.arange(total) - first.take(owner) + starts.take(owner)
    columns = g.constant(table.columns.astype(np.int64)).take(place)
    values = g.constant(table.filled()).take(place) * weights.take(owner)
    return g.op("ScatterElements", np.zeros(table.width, np.float32), columns, values, axis=0, reduction="add")
