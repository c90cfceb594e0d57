"""The bars of scale: ratings that do not fit memory, tables over several processes, and what happens when one of them dies.

The data of the first part are generated: 200 million events of 2 million users and 200,000 items with planted tastes, item popularity
by Zipf's law. `SCALE_EVENTS=20000000 python -m benchmarks.bars.scale --only "out of core"` is a smaller copy. Ten gigabytes of disk
are used in the folder for temporary files, and given back.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.bars._bars import Board, run

EVENTS = int(os.environ.get("SCALE_EVENTS", "200000000"))
USERS, ITEMS = max(EVENTS // 100, 1000), max(EVENTS // 1000, 100)
MOST_MEMORY = 4096
"""Megabytes, as the kernel counted the peak of the process."""

GENERATE = """
import sys
from likewise.data.synthetic import write_planted_blocks
events, users, items = map(int, sys.argv[2:])
write_planted_blocks(sys.argv[1], events, users, items)
"""

PREPARE = """
import json, sys
from time import perf_counter
import likewise as lw
start = perf_counter()
data = lw.scan(sys.argv[1] + "/*.parquet", sys.argv[2], test=0.05, by="random", range=(0.5, 5))
print(json.dumps({"rate": (len(data) + len(data.held_out)) / (perf_counter() - start) / 1e6}))
"""

TRAIN = """
import json, sys
import likewise as lw
from likewise.solvers.base import Run
data = lw.open_shards(sys.argv[1])
solver = lw.Gradient(epochs=2, optimizer=lw.SGD(lr=0.02), schedule=lw.Constant(), penalty=lw.Penalty(l2=0.02), engine="one-pass")
model = lw.Dot(factors=64, init="small", output="clip")
if sys.argv[2] == "resident":
    fit = solver.fit(model, data.resident(), Run(threads=2))
else:
    fit = solver.fit_on_disk(model, data, Run(threads=2, valid=data.held_out))
best = max(epoch["rows_per_second"] for epoch in fit.history)
print(json.dumps({"rate": best / 1e6, "rmse": fit.history[-1].get("valid_rmse"), "seconds": fit.seconds}))
"""


def bars(board: Board) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _out_of_core(board, Path(folder))


def _out_of_core(board: Board, folder: Path) -> None:
    """Prepared and trained in bounded memory, at nearly the speed of rows that lie in memory."""
    events, shards = folder / "events", folder / "shards"

    @cache
    def prepared() -> tuple[dict[str, Any], float]:
        board.run([sys.executable, "-c", GENERATE, events, str(EVENTS), str(USERS), str(ITEMS)], threads=2)
        done = board.run([sys.executable, "-c", PREPARE, events, shards], threads=2)
        return done.json(), done.peak_mb

    @cache
    def trained(how: str) -> tuple[dict[str, Any], float]:
        prepared()
        done = board.run([sys.executable, "-c", TRAIN, shards, how], threads=2)
        return done.json(), done.peak_mb

    size = f"out of core, {EVENTS / 1e6:,.0f} million events: "
    board.at_least(size + "prepared, million rows a second", lambda: prepared()[0]["rate"], 2)
    board.at_most(size + "peak of the preparation, MB", lambda: prepared()[1], MOST_MEMORY)
    board.at_most(size + "peak of an epoch, MB", lambda: trained("streamed")[1], MOST_MEMORY)
    ratio = lambda: trained("streamed")[0]["rate"] / trained("resident")[0]["rate"]  # noqa: E731
    board.at_least(size + "an epoch against rows in memory, speed", ratio, 0.8)
    board.at_most(size + "RMSE held out after two epochs, where noise alone is 0.5", lambda: trained("streamed")[0]["rmse"], 0.75)


if __name__ == "__main__":
    run("scale", bars)
