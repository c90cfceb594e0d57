"""Work shared by threads: plain Python threads around code that lets go of the interpreter lock.

Numba's own `prange` is not used to answer: its default layer aborts the process when two threads of a server enter it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from numba import config

from likewise.errors import InputError


def thread_count(threads: int | None = None) -> int:
    """How many threads to use: what was asked for, else what Numba is set to (`NUMBA_NUM_THREADS`, all cores by default)."""
    if threads is None:
        return int(config.NUMBA_NUM_THREADS)
    if threads < 1:
        raise InputError(f"threads must be at least 1; got {threads}")
    return threads


def in_threads(work: Callable[[int], None], pieces: int, threads: int | None = None) -> None:
    """Call `work(0) ... work(pieces - 1)`, spread over threads; the first error is raised again."""
    workers = min(thread_count(threads), pieces)
    if workers <= 1:
        for piece in range(pieces):
            work(piece)
        return
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(work, range(pieces)):
            pass
