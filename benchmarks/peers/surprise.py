"""Surprise (scikit-surprise), with its defaults, as in its own benchmark table."""

from __future__ import annotations

from surprise import SVD, KNNBaseline, Reader, SVDpp
from surprise.dataset import DatasetAutoFolds

from benchmarks.peers._peer import Table, main


class Rows:
    """As much of a frame as Surprise's dataset asks for."""

    def __init__(self, train: Table) -> None:
        self.rows = list(zip(train.users.tolist(), train.items.tolist(), train.ratings.tolist(), strict=True))

    def __getitem__(self, columns):
        return self

    def itertuples(self, index=False):
        return iter(self.rows)


def fitted(algorithm, train: Table):
    reader = Reader(rating_scale=(float(train.ratings.min()), float(train.ratings.max())))
    algorithm.fit(DatasetAutoFolds(reader=reader, df=Rows(train)).build_full_trainset())

    def predict(users, items):
        return [algorithm.predict(user, item).est for user, item in zip(users.tolist(), items.tolist(), strict=True)]

    return predict


def svd(train: Table, seed: int, **settings):
    return fitted(SVD(random_state=seed, **settings), train)


def svdpp(train: Table, seed: int, **settings):
    return fitted(SVDpp(random_state=seed, **settings), train)


def item_knn(train: Table, seed: int, **settings):
    return fitted(KNNBaseline(verbose=False, **settings), train)


if __name__ == "__main__":
    item_based = {"sim_options": {"name": "pearson_baseline", "user_based": False}}
    main("scikit-surprise", rating={"svd": (svd, {}), "item-knn": (item_knn, item_based), "svdpp": (svdpp, {"cache_ratings": True})})
