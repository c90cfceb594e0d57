"""Whether the TorchRec at hand fits the torch at hand, told in one line before anything of it is imported."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from importlib import metadata

from likewise.errors import LikewiseError

TORCH, TORCHREC, FBGEMM = "2.13", "1.8", "1.8"
"""Versions that were tested together; fbgemm's operators are compiled for one torch alone."""
REMEDY = "`make install-torchrec` installs those that fit (constraints-torchrec.txt)"


def check(version_of: Callable[[str], str | None] | None = None) -> None:
    """Raise LikewiseError where torchrec or fbgemm is missing or made for another torch.

    Parameters
    ----------
    version_of : gives the installed version of a distribution, None where it is not installed.
    """
    find = _installed if version_of is None else version_of
    found = {"torch": find("torch"), "torchrec": find("torchrec"), "fbgemm": find("fbgemm-gpu") or find("fbgemm-gpu-cpu")}
    wanted = {"torch": TORCH, "torchrec": TORCHREC, "fbgemm": FBGEMM}
    if all((found[name] or "").startswith(f"{version}.") for name, version in wanted.items()):
        return
    told = ", ".join(f"{name} {version or 'is missing'}" for name, version in found.items())
    raise LikewiseError(f"engine 'torchrec' needs torch {TORCH}, torchrec {TORCHREC} and fbgemm {FBGEMM}; here: {told}; {REMEDY}")


def load() -> None:
    """Import torchrec, its chatter left out; LikewiseError in one line where it does not load."""
    check()
    logging.getLogger("torch.fx._symbolic_trace").addFilter(_worth_telling)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torchrec  # noqa: F401
            from torchrec.distributed import DistributedModelParallel  # noqa: F401
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise LikewiseError(f"engine 'torchrec': torchrec does not load here: {reason}; {REMEDY}") from error


def _worth_telling(record: logging.LogRecord) -> bool:
    """Torch's advice to whoever wrote TorchRec's look-up is none to whoever runs it."""
    return "is_fx_tracing" not in record.getMessage()


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
