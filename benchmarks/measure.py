"""One command in a fresh process, with a clock and a scale outside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).parent.parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS")


@dataclass(frozen=True)
class Measured:
    """What a process printed, and what it cost.

    `cpu_seconds` and `peak_mb` are of the process and all its children, as the system counted them.
    """

    output: str
    problem: str | None
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float

    def json(self) -> dict[str, Any]:
        """The last line of the output, read as JSON."""
        lines = self.output.strip().splitlines()
        found: dict[str, Any] = json.loads(lines[-1])
        return found


def measured(
    command: Sequence[str | Path], threads: int | None = 1, timeout: float = 3600, environment: Mapping[str, str] | None = None
) -> Measured:
    """Run a command from the root of the project; `threads` limits every library that can be limited, None leaves them."""
    limits = {} if threads is None else dict.fromkeys(THREADS, str(threads))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command], stdout=out, stderr=err, cwd=ROOT, env={**os.environ, **limits, **(environment or {})}
        )
        killed = _wait_or_kill(process, timeout)
        wall = perf_counter() - start
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    status, usage = killed
    problem = None if status == 0 else "\n".join(texts[1].strip().splitlines()[-12:]) or f"ended with status {status}"
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Measured(texts[0], problem, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale)


def _wait_or_kill(process: subprocess.Popen[bytes], timeout: float) -> tuple[int, Any]:
    """`wait4`, which alone tells what this very child used."""
    import signal

    def stop(_signal: int, _frame: Any) -> None:
        process.kill()

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage


def likewise() -> list[str | Path]:
    """The command line of the library under test: the one installed beside this interpreter."""
    beside = Path(sys.executable).parent / "likewise"
    return [beside] if beside.exists() else [sys.executable, "-m", "likewise.cli"]
