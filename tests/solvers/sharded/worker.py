"""What the tests run on every rank, under torchrun: `worker.py WHAT FOLDER` writes FOLDER/WHAT-SIZE.json from the first rank."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from likewise.data.dataset import Dataset
from likewise.data.shards import prepare
from likewise.data.shards.shards import Shards, open_shards
from likewise.models.base import Model
from likewise.models.dot import Dot
from likewise.models.networks.base import network_of
from likewise.models.networks.dlrm import DLRM
from likewise.models.networks.mlp import MLP
from likewise.models.networks.two_tower import TwoTower
from likewise.ranking.topk import rank_model
from likewise.solvers.base import Ranks, Run
from likewise.solvers.gradient import SGD, Adagrad, Constant, Gradient, Loss, Negatives, OneCycle, Penalty, loop
from likewise.solvers.gradient.device import borrowed
from likewise.solvers.sharded import versions

versions.load()

from likewise.solvers.sharded.ranking import ranked  # noqa: E402  torchrec is loaded first, its warnings left out
from likewise.solvers.sharded.ranks import Rank, joined  # noqa: E402
from likewise.solvers.sharded.training import Training  # noqa: E402
from likewise.solvers.sharded.writing import Result  # noqa: E402

HELD = Penalty(l2=0.02, power=0.5, bias=0.5)
CASES: dict[str, tuple[Model, Gradient]] = {
    "dot": (Dot(factors=10), Gradient(optimizer=Adagrad(lr=0.1, weight_decay=0.01), penalty=HELD)),
    "dot-sgd": (Dot(factors=7, bias=False, init="small"), Gradient(optimizer=SGD(lr=0.5))),
    "one-cycle": (Dot(factors=6, init="small"), Gradient(optimizer=Adagrad(lr=0.1), schedule=OneCycle(rise=0.0))),
    "mlp": (MLP(embedding=(8, 6), hidden=(16,)), Gradient(optimizer=Adagrad(lr=0.1))),
    "two-tower": (TwoTower(factors=9), Gradient(optimizer=Adagrad(lr=0.1), penalty=HELD)),
    "dlrm": (DLRM(factors=8), Gradient(optimizer=SGD(lr=0.1))),
    "ordinal": (Dot(factors=4), Gradient(optimizer=Adagrad(lr=0.1), loss=Loss("ordinal"))),
}


def data_of(n: int = 4001, users: int = 201, items: int = 97, seed: int = 0) -> Dataset:
    """Planted ratings with features; 4,001 events in batches of 400 leave a last batch of one."""
    rng = np.random.default_rng(seed)
    pairs = rng.choice(users * items, n, replace=False)
    u, i = pairs // items, pairs % items
    rating = np.clip(np.round(3 + rng.normal(size=users)[u] * 0.7 + rng.normal(size=items)[i] * 0.7), 1, 5).astype(np.float32)
    people = pl.DataFrame({"user_id": np.arange(users), "age": rng.integers(15, 70, users), "job": rng.choice(["a", "b", "c"], users)})
    return Dataset.of(pl.DataFrame({"user_id": u, "item_id": i, "rating": rating}), user_table=people)


def settings(solver: Gradient, **changes: Any) -> Gradient:
    """The solver of a case as the tests run it."""
    schedule = Constant() if solver.schedule == OneCycle() else solver.schedule
    return Gradient(**{**vars(solver), "epochs": 2, "batch_size": 400, "schedule": schedule, "engine": "torch", **changes})


def on_one(model: Model, data: Dataset | Shards, solver: Gradient, **options: Any) -> tuple[list[float], Any]:
    """Losses of each step, and the model, of the loop of one process."""
    run, cpu = Run(threads=1, **options), torch.device("cpu")
    with borrowed(cpu, run.seed, 1):
        training = loop.Training(network_of(model), model, data, run, solver, cpu)
        found, step = [], training.step

        def told(*arguments: Any) -> Any:
            loss, response = step(*arguments)
            found.append(float(loss))
            return loss, response

        training.step = told  # type: ignore[method-assign]
        training.run_epochs()
        return found, training.fitted().model


def on_ranks(
    model: Model, data: Dataset | Shards, solver: Gradient, rank: Rank, folder: Path, **options: Any
) -> tuple[list[float], Any, Training]:
    """The same over ranks."""
    run = Run(threads=1, **options)
    with borrowed(rank.device, run.seed, 1):
        training = Training(model, data, run, solver, rank)
        found, step = [], training.step

        def told(*arguments: Any) -> Any:
            loss, squares, answered = step(*arguments)
            found.append(float(rank.summed(loss.clone())))
            return loss, squares, answered

        training.step = told  # type: ignore[method-assign]
        training.run_epochs()
        return found, Result(model, training.net, training.facts, rank).write(folder / "written.tmp"), training


def apart(one: Any, other: Any) -> float:
    """The greatest difference between the arrays of two models, those aside that amplify rounding."""
    found, wanted = one.state(), other.state()
    return max(float(np.abs(found[key] - wanted[key]).max()) for key in wanted if "precision" not in key and wanted[key].size)


def parity(folder: Path, rank: Rank, names: list[str]) -> dict[str, Any]:
    """How far the ranks' losses and the model's arrays are from those of one process."""
    found: dict[str, Any] = {}
    data = data_of()
    for name in names:
        model, solver = CASES[name][0], settings(CASES[name][1])
        losses, fitted, _ = on_ranks(model, data, solver, rank, folder)
        if rank.first:
            alone, expected = on_one(model, data, solver)
            steps = max(abs(a - b) for a, b in zip(losses, alone, strict=True))
            named = fitted.state().keys() == expected.state().keys()
            found[name] = {"steps": len(losses), "losses": steps, "arrays": apart(fitted, expected), "same names": named}
    return found


def shards(folder: Path, rank: Rank) -> dict[str, Any]:
    """The same of events that stay on disk, in shards of 500; then half of the steps again, from the checkpoint."""
    if rank.first:
        data_of().frame().select("user_id", "item_id", "rating").write_parquet(folder / "events.parquet")
        prepare.SHARD = 500
        prepare.scan(folder / "events.parquet", folder / "prepared", test=0.1)
    rank.told("prepared")
    data = open_shards(folder / "prepared")
    model, solver = CASES["dot"][0], settings(CASES["dot"][1], batch_size=100)
    kept = {"valid": data.held_out, "checkpoint": str(folder / "of-shards"), "ranks": Ranks(checkpoint_every=30)}
    losses, fitted, training = on_ranks(model, data, solver, rank, folder, **kept)
    if rank.first:
        shutil.rmtree(sorted((folder / "of-shards").glob("step-*"))[-1])  # what was written last is lost
    rank.told("lost")
    rest, again, _ = on_ranks(model, data, solver, rank, folder, **kept)
    found: dict[str, Any] = {"files": len(data.files), "steps": len(losses), "rest": len(rest), "again": apart(again, fitted)}
    if rank.first:
        alone, expected = on_one(model, data, solver, valid=data.held_out)
        found["losses"] = max(abs(a - b) for a, b in zip(losses, alone, strict=True))
        found["arrays"] = apart(fitted, expected)
        found["watched"] = training.history[-1]["valid_rmse"]
    return found


def lists(folder: Path, rank: Rank) -> dict[str, Any]:
    """Lists merged over ranks beside those of the model in one process; a ranking loss; validation by NDCG."""
    data = data_of()
    solver = settings(Gradient(loss=Loss("bpr"), optimizer=Adagrad(lr=0.1), negatives=Negatives(2)), epochs=8)
    losses, fitted, training = on_ranks(Dot(factors=8, output="free"), data, solver, rank, folder, valid=data_of(900, seed=1))
    users = np.arange(data.n_users, dtype=np.int32)
    seen = data.interactions.by_user.csr(data.n_items)
    merged = ranked(training.net, users, 20, seen, data.n_items, rank)
    alone = rank_model(fitted, fitted.people(users), 20, seen)
    real = merged.items >= 0
    same = (merged.items == alone.items) | (np.abs(merged.scores - alone.scores) < 1e-5)
    figures = [event["valid_ndcg@10"] for event in training.history]
    return {
        "same": bool(same.all()),
        "counts": bool((merged.counts == alone.counts).all()),
        "apart": float(np.abs(merged.scores - alone.scores)[real].max()),
        "learned": losses[-1] < losses[0],
        "ndcg": figures[-1],
    }


def save(folder: Path, rank: Rank) -> dict[str, Any]:
    """Train with a checkpoint at every third step; keep what the model says."""
    return _scores(folder, rank, epochs=2)


def resume(folder: Path, rank: Rank) -> dict[str, Any]:
    """The same fit again: everything is in the checkpoint."""
    return _scores(folder, rank, epochs=2)


def _scores(folder: Path, rank: Rank, epochs: int) -> dict[str, Any]:
    data = data_of()
    model, solver = CASES["mlp"][0], settings(CASES["mlp"][1], epochs=epochs)
    steps, fitted, training = on_ranks(
        model, data, solver, rank, folder, checkpoint=str(folder / "checkpoints"), ranks=Ranks(checkpoint_every=3)
    )
    sample = data.interactions.users[:500], data.interactions.items[:500]
    scores = fitted.score_pairs(fitted.people(sample[0]), sample[1])
    return {"steps": len(steps), "loss": training.history[-1]["loss"], "scores": scores.tolist()}


def killed(folder: Path, rank: Rank) -> dict[str, Any]:
    """A rank is killed in the middle of its first life; the next one goes on from the checkpoint."""
    data, step = data_of(), Training.step
    life, done = int(os.environ["TORCHELASTIC_RESTART_COUNT"]), 0

    def dangerous(self: Training, *arguments: Any) -> Any:
        nonlocal done
        done += 1
        if life == 0 and done == 14 and rank.number == rank.size - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, *arguments)

    Training.step = dangerous  # type: ignore[method-assign]
    _, fitted, training = on_ranks(
        CASES["mlp"][0], data, settings(CASES["mlp"][1]), rank, folder, checkpoint=str(folder / "lives"), ranks=Ranks(checkpoint_every=3)
    )
    sample = data.interactions.users[:500], data.interactions.items[:500]
    scores = fitted.score_pairs(fitted.people(sample[0]), sample[1])
    return {"life": life, "steps": done, "loss": training.history[-1]["loss"], "scores": scores.tolist()}


def main() -> None:
    """Run what the command line asks for."""
    what, folder = sys.argv[1], Path(sys.argv[2])
    with joined("cpu") as rank:
        if what == "parity":
            found = parity(folder, rank, sys.argv[3:])
        else:
            found = {"lists": lists, "shards": shards, "save": save, "resume": resume, "killed": killed}[what](folder, rank)
        if rank.first:
            (folder / f"{what}-{rank.size}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
