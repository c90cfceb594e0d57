"""Small worlds whose tastes are known, for tests of what is found in them."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

import likewise as lw
from likewise.data.dataset import Dataset
from likewise.recommender import Recommender
from likewise.solvers.gibbs.settings import Gibbs

LOVED, HATED, RARE = 3, 4, 5
"""Items with a planted bias of +1.2 and of -1.2, and one with two top ratings."""
NASTY = "<script>alert(1)</script> & \"q\" =HYPERLINK('x')"


@cache
def world(titles: bool = True, features: bool = True, seed: int = 0) -> Dataset:
    """Two tastes: even items are Comedy, odd ones Drama; half the people like the one, half the other."""
    rng = np.random.default_rng(seed)
    users, items = 160, 60
    taste = np.where(np.arange(users) % 2, 1.0, -1.0)
    kind = np.where(np.arange(items) % 2, -1.0, 1.0)
    level = np.zeros(items)
    level[LOVED], level[HATED] = 1.2, -1.2
    seen = rng.random((users, items)) < 0.5
    seen[:, RARE] = False
    seen[:2, RARE] = True
    u, i = np.nonzero(seen)
    score = 3 + 0.8 * taste[u] * kind[i] + level[i] + rng.normal(0, 0.4, len(u))
    score[i == RARE] = 5
    frame = pl.DataFrame(
        {
            "user_id": u,
            "item_id": i,
            "rating": np.clip(np.round(2 * score) / 2, 0.5, 5),
            "timestamp": rng.integers(10**9, 11 * 10**8, len(u)),
        }
    )
    table: dict[str, object] = {"item_id": list(range(items))}
    if titles:
        table["title"] = [NASTY if n == LOVED else f"Film {n}" for n in range(items)]
    if features:
        table["genres"] = ["Drama" if n % 2 else "Comedy" for n in range(items)]
    people = pl.DataFrame({"user_id": range(users), "gender": ["F" if n % 4 < 2 else "M" for n in range(users)]})
    return Dataset.of(frame, item_table=pl.DataFrame(table) if len(table) > 1 else None, user_table=people if features else None)


@cache
def fitted(factors: int = 4, titles: bool = True, features: bool = True) -> tuple[Recommender, Dataset]:
    """A dot-product model of the world, and what was held out."""
    train, test = lw.split(world(titles, features), by="time")
    solver = lw.Gradient(epochs=60, batch_size=128, optimizer=lw.AdamW(0.01, weight_decay=0.05))
    return lw.Recommender(lw.Dot(factors=factors), solver).fit(train), test


@cache
def posterior() -> tuple[Recommender, Dataset]:
    """The same world by sampling, so that predictions are distributions."""
    train, test = lw.split(world(), by="time")
    return lw.Recommender(lw.Dot(factors=3), Gibbs(draws=30, burn_in=15)).fit(train), test
