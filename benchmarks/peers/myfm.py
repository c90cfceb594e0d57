"""myFM: the Bayesian factorisation machine by Gibbs sampling; ids only, with the training history both ways, or with features too."""

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


def described(train: Table, side: str, ids: np.ndarray) -> sp.csr_matrix:
    """Features of these ids, where the table of training ratings came with some."""
    if f"{side}_ids" not in train.more:
        return sp.csr_matrix((len(ids), 0))
    return sp.csr_matrix(train.more[f"{side}_features"][np.searchsorted(train.more[f"{side}_ids"], ids)])


def both_ways(train: Table, seed: int, rank: int, draws: int):
    """With the history of the user and of the item, and their features if the table has some."""
    known = Rows.of(train)
    n_users, n_items = len(known.users), len(known.items)
    shape = (n_users + 1, n_items + 1)
    history = sp.csr_matrix((np.ones(len(train.users)), (known.user(train.users) + 1, known.item(train.items) + 1)), shape)
    of_user, of_item = by_root(history), by_root(sp.csr_matrix(history.T))

    def blocks(users, items):
        found = []
        for side, ids, rows_of, width, past in (
            ("user", users, known.user, n_users, of_user),
            ("item", items, known.item, n_items, of_item),
        ):
            different, place = np.unique(ids, return_inverse=True)
            rows = rows_of(different)
            told = described(train, side, different)
            found.append(RelationBlock(place.ravel(), sp.hstack([one_hot(rows, width), past[rows + 1], told], format="csr")))
        return found

    model = MyFMRegressor(rank=rank, random_seed=42 + seed)
    sides = [described(train, side, train.users[:0]).shape[1] for side in ("user", "item")]
    sizes = [n_users + 1, n_items + 1, sides[0], n_items + 1, n_users + 1, sides[1]]
    grouping = np.repeat([group for group, size in enumerate(s for s in sizes if s)], [s for s in sizes if s]).tolist()
    model.fit(None, train.ratings, X_rel=blocks(train.users, train.items), grouping=grouping, n_iter=draws, n_kept_samples=draws)
    return lambda users, items: model.predict(None, X_rel=blocks(users, items))


if __name__ == "__main__":
    main(
        "myfm",
        rating={
            "ids": (ids, {"rank": 10, "draws": 500}),
            "history": (both_ways, {"rank": 10, "draws": 500}),
            "all": (both_ways, {"rank": 10, "draws": 500}),
        },
    )
