"""The second pass: a scattered shard is shuffled, split into train and test, put in order of cells, and written for good."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likewise.data.shards.arrays import write_arrays
from likewise.data.shards.cells import cell_order, deal
from likewise.data.shards.plan import Plan
from likewise.data.shards.progress import Progress
from likewise.data.shards.scatter import SCATTERED, Scattering
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError
from likewise.parallel import in_threads
from likewise.shapes import NO_TIME, Mask, Offsets, Rows

TRAIN, TEST = "train-{:05d}.safetensors", "test-{:05d}.safetensors"

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Side:
    """One side's ids in their final order.

    Parameters
    ----------
    ids : Vocabulary
    rank : int32 [row as first met]
        The final row.
    blocks : int32 [row]
    counts : int64 [row]
        Training events; filled by the second pass.
    """

    ids: Vocabulary
    rank: Rows
    blocks: NDArray[np.int32]
    counts: Offsets


def sides_of(scattering: Scattering) -> tuple[Side, Side]:
    """Users and items, dealt into blocks by how often they occur."""
    made = []
    for place, growing in ((1, scattering.users), (2, scattering.items)):
        ids, rank, counts = growing.vocabulary()
        made.append(Side(ids, rank, deal(counts, scattering.plan.side, scattering.plan.random(place)), np.zeros_like(counts)))
    return made[0], made[1]


class Settling:
    """Scattered shards on their way to final ones; `files` is filled as they are written.

    Attributes
    ----------
    low, high, total : float64 [shard]
        Least and greatest training rating, and their sum: what is held out must not tell the model anything.
    """

    def __init__(self, plan: Plan, folder: Path, users: Side, items: Side, progress: Progress) -> None:
        self.plan, self.folder, self.users, self.items, self.progress = plan, folder, users, items, progress
        self.files: list[dict[str, Any]] = [{} for _ in range(plan.shards)]
        self.moment = self._cut() if plan.test and plan.by == "time" else None
        self.low, self.high = np.full(plan.shards, np.inf), np.full(plan.shards, -np.inf)
        self.total = np.zeros(plan.shards)
        self._lock = Lock()

    def run(self, threads: int | None = None) -> None:
        """Write every shard."""
        in_threads(self._settle, self.plan.shards, threads)

    def ratings(self) -> dict[str, float] | None:
        """What the manifest tells of the training ratings; None where there are none."""
        learned = sum(entry["train"]["rows"] for entry in self.files)
        if "rating" not in self.plan.columns or not learned:
            return None
        return {"low": float(self.low.min()), "high": float(self.high.max()), "mean": float(self.total.sum() / learned)}

    def _cut(self) -> int:
        """The moment from which on events are held out, judged by one shard: a random sample of all."""
        every = self._records(0)["time"]
        times = np.sort(every[every != NO_TIME])
        if len(times) < len(every):
            log.warning(
                "about %.2g %% of the events have no time: they are learned from, none is held out", 100 - 100 * len(times) / len(every)
            )
        if not len(times) or times[0] == times[-1]:
            raise InputError("a split by time needs events of more than one moment: use by='random'")
        return max(int(times[int(len(times) * (1 - self.plan.test))]), int(times[0]) + 1)

    def _records(self, shard: int) -> NDArray[Any]:
        return np.fromfile(self.folder / SCATTERED.format(shard), self.plan.record)

    def _settle(self, shard: int) -> None:
        rng = self.plan.random(3, shard)
        records = self._records(shard)
        columns = {name: np.ascontiguousarray(records[name]) for name in self.plan.columns}
        del records
        columns["user"], columns["item"] = self.users.rank[columns["user"]], self.items.rank[columns["item"]]
        held = self._held(columns, rng)
        learned = np.arange(len(columns["user"])) if held is None else np.flatnonzero(~held)
        entry = {"train": self._write(TRAIN.format(shard), columns, rng.permutation(learned), self.plan.side)}
        if held is not None:
            entry["test"] = self._write(TEST.format(shard), columns, rng.permutation(np.flatnonzero(held)), 1)
        if "rating" in columns and len(learned):
            ratings = columns["rating"][learned]
            self.low[shard], self.high[shard], self.total[shard] = ratings.min(), ratings.max(), ratings.sum(dtype=np.float64)
        with self._lock:
            for name, side in (("user", self.users), ("item", self.items)):
                side.counts[:] += np.bincount(columns[name][learned], minlength=len(side.ids))
            self.files[shard] = entry
        (self.folder / SCATTERED.format(shard)).unlink()
        self.progress.add(sum(part["rows"] for part in entry.values()))

    def _held(self, columns: dict[str, NDArray[Any]], rng: np.random.Generator) -> Mask | None:
        if not self.plan.test:
            return None
        if self.moment is not None:
            return np.asarray(columns["time"] >= self.moment)  # an event without a time is before all
        return np.asarray(rng.random(len(columns["user"]), np.float32) < self.plan.test)

    def _write(self, name: str, columns: dict[str, NDArray[Any]], events: NDArray[np.int64], side: int) -> dict[str, Any]:
        """Write these events, in this order within each cell of a grid of `side` blocks; what the manifest says of the file."""
        starts = np.array([0, len(events)])
        if side > 1:
            starts, order = cell_order(self.users.blocks[columns["user"][events]], self.items.blocks[columns["item"][events]], side)
            events = events[order]
        chosen = {n: column[events] for n, column in columns.items()}
        digest = write_arrays(self.folder / name, {"starts": starts, **chosen})
        weight = float(chosen["weight"].sum(dtype=np.float64)) if "weight" in chosen else float(len(events))
        return {"file": name, "rows": len(events), "weight": weight, "sha256": digest}
