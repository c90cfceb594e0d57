"""Data with a known truth, for tests and benchmarks: planted factors, clusters, chains, and popularity at any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.dataset import Dataset
from likewise.data.interactions import Interactions
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError
from likewise.parallel import in_threads
from likewise.shapes import Floats, Rows, Times


@dataclass(frozen=True, eq=False)
class PlantedRatings:
    """Ratings drawn from `mean + user + item + user_factors . item_factors + noise`, and that truth in vocabulary rows.

    Parameters
    ----------
    data : Dataset
    mean : float
    users, items : float32 [user], [item]
        Biases.
    user_factors, item_factors : float32 [user, factor], [item, factor]
    noise : float
        Standard deviation: the RMSE that nobody beats (before rounding to `levels`).
    """

    data: Dataset
    mean: float
    users: Floats
    items: Floats
    user_factors: Floats
    item_factors: Floats
    noise: float

    def truth(self, users: Rows, items: Rows) -> Floats:
        """Expected rating [batch] of each pair."""
        taste = (self.user_factors[users] * self.item_factors[items]).sum(1)
        return np.asarray(self.mean + self.users[users] + self.items[items] + taste, np.float32)


def planted_ratings(
    n_users: int = 300,
    n_items: int = 200,
    n_events: int = 12_000,
    factors: int = 4,
    noise: float = 0.5,
    bias: float = 0.4,
    taste: float = 0.6,
    bounds: tuple[float, float] | None = None,
    step: float | None = None,
    seed: int = 0,
) -> PlantedRatings:
    """Explicit ratings with biases and `factors` tastes.

    Parameters
    ----------
    bias, taste : float
        Standard deviations of each bias and of the product of factors.
    bounds, step : optional
        Ratings are clipped to the bounds and rounded to the step, counted from the lower bound.
    n_events : int
        Distinct pairs; popular items and busy users have more, and every user and item has one.
    """
    rng = np.random.default_rng(seed)
    users, items = _pairs(n_users, n_items, n_events, rng)
    user_bias, item_bias = (rng.normal(0, bias, n).astype(np.float32) for n in (n_users, n_items))
    scale = np.sqrt(taste) / factors**0.25 if factors else 0.0
    user_factors, item_factors = (rng.normal(0, scale, (n, factors)).astype(np.float32) for n in (n_users, n_items))
    mean = 3.5 if bounds is None else (bounds[0] + bounds[1]) / 2
    taste_part = (user_factors[users] * item_factors[items]).sum(1)
    ratings = mean + user_bias[users] + item_bias[items] + taste_part + rng.normal(0, noise, len(users))
    if step is not None:
        origin = 0.0 if bounds is None else bounds[0]
        ratings = origin + np.rint((ratings - origin) / step) * step
    if bounds is not None:
        ratings = np.clip(ratings, *bounds)
    events = Interactions(users, items, n_users, n_items, ratings.astype(np.float32))
    return PlantedRatings(_dataset(events, bounds), mean, user_bias, item_bias, user_factors, item_factors, noise)


@dataclass(frozen=True, eq=False)
class PlantedClusters:
    """Likes within clusters, and each user's and item's cluster, int [user] and [item]."""

    data: Dataset
    users: NDArray[np.int64]
    items: NDArray[np.int64]


def planted_clusters(
    n_users: int = 120, n_items: int = 80, clusters: int = 4, density: float = 0.5, noise: float = 0.02, seed: int = 0
) -> PlantedClusters:
    """Implicit likes: users like items of their own cluster with chance `density`, others with chance `noise`.

    With density 1, noise 0 and two clusters this is the checkerboard: each ranking has one right answer.
    """
    rng = np.random.default_rng(seed)
    user_cluster, item_cluster = np.arange(n_users) % clusters, np.arange(n_items) % clusters
    own = user_cluster[:, None] == item_cluster[None, :]
    likes = rng.random((n_users, n_items)) < np.where(own, density, noise)
    # everybody likes something of their own cluster and everything is liked
    likes[np.arange(n_users), user_cluster + clusters * (np.arange(n_users) // clusters % (n_items // clusters))] = True
    likes[item_cluster + clusters * (np.arange(n_items) // clusters % (n_users // clusters)), np.arange(n_items)] = True
    users, items = np.nonzero(likes)
    order = rng.permutation(len(users))
    events = Interactions(users[order].astype(np.int32), items[order].astype(np.int32), n_users, n_items)
    return PlantedClusters(_dataset(events), user_cluster, item_cluster)


@dataclass(frozen=True, eq=False)
class PlantedChain:
    """Sequences of a Markov chain, and its transitions, float [item, item] (row: from, column: to)."""

    data: Dataset
    transitions: NDArray[np.float64]


def planted_chain(n_users: int = 400, n_items: int = 30, length: int = 12, certainty: float = 0.8, seed: int = 0) -> PlantedChain:
    """Each user walks `length` steps: with chance `certainty` to the item's one successor, else anywhere.

    An item may come back; times are seconds, one a step.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_items)
    successor = np.empty(n_items, np.int64)
    successor[order] = np.roll(order, -1)
    transitions = np.full((n_items, n_items), (1 - certainty) / n_items)
    transitions[np.arange(n_items), successor] += certainty
    steps = np.empty((n_users, length), np.int64)
    steps[:, 0] = np.arange(n_users) % n_items
    for n in range(1, length):
        follow = rng.random(n_users) < certainty
        steps[:, n] = np.where(follow, successor[steps[:, n - 1]], rng.integers(0, n_items, n_users))
    users = np.repeat(np.arange(n_users, dtype=np.int32), length)
    times: Times = np.tile(np.arange(length, dtype=np.int64), n_users)
    events = Interactions(users, steps.ravel().astype(np.int32), n_users, n_items, times=times)
    return PlantedChain(_dataset(events), transitions)


