"""What a folder of shards says of itself; written last, so a folder that has one is whole."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from likewise.errors import ArtifactError

MANIFEST = "shards.json"
FORMAT = 1
"""Version of the folder's format; raised when an older release could no longer read it."""


def write_manifest(folder: Path, about: Mapping[str, Any]) -> None:
    """Write it durably, with a checksum of its own."""
    told = {"format": FORMAT, **about}
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        json.dump({**told, "checksum": fingerprint(told)}, file, indent=1, ensure_ascii=False, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest; ArtifactError where there is none, or it is damaged or of a format this release cannot read."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError(f"{folder} holds no prepared data: it has no {MANIFEST}; make it by likewise.scan or `likewise prepare`")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        claimed, version = told.pop("checksum"), int(told["format"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ArtifactError(f"{path} is damaged: prepare the data again") from None
    if version > FORMAT:
        raise ArtifactError(f"{folder} was prepared in format {version}; this release reads up to format {FORMAT}: upgrade likewise")
    if claimed != fingerprint(told):
        raise ArtifactError(f"{path} is damaged: its own checksum differs, so it was edited or corrupted")
    return dict(told)


def fingerprint(told: Mapping[str, Any]) -> str:
    """A digest of what a manifest says: of the data, therefore, as it holds each file's."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
