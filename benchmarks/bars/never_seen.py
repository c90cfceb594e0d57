"""The bars of meeting someone new: fold-in beside full training, update beside a refit, reasons, questions, and their speed.

Everybody's ten random ratings are the test; a tenth of the people of ML-1M is never trained on and given 5, 10, 20, or all others of
their ratings. The share recovered is (baseline - ours) / (baseline - full), where `full` is the same preset trained with those
ratings and the baseline is trained with them too.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

from benchmarks.bars._bars import Board, run
from benchmarks.measure import likewise

GIVEN = (5, 10, 20, 0)
"""Ratings given; 0 stands for all but the ten of the test."""
HELD = 10
RATINGS = {"dot": 0.95, "posterior": 0.95, "mlp": 0.85}
LISTS = {"als": 0.95, "ease": 0.95, "softmax": 0.85}
COLUMNS = ("user_id", "item_id", "rating")
MILLISECONDS = {"dot": 5.0, "als": 5.0, "posterior": 15.0, "mlp": 40.0}
OF_SIZE = {
    "dot": ("model.factors=64", "solver.epochs=2"),
    "als": ("model.factors=64", "solver.sweeps=2", "solver.unobserved=0.1", "solver.l2=0.01"),
    "posterior": ("model.factors=64", "solver.draws=30", "solver.draws_kept=30", "solver.burn_in=2"),
    "mlp": ("model.embedding=64", "solver.epochs=1"),
}
"""Settings that give 64 factors, or 30 draws of them, soon: what an answer costs does not depend on how long the fit took."""


@dataclass(frozen=True)
class Parts:
    """Files of one split: the people trained on, and what the others are given and asked."""

    base: Path
    given: Path
    both: Path
    test: Path


def bars(board: Board) -> None:
    ratings = board.data("ml-1m/ratings.parquet")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)

        @cache
        def split(given: int, seed: int) -> Parts:
            return newcomers(ratings, home / f"new-{given}-{seed}", given, seed)

        for preset, least in {**RATINGS, **LISTS}.items():
            rated = preset in RATINGS
            figure, baseline = ("rmse", "bias") if rated else ("ndcg@10", "popularity")
            for given in GIVEN:
                what = f"{preset}, ML-1M, {given or 'all but 10'} ratings of people never trained on, {figure}"

                def share(preset: str = preset, given: int = given, figure: str = figure, baseline: str = baseline) -> float:
                    return median(recovered(board, split(given, seed), preset, baseline, figure, seed) for seed in board.seeds)

                def sigmas(preset: str = preset, given: int = given, baseline: str = baseline) -> float:
                    return median(beats(board, split(given, seed), preset, baseline, seed) for seed in board.seeds)

                if given == 5 and rated:
                    board.at_least(f"{what}: standard errors better than {baseline}", sigmas, 2.0)
                elif given == 5:
                    board.at_least(f"{what}: share of the gain of full training", share, 0.01)
                else:
                    board.at_least(f"{what}: share of the gain of full training", share, least)
        updates(board, home)
        studies(board, ratings, home)


def updates(board: Board, home: Path) -> None:
    """An update beside the stale model and a refit."""
    small, million = board.data("ml-latest-small/ratings.csv"), board.data("ml-1m/ratings.parquet")
    for name, source in (("latest-small by time", small), ("ML-1M by each user's time", million)):

        @cache
        def figures(seed: int, name: str = name, source: Path = source) -> tuple[float, float]:
            return updated(board, *latest(source, home / f"{name} {seed}"), seed)

        board.at_least(f"update dot, {name}: share of the gain of a refit", lambda f=figures: median(f(s)[0] for s in board.seeds), 0.9)
        board.at_most(f"update dot, {name}: share of the time of a refit", lambda f=figures: median(f(s)[1] for s in board.seeds), 0.2)


def studies(board: Board, ratings: Path, home: Path) -> None:
    """Faithfulness, questions and speed, each measured by `likewise study` in a process of its own."""

    @cache
    def study(kind: str, preset: str, seed: int) -> dict[str, float]:
        parts = newcomers(ratings, home / f"study-{seed}", 0, seed)
        settings = [word for setting in (OF_SIZE[preset] if kind == "speed" else ()) for word in ("--set", setting)]
        command = [*likewise(), "study", kind, "--preset", preset, *settings, "--seed", str(seed), "--json"]
        found: dict[str, float] = board.run([*command, parts.base, parts.both], threads=1).json()
        return found

    for preset in ("dot", "posterior"):
        board.at_least(
            f"{preset}: predicted and actual change without the strongest reason, correlation over 1,000 pairs",
            lambda preset=preset: median(study("reasons", preset, s)["correlation"] for s in board.seeds),
            0.9,
        )
        board.at_most(
            f"{preset}: residual of reasons, share of taste, median",
            lambda preset=preset: median(study("reasons", preset, s)["residual"] for s in board.seeds),
            0.05,
        )
    board.at_least(
        "dot: fall of RMSE after 10 questions beside asking the most popular",
        lambda: median(study("questions", "dot", s)["ratio"] for s in board.seeds),
        1.3,
    )
    for preset, most in MILLISECONDS.items():
        board.at_most(f"{preset}: one fold-in and top-10 of 10,000 items, ms", lambda p=preset: study("speed", p, 0)["one_ms"], most)
        board.at_least(f"{preset}: a thousand at once, times cheaper each", lambda p=preset: study("speed", p, 0)["times_cheaper"], 20)


# ---- splits ----------------------------------------------------------------------------------------------------------------------


def newcomers(ratings: Path, folder: Path, given: int, seed: int) -> Parts:
    """A tenth of the people apart; ten ratings of each for the test, `given` of the others given."""
    frame = pl.read_parquet(ratings).select(COLUMNS)
    rng = np.random.default_rng(seed)
    users = frame["user_id"].unique().sort().to_numpy()
    new = rng.choice(users, len(users) // 10, replace=False).tolist()
    apart = frame.filter(pl.col("user_id").is_in(new))
    apart = apart.with_columns(pl.Series("x", rng.random(apart.height))).sort("user_id", "x")
    apart = apart.with_columns(pl.int_range(pl.len()).over("user_id").alias("n"), pl.len().over("user_id").alias("all"))
    told = apart.filter((pl.col("n") >= HELD) & (pl.lit(given == 0) | ((pl.col("n") < HELD + given) & (pl.col("all") >= HELD + given))))
    test = apart.filter(pl.col("n") < HELD).join(told.select("user_id").unique(), on="user_id", how="semi")
    base = frame.filter(~pl.col("user_id").is_in(new))
    parts = {"base": base, "given": told.select(COLUMNS), "both": pl.concat([base, told.select(COLUMNS)]), "test": test.select(COLUMNS)}
    return Parts(**{name: written(part, folder, name) for name, part in parts.items()})


def latest(source: Path, folder: Path) -> tuple[Path, Path, Path, Path]:
    """The old 80 %, the 10 % to learn, both, and the newest 10 % to predict: by time, or in each user's own order."""
    if source.suffix == ".csv":
        frame = pl.read_csv(source).rename({"userId": "user_id", "movieId": "item_id"})
        place = (pl.col("timestamp").rank("ordinal") - 1) / pl.len()
    else:
        frame = pl.read_parquet(source).drop_nulls("time_rank")
        place = (pl.col("time_rank").rank("ordinal").over("user_id") - 1) / pl.len().over("user_id")
    frame = frame.with_columns(place.alias("place"))
    cuts = ((0, 0.8), (0.8, 0.9), (0.9, 1.1))
    old, new, test = (frame.filter((pl.col("place") >= low) & (pl.col("place") < high)).select(COLUMNS) for low, high in cuts)
    parts = {"old": old, "new": new, "both": pl.concat([old, new]), "test": test}
    made = [written(part, folder, name) for name, part in parts.items()]
    return made[0], made[1], made[2], made[3]


