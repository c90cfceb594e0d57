"""Cornac: MF and SVD with the settings of its README and examples; BPR, EASE and VAECF (those of its example) for lists."""

from __future__ import annotations

import numpy as np
from cornac.data import Dataset
from cornac.models import BPR, EASE, MF, SVD, VAECF

from benchmarks.peers._peer import Rows, Table, best_of, fallback, histories, main

SEED = 123  # of Cornac's own examples; --seed is added to it


def rates(kind):
    def fit(train: Table, seed: int, **settings):
        data = Dataset.build(zip(train.users.tolist(), train.items.tolist(), train.ratings.tolist(), strict=True), seed=SEED + seed)
        model = kind(verbose=False, seed=SEED + seed, **settings).fit(data)
        otherwise = fallback(train)

        def predict(users, items):
            found = otherwise(users, items)
            for n, (user, item) in enumerate(zip(users.tolist(), items.tolist(), strict=True)):
                if user in data.uid_map and item in data.iid_map:
                    found[n] = model.rate(data.uid_map[user], data.iid_map[item])
            return found

        return predict

    return fit


def ranks(kind):
    def fit(train: Table, seed: int, **settings):
        pairs = zip(train.users.tolist(), train.items.tolist(), np.ones(len(train.users)), strict=True)
        data = Dataset.build(pairs, seed=seed)
        model = kind(verbose=False, seed=seed, **settings).fit(data)
        rows = Rows.of(train)
        mine = np.array([data.iid_map[item] for item in rows.items.tolist()])
        seen = histories(train, rows)

        def recommend(users, k):
            scores = np.array([np.asarray(model.score(data.uid_map[user])).ravel()[mine] for user in users.tolist()], np.float32)
            best = best_of(scores, [seen[row] for row in rows.user(users)], k)
            return np.where(best >= 0, rows.items[best], -1)

        return recommend

    return fit


if __name__ == "__main__":
    mf = {"k": 10, "max_iter": 25, "learning_rate": 0.01, "lambda_reg": 0.02, "use_bias": True}
    svd = {"k": 10, "max_iter": 30, "learning_rate": 0.01, "lambda_reg": 0.02}
    bpr = {"k": 64, "max_iter": 200, "learning_rate": 0.01, "lambda_reg": 0.01, "num_threads": 1}
    vaecf = {"k": 64, "autoencoder_structure": [200], "act_fn": "tanh", "likelihood": "mult", "n_epochs": 100, "batch_size": 100}
    vaecf |= {"learning_rate": 0.001, "beta": 0.2, "use_gpu": False}
    main(
        "cornac",
        rating={"mf": (rates(MF), mf), "svd": (rates(SVD), svd)},
        lists={"bpr": (ranks(BPR), bpr), "ease": (ranks(EASE), {"lamb": 400.0, "posB": False}), "vaecf": (ranks(VAECF), vaecf)},
    )
