"""Where training runs, and the state of torch that a fit borrows and gives back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from likewise.errors import InputError

log = logging.getLogger(__name__)


def device_of(wanted: str) -> torch.device:
    """The device of a name; "auto" is a GPU where there is one.

    Raises InputError for a device that is not there.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        log.info("no CUDA GPU here: training on the CPU")
        return torch.device("cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise InputError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N'; got {wanted!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device {wanted!r} was asked for and this machine has no CUDA GPU; use 'auto' or 'cpu'")
    return device


@contextmanager
def borrowed(device: torch.device, seed: int, threads: int | None) -> Iterator[None]:
    """Seeded random numbers and so many threads inside; afterwards both are as they were."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            if threads is not None:
                torch.set_num_threads(before)
