"""Any source as a Polars frame: a frame in memory, a file or a glob by its content, a database URL."""

from __future__ import annotations

import glob
import os
import re
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from likewise.data.frames import is_frame, to_polars
from likewise.data.shards.manifest import MANIFEST
from likewise.data.text import read_text
from likewise.errors import InputError


def load_table(source: Any, query: str | None = None, delimiter: str | None = None) -> pl.DataFrame:
    """The table that a source holds, columns as they are named there.

    Parameters
    ----------
    source : frame, mapping of columns, sequence of rows, path, glob, or database URL
    query : str, optional
        For a database URL: a SELECT, or the name of a table.
    delimiter : str, optional
        For a text file; found where not given.

    Raises
    ------
    InputError
        A source that is missing, empty, damaged, or of no known format.
    """
    if isinstance(source, str) and is_url(source):
        from likewise.data.sql import read_sql

        return read_sql(source, query)
    if query is not None:
        raise InputError(f"query goes with a database URL such as 'sqlite:///ratings.db'; the source is {describe(source)}")
    if isinstance(source, str | Path):
        files = find_files(source)
        tables = [_load_file(file, delimiter) for file in files]
        try:
            return tables[0] if len(tables) == 1 else pl.concat(tables, how="vertical_relaxed")
        except pl.exceptions.PolarsError as problem:
            raise InputError(f"the {len(files)} files of {source} do not have the same columns: {str(problem).splitlines()[0]}") from None
    if is_frame(source) or isinstance(source, list | tuple):
        return to_polars(source)
    raise InputError(f"a source must be a frame, a path, a glob or a database URL; got {type(source).__name__}")


def find_files(source: str | Path) -> list[Path]:
    """The files that a path, a folder of Parquet files, or a glob stands for."""
    path = Path(source).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        if (path / MANIFEST).is_file():
            raise InputError(
                f"{source} holds prepared events, which fit and evaluate alone take (open_shards): name the files they came from"
            )
        found = sorted(path.rglob("*.parquet"))
        if not found:
            raise InputError(f"the folder {source} holds no Parquet files: name a file, or use load_movielens for a MovieLens folder")
        return found
    if glob.has_magic(str(path)):
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207  absolute patterns too
        if found:
            return found
        raise InputError(f"no file matches {str(source)!r}")
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    near = get_close_matches(path.name, siblings, 3)
    raise InputError(
        f"there is no file {str(source)!r}" + (f"; did you mean {', '.join(map(repr, near))}?" if near else ": check the path")
    )


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """A frame to a Parquet file, or to CSV under any other name; written beside it and renamed when whole.

    In CSV, text that a spreadsheet would run as a formula gets an apostrophe in front; Parquet keeps every text as it is.

    Raises InputError where the file cannot be written; what was there before is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        frame.write_parquet(temporary) if path.suffix == ".parquet" else _harmless(frame).write_csv(temporary)
        temporary.replace(path)
    except (OSError, pl.exceptions.PolarsError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem).splitlines()[0]
        raise InputError(f"could not write {path}: {reason}; what was there before is untouched") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """Text that begins like a formula, and is no number, behind an apostrophe."""
    text = pl.col(pl.String)
    formula = text.str.contains(r"^[=+\-@\t\r]") & text.cast(pl.Float64, strict=False).is_null()
    return frame.with_columns(pl.when(formula).then("'" + text).otherwise(text).name.keep())


def is_url(source: str) -> bool:
    """Whether a string is a database URL."""
    return bool(re.match(r"[a-z][a-z0-9]*(\+[a-z0-9_]+)?://", source))


def describe(source: object) -> str:
    """A source in a few words, passwords left out."""
    if isinstance(source, str) and is_url(source):
        return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", source)
    if isinstance(source, str | Path):
        return str(source)
    kind = type(source)
    return f"a {kind.__module__.partition('.')[0]} {kind.__name__}" if kind.__module__ != "builtins" else f"a {kind.__name__}"


def _load_file(path: Path, delimiter: str | None) -> pl.DataFrame:
    try:
        with path.open("rb") as file:
            head = file.read(8)
        if not head:
            raise InputError(f"{path} is empty: it must hold a table of users and items")
        if head.startswith(b"PAR1"):
            return pl.read_parquet(path)
        if head.startswith(b"ARROW1"):
            return pl.read_ipc(path)
        if head.lstrip()[:1] == b"{":
            return pl.read_ndjson(path)
    except OSError as problem:
        raise InputError(f"{path} could not be opened: {problem.strerror or problem}") from None
    except pl.exceptions.PolarsError as problem:
        raise InputError(f"{path} is damaged: {str(problem).splitlines()[0]}") from None
    return read_text(path, delimiter)
