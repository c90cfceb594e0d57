"""The explorer page: its own files, and Plotly's bundle from the installed Python package."""

from __future__ import annotations

import gzip
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response

from likewise.serving.problems import Problem
from likewise.serving.security import PAGE_POLICY

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/manifest+json",
}
PLOTLY = "plotly.min.js"


def page() -> APIRouter:
    """The routes; they tell nothing of the model and need no key."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def home() -> Response:
        return Response(status_code=307, headers={"location": "/explore"})

    @routes.get("/favicon.ico")
    async def icon(request: Request) -> Response:
        return served(request, "icon.svg")

    @routes.get("/explore")
    async def explorer(request: Request) -> Response:
        return served(request, "index.html")

    @routes.get("/explore/{name}")
    async def file(request: Request, name: str) -> Response:
        return served(request, name)

    return routes


def served(request: Request, name: str) -> Response:
    """A file of the page, compressed where the browser takes that; 304 where it has it."""
    found = page_file(name)
    if found is None:
        raise Problem(404, "the page has no such file")
    content, packed, kind, tag = found
    headers = {"etag": tag, "cache-control": "no-cache", "content-security-policy": PAGE_POLICY, "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, headers={**headers, "content-encoding": "gzip"}, media_type=kind)
    return Response(content, headers=headers, media_type=kind)


@lru_cache(maxsize=64)
def page_file(name: str) -> tuple[bytes, bytes, str, str] | None:
    """A file's content, the same packed, its type and tag; None where there is none. Names are looked up, never joined to a path."""
    if name == PLOTLY:
        spec = find_spec("plotly")
        if spec is None or spec.origin is None:
            return None
        content = (Path(spec.origin).parent / "package_data" / PLOTLY).read_bytes()
    else:
        own = {entry.name: entry for entry in files("likewise.serving.explorer").iterdir() if entry.is_file()}
        if name not in own or Path(name).suffix not in TYPES:
            return None
        content = own[name].read_bytes()
    kind = TYPES[Path(name).suffix]
    return content, gzip.compress(content, 6), kind, f'"{sha256(content).hexdigest()[:16]}"'
