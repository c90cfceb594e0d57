"""What was held out, in the model's rows, person by person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError
from likewise.shapes import Floats, Mask, Rows, Times


@dataclass(frozen=True, eq=False)
class Held:
    """Held-out events. People and things are rows of the test's own vocabularies; users and items are rows of the model's.

    Parameters
    ----------
    people, things : int32 [event]
        Who and what, in rows of the test set: nobody is confused with anybody, known or not.
    users : int32 [person]
        Row of each person in the model; -1 for people it was not trained on.
    items : int32 [thing]
        Row of each thing in the model; -1 for items it does not know.
    ratings : float32 [event] or None
    times : int64 [event] or None
    context : mapping of name to int32 [event]
    ids : Vocabulary or None
        Raw ids of the people.
    """

    people: Rows
    things: Rows
    users: Rows
    items: Rows
    ratings: Floats | None = None
    times: Times | None = None
    context: Mapping[str, Rows] = field(default_factory=dict)
    ids: Vocabulary | None = None

    def __len__(self) -> int:
        return len(self.people)

    @property
    def n_people(self) -> int:
        return len(self.users)

    @property
    def event_users(self) -> Rows:
        """The model's row of each event's user, int32 [event]."""
        return self.users[self.people]

    @property
    def event_items(self) -> Rows:
        """The model's row of each event's item, int32 [event]."""
        return self.items[self.things]

    def select(self, events: Mask) -> Held:
        """Some of the events; the people stay, also those left without any."""
        ratings, times = (None if column is None else column[events] for column in (self.ratings, self.times))
        context = {name: column[events] for name, column in self.context.items()}
        return Held(self.people[events], self.things[events], self.users, self.items, ratings, times, context, self.ids)  # type: ignore[arg-type]


def held_out(train: Dataset, test: Dataset, items: Vocabulary | None = None) -> Held:
    """The test events in the rows of a model fitted on `train`.

    Parameters
    ----------
    items : Vocabulary or None
        The model's items where it knows more than `train` does, because new ones were folded in.
    """
    if not len(test):
        raise InputError("the test set has no events; evaluate on at least one")
    events = test.interactions
    pairs = train.encode(test)
    return Held(
        events.users,
        events.items,
        train.users.rows(test.users.ids),
        (train.items if items is None else items).rows(test.items.ids),
        events.ratings,
        events.times,
        pairs.context,
        test.users,
    )


def introduce(held: Held, share: float, seed: int) -> tuple[Histories, Held]:
    """Split the events of people the model was not trained on: `share` of each person's to introduce them by, the rest to test.

    Returns the histories given [person], empty for people who are known and for those with fewer than two events, and what is
    still held out.
    """
    if not 0 < share < 1:
        raise InputError(f"given must be a share in (0, 1) to introduce people; got {share}")
    order = np.lexsort((np.random.default_rng(seed).random(len(held)), held.people))
    size = np.bincount(held.people, minlength=held.n_people)
    first = np.cumsum(size) - size
    place = np.arange(len(held)) - first[held.people[order]]
    wanted = np.minimum(np.floor(size * share + 0.5), np.maximum(size - 1, 0)) * (held.users < 0)
    given = np.zeros(len(held), np.bool_)
    given[order] = place < wanted[held.people[order]]
    given &= held.event_items >= 0  # what the model does not know introduces nobody
    chosen = np.flatnonzero(given)
    chosen = chosen[np.argsort(held.people[chosen], kind="stable")]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(held.people[chosen], minlength=held.n_people))]).astype(np.int64)
    ratings, times = (None if column is None else column[chosen] for column in (held.ratings, held.times))
    return Histories(indptr, held.event_items[chosen], ratings, None, times), held.select(~given)  # type: ignore[arg-type]
