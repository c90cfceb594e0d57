"""The posterior beside myFM given the very same inputs: `python -m benchmarks.studies.paired ml-100k-u1 ids`.

    ids      users and items
    history  and what each user rated, by whom each item was rated
    all      and the tables of users and items, tags of training pairs, as the features that the library makes of them

Both fit in a process of their own; errors are compared by a bootstrap over users. Results are added to `results/paired.json`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.install_peers import python_of
from benchmarks.measure import ROOT, Measured, likewise, measured
from benchmarks.suites import CACHE, Split, data_home, split_of, suites

RESULTS = ROOT / "benchmarks" / "results" / "paired.json"
TABLES = {
    "ml-100k": {"items": "u.item", "users": "u.user"},
    "ml-latest-small": {"items": "movies.csv", "tags": "tags.csv"},
    "ml-1m": {"items": "movies.dat", "users": "users.dat"},
}
HISTORY = ("--set", 'solver.blocks=["history", "raters"]', "--set", "solver.choose=false")
OURS = {"ids": ("posterior",), "history": ("posterior-rich", *HISTORY), "all": ("posterior-rich",)}


def tables_of(suite: str) -> dict[str, str]:
    """Option to file of what the data set knows beside the ratings."""
    name = next(name for name in sorted(TABLES, key=len, reverse=True) if suite.startswith(name))
    return {option: str(data_home() / name / file) for option, file in TABLES[name].items()}


def run_ours(suite: str, inputs: str, split: Split, seed: int, threads: int, out: Path) -> tuple[np.ndarray, Measured, dict[str, Any]]:
    """Predictions of the preset with these inputs."""
    options = [word for kind, path in tables_of(suite).items() for word in (f"--{kind}", path)] if inputs == "all" else []
    preset, *more = OURS[inputs]
    command = [*likewise(), "bench", split.tables[0], "--test", split.tables[1], "--preset", preset, "--seed", str(seed), *options, *more]
    found = measured([*command, "--predictions", out / "ours.parquet", "--json"], threads)
    if found.problem:
        raise RuntimeError(found.problem)
    return pl.read_parquet(out / "ours.parquet")["prediction"].to_numpy(), found, found.json()


def run_myfm(suite: str, inputs: str, split: Split, seed: int, threads: int, draws: int, out: Path) -> tuple[np.ndarray, Measured, Any]:
    """Predictions of myFM with these inputs, `draws` sweeps."""
    train = with_features(suite, split, out) if inputs == "all" else split.arrays[0]
    command = [python_of("myfm"), "-m", "benchmarks.peers.myfm", "--task", "rating", "--model", inputs, "--seed", str(seed)]
    found = measured([*command, "--set", f"draws={draws}", "--train", train, "--test", split.arrays[1], "--out", out / "myfm.npy"], threads)
    if found.problem:
        raise RuntimeError(found.problem)
    return np.load(out / "myfm.npy"), found, found.json()


def with_features(suite: str, split: Split, out: Path) -> Path:
    """The training arrays with the features of every user and item of the split, as the library encodes them from train."""
    import likewise as lw

    data = lw.read(str(split.tables[0]), **tables_of(suite))  # type: ignore[arg-type]
    arrays = dict(np.load(split.arrays[0]))
    for side, features in (("user", data.user_features), ("item", data.item_features)):
        ids = pl.concat([split.train[f"{side}_id"], split.test[f"{side}_id"]]).unique().sort()
        known = (data.users if side == "user" else data.items).rows(ids)
        others = data.strangers(side, ids)  # type: ignore[arg-type]
        if features is None or others is None:
            continue
        mine, theirs = features.design().take(known[known >= 0]).toarray(), others.design().toarray()
        theirs[known >= 0] = mine
        arrays |= {f"{side}_ids": ids.to_numpy(), f"{side}_features": theirs}
    path = out / "train.npz"
    np.savez(path, **arrays)
    return path


def compare(ours: np.ndarray, theirs: np.ndarray, split: Split, rounds: int = 2000) -> dict[str, float]:
    """RMSE of both, clipped to the range of the training ratings, and the 95 % interval of the difference in mean squared error."""
    ratings = split.train["rating"].to_numpy()
    errors = [(np.clip(found, ratings.min(), ratings.max()) - split.test["rating"].to_numpy()) ** 2 for found in (ours, theirs)]
    people = np.unique(split.test["user_id"].to_numpy(), return_inverse=True)[1]
    more, counts = np.bincount(people, errors[0] - errors[1]), np.bincount(people)
    weights = np.random.default_rng(0).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), rounds)
    low, high = np.quantile((weights @ more) / (weights @ counts), [0.025, 0.975])
    return {"rmse": float(np.sqrt(errors[0].mean())), "myfm_rmse": float(np.sqrt(errors[1].mean())), "low": float(low), "high": float(high)}


def run(suite: str, inputs: str, seed: int, threads: int, draws: int, busy: bool = False) -> dict[str, Any]:
    """Both fits and their comparison, as one record; on a busy machine without times by the clock."""
    split = split_of(suites()[suite])
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        ours, mine, told = run_ours(suite, inputs, split, seed, threads, Path(folder))
        theirs, other, said = run_myfm(suite, inputs, split, seed, threads, draws, Path(folder))
    clock = dict.fromkeys(("fit_seconds", "myfm_fit_seconds"))
    if not busy:
        clock = {"fit_seconds": told["fit_seconds"], "myfm_fit_seconds": said["fit_seconds"]}
    costs = {**clock, "cpu_seconds": mine.cpu_seconds, "peak_mb": mine.peak_mb}
    costs |= {"myfm_cpu_seconds": other.cpu_seconds, "myfm_peak_mb": other.peak_mb}
    about = {"suite": suite, "inputs": inputs, "seed": seed, "threads": threads, "myfm_draws": draws, "myfm": said["version"]}
    return {**about, **compare(ours, theirs, split), **costs}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.paired")
    parser.add_argument("suite")
    parser.add_argument("inputs", choices=OURS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--draws", type=int, default=500, help="sweeps of myFM")
    parser.add_argument("--busy", action="store_true", help="the machine is busy: leave out the times by the clock")
    args = parser.parse_args()
    found = run(args.suite, args.inputs, args.seed, args.threads, args.draws, args.busy)
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    key = ("suite", "inputs", "seed", "threads", "myfm_draws")
    rows = [row for row in rows if any(row[name] != found[name] for name in key)] + [found]
    RESULTS.write_text(json.dumps(sorted(rows, key=lambda row: [str(row[name]) for name in key]), indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
