"""Settings of bars, chosen on inner splits of the training rows: `python -m benchmarks.studies.inner_choices WHICH`.

balance     how strongly items are evened out and rows held, on 15 % of ML-100K u1.base, four times: the least error on the rarer
            half of the items whose cost on the other half stays under COST
new-films   loss, epochs and holding of `two-tower` for films without ratings: a tenth of the films that the bar trains on is withheld
            again; the largest AUC
last-film   penalties of EASE and ALS for the last film among 99 sampled, ML-1M: everybody's last film but one, NDCG@10
tutorial-dot  where the tutorials' dot product starts: the error nearest to fastai's own on 15 % of ML-100K u1.base

The rows that the bars test on take no part. Prints one line a trial and the choice as JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.bars.sequences import last_held_out, leave_last_out
from benchmarks.install_peers import python_of
from benchmarks.measure import likewise, measured
from benchmarks.new_films import withheld
from benchmarks.suites import data_home
from likewise.data.dataset import Dataset
from likewise.data.readers import read
from likewise.data.splits import split
from likewise.models.dot import Dot
from likewise.solvers.base import Run
from likewise.solvers.gradient import AdamW, Balance, Gradient, Penalty
from likewise.studies.presets import load_preset

COST = 0.03
"""The most RMSE that the commoner half of the items may lose to balance."""
SPLITS = 4
PLAIN_L2 = 0.24
BALANCED = ((0.25, 0.24), (0.5, 0.24), (0.5, 0.5), (0.5, 0.8), (0.75, 0.24), (0.75, 0.5), (1.0, 0.5))
"""(exponent of the items, L2) tried."""
STARTS = ("normal", "truncated", "scaled")
LAST = {
    "ease": {"model.l2": (500.0, 1000.0, 2000.0), "model.item_power": (0.0, 0.5)},
    "als": {"solver.l2": (0.0025, 0.005, 0.01, 0.02), "solver.unobserved": (0.05, 0.1, 0.2)},
}
FILMS = {"solver.loss": ("bpr", "mse"), "solver.epochs": (3, 6), "solver.penalty.l2": (0.005, 0.05)}


def balance() -> dict[str, Any]:
    """Exponent of the items and L2, by the mean over several splits: one is too noisy to choose by."""
    u1 = read(data_home() / "ml-100k/u1.base")
    changes: dict[tuple[float, float], list[tuple[float, float]]] = {one: [] for one in BALANCED}
    for seed in range(SPLITS):
        train, held = split(u1, by="random", test=0.15, seed=seed)
        tail = rare_items(train, train.encode(held.frame()).items)
        plain = squared_errors(train, held, None, PLAIN_L2)
        for (items, l2), found in changes.items():
            even = squared_errors(train, held, Balance(users=0, items=items), l2)
            rare, common = (float(even[rows].mean() ** 0.5 - plain[rows].mean() ** 0.5) for rows in (tail, ~tail))
            found.append((rare, common))
            print(json.dumps({"split": seed, "items": items, "l2": l2, "tail": rare, "head": common}), flush=True)
    means = {one: np.mean(found, 0) for one, found in changes.items()}
    fair = [one for one, mean in means.items() if mean[1] <= COST]
    items, l2 = min(fair, key=lambda one: float(means[one][0]))
    return {"items": items, "l2": l2, "tail": float(means[items, l2][0]), "head": float(means[items, l2][1])}


def rare_items(train: Dataset, items: np.ndarray) -> np.ndarray:
    """Which of the rows of items belong to the half with the fewest training ratings."""
    counts = train.interactions.by_item.counts
    rare = np.zeros(len(counts) + 1, bool)
    rare[np.argsort(counts, kind="stable")[: len(counts) // 2]] = rare[-1] = True
    return rare[items]


def squared_errors(train: Dataset, held: Dataset, balance: Balance | None, l2: float) -> np.ndarray:
    """Of the bar's dot product."""
    pairs = train.encode(held.frame())
    solver = Gradient(10, 1024, AdamW(0.01, 0.0), penalty=Penalty(l2=l2, bias=0.1), balance=balance, engine="torch")
    model = solver.fit(Dot(50), train, Run(threads=1)).model
    answers = model.link.respond(model.score_pairs(model.people(pairs.users), pairs.items))
    return (np.clip(answers, 1, 5) - pairs.ratings) ** 2


def new_films() -> dict[str, Any]:
    """Loss, epochs and holding."""
    found = withheld(2)
    best: tuple[float, dict[str, Any]] = (0.0, {})
    for values in product(*FILMS.values()):
        changes = dict(zip(FILMS, values, strict=True))
        auc = float(found.aucs(found.scores({**changes, "solver.batch_size": 4096})).mean())
        print(json.dumps({**changes, "auc": round(auc, 4)}), flush=True)
        best = max(best, (auc, changes), key=lambda one: one[0])
    return best[1]


def last_film() -> dict[str, Any]:
    """Penalties of the two parts of `top-n`, each by itself."""
    with tempfile.TemporaryDirectory() as name:
        train, _ = leave_last_out(data_home() / "ml-1m/ratings.parquet", Path(name))
        (inner := Path(name) / "inner").mkdir()
        tables = last_held_out(pl.read_parquet(train), inner)  # the last of what is left; the bar's are gone

        def ndcg(preset: str, changes: dict[str, float]) -> float:
            told = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
            command = [*likewise(), "bench", tables[0], "--test", tables[1], "--preset", preset, *told, "--protocol", "loo99", "--json"]
            done = measured(command, 1)
            if done.problem:
                raise RuntimeError(done.problem)
            print(json.dumps({"preset": preset, **changes, "ndcg": (found := done.json()["sampled_ndcg@10"])}), flush=True)
            return float(found)

        grids = {preset: [dict(zip(grid, values, strict=True)) for values in product(*grid.values())] for preset, grid in LAST.items()}
        return {preset: max(grid, key=lambda changes, p=preset: ndcg(p, changes)) for preset, grid in grids.items()}


def tutorial_dot() -> dict[str, Any]:
    """Where the factors start."""
    train, held = split(read(data_home() / "ml-100k/u1.base"), by="random", test=0.15, seed=0)
    pairs = train.encode(held.frame())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, data in (("train", train), ("test", held)):
            frame = data.frame()
            np.savez(folder / f"{part}.npz", users=frame["user_id"], items=frame["item_id"], ratings=frame["rating"])
        told = ["--train", folder / "train.npz", "--test", folder / "test.npz", "--out", folder / "out.npy"]
        done = measured([python_of("fastai"), "-m", "benchmarks.peers.fastai", "--task", "rating", "--model", "dot", *told], 1)
        if done.problem:
            raise RuntimeError(done.problem)
        theirs = float(np.sqrt(np.mean((np.load(folder / "out.npy") - held.interactions.ratings) ** 2)))
    print(json.dumps({"fastai": theirs}), flush=True)
    errors = {}
    for init in STARTS:
        preset = load_preset("tutorial-dot", {"model.init": init})
        model = preset.solver.fit(preset.model, train, Run(threads=1)).model
        answers = model.link.respond(model.score_pairs(model.people(pairs.users), pairs.items))
        errors[init] = float(np.sqrt(np.mean((answers - pairs.ratings) ** 2)))
        print(json.dumps({"init": init, "rmse": errors[init]}), flush=True)
    return {"init": min(errors, key=lambda init: abs(errors[init] - theirs))}


CHOICES = {"balance": balance, "last-film": last_film, "new-films": new_films, "tutorial-dot": tutorial_dot}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=CHOICES)
    print(json.dumps({"chosen": CHOICES[parser.parse_args().which]()}))
