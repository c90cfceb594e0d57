"""Checkpoints of a sharded fit: written beside the training, whole or not at all, read by any number of ranks.

A checkpoint is a folder `step-NNN` of torch.distributed.checkpoint's files, and `whole.json`, which is put there last and names them
with their sizes and checksums. A folder without it, or with a file that is missing, short or not what was written, was never finished or
was damaged, and the one before is taken. Two are kept.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch import Tensor
from torch.distributed._shard.sharded_tensor.api import ShardedTensor
from torch.distributed._shard.sharded_tensor.shard import Shard
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from likewise.errors import ArtifactError
from likewise.solvers.sharded.ranks import Rank

log = logging.getLogger(__name__)

WHOLE = "whole.json"
KEPT = 2
PIECE = 1 << 22
"""Bytes read at once for a checksum."""


class Checkpoints:
    """The checkpoints of one fit.

    Parameters
    ----------
    folder : shared by all ranks
    fingerprint : of data, settings and seed; a checkpoint resumes only the fit that wrote it.
    """

    def __init__(self, folder: str, fingerprint: str, rank: Rank) -> None:
        self.folder, self.fingerprint, self.rank = Path(folder), fingerprint, rank
        self.group = dist.new_group(backend="gloo")  # its own, since it is at work while the training is
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self.under_way: Future[None] | None = None

    def save(self, state: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        """Copy the state and write it while training goes on; one at a time."""
        self.wait()
        place = self.folder / f"step-{about['steps']:012d}"
        if self.rank.first:
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
        dist.barrier(self.group)
        told = {**about, "fingerprint": self.fingerprint}
        self.under_way = self.writer.submit(self._write, _copied(state), place, told)

    def wait(self) -> None:
        """Until what is being written is written; its error, if it has one, is raised here."""
        if self.under_way is not None:
            under_way, self.under_way = self.under_way, None
            under_way.result()

    def restore(self, state: Callable[[], dict[str, Any]], take: Callable[[Mapping[str, Any]], None]) -> Mapping[str, Any] | None:
        """Read the newest whole checkpoint into `state()` and hand it to `take`; what was told when it was saved, None without one.

        Raises ArtifactError for a checkpoint of another fit.
        """
        found: Any = self.rank.told(self._newest() if self.rank.first else None)
        if found is None:
            return None
        place, about = found
        if about["fingerprint"] != self.fingerprint:
            raise ArtifactError(
                f"the checkpoint {place} belongs to a fit with other data, settings or seed; give another folder or delete it"
            )
        loaded = state()
        load(loaded, checkpoint_id=place, process_group=self.group)
        take(loaded)
        return dict(about)

    def _write(self, state: dict[str, Any], place: Path, about: Mapping[str, Any]) -> None:
        save(state, checkpoint_id=place, process_group=self.group)
        if self.rank.first:
            self._finish(place, about)

    def _newest(self) -> tuple[str, dict[str, Any]] | None:
        for place in sorted(self.folder.glob("step-*"), reverse=True):
            about = _whole(place)
            if about is not None and all(_checksum(place / name) == told for name, told in about["checksums"].items()):
                return str(place), about
            log.warning("the checkpoint %s is not whole; the one before it is taken", place)
        return None

    def _finish(self, place: Path, about: Mapping[str, Any]) -> None:
        """Declare it whole, and drop those that are no longer needed."""
        files = sorted(place.iterdir())
        sizes, checksums = {path.name: path.stat().st_size for path in files}, {path.name: _checksum(path) for path in files}
        fresh = place / f"{WHOLE}.new"
        with fresh.open("w", encoding="utf-8") as file:
            json.dump({**about, "files": sizes, "checksums": checksums}, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place / WHOLE)
        kept = 0
        for other in sorted(self.folder.glob("step-*"), reverse=True):
            kept += _whole(other) is not None
            if other < place and kept > KEPT:
                shutil.rmtree(other, ignore_errors=True)


def _copied(state: Any) -> Any:
    """The same state in host memory, which training does not touch; torch's own stager knows no sharded tensors."""
    if isinstance(state, ShardedTensor):
        shards = [Shard(shard.tensor.detach().cpu().clone(), shard.metadata) for shard in state.local_shards()]
        return ShardedTensor._init_from_local_shards_and_global_metadata(shards, state.metadata(), process_group=state._process_group)
    if isinstance(state, Tensor):
        return state.detach().cpu().clone()
    if isinstance(state, Mapping):
        return {name: _copied(value) for name, value in state.items()}
    return [_copied(value) for value in state] if isinstance(state, list) else state


def _whole(place: Path) -> dict[str, Any] | None:
    """What was told of a checkpoint; None where a file is missing or short."""
    try:
        about = json.loads((place / WHOLE).read_text(encoding="utf-8"))
        sizes = {name: (place / name).stat().st_size for name in about["files"]}
        complete = sizes == about["files"] and sizes.keys() == about["checksums"].keys()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return about if complete else None


def _checksum(path: Path) -> int:
    """CRC-32 of a file; it need not withstand anybody, only tell what a disk or a crash did."""
    total = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            total = zlib.crc32(piece, total)
    return total
