"""RecTools: SASRec with the settings its documentation gives as defaults (2 blocks, 4 heads, 256 factors, the last 100 events, softmax).

The default of 3 epochs only shows how it is called; `sasrec-20` has more. Rank scores are those of its own `recommend`.
"""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pandas as pd
from pytorch_lightning import seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

from benchmarks.peers._peer import Table, main

DEFAULTS = {"n_blocks": 2, "n_heads": 4, "n_factors": 256, "dropout_rate": 0.2, "session_max_len": 100, "lr": 0.001, "batch_size": 128}


def sasrec(train: Table, seed: int, **settings):
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    seed_everything(seed)
    when = np.arange(len(train.users)) if train.times is None else train.times
    frame = pd.DataFrame(
        {Columns.User: train.users, Columns.Item: train.items, Columns.Weight: 1.0, Columns.Datetime: pd.to_datetime(when)}
    )
    data = Dataset.construct(frame)
    model = SASRecModel(loss="softmax", deterministic=True, **settings).fit(data)

    def recommend(users, k):
        found = model.recommend(users=users, dataset=data, k=k, filter_viewed=True)
        lists = np.full((len(users), k), -1, np.int64)
        lists[np.searchsorted(users, found[Columns.User]), found[Columns.Rank] - 1] = found[Columns.Item]
        return lists

    return recommend


if __name__ == "__main__":
    main("rectools", lists={f"sasrec{name}": (sasrec, {**DEFAULTS, "epochs": n}) for name, n in (("", 3), ("-1", 1), ("-20", 20))})
