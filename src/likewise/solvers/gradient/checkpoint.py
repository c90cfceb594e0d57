"""Resumable state: tensors as safetensors and the rest as JSON, one file each, replaced whole."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from likewise.errors import ArtifactError
from likewise.solvers.gradient.identity import fingerprint as fingerprint

NAME = "gradient.safetensors"


def save(folder: str, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write the state beside the old one, then put it in its place."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    fresh = place / (NAME + ".new")
    kept = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    save_file(kept, fresh, {"about": json.dumps({**about, "checksum": checksum(kept)})})
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(place / NAME)


def load(folder: str, expected: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The state, or None where the folder holds none.

    Raises ArtifactError for a damaged file, and for one that another fit wrote.
    """
    path = Path(folder) / NAME
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()["about"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"the checkpoint {path} is damaged ({error}); delete it to start anew") from None
    if about.get("checksum") != checksum(tensors):
        raise ArtifactError(f"the checkpoint {path} is damaged (its checksum is another); delete it to start anew")
    if about["fingerprint"] != expected:
        raise ArtifactError(f"the checkpoint {path} belongs to a fit with other data, settings or seed; give another folder or delete it")
    return tensors, about


def checksum(tensors: Mapping[str, Tensor]) -> int:
    """CRC-32 of tensors in the order of their names: what a disk or a crash did to them shows."""
    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, total)
    return total
