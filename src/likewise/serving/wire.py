"""Answers as JSON bytes: one shape for every list, put together from parts that are made once."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from fastapi import Response

from likewise.people.reasons import Reasons
from likewise.shapes import Floats, Rows

MOST_PARTS = 12
"""Own ratings shown one by one in a reason; the rest are summed."""


def dumps(value: Any) -> bytes:
    """A value as compact JSON; NaN and infinity become null."""
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def plain(value: Any) -> Any:
    """A value of what JSON knows alone."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return plain(value.item()) if hasattr(value, "item") else plain(value.to_list()) if hasattr(value, "to_list") else str(value)


def listed(fragments: Sequence[bytes], scores: Sequence[float], source: bytes, reasons: Sequence[Any] | None = None) -> bytes:
    """Items of a list, best first: rank, what is known of each, score, source, reasons."""
    parts = []
    for place, fragment in enumerate(fragments):
        extra = b"" if reasons is None else b',"reasons":' + dumps(reasons[place])
        parts.append(b'{"rank":%d,%b,"score":%.6g,"source":"%b"%b}' % (place + 1, fragment, scores[place], source, extra))
    return b"[" + b",".join(parts) + b"]"


def envelope(items: bytes, user: bytes, model: bytes, request_id: str) -> Response:
    """The one shape: items, user, model, request id."""
    body = b'{"items":%b,"user":%b,"model":%b,"request_id":"%b"}' % (items, user, model, request_id.encode())
    return Response(body, media_type="application/json")


def reason(found: Reasons) -> dict[str, Any]:
    """Why a score is what it is: parts that sum to `score`; `response` is the score through the link."""
    parts, others = [], 0.0
    own = 0
    for part, item_id, title, rating, contribution in found.frame.iter_rows():
        own += part == "taste"
        if part == "taste" and own > MOST_PARTS:
            others += contribution
            continue
        parts.append({"part": part, "item_id": item_id, "title": title, "rating": rating, "contribution": round(contribution, 6)})
    if own > MOST_PARTS:
        title = f"{own - MOST_PARTS} other items"
        parts.append({"part": "taste", "item_id": None, "title": title, "rating": None, "contribution": round(others, 6)})
    rest = found.score - sum(part["contribution"] for part in parts)
    if abs(rest) > 5e-5:
        parts.append({"part": "residual", "item_id": None, "title": None, "rating": None, "contribution": round(rest, 6)})
    return {"sentence": found.sentence(), "score": round(found.score, 6), "response": round(found.response, 6), "parts": parts}


def found(rows: Rows, scores: Floats) -> tuple[list[int], list[float]]:
    """The real places of one ranked list."""
    n = int((rows >= 0).sum())
    return rows[:n].tolist(), scores[:n].tolist()
