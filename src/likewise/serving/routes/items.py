"""Addresses about items: search, what is known of one, what is alike, the map."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response

from likewise.errors import InputError
from likewise.ranking.similar import similar
from likewise.serving import reading, schemas, wire
from likewise.serving.fans import effect_of, fans_of, ratings_of
from likewise.serving.loaded import Loaded
from likewise.serving.person import factors_of, find
from likewise.serving.problems import Problem, documented
from likewise.serving.routes.people import whom
from likewise.serving.service import Service


def items(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["items"], responses=documented(404))

    @routes.get("/items", response_model=schemas.Answer, summary="Items by title", openapi_extra=reading.takes(schemas.Find))
    async def search(request: Request) -> Response:
        """Typing errors allowed; `score` is how well the title fits, in percent. An empty query gives the most popular items."""
        asked = reading.query(request, schemas.Find)
        model = service.models.of(asked.model)
        service.check_length(asked.n)
        places = await asyncio.to_thread(lambda: model.search.find(asked.query, asked.n))
        rows, scores = [row for row, _ in places], [score for _, score in places]
        listed = wire.listed([model.fragment(row) for row in rows], scores, b"search" if asked.query else b"popular")
        return wire.envelope(listed, b"null", model.wire, request.scope["request_id"])

    @routes.get(
        "/items/{item_id}", response_model=schemas.ItemPage, summary="An item", openapi_extra=reading.takes(schemas.Which, path="item_id")
    )
    async def item(request: Request) -> Response:
        """What is known of it, how it was rated, how far that lies from what its raters usually give, and what its fans also like."""
        asked = reading.query(request, schemas.Which)
        model = service.models.of(asked.model)
        row = known(model, reading.path_id(request, "item_id"))
        body = await asyncio.to_thread(_item, model, row)
        return Response(body[:-1] + b',"request_id":"%b"}' % request.scope["request_id"].encode(), media_type="application/json")

    @routes.get(
        "/items/{item_id}/similar",
        response_model=schemas.Answer,
        summary="Items that are alike",
        openapi_extra=reading.takes(schemas.Some, path="item_id"),
    )
    async def alike(request: Request) -> Response:
        """By the cosine of what the model learned of them, best first."""
        asked = reading.query(request, schemas.Some)
        model = service.models.of(asked.model)
        service.check_length(asked.n)
        row = known(model, reading.path_id(request, "item_id"))
        rows, scores = await asyncio.to_thread(_alike, model, row, asked.n)
        listed = wire.listed([model.fragment(one) for one in rows], scores, b"similar")
        return wire.envelope(listed, b"null", model.wire, request.scope["request_id"])

    return routes


def maps(service: Service) -> APIRouter:
    """The routes of the map."""
    routes = APIRouter(tags=["items"], responses=documented())

    @routes.get("/map", response_model=schemas.Map, summary="The map of items", openapi_extra=reading.takes(schemas.Some))
    async def chart(request: Request) -> Response:
        """The n best known items on the two directions in which the model tells items most apart."""
        asked = reading.query(request, schemas.Some)
        model = service.models.of(asked.model)
        body = await asyncio.to_thread(_map, model, asked.n)
        return Response(body[:-1] + b',"request_id":"%b"}' % request.scope["request_id"].encode(), media_type="application/json")

    @routes.post("/map", response_model=schemas.You, summary="A person on the map", openapi_extra=reading.takes(body=schemas.PlaceRequest))
    async def place(request: Request) -> Response:
        """Where a person's taste points on the map of items."""
        asked = await reading.body(request, schemas.PlaceRequest)
        model = service.models.of(asked.model)
        person = await whom(service, model, asked)
        plane, factors = model.plane, factors_of(person.vector)
        you = None
        if plane is not None and factors is not None and len(factors) >= len(plane.centre) and person.status != "cold":
            x, y = plane.towards(factors[: len(plane.centre)] - model.middle)
            you = {"x": float(x), "y": float(y)}
        body = b'{"place":%b,"model":%b,"request_id":"%b"}' % (wire.dumps(you), model.wire, request.scope["request_id"].encode())
        return Response(body, media_type="application/json")

    return routes


def known(model: Loaded, item_id: str) -> int:
    """The row of an item; a 404 where there is none."""
    row = find(model.items, item_id)
    if row < 0:
        raise Problem(404, "there is no item with this id")
    return row


def _item(model: Loaded, row: int) -> bytes:
    fans: list[dict[str, Any]] = []
    for other, together, lift in fans_of(model.answers.data, row):
        about = {"item_id": str(model.items.id(other)), "title": model.answers.name(other)}
        fans.append({**about, "together": together, "lift": round(lift, 2)})
    item = {"item_id": str(model.items.id(row)), "title": model.answers.name(row), "about": model.about(row)}
    ratings = ratings_of(model.answers.data, row)
    page = {"item": item, "ratings": ratings, "effect": effect_of(model.answers.data, row), "fans": fans}
    return wire.dumps(page)[:-1] + b',"model":' + model.wire + b"}"


def _alike(model: Loaded, row: int, n: int) -> tuple[list[int], list[float]]:
    factors = model.answers.fitted.factors("item")
    if factors is None:
        name = model.manifest["model"]["name"]
        raise InputError(f"{name} has no item factors, so nothing is alike; serve a model of vectors such as dot")
    ranked = similar(factors, np.array([row], np.int32), n, threads=1)
    return wire.found(ranked.items[0], ranked.scores[0])


def _map(model: Loaded, n: int) -> bytes:
    plane, factors = model.plane, model.answers.fitted.factors("item")
    if plane is None or factors is None:
        name = model.manifest["model"]["name"]
        raise InputError(f"{name} has no item factors, so there is no map; serve a model of vectors such as dot")
    rows = model.search.order[:n]
    places = plane.place(np.asarray(factors[rows], np.float32))
    points = []
    for row, (x, y) in zip(rows.tolist(), places.tolist(), strict=True):
        group = model.group(row)
        points.append(
            {"item_id": str(model.items.id(row)), "title": model.answers.name(row), "group": group, "x": round(x, 4), "y": round(y, 4)}
        )
    return wire.dumps({"points": points, "explained": list(plane.explained)})[:-1] + b',"model":' + model.wire + b"}"
