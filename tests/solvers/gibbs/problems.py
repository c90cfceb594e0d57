"""Small data for the sampler's tests."""

from __future__ import annotations

import numpy as np
import polars as pl

from likewise.data.dataset import Dataset


def planted(users: int = 60, items: int = 40, share: float = 0.5, noise: float = 0.4, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Ratings of two planted factors with biases, a train part and a held-out part."""
    rng = np.random.default_rng(seed)
    p, q = rng.standard_normal((users, 2)), 0.5 * rng.standard_normal((items, 2))
    truth = 3 + 0.4 * rng.standard_normal(users)[:, None] + 0.4 * rng.standard_normal(items) + p @ q.T
    rating = truth + noise * rng.standard_normal(truth.shape)
    u, i = np.nonzero(rng.random(truth.shape) < share)
    frame = pl.DataFrame({"user_id": u, "item_id": i, "rating": rating[u, i]})
    held = rng.random(len(frame)) < 0.15
    data = Dataset.of(frame, stated_range=(-5.0, 11.0))
    return data.select(~held), data.select(held)


def table(ratings: dict[tuple[int, int], float], **more: object) -> Dataset:
    """A data set of (user, item): rating."""
    frame = pl.DataFrame({"user_id": [u for u, _ in ratings], "item_id": [i for _, i in ratings], "rating": list(ratings.values())})
    return Dataset.of(frame, **more)  # type: ignore[arg-type]
