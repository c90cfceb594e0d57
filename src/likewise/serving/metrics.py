"""What Prometheus reads: how long answers take, where they come from, which model gives them, how far feedback is ahead of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder in which workers put their counts together."""
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The counts of one worker, or of all where `PROMETHEUS_MULTIPROC_DIR` is set."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        about: dict[str, Any] = {"registry": self.registry}
        self._seconds = Histogram("likewise_request_seconds", "Time to answer", ("method", "route", "status"), buckets=BUCKETS, **about)
        self._answers = Counter("likewise_answers", "Answers by where they come from", ("source",), **about)
        self._events = Counter("likewise_feedback_events", "Feedback kept", ("kind",), **about)
        self._swaps = Counter("likewise_model_swaps", "Models taken over since the start", **about)
        gauge = {"multiprocess_mode": "mostrecent", **about}
        self._model = Gauge("likewise_model_info", "1 for the model that answers", ("slot", "version"), **gauge)
        self._lag = Gauge("likewise_feedback_lag_seconds", "Age of the oldest event that the model has not learned from", **gauge)
        self._waiting = Gauge("likewise_feedback_waiting_events", "Events that the model has not learned from", **gauge)
        self._away = Gauge("likewise_feedback_away", "1 while the feedback database cannot be asked", **gauge)
        self._series: dict[tuple[str, str, int], Any] = {}
        self._sources: dict[str, Any] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = (method, route, status)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._seconds.labels(method, route, str(status))
        series.observe(seconds)

    def source(self, name: str) -> None:
        """Count whose answer it was: known, folded, features, cold."""
        series = self._sources.get(name)
        if series is None:
            series = self._sources[name] = self._answers.labels(name)
        series.inc()

    def kept(self, kind: str) -> None:
        """Count an event."""
        self._events.labels(kind).inc()

    def serving(self, slot: str, version: str, before: str | None) -> None:
        """A model answers from now on."""
        if before is not None:
            self._model.labels(slot, before).set(0)
            self._swaps.inc()
        self._model.labels(slot, version).set(1)

    def feedback(self, waiting: tuple[int, float] | None) -> None:
        """What the model has not learned from; None while the database is away."""
        self._away.set(waiting is None)
        if waiting is not None:
            self._waiting.set(waiting[0])
            self._lag.set(waiting[1])

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        folder = os.environ.get(SHARED)
        if folder and Path(folder).is_dir():
            together = CollectorRegistry()
            MultiProcessCollector(together, path=folder)  # type: ignore[no-untyped-call]
            return generate_latest(together)
        return generate_latest(self.registry)
