"""Who takes part: presets of Likewise through its command line, peers through their adapters; one face for both."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.install_peers import python_of, status
from benchmarks.measure import Measured, likewise, measured
from benchmarks.suites import Split

LIST_FIGURES = ("ndcg@10", "recall@20", "ndcg@100", "hit@10", "coverage@10")
KS = (10, 20, 100)


@dataclass(frozen=True)
class Contender:
    """One way to answer.

    Parameters
    ----------
    name : str
        "likewise dot" or "surprise svd".
    kind : "preset" or "peer"
    package, model : str
        The adapter and its model; for a preset "likewise" and the preset.
    """

    name: str
    kind: str
    package: str
    model: str

    def run(self, task: str, split: Split, seed: int, threads: int) -> dict[str, Any]:
        """Fit and answer once in a fresh process; figures, seconds and memory, or `problem`."""
        return (_run_preset if self.kind == "preset" else _run_peer)(self, task, split, seed, threads)


def contender(name: str, kind: str) -> Contender:
    """From a suite's word for it."""
    package, _, model = name.partition(":") if kind == "peer" else ("likewise", "", name)
    return Contender(f"{package} {model}", kind, package, model)


def _run_preset(who: Contender, task: str, split: Split, seed: int, threads: int) -> dict[str, Any]:
    train, test = split.tables
    command = [*likewise(), "bench", train, "--test", test, "--preset", who.model, "--seed", str(seed), "--json"]
    found = measured(command + (["--rank"] if task == "list" else []), threads)
    if found.problem:
        return {"problem": found.problem}
    told = found.json()
    answer = told["recommend_seconds"] if task == "list" else told["predict_seconds"]
    figures = {name: told[name] for name in (LIST_FIGURES if task == "list" else ("rmse", "mae"))}
    return {**figures, "fit_seconds": told["fit_seconds"], "answer_seconds": answer, **_costs(found), "version": _own_version()}


def _run_peer(who: Contender, task: str, split: Split, seed: int, threads: int) -> dict[str, Any]:
    known = status(who.package)
    if not known["installed"]:
        return {"problem": str(known["problem"])}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answers.npy"
        command = [
            python_of(who.package),
            "-m",
            f"benchmarks.peers.{who.package}",
            "--task",
            task,
            "--model",
            who.model,
            "--seed",
            str(seed),
        ]
        for name, path in (("train", split.arrays[0]), ("test", split.arrays[1]), ("out", out)):
            command += [f"--{name}", path]
        found = measured(command, threads)
        if found.problem:
            return {"problem": found.problem}
        told = found.json()
        answers = np.load(out)
    figures = list_figures(split.train, split.test, answers) if task == "list" else rating_errors(split.train, split.test, answers)
    return {**figures, "fit_seconds": told["fit_seconds"], "answer_seconds": told["answer_seconds"], **_costs(found)} | {
        "version": told["version"],
        "settings": json.dumps(told["settings"], sort_keys=True),
    }


def rating_errors(train: pl.DataFrame, test: pl.DataFrame, predicted: np.ndarray) -> dict[str, float]:
    """RMSE and MAE over all test rows, predictions clipped to the range of the training ratings."""
    from likewise.evaluation.rating import mae, rmse

    ratings = train["rating"].to_numpy()
    clipped, actual = np.clip(predicted, ratings.min(), ratings.max()), test["rating"].to_numpy()
    return {"rmse": rmse(clipped, actual), "mae": mae(clipped, actual)}


def list_figures(train: pl.DataFrame, test: pl.DataFrame, lists: np.ndarray) -> dict[str, float]:
    """Figures of lists of item ids, one row for each test user in sorted order, by the functions that judge our own lists.

    Raises ValueError if a list holds an item of the user's training history, or an item twice.
    """
    from likewise.evaluation.ranks import UNREACHED
    from likewise.evaluation.top_n import list_metrics

    users = np.unique(test["user_id"].to_numpy())
    seen = set(zip(train["user_id"].to_list(), train["item_id"].to_list(), strict=True))
    wanted: dict[int, set[int]] = {int(user): set() for user in users}
    for user, item in zip(test["user_id"].to_list(), test["item_id"].to_list(), strict=True):
        wanted[user].add(item)
    ranks, sizes = [], []
    for user, row in zip(users.tolist(), lists.tolist(), strict=True):
        place = {item: rank for rank, item in enumerate(row) if item >= 0}
        if len(place) != sum(item >= 0 for item in row) or any((user, item) in seen for item in place):
            raise ValueError(f"the list of user {user} repeats an item or holds one of its training history")
        ranks += [place.get(item, UNREACHED) for item in wanted[user]]
        sizes.append(len(wanted[user]))
    n_items = train["item_id"].n_unique()
    metrics = list_metrics(np.concatenate([[0], np.cumsum(sizes)]), np.array(ranks, np.int32), np.full(len(users), n_items), KS)
    shown = lists[:, :10]
    found = {name: float(np.nanmean(metrics[name])) for name in LIST_FIGURES if name in metrics}
    return {**found, "coverage@10": len(np.unique(shown[shown >= 0])) / n_items}


def _costs(found: Measured) -> dict[str, float]:
    return {"wall_seconds": found.wall_seconds, "cpu_seconds": found.cpu_seconds, "peak_mb": found.peak_mb}


def _own_version() -> str:
    from importlib.metadata import version

    return version("likewise")
