"""What each part of the posterior is worth: `python -m benchmarks.studies.ablation`, at random and forward in time.

Short chains of the same length for all, one seed; results are added to `results/posterior-ablation.json`, a line at a time.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from benchmarks.measure import ROOT
from benchmarks.studies.paired import tables_of
from benchmarks.suites import data_home

RESULTS = ROOT / "benchmarks" / "results" / "posterior-ablation.json"
SHORT = {"solver.draws": 100, "solver.draws_kept": 100, "model.factors": 16}
SIDE, HISTORY, MIRROR = ("user_features", "item_features", "tags"), ("history",), ("raters",)
ALL = SIDE + HISTORY + MIRROR
VARIANTS: dict[str, tuple[tuple[str, ...], bool, dict[str, Any]]] = {
    "ids, the same noise for all": ((), False, {"solver.noise": ()}),
    "ids": ((), False, {}),
    "ids, ordinal": ((), False, {"solver.observation": "ordinal"}),
    "side features": (SIDE, False, {}),
    "history": (HISTORY, False, {}),
    "history and its mirror": (HISTORY + MIRROR, False, {}),
    "all of these": (ALL, False, {}),
    "all, ordinal": (ALL, False, {"solver.observation": "ordinal"}),
    "all, and the day": (ALL, True, {}),
}
SPLITS = {
    "u1": ("ml-100k", "ml-100k/u1.base", "ml-100k/u1.test"),
    "ML-100K by time": ("ml-100k", "ml-100k/u.data", None),
    "latest-small, random": ("ml-latest-small", "splits/ml-latest-small-r90.train.parquet", "splits/ml-latest-small-r90.test.parquet"),
    "latest-small by time": ("ml-latest-small", "ml-latest-small/ratings.csv", None),
    "ML-1M, random": ("ml-1m", "splits/ml-1m-r90.train.parquet", "splits/ml-1m-r90.test.parquet"),
}


def halves(split: str, day: bool) -> tuple[Any, Any] | None:
    """Train, and the test rows as a frame; None where the tables have no day."""
    import likewise as lw
    from likewise.data.readers import read_pairs

    name, train, test = SPLITS[split]
    context = {"context": ("day",)} if day else {}
    if test is None:
        parts = lw.split(lw.read(str(data_home() / train), **tables_of(name), **context), by="time", test=0.1)  # type: ignore[arg-type]
        return parts[0], parts[1].frame()
    try:
        data = lw.read(str(data_home() / train), **tables_of(name), **context)  # type: ignore[arg-type]
        return data, read_pairs(str(data_home() / test), tuple(context.get("context", ())))
    except lw.InputError:
        return None


def measure(split: str, variant: str) -> dict[str, float] | None:
    """RMSE over all rows and over rows of known users."""
    import likewise as lw

    blocks, day, changes = VARIANTS[variant]
    parts = halves(split, day)
    if parts is None:
        return None
    train, frame = parts
    settings = {**SHORT, "solver.blocks": blocks, "solver.choose": False, "solver.contexts": ("all",) if day else (), **changes}
    rec = lw.fit(train, "posterior-rich" if blocks else "posterior", changes=settings)
    error = np.clip(rec.predict(frame)["score"].to_numpy(), *train.rating_range) - frame["rating"].to_numpy()
    warm = train.users.rows(frame["user_id"]) >= 0
    return {"all": float(np.sqrt((error**2).mean())), "warm": float(np.sqrt((error[warm] ** 2).mean()))}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.ablation")
    parser.add_argument("splits", nargs="*", default=list(SPLITS))
    args = parser.parse_args()
    found: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for split in args.splits:
        for variant in VARIANTS:
            if variant in found.get(split, {}):
                continue
            found.setdefault(split, {})[variant] = measure(split, variant)
            print(split, "|", variant, "|", found[split][variant], flush=True)
            RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
