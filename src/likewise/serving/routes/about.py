"""Addresses about the service: health, the model's card, metrics."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from likewise.errors import LikewiseError
from likewise.serving import reading, schemas, wire
from likewise.serving.loaded import Loaded
from likewise.serving.problems import documented
from likewise.serving.service import KNOBS, Service


def about(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["about"])

    @routes.get("/health/live", response_model=schemas.Health, responses=documented(), summary="Whether the process runs")
    async def live() -> Response:
        """Nothing is asked of the model or the database."""
        return Response(b'{"status":"alive","model":null,"feedback":null}', media_type="application/json")

    @routes.get("/health/ready", response_model=schemas.Health, responses=documented(), summary="Whether answers can be given")
    async def ready() -> Response:
        """503 where the model is damaged. A database that is away keeps lists going and is said here."""
        state = "away" if service.recent.away else "kept"
        whole = service.models.damaged is None
        body = {"status": "ready" if whole else "damaged", "model": service.models.main.version, "feedback": state}
        if not whole:
            return Response(wire.dumps(body), 503, {"retry-after": "30"}, "application/json")
        return Response(wire.dumps(body), media_type="application/json")

    @routes.get(
        "/model",
        response_model=dict[str, Any],
        responses=documented(),
        summary="The model's card",
        openapi_extra=reading.takes(schemas.Which),
    )
    async def card(request: Request) -> Response:
        """What it is, what it learned from, how good it is, and what a list can be asked for."""
        asked = reading.query(request, schemas.Which)
        model = service.models.of(asked.model)
        body = await asyncio.to_thread(_card, service, model)
        return Response(wire.dumps({**body, "request_id": request.scope["request_id"]}), media_type="application/json")

    @routes.get("/metrics", responses=documented(), summary="Metrics for Prometheus", response_class=Response)
    async def metrics() -> Response:
        """In the text format of Prometheus."""
        made = datetime.fromisoformat(service.models.main.manifest["created"]).timestamp()
        try:
            service.metrics.feedback(await asyncio.to_thread(service.feedback.waiting, made))
        except LikewiseError:
            service.metrics.feedback(None)
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    return routes


def _card(service: Service, model: Loaded) -> dict[str, Any]:
    manifest, data = model.manifest, model.answers.data
    notes = {name: manifest["notes"].get(name) for name in ("preset", "why", "task", "fit_seconds", "seed", "remarks")}
    history = [dict(event) for event in manifest["notes"].get("history", [])][-200:]
    described = {name: manifest["data"].get(name) for name in ("events", "users", "items", "range", "span", "fingerprint")}
    return {
        "slot": model.slot,
        "name": manifest["model"]["name"],
        "version": model.version,
        "generation": service.models.generation if model.slot == "main" else None,
        "created": manifest["created"],
        "likewise": manifest["likewise"],
        "settings": manifest["model"]["settings"],
        "solver": manifest["solver"],
        **notes,
        "history": history,
        "data": described,
        "explicit": data.explicit,
        "range": data.rating_range,
        "levels": _levels(model),
        "link": model.answers.fitted.link.kind,
        "factors": model.answers.fitted.factors("item") is not None,
        "slots": service.models.slots,
        "filters": model.filters,
        "knobs": _knobs(model),
        "evaluation": _evaluation(service, model),
        "feedback": "away" if service.recent.away else "kept",
    }


def _knobs(model: Loaded) -> list[str]:
    """The knobs that this model and its data have a signal for."""
    answers, events = model.answers, model.answers.data.interactions
    missing = set()
    if "genres" not in answers.item_table.columns:
        missing.add("calibration")
        if answers.fitted.factors("item") is None:
            missing.add("diversity")
    if events.times is None:
        missing.add("freshness")
    if not model.has_posterior:
        missing.add("exploration")
    return [name for name in KNOBS if name not in missing]


def _levels(model: Loaded) -> list[float]:
    """The ratings that occur, where they are few: the steps of the stars."""
    ratings = model.answers.data.interactions.ratings
    levels = [] if ratings is None else sorted({float(value) for value in ratings[:200_000]})
    return levels if len(levels) <= 20 else []


def _evaluation(service: Service, model: Loaded) -> Any:
    """What `likewise evaluate --json` said of the model, None where nobody asked it."""
    named = service.settings.report if model.slot == "main" else None
    path = named or service.models.folders[model.slot] / "evaluation.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
