"""fastai's collaborative filtering with the settings of its course: one-cycle, 5 epochs at 5e-3, weight decay .1, batches of 64."""

from __future__ import annotations

import numpy as np
import pandas as pd
from fastai.collab import TabularCollab, collab_learner
from fastai.data.block import TransformBlock
from fastai.tabular.core import Categorify
from fastai.torch_core import set_seed

from benchmarks.peers._peer import Table, main

WATCHED = 640  # fastai insists on a validation set: copies of training rows, so that all of train trains


def frame(users, items, ratings=None):
    columns = {"user": users.astype(str), "item": items.astype(str)}
    return pd.DataFrame(columns if ratings is None else {**columns, "rating": ratings.astype("float32")})


def learner(train: Table, seed: int, epochs: int, rate: float, decay: float, batch: int, **model):
    set_seed(seed)
    rows = frame(train.users, train.items, train.ratings)
    n = len(rows)
    watched = np.random.RandomState(seed).choice(n, WATCHED, replace=False)
    full = pd.concat([rows, rows.iloc[watched]], ignore_index=True)
    splits = (list(range(n)), list(range(n, n + WATCHED)))
    table = TabularCollab(full, [Categorify], ["user", "item"], y_names=["rating"], y_block=TransformBlock(), splits=splits)
    learn = collab_learner(table.dataloaders(bs=batch, path="."), y_range=(0, float(train.ratings.max()) + 0.5), **model)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(epochs, rate, wd=decay)

    def predict(users, items):
        with learn.no_bar():
            return learn.get_preds(dl=learn.dls.test_dl(frame(users, items), bs=4096))[0].numpy().ravel()

    return predict


if __name__ == "__main__":
    course = {"epochs": 5, "rate": 5e-3, "decay": 0.1, "batch": 64}
    main(
        "fastai", rating={"dot": (learner, {**course, "n_factors": 50}), "mlp": (learner, {**course, "use_nn": True, "layers": [100, 50]})}
    )
