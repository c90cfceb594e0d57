"""Text tables of any delimiter: CSV, TSV, `::`, `|`, blanks, and one user a line with their items."""

from __future__ import annotations

import csv
import gzip
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from likewise.errors import InputError

DELIMITERS = ("::", "\t", ",", ";", "|", " ", ":", "^", "~")
"""Tried in this order; the first that cuts every sampled line into the same number of fields, more than one, is taken."""

SAMPLE = 1 << 16


@dataclass(frozen=True)
class Layout:
    """How a text file is laid out: its delimiter, fields a line, whether the first line names them, and its quoting."""

    delimiter: str
    fields: int
    header: bool
    quoted: bool


def read_text(path: Path, delimiter: str | None = None) -> pl.DataFrame:
    """A text table with columns of inferred types, named `column_1` ... where the file names none.

    Raises
    ------
    InputError
        An empty file, a delimiter that does not cut it into columns, lines of different lengths.
    """
    lines = sample_lines(path)
    layout = sniff(lines, delimiter, path)
    if layout is None:
        return read_histories(path)
    if layout.delimiter == "::":
        return _read_double_colon(path, layout)
    if layout.delimiter == " " and any("  " in line for line in lines):
        raise InputError(f"{path} separates columns by several blanks; write it with one delimiter such as ',' or a tab")
    return _read_delimited(path, layout)


def sample_lines(path: Path) -> list[str]:
    """The first whole lines of a file, blank ones left out."""
    with path.open("rb") as opened:
        packed = opened.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as file:
        head = file.read(SAMPLE)
    if b"\0" in head:
        raise InputError(f"{path} is neither text nor a format that can be read (text, Parquet, Arrow, JSON lines)")
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    lines = text.splitlines()
    if len(head) == SAMPLE and len(lines) > 1:
        lines.pop()  # cut in the middle
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise InputError(f"{path} is empty: it must hold a table of users and items")
    return lines[:200]


def sniff(lines: list[str], delimiter: str | None, path: Path) -> Layout | None:
    """The layout of a file's first lines; None for one user a line with their items.

    Raises InputError where no delimiter, or not the one given, makes columns.
    """
    quoted = any('"' in line for line in lines)
    for candidate in (delimiter,) if delimiter is not None else DELIMITERS:
        counts = {len(cells(line, candidate, quoted)) for line in lines}
        if len(counts) == 1 and (fields := counts.pop()) > 1:
            return Layout(candidate, fields, has_header([cells(line, candidate, quoted) for line in lines]), quoted)
    shown = lines[0] if len(lines[0]) <= 60 else lines[0][:57] + "..."
    if delimiter is not None:
        raise InputError(
            f"delimiter={delimiter!r} does not cut {path} into columns; its first line is {shown!r}: leave delimiter out to have it found"
        )
    if len(lines) > 1 and all(re.fullmatch(r"\d+( \d+)* ?", line) for line in lines):
        return None
    for candidate in DELIMITERS:
        found = [len(cells(line, candidate, quoted)) for line in lines]
        if found[0] > 1:
            odd = next(n for n, count in enumerate(found) if count != found[0])
            raise InputError(
                f"{path} has lines of different lengths: {found[0]} fields between {candidate!r} in line 1, {found[odd]} in line {odd + 1}"
            )
    raise InputError(f"{path} holds a single column; its first line is {shown!r}: say delimiter=... if it has one")


