"""The transformer's forward pass for one person, inside a graph; `models.sequence` has the same in NumPy."""

from __future__ import annotations

import numpy as np

from likewise.artifact.export.entries import Entries
from likewise.artifact.export.graph import Graph, Value
from likewise.models.sequence import FittedSequential

LONGEST = 2**31


def fold_sequential(g: Graph, model: FittedSequential, told: Entries) -> Value:
    """The state after the last events; a graph is told no times, so the time between events is unknown to it."""
    config, weights = model.config, model.weights
    read = told.kept.slice([-config.window], [LONGEST])
    items = model.items if model.gaps is None else model.items + model.gaps[0]
    start = np.asarray(weights["start"], np.float32).reshape(1, -1)
    x = g.concat(start, g.constant(items).take(read)).slice([-config.window], [LONGEST])
    order = g.arange(x.length())
    apart = order.shaped(-1, 1) - order.shaped(1, -1)
    for n in range(config.blocks):
        x = _block(g, model, x, apart, f"blocks.{n}.")
    return _norm(g, model, x.slice([-1], [LONGEST]), "norm").shaped(-1)


def _block(g: Graph, model: FittedSequential, x: Value, apart: Value, name: str) -> Value:
    heads, width = model.config.heads, model.config.factors
    looked = _linear(g, model, _norm(g, model, x, name + "before"), name + "look").shaped(-1, 3, heads, width // heads)
    query, key, value = (looked.take(np.array(n), 1).turned(1, 0, 2) for n in range(3))  # [head, place, part]
    weight = query @ key.turned(0, 2, 1) * (width // heads) ** -0.5
    weight = weight + g.constant(model.weights[name + "distances"]).take(apart.most(0), 1)
    weight = g.choose(apart < 0, -np.inf, weight)
    seen = (weight.apply("Softmax", axis=-1) @ value).turned(1, 0, 2).shaped(-1, width)
    x = x + _linear(g, model, seen, name + "gather")
    wide = _linear(g, model, _norm(g, model, x, name + "after"), name + "widen").apply("Relu")
    return x + _linear(g, model, wide, name + "narrow")


def _linear(g: Graph, model: FittedSequential, x: Value, name: str) -> Value:
    return g.op("Gemm", x, model.weights[name + ".weight"], model.weights[name + ".bias"], transB=1)


def _norm(g: Graph, model: FittedSequential, x: Value, name: str) -> Value:
    return g.op("LayerNormalization", x, model.weights[name + ".weight"], model.weights[name + ".bias"], axis=-1, epsilon=1e-5)
