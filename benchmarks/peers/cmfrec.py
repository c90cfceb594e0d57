"""cmfrec: ALS with its defaults, with the settings of its README's benchmark, and with the history as implicit features."""

from __future__ import annotations

import numpy as np
from cmfrec import CMF
from scipy.sparse import coo_matrix

from benchmarks.peers._peer import Rows, Table, fallback, main


def factorised(train: Table, seed: int, **settings):
    rows = Rows.of(train)
    cells = rows.user(train.users), rows.item(train.items)
    table = coo_matrix((train.ratings, cells), (len(rows.users), len(rows.items)))
    model = CMF(random_state=seed + 1, nthreads=1, verbose=False, **settings).fit(table)
    otherwise = fallback(train)

    def predict(users, items):
        found = otherwise(users, items)
        user, item = rows.user(users), rows.item(items)
        known = (user >= 0) & (item >= 0)
        found[known] = model.predict(user[known].astype(np.int32), item[known].astype(np.int32))
        return found

    return predict


if __name__ == "__main__":
    als = {"method": "als", "k": 50, "lambda_": 0.05, "niter": 15, "scale_lam": True, "use_cg": False, "finalize_chol": False}
    main(
        "cmfrec",
        rating={
            "als": (factorised, {"method": "als"}),
            "als-readme": (factorised, als),
            "als-history": (factorised, {**als, "add_implicit_features": True}),
        },
    )
