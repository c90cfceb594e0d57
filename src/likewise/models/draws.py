"""Draws of one field's rows: what the posterior keeps of users, of items, of each context.

A row of width `k + 1` is `(v, b)`. Under each draw its prior is normal, with a mean that is linear in the row's features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from likewise.data.csr import CSR
from likewise.data.interactions import Histories
from likewise.models.perturbed import Known, drawn_rows, prior_noise, rating_noise, spreads
from likewise.shapes import Floats, Rows

Halves = NDArray[np.float16]
_OPTIONAL = ("features", "history", "usual_features", "usual_history")


@dataclass(frozen=True, eq=False)
class Echo:
    """What a rating adds to its own prediction through the histories of its user and its item.

    In training every rating is part of the history that the row's prior reads; a rating to be predicted is not, and without it
    the prediction would be of people who did not rate. With history coefficients B of items, and v, b those of the draw,

        score += share[u] * told[i],    share[u] = 1 / sqrt(n_u + 1),    told[i] = mean over draws of B_i . (v_i, 1)

    Parameters
    ----------
    share : float32 [row]
        Of this field's rows, as owners of a history; zeros where histories are not read.
    told : float32 [row]
        Of this field's rows, as entries of the other side's histories.
    usual_share, usual_told : float
        Means over training ratings, for rows never seen.
    """

    share: Floats
    told: Floats
    usual_share: float
    usual_told: float

    def take(self, rows: Rows) -> tuple[Floats, Floats]:
        """Shares and tellings of rows."""
        known = rows >= 0
        share, told = np.where(known, self.share[rows], self.usual_share), np.where(known, self.told[rows], self.usual_told)
        return share.astype(np.float32), told.astype(np.float32)

    def shares_of(self, counts: NDArray[np.int64]) -> Floats:
        """Shares of histories of so many entries."""
        reads = self.usual_share > 0
        return np.where(counts > 0, reads / np.sqrt(counts + 1), self.usual_share).astype(np.float32)

    def with_rows(self, size: int, rows: Rows, share: Floats, told: Floats) -> Echo:
        """A copy of this size in which these rows have these values; other new rows have the usual ones."""
        shares, tellings = np.full(size, self.usual_share, np.float32), np.full(size, self.usual_told, np.float32)
        shares[: len(self.share)], tellings[: len(self.told)] = self.share, self.told
        shares[rows], tellings[rows] = share, told
        return Echo(shares, tellings, self.usual_share, self.usual_told)


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
    echo : Echo
    features : float16 [feature, draw, width] or None
        What each feature adds to the prior mean.
    history : float16 [row of the other side, draw, width] or None
        What each partner in the history adds, before division by the square root of their number.
    usual_features, usual_history : float32 [draw, width] or None
        What features and history added to a training row on average: what stands in for those of a row that has none.
    """

    rows: Halves
    mean: Floats
    precision: NDArray[np.float64]
    scale: Floats
    echo: Echo
    features: Halves | None = None
    history: Halves | None = None
    usual_features: Floats | None = None
    usual_history: Floats | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_draws(self) -> int:
        return int(self.rows.shape[1])

    def of_draw(self, draw: int) -> FieldDraws:
        """One draw alone."""
        one = slice(draw, draw + 1)
        features, history = (None if a is None else a[:, one] for a in (self.features, self.history))
        usual = (None if a is None else a[one] for a in (self.usual_features, self.usual_history))
        return FieldDraws(self.rows[:, one], self.mean[one], self.precision[one], self.scale, self.echo, features, history, *usual)

    def take(self, rows: Rows) -> Floats:
        """Rows under each draw, float32 [batch, draw, width]; row -1 is the prior mean."""
        taken = self.rows[rows].astype(np.float32)
        taken[rows < 0] = self.nobody
        return taken

    @property
    def nobody(self) -> Floats:
        """Row under each draw that nothing is known of, float32 [draw, width]."""
        row = self.mean
        for usual in (self.usual_features, self.usual_history):
            row = row if usual is None else row + usual
        return row

    @cached_property
    def covariance(self) -> NDArray[np.float64]:
        """Of a row under each draw's prior, float64 [draw, width, width]."""
        return np.asarray(np.linalg.inv(self.precision), np.float64)

    @cached_property
    def spreads(self) -> Floats:
        """Root of the covariance, float32 [draw, width, width]: S S' = covariance."""
        return spreads(self.precision)

    @cached_property
    def noise(self) -> NDArray[np.float64]:
        """What every row folded in is drawn with, standard normals [draw, width]."""
        return prior_noise(self.n_draws, self.mean.shape[1])

    def variance_along(self, others: Floats) -> Floats:
        """Variance of the score of a row from the prior with rows of the other side [batch, draw, width], mean over draws, [batch]."""
        design = others.astype(np.float64)
        design[:, :, -1] = 1
        along = np.einsum("nsk,skl->nsl", design, self.covariance)
        return np.asarray((along * design).sum(2).mean(1), np.float32)

    def variance_with(self, other: FieldDraws) -> np.float32:
        """What two rows from the priors of both sides add together: the variance of the product of their deviations."""
        return np.float32(np.einsum("skl,skl->s", self.covariance[:, :-1, :-1], other.covariance[:, :-1, :-1]).mean())

    def scales(self, rows: Rows) -> Floats:
        """Noise scales of rows, one for row -1."""
        return np.where(rows >= 0, self.scale[rows], np.float32(1))

    def prior_means(self, histories: Histories, features: CSR | None) -> Floats:
        """Prior mean of each row under each draw, float32 [batch, draw, width]."""
        means = np.broadcast_to(self.nobody, (len(histories), *self.mean.shape)).copy()
        if self.features is not None and self.usual_features is not None and features is not None:
            means[features.counts > 0] -= self.usual_features
            _add_rows(means, features, self.features)
        if self.history is not None and self.usual_history is not None:
            inside = histories.rows < len(self.history)
            kept = histories if inside.all() else histories.keep(inside)
            means[kept.counts > 0] -= self.usual_history
            shares = np.repeat(1 / np.sqrt(np.maximum(kept.counts, 1)), kept.counts).astype(np.float32)
            _add_rows(means, CSR(kept.indptr, kept.rows, shares, len(self.history)), self.history)
        return means

    def fold(self, histories: Histories, features: CSR | None, others: Floats, alpha: Floats, targets: Floats, weights: Floats) -> Floats:
        """Rows that were never trained on, drawn from their conditional under each draw: float32 [batch, draw, width].

        Draws are paired, each with the mirror image of the other's noise, so that it cancels from the mean over draws
        (`models.perturbed`). A row with neither ratings nor features is the prior mean.

        Parameters
        ----------
        others : float32 [row of the other side, draw, width]
        targets, weights : float32 [entry]
        """
        means = self.prior_means(histories, features)
        alike = self.features is None and self.history is None
        rows = histories.rows
        precisions = weights * np.asarray(alpha, np.float32)[:, None]
        wanted = targets + rating_noise(self.n_draws, rows) / np.sqrt(np.maximum(precisions, np.float32(1e-12)))
        if len(rows) < len(others) // 4:  # the few partners that occur are gathered: one visitor would wait for a copy of all
            some, places = np.unique(rows, return_inverse=True)
            others, rows = others[some], places.astype(np.int32)
        told = Histories(histories.indptr, rows)
        prior = (means[:1] if alike else means, self.precision, self.spreads, self.noise)
        folded = drawn_rows(Known(told, others, wanted, precisions, *prior))
        informed = histories.counts > 0
        if features is not None and self.features is not None:
            informed |= features.counts > 0
        folded[~informed] = means[~informed]
        return folded

    def with_rows(self, rows: Rows, values: Floats, scale: Floats, share: Floats, told: Floats) -> Self:
        """A copy in which these rows have these values [batch, draw, width]; rows beyond the end are new."""
        size = max(len(self), int(rows.max()) + 1 if len(rows) else 0)
        grown = np.empty((size, *self.rows.shape[1:]), np.float16)
        grown[: len(self)], grown[len(self) :] = self.rows, self.nobody
        grown[rows] = values
        scales = np.ones(size, np.float32)
        scales[: len(self)] = self.scale
        scales[rows] = scale
        return replace(self, rows=grown, scale=scales, echo=self.echo.with_rows(size, rows, share, told))

    def state(self, name: str) -> dict[str, NDArray[Any]]:
        """Arrays by name."""
        kept: dict[str, NDArray[Any] | None] = {"rows": self.rows, "mean": self.mean, "precision": self.precision, "scale": self.scale}
        kept |= {name: getattr(self, name) for name in _OPTIONAL}
        kept |= {"echo": np.stack([self.echo.share, self.echo.told]), "usual_echo": np.array([self.echo.usual_share, self.echo.usual_told])}
        return {f"{name}.{key}": value for key, value in kept.items() if value is not None}

    @classmethod
    def from_state(cls, name: str, state: Mapping[str, NDArray[Any]]) -> Self:
        """The draws that `state` described."""
        part = {key: state.get(f"{name}.{key}") for key in ("rows", "mean", "precision", "scale", *_OPTIONAL)}
        share, told = state[f"{name}.echo"]
        usual_share, usual_told = state[f"{name}.usual_echo"].tolist()
        return cls(**part, echo=Echo(share, told, usual_share, usual_told))  # type: ignore[arg-type]


def widened(draws: Floats, variance: Floats) -> Floats:
    """Draws [batch, draw] spread by so much more variance [batch]; their mean stays."""
    n = draws.shape[1]
    if n < 2 or not variance.any():
        return draws
    places = (np.random.default_rng(0).permutation(n) + 0.5) / n
    normal = np.array([NormalDist().inv_cdf(place) for place in places])
    normal = ((normal - normal.mean()) / normal.std()).astype(np.float32)
    return np.asarray(draws + np.sqrt(variance)[:, None] * normal, np.float32)


def _add_rows(means: Floats, x: CSR, coefficients: Halves) -> None:
    """Add x @ coefficients to means [batch, draw, width]."""
    values = x.filled()
    for n in range(x.n_rows):
        run = slice(x.indptr[n], x.indptr[n + 1])
        if run.start < run.stop:
            means[n] += np.tensordot(values[run], coefficients[x.columns[run]].astype(np.float32), 1)
