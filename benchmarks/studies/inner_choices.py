"""Settings of three bars of the networks, chosen on inner splits of the training rows: `python -m benchmarks.studies.inner_choices WHICH`.

balance     how strongly items are evened out and rows held, on 15 % of ML-100K u1.base, four times: the least error on the rarer
            half of the items whose cost on the other half stays under COST
new-films   loss, epochs and holding of `two-tower` for films without ratings: a tenth of the films that the bar trains on is withheld
            again; the largest AUC
tutorial-dot  where the tutorials' dot product starts: the error nearest to fastai's own on 15 % of ML-100K u1.base

The rows that the bars test on take no part. Prints one line a trial and the choice as JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.install_peers import python_of
from benchmarks.measure import measured
from benchmarks.suites import data_home
from likewise.data.dataset import Dataset
from likewise.data.interactions import Histories
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
    draw = np.random.default_rng(0)
    events = pl.read_parquet(data_home() / "ml-1m/ratings.parquet").select("user_id", "item_id", "rating")
    for _ in range(2):  # first the films of the bar, which are put away; then a tenth of the others
        films = np.sort(events["item_id"].unique().to_numpy())
        withheld = pl.Series(draw.choice(films, len(films) // 10, replace=False))
        new = events["item_id"].is_in(withheld.implode())
        held, events = events.filter(new), events.filter(~new)
    train = read(events, items=str(data_home() / "ml-1m/movies.dat"), users=str(data_home() / "ml-1m/users.dat"))
    best: tuple[float, dict[str, Any]] = (0.0, {})
    for values in product(*FILMS.values()):
        changes = dict(zip(FILMS, values, strict=True))
        auc = auc_of_new(train, held, withheld, {**changes, "solver.batch_size": 4096})
        print(json.dumps({**changes, "auc": round(auc, 4)}), flush=True)
        best = max(best, (auc, changes), key=lambda one: one[0])
    return best[1]


def auc_of_new(train: Dataset, held: pl.DataFrame, films: pl.Series, changes: Mapping[str, Any]) -> float:
    """Mean AUC over the users of films that are known by their features alone."""
    preset = load_preset("two-tower", changes)
    model = preset.solver.fit(preset.model, train, Run(threads=1)).model
    table = pl.DataFrame({"item_id": films}).join(train.item_table, on="item_id", how="left", maintain_order="left")
    features = train.item_features.encode(table.drop("item_id")).design()
    rows = np.arange(train.n_items, train.n_items + len(films), dtype=np.int32)
    grown = model.with_items(rows, Histories(np.zeros(len(rows) + 1, np.int64), np.zeros(0, np.int32)), features)
    scores = grown.score(grown.people(np.arange(train.n_users, dtype=np.int32)), rows)
    place = {film: n for n, film in enumerate(films.to_list())}
    users, truth = train.users.rows(held["user_id"]), np.zeros(scores.shape, bool)
    truth[users[users >= 0], np.array([place[film] for film in held["item_id"].to_list()])[users >= 0]] = True
    some = truth.any(1) & ~truth.all(1)
    order, wanted = np.argsort(np.argsort(scores[some], 1, kind="stable"), 1) + 1.0, truth[some]
    n = wanted.sum(1)
    return float((((order * wanted).sum(1) - n * (n + 1) / 2) / (n * (wanted.shape[1] - n))).mean())


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


CHOICES = {"balance": balance, "new-films": new_films, "tutorial-dot": tutorial_dot}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=CHOICES)
    print(json.dumps({"chosen": CHOICES[parser.parse_args().which]()}))
