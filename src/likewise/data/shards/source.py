"""Parquet files read a batch at a time: looked at before anything is done, and watched while they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from likewise.data.columns import Named, choose_columns, coerce
from likewise.data.tables import find_files
from likewise.errors import InputError

BATCH = 1 << 20
"""Rows decoded at once."""


@dataclass(frozen=True, eq=False)
class Source:
    """Files of one table.

    Parameters
    ----------
    name : str
        As the caller gave it.
    files : tuple of Path
    rows : tuple of int
        Of each file.
    taken : mapping of our column name to the files'
    stamps : tuple of (int, int)
        Size and time of change of each file.
    """

    name: str
    files: tuple[Path, ...]
    rows: tuple[int, ...]
    taken: Mapping[str, str]
    stamps: tuple[tuple[int, int], ...] = field(repr=False)

    @classmethod
    def of(cls, source: Any, named: Named) -> Source:
        """Look at every file's footer.

        Raises InputError for a source that is no Parquet, damaged, empty, or of files whose columns differ.
        """
        if not isinstance(source, str | Path):
            raise InputError(f"a source to scan must be a path or a glob of Parquet files; got {type(source).__name__}: use read(...)")
        files = tuple(find_files(source))
        footers = [_footer(file) for file in files]
        first = footers[0].schema_arrow
        taken = choose_columns(pl.DataFrame(schema=dict.fromkeys(first.names, pl.Null)), named)
        for file, footer in zip(files, footers, strict=True):
            _check_same(files[0], first, file, footer.schema_arrow, taken)
        rows = tuple(footer.metadata.num_rows for footer in footers)
        if not sum(rows):
            raise InputError(f"{source} has columns ({', '.join(first.names)}) but no rows")
        return cls(str(source), files, rows, taken, tuple(_stamp(file) for file in files))

    def __len__(self) -> int:
        return sum(self.rows)

    @property
    def described(self) -> list[list[Any]]:
        """Each file's name, rows, size and time of change: whether these are the files prepared before."""
        return [[file.name, rows, *stamp] for file, rows, stamp in zip(self.files, self.rows, self.stamps, strict=True)]

    def batches(self, limits: tuple[float, float] | None) -> Iterator[pl.DataFrame]:
        """Columns under our names, values checked, a few hundred thousand rows or more at a time.

        Raises InputError for values that may not be, a file that is damaged, and one that changed while it was read.
        """
        unit = [0]
        for file, rows, stamp in zip(self.files, self.rows, self.stamps, strict=True):
            start = 0
            for frame in self._frames(file):
                try:
                    yield _one_unit(coerce(frame, limits), frame, unit)
                except InputError as problem:
                    raise InputError(f"{file}, after row {start:,}: {problem}") from None
                start += frame.height
            if _stamp(file) != stamp or start != rows:
                raise InputError(f"{file} changed while it was read: prepare it again when nobody writes to it")

    def _frames(self, file: Path) -> Iterator[pl.DataFrame]:
        waiting: list[pl.DataFrame] = []
        try:
            with pq.ParquetFile(file) as table:
                for batch in table.iter_batches(BATCH, columns=list(self.taken.values())):
                    frame = pl.DataFrame(pl.from_arrow(batch))
                    waiting.append(frame.select(pl.col(theirs).alias(ours) for ours, theirs in self.taken.items()))
                    if sum(frame.height for frame in waiting) >= BATCH // 2:
                        yield pl.concat(waiting)
                        waiting = []
        except (OSError, pa.ArrowException) as problem:
            raise _damaged(file, problem) from None
        if waiting:
            yield pl.concat(waiting)


def _footer(file: Path) -> pq.ParquetFile:
    try:
        with pq.ParquetFile(file) as table:
            return table
    except (OSError, pa.ArrowException) as problem:
        raise _damaged(file, problem) from None


def _damaged(file: Path, problem: Exception) -> InputError:
    reason = str(problem).strip().splitlines()[0]
    return InputError(
        f"{file} is no whole Parquet file ({reason}): write it again, or make it of text by polars.scan_csv(...).sink_parquet(...)"
    )


def _check_same(first: Path, wanted: pa.Schema, file: Path, found: pa.Schema, taken: Mapping[str, str]) -> None:
    for theirs in taken.values():
        if theirs not in found.names:
            here = ", ".join(found.names)
            raise InputError(f"the files differ: {first.name} has a column {theirs!r}, {file.name} has only {here}; write them alike")
        one, other = wanted.field(theirs).type, found.field(theirs).type
        if _kind(one) != _kind(other):
            raise InputError(f"the files differ: column {theirs!r} is {one} in {first.name} and {other} in {file.name}; write them alike")


def _kind(dtype: pa.DataType) -> str:
    if pa.types.is_dictionary(dtype):
        dtype = dtype.value_type
    if str(dtype) in ("string", "large_string", "string_view"):
        return "text"
    return "integer" if pa.types.is_integer(dtype) else "fraction" if pa.types.is_floating(dtype) else str(dtype)


def _one_unit(coerced: pl.DataFrame, given: pl.DataFrame, unit: list[int]) -> pl.DataFrame:
    """Refuse times whose unit is guessed differently from one batch to the next."""
    if "timestamp" in given.columns and given["timestamp"].dtype.is_numeric():
        largest, seconds = given["timestamp"].abs().max(), coerced["timestamp"].abs().max()
        found = round(float(largest) / max(float(seconds), 1)) if largest and seconds else 0  # type: ignore[arg-type]
        digits = len(str(found))
        if found and unit[0] not in (0, digits):
            raise InputError("times are in one unit at first and in another here (seconds, milliseconds ...): write them in one")
        unit[0] = unit[0] or (digits if found else 0)
    return coerced


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns
