"""What every picture shares: Matplotlib when it is there, axes made when none are given."""

from __future__ import annotations

from typing import Any

from likewise.errors import MissingExtraError


def axes_of(ax: Any, what: str, size: tuple[float, float] = (7.0, 5.0)) -> Any:
    """The axes given, or new ones on a figure of their own, outside pyplot so that nothing is kept alive.

    Raises MissingExtraError if Matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("plots", what) from error
    return Figure(figsize=size, layout="constrained").subplots()


def short(name: str, most: int = 42) -> str:
    """A name cut to what fits beside a picture."""
    return name if len(name) <= most else name[: most - 1] + "…"
