"""The penalty of the softmax over the catalogue, chosen on an inner split.

How much of a table of likes is chance follows from its margins: what chance puts into it has singular values of up to about the root
of its heaviest row or column, and a penalty keeps what stands out from that. The search runs over shares of it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from likewise.data.dataset import Dataset
from likewise.errors import InputError
from likewise.models.base import Model
from likewise.models.softmax import Weighing
from likewise.solvers.base import Run
from likewise.solvers.gradient.settings import Gradient
from likewise.solvers.inner import Inner, search

log = logging.getLogger("likewise")

SHARES = (0.18, 0.25, 0.35, 0.5, 0.7, 1.0)
FIRST = 0.35


def chosen(model: Model, data: Dataset, run: Run, solver: Gradient) -> tuple[Gradient, list[str]]:
    """The solver with its penalty settled, and what to tell of it.

    Raises InputError under another loss, whose validation error people watch themselves.
    """
    if solver.loss.name != "softmax":
        raise InputError(f"penalty.choose is for loss 'softmax'; under {solver.loss.name!r} give penalty.l2 a number")
    splits, quiet = Inner.several(data, run.seed), replace(run, watch=None, valid=None, checkpoint=None, start=None)
    usual = chance_level(data, 0.0 if solver.balance is None else solver.balance.users)

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


def chance_level(data: Dataset, users: float = 0.0) -> float:
    """The penalty at which likes drawn at random would leave about nothing; `users` as in `Balance`.

    >>> import polars as pl
    >>> chance_level(Dataset.of(pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [1, 2, 1, 2]})))
    0.7071067811865476
    """
    events = data.interactions
    weighing = Weighing.of(events, users, 0.0, 1.0)
    each = weighing.each(events.by_user.counts)
    heaviest = max(float((each * events.by_user.counts).max()), float(np.bincount(events.items, each[events.users]).max()))
    people, items = (int((side.counts > 0).sum()) for side in (events.by_user, events.by_item))
    return float(np.sqrt(heaviest) * np.sqrt(people * items) / max(len(events), 1))
