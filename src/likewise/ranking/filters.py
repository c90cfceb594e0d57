"""What may be shown: conditions on the item table, allowed and denied items, caps a group; all before the cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from likewise.data.csr import CSR
from likewise.errors import InputError
from likewise.models.base import FittedModel
from likewise.ranking.topk import TopK, rank_model
from likewise.shapes import Mask, Rows


@dataclass(frozen=True, eq=False)
class Filters:
    """Compiled filters.

    Parameters
    ----------
    allowed : bool [item] or None
        Items that may be shown; None allows all.
    """

    allowed: Mask | None = None


def compile_filters(
    table: pl.DataFrame, *, where: str | None = None, allow: Rows | None = None, deny: Rows | None = None, caps: Mapping[str, int] | None = None
) -> Filters:
    """Filters for a catalogue whose item table has one row an item row."""
    if where is not None or caps:
        raise InputError("where= and caps= are not available yet")
    if allow is None and deny is None:
        return Filters()
    allowed = np.full(table.height, allow is None)
    if allow is not None:
        allowed[allow[allow >= 0]] = True
    if deny is not None:
        allowed[deny[deny >= 0]] = False
    return Filters(allowed)


def rank_filtered(model: FittedModel[Any], people: Any, k: int, exclude: CSR | None, filters: Filters, rerank: Any = None) -> TopK:
    """The k best items that the filters let through."""
    return rank_model(model, people, k, exclude, filters.allowed)
