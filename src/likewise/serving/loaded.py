"""One model made ready to answer; immutable, so an answer begun with it is finished with it."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from likewise.answers import ListRequest, scored_by
from likewise.artifact.folder import MANIFEST, read_manifest
from likewise.data.interactions import Histories
from likewise.people.questions import Questionnaire
from likewise.people.reasons import reasons_of
from likewise.ranking.catalogue import is_set
from likewise.ranking.single import best_of
from likewise.recommender import Recommender
from likewise.serving.columns import filters_of
from likewise.serving.feedback.recent import Did
from likewise.serving.maps import Plane
from likewise.serving.person import Person, find, known_person, stranger
from likewise.serving.search import Search
from likewise.serving.wire import dumps, found, reason

INLINE_WORK = 4_000_000
"""Multiplications below which a list is made at once; longer ones go to a thread, so that others need not wait."""
NOBODY = np.empty(0, np.int32)
REMEMBERED = 5_000
"""Folded people kept."""


class Loaded:
    """A model of one version.

    Parameters
    ----------
    folder : Path
    slot : "main" or "beside"
    verify : bool
        Whether checksums are compared first.
    """

    def __init__(self, folder: Path, slot: str = "main", verify: bool = True) -> None:
        before = fingerprint(folder)
        self.manifest = read_manifest(folder)
        self.rec = Recommender.load(folder, verify=verify)
        if fingerprint(folder) != before:
            raise RuntimeError("the model was replaced while it was being read")
        self.slot, self.version = slot, before
        self.answers = self.rec.answers
        data = self.answers.data
        self.users, self.items, self.by_user = data.users, data.items, data.interactions.by_user
        self.wire = dumps({"slot": slot, "name": self.manifest["model"]["name"], "version": self.version})
        self._fragments: list[bytes | None] = [None] * len(data.items)
        self._people: OrderedDict[str, tuple[Did, Person]] = OrderedDict()
        self._lock = Lock()
        vectors = self.answers.fitted.item_vectors
        self.inline = vectors is not None and vectors.size <= INLINE_WORK

    # ---- people ----------------------------------------------------------------------------------------------------------------

    def person(self, user_id: str, did: Did = ()) -> Person:
        """A person by id; folded people are remembered until their feedback changes."""
        if not did:
            return known_person(self.answers, user_id, find(self.users, user_id), did)
        with self._lock:
            kept = self._people.get(user_id)
        if kept is not None and kept[0] is did:
            return kept[1]
        person = known_person(self.answers, user_id, find(self.users, user_id), did)
        with self._lock:
            self._people[user_id] = (did, person)
            while len(self._people) > REMEMBERED:
                self._people.popitem(last=False)
        return person

    def stranger(self, ratings: dict[str, float], likes: list[str], features: dict[str, Any]) -> Person:
        """A visitor by what they said."""
        return stranger(self.answers, ratings, likes, features)

    # ---- lists -----------------------------------------------------------------------------------------------------------------

    def best(self, person: Person, n: int, filter_seen: bool = True) -> tuple[list[int], list[float]]:
        """The n best item rows of a person and their responses; the short way, without conditions or knobs."""
        fitted, cold = self.answers.fitted, person.status == "cold"
        vectors = None if cold else fitted.item_vectors
        if vectors is not None and not isinstance(person.vector, Histories):
            seen = person.history.rows if filter_seen else NOBODY
            ranked_rows, ranked_scores = best_of(vectors, person.vector[0], seen, n)
            return ranked_rows.tolist(), fitted.link.respond(ranked_scores).tolist()
        return self.list_of(person, ListRequest(n, filter_seen=filter_seen))

    def list_of(self, person: Person, ask: ListRequest) -> tuple[list[int], list[float]]:
        """As `best`, with the request's conditions and knobs."""
        cold = person.status == "cold"
        seen = person.history.csr(len(self.items)) if ask.filter_seen else None
        people = self.answers.popular.people(np.array([-1], np.int32)) if cold else person.vector
        ranked = self.answers.ranked(people, ask.k, seen, ask, person.history, popular=cold)
        if cold:
            ranked = scored_by(self.answers.fitted, ranked)
        rows, scores = found(ranked.items[0], ranked.scores[0])
        return rows, self.answers.fitted.link.respond(np.asarray(scores, np.float32)).tolist()

    def responses(self, person: Person, rows: list[int]) -> list[float]:
        """What the person would give each item."""
        if not rows:
            return []
        fitted = self.answers.fitted
        repeated = np.zeros(len(rows), np.int32)
        people = person.vector.take(repeated) if hasattr(person.vector, "indptr") else person.vector[repeated]
        scores = fitted.score_pairs(people, np.array(rows, np.int32))
        return [float(value) for value in fitted.link.respond(scores)]

    def reasons(self, person: Person, rows: list[int]) -> list[dict[str, Any]]:
        """Why each item stands where it does."""
        return [reason(reasons_of(self.answers, person.vector, person.history, row)[0]) for row in rows]

    # ---- items -----------------------------------------------------------------------------------------------------------------

    def fragment(self, row: int) -> bytes:
        """What every list says of an item, as a part of JSON: id, title, what is known of it."""
        kept = self._fragments[row]
        if kept is None:
            text = dumps({"item_id": str(self.items.id(row)), "title": self.answers.name(row), "about": self.about(row)})
            kept = self._fragments[row] = text[1:-1]
        return kept

    def about(self, row: int) -> dict[str, Any]:
        """What the item table says of an item; text with "|" between becomes a list."""
        table = self.answers.item_table
        values = {name: table[name][row] for name in table.columns if name not in ("item_id", "title")}
        return {name: value.split("|") if name in self._sets and isinstance(value, str) else value for name, value in values.items()}

    @cached_property
    def _sets(self) -> frozenset[str]:
        table = self.answers.item_table
        return frozenset(name for name in table.columns if name not in ("item_id", "title") and is_set(table[name]))

    @cached_property
    def search(self) -> Search:
        """Items by their titles, the most popular first among equals."""
        titles = [self.answers.name(row) for row in range(len(self.items))]
        return Search(titles, [str(raw) for raw in self.items.ids], self.counts)

    @cached_property
    def counts(self) -> Any:
        """Events of each item, int64 [item]."""
        return np.bincount(self.answers.data.interactions.items, minlength=len(self.items))

    @cached_property
    def plane(self) -> Plane | None:
        """The map's directions; None for models without factors."""
        factors = self.answers.fitted.factors("item")
        return None if factors is None or factors.shape[1] < 1 else Plane.of(factors)

    @cached_property
    def middle(self) -> Any:
        """The mean of the users' factors, from which a person's taste points."""
        factors = self.answers.fitted.factors("user")
        return 0.0 if factors is None else np.asarray(factors[:: max(1, len(factors) // 50_000)]).mean(0)

    @cached_property
    def questionnaire(self) -> Questionnaire:
        """What to ask whom next."""
        return Questionnaire(self.answers)

    @cached_property
    def filters(self) -> list[dict[str, Any]]:
        """What `where=` can ask of the items."""
        return filters_of(self.answers.item_table)

    @cached_property
    def has_posterior(self) -> bool:
        """Whether the model knows how unsure it is."""
        nobody = self.answers.fitted.people(np.array([-1], np.int32))
        return self.answers.fitted.predictive(nobody, np.zeros(1, np.int32)) is not None

    def group(self, row: int) -> str:
        """What the map colours an item by: its first genre."""
        table = self.answers.item_table
        name = "genres" if "genres" in table.columns else next(iter(sorted(self._sets)), None)
        value = None if name is None else self.about(row)[name]
        return str(value[0] if isinstance(value, list) and value else value or "")

    def warm(self) -> None:
        """Everything that a first request would wait for: compiled kernels, histories, titles."""
        first = self.person(str(self.users.id(0))) if len(self.users) else self.stranger({}, [], {})
        rows, _ = self.best(first, 10)
        if rows and first.vector is not None:
            did = ((str(self.items.id(rows[0])), "like", None, 0.0),)
            self.best(known_person(self.answers, "", -1, did), 10)
            self.fragment(rows[0])


def fingerprint(folder: Path) -> str:
    """The version of the model in a folder: a digest of its manifest, which names every file by its checksum."""
    try:
        return sha256((folder / MANIFEST).read_bytes()).hexdigest()[:16]
    except OSError:
        return ""
