"""Learning from new events without a full refit, and without being handed the old ones again: the history is in the artifact.

Models of rows (dot products, posteriors, networks) are refined where something happened and nowhere else. Items that new events
touch are solved again from everybody who rated them, then the people touched from everything they rated, a few times in turn; rows
that are not touched take part in the objective and do not move, so a pair of untouched rows keeps its score bit for bit. New rows
begin from their history and features. Models whose parameters are counts or similarities of the whole table are solved again,
which is what their update means, and the notes say so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from likewise.answers import Answers
from likewise.data.csr import CSR
from likewise.data.dataset import Dataset
from likewise.data.features import Features
from likewise.data.growth import extended
from likewise.data.interactions import Histories
from likewise.errors import InputError
from likewise.models.base import FittedModel, Side
from likewise.people.recency import aged
from likewise.shapes import Rows
from likewise.solvers.base import Run, Solver
from likewise.solvers.clock import CompileClock

ROUNDS = 1
"""Rounds of items, then people. One recovers what a refit would find; a second costs as much again."""


@dataclass(frozen=True)
class Updated:
    """What an update made.

    Parameters
    ----------
    answers : Answers
    new_users, new_items, touched_users, touched_items, events : int
    seconds : float
        Solver time, without compilation.
    notes : list of str
    """

    answers: Answers
    new_users: int
    new_items: int
    touched_users: int
    touched_items: int
    events: int
    seconds: float
    notes: list[str]


def update(answers: Answers, solver: Solver, new: Dataset, half_life: float | None = None, rounds: int = ROUNDS, seed: int = 0) -> Updated:
    """The answers after `new` happened.

    Parameters
    ----------
    half_life : days after which an event counts half when rows are solved again; None: all count the same.
    rounds : times that the items and people touched follow the new events in turn; 0 folds in who and what is new and moves nobody else.

    Raises
    ------
    InputError
        New events of another kind, or with ids of another type, than the model learned from.
    """
    if not len(new):
        raise InputError("there is nothing to learn from: the new data has no events")
    if rounds < 0:
        raise InputError(f"rounds must be 0 or more; got {rounds}")
    data = extended(answers.data, new)
    people, items = data.users.rows(new.users.ids), data.items.rows(new.items.ids)
    notes = []
    with CompileClock() as clock:
        if solver.name == "closed_form" and rounds:
            data = replace(data, encoders={})  # solved anew, so new feature values count as well
            fitted = solver.fit(answers.fitted.config, data, Run(seed=seed)).model
            notes.append(f"{type(answers.fitted.config).__name__} is made of counts over the whole table, so it was solved again")
        else:
            fitted = refine(answers.fitted, data, np.sort(people), np.sort(items), half_life, rounds)
    before = answers.data
    return Updated(
        Answers(fitted, data), len(data.users) - len(before.users), len(data.items) - len(before.items), len(people), len(items), len(new),
        clock.seconds, notes,
    )  # fmt: skip


def refine(fitted: FittedModel[Any], data: Dataset, people: Rows, items: Rows, half_life: float | None = None, rounds: int = ROUNDS) -> Any:
    """The model with these people's and items' rows following the whole history again, the others as they were."""
    by_user, by_item = aged(data.interactions.by_user, half_life), aged(data.interactions.by_item, half_life)

    def follow(model: FittedModel[Any], side: Side, rows: Rows) -> FittedModel[Any]:
        if not len(rows):
            return model
        histories, others, features = (
            (by_user, model.n_items, data.user_features) if side == "user" else (by_item, model.n_users, data.item_features)
        )
        return model.refined(side, rows, known(histories.take(rows), others), features_of(features, rows))

    if not rounds:
        fitted = follow(fitted, "item", items[items >= fitted.n_items])
    fitted = follow(fitted, "user", people[people >= fitted.n_users])
    for _ in range(rounds):
        fitted = follow(fitted, "item", items)
        fitted = follow(fitted, "user", people)
    return fitted


def known(histories: Histories, n_rows: int) -> Histories:
    """Only the entries whose row the model has."""
    return histories.keep(histories.rows < n_rows) if (histories.rows >= n_rows).any() else histories


def features_of(features: Features | None, rows: Rows) -> CSR | None:
    """Encoded features of these rows."""
    return None if features is None else features.design().take(rows)
