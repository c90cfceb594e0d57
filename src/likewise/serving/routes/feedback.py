"""Addresses of the feedback: kept before the answer, read, deleted."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from likewise.serving import reading, schemas, wire
from likewise.serving.feedback.store import Event
from likewise.serving.problems import Problem, documented
from likewise.serving.service import Service

HeaderKey = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=150, pattern=r"^[!-~]+$")]


def feedback(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["feedback"])

    @routes.post(
        "/feedback",
        response_model=schemas.Kept,
        responses=documented(409),
        summary="Keep what people did",
        openapi_extra=reading.takes(body=schemas.FeedbackRequest),
    )
    async def keep(request: Request, idempotency_key: HeaderKey = None) -> Response:
        """When this answers 200, every event is on the disk. An event whose key was kept before is not kept again, so a client may
        repeat a request until it is answered. With the header `Idempotency-Key`, events without a key get one made from it.
        """
        asked = await reading.body(request, schemas.FeedbackRequest)
        service.check_entries(asked.events)
        events = [_event(one, idempotency_key, place) for place, one in enumerate(asked.events)]
        accepted, repeated = await asyncio.to_thread(service.feedback.add, events)
        for event in events:
            service.metrics.kept(event.kind)
        body = {"accepted": accepted, "repeated": repeated, "request_id": request.scope["request_id"]}
        return Response(wire.dumps(body), media_type="application/json")

    return routes


def feedback_of(service: Service) -> APIRouter:
    """The routes of one user's feedback."""
    routes = APIRouter(tags=["feedback"])

    @routes.get(
        "/users/{user_id}/feedback",
        response_model=schemas.KeptEvents,
        responses=documented(),
        summary="What a user did, as it was kept",
        openapi_extra=reading.takes(path="user_id"),
    )
    async def read(request: Request) -> Response:
        """Oldest first; the newest thousand."""
        user_id = reading.path_id(request, "user_id")
        rows = await asyncio.to_thread(service.feedback.of_user, user_id)
        names = ("item_id", "kind", "rating", "time", "key", "answers")
        events = [{name: row[name] for name in names} for row in rows]
        body = {"user_id": user_id, "events": events, "request_id": request.scope["request_id"]}
        return Response(wire.dumps(body), media_type="application/json")

    @routes.delete(
        "/users/{user_id}/feedback",
        response_model=schemas.Forgotten,
        responses=documented(),
        summary="Delete a user's feedback",
        openapi_extra=reading.takes(path="user_id"),
    )
    async def forget(request: Request) -> Response:
        """And what was shown to them. The model itself forgets by `rec.forget` or `likewise forget`."""
        user_id = reading.path_id(request, "user_id")
        deleted = await asyncio.to_thread(service.feedback.forget, user_id)
        return Response(wire.dumps({"deleted": deleted, "request_id": request.scope["request_id"]}), media_type="application/json")

    return routes


def _event(one: schemas.FeedbackEvent, request_key: str | None, place: int) -> Event:
    if (one.kind == "rate") != (one.rating is not None):
        raise Problem(400, f"events.{place}: a rating belongs to kind 'rate' and to no other; got kind {one.kind!r}")
    key = one.key if one.key is not None or request_key is None else f"{request_key}:{place}"
    return Event(one.user_id, one.item_id, one.kind, one.rating, one.time, key, one.answers)
