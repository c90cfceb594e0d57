"""Saved models on one test of next events: figures, paired differences from the first, and what shuffled histories cost it.

    python -m benchmarks.bars._next TEST MODEL [MODEL ...] [--peer NAME=LISTS.npy]

One JSON object: `figures` by model, `differences` (the first model's less another's: value, low, high, verdict), `shuffled` (the same
between the first model and itself when it is given each person's history in a random order), `fit_seconds` of the first, summed
over its epochs.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl

import likewise as lw
from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
from likewise.evaluation.evaluate import Asked, evaluate
from likewise.evaluation.figures import Figure, mean_figure
from likewise.evaluation.result import Evaluation
from likewise.evaluation.significance import Difference, differences

FIGURES = ("ndcg@10", "hit@10")
LISTS_ONLY = Asked(ratings=False, distribution=False, segments=False)
Found = dict[str, Figure]


def judged(rec: lw.Recommender, test: Dataset, users: np.ndarray | None = None) -> Found:
    """The two figures of a model; of other states of its people where they are given."""
    model = rec.fitted if users is None else replace(rec.fitted, users=users)  # type: ignore[type-var]
    found: Evaluation = evaluate(model, rec.data, test, asked=LISTS_ONLY)
    return {name: found.figures[name] for name in FIGURES}


def of_lists(lists: np.ndarray, test: pl.DataFrame) -> Found:
    """The figures of lists of raw ids, one row for each test user in sorted order."""
    wanted = test.sort("user_id")["item_id"].to_numpy()
    hit = lists[:, :10] == wanted[:, None]
    gain = (hit / np.log2(np.arange(2, 12))).sum(1)
    return {"ndcg@10": mean_figure("ndcg@10", gain), "hit@10": mean_figure("hit@10", hit.any(1).astype(np.float64))}


def shuffled_states(rec: lw.Recommender, seed: int = 0) -> np.ndarray:
    """The state of each person after the same events in a random order."""
    histories, rng = rec.data.interactions.by_user, np.random.default_rng(seed)
    person = np.repeat(np.arange(len(histories)), histories.counts)
    order = np.lexsort((rng.random(len(person)), person))
    return rec.fitted.fold_in(Histories(histories.indptr, histories.rows[order]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("test", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--peer", default="")
    args = parser.parse_args()
    rows = pl.read_parquet(args.test)
    test = Dataset.of(rows)
    recs = {path.name: lw.load(path) for path in args.models}
    found = {name: judged(rec, test) for name, rec in recs.items()}
    first, ours = next(iter(recs.items()))
    peer, _, lists = args.peer.partition("=")
    if peer:
        found[peer] = of_lists(np.load(lists), rows)
    gaps = {name: pair(found[first], other) for name, other in found.items() if name != first}
    history = ours.history
    report = {
        "figures": {name: {figure: each[figure].value for figure in FIGURES} for name, each in found.items()},
        "differences": gaps,
        "fit_seconds": float((len(ours.data) / history["rows_per_second"]).sum()) if "rows_per_second" in history.columns else None,
    }
    if ours.model.name == "sequential":
        report["shuffled"] = pair(judged(ours, test, shuffled_states(ours)), found[first])
    print(json.dumps(report))


def pair(ours: Found, theirs: Found) -> dict[str, dict[str, object]]:
    """Paired differences by figure."""
    gaps: list[Difference] = differences(ours, theirs)
    return {gap.name: asdict(gap) for gap in gaps}


if __name__ == "__main__":
    main()
