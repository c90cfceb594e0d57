"""What each re-ranking knob costs in hits and buys in what it is for: `python -m benchmarks.studies.knobs DATA`.

ML-100K, random 80/20 within each user, lists of ten by weighted ALS; genres from `u.item`, popularity and age from the training
events. Writes `results/knobs.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import ROOT
from likewise.data.csr import CSR, csr_from_pairs
from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.evaluation.beyond import beyond_figures
from likewise.models.dot import Dot
from likewise.ranking.catalogue import Members
from likewise.ranking.rerank import Rerank, Signals, spread_of
from likewise.ranking.topk import TopK, rank_model
from likewise.solvers.als import ALS
from likewise.solvers.base import Run

TURNS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
K = 10


def main(home: Path) -> None:
    train, test = (
        pl.read_parquet(home / "splits" / f"topn-ml-100k.{part}.parquet").select("user_id", "item_id") for part in ("train", "test")
    )
    data = Dataset.of(train)
    events = data.interactions
    kinds = Members(genres(home, data)).by_item
    fitted = ALS().fit(Dot(factors=128, bias=False, output="free"), data, Run()).model
    users = np.arange(len(data.users), dtype=np.int32)
    pool = rank_model(fitted, fitted.people(users), 200, events.by_user.csr(len(data.items)))
    signals = Signals.of(events, kinds.toarray(), kinds)
    wanted = data.encode(test)
    known = wanted.known
    liked = csr_from_pairs(wanted.users[known], wanted.items[known], None, len(users), len(data.items))
    rows: list[dict[str, Any]] = []
    for knob in ("diversity", "popularity", "novelty", "calibration"):
        for turn in TURNS:
            lists = Rerank(**{knob: turn}).apply(pool, K, signals, events.by_user)
            beyond = {
                f.name.split("@")[0]: float(f.value)
                for f in beyond_figures(lists.items, events.by_item.counts, len(users), [K], signals.vectors)
            }
            rows.append(
                {"knob": knob, "turn": turn, "ndcg": ndcg(lists, liked), "miscalibration": drift(lists, events.by_user, kinds), **beyond}
            )
            print(json.dumps(rows[-1]))
    results = ROOT / "benchmarks" / "results"
    (results / "knobs.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def genres(home: Path, data: Dataset) -> pl.Series:
    """Genres of each item row, as text with "|" between."""
    names = [line.split("|")[0] for line in (home / "ml-100k" / "u.genre").read_text().split() if "|" in line]
    of = {}
    for line in (home / "ml-100k" / "u.item").read_text(encoding="latin-1").splitlines():
        cells = line.split("|")
        of[int(cells[0])] = "|".join(name for name, flag in zip(names, cells[5:], strict=True) if flag == "1")
    return pl.Series("genres", [of[i] for i in data.items.ids.to_list()])


def ndcg(lists: TopK, liked: CSR) -> float:
    """Mean NDCG@10 of the people with something to find."""
    discount = 1 / np.log2(np.arange(K) + 2)
    best = np.cumsum(discount)
    gains = [np.isin(lists.items[u], liked.row(u)) @ discount / best[min(K, n) - 1] for u, n in enumerate(liked.counts) if n]
    return float(np.mean(gains))


def drift(lists: TopK, histories: Histories, kinds: CSR) -> float:
    """Mean total variation between the genres of a history and of its list."""
    shown = Histories(np.arange(len(lists) + 1, dtype=np.int64) * K, lists.items.reshape(-1))
    return float(np.abs(spread_of(histories, kinds) - spread_of(shown, kinds)).sum(1).mean() / 2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