def cells(line: str, delimiter: str, quoted: bool) -> list[str]:
    """The fields of one line."""
    if len(delimiter) > 1 or not quoted:
        return line.split(delimiter)
    return next(csv.reader([line], delimiter=delimiter))


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first line names the columns: none of its cells is a number, and they are names or numbers follow beneath."""
    first = rows[0]
    if any(_is_number(cell) for cell in first) or any(not cell.strip() for cell in first):
        return False
    numeric_below = any(_is_number(row[n]) for row in rows[1:6] for n in range(len(first)))
    names = all(re.fullmatch(r"\s*[A-Za-z_][\w .-]*", cell) for cell in first)
    return len(set(first)) == len(first) and (numeric_below or (names and any(_is_known(cell) for cell in first)))


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip().strip('"'))
    except ValueError:
        return False
    return True


def _is_known(cell: str) -> bool:
    return bool(re.search(r"user|item|movie|product|customer|rating|title|\bid\b|_id$|Id$", cell, re.IGNORECASE))


def _read_delimited(path: Path, layout: Layout) -> pl.DataFrame:
    quote = '"' if layout.quoted else None

    def attempt(source: Path | io.BytesIO, infer: bool) -> pl.DataFrame:
        frame = pl.read_csv(source, separator=layout.delimiter, has_header=layout.header, quote_char=quote, infer_schema=infer)
        return frame if layout.header else _unnamed(frame)

    try:
        frame = attempt(path, True)
        return _stripped(frame) if _is_padded(frame) else frame
    except pl.exceptions.PolarsError:
        pass  # Latin-1, or a value far down that is not of the type of the first: then read all as text and find the types
    try:
        return _stripped(attempt(_utf8(path), False))
    except pl.exceptions.PolarsError as problem:
        raise InputError(f"{path} could not be read as columns between {layout.delimiter!r}: {str(problem).splitlines()[0]}") from None


def _read_double_colon(path: Path, layout: Layout) -> pl.DataFrame:
    """`a::b::c` is `a,,b,,c` with ":" for the comma, which the fast reader takes; where a value holds a ":" lines are cut one by one."""
    try:
        wide = pl.read_csv(path, separator=":", has_header=layout.header, quote_char=None)
        if wide.width == 2 * layout.fields - 1 and all(wide[:, n].null_count() == wide.height for n in range(1, wide.width, 2)):
            return wide[:, ::2] if layout.header else _unnamed(wide[:, ::2])
    except pl.exceptions.PolarsError:
        pass
    text = _utf8(path)
    lines = pl.read_csv(text, separator="\x01", has_header=False, quote_char=None, new_columns=["line"], infer_schema=False)["line"]
    parts = lines.drop_nulls().str.split("::")
    lengths = parts.list.len()
    if (lengths != layout.fields).any():
        row = int((lengths != layout.fields).arg_max() or 0)
        raise InputError(
            f"{path} has lines of different lengths: {layout.fields} fields between '::' in line 1, {lengths[row]} in line {row + 1}"
        )
    names = parts[0].to_list() if layout.header else [f"column_{n + 1}" for n in range(layout.fields)]
    return typed(parts.slice(int(layout.header)).list.to_struct(fields=names).struct.unnest())


def read_histories(path: Path) -> pl.DataFrame:
    """One user a line, `user item item ...`, as pairs; users without items have none."""
    lines = path.read_bytes().split(b"\n")
    counts = np.array([len(line.split()) for line in lines])
    numbers = np.array(b" ".join(lines).split(), np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1][counts > 0]
    is_item = np.ones(len(numbers), np.bool_)
    is_item[starts] = False
    return pl.DataFrame({"column_1": np.repeat(numbers[starts], counts[counts > 0] - 1), "column_2": numbers[is_item]})


def typed(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns of text as ints or floats where every value is one."""
    changed = []
    for column in frame:
        for dtype in (pl.Int64, pl.Float64):
            cast = column.cast(dtype, strict=False)
            if cast.null_count() == column.null_count():
                changed.append(cast)
                break
    return frame.with_columns(changed)


def _is_padded(frame: pl.DataFrame) -> bool:
    """Whether names or numbers have blanks around them, as in "1, 2, 3"."""
    first = [value for value in frame.head(1).rows()[0] if isinstance(value, str)] if frame.height else []
    return any(name != name.strip() for name in frame.columns) or any(value != value.strip() and _is_number(value) for value in first)


def _stripped(frame: pl.DataFrame) -> pl.DataFrame:
    return typed(frame.with_columns(pl.col(pl.String).str.strip_chars()).rename(str.strip))


def _unnamed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.rename({name: f"column_{n + 1}" for n, name in enumerate(frame.columns)})


def _utf8(path: Path) -> Path | io.BytesIO:
    """The file itself where it is UTF-8, else its Latin-1 text as UTF-8."""
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        return path
    try:
        raw.decode()
    except UnicodeDecodeError:
        return io.BytesIO(raw.decode("latin-1").encode())
    return path
