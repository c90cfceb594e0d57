"""What every request passes first: an id, a key, a limit, a clock; and what every answer carries. Plain ASGI, so it costs little."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from math import ceil
from os import urandom
from time import perf_counter
from typing import Any

from likewise.serving.metrics import Metrics
from likewise.serving.problems import MEDIA_TYPE, body_of
from likewise.serving.rates import Rates
from likewise.serving.security import API_HEADERS, Key, find_key
from likewise.serving.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger("likewise.serving.access")
faults = logging.getLogger("likewise.serving")
GIVEN_ID = re.compile(rb"[A-Za-z0-9_.-]{8,64}")
OPEN = ("/health/", "/explore", "/openapi.json", "/favicon.ico")
"""Addresses that tell nothing of people or the model."""
WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")


class Refused(Exception):
    """A request that goes no further."""

    def __init__(self, status: int, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


class Guard:
    """The middleware.

    Parameters
    ----------
    app : the ASGI application behind it
    settings : Settings
    metrics : Metrics
    """

    def __init__(self, app: Any, settings: Settings, metrics: Metrics) -> None:
        self.app, self.keys, self.limits, self.metrics = app, settings.keys, settings.limits, metrics
        self.rates = Rates(settings.limits.per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = perf_counter(), 500
        started = False
        request_id = scope["request_id"] = _request_id(scope["headers"])
        marks = [*API_HEADERS, (b"x-request-id", request_id.encode())]

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                own = {name for name, _ in message.get("headers", ())}
                message["headers"] = [*message.get("headers", ()), *(mark for mark in marks if mark[0] not in own)]
            await send(message)

        key: Key | None = None
        try:
            key = self._admitted(scope)
            if scope["method"] in WITH_BODY:
                receive = _replayed(await self._body(scope, receive), receive)
            async with asyncio.timeout(self.limits.answer_seconds):
                await self.app(scope, receive, sending)
        except Refused as refused:
            await _refuse(sending, refused, request_id)
        except TimeoutError:
            if not started:
                await _refuse(sending, Refused(503, "the answer took too long; ask for less", ((b"retry-after", b"1"),)), request_id)
        except Exception as error:  # nothing of it may reach the client
            faults.error("request failed", exc_info=error, extra={"request_id": request_id})
            if not started:
                await _refuse(sending, Refused(500, "the service failed; its log has the reason under this request id"), request_id)
        finally:
            seconds = perf_counter() - start
            route = getattr(scope.get("route"), "path", "none")
            self.metrics.answered(scope["method"], route, status, seconds)
            if log.isEnabledFor(logging.INFO):
                self._note(scope, request_id, route, status, seconds, key)

    def _admitted(self, scope: Scope) -> Key | None:
        """The key of a request that may go on."""
        path = scope["path"]
        key = find_key(self.keys, scope["headers"]) if self.keys else None
        wait = self.rates.wait(key.name if key else (scope.get("client") or ("local",))[0])
        if wait:
            raise Refused(429, f"too many requests; wait {ceil(wait)} s", ((b"retry-after", str(ceil(wait)).encode()),))
        if not self.keys or path.startswith(OPEN) or path == "/":
            return key
        if key is None:
            raise Refused(401, "give an API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`", ((b"www-authenticate", b"Bearer"),))
        scope_needed = _scope_needed(scope["method"], path)
        if not key.may(scope_needed):
            raise Refused(403, f"this key lacks the scope {scope_needed!r}")
        return key

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, no larger and no slower than allowed."""
        too_large = Refused(413, f"the body may have at most {self.limits.body_bytes:,} bytes", ((b"connection", b"close"),))
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or len(value) > 18 or int(value) > self.limits.body_bytes):
                raise too_large
        parts, size, more = [], 0, True
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(400, "the client left before its body had arrived")
                    part = message.get("body", b"")
                    size += len(part)
                    if size > self.limits.body_bytes:
                        raise too_large
                    parts.append(part)
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Refused(
                408, f"the body took longer than {self.limits.body_seconds:g} s to arrive", ((b"connection", b"close"),)
            ) from None
        return b"".join(parts)

    def _note(self, scope: Scope, request_id: str, route: str, status: int, seconds: float, key: Key | None) -> None:
        about = {"request_id": request_id, "method": scope["method"], "route": route, "status": status}
        about |= {"milliseconds": round(1000 * seconds, 3), "client": (scope.get("client") or ("local",))[0]}
        log.info("request", extra=about if key is None else {**about, "key": key.name})


def _request_id(headers: Any) -> str:
    for name, value in headers:
        if name == b"x-request-id" and GIVEN_ID.fullmatch(value):
            return str(value.decode())
    return urandom(12).hex()


def _scope_needed(method: str, path: str) -> str:
    if path == "/metrics" or method == "DELETE":
        return "admin"
    return "feedback" if path.rstrip("/").endswith("/feedback") else "read"


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once, then waits for the client to leave."""
    given = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again


async def _refuse(send: Send, refused: Refused, request_id: str) -> None:
    body = body_of(refused.status, refused.detail, request_id)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode()), *refused.headers]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
