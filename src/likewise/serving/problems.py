"""What goes wrong, as RFC 9457 problem documents: what, why, what to do; never a trace or a path."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from likewise.errors import ArtifactError, LikewiseError, UnknownIdError
from likewise.serving.feedback.store import DatabaseAwayError, KeyReusedError

MEDIA_TYPE = "application/problem+json"
MEANINGS = {
    400: "The request can be read but not answered: a condition, a knob or a rating that this model does not allow",
    401: "An API key is needed",
    403: "The API key lacks the scope",
    404: "There is no such user, item or page",
    405: "The address does not take this method",
    408: "The body took too long to arrive",
    409: "The idempotency key was used for something else",
    413: "The body is too large",
    415: "The body is not JSON by its Content-Type",
    422: "The request is not what the schema allows",
    429: "Too many requests; wait as long as Retry-After says",
    500: "A fault of the service",
    503: "Not ready, or the database is away; wait as long as Retry-After says",
}
"""Every status of an error that the service gives, and what it means."""


class Problem(HTTPException):
    """An answer that is an error."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, errors: list[dict[str, str]] | None = None):
        super().__init__(status, detail, dict(headers or {}))
        self.errors = errors


def body_of(status: int, detail: str, request_id: str, errors: list[dict[str, str]] | None = None) -> bytes:
    """The document."""
    document: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    document["request_id"] = request_id
    if errors:
        document["errors"] = errors
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def request_id(request: Request) -> str:
    """The id that the guard gave this request."""
    return str(request.scope.get("request_id", ""))


def answer(request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None, errors: Any = None) -> Response:
    """The document as an answer."""
    return Response(body_of(status, detail, request_id(request), errors), status, dict(headers or {}), MEDIA_TYPE)


async def on_http(request: Request, error: Any) -> Response:
    """What the framework or a route refuses."""
    detail = error.detail
    if error.status_code == 404 and detail == "Not Found":
        detail = "there is nothing at this address; /openapi.json lists what there is"
    if error.status_code == 405:
        error.headers = {"Allow": ", ".join(allowed(request.app, request.url.path))}
        detail = "this address does not take the method; Allow lists those it takes"
    if error.status_code == 400 and detail.startswith("There was an error parsing"):
        detail = "the body is not JSON that can be read"
    return answer(request, error.status_code, detail, error.headers, getattr(error, "errors", None))


def allowed(app: FastAPI, path: str) -> list[str]:
    """The methods that an address takes, over all of its routes."""
    methods: set[str] = set()
    for template, operations in app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            methods |= {method.upper() for method in operations}
    return sorted(methods or {"GET"})


async def on_invalid(request: Request, error: Any) -> Response:
    """What does not fit the schema; the value itself is not repeated."""
    errors = [{"where": ".".join(str(part) for part in one["loc"])[:200], "message": str(one["msg"])} for one in error.errors()[:10]]
    first = f"{errors[0]['where']}: {errors[0]['message']}" if errors else "the request does not fit the schema"
    return answer(request, 422, first, errors=errors)


async def on_likewise(request: Request, error: Exception) -> Response:
    """What the library refuses in one clear line."""
    if isinstance(error, ArtifactError):
        raise error  # its message names folders
    if isinstance(error, DatabaseAwayError):
        return answer(request, 503, str(error), {"Retry-After": "2"})
    if isinstance(error, KeyReusedError):
        return answer(request, 409, str(error))
    return answer(request, 404 if isinstance(error, UnknownIdError) else 400, str(error))


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(LikewiseError, on_likewise)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route for the OpenAPI document."""
    always = (400, 401, 403, 405, 408, 413, 415, 422, 429, 500, 503)
    reference = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {status: {"description": MEANINGS[status], "content": reference} for status in sorted({*always, *statuses})}
