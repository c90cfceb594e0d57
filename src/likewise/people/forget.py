"""Removing a person: rows, history, counts and id."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import polars as pl

from likewise.answers import Answers
from likewise.data.vocabulary import Vocabulary
from likewise.solvers.base import Run, Solver


@dataclass(frozen=True)
class Forgotten:
    """What was removed, and what still remembers it.

    Parameters
    ----------
    answers : Answers
    events : int
        Ratings removed.
    remembers : str
        What keeps a trace until the next fit, in a sentence.
    """

    answers: Answers
    events: int
    remembers: str


def forget(answers: Answers, user: Any, solver: Solver) -> Forgotten:
    """The answers without this person.

    The id, the row of the model, the events, the tags and the row of the user table are gone; the row itself stays as an empty place
    under an id that was never given, so that nobody else's row moves. A model in closed form is made of everybody's counts, so it is
    solved again without them.

    Raises UnknownIdError for somebody who is not there.
    """
    data = answers.data.settled()
    row = data.users.row(user)
    rows = np.array([row], np.int32)
    kept = data.interactions.users != row
    ids = data.users.ids.to_list()
    ids[row] = _nobody(data.users)
    table = data.user_table
    if table is not None:
        table = table.filter(pl.Series(data.users.rows(table["user_id"]) != row))
    tags = data.tag_table
    if tags is not None:
        tags = tags.filter(pl.Series(data.users.rows(tags["user_id"]) != row))
    without = replace(data, interactions=data.interactions.select(kept), users=Vocabulary(ids), user_table=table, tag_table=tags)
    if solver.name == "closed_form" and kept.any():
        fitted, remembers = solver.fit(answers.fitted.config, without, Run()).model, "nothing: the model was solved again without them"
    else:
        fitted = answers.fitted.with_people(rows, answers.fitted.people(np.array([-1], np.int32)))
        remembers = "the items' parameters were learned with this person among many; they keep that trace until the next fit"
    return Forgotten(Answers(fitted, without), int((~kept).sum()), remembers)


def _nobody(users: Vocabulary) -> int | str:
    """An id that nobody has."""
    if users.kind == "str":
        taken = set(users.ids)
        return next(name for n in count(1) if (name := f"forgotten-{n}") not in taken)
    return min(int(users.ids.min()), 0) - 1  # type: ignore[arg-type]
