"""Which process of a job reports an error: the first that has one, once for each start of the job."""

from __future__ import annotations

import os
from datetime import timedelta

from torch._C._distributed_c10d import TCPStore


def first_to_tell() -> bool:
    """Whether this process is the first of its job to report an error: the rest stay silent."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "MASTER_ADDR" not in os.environ:
        return True
    try:
        place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(*place, is_master=False, timeout=timedelta(seconds=5))
        return bool(store.add(f"likewise/told/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", 1) == 1)
    except (RuntimeError, ValueError):  # nobody is left to ask
        return True
