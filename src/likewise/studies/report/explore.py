"""The numbers behind the map, the search box and the neighbours: one compact table of items that the page's script reads."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from likewise.answers import Answers
from likewise.errors import InputError
from likewise.insight.axes import Axes
from likewise.insight.biases import Biases
from likewise.insight.maps import map_of
from likewise.ranking.similar import similar

MOST = 10_000
"""Items that the page holds; beyond that those with the most ratings, and it says so."""
NEAR = 10
LEAST = 5
"""Ratings that an item needs to be called somebody's neighbour."""
GROUPS = 7


def items_of(answers: Answers, axes: Axes, biases: Biases) -> tuple[str, str, list[str]]:
    """The table as JSON that is safe inside a page, a remark on what was left out, and the names of the groups of colour."""
    factors = answers.fitted.factors("item")
    if factors is None:
        raise InputError(f"{type(answers.fitted.config).__name__} has no item factors, so there is no map and nobody's neighbours")
    drawn = map_of(answers, least=1, most=MOST)
    frame = drawn.frame.sort("count", descending=True, maintain_order=True)
    rows = frame["row"].to_numpy()
    place = np.full(len(factors), -1, np.int64)
    place[rows] = np.arange(len(rows))
    count = frame["count"].to_numpy()
    near, alike = _neighbours(factors[rows], count)
    told = biases.frame.sort("row")[rows]
    labels, group, kinds = _groups(answers, rows)
    spread = axes.places.std(0)
    stands = np.clip(np.round(10 * axes.places[rows] / np.where(spread > 0, spread, 1)), -127, 127)
    x, y = (_spread(frame[name].to_numpy()) for name in ("x", "y"))
    table: dict[str, Any] = {
        "n": len(rows),
        "near": near.shape[1],
        "names": frame["name"].to_list(),
        "kinds": kinds,
        "groups": labels,
        "axes": [_ends(axis.name, axis.number) for axis in axes.axes],
        "x": _packed(x, np.int16),
        "y": _packed(y, np.int16),
        "count": _packed(count, np.int32),
        "group": _packed(group, np.uint8),
        "neighbours": _packed(near, np.uint16),
        "alike": _packed(np.clip(100 * alike, 0, 100), np.uint8),
        "shared": _packed(_shared(answers, rows, near), np.int32),
        "mean": _packed(100 * told["mean"].fill_nan(0).to_numpy(), np.int16),
        "low": _packed(100 * told["low"].to_numpy(), np.int16),
        "high": _packed(100 * told["high"].to_numpy(), np.int16),
        "stands": _packed(stands, np.int8),
        "explicit": answers.data.explicit,
    }
    return embedded(table), drawn.note, labels


def embedded(value: Any) -> str:
    """JSON that can stand inside a script element: it holds no sign that HTML could read."""
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign, code in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        plain = plain.replace(sign, code)
    return plain


def _packed(values: Any, kind: type[np.integer[Any]]) -> str:
    limits = np.iinfo(kind)
    whole = np.clip(np.round(np.nan_to_num(np.asarray(values, np.float64))), limits.min, limits.max)
    return base64.b64encode(np.ascontiguousarray(whole.astype(np.dtype(kind).newbyteorder("<"))).tobytes()).decode("ascii")


def _neighbours(factors: Any, count: Any) -> tuple[Any, Any]:
    """Rows of the nearest items with ratings enough, and their cosines."""
    enough = count >= min(LEAST, int(np.sort(count)[::-1][: NEAR + 1][-1]))
    k = min(NEAR, max(int(enough.sum()) - 1, 0))
    if not k:
        return np.zeros((len(factors), 0), np.int64), np.zeros((len(factors), 0))
    found = similar(factors, np.arange(len(factors), dtype=np.int32), k, allowed=enough)
    return np.maximum(found.items, 0), found.scores


def _shared(answers: Answers, rows: Any, near: Any) -> Any:
    """How many people had both."""
    by_item = answers.data.interactions.by_item
    mark = np.zeros(answers.data.n_users, np.bool_)
    shared = np.zeros(near.shape, np.int64)
    for n, row in enumerate(rows):
        mine = by_item.rows[by_item.indptr[row] : by_item.indptr[row + 1]]
        mark[mine] = True
        for j, other in enumerate(near[n]):
            start = rows[other]
            shared[n, j] = mark[by_item.rows[by_item.indptr[start] : by_item.indptr[start + 1]]].sum()
        mark[mine] = False
    return shared


def _groups(answers: Answers, rows: Any) -> tuple[list[str], Any, list[str]]:
    """Names of the commonest kinds, the kind that colours each item (its rarest among them), and all kinds of each as text."""
    features = answers.data.item_features
    blocks = [] if features is None else [b for b in features.blocks if b.kind in ("set", "category")]
    if not blocks:
        return [], np.full(len(rows), 255), [""] * len(rows)
    block = next((b for b in blocks if b.name == "genres"), min(blocks, key=lambda b: abs(len(b.columns) - 12)))
    has = block.matrix.toarray()[rows] > 0
    names = [column.partition("=")[2] for column in block.columns]
    often = has.sum(0)
    common = [int(n) for n in np.argsort(-often, kind="stable")[:GROUPS]]
    rarest = sorted(range(len(common)), key=lambda g: int(often[common[g]]))
    group = np.full(len(rows), 255)
    for g in reversed(rarest):
        group[has[:, common[g]]] = g
    kinds = [", ".join(names[n] for n in np.flatnonzero(row)) for row in has]
    return [names[n] for n in common], group, kinds


def _spread(values: Any) -> Any:
    """Places from -30,000 to 30,000; the few furthest out are brought in, so that they do not shrink all the others."""
    middle = np.median(values)
    reach = float(np.quantile(np.abs(values - middle), 0.995)) or 1.0
    return np.clip((values - middle) / reach, -1.08, 1.08) * 27_000


def _ends(name: str, number: int) -> list[str]:
    ends = name.split(" - ")
    return ends if len(ends) == 2 else [f"axis {number} −", f"axis {number} +"]
