"""How often a client may ask: a bucket of tokens each, refilled evenly."""

from __future__ import annotations

from collections import OrderedDict
from time import monotonic

REMEMBERED = 10_000
"""Clients remembered; the one that has been silent longest is forgotten first."""


class Rates:
    """Token buckets by client; one worker counts for itself.

    Parameters
    ----------
    per_minute : requests a client may make in a minute, which is also how many it may make at once; 0 sets no limit.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str, now: float | None = None) -> float:
        """Seconds until the client may ask; 0 takes a token.

        >>> rates = Rates(1)
        >>> rates.wait("a", 0.0), rates.wait("a", 30.0), rates.wait("a", 60.0), rates.wait("b", 60.0)
        (0.0, 30.0, 0.0, 0.0)
        """
        if not self.per_minute:
            return 0.0
        now = monotonic() if now is None else now
        tokens, seen = self._buckets.pop(client, (float(self.per_minute), now))
        tokens = min(self.per_minute, tokens + (now - seen) * self.per_minute / 60)
        enough = tokens >= 1
        self._buckets[client] = (tokens - 1 if enough else tokens, now)
        while len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return 0.0 if enough else (1 - tokens) * 60 / self.per_minute
