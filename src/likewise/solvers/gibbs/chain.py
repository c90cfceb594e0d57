"""One chain: the state of the sampler, and a sweep that draws all of it once, each part given the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likewise.models.conditional import draw_rows
from likewise.models.streams import derived_key
from likewise.parallel import in_threads
from likewise.shapes import Floats
from likewise.solvers.gibbs.hyper import Doubles, NormalWishart
from likewise.solvers.gibbs.layout import Field, Layout
from likewise.solvers.gibbs.levels import Levels
from likewise.solvers.gibbs.noise import Noise, all_scores, taken
from likewise.solvers.gibbs.side import Block

PIECES = 16


@dataclass(frozen=True, eq=False)
class FieldPrior:
    """Prior of a field's rows in the last sweep: general mean and precision, and each row's own mean."""

    mean: Doubles
    precision: Doubles
    rows: Floats


class Chain:
    """A Gibbs chain over the rows of all fields, their priors, their features' coefficients, and the noise.

    Parameters
    ----------
    layout : Layout
    targets : float32 [rating] in the layout's order
    noise : Noise
    blocks : mapping of field name to the blocks of its features
    width : int
        factors + 1
    prior : NormalWishart
    key : (seed, chain)
    levels : Levels or None
        For ratings that are ordered levels: `targets` are then latents, drawn in each sweep.
    burn_in : int
        Sweeps in which cut points settle.
    """

    def __init__(
        self,
        layout: Layout,
        targets: Floats,
        noise: Noise,
        blocks: Mapping[str, list[Block]],
        width: int,
        prior: NormalWishart,
        key: tuple[int, int],
        threads: int | None = None,
        levels: Levels | None = None,
        burn_in: int = 0,
    ):
        self.layout, self.targets, self.noise, self.blocks = layout, targets, noise, blocks
        self.prior, self.key, self.threads = prior, key, threads
        self.levels, self.burn_in = levels, burn_in
        self.sweeps = 0
        rng = np.random.default_rng([*key, 0])
        self.table = (0.1 * rng.standard_normal((layout.n_rows, width))).astype(np.float32)
        self.table[:, -1] = 0
        self.scores = np.zeros(len(targets), np.float32)
        self.priors: dict[str, FieldPrior] = {}
        self._in_order: dict[tuple[str, str], tuple[Floats, int, Floats]] = {}

    def sweep(self) -> None:
        """Draw everything once."""
        self.sweeps += 1
        rng = np.random.default_rng([*self.key, self.sweeps])
        self._draw_priors()
        for n, field in enumerate(self.layout.fields):
            self.draw_field(field, derived_key(*self.key, self.sweeps, n), 1.0, self.table[field.rows])
        all_scores(self.layout.rows, self.table, self.threads, self.scores)
        self.noise.draw(self.targets, self.scores, rng, (*self.key, self.sweeps, 99), self.threads)
        if self.levels is not None:
            settle = self.sweeps <= self.burn_in
            self.targets = self.levels.draw(
                self.scores, self.noise.weights, rng, derived_key(*self.key, self.sweeps, 98), settle, self.threads
            )

    def draw_field(self, field: Field, key: np.uint64, sign: float, out: Floats) -> None:
        """Draw a field's rows into `out` from their conditional; sign -1 mirrors the noise."""
        prior = self.priors[field.name]
        parts = field.parts(PIECES, self.table.shape[1])
        targets = self._sorted("targets", self.targets, field)
        weights = self._sorted("weights", self.noise.weights, field, self.noise.drawn)

        def work(piece: int) -> None:
            first, last = parts[piece]
            draw_rows(
                first,
                last,
                field.indptr,
                field.partners,
                targets,
                weights,
                self.noise.alpha,
                self.table,
                prior.rows,
                prior.precision,
                key,
                sign,
                False,
                out,
            )

        in_threads(work, len(parts), self.threads)

    def _sorted(self, name: str, values: Floats, field: Field, drawn: int = 0) -> Floats:
        """Values [rating] in the field's own order, for rows to read in one run; kept until others are given or these filled anew."""
        if not len(field.place) or not len(values):
            return values
        of, when, found = self._in_order.get((name, field.name), (None, -1, None))
        if found is None or of is not values or when != drawn:
            found = taken(values, field.place, self.threads, found)
            self._in_order[name, field.name] = values, drawn, found
        return found

    def _draw_priors(self) -> None:
        """Draw the prior of each field given its own rows alone: all fields at once."""
        fields = self.layout.fields
        drawn: list[FieldPrior | None] = [None] * len(fields)

        def work(n: int) -> None:
            drawn[n] = self._draw_prior(fields[n], np.random.default_rng([*self.key, self.sweeps, 1 + n]))

        in_threads(work, len(fields), self.threads)
        self.priors = {field.name: prior for field, prior in zip(fields, drawn, strict=True) if prior is not None}

    def _draw_prior(self, field: Field, rng: np.random.Generator) -> FieldPrior:
        rows, blocks = self.table[field.rows], self.blocks.get(field.name, [])
        rest = rows.copy()
        for block in blocks:
            rest -= block.effect
        mean, precision = self.prior.draw(rest.astype(np.float64), rng)
        if not blocks:
            return FieldPrior(mean, precision, mean.astype(np.float32)[None])
        rest -= mean.astype(np.float32)
        for block in blocks:
            rest += block.effect
            block.draw(rest, precision, rng)
            rest -= block.effect
        return FieldPrior(mean, precision, rows - rest)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next sweep depends on, as arrays, which that sweep writes to."""
        noise = {"alpha": np.array(self.noise.alpha), "scales": self.noise.scales, "weights": self.noise.weights}
        arrays: dict[str, NDArray[Any]] = {"sweeps": np.array(self.sweeps), "table": self.table, "targets": self.targets, **noise}
        arrays |= {f"nu:{name}": np.array(nu) for name, nu in self.noise.nu.items()}
        if self.levels is not None:
            arrays["cuts"] = self.levels.cuts
        for name, blocks in self.blocks.items():
            for block in blocks:
                arrays |= {f"effect:{name}:{block.name}": block.effect, f"strength:{name}:{block.name}": block.strength}
        return arrays

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go back to where `state` was taken."""
        self._in_order.clear()
        self.sweeps, self.table, self.targets = int(state["sweeps"]), state["table"], state["targets"]
        self.noise.alpha, self.noise.scales, self.noise.weights = float(state["alpha"]), state["scales"], state["weights"]
        self.noise.nu = {name: float(state[f"nu:{name}"]) for name in self.noise.nu}
        if self.levels is not None:
            self.levels.cuts = state["cuts"]
        for name, blocks in self.blocks.items():
            for block in blocks:
                block.effect, block.strength = state[f"effect:{name}:{block.name}"], state[f"strength:{name}:{block.name}"]
