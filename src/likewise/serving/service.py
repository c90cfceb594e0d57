"""What the routes share: the models, the feedback, the counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from fastapi import Request, Response

from likewise.answers import ListRequest
from likewise.errors import InputError
from likewise.ranking.rerank import Rerank
from likewise.serving import policy, wire
from likewise.serving.exposures import Exposures
from likewise.serving.feedback.recent import Recent
from likewise.serving.feedback.store import Feedback
from likewise.serving.holder import Holder
from likewise.serving.loaded import Loaded
from likewise.serving.metrics import Metrics
from likewise.serving.person import Person
from likewise.serving.problems import Problem
from likewise.serving.schemas import Knobs, VisitorRequest
from likewise.serving.settings import Settings

T = TypeVar("T")
KNOBS = ("diversity", "popularity", "novelty", "freshness", "calibration", "exploration")


class Service:
    """One worker's state.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.feedback = Feedback(settings.database_url)
        self.recent = Recent(self.feedback)
        self.exposures = Exposures(self.feedback, settings.exposures)
        folders: dict[str, Path] = {"main": settings.model}
        if settings.beside is not None:
            folders["beside"] = settings.beside
        self.models = Holder(folders, self.metrics, self.feedback)
        self.rng = np.random.default_rng()

    async def person(self, model: Loaded, user_id: str) -> Person:
        """A person by id with everything they did until now."""
        did = await self.recent.of(user_id)
        if not did:
            return model.person(user_id)
        return await self.run(model, model.person, user_id, did)

    async def run(self, model: Loaded, work: Callable[..., T], *arguments: Any) -> T:
        """Work at once where the model is small, else in a thread, so that others need not wait."""
        return work(*arguments) if model.inline else await asyncio.to_thread(work, *arguments)

    async def answer(self, request: Request, model: Loaded, person: Person, asked: Knobs | VisitorRequest) -> Response:
        """A list for a person, as they asked for it."""
        request_id: str = request.scope["request_id"]
        self.check_length(asked.n)
        if plain(asked):
            rows, scores = await self.run(model, model.best, person, asked.n, asked.filter_seen)
            chances, reasons = None, None
        else:
            rows, scores, chances, reasons = await asyncio.to_thread(self._chosen, model, person, asked)
        if self.exposures.on:
            how = "sampled" if asked.temperature else "best"
            ids = [str(model.items.id(row)) for row in rows]
            self.exposures.note(request_id, person.id, model.version, how, ids, chances)
        self.metrics.source(person.status)
        items = wire.listed([model.fragment(row) for row in rows], scores, person.status.encode(), reasons)
        return wire.envelope(items, person.wire, model.wire, request_id)

    def check_length(self, n: int) -> None:
        """Refuse lists longer than this service gives."""
        if n > self.settings.limits.list_length:
            raise InputError(f"n may be at most {self.settings.limits.list_length} here; got {n}")

    def check_entries(self, *entries: Any) -> None:
        """Refuse more entries than this service takes."""
        count = sum(len(one) for one in entries)
        if count > self.settings.limits.entries:
            raise Problem(413, f"at most {self.settings.limits.entries} entries in one request; {count} were given")

    def _chosen(self, model: Loaded, person: Person, asked: Knobs | VisitorRequest) -> tuple[list[int], list[float], Any, Any]:
        rerank = Rerank(**{name: getattr(asked, name) for name in KNOBS}, pool=max(policy.POOL, asked.n))
        n = max(policy.POOL, asked.n) if asked.temperature else asked.n
        ask = ListRequest(n, model.answers.filters(asked.where), asked.filter_seen, "popular", rerank)
        rows, scores = model.list_of(person, ask)
        chances = None
        if asked.temperature and rows:
            places, chances = policy.draw(scores, asked.n, asked.temperature, self.rng)
            rows, scores = [rows[place] for place in places], [scores[place] for place in places]
        return rows, scores, chances, model.reasons(person, rows) if asked.explain else None


def plain(asked: Knobs | VisitorRequest) -> bool:
    """Whether the list is the model's own, without conditions, knobs or reasons."""
    return not (asked.where or asked.explain or asked.temperature or any(getattr(asked, name) for name in KNOBS))
