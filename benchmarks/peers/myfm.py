"""myFM: the Bayesian factorisation machine by Gibbs sampling; ids only, or with the training history both ways."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from myfm import MyFMRegressor, RelationBlock

from benchmarks.peers._peer import Rows, Table, main


def one_hot(rows: np.ndarray, width: int) -> sp.csr_matrix:
    """One column a row of ids, the first for ids never seen."""
    return sp.csr_matrix((np.ones(len(rows)), (np.arange(len(rows)), rows + 1)), (len(rows), width + 1))


def by_root(history: sp.csr_matrix) -> sp.csr_matrix:
    """Each row over the root of its length, as SVD++ has it."""
    return sp.diags(np.maximum(np.diff(history.indptr), 1) ** -0.5) @ history


def ids(train: Table, seed: int, rank: int, draws: int):
    known = Rows.of(train)
    n_users, n_items = len(known.users), len(known.items)

    def design(users, items):
        return sp.hstack([one_hot(known.user(users), n_users), one_hot(known.item(items), n_items)], format="csr")

    model = MyFMRegressor(rank=rank, random_seed=42 + seed)
    shapes = [n_users + 1, n_items + 1]
    model.fit(design(train.users, train.items), train.ratings, group_shapes=shapes, n_iter=draws, n_kept_samples=draws - 5)
    return lambda users, items: model.predict(design(users, items))


def both_ways(train: Table, seed: int, rank: int, draws: int):
    known = Rows.of(train)
    n_users, n_items = len(known.users), len(known.items)
    shape = (n_users + 1, n_items + 1)
    history = sp.csr_matrix((np.ones(len(train.users)), (known.user(train.users) + 1, known.item(train.items) + 1)), shape)
    of_user, of_item = by_root(history), by_root(sp.csr_matrix(history.T))

    def blocks(users, items):
        found = []
        for rows, width, past in ((known.user(users), n_users, of_user), (known.item(items), n_items, of_item)):
            different, place = np.unique(rows, return_inverse=True)
            found.append(RelationBlock(place.ravel(), sp.hstack([one_hot(different, width), past[different + 1]], format="csr")))
        return found

    model = MyFMRegressor(rank=rank, random_seed=42 + seed)
    sizes = [n_users + 1, n_items + 1, n_items + 1, n_users + 1]
    grouping = np.repeat(np.arange(4), sizes).tolist()
    model.fit(None, train.ratings, X_rel=blocks(train.users, train.items), grouping=grouping, n_iter=draws, n_kept_samples=draws)
    return lambda users, items: model.predict(None, X_rel=blocks(users, items))


if __name__ == "__main__":
    main("myfm", rating={"ids": (ids, {"rank": 10, "draws": 500}), "history": (both_ways, {"rank": 10, "draws": 500})})
