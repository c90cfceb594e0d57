"""LensKit with its defaults: ALS, item neighbours and biases for ratings; EASE for lists."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pandas as pd
import torch
from lenskit import batch
from lenskit.als import BiasedMFScorer
from lenskit.basic import BiasScorer
from lenskit.data import ItemList, RecQuery, from_interactions_df
from lenskit.knn import ItemKNNScorer
from lenskit.knn.ease import EASEScorer
from lenskit.pipeline import topn_pipeline
from lenskit.training import TrainingOptions

from benchmarks.peers._peer import Table, fallback, main


def rates(kind, reads_history=False):
    def fit(train: Table, seed: int, **settings):
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        frame = pd.DataFrame({"user_id": train.users, "item_id": train.items, "rating": train.ratings})
        model = kind(**settings)
        model.train(from_interactions_df(frame), TrainingOptions(rng=seed))
        pasts = dict(iter(frame.groupby("user_id"))) if reads_history else {}
        otherwise = fallback(train)

        def predict(users, items):
            found = otherwise(users, items)
            for user, places in pd.Series(np.arange(len(users))).groupby(users):
                query = int(user)
                if user in pasts:
                    past = pasts[user]
                    query = RecQuery(
                        user_id=user, user_items=ItemList(item_ids=past["item_id"].to_numpy(), rating=past["rating"].to_numpy())
                    )
                scores = np.asarray(model(query=query, items=ItemList(item_ids=items[places])).scores(), float)
                there = np.isfinite(scores)
                found[places.to_numpy()[there]] = scores[there]
            return found

        return predict

    return fit


def ranks(kind):
    def fit(train: Table, seed: int, **settings):
        os.environ["LK_NUM_PROCS"] = "1"
        data = from_interactions_df(pd.DataFrame({"user_id": train.users, "item_id": train.items}))
        pipeline = topn_pipeline(kind(**settings), n=100)
        pipeline.train(data)

        def recommend(users, k):
            found = np.full((len(users), k), -1, np.int64)
            place = {user: n for n, user in enumerate(users.tolist())}
            for key, items in batch.recommend(pipeline, users.tolist(), n=k, n_jobs=1).items():
                ids = items.ids()
                found[place[int(key.user_id)], : len(ids)] = ids
            return found

        return recommend

    return fit


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(
        "lenskit",
        rating={
            "biased-mf": (rates(BiasedMFScorer), {}),
            "item-knn": (rates(ItemKNNScorer, reads_history=True), {"feedback": "explicit"}),
            "bias": (rates(BiasScorer), {"damping": 5.0}),
        },
        lists={"ease": (ranks(EASEScorer), {"regularization": 400.0})},
    )
