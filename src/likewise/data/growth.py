"""A data set with more events: old rows stay, new ids come after them, a pair said again replaces what was said."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.dataset import Dataset
from likewise.data.interactions import Interactions
from likewise.errors import InputError

N = TypeVar("N", bound=np.generic)


def extended(data: Dataset, new: Dataset) -> Dataset:
    """`data` with the events, ids and table rows of `new`.

    Raises
    ------
    InputError
        Ratings in one and likes in the other, ids of another type, or a context that `new` lacks.
    """
    if data.explicit != new.explicit:
        kinds = ("ratings", "likes alone") if data.explicit else ("likes alone", "ratings")
        raise InputError(f"the model learned from {kinds[0]}, the new events carry {kinds[1]}; give events of the same kind")
    for side, ours, theirs in (("user", data.users, new.users), ("item", data.items, new.items)):
        if ours.kind != theirs.kind:
            raise InputError(
                f"the {side} ids of the model are {ours.kind}, those of the new events {theirs.kind}; give ids of the same type"
            )
    missing = sorted(set(data.contexts) - set(new.contexts) - {"day"})
    if missing:
        raise InputError(f"the model uses the context {missing[0]!r}, which the new events lack; add that column")
    data = data.settled()
    users, items = data.users.extend(new.users.ids), data.items.extend(new.items.ids)
    contexts = {name: known.extend(new.contexts[name].ids) if name in new.contexts else known for name, known in data.contexts.items()}
    grown = replace(data, interactions=_empty(len(users), len(items), data), users=users, items=items, contexts=contexts)
    pairs = grown.encode(new)
    old = data.interactions
    key = pairs.users.astype(np.int64) * len(items) + pairs.items
    kept = np.flatnonzero(~np.isin(old.users.astype(np.int64) * len(items) + old.items, key))
    events = Interactions(
        _joined(old.users, kept, pairs.users),
        _joined(old.items, kept, pairs.items),
        len(users),
        len(items),
        _maybe(old.ratings, kept, pairs.ratings, 1.0, len(pairs)),
        _maybe(old.weights, kept, pairs.weights, 1.0, len(pairs)),
        _maybe(old.times, kept, pairs.times, np.iinfo(np.int64).min, len(pairs)),
        {name: _joined(column, kept, pairs.context[name]) for name, column in old.context.items()},
    )
    tables = {
        f"{side}_table": _stacked(getattr(data, f"{side}_table"), getattr(new, f"{side}_table"), f"{side}_id") for side in ("user", "item")
    }
    tags = [table for table in (data.tag_table, new.tag_table) if table is not None]
    return replace(grown, interactions=events, tag_table=pl.concat(tags, how="diagonal_relaxed") if tags else None, **tables)  # type: ignore[arg-type]


def _empty(n_users: int, n_items: int, data: Dataset) -> Interactions:
    nothing = np.empty(0, np.int32)
    return Interactions(nothing, nothing, n_users, n_items, context=dict.fromkeys(data.contexts, nothing))


def _joined(old: NDArray[N], kept: NDArray[np.int64], new: NDArray[N]) -> NDArray[N]:
    return np.concatenate([old[kept], new])


def _maybe(old: NDArray[N] | None, kept: NDArray[np.int64], new: NDArray[N] | None, missing: float, n_new: int) -> NDArray[N] | None:
    """A column that either side may lack."""
    if old is None:
        return None
    return np.concatenate([old[kept], np.full(n_new, missing, old.dtype) if new is None else new])


def _stacked(old: pl.DataFrame | None, new: pl.DataFrame | None, id_column: str) -> pl.DataFrame | None:
    """Both tables' rows; where an id is in both, the new row."""
    if old is None or new is None:
        return new if old is None else old
    return pl.concat([old, new], how="diagonal_relaxed").unique(id_column, keep="last", maintain_order=True)
