"""What every adapter shares: the tables it is given, the clock, and what it hands back. NumPy and the standard library alone.

    python -m benchmarks.peers.NAME --task rating --model MODEL --train T.npz --test T.npz --out OUT.npy --seed 0

A rating model is a function (train, seed, **settings) -> predict(users, items) -> float [pair]; a list model is a function
(train, seed, **settings) -> recommend(users, k) -> item ids [user, k], -1 behind the end. The call is the fit; the call of what it
returns is the answer; each has its clock.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from time import perf_counter
from typing import Any

import numpy as np

LIST_LENGTH = 100


@dataclass(frozen=True)
class Table:
    """A split's half: raw integer ids, ratings and times where the data has them, and whatever else the file holds, by name."""

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray | None
    times: np.ndarray | None
    more: Mapping[str, np.ndarray]

    @classmethod
    def load(cls, path: str) -> Table:
        with np.load(path) as columns:
            arrays = dict(columns)
        return cls(*(arrays.pop(name, None) for name in ("users", "items", "ratings", "times")), arrays)


Models = Mapping[str, tuple[Callable[..., Any], dict[str, Any]]]


def main(package: str, rating: Models | None = None, lists: Models | None = None) -> None:
    """Fit one model, ask it, write its answers, print one line of JSON."""
    tasks = {"rating": rating or {}, "list": lists or {}}
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=tasks, required=True)
    for name in ("model", "train", "test", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="SETTING=NUMBER")
    args = parser.parse_args()
    build, settings = tasks[args.task][args.model]
    settings = settings | {name: int(value) for name, value in (one.split("=") for one in args.set)}
    train, test = Table.load(args.train), Table.load(args.test)
    np.random.seed(args.seed)  # noqa: NPY002 - several peers draw from the global state
    start = perf_counter()
    answer = build(train, args.seed, **settings)
    fitted = perf_counter()
    if args.task == "rating":
        found = np.asarray(answer(test.users, test.items), np.float64).ravel()
        found = np.where(np.isfinite(found), found, train.ratings.mean())
    else:
        found = np.asarray(answer(np.unique(test.users), LIST_LENGTH), np.int64)
    answered = perf_counter()
    np.save(args.out, found)
    report = {"version": version(package), "settings": settings, "fit_seconds": fitted - start, "answer_seconds": answered - fitted}
    print(json.dumps(report))


@dataclass(frozen=True)
class Rows:
    """Raw ids as contiguous rows, -1 for ids that are not in train."""

    users: np.ndarray
    items: np.ndarray

    @classmethod
    def of(cls, train: Table) -> Rows:
        return cls(np.unique(train.users), np.unique(train.items))

    def user(self, ids: np.ndarray) -> np.ndarray:
        return _find(self.users, ids)

    def item(self, ids: np.ndarray) -> np.ndarray:
        return _find(self.items, ids)


def _find(known: np.ndarray, ids: np.ndarray) -> np.ndarray:
    place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[place] == ids, place, -1)


def fallback(train: Table) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Damped biases, for pairs that a peer refuses because the user or the item is new to it."""
    rows, mean, damping = Rows.of(train), train.ratings.mean(), 5.0
    users, items = rows.user(train.users), rows.item(train.items)
    item_bias = np.bincount(items, train.ratings - mean) / (np.bincount(items) + damping)
    user_bias = np.bincount(users, train.ratings - mean - item_bias[items]) / (np.bincount(users) + damping)

    def predict(user_ids: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
        u, i = rows.user(user_ids), rows.item(item_ids)
        return mean + np.where(u >= 0, user_bias[u], 0) + np.where(i >= 0, item_bias[i], 0)

    return predict


def best_of(scores: np.ndarray, seen: list[np.ndarray], k: int) -> np.ndarray:
    """The k best columns of each row of scores, those seen left out; -1 behind the end."""
    scores = scores.copy()
    for row, columns in enumerate(seen):
        scores[row, columns] = -np.inf
    k = min(k, scores.shape[1])
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
    best = np.take_along_axis(best, order, 1)
    return np.where(np.isfinite(np.take_along_axis(scores, best, 1)), best, -1)


def histories(train: Table, rows: Rows) -> list[np.ndarray]:
    """Item rows of each user row."""
    users, items = rows.user(train.users), rows.item(train.items)
    order = np.argsort(users, kind="stable")
    return np.split(items[order], np.cumsum(np.bincount(users))[:-1])
