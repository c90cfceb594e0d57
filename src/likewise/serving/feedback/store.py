"""Events kept: durable before the answer, once for each key, in the order in which they happened."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from time import time
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from likewise.errors import LikewiseError
from likewise.serving.feedback.database import AWAY, open_engine, prepare
from likewise.serving.feedback.tables import events, exposures, generations

KINDS = ("view", "click", "like", "rate")
CONTENT = ("user_id", "item_id", "kind", "rating")
"""What two events of one key must share."""
MOST_OF_ONE_PERSON = 1000
"""Newest events of a person that are read."""


class DatabaseAwayError(LikewiseError):
    """The feedback database cannot be asked now."""


class KeyReusedError(LikewiseError):
    """A key that stands for another event already."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a person did with an item.

    Parameters
    ----------
    kind : "view", "click", "like" or "rate"
    rating : float or None
        Given for "rate" alone.
    time : float
        Seconds since 1970.
    key : str
        The same key is kept once; None makes one.
    answers : str or None
        Id of the request whose list it answers.
    """

    user_id: str
    item_id: str
    kind: str
    rating: float | None = None
    time: float | None = None
    key: str | None = None
    answers: str | None = None


class Feedback:
    """The events of one database; safe to use from many threads.

    Parameters
    ----------
    url : SQLAlchemy URL of SQLite or PostgreSQL
    """

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._prepared = False

    @contextmanager
    def _asking(self, writes: bool = False) -> Any:
        """A transaction; a database that is away becomes DatabaseAwayError."""
        try:
            if not self._prepared:
                prepare(self.engine)
                self._prepared = True
            with self.engine.connect().execution_options(writes=writes) as connection, connection.begin():
                yield connection
        except AWAY as error:
            raise DatabaseAwayError("the feedback database cannot be reached; nothing was changed: try again") from error

    def prepare(self) -> None:
        """Bring the schema up to date."""
        with self._asking():
            pass

    def add(self, new: Sequence[Event]) -> tuple[int, int]:
        """Keep events; returns how many were new and how many had been kept before. When it returns they are on the disk.

        Raises
        ------
        KeyReusedError
            A key that stands for something else; nothing of this call is kept.
        DatabaseAwayError
        """
        now = time()
        rows: dict[str, dict[str, Any]] = {}
        for event in new:
            row = {**asdict(event), "key": event.key or uuid4().hex, "time": now if event.time is None else event.time, "received": now}
            _same(rows.setdefault(row["key"], row), row)
        with self._asking(writes=True) as connection:
            before = connection.execute(sa.select(events.c.key).where(events.c.key.in_(list(rows)))).scalars().all()
            fresh = [row for key, row in rows.items() if key not in set(before)]
            if fresh:
                insert = _insert(self.engine)(events).on_conflict_do_nothing(index_elements=["key"])
                connection.execute(insert, fresh)
            if before or any(event.key for event in new):
                kept = connection.execute(sa.select(events).where(events.c.key.in_(list(rows)))).mappings()
                for row in kept:
                    _same(row, rows[row["key"]])
        return len(fresh), len(new) - len(fresh)

    def of_user(self, user_id: str, most: int = MOST_OF_ONE_PERSON) -> list[dict[str, Any]]:
        """A person's newest events, oldest first."""
        with self._asking() as connection:
            newest = sa.select(events).where(events.c.user_id == user_id).order_by(events.c.time.desc(), events.c.id.desc()).limit(most)
            return [dict(row) for row in connection.execute(newest).mappings()][::-1]

    def forget(self, user_id: str) -> int:
        """Delete a person's events and what was shown to them; returns how many events."""
        with self._asking(writes=True) as connection:
            connection.execute(sa.delete(exposures).where(exposures.c.user_id == user_id))
            return int(connection.execute(sa.delete(events).where(events.c.user_id == user_id)).rowcount)

    def generation(self, version: str) -> int:
        """The number of a model's version, given when it is first served; it only grows."""
        with self._asking(writes=True) as connection:
            insert = _insert(self.engine)(generations).on_conflict_do_nothing(index_elements=["version"])
            connection.execute(insert, {"version": version, "seen": time()})
            return int(connection.execute(sa.select(generations.c.number).where(generations.c.version == version)).scalar_one())

    def waiting(self, since: float) -> tuple[int, float]:
        """Events received after a moment, and the age of the oldest of them in seconds: what the model has not learned from yet."""
        with self._asking() as connection:
            asked = sa.select(sa.func.count(), sa.func.min(events.c.received)).where(events.c.received > since)
            count, oldest = connection.execute(asked).one()
        return int(count), 0.0 if oldest is None else max(0.0, time() - float(oldest))

    def expose(self, shown: Iterable[dict[str, Any]]) -> None:
        """Keep what was served."""
        rows = [{**row, "shown": json.dumps(row["shown"])} for row in shown]
        if rows:
            with self._asking(writes=True) as connection:
                connection.execute(sa.insert(exposures), rows)

    def all(self, kinds: Sequence[str], after: float = 0.0) -> list[tuple[str, str, str, float | None, float]]:
        """Events of these kinds received after a moment, in the order in which they happened: user, item, kind, rating, time."""
        with self._asking() as connection:
            asked = sa.select(events.c.user_id, events.c.item_id, events.c.kind, events.c.rating, events.c.time)
            asked = asked.where(events.c.kind.in_(list(kinds)), events.c.received > after).order_by(events.c.time, events.c.id)
            return [tuple(row) for row in connection.execute(asked)]

    def close(self) -> None:
        """Let go of the connections."""
        self.engine.dispose()


def _insert(engine: sa.Engine) -> Any:
    from sqlalchemy.dialects import postgresql, sqlite

    return postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert


def _same(kept: Any, given: Any) -> None:
    different = [name for name in CONTENT if kept[name] != given[name]]
    if different:
        raise KeyReusedError(f"the key {given['key']!r} was used for an event with another {different[0]}; a new event needs a new key")
