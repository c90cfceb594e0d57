"""What was served, kept aside and written in bunches: a log, so that an answer never waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from time import time
from typing import Any

from likewise.serving.feedback.store import DatabaseAwayError, Feedback

log = logging.getLogger("likewise.serving")
EVERY, MOST_WAITING = 0.5, 10_000


class Exposures:
    """The exposure log of one worker.

    Parameters
    ----------
    feedback : Feedback
    on : bool
        Off keeps nothing.
    """

    def __init__(self, feedback: Feedback, on: bool) -> None:
        self.feedback, self.on = feedback, on
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)
        self._task: asyncio.Task[None] | None = None

    def note(
        self, request_id: str, user_id: str | None, version: str, policy: str, items: Sequence[str], chances: Sequence[float] | None
    ) -> None:
        """Keep one list."""
        if self.on:
            shown = list(zip(items, chances if chances is not None else [None] * len(items), strict=True))
            about = {"request_id": request_id, "user_id": user_id, "time": time(), "version": version, "policy": policy, "shown": shown}
            self._waiting.append(about)

    def start(self) -> None:
        """Begin to write."""
        if self.on:
            self._task = asyncio.create_task(self._write())

    async def stop(self) -> None:
        """Write what waits."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._flush()

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self._flush()

    async def _flush(self) -> None:
        rows = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            await asyncio.to_thread(self.feedback.expose, rows)
        except DatabaseAwayError:
            self._waiting.extendleft(reversed(rows))
            log.warning("%d lists wait for the exposure log: the database is away", len(rows))
