"""What the bars of sharded training run on every rank: `_ranks.py WHAT FOLDER ...` under torchrun.

The first rank writes FOLDER/WHAT-SIZE.json.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl
import torch

from likewise.data.dataset import Dataset
from likewise.data.interactions import Interactions
from likewise.data.vocabulary import Vocabulary
from likewise.models.dot import Dot
from likewise.models.networks.base import network_of
from likewise.ranking.topk import rank_model
from likewise.solvers.base import Ranks, Run
from likewise.solvers.gradient import Adagrad, Constant, Gradient, Penalty, loop
from likewise.solvers.gradient.device import borrowed
from likewise.solvers.sharded import versions

versions.load()

from likewise.solvers.sharded.ranking import ranked  # noqa: E402
from likewise.solvers.sharded.ranks import Rank, joined  # noqa: E402
from likewise.solvers.sharded.training import Training  # noqa: E402
from likewise.solvers.sharded.writing import Result  # noqa: E402

MODEL = Dot(factors=63)
SOLVER = Gradient(
    epochs=2, batch_size=8192, optimizer=Adagrad(lr=0.1), schedule=Constant(), penalty=Penalty(l2=0.02, power=0.5), engine="torch"
)
CPU = torch.device("cpu")


def read(path: str) -> Dataset:
    """Ratings without anything beside them."""
    return Dataset.of(pl.read_parquet(path, columns=["user_id", "item_id", "rating"]))


def rmse(fitted: Any, data: Dataset, test: str) -> float:
    """On held-out ratings."""
    pairs = data.encode(pl.read_parquet(test, columns=["user_id", "item_id", "rating"]))
    found = fitted.link.respond(fitted.score_pairs(fitted.people(pairs.users), pairs.items))
    return float(np.sqrt(np.mean((found - pairs.ratings) ** 2)))


def trained(data: Dataset, rank: Rank, folder: Path, losses: list[float], **options: Any) -> tuple[Any, Training]:
    """Over ranks, every step's loss of the whole batch noted."""
    run = Run(threads=1, **options)
    with borrowed(CPU, 0, 1):
        training = Training(MODEL, data, run, SOLVER, rank)
        step = training.step

        def told(*arguments: Any) -> Any:
            loss, squares, answered = step(*arguments)
            losses.append(float(rank.summed(loss.clone())))
            return loss, squares, answered

        training.step = told  # type: ignore[method-assign]
        training.run_epochs()
        return Result(MODEL, training.net, training.facts, rank).write(folder / f"model-{rank.size}.tmp"), training


def alone(folder: Path, rank: Rank, train: str, test: str) -> dict[str, Any]:
    """The loop of one process."""
    data, losses = read(train), []
    with borrowed(CPU, 0, 1):
        training = loop.Training(network_of(MODEL), MODEL, data, Run(threads=1), SOLVER, CPU)
        step = training.step

        def told(*arguments: Any) -> Any:
            found = step(*arguments)
            losses.append(float(found[0]))
            return found

        training.step = told  # type: ignore[method-assign]
        training.run_epochs()
        return {"losses": losses[:100], "rmse": rmse(training.fitted().model, data, test)}


def parity(folder: Path, rank: Rank, train: str, test: str) -> dict[str, Any]:
    """The same over ranks, with lists merged over ranks beside those of the written model."""
    data, losses = read(train), []
    fitted, training = trained(data, rank, folder, losses)
    users = np.arange(0, data.n_users, 4, dtype=np.int32)
    seen = data.interactions.by_user.csr(data.n_items)
    merged = ranked(training.net, users, 20, seen, data.n_items, rank)
    one = rank_model(fitted, fitted.people(users), 20, seen.take(users))
    unlike = int(((merged.items != one.items) & (np.abs(merged.scores - one.scores) > 1e-5)).sum())
    return {"losses": losses[:100], "rmse": rmse(fitted, data, test), "unlike": unlike, "places": merged.items.size}


def kept(folder: Path, rank: Rank, train: str, test: str) -> dict[str, Any]:
    """Scores of a fit that leaves a checkpoint, or begins from one that is there."""
    data, losses = read(train), []
    fitted, _ = trained(data, rank, folder, losses, checkpoint=str(folder / "kept"))
    events = data.interactions
    scores = fitted.score_pairs(fitted.people(events.users[:1000]), events.items[:1000])
    return {"steps": len(losses), "scores": scores.tolist()}


