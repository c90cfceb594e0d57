"""implicit: ALS with settings found good for these data sets, and BPR with its defaults."""

from __future__ import annotations

import os

import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking

from benchmarks.peers._peer import Rows, Table, main


def ranks(kind):
    def fit(train: Table, seed: int, **settings):
        rows = Rows.of(train)
        shape = (len(rows.users), len(rows.items))
        liked = sp.csr_matrix((np.ones(len(train.users), np.float32), (rows.user(train.users), rows.item(train.items))), shape)
        model = kind(random_state=seed, num_threads=int(os.environ.get("OMP_NUM_THREADS", "1")), **settings)
        model.fit(liked, show_progress=False)

        def recommend(users, k):
            mine = rows.user(users)
            best, scores = model.recommend(mine, liked[mine], N=k, filter_already_liked_items=True)
            return np.where(scores > -1e30, rows.items[best], -1)  # what was filtered comes back with the least float

        return recommend

    return fit


if __name__ == "__main__":
    small = {"factors": 128, "regularization": 30.0, "alpha": 3.0, "iterations": 20}
    large = {**small, "regularization": 50.0, "alpha": 5.0}
    main(
        "implicit",
        lists={
            "als": (ranks(AlternatingLeastSquares), small),
            "als-1m": (ranks(AlternatingLeastSquares), large),
            "bpr": (ranks(BayesianPersonalizedRanking), {}),
        },
    )
