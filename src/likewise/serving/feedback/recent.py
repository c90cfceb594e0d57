"""A person's feedback for each of their requests: read from the database, remembered until something was written."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import OrderedDict
from time import monotonic
from typing import Any

from likewise.serving.feedback.database import sqlite_file
from likewise.serving.feedback.store import MOST_OF_ONE_PERSON, DatabaseAwayError, Feedback

log = logging.getLogger("likewise.serving")
Did = tuple[tuple[str, str, float | None, float], ...]
"""Events of one person, oldest first: item, kind, rating, time."""
REMEMBERED = 20_000
PAUSE = 1.0
"""Seconds in which a database that was away is not asked again."""
QUERY = "SELECT item_id, kind, rating, time FROM likewise_events WHERE user_id = ? ORDER BY time DESC, id DESC LIMIT ?"


class Recent:
    """What each person did, as of now, in every worker.

    SQLite tells in microseconds whether any process has written (`PRAGMA data_version`), so what is remembered is as fresh as the
    database. PostgreSQL is asked each time, in a thread. While the database is away the last that is known is used.

    Parameters
    ----------
    feedback : Feedback
    """

    def __init__(self, feedback: Feedback) -> None:
        self.feedback = feedback
        self._remembered: OrderedDict[str, tuple[int, Did]] = OrderedDict()
        self._file = sqlite_file(feedback.engine)
        self._reader: sqlite3.Connection | None = None
        self._away_until = 0.0

    async def of(self, user_id: str) -> Did:
        """The person's events. The same object comes back as long as nothing changed."""
        if monotonic() < self._away_until:
            return self._remembered.get(user_id, (0, ()))[1]
        try:
            if self._file is not None:
                return self._by_counter(user_id)
            rows = await asyncio.to_thread(self.feedback.of_user, user_id)
            return self._remember(user_id, 0, tuple((r["item_id"], r["kind"], r["rating"], r["time"]) for r in rows))
        except (DatabaseAwayError, sqlite3.Error) as error:
            self._away_until = monotonic() + PAUSE
            self._reader = None
            log.warning("feedback is away, lists go on without it: %s", error)
            return self._remembered.get(user_id, (0, ()))[1]

    @property
    def away(self) -> bool:
        """Whether the database did not answer lately."""
        return monotonic() < self._away_until

    def _by_counter(self, user_id: str) -> Did:
        reader = self._reader
        if reader is None:
            reader = self._reader = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=0.5, check_same_thread=False)
        stamp: int = reader.execute("PRAGMA data_version").fetchone()[0]
        known = self._remembered.get(user_id)
        if known is not None and known[0] == stamp:
            return known[1]
        rows: Any = reader.execute(QUERY, (user_id, MOST_OF_ONE_PERSON)).fetchall()
        return self._remember(user_id, stamp, tuple(rows[::-1]))

    def _remember(self, user_id: str, stamp: int, found: Did) -> Did:
        known = self._remembered.pop(user_id, None)
        did = known[1] if known is not None and known[1] == found else found
        self._remembered[user_id] = (stamp, did)
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return did

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()
