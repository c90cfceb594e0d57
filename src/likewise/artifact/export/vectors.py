"""People who are vectors, folded in inside a graph: ridge rows of dot products and sums, likes of ALS and softmax, levels, counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likewise.artifact.export.entries import Entries
from likewise.artifact.export.graph import Graph, Value
from likewise.artifact.export.solve import TINY, conjugate_gradients
from likewise.models.bias import FittedBias
from likewise.models.chances import NEWTON, STEPS as STEPS_OF_CHOICES
from likewise.models.dot import FittedDot
from likewise.models.implicit import FittedImplicit
from likewise.models.link import Link
from likewise.models.networks.sums import FittedSums
from likewise.models.popularity import FittedPopularity
from likewise.models.ridge_rows import gram_of
from likewise.models.rows import STEPS, RowPrior
from likewise.models.softmax import FittedSoftmax
from likewise.shapes import Floats

Doubles = NDArray[np.float64]


def fold_popularity(g: Graph, model: FittedPopularity, told: Entries) -> Value:
    """Everybody is the vector (1)."""
    return g.constant(np.ones(1, np.float32))


def fold_bias(g: Graph, model: FittedBias, told: Entries) -> Value:
    """(1, mean + damped mean of what the items leave over)."""
    left = (told.ratings - model.levels.mean - g.constant(model.levels.items).take(told.rows)) * told.worth
    evidence = told.count + model.levels.user_damping
    own = g.choose(evidence > 0, left.to(np.float64).sum(0, keep=True).to(np.float32) / evidence.most(1e-9), 0.0)
    return g.concat(np.ones(1, np.float32), own + model.levels.mean)


def fold_dot(g: Graph, model: FittedDot, told: Entries) -> Value:
    """(factors, mean + bias, 1)."""
    ones = np.full((model.n_items, 1), 1 if model.config.bias else 0, np.float32)
    design = np.hstack([model.item_factors, ones])
    row = ridge_row(g, told, design, model.mean + model.item_bias, model.user_prior, model.noise, model.link, None)
    mask = np.append(np.ones(design.shape[1] - 1), float(model.config.bias)).astype(np.float32)
    return _as_person(g, row * mask, model.mean)


def fold_sums(g: Graph, model: FittedSums, told: Entries) -> Value:
    """The same, beside what having rated the items adds; a visitor without features adds none of theirs."""
    design = np.column_stack([model.items[:, :-1], np.ones(model.n_items, np.float32)]).astype(np.float32)
    given = None
    if model.implicit is not None:
        rows = np.column_stack([model.implicit, np.zeros(len(model.implicit), np.float32)]).astype(np.float32)
        scale = told.worth / told.count.most(1.0).apply("Sqrt")
        given = (g.constant(rows).take(told.rows) * scale.shaped(-1, 1)).sum(0)
    row = ridge_row(g, told, design, model.mean + model.items[:, -1], model.user_prior, model.noise, model.link, given)
    return _as_person(g, row if given is None else row + given, model.mean)


def fold_implicit(g: Graph, model: FittedImplicit, told: Entries) -> Value:
    """The optimum of the weighted loss for these likes; the usual person without any."""
    scales, turn = np.linalg.eigh(gram_of(model.item_factors).astype(np.float64))
    weights = told.likes(g, model.rule).to(np.float64)
    total = weights.sum(0, keep=True)
    ridge = (total + model.penalty.unobserved * model.n_items) ** model.penalty.exponent * model.penalty.l2
    design = g.constant(model.item_factors).take(told.rows).to(np.float64) @ g.constant(turn)
    base = ridge + model.penalty.unobserved * np.maximum(scales, 0)
    right = (design * weights.shaped(-1, 1)).sum(0)
    row = g.constant(turn) @ conjugate_gradients(g, base, design, weights, right, len(scales))
    return g.choose(total > 0, row.to(np.float32), model.usual)


def fold_softmax(g: Graph, model: FittedSoftmax, told: Entries) -> Value:
    """(row, 1), the row by the steps of `models.chances` in double precision; the usual person without likes."""
    weighing = model.weighing
    mass = told.count.most(1.0).to(np.float64) ** (1.0 - weighing.users) * weighing.scale
    each = mass / told.count.most(1.0).to(np.float64)
    power, times = weighing.held
    ridge = (mass / weighing.usual_user) ** (1.0 - power) * (times * weighing.l2 * weighing.usual_user)
    items, bias = g.constant(model.item_factors.astype(np.float64)), g.constant(model.item_bias.astype(np.float64))
    wanted = (items.take(told.rows) * (told.worth.to(np.float64) * each).shaped(-1, 1)).sum(0)
    across = items.turned(1, 0)

    def downhill(chance: Value, x: Value) -> Value:
        return wanted - across @ chance * mass - ridge * x

    def step(_: Value, x: Value, logits: Value, steepest: Value, direction: Value) -> tuple[Value, list[Value]]:
        move = items @ direction
        reach = (x * 0.0).sum(0, keep=True)
        for _n in range(NEWTON):
            chance = (logits + reach * move).apply("Softmax", axis=0)
            mean = (chance * move).sum(0, keep=True)
            first = mass * mean - (wanted * direction).sum(0, keep=True) + ridge * ((x + reach * direction) * direction).sum(0, keep=True)
            second = mass * ((chance * move * move).sum(0, keep=True) - mean * mean) + ridge * (direction * direction).sum(0, keep=True)
            reach = reach - first / second.most(TINY)
        reach = reach.most(0.0)
        x, logits = x + reach * direction, logits + reach * move
        new = downhill(logits.apply("Softmax", axis=0), x)
        turn = ((new * (new - steepest)).sum(0, keep=True) / (steepest * steepest).sum(0, keep=True).most(TINY)).most(0.0)
        return ((new * new).sum(0, keep=True) > 1e-16).any(), [x, logits, new, new + turn * direction]

    nowhere = wanted * 0.0
    begin = downhill(bias.apply("Softmax", axis=0), nowhere)
    row = g.loop(STEPS_OF_CHOICES, None, [nowhere, bias, begin, begin], step)[0].to(np.float32)
    return g.concat(g.choose(told.count > 0, row, model.usual), np.ones(1, np.float32))


def ridge_row(
    g: Graph, told: Entries, design: Floats, offsets: Floats, prior: RowPrior, noise: float, link: Link, given: Value | None
) -> Value:
    """What `models.rows.solve_rows` finds for one person, float32 [column]; `given` is a part of the row that is known already.

    Solved for the difference from the prior's mean, in the basis in which the prior's precision is one and the mean outer product of
    the designs is diagonal: there conjugate gradients need few steps.
    """
    back = usual_basis(design, prior)
    mean = prior.mean.astype(np.float64)
    d = g.constant(design).take(told.rows).to(np.float64)
    level = g.constant(design.astype(np.float64) @ mean + offsets.astype(np.float64)).take(told.rows)
    level = level if given is None else level + d @ given.to(np.float64)
    turned, ratings = d @ g.constant(back), told.ratings.to(np.float64)
    trust = told.worth.to(np.float64) * (1.0 / max(noise, 1e-6))
    one = g.constant(np.ones(len(mean)))

    def solved(strength: Value, target: Value) -> Value:
        right = (turned * (strength * target).shaped(-1, 1)).sum(0)
        return conjugate_gradients(g, one, turned, strength, right, len(mean))

    if link.kind not in ("sigmoid", "logistic"):
        row = solved(trust, ratings - level)
    else:
        low, high = (0.0, 1.0) if link.kind == "logistic" else (link.low, link.high)
        row = one * 0.0
        for _ in range(STEPS):
            linear = turned @ row
            half = ((linear + level) * 0.5).apply("Tanh") * 0.5 + 0.5
            slope = (half * (1.0 - half) * (high - low)).most(1e-3)
            row = solved(trust * slope * slope, linear + (ratings - low - half * (high - low)) / slope)
    return (g.constant(back) @ row + mean).to(np.float32)


def usual_basis(design: Floats, prior: RowPrior) -> Doubles:
    """Matrix [column, column] that turns a row of that basis into a row."""
    root = np.linalg.cholesky(prior.precision.astype(np.float64))
    curvature = design.T.astype(np.float64) @ design / max(len(design), 1)
    half = np.linalg.solve(root, np.linalg.solve(root, curvature).T)
    turn = np.linalg.eigh((half + half.T) / 2)[1]
    return np.asarray(np.linalg.solve(root.T, turn), np.float64)


def _as_person(g: Graph, row: Value, mean: float) -> Value:
    """(factors, bias) as the vector that meets (factors, 1, bias) of an item."""
    return g.concat(row.slice([0], [-1]), row.take(np.array([-1])) + mean, np.ones(1, np.float32))
