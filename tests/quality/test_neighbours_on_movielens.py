"""Neighbours and biases on the published split of ML-100K and as lists; bounds on both sides."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from likewise.data.dataset import Dataset
from likewise.models.bias import Bias
from likewise.models.neighbours import Neighbours
from likewise.models.popularity import Popularity
from likewise.ranking.topk import rank_model


def read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, separator="\t", has_header=False, new_columns=["user_id", "item_id", "rating", "timestamp"])


def rmse(settings, train: Dataset, test: pl.DataFrame) -> float:
    fitted = settings.solve(train)
    pairs = train.encode(test)
    response = fitted.link.respond(fitted.score_pairs(fitted.people(pairs.users), pairs.items))
    return float(np.sqrt(np.mean((response - test["rating"].to_numpy()) ** 2)))


@pytest.mark.parametrize(
    ("settings", "low", "high"),
    [(Bias(), 0.951, 0.957), (Neighbours(), 0.917, 0.923), (Neighbours(by="user", shrinkage=100.0), 0.925, 0.933)],
    ids=["bias", "items", "people"],
)
def test_ratings_of_ml_100k_u1(data_home, settings, low, high):
    folder = data_home / "ml-100k"
    assert low < rmse(settings, Dataset.of(read(folder / "u1.base")), read(folder / "u1.test")) < high


@pytest.mark.parametrize(
    ("settings", "low", "high"),
    [(Popularity(), 0.21, 0.225), (Neighbours(k=500, shrinkage=0.0), 0.375, 0.395)],
    ids=["popularity", "items"],
)
def test_lists_of_ml_100k(data_home, settings, low, high):
    train, test = (
        pl.read_parquet(data_home / "splits" / f"topn-ml-100k.{part}.parquet").select("user_id", "item_id") for part in ("train", "test")
    )
    data = Dataset.of(train)
    fitted = settings.solve(data)
    users = np.arange(len(data.users), dtype=np.int32)
    lists = rank_model(fitted, fitted.people(users), 10, data.interactions.by_user.csr(len(data.items))).items
    wanted = data.encode(test)
    liked = set(zip(wanted.users.tolist(), wanted.items.tolist(), strict=True))
    counts = np.bincount(wanted.users[wanted.users >= 0], minlength=len(users))
    discount = 1 / np.log2(np.arange(10) + 2)
    hits = np.array([[(u, i) in liked for i in lists[u].tolist()] for u in users.tolist()])
    best = np.cumsum(discount)[np.clip(counts, 1, 10) - 1]
    ndcg = ((hits * discount).sum(1) / best)[counts > 0].mean()
    assert low < ndcg < high
