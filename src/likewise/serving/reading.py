"""What a request asks, read straight into its type, and the same said in the OpenAPI document.

The framework's own reading of parameters costs more than a list of a million-rating model does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, TypeAdapter, ValidationError

from likewise.serving.problems import Problem
from likewise.serving.schemas import Body, Id, Query

Q = TypeVar("Q", bound=Query)
B = TypeVar("B", bound=Body)
ID = TypeAdapter(Id)
REF = "#/components/schemas/{model}"


def query(request: Request, kind: type[Q]) -> Q:
    """The parameters after the question mark."""
    found: Q = _query(kind, request.scope["query_string"])
    return found


async def body(request: Request, kind: type[B]) -> B:
    """The JSON body."""
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Problem(415, "the body must be JSON, with Content-Type: application/json")
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid("body", error) from None


def path_id(request: Request, name: str) -> str:
    """An id in the address."""
    raw: str = request.path_params[name]
    if len(raw) > 200 or not raw.isprintable():
        try:
            ID.validate_python(raw)
        except ValidationError as error:
            raise invalid(f"path.{name}", error) from None
    return raw


def takes(query: type[Query] | None = None, body: type[Body] | None = None, path: str | None = None) -> dict[str, Any]:
    """The same for the OpenAPI document; models are completed by `schemas_of`."""
    said: dict[str, Any] = {}
    parameters: list[dict[str, Any]] = []
    if path is not None:
        parameters.append({"name": path, "in": "path", "required": True, "schema": ID.json_schema()})
    if query is not None:
        schema = query.model_json_schema()
        for name, one in schema["properties"].items():
            about = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": _without_null(one)}
            parameters.append(about | ({"description": one["description"]} if "description" in one else {}))
    if parameters:
        said["parameters"] = parameters
    if body is not None:
        reference = {"$ref": REF.format(model=body.__name__)}
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
    return said


def schemas_of(*models: type[BaseModel]) -> dict[str, Any]:
    """The schemas of bodies by name, each with what it refers to."""
    found: dict[str, Any] = {}
    for model in models:
        schema = model.model_json_schema(ref_template=REF)
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema
    _close_names(found)
    return found


def invalid(where: str, error: ValidationError) -> Problem:
    """What does not fit the schema; the value itself is not repeated."""
    errors = []
    for one in error.errors(include_url=False, include_context=False, include_input=False)[:10]:
        place = ".".join([where, *(str(part) for part in one["loc"])])[:200]
        errors.append({"where": place, "message": one["msg"].removeprefix("Value error, ")})
    return Problem(422, f"{errors[0]['where']}: {errors[0]['message']}", errors=errors)


@lru_cache(maxsize=1024)
def _query(kind: type[Q], text: bytes) -> Q:
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError:
        raise Problem(422, "the part after the question mark cannot be read as name=value&name=value in UTF-8") from None
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise Problem(422, "a parameter may be given once")
    try:
        return kind.model_validate(dict(pairs))
    except ValidationError as error:
        raise invalid("query", error) from None


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out is never the word null."""
    options = schema.get("anyOf")
    if not options:
        return {name: value for name, value in schema.items() if name != "description"}
    kept = [option for option in options if option != {"type": "null"}]
    return kept[0] if len(kept) == 1 else {"anyOf": kept}


def _close_names(schema: Any) -> None:
    """Say of mappings with ids as names that other names are refused: a pattern alone would let them pass unseen."""
    if isinstance(schema, dict):
        patterns = schema.pop("patternProperties", None)
        if patterns:
            ((_, value),) = patterns.items()
            schema |= {"additionalProperties": value, "propertyNames": ID.json_schema()}
        for part in schema.values():
            _close_names(part)
    elif isinstance(schema, list):
        for part in schema:
            _close_names(part)
