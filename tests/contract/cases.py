"""Every model of the registry with every solver that can fit it, small enough to be fitted in a second."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.models.base import FittedModel, Model
from likewise.models.registry import MODELS, model_settings
from likewise.solvers.base import Run, Solver
from likewise.solvers.registry import SOLVERS, solver_settings

SMALL: dict[str, list[dict[str, Any]]] = {
    "popularity": [{}, {"half_life": 30.0}],
    "neighbours": [{"k": 5}, {"k": 5, "by": "user"}],
    "dot": [{"factors": 4}],
    "mlp": [{"embedding": 4, "hidden": (8,)}],
    "neumf": [{"factors": 4, "embedding": 4, "hidden": (8,)}],
    "two-tower": [{"factors": 4}],
    "svdpp": [{"factors": 4}],
    "dlrm": [{"factors": 4, "bottom": (8,), "top": (8,)}],
    "autorec": [{"hidden": 8}],
    "blend": [
        {
            "parts": (
                {
                    "model": {"name": "dot", "factors": 3, "bias": False},
                    "solver": {"name": "als", "unobserved": 0.1, "l2": 0.05, "sweeps": 2},
                },
                {"model": {"name": "ease", "l2": 20.0, "item_power": 0.5}},
            ),
            "weights": (0.6, 0.4),
        }
    ],
    "ease": [{"l2": 20.0, "item_power": 0.5}, {"l2": 20.0, "item_power": 1.0, "neighbours": 8, "zero_diagonal": False}],
}
"""Settings of each model on small data; a model that is not named is tested with its defaults."""

BRIEF: dict[str, dict[str, Any]] = {
    "gradient": {"epochs": 3, "batch_size": 256},
    "gibbs": {"draws": 8, "burn_in": 4},
    "als": {"sweeps": 2, "feedback": "ratings", "unobserved": 0.1, "l2": 0.05},
}
"""Settings of each solver on small data."""

LIKES: dict[str, dict[str, Any]] = {"als": {"feedback": "likes"}, "gradient": {"loss": "bpr"}}
"""Settings that change where there are no ratings."""

ORDERED = frozenset({"closed_form"})
"""Solvers whose result does not depend on the order of events, but for rounding."""


@dataclass(frozen=True)
class Case:
    """One model, one solver, whether there are ratings, and a loss that makes another fitted model of it."""

    model: str
    number: int
    solver: str
    rated: bool
    loss: str | None = None

    def __str__(self) -> str:
        settings = "-".join(str(v) for v in self._settings.values() if isinstance(v, str | float))
        return "-".join(filter(None, [self.model, settings, self.solver, "ratings" if self.rated else "likes", self.loss]))

    @property
    def _settings(self) -> dict[str, Any]:
        return SMALL.get(self.model, [{}])[self.number]

    def settings(self) -> Model:
        """The model's settings."""
        return model_settings(self.model)(**self._settings)

    def solving(self) -> Solver:
        """The solver's settings."""
        asked = {} if self.rated else LIKES.get(self.solver, {})
        loss = {} if self.loss is None else {"loss": self.loss}
        return solver_settings(self.solver)(**{**BRIEF.get(self.solver, {}), **asked, **loss})

    def fit(self, data: Dataset, seed: int = 0) -> FittedModel[Any]:
        """A fresh fit."""
        return self.solving().fit(self.settings(), data, Run(seed=seed, threads=1)).model


def cases() -> list[Case]:
    """All of them, on ratings and, where they are not refused, on likes."""
    found = []
    for name in MODELS:
        for number in range(len(SMALL.get(name, [{}]))):
            for solver in sorted(model_settings(name).solvers & set(SOLVERS)):
                found += [Case(name, number, solver, rated) for rated in (True, False) if rated or not needs_ratings(name, solver)]
    return [*found, Case("dot", 0, "gradient", False, "softmax")]


def needs_ratings(model: str, solver: str) -> bool:
    """Whether likes are refused; the others rank them by counts, similarities, ALS or losses that rank."""
    return solver == "gibbs" or model == "bias"


@cache
def data(rated: bool = True, shuffled: bool = False) -> Dataset:
    """50 users, 30 items, 600 events with times, weights nowhere, item and user tables; the item least rated has events too."""
    rng = np.random.default_rng(5)
    pairs = np.sort(rng.choice(50 * 30, 600, replace=False))
    u, i = pairs // 30, pairs % 30
    taste = rng.normal(size=(50, 2))[u] * rng.normal(size=(30, 2))[i]
    level = 3.4 + rng.normal(0, 0.5, 50)[u] + rng.normal(0, 0.5, 30)[i] + taste.sum(1) * 0.5
    frame = pl.DataFrame(
        {
            "user_id": u,
            "item_id": i,
            "rating": np.clip(np.round(2 * level) / 2, 0.5, 5.0),
            "timestamp": 1_500_000_000 + rng.permutation(600) * 20_000,
        }
    )
    frame = frame if rated else frame.drop("rating")
    if shuffled:  # the vocabularies stay the same: each id's first event keeps its place
        first = frame.select(pl.col("user_id").is_first_distinct() | pl.col("item_id").is_first_distinct()).to_series().to_numpy()
        places = np.arange(600)
        places[~first] = rng.permutation(places[~first])
        frame = frame[places]
    kinds = np.array(["Comedy", "Drama", "Action", "Comedy|Drama", "Action|Drama"])
    items = pl.DataFrame({"item_id": np.arange(30), "genres": kinds[rng.integers(0, 5, 30)], "year": rng.integers(1950, 2000, 30)})
    users = pl.DataFrame({"user_id": np.arange(50), "age": rng.integers(18, 70, 50), "job": rng.choice(["artist", "clerk"], 50)})
    return Dataset.of(frame, item_table=items, user_table=users)


@cache
def fitted(case: Case) -> FittedModel[Any]:
    """The fit that all checks share; none may change it."""
    return case.fit(data(case.rated))


def digest(model: FittedModel[Any]) -> str:
    """Hash of everything that a model keeps."""
    total = hashlib.sha256()
    for name, array in sorted(model.state().items()):
        total.update(f"{name}{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def rows(*values: int) -> np.ndarray:
    """Rows as every model takes them."""
    return np.array(values, np.int32)


def histories(rated: bool = True) -> Histories:
    """Three people never trained on, the second without a history."""
    ratings = np.array([5.0, 2.0, 4.5, 0.5, 3.0], np.float32) if rated else None
    times = np.array([1, 2, 3, 1, 2], np.int64) * 1_000_000 + 1_505_000_000
    return Histories(np.array([0, 3, 3, 5], np.int64), rows(4, 11, 20, 7, 4), ratings, None, times)
