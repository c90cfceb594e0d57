"""One command in a fresh process, with a clock and a scale outside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LAUNCHER = Path(__file__).parent / "launch.py"
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


def measured(command: Sequence[str | Path], threads: int | None = 1, timeout: float = 3600) -> Measured:
    """Run a command from the root of the project; `threads` limits every library that can be limited, None leaves them."""
    limits = {} if threads is None else dict.fromkeys(THREADS, str(threads))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(report), str(timeout), *map(str, command)]
        done = subprocess.run(launcher, capture_output=True, cwd=ROOT, env={**os.environ, **limits})
        output, errors = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
        if not report.exists():
            return Measured(output, _last_lines(errors) or f"{command[0]} could not be started", 0.0, 0.0, 0.0)
        status, wall, cpu, peak = map(float, report.read_text().split())
    problem = None if status == 0 else _last_lines(errors) or f"ended with status {status:.0f}"
    return Measured(output, problem, wall, cpu, peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-12:])


def likewise() -> list[str | Path]:
    """The command line of the library under test: the one installed beside this interpreter."""
    beside = Path(sys.executable).parent / "likewise"
    return [beside] if beside.exists() else [sys.executable, "-m", "likewise.cli"]
