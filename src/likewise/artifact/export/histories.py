"""People who are histories, scored inside a graph: item weights, and the Markov chain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from likewise.artifact.export.entries import Entries, known_run, ragged_sums
from likewise.artifact.export.graph import Graph, Value
from likewise.models.ease import FittedEASE
from likewise.models.gram import weights_of
from likewise.models.item_weights import FactoredWeights, ItemWeights, SparseWeights
from likewise.models.markov import FittedMarkov

LONGEST = 2**31


def score_ease(g: Graph, model: FittedEASE, user: Value, told: Entries) -> Value:
    """Likes times item weights; the mean person's scores without likes."""
    known = model.known

    def of_user() -> list[Value]:
        rows = known_run(g, known.indptr, known.rows.astype(np.int64), user)
        weights = known_run(g, known.indptr, weights_of(known), user)
        return [g.concat(rows, np.zeros(1, np.int64)), g.concat(weights, np.zeros(1, np.float32))]

    def of_visitor() -> list[Value]:
        return [told.rows, told.likes(g, model.rule)]

    rows, weights = g.either(user >= 0, of_user, of_visitor)
    return g.choose(weights.sum(0, keep=True) > 0, weight_sums(g, model.weights, rows, weights), model.usual)


def score_markov(g: Graph, model: FittedMarkov, user: Value, told: Entries) -> Value:
    """What came after the last entries, and everybody's habits; the habits alone without entries."""
    known, window = model.known, model.config.window
    rows = g.either(
        user >= 0,
        lambda: [known_run(g, known.indptr, known.rows.astype(np.int64), user)],
        lambda: [told.kept],
    )[0].slice([-window], [LONGEST])
    ages = (np.float32(model.config.decay) ** np.arange(window - 1, -1, -1)).astype(np.float32)
    weights = g.constant(ages).slice(0 - rows.length(), [LONGEST])
    none = rows.length().equals(0)
    weights = g.choose(none, 0.0, g.concat(weights, np.zeros(1, np.float32)))
    rows = g.concat(rows, np.zeros(1, np.int64))
    left = np.bincount(np.repeat(np.arange(model.n_items), model.steps.counts), model.steps.filled(), model.n_items).astype(np.float32)
    shrinkage = np.float32(model.config.shrinkage)
    each = weights * g.constant((shrinkage / np.maximum(left + shrinkage, np.float32(1e-9))).astype(np.float32)).take(rows)
    share = g.choose(none, 1.0, each.sum(0, keep=True))
    sources = np.repeat(np.arange(model.n_items), model.steps.counts)
    transitions = replace(model.steps, values=(model.steps.filled() / (left[sources] + shrinkage)).astype(np.float32))
    return ragged_sums(g, transitions, rows, weights) + share * model.habit


def weight_sums(g: Graph, weights: ItemWeights, rows: Value, worth: Value) -> Value:
    """Sum over entries of their worth times their row of the item weights, float32 [item]."""
    if isinstance(weights, SparseWeights):
        return ragged_sums(g, weights.ragged, rows, worth)
    if isinstance(weights, FactoredWeights):
        person = (g.constant(weights.left).take(rows) * worth.shaped(-1, 1)).sum(0)
        scores = g.constant(weights.right) @ person
        own = worth * g.constant(weights.own).take(rows) * -1.0
        return g.op("ScatterElements", scores, rows, own, axis=0, reduction="add")
    dense = weights.state()["dense"]
    return (worth.shaped(1, -1) @ g.constant(dense).take(rows)).shaped(-1)