def written(frame: pl.DataFrame, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.parquet"
    frame.write_parquet(path)
    return path


# ---- figures ---------------------------------------------------------------------------------------------------------------------


@contextmanager
def folded(board: Board, parts: Parts, preset: str, seed: int) -> Iterator[Path]:
    """A saved model of the base with the newcomers folded in; the fit of the base is kept for the next split."""
    base = parts.base.parent / f"model-{preset}-{seed}"
    with tempfile.TemporaryDirectory() as folder:
        if not base.exists():
            board.run([*likewise(), "fit", parts.base, "--preset", preset, "--seed", str(seed), "--out", base])
        out = Path(folder) / "folded"
        board.run([*likewise(), "update", base, parts.given, "--rounds", "0", "--out", out, "--json"])
        yield out


def recovered(board: Board, parts: Parts, preset: str, baseline: str, figure: str, seed: int) -> float:
    """(baseline - ours) / (baseline - full), of an error or, with both signs turned, of a gain."""
    lists = () if figure == "rmse" else ("--rank",)
    with folded(board, parts, preset, seed) as model:
        shown = ("--no-lists",) if figure == "rmse" else ()
        ours = figure_of(board, [*likewise(), "evaluate", model, "--test", parts.test, *shown, "--json"], figure)
    full = float(board.record(parts.both, parts.test, preset, *lists, seed=seed)[figure])
    plain = float(board.record(parts.both, parts.test, baseline, *lists, seed=seed)[figure])
    return (plain - ours) / (plain - full)


def beats(board: Board, parts: Parts, preset: str, baseline: str, seed: int) -> float:
    """By how many standard errors the squared error is below the baseline's, paired, people as the unit."""
    test = pl.read_parquet(parts.test)
    with folded(board, parts, preset, seed) as model, tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours.parquet", Path(folder) / "theirs.parquet"
        board.run([*likewise(), "predict", model, "--pairs", parts.test, "--out", ours])
        command = ["bench", parts.both, "--test", parts.test, "--preset", baseline, "--predictions", theirs, "--json"]
        board.run([*likewise(), *command])
        mine, other = pl.read_parquet(ours)["score"], pl.read_parquet(theirs)["prediction"]
    better = (other - test["rating"]) ** 2 - (mine.clip(1, 5) - test["rating"]) ** 2
    each = test.select("user_id").with_columns(better.alias("better")).group_by("user_id").agg(pl.mean("better"))["better"]
    return float(each.mean() / (each.std() / math.sqrt(len(each))))  # type: ignore[operator,arg-type]


def updated(board: Board, old: Path, new: Path, both: Path, test: Path, seed: int) -> tuple[float, float]:
    """The share of a refit's gain that an update recovers, and the share of its solver time that it takes."""
    with tempfile.TemporaryDirectory() as folder:
        stale, fresh = Path(folder) / "stale", Path(folder) / "fresh"
        board.run([*likewise(), "fit", old, "--preset", "dot", "--seed", str(seed), "--out", stale])
        board.run([*likewise(), "update", stale, new, "--out", fresh, "--json"])  # compiles
        seconds = board.run([*likewise(), "update", stale, new, "--out", fresh, "--json"]).json()["seconds"]
        errors = [
            figure_of(board, [*likewise(), "evaluate", model, "--test", test, "--no-lists", "--json"], "rmse") for model in (stale, fresh)
        ]
    full = board.record(both, test, "dot", seed=seed)
    return (errors[0] - errors[1]) / (errors[0] - float(full["rmse"])), seconds / float(full["fit_seconds"])


def figure_of(board: Board, command: list[str | Path], figure: str) -> float:
    """One figure of the JSON of `likewise evaluate`."""
    found = json.loads(board.run(command).output.strip().splitlines()[-1])
    return float(found["figures"][figure]["value"])


if __name__ == "__main__":
    run("never_seen", bars)
