"""A trained transformer over histories, answering with NumPy: people are the state after their last events, items are vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.models.base import Arrays, Context, FittedModel, Parts, Side, check_rows, dot_rows
from likewise.models.levels import grown
from likewise.models.link import Link
from likewise.models.networks.sequential import Sequential, gaps_of
from likewise.models.networks.tower import Tower
from likewise.shapes import Floats, Rows

PEOPLE = 256
"""Histories encoded at once."""


@dataclass(frozen=True, eq=False)
class FittedSequential(FittedModel[Floats]):
    """The transformer after training; see `Sequential` for the equation.

    Parameters
    ----------
    config : Sequential
    users : float32 [user, factor]
        State after each trained person's history.
    items : float32 [item, factor]
    weights : mapping of name to array
        The encoder's, by torch's names.
    gaps : float32 [class, factor] or None
        What the time since the event before adds to an event, by `gaps_of`.
    tower : Tower or None
        What features add to an item's vector.
    plain : float32 [factor] or None
        The mean of the items' own vectors, beside a tower.
    """

    config: Sequential
    users: Floats
    items: Floats
    weights: Mapping[str, Floats]
    gaps: Floats | None = None
    tower: Tower | None = None
    plain: Floats | None = None

    @property
    def link(self) -> Link:  # type: ignore[override]
        return Link("free")

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def item_vectors(self) -> Floats:
        return self.items

    def people(self, users: Rows) -> Floats:
        check_rows(users, self.n_users, "users")
        return np.where((users >= 0)[:, None], self.users[users] if self.n_users else self._nobody, self._nobody)

    def fold_in(self, histories: Histories, features: CSR | None = None) -> Floats:
        check_rows(histories.rows, self.n_items, "items of a history")
        known = histories.keep(histories.rows >= 0)
        blocks = [np.arange(s, min(s + PEOPLE, len(known)), dtype=np.int32) for s in range(0, len(known), PEOPLE)]
        states = [self._last_states(known.take(block)) for block in blocks]
        return np.concatenate(states) if states else np.empty((0, self.items.shape[1]), np.float32)

    def score(self, people: Floats, items: Rows | None = None) -> Floats:
        return people @ (self.items if items is None else self._items(items)).T

    def score_pairs(self, people: Floats, items: Rows, context: Context | None = None) -> Floats:
        return dot_rows(people, self._items(items))

    def explain(self, people: Floats, histories: Histories, item: int, context: Context | None = None) -> list[Parts]:
        """Each entry's share is what the score loses without it; what these losses leave over is spread in proportion to their size."""
        vector = self._items(np.array([item], np.int32))[0]
        start = float(self._nobody @ vector)
        parts = []
        for n in range(len(people)):
            history = histories.take(np.array([n], np.int32))
            score = float(people[n] @ vector)
            taste = self._losses(history, vector)
            left, size = score - start - float(taste.sum()), float(np.abs(taste).sum())
            if size > 0:
                taste, left = np.asarray(taste + left * np.abs(taste) / size, np.float32), 0.0
            rest = score - start - float(taste.sum(dtype=np.float64)) if size > 0 else left
            parts.append(Parts(0.0, 0.0, start, taste.astype(np.float32), score, score, {}, rest))
        return parts

    def with_people(self, users: Rows, people: Floats) -> Self:
        return replace(self, users=grown(self.users, users, people, self._nobody))

    def with_items(self, items: Rows, histories: Histories, features: CSR | None = None) -> Self:
        """A new item points where the people who took it point, as long as the usual item.

        One that nobody took is what its features say, where the model reads them, else the mean item.
        """
        rows = np.tile(self.items.mean(0), (len(items), 1)) if self.n_items else np.zeros((len(items), self.items.shape[1]), np.float32)
        if self.tower is not None and self.plain is not None and features is not None:
            rows = np.where(features.counts[:, None] > 0, self.plain + self.tower(features), rows)
        usual = float(np.linalg.norm(self.items, axis=1).mean()) if self.n_items else 1.0
        for n in np.flatnonzero(histories.counts):
            takers = histories.rows[histories.indptr[n] : histories.indptr[n + 1]]
            middle = self.people(takers[takers >= 0].astype(np.int32)).mean(0) - self.users.mean(0) if (takers >= 0).any() else rows[n]
            length = float(np.linalg.norm(middle))
            rows[n] = middle * (usual / length) if length > 0 else rows[n]
        return replace(self, items=grown(self.items, items, rows.astype(np.float32), self.items.mean(0)))

    def factors(self, side: Side) -> Floats:
        return self.users if side == "user" else self.items

    def state(self) -> Arrays:
        weights: Arrays = {f"encoder/{name}": value for name, value in self.weights.items()}
        features = {} if self.tower is None or self.plain is None else {"plain": self.plain, "tower/table": self.tower.table}
        gaps = {} if self.gaps is None else {"gaps": self.gaps}
        return {"users": self.users, "items": self.items, **weights, **gaps, **features}

    @classmethod
    def from_state(cls, config: Sequential, state: Mapping[str, NDArray[Any]]) -> Self:
        weights = {name.removeprefix("encoder/"): value for name, value in state.items() if name.startswith("encoder/")}
        tower = Tower(state["tower/table"]) if "tower/table" in state else None
        return cls(config, state["users"], state["items"], weights, state.get("gaps"), tower, state.get("plain"))

    @property
    def reads_features(self) -> bool:
        return self.tower is not None

    @cached_property
    def _nobody(self) -> Floats:
        """The state before any event."""
        nothing = Histories(np.zeros(2, np.int64), np.empty(0, np.int32))
        return np.asarray(self._last_states(nothing)[0], np.float32)

    def _items(self, items: Rows) -> Floats:
        check_rows(items, self.n_items, "items")
        if not self.n_items:
            return np.zeros((len(items), self.items.shape[1]), np.float32)
        return np.asarray(np.where((items >= 0)[:, None], self.items[items], self.items.mean(0)), np.float32)

    def _losses(self, history: Histories, vector: Floats) -> Floats:
        """What the score loses without each entry, float32 [entry]; entries before the window lose nothing."""
        known, window = np.flatnonzero(history.rows >= 0), self.config.window
        read = np.arange(max(len(known) - window, 0), len(known))
        taste = np.zeros(len(history.rows), np.float32)
        if len(read):
            kept = [known[-window:], *(np.delete(known, n)[-window:] for n in read)]
            lengths = np.array([len(k) for k in kept], np.int64)
            entries = np.concatenate(kept)
            times = None if history.times is None else history.times[entries]
            every = Histories(np.concatenate([[0], np.cumsum(lengths)]), history.rows[entries], times=times)
            scores = self.fold_in(every) @ vector
            taste[known[read]] = scores[0] - scores[1:]
        return taste

    def _last_states(self, histories: Histories) -> Floats:
        """The forward pass, [batch, factor], of the last inputs of each person, padded behind to the longest."""
        window = self.config.window
        kept, inputs = np.minimum(histories.counts, window), np.minimum(histories.counts + 1, window)
        x = np.zeros((len(histories), int(inputs.max(initial=1)), self.items.shape[1]), np.float32)
        x[:, 0] = self.weights["start"]
        person = np.repeat(np.arange(len(kept)), kept)
        place = np.arange(int(kept.sum())) - np.repeat(np.cumsum(kept) - kept, kept)
        newest = np.repeat(histories.indptr[1:] - kept, kept) + place
        events = self.items[histories.rows[newest]]
        if self.gaps is not None:
            events = events + self.gaps[gaps_of(histories)[newest]]
        x[person, place + (inputs - kept)[person]] = events
        for n in range(self.config.blocks):
            x = self._block(x, f"blocks.{n}.")
        return self._norm(x[np.arange(len(kept)), inputs - 1], "norm")

    def _block(self, x: Floats, name: str) -> Floats:
        n, places, width = x.shape
        heads = self.config.heads
        looked = self._linear(self._norm(x, name + "before"), name + "look").reshape(n, places, 3, heads, width // heads)
        query, key, value = looked.transpose(2, 0, 3, 1, 4)
        weight = query @ key.swapaxes(-1, -2) * np.float32((width // heads) ** -0.5)
        apart = np.subtract.outer(np.arange(places), np.arange(places))
        weight = np.where(apart >= 0, weight + self.weights[name + "distances"][:, np.maximum(apart, 0)], np.float32(-np.inf))
        weight = np.exp(weight - weight.max(-1, keepdims=True))
        seen = (weight / weight.sum(-1, keepdims=True)) @ value
        x = x + self._linear(seen.swapaxes(1, 2).reshape(n, places, width), name + "gather")
        wide = np.maximum(self._linear(self._norm(x, name + "after"), name + "widen"), 0)
        return x + self._linear(wide, name + "narrow")

    def _linear(self, x: Floats, name: str) -> Floats:
        flat = x.reshape(-1, x.shape[-1]) @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]
        return flat.reshape(*x.shape[:-1], -1)

    def _norm(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(1e-5))
        return np.asarray(centred / scale * self.weights[name + ".weight"] + self.weights[name + ".bias"], np.float32)
