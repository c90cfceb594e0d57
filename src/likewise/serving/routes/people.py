"""Addresses about people: lists, scores, questions, and who is alike."""

from __future__ import annotations

import asyncio

import numpy as np
from fastapi import APIRouter, Request, Response

from likewise.errors import InputError
from likewise.ranking.similar import similar
from likewise.serving import reading, schemas, wire
from likewise.serving.loaded import Loaded
from likewise.serving.person import Person, find
from likewise.serving.problems import Problem, documented
from likewise.serving.service import Service


def people(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["people"], responses=documented())

    @routes.get(
        "/users/{user_id}/recommendations",
        response_model=schemas.Answer,
        summary="The best items for a user",
        openapi_extra=reading.takes(schemas.Knobs, path="user_id"),
    )
    async def recommendations(request: Request) -> Response:
        """Best first. New feedback of a known user is folded in; an id that is not known gets what is popular."""
        asked = reading.query(request, schemas.Knobs)
        model = service.models.of(asked.model)
        person = await service.person(model, reading.path_id(request, "user_id"))
        return await service.answer(request, model, person, asked)

    @routes.post(
        "/recommendations",
        response_model=schemas.Answer,
        summary="The best items for a visitor",
        openapi_extra=reading.takes(body=schemas.VisitorRequest),
    )
    async def visitor(request: Request) -> Response:
        """By ratings, likes and features; nothing is kept."""
        asked = await reading.body(request, schemas.VisitorRequest)
        model = service.models.of(asked.model)
        service.check_entries(asked.ratings, asked.likes)
        person = await service.run(model, model.stranger, asked.ratings, asked.likes, asked.features)
        return await service.answer(request, model, person, asked)

    return routes


def people_asked(service: Service) -> APIRouter:
    """The routes that score and ask."""
    routes = APIRouter(tags=["people"], responses=documented())

    @routes.post(
        "/scores",
        response_model=schemas.Answer,
        summary="What a person would give these items",
        openapi_extra=reading.takes(body=schemas.ScoreRequest),
    )
    async def scores(request: Request) -> Response:
        """In the order asked; an item that is not known gets the population's answer and the source "cold"."""
        asked = await reading.body(request, schemas.ScoreRequest)
        model = service.models.of(asked.model)
        service.check_entries(asked.ratings, asked.likes, asked.items)
        person = await whom(service, model, asked)
        return await asyncio.to_thread(_scores, model, person, asked, request.scope["request_id"])

    @routes.post(
        "/questions",
        response_model=schemas.Answer,
        summary="What to ask a visitor next",
        openapi_extra=reading.takes(body=schemas.QuestionRequest),
    )
    async def questions(request: Request) -> Response:
        """Items whose answer would tell most, of those not said anything of."""
        asked = await reading.body(request, schemas.QuestionRequest)
        model = service.models.of(asked.model)
        service.check_entries(asked.ratings, asked.likes, asked.asked)
        person = await whom(service, model, asked)
        return await asyncio.to_thread(_questions, model, person, asked, request.scope["request_id"])

    return routes


def users(service: Service) -> APIRouter:
    """The routes about one known user."""
    routes = APIRouter(prefix="/users/{user_id}", tags=["people"], responses=documented(404))

    @routes.get(
        "", response_model=schemas.Answer, summary="A user and their history", openapi_extra=reading.takes(schemas.Some, path="user_id")
    )
    async def user(request: Request) -> Response:
        """The newest n of what they did, feedback included; `score` is their rating."""
        asked = reading.query(request, schemas.Some)
        model = service.models.of(asked.model)
        service.check_length(asked.n)
        person = await known(service, model, reading.path_id(request, "user_id"))
        return _history(model, person, asked.n, request.scope["request_id"])

    @routes.get(
        "/similar",
        response_model=schemas.LikeUsers,
        summary="Users of like taste",
        openapi_extra=reading.takes(schemas.Some, path="user_id"),
    )
    async def alike(request: Request) -> Response:
        """By the cosine of their factors, best first."""
        asked = reading.query(request, schemas.Some)
        model = service.models.of(asked.model)
        service.check_length(asked.n)
        return await asyncio.to_thread(_alike, model, reading.path_id(request, "user_id"), asked.n, request.scope["request_id"])

    return routes