def zipf_blocks(
    n_events: int, n_users: int, n_items: int, exponent: float = 1.0, block: int = 1_000_000, seed: int = 0
) -> Iterator[pl.DataFrame]:
    """Events of any number, a block at a time: columns user_id, item_id, rating, timestamp.

    The chance of the item of rank r goes with `r ** -exponent`; the item's id says nothing of its rank. Users are equally
    likely; ratings are half stars from 0.5 to 5; times rise. A pair may come more than once. Memory is one block.
    """
    if min(n_events, n_users, n_items, block) < 1:
        raise InputError(f"n_events, n_users, n_items and block must be at least 1; got {n_events}, {n_users}, {n_items}, {block}")
    shuffle = np.random.default_rng([seed, 0]).permutation(n_items)
    chance = np.cumsum(np.arange(1, n_items + 1, dtype=np.float64) ** -exponent)
    chance /= chance[-1]
    for number, start in enumerate(range(0, n_events, block)):
        rng = np.random.default_rng([seed, 1, number])
        size = min(block, n_events - start)
        yield pl.DataFrame(
            {
                "user_id": rng.integers(0, n_users, size),
                "item_id": shuffle[np.searchsorted(chance, rng.random(size), side="right")],
                "rating": rng.integers(1, 11, size).astype(np.float32) / 2,
                "timestamp": np.arange(start, start + size) + 1_000_000_000,
            }
        )


def write_planted_blocks(
    folder: str | Path,
    n_events: int,
    n_users: int,
    n_items: int,
    factors: int = 4,
    noise: float = 0.5,
    exponent: float = 0.8,
    block: int = 2_000_000,
    seed: int = 0,
    threads: int | None = None,
) -> None:
    """Ratings with planted tastes, any number of them, as Parquet files in a new folder: one a block of rows, memory is a block a thread.

    A rating is `2.75 + user + item + user_factors . item_factors + noise`, within 0.5 and 5, with deviations 0.3, 0.3 and 0.5 of the
    three parts; `noise` is the RMSE that nobody beats by much. Items follow Zipf's law as in `zipf_blocks`, users are equally likely.
    """
    if min(n_events, n_users, n_items, block) < 1:
        raise InputError(f"n_events, n_users, n_items and block must be at least 1; got {n_events}, {n_users}, {n_items}, {block}")
    place = Path(folder)
    place.mkdir(parents=True)
    rng = np.random.default_rng([seed, 0])
    shuffle = rng.permutation(n_items)
    chance = np.cumsum(np.arange(1, n_items + 1, dtype=np.float64) ** -exponent)
    chance /= chance[-1]
    biases = tuple(rng.normal(0, 0.3, n).astype(np.float32) for n in (n_users, n_items))
    scale = np.sqrt(0.5) / factors**0.25
    tastes = tuple(rng.normal(0, scale, (n, factors)).astype(np.float32) for n in (n_users, n_items))

    def write(number: int) -> None:
        drawn = np.random.default_rng([seed, 1, number])
        size = min(block, n_events - number * block)
        users = drawn.integers(0, n_users, size, np.int32)
        items = shuffle[np.searchsorted(chance, np.sort(drawn.random(size)), side="right")].astype(np.int32)  # sorted: near places
        taste = np.einsum("ef,ef->e", tastes[0][users], tastes[1][items])
        ratings = np.float32(2.75) + biases[0][users] + biases[1][items] + taste
        ratings += np.float32(noise) * drawn.standard_normal(size, np.float32)
        columns = {"user_id": users, "item_id": items, "rating": np.clip(ratings, 0.5, 5)}
        pl.DataFrame(columns).write_parquet(place / f"part-{number:05d}.parquet", compression="lz4", statistics=False)

    in_threads(write, -(-n_events // block), threads)


def zipf(n_events: int, n_users: int, n_items: int, exponent: float = 1.0, seed: int = 0) -> Dataset:
    """`zipf_blocks` as a Dataset; a pair that came more than once is kept once, the first."""
    frame = pl.concat(zipf_blocks(n_events, n_users, n_items, exponent, seed=seed))
    return Dataset.of(frame.unique(["user_id", "item_id"], keep="first", maintain_order=True))


def _dataset(events: Interactions, bounds: tuple[float, float] | None = None) -> Dataset:
    return Dataset(events, Vocabulary(np.arange(events.n_users)), Vocabulary(np.arange(events.n_items)), stated_range=bounds)


def _pairs(n_users: int, n_items: int, n_events: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Distinct pairs, more of popular items and busy users, at least one of each, in random order."""
    least, most = max(n_users, n_items), n_users * n_items
    if not least <= n_events <= most:
        raise InputError(f"n_events must lie between {least} (one a user and item) and {most} (all pairs); got {n_events}")
    cover = np.arange(least) % n_users * n_items + np.arange(least) % n_items
    appeal = np.log(rng.gamma(2.0, 1.0, n_users))[:, None] + np.log(rng.gamma(1.0, 1.0, n_items))[None, :]
    keys = (appeal + rng.gumbel(size=(n_users, n_items))).ravel()
    keys[cover] = np.inf
    chosen = rng.permutation(np.argpartition(-keys, n_events - 1)[:n_events])
    return (chosen // n_items).astype(np.int32), (chosen % n_items).astype(np.int32)
