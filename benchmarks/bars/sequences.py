"""The bars of sequences: what comes next, on MovieLens 1M, each person's last film held out by their own order."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from statistics import median

import polars as pl

from benchmarks.bars._bars import Board, run
from benchmarks.measure import likewise

RIVALS = ("ease", "als", "markov")
ANSWER = """
import json, sys, time, likewise
rec = likewise.load(sys.argv[1])
items = rec.data.items.ids.head(50).to_list()
def once():
    start = time.perf_counter()
    rec.visitor(history=items).recommend(10)
    return time.perf_counter() - start
once()
print(json.dumps({"seconds": sorted(once() for _ in range(30))[15]}))
"""


def bars(board: Board) -> None:
    whole = board.data("ml-1m/ratings.parquet")
    with tempfile.TemporaryDirectory() as folder:
        train, test, shuffled = leave_last_out(whole, Path(folder))
        for figure, bound in (("ndcg@10", 0.18), ("hit@10", 0.31)):
            board.at_least(
                f"sequential, ML-1M leave-last-out, full ranking, {figure}",
                lambda figure=figure: board.median(train, test, "sequential", figure, "--rank"),
                bound,
                accuracy=True,
            )
        for rival in RIVALS:
            board.true(
                f"sequential better than {rival}, NDCG@10, paired interval",
                lambda rival=rival: better(board, train, test, "sequential", rival),
            )
        board.true(
            "shuffled histories make it worse, by more than the spread of the seeds",
            lambda: worse_by_seeds(board, (train, test), (shuffled, test)),
        )
        board.at_most("fit on two cores, minutes", lambda: board.record(train, test, "sequential", "--rank")["fit_seconds"] / 60, 45)
        board.at_most("a visitor with 50 events answered, seconds", lambda: answer_seconds(board, train, Path(folder)), 0.010)


def leave_last_out(whole: Path, folder: Path) -> tuple[Path, Path, Path]:
    """Train and test in each person's own order (`time_rank`; people without it dropped), and train in a random order."""
    events = pl.read_parquet(whole).select("user_id", "item_id", timestamp=pl.col("time_rank").cast(pl.Int64))
    ordered = events.filter(pl.col("timestamp").is_not_null().all().over("user_id")).sort("user_id", "timestamp", maintain_order=True)
    last = pl.int_range(pl.len()).over("user_id") == pl.len().over("user_id") - 1
    parts = {"train": ordered.filter(~last), "test": ordered.filter(last)}
    parts["shuffled"] = parts["train"].with_columns(pl.col("timestamp").shuffle(seed=0))
    for name, part in parts.items():
        part.write_parquet(folder / f"{name}.parquet")
    return folder / "train.parquet", folder / "test.parquet", folder / "shuffled.parquet"


def better(board: Board, train: Path, test: Path, ours: str, theirs: str) -> bool:
    """Whether the paired 95 % interval of the difference in NDCG@10 lies above zero."""
    done = board.run([*likewise(), "compare", train, "--test", test, "--presets", f"{ours},{theirs}", "--json"])
    models = json.loads(done.output)["models"]
    gap = models[theirs]["differences"].get("ndcg@10") or {}
    ours_gap = models[ours]["differences"].get("ndcg@10") or {}
    return ours_gap.get("verdict") == "better" or gap.get("verdict") == "worse"


def worse_by_seeds(board: Board, right: tuple[Path, Path], wrong: tuple[Path, Path]) -> bool:
    """Whether every seed on the shuffled order is below every seed on the true one."""
    figures = [[board.record(*tables, "sequential", "--rank", seed=seed)["ndcg@10"] for seed in board.seeds] for tables in (right, wrong)]
    return min(figures[0]) > max(figures[1])


def answer_seconds(board: Board, train: Path, folder: Path) -> float:
    """Median seconds to fold in 50 events and rank, in a process that has answered once."""
    model = folder / "model"
    quick = ["--set", "solver.epochs=1"]
    board.run([*likewise(), "fit", train, "--preset", "sequential", *quick, "--out", model, "--json"])
    times = [json.loads(board.run([sys.executable, "-c", ANSWER, model], threads=1).output)["seconds"] for _ in range(3)]
    return median(times)


if __name__ == "__main__":
    run("sequences", bars)
