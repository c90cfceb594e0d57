"""What may be shown, and the lists that keep to it: conditions, allowed and denied items, time, caps; all before the cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.csr import CSR, csr_from_pairs
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.base import FittedModel
from likewise.ranking.caps import Caps, capped
from likewise.ranking.catalogue import Catalogue
from likewise.ranking.topk import TopK, rank_model
from likewise.shapes import Floats, Mask, Rows

if TYPE_CHECKING:
    from likewise.ranking.rerank import Rerank, Signals


@dataclass(frozen=True, eq=False)
class Filters:
    """Compiled filters.

    Parameters
    ----------
    allowed : bool [item] or None
        Items that may be shown; None allows all.
    caps : Caps or None
        At most so many of a kind in one list.
    """

    allowed: Mask | None = None
    caps: Caps | None = None


def compile_filters(
    table: pl.DataFrame | Catalogue,
    *,
    where: str | None = None,
    allow: Rows | None = None,
    deny: Rows | None = None,
    caps: Mapping[str, int] | None = None,
    at: float | None = None,
) -> Filters:
    """Filters for a catalogue whose item table has one row an item row.

    Parameters
    ----------
    table : Catalogue or frame
        A `Catalogue` remembers what it was asked; use one where there are many questions.
    where : condition, see `ranking.where`.
    allow, deny : int32 item rows; -1 (an item that is not there) is passed over.
    caps : at most so many a value of a column, such as `{"director": 2}`.
    at : seconds since 1970
        When the list is shown, for tables with `available_from` or `available_until`; None is now.

    Raises
    ------
    InputError
        A condition that cannot be read or does not fit the table, an unknown column, a limit below 1.
    """
    catalogue = table if isinstance(table, Catalogue) else Catalogue(table)
    masks = [None if where is None else catalogue.where(where), catalogue.available(time() if at is None else at)]
    masks += [_mask(allow, len(catalogue), True), _mask(deny, len(catalogue), False)]
    allowed = None
    for mask in masks:
        if mask is not None:
            allowed = mask if allowed is None else allowed & mask
    return Filters(allowed, Caps.of(catalogue, caps) if caps else None)


def hidden(*lists: CSR | None) -> CSR | None:
    """Everything that a person must not get, from several lists [batch, item]: what they had, what they were shown."""
    given = [one for one in lists if one is not None]
    if len(given) < 2:
        return given[0] if given else None
    if len({(one.n_rows, one.width) for one in given}) > 1:
        raise InputError(f"lists of what to hide must be of the same people and items; got {[(one.n_rows, one.width) for one in given]}")
    rows = np.concatenate([np.repeat(np.arange(one.n_rows, dtype=np.int32), one.counts) for one in given])
    return csr_from_pairs(rows, np.concatenate([one.columns for one in given]), None, given[0].n_rows, given[0].width)


def shown_since(shown: Histories, moment: float, n_items: int) -> CSR:
    """What each person was shown at or after a moment in seconds since 1970, [batch, item]; without times, everything."""
    return (shown if shown.times is None else shown.keep(shown.times >= moment)).csr(n_items)


def rank_filtered(
    model: FittedModel[Any],
    people: Floats | Histories,
    k: int,
    exclude: CSR | None,
    filters: Filters,
    rerank: Rerank | None = None,
    signals: Signals | None = None,
    histories: Histories | None = None,
) -> TopK:
    """The k best items that the filters let through; fewer only where no more exist.

    Parameters
    ----------
    people : what `model.people` or `model.fold_in` gave
    exclude : CSR [batch, item] or None
        What each person must not get.
    rerank : Rerank or None
        Knobs that trade score for something else; all at zero change nothing.
    signals : Signals or None
        What the knobs need to know of the items.
    histories : Histories or None
        What each person did, for calibration.
    """
    if rerank is not None and rerank.plain:
        rerank = None
    if filters.caps is None and rerank is None:
        return rank_model(model, people, k, exclude, filters.allowed)

    def ranked(who: NDArray[np.int64], length: int) -> TopK:
        some = who.astype(np.int32)
        part = people.take(some) if isinstance(people, Histories) else people[who]
        if rerank is not None:
            length = max(length, rerank.pool)
        lists = rank_model(model, part, length, None if exclude is None else exclude.take(some), filters.allowed)
        if rerank is None:
            return lists
        past = None if histories is None else histories.take(some)
        order = k if filters.caps is None else lists.items.shape[1]
        return rerank.apply(lists, order, signals, past, rerank.unsure(model, part, lists))

    if filters.caps is None:
        return ranked(np.arange(len(people)), k)
    return capped(ranked, filters.caps, len(people), model.n_items, k)


def _mask(rows: Rows | None, n_items: int, inside: bool) -> Mask | None:
    """True at the rows (or, not `inside`, everywhere else)."""
    if rows is None:
        return None
    mask = np.full(n_items, not inside)
    mask[rows[rows >= 0]] = inside
    return mask
