"""The application: routes behind the guard, models that follow their folders, a graceful end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from likewise import __version__
from likewise.errors import LikewiseError
from likewise.serving.guard import Guard
from likewise.serving.logs import start_logging
from likewise.serving.problems import install
from likewise.serving.reading import schemas_of
from likewise.serving.routes.about import about
from likewise.serving.routes.feedback import feedback, feedback_of
from likewise.serving.routes.items import items, maps
from likewise.serving.routes.page import page
from likewise.serving.routes.people import people, people_asked, users
from likewise.serving.schemas import FeedbackRequest, PlaceRequest, ProblemDocument, QuestionRequest, ScoreRequest, VisitorRequest
from likewise.serving.service import Service
from likewise.serving.settings import HANDED_DOWN, Settings

log = logging.getLogger("likewise.serving")


def make_app(settings: Settings) -> FastAPI:
    """The ASGI application of one worker; models are read here, so a start that fails says so at once."""
    service = Service(settings)
    service.models.start()

    @asynccontextmanager
    async def alive(_: FastAPI) -> AsyncIterator[None]:
        try:
            await asyncio.to_thread(service.feedback.prepare)
        except LikewiseError as error:
            log.warning("the service starts without its feedback database: %s", error)
        service.models.main.warm()
        service.models.follow()
        service.exposures.start()
        yield
        await service.models.stop()
        await service.exposures.stop()
        service.recent.close()
        service.feedback.close()

    app = FastAPI(
        title="Likewise", version=__version__, lifespan=alive, docs_url=None, redoc_url=None, redirect_slashes=False,
        description="Recommendations, their reasons, and the feedback to them. Errors are RFC 9457 problem documents.",
    )  # fmt: skip
    rooms = (people, people_asked, users, items, maps, feedback, feedback_of, about)
    for routes in (*(room(service) for room in rooms), page()):
        app.include_router(routes)
    install(app)
    app.state.service = service
    app.add_middleware(Guard, settings=settings, metrics=service.metrics)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(settings.origins), allow_methods=["GET", "POST"],
            allow_headers=["authorization", "x-api-key", "content-type", "idempotency-key", "x-request-id"],
        )  # fmt: skip
    _document(app, bool(settings.keys))
    return app


def from_environment() -> FastAPI:
    """The application of a worker process, by the settings that the starting process left for it."""
    gc.disable()  # until the model stands: nearly all that a start makes stays
    start_logging(logging.INFO)
    return make_app(Settings.from_json(os.environ[HANDED_DOWN]))


def _document(app: FastAPI, keys: bool) -> None:
    """Complete the OpenAPI document: the problem's schema, and how keys are given."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made()
            parts = document.setdefault("components", {})
            known = parts.setdefault("schemas", {})
            known |= schemas_of(VisitorRequest, ScoreRequest, QuestionRequest, PlaceRequest, FeedbackRequest, ProblemDocument)
            known.pop("HTTPValidationError", None)
            known.pop("ValidationError", None)
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].get("422", {}).get("content", {}).pop("application/json", None)
            if keys:
                parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
                for name, path in document["paths"].items():
                    for operation in path.values():
                        if not name.startswith("/health"):
                            operation["security"] = [{"key": []}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
