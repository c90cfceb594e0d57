"""One ONNX file that answers whole requests: a known user or a visitor's history in, the best items and their scores out.

   user int64 [1]            row of a known user; -1 for a visitor
   items int64 [entries]     a visitor's history in item rows, oldest first, each item once; -1 is left out
   ratings float [entries]   what they gave; a like is the top of the range; not read by models of likes alone
   exclude int64 [excluded]  item rows that must not be shown, usually the history; -1 is left out
   allowed bool [items]      items that may be shown; an empty one allows all
   k int64 [1]
-> rows int64 [length]       best first; fewer than k where fewer are left
   scores, responses float [length]     before and after the link
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from likewise.artifact.export.entries import Entries
from likewise.artifact.export.graph import Graph, Value
from likewise.artifact.export.histories import score_ease, score_markov
from likewise.artifact.export.posterior import cdf, fold_posterior
from likewise.artifact.export.sequence import fold_sequential
from likewise.artifact.export.vectors import fold_bias, fold_dot, fold_implicit, fold_popularity, fold_softmax, fold_sums
from likewise.artifact.store import Saved
from likewise.errors import ArtifactError, InputError, MissingExtraError
from likewise.models.base import FittedModel
from likewise.models.blend import FittedBlend
from likewise.models.link import Link
from likewise.models.registry import fitted_name

VECTORS: dict[str, Callable[..., Value]] = {
    "popularity": fold_popularity,
    "bias": fold_bias,
    "dot": fold_dot,
    "implicit": fold_implicit,
    "softmax": fold_softmax,
    "sums": fold_sums,
    "posterior": fold_posterior,
    "sequential": fold_sequential,
}
"""Fitted models whose people are vectors: what folds a visitor in."""
HISTORIES: dict[str, Callable[..., Value]] = {"ease": score_ease, "markov": score_markov}
"""Fitted models whose people are histories: what scores them."""
EXPORTED = "dot, two-tower with a dot head, svdpp, autorec, ease, sequential, markov, bias, popularity, and blends of these"
ONE_FILE = 1_500_000_000
"""Bytes of arrays beyond which they are kept in a file of their own beside the graph: a graph may not exceed 2 GiB."""


def export_onnx(saved: Saved, path: str | Path) -> list[Path]:
    """Write the model as an ONNX file, and `PATH.ids.json` with the ids that its rows stand for; the files come back.

    Raises
    ------
    InputError
        For a model that cannot be written as a graph of this kind; the message names those that can.
    MissingExtraError
        Without the packages of the extra "export".
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("export", "an ONNX export") from error
    path = Path(path)
    model = graph_of(saved)
    ids = path.with_name(path.name + ".ids.json")
    beside = path.with_name(path.name + ".data")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)  # arrays are appended to what is there
        large = sum(len(array.raw_data) for array in model.graph.initializer) > ONE_FILE
        onnx.save_model(model, path, save_as_external_data=large, location=beside.name)
        ids.write_text(json.dumps(_ids(saved), ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise ArtifactError(f"could not write {path}: {error.strerror or error}") from error
    return [path, ids, *([beside] if large else [])]


def graph_of(saved: Saved) -> Any:
    """The checked ONNX model; see the head of this file for its inputs and outputs."""
    fitted = saved.fitted
    g = Graph()
    user = g.input("user", np.int64, [1])
    told = Entries.of(g, g.input("items", np.int64, ["entries"]), g.input("ratings", np.float32, ["entries"]), saved.data.explicit)
    exclude, allowed = g.input("exclude", np.int64, ["excluded"]), g.input("allowed", np.bool_, ["allowed_items"])
    k = g.input("k", np.int64, [1])
    scores = _scores(g, fitted, user, told)
    rows, best = _ranked(g, scores, exclude, allowed, k, fitted.n_items)
    outputs = {"rows": (rows, ["length"]), "scores": (best, ["length"]), "responses": (_response(g, fitted.link, best), ["length"])}
    return g.finish(outputs, _about(saved), __doc__ or "")


def _scores(g: Graph, fitted: FittedModel[Any], user: Value, told: Entries) -> Value:
    """Scores of all items, float32 [item]."""
    if isinstance(fitted, FittedBlend):
        parts = [_scores(g, part, user, told) * share for part, share in zip(fitted.models, fitted.shares, strict=True)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total
    name = fitted_name(fitted)
    if name in HISTORIES:
        return HISTORIES[name](g, fitted, user, told)
    if name not in VECTORS or fitted.item_vectors is None:
        raise InputError(f"a model of {type(fitted.config).__name__!r} cannot be exported to ONNX; these can: {EXPORTED}")
    people = fitted.people(np.arange(fitted.n_users, dtype=np.int32))
    person = g.either(
        user >= 0,
        lambda: [g.constant(people).take(user).shaped(-1)],
        lambda: [VECTORS[name](g, fitted, told)],
    )[0]
    return (g.constant(fitted.item_vectors) @ person.shaped(-1, 1)).shaped(-1)


def _ranked(g: Graph, scores: Value, exclude: Value, allowed: Value, k: Value, n_items: int) -> tuple[Value, Value]:
    """The k best rows that may be shown and their scores; equal scores go to the lower row."""
    nothing = np.array(-np.inf, np.float32)
    everything = g.concat(allowed, np.ones(n_items, np.bool_)).slice([0], [n_items])
    scores = g.choose(everything, scores, nothing)
    hidden = exclude.where(exclude >= 0)
    scores = g.op("ScatterElements", scores, hidden, g.filled(-np.inf, hidden.length(), np.float32), axis=0)
    real = scores > nothing  # not a number is not greater either
    length = k.least(real.to(np.int64).sum(0, keep=True)).most(0)
    best, rows = g.ops("TopK", [g.choose(real, scores, nothing), length], (np.float32, np.int64), axis=0)
    return rows, best


def _response(g: Graph, link: Link, score: Value) -> Value:
    """`Link.respond` inside the graph."""
    if link.kind == "free":
        return score
    if link.kind == "clip":
        return score.most(link.low).least(link.high)
    if link.kind == "levels":
        mean = score * 0.0 + link.levels[0]
        for cut, below, above in zip(link.cuts, link.levels[:-1], link.levels[1:], strict=True):
            mean = mean + cdf(g, (score - cut) / link.blur) * (above - below)
        return mean
    low, high = (0.0, 1.0) if link.kind == "logistic" else (link.low, link.high)
    return ((score * 0.5).apply("Tanh") * 0.5 + 0.5) * (high - low) + low


def _about(saved: Saved) -> dict[str, str]:
    from likewise import __version__

    data = saved.data
    facts = {"likewise": __version__, "model": saved.model.name, "fitted": fitted_name(saved.fitted), "fingerprint": data.fingerprint}
    return facts | {"users": str(saved.fitted.n_users), "items": str(saved.fitted.n_items), "rating_range": json.dumps(data.rating_range)}


def _ids(saved: Saved) -> dict[str, Any]:
    """Ids in row order, and titles where there are any."""
    data = saved.data
    titles = None if data.titles is None else data.titles.to_list()
    return {"users": data.users.ids.to_list(), "items": data.items.ids.to_list(), "titles": titles, "rating_range": data.rating_range}
