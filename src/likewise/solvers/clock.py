"""How long it takes to make compiled code ready, so that a fit's time can leave it out."""

from __future__ import annotations

import logging
from time import perf_counter
from types import TracebackType
from typing import Self

from numba.core import event

log = logging.getLogger("likewise")


class CompileClock:
    """Times a block of code, and what Numba needs inside it before its code can run.

    Attributes
    ----------
    seconds : float
        Wall time of the block without the next.
    compile_seconds : float
        Compiling, or reading what was compiled before from the cache; a process pays it once for each kernel, like an import.

    Examples
    --------
    >>> with CompileClock() as clock:
    ...     total = sum(range(10))
    >>> clock.compile_seconds
    0.0
    """

    seconds: float = 0.0
    compile_seconds: float = 0.0

    def __enter__(self) -> Self:
        self._announcing, self._preparing = _Announcing(), event.TimingListener()
        event.register("numba:compile", self._announcing)
        event.register("numba:compiler_lock", self._preparing)
        self._start = perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        wall = perf_counter() - self._start
        event.unregister("numba:compile", self._announcing)
        event.unregister("numba:compiler_lock", self._preparing)
        self.compile_seconds = float(self._preparing.duration) if self._preparing.done else 0.0
        self.seconds = max(wall - self.compile_seconds, 0.0)


class _Announcing(event.TimingListener):  # type: ignore[misc]
    """Says that compilation begins, since the first fit waits for it."""

    def on_start(self, happening: event.Event) -> None:
        if not self._depth:
            name = getattr(happening.data.get("dispatcher"), "__name__", "a kernel")
            log.info("compiling %s, once: later runs read it from the cache", name.lstrip("_"))
        super().on_start(happening)
