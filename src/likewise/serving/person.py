"""Whom an answer is for: known, folded in from what they did since, or a stranger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from likewise.answers import Answers
from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.people.update import features_of
from likewise.people.visitor import check_rating, visitor, with_entry
from likewise.serving.feedback.recent import Did
from likewise.shapes import Floats


@dataclass(frozen=True, eq=False)
class Person:
    """One person as one model sees them.

    Parameters
    ----------
    id : str or None
        None for a visitor.
    status : "known", "folded", "features" or "cold"
    vector : what the model makes of them
    history : Histories
        In item rows; training events and feedback.
    features : CSR or None
    events : int
        Feedback that was folded in.
    unknown : tuple
        Ids of a visitor's entries that the model does not know.
    """

    id: str | None
    status: str
    vector: Any
    history: Histories
    features: CSR | None = None
    events: int = 0
    unknown: tuple[Any, ...] = ()

    @cached_property
    def wire(self) -> bytes:
        """The person as every answer says it."""
        name, unknown = json.dumps(self.id), json.dumps([str(one) for one in self.unknown]) if self.unknown else "[]"
        text = f'{{"id":{name},"status":"{self.status}","history":{len(self.history.rows)},"feedback":{self.events},"unknown":{unknown}}}'
        return text.encode()


def known_person(answers: Answers, user_id: str, row: int, did: Did) -> Person:
    """A person by id, with what they did since the model was made folded in over the stored model.

    Parameters
    ----------
    row : row of the user, -1 for an id that the model does not know
    did : their feedback, oldest first
    """
    rows = np.array([row], np.int32)
    history = history_of(answers.data.interactions.by_user, row)
    grown, events = with_feedback(answers, history, did) if did else (history, 0)
    if not events:
        status = "known" if row >= 0 else "cold"
        return Person(user_id, status, answers.fitted.people(rows), history)
    features = features_of(answers.data.user_features, rows) if row >= 0 else None
    return Person(user_id, "folded", answers.fitted.fold_in(grown, features), grown, features, events)


def history_of(everybody: Histories, row: int) -> Histories:
    """One person's history as views, which costs less than a copy; empty for row -1."""
    part = slice(0, 0) if row < 0 else slice(int(everybody.indptr[row]), int(everybody.indptr[row + 1]))
    columns = (everybody.rows, everybody.ratings, everybody.weights, everybody.times)
    return Histories(np.array([0, part.stop - part.start], np.int64), *(None if one is None else one[part] for one in columns))  # type: ignore[arg-type]


def with_feedback(answers: Answers, history: Histories, did: Did) -> tuple[Histories, int]:
    """A history with the feedback that tells taste; items and ratings that the model cannot use are passed over."""
    explicit, limits = answers.data.explicit, answers.data.rating_range
    events = 0
    for item_id, kind, rating, _ in did:
        if kind == "view" or (kind == "click" and explicit):
            continue
        row = find(answers.data.items, item_id)
        if row < 0:
            continue
        value = check_rating(answers, item_id, None)
        if kind == "rate" and rating is not None and explicit:
            value = rating if limits is None else min(max(rating, limits[0]), limits[1])
        history, events = with_entry(history, row, value), events + 1
    return history, events


def stranger(answers: Answers, ratings: Mapping[str, float], likes: list[str], features: Mapping[str, Any]) -> Person:
    """A visitor from what they said; ids alone, so that a title never stands for another item."""
    unknown = [item for item in (*ratings, *likes) if find(answers.data.items, item) < 0]
    said = {item: rating for item, rating in ratings.items() if item not in unknown}
    liked = [item for item in likes if item not in unknown]
    made = visitor(answers, said, likes=liked, features=features or None)
    return Person(None, made.source, made.person, made.history, made.features, unknown=tuple(unknown))


def find(vocabulary: Any, raw: str) -> int:
    """The row of an id as it stands on the wire, -1 where it is unknown."""
    return int(vocabulary.row(raw)) if raw in vocabulary else -1


def factors_of(vector: Any) -> Floats | None:
    """The person's place among the factors, for models of vectors (factors, level, 1)."""
    return None if isinstance(vector, Histories) else np.asarray(vector[0], np.float32)
