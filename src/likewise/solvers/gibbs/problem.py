"""What a chain samples from: ratings sorted and in units of their spread, levels, features; and chains at their start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from likewise.data.dataset import Dataset
from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.models.dot import Dot
from likewise.models.link import Link
from likewise.models.observed import levels_link
from likewise.parallel import in_threads, thread_count
from likewise.shapes import Floats, Rows
from likewise.solvers.gibbs.blocks import Given, blocks_of
from likewise.solvers.gibbs.chain import Chain
from likewise.solvers.gibbs.hyper import NormalWishart
from likewise.solvers.gibbs.layout import EMPTY_FLOATS, Layout, make_layout
from likewise.solvers.gibbs.levels import MOST_LEVELS, Levels, levels_of
from likewise.solvers.gibbs.noise import Noise
from likewise.solvers.gibbs.side import Block

if TYPE_CHECKING:
    from likewise.solvers.gibbs.settings import Gibbs

WATCHED = 50_000
"""Training ratings that the error of a sweep is measured on, at most."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What chains sample from.

    Parameters
    ----------
    layout : Layout
    ratings, weights : float32 [rating] in the layout's order; weights empty for all one
    centre, unit : float
        Of Gaussian ratings; 0 and 1 for levels.
    given : list of Given
    link : Link
    level, levels : int32 [rating] and float32 [level], or None for Gaussian ratings
    """

    layout: Layout
    ratings: Floats
    weights: Floats
    centre: float
    unit: float
    given: list[Given]
    link: Link
    level: Rows | None = None
    levels: Floats | None = None

    def respond(self, scores: Floats, chain: Chain) -> Floats:
        """Ratings expected of scores under the chain's current draw."""
        if self.levels is None or chain.levels is None:
            return self.link.respond((scores * self.unit + self.centre).astype(np.float32))
        return levels_link(self.levels, chain.levels.cuts.astype(np.float32)[None], 1.0).respond(scores)

    def error(self, chain: Chain) -> float:
        """Root mean squared error of the chain's current draw on training ratings."""
        step = -(-len(self.ratings) // WATCHED)
        return float(np.sqrt(np.mean((self.respond(chain.scores[::step], chain) - self.ratings[::step]) ** 2)))


def make_problem(solver: Gibbs, model: Dot, data: Dataset) -> Problem:
    """Sort the ratings and gather the features."""
    events = data.interactions
    if not len(events):
        raise InputError("there is no rating to learn from; give a table with at least one row")
    layout = _layout(solver, data)
    weights = EMPTY_FLOATS if events.weights is None else events.weights[layout.order].astype(np.float32)
    ratings = np.ones(len(events), np.float32) if events.ratings is None else events.ratings
    given, link = blocks_of(data, solver.blocks), model.link(events, data.rating_range)
    if solver.observation != "gaussian":
        level, levels = _checked_levels(solver.observation, events)
        if len(levels) > 1:
            return Problem(layout, ratings[layout.order], weights, 0.0, 1.0, given, link, level[layout.order], levels)
    share = events.weights if events.weights is not None and events.weights.any() else None
    centre = float(np.average(ratings.astype(np.float64), weights=share))
    spread = float(np.sqrt(np.average((ratings - centre) ** 2, weights=share)))
    unit = spread if spread > 1e-6 * max(abs(centre), 1e-30) else 1.0
    return Problem(layout, ratings[layout.order], weights, centre, unit, given, link)


def make_chain(solver: Gibbs, model: Dot, problem: Problem, key: tuple[int, int], threads: int | None) -> Chain:
    """A chain at its start."""
    width = model.factors + 1
    made: dict[int, Block] = {}
    own = max(1, thread_count(threads) // max(1, len({given.field for given in problem.given})))  # fields are drawn side by side

    def make(n: int) -> None:
        made[n] = Block(problem.given[n].name, problem.given[n].x, width, threads=own)

    in_threads(make, len(problem.given), threads)
    blocks: dict[str, list[Block]] = {}
    for n, given in enumerate(problem.given):
        blocks.setdefault(given.field, []).append(made[n])
    levels = None
    if problem.level is not None and problem.levels is not None:
        levels = Levels(problem.level, len(problem.levels))
    noise = Noise(problem.layout, problem.weights, solver.noise, None if levels is None else 1.0)
    targets = ((problem.ratings - problem.centre) / problem.unit).astype(np.float32) if levels is None else levels.start_targets()
    prior = NormalWishart(spread=solver.spread)
    return Chain(problem.layout, targets, noise, blocks, width, prior, key, threads, levels, solver.burn_in)


def _layout(solver: Gibbs, data: Dataset) -> Layout:
    events = data.interactions
    contexts = tuple(data.contexts) if solver.contexts == ("all",) else solver.contexts
    for name in contexts:
        if name not in data.contexts:
            known = ", ".join(data.contexts) or "none"
            raise InputError(f"there is no context column {name!r}; there are: {known}; read the table with context=[...]")
    columns: list[Rows] = [events.users, events.items, *(events.context[name] for name in contexts)]
    sizes = [events.n_users, events.n_items, *(len(data.contexts[name]) for name in contexts)]
    return make_layout(columns, sizes, ["user", "item", *contexts])


def _checked_levels(observation: str, events: Interactions) -> tuple[Rows, Floats]:
    if events.ratings is None:
        raise InputError(f"observation {observation!r} needs ratings to tell apart; these events are likes alone: use another solver")
    level, levels = levels_of(events.ratings)
    if observation == "binary":
        if len(levels) != 2:
            raise InputError(f"observation 'binary' needs ratings of two values, dislike and like; there are {len(levels)}")
        return level, np.array([0, 1], np.float32)
    if len(levels) > MOST_LEVELS:
        raise InputError(f"observation 'ordinal' takes at most {MOST_LEVELS} different ratings; there are {len(levels)}: use 'gaussian'")
    return level, levels
