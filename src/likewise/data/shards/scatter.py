"""The first pass: ids become rows, and every event is thrown into a shard at random."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.csr import counting_sort
from likewise.data.dataset import times_of
from likewise.data.shards.ahead import ahead
from likewise.data.shards.growing import GrowingIds
from likewise.data.shards.plan import Plan
from likewise.data.shards.progress import Progress
from likewise.data.shards.source import Source
from likewise.shapes import Rows

SCATTERED = "scattered-{:05d}"


class Scattering:
    """Encoded events of one source, thrown into files in a folder.

    Attributes
    ----------
    users, items : GrowingIds
    kept, dropped : int
        Events; those without a user or an item are dropped.
    """

    def __init__(self, plan: Plan, folder: Path, most: int) -> None:
        self.plan, self.folder = plan, folder
        self.users, self.items = GrowingIds("user", most), GrowingIds("item", most)
        self.kept = self.dropped = 0

    def run(self, source: Source, limits: tuple[float, float] | None, progress: Progress) -> None:
        """Read the source once."""
        with ExitStack() as stack:
            files = [stack.enter_context((self.folder / SCATTERED.format(n)).open("wb", buffering=0)) for n in range(self.plan.shards)]
            pair = stack.enter_context(ThreadPoolExecutor(1))
            for number, read in enumerate(ahead(source.batches(limits))):
                frame = _with_ids(read)
                users = pair.submit(self.users.rows, frame["user_id"])
                rows = self.items.rows(frame["item_id"])
                self._throw(number, users.result(), rows, frame, files)
                self.kept, self.dropped = self.kept + frame.height, self.dropped + read.height - frame.height
                progress.add(read.height)

    def _throw(self, number: int, users: Rows, items: Rows, frame: pl.DataFrame, files: list[FileIO]) -> None:
        columns: dict[str, NDArray[Any]] = {"user": users, "item": items}
        for name in ("rating", "weight"):
            if name in self.plan.columns:
                columns[name] = frame[name].to_numpy()
        if (times := times_of(frame)) is not None:
            columns["time"] = times
        shard = self.plan.random(0, number).integers(0, self.plan.shards, len(users), np.int32)
        starts, order = counting_sort(shard, self.plan.shards)
        records = np.empty(len(users), self.plan.record)
        for name in self.plan.columns:
            records[name] = columns[name][order]
        for file, start, stop in zip(files, starts[:-1], starts[1:], strict=True):
            _write_all(file, records[start:stop])


def _with_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows that have a user and an item."""
    whole = [frame[name].fill_nan(None) if frame[name].dtype.is_float() else frame[name] for name in ("user_id", "item_id")]
    return frame.filter(whole[0].is_not_null() & whole[1].is_not_null()) if any(ids.null_count() for ids in whole) else frame


def _write_all(file: FileIO, records: NDArray[Any]) -> None:
    """One write may take only a part."""
    left = records.view(np.uint8).data
    while len(left):
        left = left[file.write(left) or 0 :]
