"""How long compilation takes, so that a fit's time can leave it out."""

from __future__ import annotations

import logging
from time import perf_counter
from types import TracebackType
from typing import Self

from numba.core import event

log = logging.getLogger("likewise")


class CompileClock:
    """Times a block of code, and the Numba compilation inside it.

    Attributes
    ----------
    seconds : float
        Wall time of the block without compilation.
    compile_seconds : float
        Compilation inside the block; reading compiled code from the cache is not compilation.

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
        self._listener = _Announcing()
        event.register("numba:compile", self._listener)
        self._start = perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        wall = perf_counter() - self._start
        event.unregister("numba:compile", self._listener)
        self.compile_seconds = float(self._listener.duration) if self._listener.done else 0.0
        self.seconds = max(wall - self.compile_seconds, 0.0)


class _Announcing(event.TimingListener):  # type: ignore[misc]
    """Says that compilation begins, since the first fit waits for it."""

    def on_start(self, happening: event.Event) -> None:
        if not self._depth:
            name = getattr(happening.data.get("dispatcher"), "__name__", "a kernel")
            log.info("compiling %s, once: later runs read it from the cache", name.lstrip("_"))
        super().on_start(happening)
