"""A fitted model against events held out on disk: ratings over all of them, lists for people drawn at random."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from likewise.data.dataset import Dataset
from likewise.data.interactions import Interactions
from likewise.data.shards.shards import Columns, Shards
from likewise.errors import InputError
from likewise.evaluation.evaluate import Asked, evaluate, rates
from likewise.evaluation.figures import Figure
from likewise.evaluation.protocol import Protocol
from likewise.evaluation.result import Evaluation
from likewise.models.base import FittedModel
from likewise.shapes import Floats

PEOPLE = 10_000
"""People whose lists are judged, and groups of people that the intervals of rating figures are drawn over."""
PAIRS = 65_536
"""Events scored at once."""


def evaluate_on_disk(
    model: FittedModel[Any],
    train: Dataset,
    held: Shards,
    protocol: Protocol | None = None,
    *,
    name: str = "model",
    asked: Asked | None = None,
) -> Evaluation:
    """Evaluate a model on the held-out part of the shards it was trained on.

    RMSE and MAE are over all held-out events, read a shard ahead; their intervals are over groups of people. Everything else is over
    some people drawn at random, whose lists are made of the whole catalogue: over all of them where they are few. `train` is what the
    model keeps of the shards, over the same ids.

    Raises InputError for shards that are not held out, or are not of this model's rows.
    """
    if held.part != "test":
        raise InputError("these shards are what the model learned from: evaluate on data.held_out")
    if train.users != held.users or train.items != held.items:
        raise InputError(
            "the model was fitted on other ids than these shards hold: evaluate on the held_out of the shards it was fitted on"
        )
    asked = asked or Asked()
    rated = held.explicit and (rates(model) if asked.ratings is None else asked.ratings)
    learned, tested = (_over(held, events) for events in held.people(PEOPLE))
    tested = tested.select(np.ones(len(tested), np.bool_))
    found = evaluate(model, learned, tested, protocol, name=name, asked=replace(asked, ratings=False, distribution=False))
    figures = dict(found.figures)
    if rated:
        figures = rating_figures_on_disk(model, held, (found.people is not None and len(found.people)) or 1) | figures
    return replace(found, figures=figures, n_train=len(held.train), n_test=len(held))


def rating_figures_on_disk(model: FittedModel[Any], held: Shards, groups: int) -> dict[str, Figure]:
    """RMSE and MAE over all held-out events, people in groups."""
    sums = np.zeros((3, groups))
    for columns in held.each():
        if columns.ratings is None:
            raise InputError("the shards hold no ratings to compare with")
        errors = np.abs(_predicted(model, columns, held.rating_range).astype(np.float64) - columns.ratings)
        group = columns.users % groups
        sums += [np.bincount(group, values, groups) for values in (errors**2, errors, np.ones(len(errors)))]
    return {"rmse": Figure("rmse", sums[0], sums[2], root=True), "mae": Figure("mae", sums[1], sums[2])}


def _predicted(model: FittedModel[Any], columns: Columns, limits: tuple[float, float] | None) -> Floats:
    found = np.empty(len(columns), np.float32)
    for start in range(0, len(columns), PAIRS):
        part = slice(start, start + PAIRS)
        found[part] = model.link.respond(model.score_pairs(model.people(columns.users[part]), columns.items[part]))
    return found if limits is None else np.clip(found, *np.array(limits, np.float32))


def _over(shards: Shards, events: Interactions) -> Dataset:
    """Some events over all ids, without tables, whose features nobody asks for."""
    return Dataset(events, shards.users, shards.items, stated_range=shards.rating_range)
