"""How training went: error by epoch or sweep, on the training ratings and on those watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from likewise.errors import InputError
from likewise.insight.display import axes_of

STEPS = ("sweep", "epoch", "step")
NEVER_DRAWN = {"of", "left", "seconds", "rows_per_second", "rate", "chain", "draw", *STEPS}


@dataclass(frozen=True, eq=False)
class TrainingCurve:
    """One row an epoch or sweep, as the solver told it.

    Parameters
    ----------
    frame : pl.DataFrame
        epoch or sweep, and every figure the solver reported.
    """

    frame: pl.DataFrame

    @property
    def step(self) -> str:
        """What a row is: "epoch", "sweep" or "step"."""
        return next((name for name in STEPS if name in self.frame.columns), "")

    @property
    def figures(self) -> list[str]:
        """The columns that are worth drawing: errors first, else losses."""
        numeric = [n for n, t in self.frame.schema.items() if t.is_float() and n not in NEVER_DRAWN and self.frame[n].drop_nulls().len()]
        return [n for n in numeric if "rmse" in n] or numeric

    def plot(self, ax: Any = None) -> Any:
        """Every figure by epoch or sweep, a line each; returns the Matplotlib axes."""
        ax = axes_of(ax, "insight.training().plot()", (7, 4))
        for name in self.figures:
            for chain, part in self._chains():
                label = name if chain is None else f"{name}, chain {chain}"
                ax.plot(part[self.step] if self.step else range(part.height), part[name], label=label)
        ax.set_xlabel(self.step or "row")
        ax.set_ylabel(", ".join(self.figures))
        ax.set_title("Training")
        ax.legend(frameon=False)
        return ax

    def _chains(self) -> list[tuple[Any, pl.DataFrame]]:
        if "chain" not in self.frame.columns or self.frame["chain"].n_unique() == 1:
            return [(None, self.frame)]
        return [(key[0], part) for key, part in self.frame.group_by("chain", maintain_order=True)]

    def __repr__(self) -> str:
        return str(self.frame)

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()


def training_curve(history: pl.DataFrame, model: str) -> TrainingCurve:
    """The curve of a fit's history; InputError where it has none, as for models in closed form."""
    curve = TrainingCurve(history)
    if not history.height or not curve.figures:
        raise InputError(f"{model} was solved in one step, so it has no training curve")
    return curve
