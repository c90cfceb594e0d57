"""Draws of one field's rows: what the posterior keeps of users, of items, of each context.

A row of width `k + 1` is `(v, b)`. Under each draw its prior is normal, with a mean that is linear in the row's features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.models.conditional import draw_rows
from likewise.models.streams import derived_key
from likewise.shapes import Floats, Rows

Halves = NDArray[np.float16]
_NO_ROWS = np.empty(0, np.int32)
_FOLD_KEY = 7


@dataclass(frozen=True, eq=False)
class FieldDraws:
    """Rows of a field under each draw, and the prior they came from.

    Parameters
    ----------
    rows : float16 [row, draw, width]
    mean : float32 [draw, width], precision : float64 [draw, width, width]
        Of a row without features.
    scale : float32 [row]
        How much more precise than usual the noise of the row's ratings is; all ones under constant noise.
    features : float16 [feature, draw, width] or None
        What each feature adds to the prior mean.
    history : float16 [row of the other side, draw, width] or None
        What each partner in the history adds, before division by the square root of their number.
    """

    rows: Halves
    mean: Floats
    precision: NDArray[np.float64]
    scale: Floats
    features: Halves | None = None
    history: Halves | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_draws(self) -> int:
        return int(self.rows.shape[1])

    def take(self, rows: Rows) -> Floats:
        """Rows under each draw, float32 [batch, draw, width]; row -1 is the prior mean."""
        taken = self.rows[rows].astype(np.float32)
        taken[rows < 0] = self.mean
        return taken

    def scales(self, rows: Rows) -> Floats:
        """Noise scales of rows, one for row -1."""
        return np.where(rows >= 0, self.scale[rows], np.float32(1))

    def prior_means(self, histories: Histories, features: CSR | None) -> Floats:
        """Prior mean of each row under each draw, float32 [batch, draw, width]."""
        means = np.broadcast_to(self.mean, (len(histories), *self.mean.shape)).copy()
        if self.features is not None and features is not None:
            _add_rows(means, features, self.features)
        if self.history is not None and len(histories.rows):
            counts = np.maximum(histories.counts, 1)
            shares = np.repeat(1 / np.sqrt(counts), histories.counts).astype(np.float32)
            inside = histories.rows < len(self.history)
            known = np.where(inside, histories.rows, 0).astype(np.int32)
            _add_rows(means, CSR(histories.indptr, known, shares * inside, len(self.history)), self.history)
        return means

    def fold(self, histories: Histories, features: CSR | None, others: Floats, alpha: Floats, targets: Floats, weights: Floats) -> Floats:
        """Rows that were never trained on, drawn from their conditional under each draw: float32 [batch, draw, width].

        Draws are paired, each with the mirror image of the other's noise, so that it cancels from the mean over draws. A row
        with neither ratings nor features is the prior mean.

        Parameters
        ----------
        others : float32 [row of the other side, draw, width]
        targets, weights : float32 [entry]
        """
        means = self.prior_means(histories, features)
        folded = np.empty_like(means)
        out = np.empty((len(histories), means.shape[2]), np.float32)
        partners = np.ascontiguousarray(histories.rows[:, None], np.int32)
        informed = histories.counts > 0
        if features is not None and self.features is not None:
            informed |= features.counts > 0
        for s in range(self.n_draws):
            key, sign = derived_key(_FOLD_KEY, s // 2), 1.0 - 2.0 * (s % 2)
            prior = np.ascontiguousarray(means[:, s])
            table = np.ascontiguousarray(others[:, s])
            draw_rows(
                0,
                len(histories),
                histories.indptr,
                partners,
                _NO_ROWS,
                targets,
                weights,
                float(alpha[s]),
                table,
                prior,
                self.precision[s],
                key,
                sign,
                out,
            )
            folded[:, s] = np.where(informed[:, None], out, prior)
        return folded

    def with_rows(self, rows: Rows, values: Floats, scale: Floats) -> Self:
        """A copy in which these rows have these values [batch, draw, width]; rows beyond the end are new."""
        size = max(len(self), int(rows.max()) + 1 if len(rows) else 0)
        grown = np.empty((size, *self.rows.shape[1:]), np.float16)
        grown[: len(self)], grown[len(self) :] = self.rows, self.mean
        grown[rows] = values
        scales = np.ones(size, np.float32)
        scales[: len(self)] = self.scale
        scales[rows] = scale
        return replace(self, rows=grown, scale=scales)

    def state(self, name: str) -> dict[str, NDArray[Any]]:
        """Arrays by name."""
        kept: dict[str, NDArray[Any] | None] = {"rows": self.rows, "mean": self.mean, "precision": self.precision, "scale": self.scale}
        kept |= {"features": self.features, "history": self.history}
        return {f"{name}.{key}": value for key, value in kept.items() if value is not None}

    @classmethod
    def from_state(cls, name: str, state: Mapping[str, NDArray[Any]]) -> Self:
        """The draws that `state` described."""
        part = {key: state.get(f"{name}.{key}") for key in ("rows", "mean", "precision", "scale", "features", "history")}
        return cls(**part)  # type: ignore[arg-type]


def _add_rows(means: Floats, x: CSR, coefficients: Halves) -> None:
    """Add x @ coefficients to means [batch, draw, width]."""
    values = x.filled()
    for n in range(x.n_rows):
        run = slice(x.indptr[n], x.indptr[n + 1])
        if run.start < run.stop:
            means[n] += np.tensordot(values[run], coefficients[x.columns[run]].astype(np.float32), 1)
