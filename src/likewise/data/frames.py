"""The border: any kind of frame to Polars, and back to the kind that came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from likewise.errors import InputError


def is_frame(source: object) -> bool:
    """Whether it is a table in memory: polars, pandas, Arrow, or a mapping of name to column."""
    return (
        isinstance(source, pl.DataFrame | pl.LazyFrame | Mapping)
        or hasattr(source, "__arrow_c_stream__")
        or hasattr(source, "__dataframe__")
        or _is_pandas(source)
    )


def to_polars(source: Any) -> pl.DataFrame:
    """A table in memory as a Polars frame.

    Raises InputError for anything that is not a table.
    """
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    try:
        if isinstance(source, Mapping):
            return pl.DataFrame(source, strict=False)
        if is_frame(source):
            import narwhals as nw

            frame: pl.DataFrame = nw.from_native(source, eager_only=True).to_polars()
            return frame
        if isinstance(source, Sequence) and not isinstance(source, str) and source and isinstance(source[0], Sequence | Mapping):
            rows = pl.DataFrame(source, orient="row", infer_schema_length=None)
            return rows if isinstance(source[0], Mapping) else rows.rename({c: f"column_{n + 1}" for n, c in enumerate(rows.columns)})
    except (pl.exceptions.PolarsError, TypeError, ValueError) as problem:
        raise InputError(f"the table could not be read as columns: {problem}") from None
    raise InputError(
        f"a table must be a polars, pandas or Arrow frame, a mapping of columns, a path, or a database URL; got {type(source).__name__}"
    )


def like(frame: pl.DataFrame, source: object) -> Any:
    """A Polars frame as the kind of frame that `source` is: pandas (index kept where rows match), Arrow, or Polars."""
    if _is_pandas(source):
        pandas = frame.to_pandas()
        if len(pandas) == len(source):  # type: ignore[arg-type]
            pandas.index = source.index  # type: ignore[attr-defined]
        return pandas
    if type(source).__module__.startswith("pyarrow"):
        return frame.to_arrow()
    return frame


def _is_pandas(source: object) -> bool:
    return type(source).__module__.partition(".")[0] == "pandas"
