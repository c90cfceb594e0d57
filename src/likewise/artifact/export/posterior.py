"""The posterior's fold-in inside a graph: every draw's conditional at once, with the noise that the library draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likewise.artifact.export.entries import Entries
from likewise.artifact.export.graph import Graph, Value
from likewise.artifact.export.solve import inverse_root
from likewise.models.perturbed import rating_noise
from likewise.models.posterior import LATENT_ROUNDS, FittedPosterior

FARTHEST = 40.0
"""Where the outermost levels of a latent end."""
_ERFC = (-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277)


def fold_posterior(g: Graph, model: FittedPosterior, told: Entries) -> Value:
    """(v, b, 1) of each draw, and the tail of noise and echo."""
    draws, width = model.users.mean.shape
    design, bias = _partners(g, model, told)
    prior = _prior(g, model, told).to(np.float64)
    worth = (told.worth * g.constant(model.items.scales(np.arange(model.n_items, dtype=np.int32))).take(told.rows)).to(np.float64)
    strength = worth.shaped(1, -1, 1) * model.observed.alpha.astype(np.float64).reshape(-1, 1, 1)
    across = (design * strength).turned(0, 2, 1)
    precision = g.constant(np.asarray(model.users.precision, np.float64))
    root = inverse_root(g, precision + across @ design, width)
    moved = (model.users.spreads @ model.users.noise[:, :, None]).astype(np.float64)
    known = precision @ (prior.to(np.float64).shaped(draws, width, 1) + moved)
    noise = rating_noise(draws, np.arange(model.n_items, dtype=np.int32)).T
    errors = g.constant(np.ascontiguousarray(noise)).take(told.rows).to(np.float64).turned(1, 0).shaped(draws, -1, 1)
    known = known + design.turned(0, 2, 1) @ (strength.apply("Sqrt") * errors)

    def drawn(targets: Value) -> Value:
        """Rows [draw, width, 1] given what each entry's score should be."""
        right = known + across @ (targets.to(np.float64).shaped(1, -1, 1) - bias)
        return root.turned(0, 2, 1) @ (root @ right)

    rows = drawn(_targets(g, model, told.ratings, told.ratings * 0.0))
    for _ in range(LATENT_ROUNDS if model.observed.is_levels else 0):
        scores = (design @ rows + bias).mean(0).shaped(-1).to(np.float32)
        rows = drawn(_targets(g, model, told.ratings, scores))
    rows = g.choose(told.count > 0, rows.shaped(draws, width), prior).to(np.float16).to(np.float32)  # as they would be stored
    person = g.concat(rows, np.ones((draws, 1), np.float32), axis=1).shaped(-1)
    return g.concat(person, np.zeros(1, np.float32), _share(g, model, told), np.array([model.users.echo.usual_told], np.float32))


def _partners(g: Graph, model: FittedPosterior, told: Entries) -> tuple[Value, Value]:
    """The entries' items under each draw: design (v, 1) and biases, float64 [draw, entry, width] and [draw, entry, 1].

    Read back from the columns of the scores, so that the items are in the file once.
    """
    draws, width = model.users.mean.shape
    unit, centre = model.observed.unit, model.observed.centre
    columns = g.constant(model.item_vectors).take(told.rows).to(np.float64)
    parts = columns.slice([0], [draws * (width + 1)], [1]).shaped(-1, draws, width + 1).turned(1, 0, 2)
    factors = parts.slice([0], [width - 1], [2]) * (draws / unit)
    bias = (parts.slice([width], [width + 1], [2]) * float(draws) - centre) / unit
    return g.concat(factors, bias * 0.0 + 1.0, axis=2), bias


def _prior(g: Graph, model: FittedPosterior, told: Entries) -> Value:
    """Mean of the row before any rating, float32 [draw, width]; it knows who rated what where the model reads that."""
    users = model.users
    if users.history is None or users.usual_history is None:
        return g.constant(users.nobody)
    scale = told.worth / told.count.most(1.0).apply("Sqrt")
    history: NDArray[np.float16] = users.history
    told_by = (g.constant(history).take(told.rows).to(np.float32) * scale.shaped(-1, 1, 1)).sum(0)
    return g.choose(told.count > 0, told_by + (users.nobody - users.usual_history), users.nobody)


def _share(g: Graph, model: FittedPosterior, told: Entries) -> Value:
    echo = model.users.echo
    reads = float(echo.usual_share > 0)
    return g.choose(told.count > 0, reads / (told.count + 1.0).apply("Sqrt"), np.array([echo.usual_share], np.float32))


def _targets(g: Graph, model: FittedPosterior, ratings: Value, scores: Value) -> Value:
    """What a row is fitted to: ratings in the units of the rows, or the mean latents given the level and the score so far."""
    observed = model.observed
    if observed.levels is None or observed.cuts is None:
        return (ratings - observed.centre) / observed.unit
    away = (ratings.shaped(-1, 1) - observed.levels.reshape(1, -1)).apply("Abs")
    level = g.op("ArgMin", away, dtype=np.int64, axis=1, keepdims=0)
    edges = np.concatenate([[-FARTHEST], observed.cuts.mean(0), [FARTHEST]]).astype(np.float32)
    low, high = g.constant(edges[:-1]).take(level), g.constant(edges[1:]).take(level)
    below, above = low - scores, high - scores
    upper = below > 0.0
    chance = (cdf(g, g.choose(upper, below * -1.0, above)) - cdf(g, g.choose(upper, above * -1.0, below))).most(1e-6)
    pull = (_density(below) - _density(above)) / chance
    return (scores + pull).most(low.most(scores - 4.0)).least(high.least(scores + 4.0))


def cdf(g: Graph, x: Value) -> Value:
    """Chance of a standard normal below x, float32, to a relative 1.2e-7 in the tails too (Press et al. 1992, section 6.2)."""
    away = x.to(np.float64) * -0.7071067811865476
    size = away.apply("Abs")
    t = 1.0 / (size * 0.5 + 1.0)
    exponent = t * 0.0 + _ERFC[-1]
    for coefficient in _ERFC[-2::-1]:
        exponent = exponent * t + coefficient
    half = t * (exponent - size * size).apply("Exp") * 0.5
    return g.choose(away >= 0.0, half, 1.0 - half).to(np.float32)


def _density(x: Value) -> Value:
    return ((x * x).least(80.0) * -0.5).apply("Exp") * 0.3989423
