"""The penalty of the softmax over the catalogue, chosen on an inner split.

How much of a table of likes is chance follows from its size: a table of E likes drawn at random has singular values of about
sqrt(E) (1 / sqrt(people) + 1 / sqrt(items)), and a penalty keeps what stands out from that. The search runs over shares of it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.models.base import Model
from likewise.solvers.base import Run
from likewise.solvers.gradient.settings import Gradient
from likewise.solvers.inner import Inner, search

log = logging.getLogger("likewise")

SHARES = (0.2, 0.28, 0.4, 0.56, 0.8, 1.1)
FIRST = 0.56


def chosen(model: Model, data: Dataset, run: Run, solver: Gradient) -> tuple[Gradient, list[str]]:
    """The solver with its penalty settled, and what to tell of it.

    Raises InputError under another loss, whose validation error people watch themselves.
    """
    if solver.loss.name != "softmax":
        raise InputError(f"penalty.choose is for loss 'softmax'; under {solver.loss.name!r} give penalty.l2 a number")
    splits, quiet = Inner.several(data, run.seed), replace(run, watch=None, valid=None, checkpoint=None, start=None)
    usual = chance_level(data)

    def at(share: float) -> Gradient:
        return replace(solver, penalty=replace(solver.penalty, choose=False, l2=float(f"{share * usual:.3g}")))

    def judge(point: dict[str, Any]) -> float:
        trial = at(point["share"])
        return float(np.mean([inner.judge(trial.fit(model, inner.data, quiet).model, run.threads) for inner in splits]))

    best, trials = search({"share": SHARES}, {"share": FIRST}, judge)
    found = at(best["share"])
    note = f"penalty.l2={found.penalty.l2:g} chosen among {len(trials)} on an inner split"
    log.info(note)
    return found, [note]


def chance_level(data: Dataset) -> float:
    """The penalty at which likes drawn at random would leave about nothing.

    >>> import polars as pl
    >>> chance_level(Dataset.of(pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [1, 2, 1, 2]})))
    1.4142135623730951
    """
    events = data.interactions
    people, items = (int((side.counts > 0).sum()) for side in (events.by_user, events.by_item))
    return float((np.sqrt(people) + np.sqrt(items)) / np.sqrt(max(len(events), 1)))
