"""Jobs of several processes, and why they are skipped where TorchRec is not installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from likewise.errors import LikewiseError
from likewise.solvers.sharded import versions

WORKER = Path(__file__).with_name("worker.py")
Job = Callable[..., subprocess.CompletedProcess[str]]


def started(ranks: int, *command: str | Path, restarts: int = 0, seconds: float = 240) -> subprocess.CompletedProcess[str]:
    """A command on so many ranks of one machine, one thread each."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}", f"--max-restarts={restarts}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    return subprocess.run([*torchrun, *map(str, command)], capture_output=True, text=True, timeout=seconds, env=environment, check=False)


@pytest.fixture(scope="session")
def job() -> Job:
    """Return `started`, or skip where TorchRec does not fit."""
    try:
        versions.check()
    except LikewiseError as error:
        pytest.skip(str(error))
    return started


@pytest.fixture(scope="module")
def ran(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the worker on ranks in one folder, and gives what it found."""
    folder = tmp_path_factory.mktemp("ranks")

    def run(what: str, ranks: int, *more: str, restarts: int = 0) -> dict[str, Any]:
        done = job(ranks, WORKER, what, folder, *more, restarts=restarts)
        assert done.returncode == 0, done.stderr[-3000:]
        found: dict[str, Any] = json.loads((folder / f"{what}-{ranks}.json").read_text())
        return {**found, "folder": folder, "stderr": done.stderr} if what != "parity" else found

    return run
