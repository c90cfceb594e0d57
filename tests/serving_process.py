"""A service in processes of its own, for tests that kill it, load it, or look at it with a browser."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Running:
    """A `likewise serve` that can be killed and started again."""

    def __init__(self, model: Path, *options: str, log: Path | None = None) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = [
            sys.executable,
            "-c",
            "from likewise.cli import main; main()",
            "serve",
            str(model),
            "--port",
            str(self.port),
            "--quiet",
            *options,
        ]
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = 60.0) -> float:
        """Start, and wait until it answers; returns how long that took."""
        began = time.perf_counter()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        out: Any = subprocess.DEVNULL if self.log is None else self.log.open("ab")
        self.process = subprocess.Popen(self.command, stdout=out, stderr=out, env=environment, start_new_session=True)
        while time.perf_counter() - began < seconds:
            try:
                with urllib.request.urlopen(self.url + "/health/live", timeout=2):
                    return time.perf_counter() - began
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"the service ended with {self.process.returncode}") from None
                time.sleep(0.02)
        raise RuntimeError("the service did not start")

    def kill(self, how: int = signal.SIGKILL) -> int:
        """End it and its workers."""
        assert self.process is not None
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
        return self.process.wait(30)


@contextmanager
def running(model: Path, *options: str, log: Path | None = None) -> Iterator[Running]:
    """Start a service and stop it at the end."""
    service = Running(model, *options, log=log)
    service.start()
    try:
        yield service
    finally:
        service.kill()
