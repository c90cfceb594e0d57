"""`likewise fit --engine torchrec` under torchrun: an ordinary model, and one clear error from one rank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

import likewise as lw
from tests.solvers.sharded.conftest import Job

FIT = ("-m", "likewise", "fit")


def ratings(folder: Path, users: int, items: int, n: int) -> Path:
    rng = np.random.default_rng(0)
    pairs = rng.choice(users * items, n, replace=False)
    table = {"user": pairs // items, "item": pairs % items, "rating": rng.integers(1, 6, n)}
    pl.DataFrame(table).write_csv(folder / "ratings.csv")
    return folder / "ratings.csv"


def test_the_artifact_is_an_ordinary_one(job: Job, tmp_path: Path) -> None:
    table, out = ratings(tmp_path, 60, 40, 900), tmp_path / "model"
    options = ("--engine", "torchrec", "--set", "solver.epochs=2", "--set", "model.factors=6", "--plan", "planner")
    done = job(2, *FIT, table, "--out", out, *options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("saved") == 1
    assert not list(out.glob(".*"))
    rec = lw.load(out)
    alone = lw.fit(str(table), "dot-sharded", changes={"solver.epochs": 2, "model.factors": 6})
    frame = pl.read_csv(table).select(user_id="user", item_id="item")
    np.testing.assert_allclose(rec.predict(frame)["score"], alone.predict(frame)["score"], atol=1e-4)
    assert len(rec.recommend(frame["user_id"][0], k=5)) == 5


def test_one_rank_tells_an_error_once(job: Job, tmp_path: Path) -> None:
    out = tmp_path / "model"
    done = job(3, *FIT, ratings(tmp_path, 20, 2, 30), "--out", out, "--engine", "torchrec")
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert told == ["error: 3 ranks are more than the 2 items, so a rank would hold no row: start fewer (torchrun --nproc-per-node)"]
    assert not out.exists()
