"""Work shared by threads: plain Python threads around code that lets go of the interpreter lock.

Numba's own `prange` is not used to answer: its default layer aborts the process when two threads of a server enter it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Thread

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
    """Call `work(0) ... work(pieces - 1)`, spread over the calling thread and others; the first error is raised again."""
    workers = min(thread_count(threads), pieces)
    left = iter(range(pieces))
    errors: list[BaseException] = []

    def take_turns() -> None:
        try:
            for piece in left:
                if errors:
                    return
                work(piece)
        except BaseException as error:
            errors.append(error)

    helpers = [Thread(target=take_turns, daemon=True) for _ in range(workers - 1)]
    for helper in helpers:
        helper.start()
    take_turns()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]


@contextmanager
def one_thread_a_product() -> Iterator[None]:
    """Matrix products and decompositions on one thread, in the whole process, until the last such block that runs has ended.

    Their libraries add up in another order on another number of threads, and small matrices, one after another, cost more on two
    threads than on one.
    """
    _products.enter()
    try:
        yield
    finally:
        _products.leave()


class _Products:
    """The limit that blocks share: each would otherwise put back what it found, and that may be another's."""

    def __init__(self) -> None:
        self._lock, self._blocks = Lock(), 0

    def enter(self) -> None:
        from threadpoolctl import threadpool_limits  # answers need none

        with self._lock:
            if not self._blocks:
                self._limits = threadpool_limits(limits=1, user_api="blas")
            self._blocks += 1

    def leave(self) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks:
                self._limits.restore_original_limits()


_products = _Products()