async def whom(service: Service, model: Loaded, asked: schemas.Said) -> Person:
    """The person that a body names or describes."""
    if asked.user_id is not None and (asked.ratings or asked.likes or asked.features):
        raise Problem(400, "give user_id, or ratings, likes and features; together they would be ambiguous")
    if asked.user_id is not None:
        return await service.person(model, asked.user_id)
    return await service.run(model, model.stranger, asked.ratings, asked.likes, asked.features)


async def known(service: Service, model: Loaded, user_id: str) -> Person:
    """A person with a history; a 404 for anybody else."""
    person = await service.person(model, user_id)
    if person.status == "cold":
        raise Problem(404, "there is no user with this id: no history and no feedback")
    return person


def _scores(model: Loaded, person: Person, asked: schemas.ScoreRequest, request_id: str) -> Response:
    rows = [find(model.items, raw) for raw in asked.items]
    responses = model.responses(person, rows)
    lines = []
    for place, (raw, row, score) in enumerate(zip(asked.items, rows, responses, strict=True), start=1):
        fragment = wire.dumps({"item_id": raw, "title": None, "about": {}})[1:-1] if row < 0 else model.fragment(row)
        source = "cold" if row < 0 else person.status
        reasons = b',"reasons":' + wire.dumps(model.reasons(person, [row])[0]) if asked.explain and row >= 0 else b""
        lines.append(b'{"rank":%d,%b,"score":%.6g,"source":"%b"%b}' % (place, fragment, score, source.encode(), reasons))
    return wire.envelope(b"[" + b",".join(lines) + b"]", person.wire, model.wire, request_id)


def _questions(model: Loaded, person: Person, asked: schemas.QuestionRequest, request_id: str) -> Response:
    skip = [row for row in (find(model.items, raw) for raw in asked.asked) if row >= 0]
    found, _, _ = model.questionnaire.ask(person.history, np.array(sorted(set(skip)), np.int32), asked.n)
    rows = [int(row) for row in found]
    items = wire.listed([model.fragment(row) for row in rows], model.responses(person, rows), b"question")
    return wire.envelope(items, person.wire, model.wire, request_id)


def _history(model: Loaded, person: Person, n: int, request_id: str) -> Response:
    rows = person.history.rows[::-1][:n].tolist()
    ratings = person.history.ratings
    scores = [1.0] * len(rows) if ratings is None else [float(value) for value in ratings[::-1][:n]]
    items = wire.listed([model.fragment(row) for row in rows], scores, b"history")
    return wire.envelope(items, person.wire, model.wire, request_id)


def _alike(model: Loaded, user_id: str, n: int, request_id: str) -> Response:
    row = find(model.users, user_id)
    if row < 0:
        raise Problem(404, "the model knows no user with this id")
    factors = model.answers.fitted.factors("user")
    if factors is None:
        raise InputError(f"{model.manifest['model']['name']} has no user factors, so nobody is alike; serve a model of vectors such as dot")
    ranked = similar(factors, np.array([row], np.int32), n, threads=1)
    rows, scores = wire.found(ranked.items[0], ranked.scores[0])
    lines = [
        {"rank": place, "user_id": str(model.users.id(one)), "score": round(score, 6)}
        for place, (one, score) in enumerate(zip(rows, scores, strict=True), start=1)
    ]
    body = b'{"users":%b,"model":%b,"request_id":"%b"}' % (wire.dumps(lines), model.wire, request_id.encode())
    return Response(body, media_type="application/json")
