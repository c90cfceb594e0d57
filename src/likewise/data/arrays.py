"""A safetensors file in parts: laid out first, filled in by whoever has the rows, and read without being loaded."""

from __future__ import annotations

import json
import math
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

DTYPES = {"BOOL": "?", "U8": "u1", "I8": "i1", "I16": "<i2", "U16": "<u2", "F16": "<f2", "I32": "<i4", "U32": "<u4", "F32": "<f4",
          "F64": "<f8", "I64": "<i8", "U64": "<u8"}  # fmt: skip
"""NumPy's words for those of safetensors."""


@dataclass(frozen=True)
class Kind:
    """What an array will be: its dtype and shape."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of all."""
        return self.dtype.itemsize * math.prod(self.shape)

    @property
    def row(self) -> int:
        """Bytes of one entry of the first axis."""
        return self.dtype.itemsize * math.prod(self.shape[1:])


def lay_out(path: Path, kinds: Mapping[str, Kind]) -> None:
    """Create the file at its full length, every array zero; OSError where the disk has no room for it."""
    words = {np.dtype(dtype): word for word, dtype in DTYPES.items()}
    header, start = {}, 0
    for name, kind in sorted(kinds.items(), key=lambda each: -each[1].dtype.itemsize):  # wide ones first, so that all are aligned
        header[name] = {"dtype": words[kind.dtype], "shape": list(kind.shape), "data_offsets": [start, start + kind.size]}
        start += kind.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.flush()
        length = 8 + len(text) + start
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, length)
        else:
            file.truncate(length)


class Slices:
    """Writes rows into a file that `lay_out` made; several processes may, each its own rows."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("r+b", buffering=0)
        length = int.from_bytes(self.file.read(8), "little")
        self.start, self.header = 8 + length, json.loads(self.file.read(length))

    def write(self, name: str, first: int, rows: NDArray[Any]) -> None:
        """Put `rows` at `first` and behind it; they must have the array's dtype and width."""
        entry = self.header[name]
        kind = Kind(np.dtype(DTYPES[entry["dtype"]]), tuple(entry["shape"]))
        if rows.dtype != kind.dtype or rows.shape[1:] != kind.shape[1:] or first + (len(rows) if rows.ndim else 1) > (*kind.shape, 1)[0]:
            raise ValueError(f"{rows.dtype} {list(rows.shape)} at row {first} does not fit {name}, {kind.dtype} {list(kind.shape)}")
        self.file.seek(self.start + entry["data_offsets"][0] + first * kind.row)
        content = memoryview(np.ascontiguousarray(rows).data).cast("B") if rows.size else memoryview(b"")
        while content:
            content = content[self.file.write(content) or 0 :]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            os.fsync(self.file.fileno())
        self.file.close()


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file, mapped into memory: read when they are used, and shared by processes that read them.

    A write to one of them stays in its own process.
    """
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    start = 8 + int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8:start])
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        dtype, shape = np.dtype(DTYPES[entry["dtype"]]), tuple(entry["shape"])
        first, last = entry["data_offsets"]
        if last - first != dtype.itemsize * math.prod(shape):
            raise ValueError(f"{name} has {last - first} bytes, not those of {shape}")
        array: NDArray[Any] = np.frombuffer(content, dtype, math.prod(shape), start + first).reshape(shape)
        arrays[name] = array if array.flags.aligned else array.copy()
    return arrays
