"""What conditions on items can be made of: the columns of the item table."""

from __future__ import annotations

from typing import Any

import polars as pl

from likewise.ranking.catalogue import is_set

MOST_VALUES = 40
"""A column of more values is no choice for a person."""


def filters_of(table: pl.DataFrame) -> list[dict[str, Any]]:
    """What `where=` can ask: columns with their kind and values."""
    found = []
    for name in table.columns:
        column = table[name]
        if name in ("item_id", "title"):
            continue
        if column.dtype.is_numeric():
            low, high = column.min(), column.max()
            if low is not None:
                found.append({"name": name, "kind": "number", "low": low, "high": high})
        elif column.dtype == pl.String or isinstance(column.dtype, pl.List):
            several = isinstance(column.dtype, pl.List) or is_set(column)
            values = column.drop_nulls() if isinstance(column.dtype, pl.List) else column.drop_nulls().str.split("|")
            counts = (values.explode() if several else column.drop_nulls()).rename("value").value_counts(sort=True)
            if 1 < counts.height <= MOST_VALUES:
                listed = [{"value": value, "count": count} for value, count in counts.iter_rows()]
                found.append({"name": name, "kind": "set" if several else "category", "values": listed})
    return found
