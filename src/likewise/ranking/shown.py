"""What people were shown lately, so that it is not shown again: a table of user and item, with times where there are some."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from time import time
from typing import Self

import numpy as np
import polars as pl

from likewise.data.columns import pairs_frame
from likewise.data.csr import CSR, csr_from_pairs
from likewise.data.dataset import times_of
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError

Moment = float | str | date | datetime
DAY = 86_400


@dataclass(frozen=True, eq=False)
class Shown:
    """What to leave out of each person's list.

    Parameters
    ----------
    users : Vocabulary
        Whoever was shown something, known to the model or not.
    items : CSR [user, item]
    """

    users: Vocabulary
    items: CSR

    @classmethod
    def of(cls, table: pl.DataFrame, items: Vocabulary, at: float | None, days: float | None) -> Self:
        """From a table of user and item; with `days`, only what was shown in so many before `at` (None: now).

        Raises InputError for a table without users and items, and where `days` is asked of a table without times.
        """
        events = pairs_frame(table)
        users, rows, times = Vocabulary.of(events["user_id"].drop_nulls()), items.rows(events["item_id"]), times_of(events)
        kept = (rows >= 0) & events["user_id"].is_not_null().to_numpy()
        if days is not None:
            if not days > 0:
                raise InputError(f"shown_days must be above 0; left out, all that was shown counts; got {days}")
            if times is None:
                raise InputError("shown_days needs to know when: give the table of what was shown a column 'timestamp'")
            moment = time() if at is None else at
            kept &= (times >= moment - days * DAY) & (times <= moment)
        return cls(users, csr_from_pairs(users.rows(events["user_id"])[kept], rows[kept], None, len(users), len(items)))

    def to(self, ids: pl.Series) -> CSR:
        """What each of these users was shown, [batch, item]; nothing for those not in the table."""
        rows = self.users.rows(ids)
        known = np.flatnonzero(rows >= 0)
        some = self.items.take(rows[known].astype(np.int32))
        counts = np.zeros(len(rows), np.int64)
        counts[known] = some.counts
        return CSR(np.concatenate([[0], np.cumsum(counts)]), some.columns, None, self.items.width)


def seconds_of(at: Moment | None) -> float | None:
    """A moment in seconds since 1970: a number, a date or datetime, or text such as "2024-05-01T18:00"; without a zone it is UTC.

    >>> seconds_of("1970-01-02")
    86400.0
    >>> seconds_of("1714586400")
    1714586400.0
    """
    if at is None:
        return None
    if isinstance(at, str) and at.isdecimal() and len(at) > len("20240501"):
        at = float(at)
    if isinstance(at, int | float | np.number) and not isinstance(at, bool) and np.isfinite(at):
        return float(at)
    try:
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
        if isinstance(moment, date) and not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day)
    except ValueError:
        moment = None
    if not isinstance(moment, datetime):
        raise InputError(f"a time is a date, a datetime, text such as '2024-05-01', or seconds since 1970; got {at!r}")
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()
