"""Which blocks help: a look at an inner split of the training ratings before the chains start."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from likewise.data.dataset import Dataset
from likewise.models.dot import Dot
from likewise.solvers.base import Run
from likewise.solvers.gibbs.blocks import BLOCKS, blocks_of
from likewise.solvers.gibbs.hyper import Doubles

if TYPE_CHECKING:
    from likewise.solvers.gibbs.settings import Gibbs

HELD, MOST_RATINGS, FEWEST_RATINGS = 0.1, 150_000, 500
PAIRS_AT_ONCE = 4096
SHORT = {"draws": 50, "burn_in": 20, "draws_kept": 25, "chains": 1, "choose": False, "seconds": None}


def helpful_blocks(solver: Gibbs, model: Dot, data: Dataset, run: Run) -> tuple[tuple[str, ...], str]:
    """The blocks that lower the error on ratings held out from training, and a line that says how that was found.

    All together are compared with none; only if they do not help is each tried alone. Of large data a sample of people is taken.
    """
    offered = tuple(name for name in BLOCKS if name in solver.blocks and blocks_of(data, (name,)))
    if not offered or data.interactions.ratings is None or len(data) < FEWEST_RATINGS:
        return offered, "too few ratings to check that blocks help; all that the data have are used" if offered else ""
    sampled = _some_people(data, run.seed)
    held = np.random.default_rng(run.seed).random(len(sampled)) < HELD
    inner, outer = replace(sampled, interactions=sampled.interactions.select(~held)), sampled.interactions.select(held)

    def errors(blocks: tuple[str, ...]) -> Doubles:
        short = replace(solver, blocks=blocks, **SHORT)  # type: ignore[arg-type]
        fitted = short.fit(model, inner, Run(seed=run.seed, threads=run.threads)).model
        found = np.empty(len(outer))
        for start in range(0, len(outer), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            context = {name: rows[part] for name, rows in outer.context.items()}
            score = fitted.score_pairs(fitted.people(outer.users[part]), outer.items[part], context)
            found[part] = (fitted.link.respond(score) - np.asarray(outer.ratings)[part]) ** 2
        return found

    none = errors(())
    if errors(offered).mean() < none.mean():
        return offered, f"on an inner split these blocks help together: {', '.join(offered)}"
    kept = tuple(name for name in offered if errors((name,)).mean() < none.mean()) if len(offered) > 1 else ()
    return kept, f"on an inner split {', '.join(kept) or 'no block'} helped, of {', '.join(offered)}; the others are left out"


def _some_people(data: Dataset, seed: int) -> Dataset:
    if len(data) <= MOST_RATINGS:
        return data
    counts = np.bincount(data.interactions.users, minlength=data.n_users)
    order = np.random.default_rng(seed).permutation(data.n_users)
    taken = np.zeros(data.n_users, np.bool_)
    taken[order[: int(np.searchsorted(np.cumsum(counts[order]), MOST_RATINGS)) + 1]] = True
    return data.select(taken[data.interactions.users])
