"""Lists that take the model's own doubt into account: what is surely good, and what may be.

`lower` ranks by the score less one standard deviation of what the posterior leaves open. `sample` is Thompson sampling: each
person's list is the best under one draw of the posterior, so items are shown as often as they may be the best. Each item's
propensity, the share of the draws under which it would have been on the list, is what later has to be divided by to learn from
what was shown without bias (Thompson, 1933; inverse propensities: Horvitz and Thompson, 1952).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from likewise.data.csr import CSR
from likewise.errors import InputError
from likewise.models.base import FittedModel
from likewise.ranking.filters import Filters, rank_filtered
from likewise.ranking.rerank import Rerank
from likewise.ranking.stages import best_of
from likewise.ranking.topk import TopK, rank_model
from likewise.shapes import Floats

RankBy = Literal["mean", "lower", "sample"]
POOL = 500
"""Best items by the mean that are looked at for a better lower bound."""


def check_rank_by(rank_by: str, filters: Filters, rerank: Rerank | None) -> None:
    """Refuse an unknown way, and what a way cannot do."""
    if rank_by not in ("mean", "lower", "sample"):
        raise InputError(f"rank_by must be 'mean', 'lower' or 'sample'; got {rank_by!r}")
    if rank_by != "mean" and rerank is not None and not rerank.plain:
        raise InputError(f"rank_by={rank_by!r} and rerank= both want to order the list; give one of them")
    if rank_by == "lower" and filters.caps is not None:
        raise InputError("rank_by='lower' takes no caps; use rank_by='mean' or 'sample', or leave caps out")


def rank_by_lower(model: FittedModel[Any], people: Floats, k: int, exclude: CSR | None, filters: Filters) -> TopK:
    """The k best by mean less one standard deviation, among the `POOL` best by the mean; scores are these lower bounds."""
    if not model.n_draws:
        raise InputError(
            f"rank_by='lower' needs a posterior to know how unsure it is; {type(model).__name__} gives a point: fit Dot by Gibbs"
        )
    lists = rank_model(model, people, max(k, POOL), exclude, filters.allowed)
    sd = np.asarray(Rerank(exploration=1.0).unsure(model, people, lists))
    bounds = np.where(lists.items >= 0, lists.scores - sd, -np.inf).astype(np.float32)
    return best_of(lists.items, bounds, min(k, lists.items.shape[1]))


def rank_by_sample(
    model: FittedModel[Any], people: Floats, k: int, exclude: CSR | None, filters: Filters, rng: np.random.Generator
) -> TopK:
    """Each person's k best under a draw of their own, with the propensity of each item; scores are those of that draw.

    Propensities are estimated over the draws that the model keeps, the one that was used among them.
    """
    if not model.n_draws:
        raise InputError(f"rank_by='sample' needs a posterior to sample from; {type(model).__name__} gives a point: fit Dot by Gibbs")
    chosen = rng.integers(0, model.n_draws, len(people))
    drawn = [rank_filtered(*model.one_draw(people, draw), k, exclude, filters) for draw in range(model.n_draws)]
    width = max(lists.items.shape[1] for lists in drawn)
    items, scores = np.full((len(people), width), -1, np.int32), np.full((len(people), width), -np.inf, np.float32)
    for draw, lists in enumerate(drawn):
        mine = chosen == draw
        items[mine, : lists.items.shape[1]], scores[mine, : lists.items.shape[1]] = lists.items[mine], lists.scores[mine]
    shown = np.zeros(items.shape, np.float32)
    for lists in drawn:
        for place in range(lists.items.shape[1]):
            shown += items == lists.items[:, place, None]
    found = TopK(items, scores, (items >= 0).sum(1))
    return replace(found, propensities=shown / np.float32(model.n_draws))
