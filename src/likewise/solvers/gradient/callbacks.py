"""Ways to watch a fit: each is a callable for `Run.watch` (or `rec.fit(watch=...)`) that gets every event.

A callback returns True to ask the fit to stop. `together` makes one of several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from likewise.errors import MissingExtraError
from likewise.solvers.base import Event

Watch = Callable[[Event], bool | None]
SHOWN = ("epoch", "loss", "train_rmse", "valid_rmse", "valid_mae", "rate", "rows_per_second", "seconds", "left")


def together(*watchers: Watch) -> Watch:
    """One callback of several; the fit is asked to stop when any of them asks."""

    def watch(event: Event) -> bool:
        return any([bool(watcher(event)) for watcher in watchers])  # noqa: C419  every one is called

    return watch


def figures(event: Event) -> dict[str, float]:
    """The numbers of an event by name, without its place in the run."""
    return {name: float(value) for name, value in event.items() if isinstance(value, int | float) and name not in ("epoch", "sweep", "of")}


@dataclass
class LiveTable:
    """A table of epochs that grows while the fit runs; used as a context manager.

    Parameters
    ----------
    titles : mapping of item row to title, or None
        With it, each epoch shows some validation pairs: what was given beside what is predicted.
    """

    titles: Mapping[int, str] | None = None
    lines: list[Event] = field(default_factory=list)

    def __enter__(self) -> Self:
        from rich.live import Live

        self._live = Live(self._table(), refresh_per_second=4)
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.__exit__(kind, error, trace)

    def __call__(self, event: Event) -> None:
        self.lines.append(event)
        self._live.update(self._table())

    def _table(self) -> Any:
        from rich.console import Group
        from rich.table import Table

        shown = [name for name in SHOWN if any(name in event for event in self.lines)] or ["epoch"]
        extra = [n for event in self.lines[-1:] for n in event if n.startswith("valid_") and n not in shown]
        table = Table(*shown, *extra, box=None, header_style="bold")
        for event in self.lines:
            table.add_row(*(_text(event.get(name)) for name in [*shown, *extra]))
        examples = self.lines[-1].get("examples", []) if self.lines else []
        if not examples:
            return table
        pairs = Table("user", "item", "given", "predicted", box=None, header_style="bold")
        for user, item, given, predicted in examples:
            name = (self.titles or {}).get(item, str(item))
            pairs.add_row(str(user), name, f"{given:.1f}", f"{predicted:.2f}")
        return Group(table, "", pairs)


class TensorBoard:
    """Writes each event's numbers for TensorBoard.

    Parameters
    ----------
    folder : where the event files go
    """

    def __init__(self, folder: str) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingExtraError("tensorboard", "TensorBoard(folder)") from None
        self.writer = SummaryWriter(folder)

    def __call__(self, event: Event) -> None:
        step = int(event.get("epoch", event.get("sweep", 0)))
        for name, value in figures(event).items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()


class MLflow:
    """Logs each event's numbers to the active MLflow run, or to one it starts."""

    def __init__(self) -> None:
        try:
            import mlflow
        except ImportError:
            raise MissingExtraError("mlflow", "MLflow()") from None
        self._mlflow = mlflow

    def __call__(self, event: Event) -> None:
        step = int(event.get("epoch", event.get("sweep", 0)))
        self._mlflow.log_metrics(figures(event), step=step)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
