"""The picture of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from likewise.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from likewise.evaluation.comparison import Comparison


def plot_comparison(comparison: Comparison, figure: str, ax: Any = None) -> Any:
    """One line a model, the first on top: its value as a point, its 95 % interval as a line; baselines in grey."""
    able = {name: found for name, found in comparison.evaluations.items() if figure in found}
    if not able:
        raise InputError(f"no model has the figure {figure!r}; there are {', '.join(comparison.figures)}")
    if ax is None:
        try:
            from matplotlib.figure import Figure as Canvas
        except ImportError as error:
            raise MissingExtraError("plots", "comparison.plot()") from error
        ax = Canvas(figsize=(7, 1 + 0.4 * len(able)), layout="constrained").subplots()
    for place, (name, found) in enumerate(able.items()):
        interval = found.intervals[figure]
        colour = "0.55" if name in comparison.baselines else "C0"
        ax.plot([interval.low, interval.high], [place, place], color=colour, linewidth=2)
        ax.plot(interval.value, place, "o", color=colour)
    ax.set_yticks(range(len(able)), [_label(comparison, name, figure) for name in able])
    ax.margins(y=0.2)
    ax.invert_yaxis()
    better = next(iter(able.values())).figures[figure].better
    hint = {"low": " (less is better)", "high": " (more is better)", "neither": ""}[better]
    ax.set_xlabel(f"{figure}{hint}, 95 % interval over people")
    ax.set_title(comparison.title)
    return ax


def _label(comparison: Comparison, name: str, figure: str) -> str:
    gap = comparison.differences[name].get(figure)
    return f"{name} ({gap.verdict})" if gap else f"{name} (reference)"
