"""What the one-pass kernel learns: its tables at the start, copies of them, and their averages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likewise.data.csr import counting_sort
from likewise.data.interactions import Interactions
from likewise.errors import InputError
from likewise.models.base import Side
from likewise.models.dot import Dot, FittedDot
from likewise.shapes import Floats, Offsets, Rows
from likewise.solvers.base import Start
from likewise.solvers.gradient.kernel import BIAS, HOLD, LANES, Tables
from likewise.solvers.gradient.settings import Gradient, Penalty

CACHE_LINE = 64


@dataclass(frozen=True, eq=False)
class Parameters:
    """Tables of the kernel, with what is done to them as a whole."""

    tables: Tables

    @property
    def factors(self) -> tuple[Floats, Floats]:
        """Both sides' factors."""
        return self.tables.user_factors, self.tables.item_factors

    def copy(self) -> Parameters:
        """An independent copy."""
        fresh = [aligned(*table.shape) for table in self.tables]
        for copied, table in zip(fresh, self.tables, strict=True):
            copied[:] = table
        return Parameters(Tables(*fresh))

    def finite(self) -> bool:
        """Whether all is a number; a sum is not if one of its terms is not."""
        return all(np.isfinite(table.sum(dtype=np.float64)) for table in self.tables)


class Average:
    """Mean of the parameters after each epoch from a share of the run on (Izmailov et al. 2018); from 1 on, none."""

    def __init__(self, start: float) -> None:
        self.start, self.count = start, 0
        self.mean: Parameters | None = None

    def after_epoch(self, parameters: Parameters, progress: float) -> None:
        """Take an epoch's parameters in, `progress` of the run being done."""
        if progress <= self.start or self.start >= 1:
            return
        self.count += 1
        if self.mean is None:
            self.mean = parameters.copy()
            return
        for mean, table in zip(self.mean.tables, parameters.tables, strict=True):
            mean += (table - mean) / np.float32(self.count)


def start_tables(
    model: Dot, counts: tuple[Offsets, Offsets], solver: Gradient, rng: np.random.Generator, starts: Sequence[Start] = ()
) -> Parameters:
    """Random factors or another model's, biases of zero or the other's, and how each row is held, given its number of events."""
    if len(starts) > 1:
        raise InputError(f"the dot product starts from one other model; {len(starts)} were given")
    sides = []
    kinds: tuple[Side, Side] = ("user", "item")
    for seen, side in zip(counts, kinds, strict=True):
        n_rows = len(seen)
        factors = aligned(n_rows, -(-model.factors // LANES) * LANES)
        lines = aligned(n_rows, LANES)
        factors[:, : model.factors] = _random(model, n_rows, rng)
        _hold(lines, seen, solver.penalty)
        for start in starts:
            _take_over(factors[:, : model.factors], lines, start, side)
        sides.append((factors, lines))
    (user_factors, user_lines), (item_factors, item_lines) = sides
    return Parameters(Tables(user_factors, item_factors, user_lines, item_lines))


def own_items(data: Interactions) -> tuple[Offsets, Rows]:
    """Each user's items in rising order: where they begin, and which they are."""
    _, by_item = counting_sort(data.items, data.n_items)
    indptr, by_user = counting_sort(data.users[by_item], data.n_users)
    return indptr, data.items[by_item][by_user]


def aligned(rows: int, width: int) -> Floats:
    """Zeros [row, width] that begin at a cache line, so that no row of whole vectors straddles two."""
    buffer = np.zeros(rows * width + CACHE_LINE // 4, np.float32)
    skip = -buffer.ctypes.data % CACHE_LINE // 4
    return buffer[skip : skip + rows * width].reshape(rows, width)


def _random(model: Dot, n_rows: int, rng: np.random.Generator) -> Floats:
    drawn = rng.standard_normal((n_rows, model.factors), np.float32)
    if model.init == "scaled":
        drawn /= np.float32(np.sqrt(model.factors))
        return drawn
    while model.init == "truncated" and (wide := np.abs(drawn) > 2).any():
        drawn[wide] = rng.standard_normal(int(wide.sum()), np.float32)
    drawn *= np.float32(0.005 if model.init == "small" else 0.1)
    return drawn


def _hold(lines: Floats, counts: Offsets, penalty: Penalty) -> None:
    """L2 of each row; `penalty.power` gives more to rows seen seldom."""
    seen = np.maximum(counts, 1)
    lines[:, HOLD] = penalty.l2 * (seen / seen.mean()) ** -penalty.power


def _take_over(factors: Floats, lines: Floats, start: Start, side: Side) -> None:
    model, places = start.model, start.places(side)
    if not isinstance(model, FittedDot):
        raise InputError(f"training cannot start from {type(model).__name__}: the dot product starts from another dot product")
    rows, bias = (model.user_factors, model.user_bias) if side == "user" else (model.item_factors, model.item_bias)
    if rows.shape[1] != factors.shape[1] or (places is None and len(rows) != len(factors)):
        raise InputError(
            f"the {side} table to start from is {list(rows.shape)} and the model's is {list(factors.shape)}: "
            "fit both over the same rows and with the same number of factors"
        )
    if places is None:
        places = np.arange(len(rows), dtype=np.int32)
    known = places >= 0
    factors[known], lines[known, BIAS] = rows[places[known]], bias[places[known]]
