"""Arrays in one safetensors file, written without a copy of them and read a range at a time."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likewise.data.arrays import DTYPES
from likewise.errors import ArtifactError

CHUNK = 1 << 24
"""Bytes written or hashed at once."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], about: str = "") -> str:
    """Write the arrays to a new file, durably, with a text about them; the SHA-256 of the file comes back."""
    words = {np.dtype(dtype): word for word, dtype in DTYPES.items()}
    header: dict[str, Any] = {"__metadata__": {"about": about}}
    place = 0
    for name, array in arrays.items():
        header[name] = {"dtype": words[array.dtype], "shape": list(array.shape), "data_offsets": [place, place + array.nbytes]}
        place += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256()
    parts = [memoryview(len(text).to_bytes(8, "little") + text), *map(_bytes, arrays.values())]
    with path.open("wb") as file:
        for part in parts:
            for start in range(0, len(part), CHUNK):
                digest.update(part[start : start + CHUNK])
                file.write(part[start : start + CHUNK])
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class ArrayFile:
    """A file of arrays, and what it was when it was opened: a read notices if somebody changed it since.

    Parameters
    ----------
    path : Path
    about : str
        The text that was written with the arrays.
    entries : mapping of array to (dtype, shape, first byte)
    stamp : (int, int, int)
        Size, time of change and number of the file.
    """

    path: Path
    about: str
    entries: Mapping[str, tuple[np.dtype[Any], tuple[int, ...], int]] = field(repr=False)
    stamp: tuple[int, int, int]

    @classmethod
    def open(cls, path: Path) -> ArrayFile:
        """Read the header; ArtifactError for a file that is missing, cut short, or none of ours."""
        try:
            with path.open("rb") as file:
                stamp = _stamp(file.fileno())
                start = 8 + int.from_bytes(file.read(8), "little")
                if start > stamp[0]:
                    raise ValueError
                header = json.loads(file.read(start - 8))
                about = header.pop("__metadata__")["about"]
                entries = {n: (np.dtype(DTYPES[e["dtype"]]), tuple(e["shape"]), start + e["data_offsets"][0]) for n, e in header.items()}
        except FileNotFoundError:
            raise ArtifactError(f"{path} is missing: prepare the data again") from None
        except (ValueError, KeyError, TypeError):
            raise ArtifactError(f"{path} is damaged: it holds no arrays; prepare the data again") from None
        end = max((first + dtype.itemsize * math.prod(shape) for dtype, shape, first in entries.values()), default=start)
        if end != stamp[0]:
            raise ArtifactError(f"{path} is damaged: it has {stamp[0]:,} bytes and should have {end:,}; prepare the data again")
        return cls(path, about, entries, stamp)

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Rows [start, stop) of an array, in fresh memory.

        Raises ArtifactError where the file is not the one that was opened.
        """
        dtype, shape, first = self.entries[name]
        stop = shape[0] if stop is None else stop
        width = math.prod(shape[1:])
        try:
            with self.path.open("rb") as file:
                if _stamp(file.fileno()) != self.stamp:
                    raise ArtifactError(f"{self.path} was changed while it was being read: prepare the data again, or open it anew")
                found = np.fromfile(file, dtype, (stop - start) * width, offset=first + start * width * dtype.itemsize)
        except FileNotFoundError:
            raise ArtifactError(f"{self.path} was removed while it was being read: prepare the data again") from None
        if len(found) != (stop - start) * width:
            raise ArtifactError(f"{self.path} was cut short while it was being read: prepare the data again")
        return found.reshape(stop - start, *shape[1:])


def digest_of(path: Path) -> str:
    """SHA-256 of a file, without holding it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bytes(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _stamp(file: int) -> tuple[int, int, int]:
    found = os.fstat(file)
    return found.st_size, found.st_mtime_ns, found.st_ino
