"""The bars of tables over several processes (engine "torchrec"): the same model, lists, checkpoints, faults, memory, speed.

Everything runs under torchrun on this machine, gloo between the processes, one thread each. Rates are told and hold nothing: ranks on
one machine share its cores. The bar of memory fills four gigabytes of memory and of the folder for temporary files. NCCL and several hosts
are not tried here.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bars._bars import Board, run

WORKER = Path(__file__).with_name("_ranks.py")
ROWS = int(os.environ.get("SHARDED_ROWS", "7812500"))
"""Rows of 128 numbers: 4 GB."""


def bars(board: Board) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = str(board.data("splits/ml-1m-r90.train.parquet")), str(board.data("splits/ml-1m-r90.test.parquet"))

        @cache
        def found(what: str, ranks: int, *more: str, restarts: int = 0) -> dict[str, Any]:
            torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
            board.run([*torchrun, f"--max-restarts={restarts}", WORKER, what, folder, *more], threads=1)
            told: dict[str, Any] = json.loads((folder / f"{what}-{ranks}.json").read_text())
            return told

        for ranks in (1, 2, 4):
            _parity(board, ranks, lambda n=ranks: found("parity", n, *data), lambda: found("alone", 1, *data))
        _checkpoints(board, lambda n: found("kept", n, *data))
        lives = lambda: found("killed", 2, *data, restarts=10)  # noqa: E731
        board.at_least("kill -9, ranks killed in one run", lambda: lives()["lives"], 10)
        board.at_most("kill -9, most steps done again, intervals of ten", lambda: lives()["lost"] / lives()["every"], 1)
        after = lambda: abs(lives()["rmse"] - found("alone", 1, *data)["rmse"])  # noqa: E731
        board.at_most("kill -9, RMSE after all beside one process", after, 0.002)
        memory = lambda ranks: found("memory", ranks, str(ROWS))["mb"]  # noqa: E731
        board.at_most(f"memory, {ROWS * 512 / 1e9:.1f} GB, a rank of 4 against one process", lambda: memory(4) / memory(1), 0.35)
        for ranks in (1, 2, 4):
            board.at_least(f"speed, {ranks} ranks, thousand rows a second", lambda n=ranks: found("speed", n)["rate"] / 1e3, 0)
            board.at_least(f"speed, {ranks} ranks, share of a step spent in exchange", lambda n=ranks: found("speed", n)["share"], 0)


def _parity(board: Board, ranks: int, over: Any, alone: Any) -> None:
    def apart() -> float:
        return float(np.abs(np.subtract(over()["losses"], alone()["losses"])).max())

    board.at_most(f"parity, {ranks} ranks, loss of 100 steps beside one process", apart, 1e-4)
    board.at_most(f"parity, {ranks} ranks, RMSE beside one process", lambda: abs(over()["rmse"] - alone()["rmse"]), 0.002)
    board.at_most(f"parity, {ranks} ranks, places of merged lists that differ", lambda: over()["unlike"], 0)


def _checkpoints(board: Board, kept: Any) -> None:
    def apart(ranks: int) -> float:
        first, again = kept(2), kept(ranks)
        if again["steps"]:
            raise RuntimeError("the checkpoint was not taken up")
        return float(np.abs(np.subtract(again["scores"], first["scores"])).max())

    for ranks in (4, 1):
        board.at_most(f"checkpoint of 2 ranks on {ranks}, scores", lambda n=ranks: apart(n), 1e-6)


if __name__ == "__main__":
    run("sharded", bars)
