"""Who takes part: presets of Likewise through its command line, peers through their adapters; one face for both."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.install_peers import python_of, status
from benchmarks.measure import Measured, likewise, measured
from benchmarks.suites import Split
from likewise.evaluation.figures import Figure

LIST_FIGURES = ("ndcg@10", "recall@20", "ndcg@100", "hit@10", "coverage@10")
KS = (10, 20, 100)
PEOPLE = "people"
"""Where a run keeps its first figure person by person, for paired differences; it does not reach the JSON."""


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

    def run(self, task: str, split: Split, seed: int, threads: int, changes: Mapping[str, int] | None = None) -> dict[str, Any]:
        """Fit and answer once in a fresh process, some whole-number settings changed; figures, seconds and memory, or `problem`."""
        settings = [word for name, value in (changes or {}).items() for word in ("--set", f"{name}={value}")]
        return (_run_preset if self.kind == "preset" else _run_peer)(self, task, split, seed, threads, settings)


def contender(name: str, kind: str) -> Contender:
    """From a suite's word for it."""
    package, _, model = name.partition(":") if kind == "peer" else ("likewise", "", name)
    return Contender(f"{package} {model}", kind, package, model)


def _run_preset(who: Contender, task: str, split: Split, seed: int, threads: int, settings: list[str]) -> dict[str, Any]:
    train, test = split.tables
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answers.parquet"
        command = [*likewise(), "bench", train, "--test", test, "--preset", who.model, "--seed", str(seed), *settings, "--json"]
        found = measured(command + (["--rank", "--lists", out] if task == "list" else ["--predictions", out]), threads)
        if found.problem:
            return {"problem": found.problem}
        told, answers = found.json(), pl.read_parquet(out)
    judged = (
        of_lists(split.train, split.test, as_array(answers)) if task == "list" else of_ratings(split.test, answers["prediction"].to_numpy())
    )
    figures = {name: told[name] for name in (LIST_FIGURES if task == "list" else ("rmse", "mae"))}
    answer = told["recommend_seconds"] if task == "list" else told["predict_seconds"]
    times = {"fit_seconds": told["fit_seconds"], "answer_seconds": answer}
    return {**figures, **times, **_costs(found), "version": _own_version(), PEOPLE: judged}


def _run_peer(who: Contender, task: str, split: Split, seed: int, threads: int, settings: list[str]) -> dict[str, Any]:
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
            *settings,
        ]
        for name, path in (("train", split.arrays[0]), ("test", split.arrays[1]), ("out", out)):
            command += [f"--{name}", path]
        found = measured(command, threads)
        if found.problem:
            return {"problem": found.problem}
        told = found.json()
        answers = np.load(out)
    if task == "rating":
        figures, judged = rating_errors(split.train, split.test, answers), of_ratings(split.test, _clipped(split.train, answers))
    else:
        figures, judged = list_figures(split.train, split.test, answers), of_lists(split.train, split.test, answers)
    times = {"fit_seconds": told["fit_seconds"], "answer_seconds": told["answer_seconds"]}
    about = {"version": told["version"], "settings": json.dumps(told["settings"], sort_keys=True)}
    return {**figures, **times, **_costs(found), **about, PEOPLE: judged}


def rating_errors(train: pl.DataFrame, test: pl.DataFrame, predicted: np.ndarray) -> dict[str, float]:
    """RMSE and MAE over all test rows, predictions clipped to the range of the training ratings."""
    from likewise.evaluation.rating import mae, rmse

    clipped, actual = _clipped(train, predicted), test["rating"].to_numpy()
    return {"rmse": rmse(clipped, actual), "mae": mae(clipped, actual)}


def _clipped(train: pl.DataFrame, predicted: np.ndarray) -> np.ndarray:
    ratings = train["rating"].to_numpy()
    return np.clip(predicted, ratings.min(), ratings.max())


def of_ratings(test: pl.DataFrame, predicted: np.ndarray) -> Figure:
    """Squared errors, added up for each person."""
    users, person = np.unique(test["user_id"].to_numpy(), return_inverse=True)
    squares = (predicted - test["rating"].to_numpy()) ** 2
    return Figure("rmse", np.bincount(person, squares, len(users)), np.bincount(person, minlength=len(users)).astype(float), root=True)


def of_lists(train: pl.DataFrame, test: pl.DataFrame, lists: np.ndarray) -> Figure:
    """NDCG@10 of each person."""
    found = _by_person(train, test, lists)["ndcg@10"]
    return Figure("ndcg@10", np.nan_to_num(found), np.isfinite(found).astype(float))


def as_array(lists: pl.DataFrame) -> np.ndarray:
    """Lists as item ids [user, 100], users in sorted order, -1 behind the end."""
    users, person = np.unique(lists["user_id"].to_numpy(), return_inverse=True)
    table = np.full((len(users), max(KS)), -1, np.int64)
    table[person, lists["rank"].to_numpy() - 1] = lists["item_id"].to_numpy()
    return table


def list_figures(train: pl.DataFrame, test: pl.DataFrame, lists: np.ndarray) -> dict[str, float]:
    """Figures of lists of item ids, one row for each test user in sorted order, by the functions that judge our own lists.

    Raises ValueError if a list holds an item of the user's training history, or an item twice.
    """
    metrics, shown = _by_person(train, test, lists), lists[:, :10]
    found = {name: float(np.nanmean(metrics[name])) for name in LIST_FIGURES if name in metrics}
    return {**found, "coverage@10": len(np.unique(shown[shown >= 0])) / train["item_id"].n_unique()}


def _by_person(train: pl.DataFrame, test: pl.DataFrame, lists: np.ndarray) -> dict[str, np.ndarray]:
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
    return list_metrics(np.concatenate([[0], np.cumsum(sizes)]), np.array(ranks, np.int32), np.full(len(users), n_items), KS)


def _costs(found: Measured) -> dict[str, float]:
    return {"wall_seconds": found.wall_seconds, "cpu_seconds": found.cpu_seconds, "peak_mb": found.peak_mb}


def _own_version() -> str:
    from importlib.metadata import version

    return version("likewise")
