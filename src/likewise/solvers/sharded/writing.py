"""From sharded tables to the arrays of an ordinary model: each rank writes the rows it holds into one file, nobody gathers them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from likewise.data.arrays import Kind, Slices, lay_out, read_arrays
from likewise.errors import DivergedError
from likewise.models.base import FittedModel, Model, Side
from likewise.models.dot import Dot, FittedDot
from likewise.models.networks.base import Facts
from likewise.models.networks.fitted import FittedNetwork, Head
from likewise.models.networks.gather import tower_of
from likewise.models.networks.net import Net
from likewise.models.networks.sums import FittedSums
from likewise.models.networks.two_tower import TwoTower
from likewise.models.rows import RowPrior
from likewise.shapes import Floats
from likewise.solvers.gradient.batches import rows_of
from likewise.solvers.sharded.measuring import misses, sample_of
from likewise.solvers.sharded.ranking import own_rows
from likewise.solvers.sharded.ranks import Rank

log = logging.getLogger(__name__)

SAMPLE = 50_000
"""Training ratings that the noise is measured on."""
SIDES: tuple[Side, Side] = ("user", "item")
BY_SIDE: dict[type[Any], dict[Side, tuple[str, ...]]] = {
    FittedDot: {"user": ("user_factors", "user_bias"), "item": ("item_vectors",)},
    FittedSums: {"user": ("users",), "item": ("items",)},
    FittedNetwork: {"user": ("persons",), "item": ("things",)},
}
"""The arrays of each kind of model that have one entry a row of a side."""


@dataclass(frozen=True)
class Result:
    """What training gave, as this rank sees it."""

    model: Model
    net: Net
    facts: Facts
    rank: Rank

    def write(self, path: Path) -> FittedModel[Any]:
        """Write the model's arrays to `path`, which every rank can reach, and open them; the same model on every rank."""
        self.net.eval()
        priors = {side: self._prior(side) for side in SIDES}
        noise = self._noise()
        widths = {side: self._width(side) for side in SIDES}
        none = {side: np.zeros((0, widths[side]), np.float32) for side in SIDES}
        frame = self._fitted(none["user"], none["item"], priors, noise)
        by_side, sizes = BY_SIDE[type(frame)], {"user": self.facts.data.n_users, "item": self.facts.data.n_items}
        state = frame.state()
        if self.rank.first:
            big = {name: sizes[side] for side, names in by_side.items() for name in names}
            shape = {name: (big[name], *array.shape[1:]) if name in big else array.shape for name, array in state.items()}
            lay_out(path, {name: Kind(array.dtype, shape[name]) for name, array in state.items()})
        dist.barrier()
        with Slices(path) as file:
            if self.rank.first:
                for name, array in state.items():
                    if all(name not in names for names in by_side.values()):
                        file.write(name, 0, array)
            for side in SIDES:
                for first, rows in self._rows(side, priors[side]):
                    both = {**none, side: rows}
                    made = self._fitted(both["user"], both["item"], priors, noise).state()
                    for name in by_side[side]:
                        file.write(name, first, made[name])
        dist.barrier()
        fitted = type(frame).from_state(self.model, read_arrays(path))
        dist.barrier()  # all have it open: whoever owns the file may move it
        return fitted

    def _rows(self, side: Side, prior: RowPrior) -> Iterator[tuple[int, Floats]]:
        """(first row, rows as the model keeps them) of this rank's part, the population's where there were no events."""
        own = self._counts(side)
        for first, found in own_rows(self.net, side, len(own), self.rank):
            rows = self._shaped(found.cpu().numpy())
            unseen = own[first : first + len(rows)] == 0
            if unseen.any():
                rows[unseen] = self._usual(side, prior, np.flatnonzero(unseen) + first)
            yield first, rows

    def _shaped(self, rows: Floats) -> Floats:
        """Vectors as `FittedDot` has them: a bias last, of length one where the score is a cosine."""
        if not self._is_dot:
            return np.ascontiguousarray(rows)
        if self.facts.cosine:
            rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        if isinstance(self.model, Dot) and self.model.bias:
            return np.ascontiguousarray(rows)
        return np.column_stack([rows, np.zeros(len(rows), np.float32)])

    def _usual(self, side: Side, prior: RowPrior, rows: NDArray[np.int64]) -> Floats:
        """What rows without events get: the prior's mean, and where the model has towers what their features give."""
        usual = np.tile(prior.mean, (len(rows), 1))
        tower = getattr(self.net, f"{side}_tower", None) if self._is_sum else None
        if tower is not None:
            with torch.no_grad():
                usual += tower(torch.from_numpy(rows).to(self.rank.device)).cpu().numpy()
        if self._is_dot and not (isinstance(self.model, Dot) and self.model.bias):
            usual[:, -1] = 0
        return usual

    def _prior(self, side: Side) -> RowPrior:
        """Moments of what was learned for each row that has events, summed over the ranks."""
        counts, total = self._counts(side), None
        table: Any = self.net.users if side == "user" else self.net.items
        alone = table if self._is_sum else None  # without what features add
        for first, found in own_rows(self.net, side, len(counts), self.rank, alone):
            rows = self._shaped(found.cpu().numpy()).astype(np.float64)
            rows = rows[counts[first : first + len(rows)] > 0] if counts.any() else rows
            part = np.concatenate([[len(rows)], rows.sum(0), (rows.T @ rows).ravel()])
            total = part if total is None else total + part
        width = self._width(side)
        total = np.zeros(1 + width + width * width) if total is None else total
        total = self.rank.summed(torch.from_numpy(total)).numpy()
        if not np.isfinite(total).all():
            raise DivergedError(f"the {side} table holds numbers that are not finite; lower the learning rate", None)
        n, mean = total[0], total[1 : width + 1] / total[0]
        return RowPrior.of_moments(int(n), mean, total[width + 1 :].reshape(width, width) - n * np.outer(mean, mean))

    def _counts(self, side: Side) -> NDArray[np.int64]:
        """Events of each row."""
        return self.facts.data.by_user.counts if side == "user" else self.facts.data.by_item.counts

    def _width(self, side: Side) -> int:
        width = self.net.settings.widths(self.facts)[SIDES.index(side)]
        return width + 1 if self._is_dot and not (isinstance(self.model, Dot) and self.model.bias) else width

    @property
    def _is_dot(self) -> bool:
        return isinstance(self.model, Dot) and self.facts.levels is None

    @property
    def _is_sum(self) -> bool:
        return isinstance(self.model, TwoTower) and self.model.join == "dot" and self.facts.levels is None

    def _noise(self) -> float:
        data = self.facts.data
        if data.ratings is None or not len(data):
            return 1.0
        sample = sample_of(data, SAMPLE)
        squares, _ = misses(self.net, rows_of(sample, self.rank.device), self.rank)
        return max(squares / len(sample), 1e-4)

    def _fitted(self, users: Floats, items: Floats, priors: dict[Side, RowPrior], noise: float) -> FittedModel[Any]:
        """The model of these rows alone."""
        facts, both = self.facts, (priors["user"], priors["item"])
        if self._is_dot and isinstance(self.model, Dot):
            (p, a), (q, b) = ((np.ascontiguousarray(rows[:, :-1]), np.ascontiguousarray(rows[:, -1])) for rows in (users, items))
            return FittedDot(self.model, p, q, a, b, facts.mean, facts.link, *both, noise)
        if self._is_sum:
            mine, theirs = (tower_of([self.net], f"{side}_tower", 1.0) for side in SIDES)
            return FittedSums(self.model, users, items, facts.mean, facts.link, *both, noise, mine, theirs)
        heads = [Head.of(self.model, self.net, facts)]
        return FittedNetwork(self.model, users, items, heads, facts.mean, noise, facts.link, *both)