def killed(folder: Path, rank: Rank, train: str, test: str) -> dict[str, Any]:
    """A rank drawn by lot is killed at a step drawn by lot in each of the first ten lives."""
    data, losses = read(train), []
    life, every = int(os.environ["TORCHELASTIC_RESTART_COUNT"]), 10
    lot, step, done = np.random.default_rng(life), Training.step, 0
    who, when = int(lot.integers(rank.size)), int(lot.integers(5, 30))
    log = folder / "steps.txt"

    def dangerous(self: Training, batch: Any, epoch: int, number: int) -> Any:
        nonlocal done
        done += 1
        if life < 10 and done == when and rank.number == who:
            os.kill(os.getpid(), signal.SIGKILL)
        if rank.first:
            with log.open("a") as file:
                file.write(f"{life} {epoch * len(self.batches) + number}\n")
        return step(self, batch, epoch, number)

    Training.step = dangerous  # type: ignore[method-assign]
    fitted, _ = trained(data, rank, folder, losses, checkpoint=str(folder / "lives"), ranks=Ranks(checkpoint_every=every))
    steps = [tuple(map(int, line.split())) for line in log.read_text().splitlines()] if rank.first else []
    lost = [
        max(s for n, s in steps if n == each) - min(s for n, s in steps if n == each + 1)
        for each in range(life)
        if any(n == each for n, _ in steps)
    ]
    return {"lives": life, "lost": max(lost, default=0), "every": every, "rmse": rmse(fitted, data, test)}


def memory(folder: Path, rank: Rank, rows: str) -> dict[str, Any]:
    """The most memory a rank held above what it began with, training a table of so many rows of 128 numbers and writing the model."""
    before, rng, n = _held(), np.random.default_rng(0), 400_000
    users, items = int(rows), 10_000
    events = Interactions(
        rng.integers(0, users, n).astype(np.int32),
        rng.integers(0, items, n).astype(np.int32),
        users,
        items,
        rng.integers(1, 6, n).astype(np.float32),
    )
    data = Dataset(events, Vocabulary.of(pl.int_range(users, eager=True)), Vocabulary.of(pl.int_range(items, eager=True)))
    solver = Gradient(epochs=1, batch_size=8192, optimizer=Adagrad(), engine="torchrec")
    with borrowed(CPU, 0, 1):
        training = Training(Dot(factors=127), data, Run(threads=1), solver, rank)
        training.run_epochs()
        Result(Dot(factors=127), training.net, training.facts, rank).write(folder / "memory.tmp")
    most = torch.tensor(float(_held("VmHWM") - before))
    torch.distributed.all_reduce(most, torch.distributed.ReduceOp.MAX)
    return {"mb": float(most) / 1024}


def speed(folder: Path, rank: Rank) -> dict[str, Any]:
    """Rows a second, and the share of a step in which this rank waits for others or moves bytes."""
    rng, n, users, items = np.random.default_rng(0), 1_000_000, 100_000, 20_000
    columns = {"user_id": rng.integers(0, users, n), "item_id": (rng.random(n) ** 3 * items).astype(np.int64)}
    data = Dataset.of(pl.DataFrame({**columns, "rating": rng.integers(1, 6, n).astype(np.float32)}))
    with borrowed(CPU, 0, 1):
        training = Training(MODEL, data, Run(threads=1), SOLVER, rank)
        batches = list(training.batches.epoch(training.order))
        training.net.train()
        for number, batch in enumerate(batches[:5]):
            training.step(batch, 0, number)
        start = perf_counter()
        for number, batch in enumerate(batches[5:45]):
            training.step(batch, 0, number)
        seconds = perf_counter() - start
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            begun = perf_counter()
            for number, batch in enumerate(batches[45:65]):
                training.step(batch, 0, number)
            whole = perf_counter() - begun
    told = profile.key_averages()
    waits = sum(each.self_cpu_time_total for each in told if "wait" in each.key.lower() or each.key.startswith(("All2All", "c10d::"))) / 1e6
    return {"rate": 40 * SOLVER.batch_size / seconds, "share": waits / whole}


def _held(word: str = "VmRSS") -> int:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[word].split()[0])


def main() -> None:
    """Run what the command line asks for."""
    what, folder = sys.argv[1], Path(sys.argv[2])
    with joined("cpu") as rank:
        found = globals()[what](folder, rank, *sys.argv[3:])
        if rank.first:
            (folder / f"{what}-{rank.size}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
