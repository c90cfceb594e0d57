"""Ids that were never rated, answered from what the tables say of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from likewise.data.csr import CSR
from likewise.data.dataset import Dataset
from likewise.data.features import align
from likewise.data.interactions import Histories
from likewise.data.vocabulary import Vocabulary
from likewise.models.base import FittedModel
from likewise.shapes import Rows


def with_described_items(fitted: FittedModel[Any], data: Dataset, ids: pl.Series) -> tuple[FittedModel[Any], Rows]:
    """A model that also knows those of the ids that only the item table describes, and the row of each id, -1 for the others."""
    rows = data.items.rows(ids)
    if data.item_table is None or data.item_features is None or not fitted.reads_features:
        return fitted, rows
    new = _described(ids, rows, data.item_table["item_id"])
    if not len(new):
        return fitted, rows
    features = data.item_features.encode(align(data.item_table, "item_id", new)).design()
    added = np.arange(fitted.n_items, fitted.n_items + len(new), dtype=np.int32)
    found = new.rows(ids)
    return fitted.with_items(added, _nothing(len(new)), features), np.where(found >= 0, found + np.int32(fitted.n_items), rows)


def described_people(fitted: FittedModel[Any], data: Dataset, ids: pl.Series) -> tuple[Any, Rows]:
    """Representations of those of the ids that only the user table describes, and each id's place among them, -1 for the others."""
    nobody = np.full(len(ids), -1, np.int32)
    if data.user_table is None or data.user_features is None or not fitted.reads_features:
        return None, nobody
    new = _described(ids, data.users.rows(ids), data.user_table["user_id"])
    if not len(new):
        return None, nobody
    features: CSR = data.user_features.encode(align(data.user_table, "user_id", new)).design()
    return fitted.fold_in(_nothing(len(new)), features), new.rows(ids)


def _described(ids: pl.Series, rows: Rows, table: pl.Series) -> Vocabulary:
    """Ids without a row that the table knows."""
    unknown = ids.filter(pl.Series(rows < 0)).unique(maintain_order=True)
    return Vocabulary.of(unknown.filter(pl.Series(Vocabulary.of(table).rows(unknown) >= 0)))


def _nothing(n: int) -> Histories:
    return Histories(np.zeros(n + 1, np.int64), np.empty(0, np.int32))
