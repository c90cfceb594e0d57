"""The bars of the foundation: accuracy of the first presets, predictions that look at nothing they should not, speed, start-up."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median

import polars as pl

from benchmarks.bars._bars import Board, run
from benchmarks.measure import likewise

SCRIPT = """
import sys, likewise
rec = likewise.load(sys.argv[1])
rec.recommend(int(sys.argv[2]), k=10)
sys.exit("torch was imported" if "torch" in sys.modules else 0)
"""


def bars(board: Board) -> None:
    u1 = board.data("ml-100k/u1.base"), board.data("ml-100k/u1.test")
    r90 = board.data("splits/ml-1m-r90.train.parquet"), board.data("splits/ml-1m-r90.test.parquet")
    board.at_most("dot, ML-100K u1, RMSE", lambda: board.median(*u1, "dot", "rmse"), 0.925, accuracy=True)
    board.at_most("knn, ML-100K u1, RMSE", lambda: board.median(*u1, "knn", "rmse"), 0.927, accuracy=True)
    board.at_most("dot, ML-1M r90, torch loop, RMSE", lambda: board.median(*r90, "dot-torch", "rmse"), 0.846, accuracy=True)
    for preset in ("bias", "dot"):
        board.true(
            f"{preset}: predictions do not see the test's ratings or its other rows",
            lambda preset=preset: same_predictions(board, *u1, preset),
        )
    board.at_least("torch loop on one core, ML-1M, 50 factors, batch 8192, rows a second", lambda: rows_a_second(board, *r90), 0.7e6)
    board.at_most("import likewise, seconds", lambda: best_of(board, [sys.executable, "-c", "import likewise"], bare=True), 0.3)
    board.at_most("likewise --help, seconds", lambda: best_of(board, [*likewise(), "--help"]), 0.3)
    board.at_most("load a saved dot and recommend, no torch, seconds", lambda: load_and_recommend(board, u1[0]), 1.0)


def same_predictions(board: Board, train: Path, test: Path, preset: str) -> bool:
    """Whether the prediction file is the same bytes with the ratings permuted, absent, and with other rows removed."""
    frame = pl.read_csv(test, separator="\t", has_header=False, new_columns=["user_id", "item_id", "rating", "timestamp"])
    half = frame.with_row_index("n").filter(pl.col("n") % 2 == 0).drop("n")
    versions = {
        "as it is": frame,
        "permuted": frame.with_columns(pl.col("rating").shuffle(seed=1)),
        "absent": frame.drop("rating"),
        "half": half,
    }
    with tempfile.TemporaryDirectory() as folder:
        written = {}
        for name, version in versions.items():
            table, out = Path(folder) / f"{name}.parquet", Path(folder) / f"{name}.csv"
            version.write_parquet(table)
            board.run([*likewise(), "bench", train, "--test", table, "--preset", preset, "--predictions", out, "--json"])
            written[name] = out.read_bytes()
    lines = written["as it is"].splitlines(keepends=True)
    of_half = b"".join([lines[0], *lines[1::2]])
    return written["permuted"] == written["as it is"] == written["absent"] and written["half"] == of_half


def rows_a_second(board: Board, train: Path, test: Path) -> float:
    """Rows of all epochs over the seconds of the fit, in the torch loop on one thread."""
    epochs = 5
    options = [f"solver.epochs={epochs}", "solver.batch_size=8192", "model.factors=50"]
    settings = [word for option in options for word in ("--set", option)]
    done = board.run([*likewise(), "bench", train, "--test", test, "--preset", "dot-torch", *settings, "--json"], threads=1).json()
    return float(epochs * done["n_train"] / done["fit_seconds"])


def best_of(board: Board, command: list[str | Path], times: int = 5, bare: bool = False) -> float:
    """The least wall time of a fresh process; `bare` takes off what an empty one costs."""
    empty = median(board.run([sys.executable, "-c", "pass"]).wall_seconds for _ in range(times)) if bare else 0.0
    return min(board.run(command).wall_seconds for _ in range(times)) - empty


def load_and_recommend(board: Board, train: Path) -> float:
    """Wall time of a fresh process that loads a saved model and recommends to one user."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        board.run([*likewise(), "fit", train, "--preset", "dot", "--set", "solver.epochs=1", "--out", model])
        return best_of(board, [sys.executable, "-c", SCRIPT, model, "1"])


if __name__ == "__main__":
    run("foundation", bars)
