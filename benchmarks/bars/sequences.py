"""The bars of sequences: what comes next, on MovieLens 1M, each person's last film held out by their own order.

People whose order is not wholly known are dropped, every other item is ranked. A fit takes the better part of an hour on one core:
name a folder in LIKEWISE_CHECKPOINTS and a run that was stopped goes on from its last epoch. RecTools' SASRec takes part where it is
installed (`make bench-peers`).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from benchmarks.bars._bars import CONTROL_OF_LIKES, RESULTS, Board, run
from benchmarks.install_peers import python_of, status
from benchmarks.measure import likewise

RIVALS = ("ease", "als", "markov")
PEER = "sasrec"
KEPT = RESULTS.parent / "next-ml-1m.json"
"""What the judge said of the first seed beside everybody, for the table of all libraries."""
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
        tables = leave_last_out(whole, Path(folder))
        trained = Trained(board, *tables, Path(folder))
        for figure, bound in (("ndcg@10", 0.18), ("hit@10", 0.31)):
            board.at_least(
                f"sequential, ML-1M leave-last-out, full ranking, {figure}",
                lambda figure=figure: median(trained.judged(seed)["figures"][trained.name(seed)][figure] for seed in board.seeds),
                bound,
                accuracy=True,
            )
        for rival in (*RIVALS, PEER):
            board.true(f"sequential better than {rival}, NDCG@10, paired interval", lambda rival=rival: trained.beats(rival))
        board.true(
            "shuffled histories make it worse, NDCG@10, paired interval",
            lambda: trained.judged(board.seeds[0])["shuffled"]["ndcg@10"]["verdict"] == "worse",
        )
        board.at_most("fit, minutes", lambda: trained.judged(board.seeds[0])["fit_seconds"] / 60, 45)
        board.at_most("a visitor with 50 events answered, seconds", lambda: answer_seconds(board, trained.model(board.seeds[0])), 0.010)


@dataclass
class Trained:
    """Models fitted once each, and what the judge says of them."""

    board: Board
    train: Path
    test: Path
    folder: Path
    _judged: dict[int, dict[str, Any]] = field(default_factory=dict)

    def name(self, seed: int) -> str:
        """The model's folder and name; the baseline's under control."""
        return f"{CONTROL_OF_LIKES if self.board.control else 'sequential'}-{seed}"

    def model(self, seed: int) -> Path:
        """The saved model of a seed."""
        preset, _, _ = self.name(seed).partition("-")
        kept = os.environ.get("LIKEWISE_CHECKPOINTS")
        resumable = ["--checkpoint", Path(kept) / self.name(seed)] if kept and preset == "sequential" else []
        return self._fit(preset, self.folder / self.name(seed), "--seed", str(seed), *resumable)

    def judged(self, seed: int) -> dict[str, Any]:
        """The judge's report on a seed; beside its rivals for the first."""
        if seed not in self._judged:
            rivals = [self._fit(name, self.folder / name) for name in RIVALS] if seed == self.board.seeds[0] else []
            lists = self._peer() if rivals else None
            peer = ["--peer", f"{PEER}={lists}"] if lists else []
            judge = [sys.executable, "-m", "benchmarks.bars._next", self.test, self.model(seed), *rivals, *peer]
            self._judged[seed] = self.board.run(judge).json()
            if lists:
                KEPT.write_text(json.dumps(self._judged[seed], indent=1) + "\n", encoding="utf-8")
        return self._judged[seed]

    def beats(self, rival: str) -> bool:
        """Whether the interval of the difference from a rival lies above zero.

        Raises RuntimeError for a peer that is not there.
        """
        gaps = self.judged(self.board.seeds[0])["differences"]
        if rival not in gaps:
            raise RuntimeError(f"{rival} took no part: {status('rectools')['problem']}")
        return bool(gaps[rival]["ndcg@10"]["verdict"] == "better")

    def _fit(self, preset: str, out: Path, *options: str | Path) -> Path:
        if not out.exists():
            self.board.run([*likewise(), "fit", self.train, "--preset", preset, "--out", out, "--json", *options])
        return out

    def _peer(self) -> Path | None:
        """The lists of RecTools' SASRec for the test users in sorted order; None where it is not installed."""
        if self.board.control or not status("rectools")["installed"]:
            return None
        out = self.folder / "sasrec.npy"
        for name, path in (("train", self.train), ("test", self.test)):
            frame = pl.read_parquet(path)
            columns = {"users": "user_id", "items": "item_id", "times": "timestamp"}
            np.savez(self.folder / f"{name}.npz", **{ours: frame[theirs].to_numpy() for ours, theirs in columns.items()})
        files = ["--train", self.folder / "train.npz", "--test", self.folder / "test.npz", "--out", out]
        self.board.run([python_of("rectools"), "-m", "benchmarks.peers.rectools", "--task", "list", "--model", "sasrec", *files])
        return out


def leave_last_out(whole: Path, folder: Path) -> tuple[Path, Path]:
    """Train and test in each person's own order (`time_rank`; people who lack it for any event dropped)."""
    events = pl.read_parquet(whole).select("user_id", "item_id", timestamp=pl.col("time_rank").cast(pl.Int64))
    return last_held_out(events.filter(pl.col("timestamp").is_not_null().all().over("user_id")), folder)


def last_held_out(events: pl.DataFrame, folder: Path) -> tuple[Path, Path]:
    """Train and test: everybody's last event."""
    ordered = events.sort("user_id", "timestamp", maintain_order=True)
    last = pl.int_range(pl.len()).over("user_id") == pl.len().over("user_id") - 1
    paths = folder / "train.parquet", folder / "test.parquet"
    for path, part in zip(paths, (ordered.filter(~last), ordered.filter(last)), strict=True):
        part.write_parquet(path)
    return paths


def answer_seconds(board: Board, model: Path) -> float:
    """Median seconds to fold in 50 events and rank, in a process that has answered once."""
    times = [board.run([sys.executable, "-c", ANSWER, model], threads=1).json()["seconds"] for _ in range(3)]
    return median(times)


if __name__ == "__main__":
    run("sequences", bars)
