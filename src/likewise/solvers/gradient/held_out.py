"""How good the kernel's tables are on rows they do not learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from likewise.data.interactions import Interactions
from likewise.models.link import Link
from likewise.ranking.topk import top_k
from likewise.shapes import Rows
from likewise.solvers.gradient.kernel import BIAS, Tables, scores_of


class HeldOut:
    """Validation rows over the training vocabularies.

    Parameters
    ----------
    rows : Interactions
    train : Interactions
        What users have had is not ranked again.
    link : Link
    """

    def __init__(self, rows: Interactions, train: Interactions, link: Link) -> None:
        self.rows, self.train, self.link = rows, train, link

    def measure(self, tables: Tables, mean: float, metrics: Sequence[str]) -> dict[str, float]:
        """Figures by name: "rmse", "mae", "ndcg@K"."""
        found = {}
        rated = any(name in ("rmse", "mae") for name in metrics)
        missed = self._missed(tables, mean) if rated else np.empty(0)
        for name in metrics:
            if name == "rmse":
                found[name] = float(np.sqrt(np.mean(missed**2)))
            elif name == "mae":
                found[name] = float(np.mean(np.abs(missed)))
            elif name.startswith("ndcg@"):
                found[name] = self._ndcg(tables, int(name[5:]))
        return found

    def _missed(self, tables: Tables, mean: float) -> np.ndarray:
        targets = np.ones(len(self.rows), np.float32) if self.rows.ratings is None else self.rows.ratings
        score = scores_of(self.rows.users, self.rows.items, tables, np.float32(mean))
        return np.asarray(self.link.respond(score) - targets, np.float64)

    def _ndcg(self, tables: Tables, k: int) -> float:
        """Mean NDCG@k of the users with held-out rows: binary relevance, the whole catalogue less what they had in train."""
        p, q, _, c = tables
        held = self.rows.by_user
        people = np.flatnonzero(held.counts).astype(np.int32)
        users = np.column_stack([p[people], np.ones(len(people), np.float32)])
        items = np.column_stack([q, c[:, BIAS]])
        lists = top_k(users, items, k, self.train.by_user.take(people).csr(len(q))).items
        gain = 1 / np.log2(np.arange(2, lists.shape[1] + 2))
        best = np.cumsum(gain)[np.minimum(held.counts[people], lists.shape[1]) - 1]
        return float(np.mean((self._is_held(people, lists) * gain).sum(1) / best))

    def _is_held(self, people: Rows, lists: Rows) -> np.ndarray:
        span = np.int64(self.rows.n_items)
        pairs = people[:, None] * span + lists
        return np.isin(np.where(lists >= 0, pairs, -1), self.rows.users * span + self.rows.items)
