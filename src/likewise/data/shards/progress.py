"""How fast rows go by, and how much memory the process has needed so far."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from threading import Lock
from time import perf_counter

from likewise.data.shards.plan import Watch

log = logging.getLogger("likewise.data")

EVERY = 5.0
"""Seconds between two lines."""


class Progress:
    """Told of rows done, from any thread; tells `watch` and the log now and then.

    Parameters
    ----------
    stage : str
    of : int
        Rows in all.
    watch : callable or None
        Called with stage, rows, of, rows_per_second, seconds, left, peak_mb.
    """

    def __init__(self, stage: str, of: int, watch: Watch | None = None) -> None:
        self.stage, self.of, self.watch = stage, of, watch
        self.rows, self.started, self._lock = 0, perf_counter(), Lock()
        self._told = self.started

    def add(self, rows: int) -> None:
        """So many rows more are done."""
        with self._lock:
            self.rows += rows
            now = perf_counter()
            if now - self._told < EVERY and self.rows < self.of:
                return
            self._told = now
        seconds = max(now - self.started, 1e-9)
        rate, peak = self.rows / seconds, peak_megabytes()
        done = f"{self.rows:,} of {self.of:,}"
        log.info("%s: %s rows, %.2f million a second, peak memory %.0f MB", self.stage, done, rate / 1e6, peak)
        if self.watch is not None:
            left = (self.of - self.rows) / rate if rate else 0.0
            told = {"stage": self.stage, "rows": self.rows, "of": self.of, "rows_per_second": rate, "seconds": seconds, "left": left}
            self.watch({**told, "peak_mb": peak})


def peak_megabytes() -> float:
    """The most memory this process has held, in MB; NaN where the system does not say."""
    try:
        told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(told["VmHWM"].split()[0]) / 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        import resource
    except ImportError:
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
