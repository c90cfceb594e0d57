"""The processes of a job: how one joins, and what it says when another has gone."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import HashStore, PrefixStore, TCPStore

from likewise.errors import LikewiseError
from likewise.solvers.gradient.device import device_of

LOST = ("gloo", "nccl", "connection closed", "connection reset", "connection refused", "broken pipe")
"""Words of the plain errors that a collective raises when the other side has gone; c10d's own errors are of kinds of their own."""


@dataclass(frozen=True)
class Rank:
    """One process among `size`.

    Parameters
    ----------
    device : where its part is trained; a GPU of its own where there are any.
    """

    number: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether it speaks for all."""
        return self.number == 0

    def part(self, rows: int) -> tuple[int, int]:
        """Its share of `rows`, from and to, as row-wise sharding deals them: all the same, the last ones what is left."""
        share = -(-rows // self.size)
        return min(self.number * share, rows), min((self.number + 1) * share, rows)

    def blocks(self, rows: int, size: int) -> Iterator[tuple[int, int]]:
        """(from, to) of its share, block by block, as many for every rank, the last ones empty where it has fewer.

        A look-up is answered by all ranks, so each must ask as often as the others, for some row or other where it has none left.
        """
        first, last = self.part(rows)
        for start in range(0, -(-rows // self.size), size):
            yield min(first + start, last), min(first + start + size, last)

    def summed(self, values: Tensor) -> Tensor:
        """The sum of every rank's values."""
        dist.all_reduce(values)
        return values

    def told(self, value: object) -> object:
        """What the first rank has, on every rank."""
        box = [value]
        dist.broadcast_object_list(box, 0)
        return box[0]


@contextmanager
def joined(wanted: str) -> Iterator[Rank]:
    """Join the job that torchrun started, or a job of one.

    Raises LikewiseError when another process of the job ends in the middle of it.
    """
    device = device_of(wanted)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) if device.index is None else device.index)
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        _join(device)
        atexit.register(_leave)
    try:
        yield Rank(dist.get_rank(), dist.get_world_size(), device)
    except RuntimeError as error:
        lost = isinstance(error, dist.DistError) or any(word in str(error).lower() for word in LOST)
        if dist.get_world_size() == 1 or not lost:
            raise
        raise LikewiseError(
            "another process of this job has ended, and the others stop with it; `torchrun --max-restarts N`, or the same command "
            "again, goes on from the last checkpoint"
        ) from error
    if dist.get_world_size() == 1:  # a job of several is joined once in a process's life: its store remembers
        dist.destroy_process_group()


def _leave() -> None:
    """At the end of the process: threads of a group that is still there when its libraries are unloaded would abort it."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _join(device: torch.device) -> None:
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        # a restarted job finds the same store, with what its processes said in the life before: each life has words of its own
        place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = PrefixStore(f"life/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", TCPStore(*place, is_master=False))
        dist.init_process_group(backend, store=store, rank=int(os.environ["RANK"]), world_size=int(os.environ["WORLD_SIZE"]))
    elif "RANK" in os.environ and "MASTER_ADDR" in os.environ:
        dist.init_process_group(backend)
    else:
        dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
