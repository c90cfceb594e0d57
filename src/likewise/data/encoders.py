"""How one column of a table becomes columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.csr import CSR, csr_from_pairs
from likewise.data.vocabulary import Vocabulary, distinct
from likewise.errors import InputError
from likewise.shapes import Floats, Rows

Kind = Literal["category", "set", "number", "vector", "tags"]
KINDS: tuple[str, ...] = (*get_args(Kind), "ignore")

NAMING = frozenset({"title", "name", "url", "imdb_url", "imdbId", "tmdbId", "description"})
"""Columns that tell one row from another and so teach nothing about a third; left out unless asked for."""


@dataclass(frozen=True, eq=False)
class Encoder:
    """How one column of a table becomes a block; knows only what it was fitted on.

    Parameters
    ----------
    name : str
        The column's.
    kind : str
    levels : tuple of str
        Levels of a category, members of a set, tags; in sorted order.
    mean : float32 [width] or None
        Of a number or a vector.
    scale : float
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    mean: Floats | None = None
    scale: float = 1.0

    @property
    def described(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        mean = None if self.mean is None else [float(x) for x in self.mean]
        return {"name": self.name, "kind": self.kind, "levels": list(self.levels), "mean": mean, "scale": float(self.scale)}

    @classmethod
    def from_described(cls, described: Mapping[str, Any]) -> Self:
        """The encoder that `described` told of."""
        mean = None if described["mean"] is None else np.array(described["mean"], np.float32)
        return cls(described["name"], described["kind"], tuple(described["levels"]), mean, float(described["scale"]))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the block's columns."""
        if self.kind == "number":
            return (self.name, f"{self.name} missing")
        if self.kind == "vector":
            return tuple(f"{self.name}[{n}]" for n in range(len(self._mean)))
        return tuple(f"{self.name}={level}" for level in self.levels)

    @property
    def _mean(self) -> Floats:
        return np.zeros(0, np.float32) if self.mean is None else self.mean

    @cached_property
    def _known(self) -> Vocabulary:
        return Vocabulary(pl.Series(self.levels, dtype=pl.String))

    def encode(self, column: pl.Series) -> tuple[CSR, int]:
        """The block's rows, and how many values it had not seen."""
        if self.kind == "number":
            return self._numbers(column), 0
        if self.kind == "vector":
            return self._vectors(column)
        rows, members = members_of(column, self.kind)
        places = self._known.rows(members)
        known = places >= 0
        matrix = self._members(rows[known], places[known], len(column))
        return matrix, int((~known).sum())

    def _members(self, rows: Rows, places: Rows, n_rows: int) -> CSR:
        key, count = np.unique(rows.astype(np.int64) * max(len(self.levels), 1) + places, return_counts=True)
        row = (key // max(len(self.levels), 1)).astype(np.int32)
        place = (key % max(len(self.levels), 1)).astype(np.int32)
        values = None
        if self.kind == "tags":
            strength = np.log1p(count)
            length = np.sqrt(np.bincount(row, strength**2, n_rows))
            values = (strength / length[row]).astype(np.float32)
        return csr_from_pairs(row, place, values, n_rows, len(self.levels))

    def _numbers(self, column: pl.Series) -> CSR:
        value = as_numbers(column)
        missing = ~np.isfinite(value)
        standard = np.where(missing, 1.0, (value - self._mean[0]) / self.scale).astype(np.float32)
        return CSR(np.arange(len(value) + 1, dtype=np.int64), missing.astype(np.int32), standard, 2)

    def _vectors(self, column: pl.Series) -> tuple[CSR, int]:
        width = len(self._mean)
        present, matrix = as_matrix(column, width)
        counts = np.zeros(len(column) + 1, np.int64)
        counts[1:][present] = width
        values = ((matrix - self._mean) / self.scale).astype(np.float32)
        return CSR(np.cumsum(counts), np.tile(np.arange(width, dtype=np.int32), len(present)), values.ravel(), width), 0


def infer_kind(column: pl.Series, asked: str | None = None) -> tuple[Kind | None, str]:
    """The kind that the type of a column says, or none and why."""
    if asked == "ignore":
        return None, "left out as asked"
    if asked is not None:
        return asked, ""  # type: ignore[return-value]
    dtype = column.dtype
    if column.name in NAMING:
        return None, "names the row"
    if isinstance(dtype, pl.List | pl.Array):
        if dtype.inner.is_numeric():
            return "vector", ""
        return ("tags" if column.name == "tags" else "set"), ""
    if dtype.is_numeric() or dtype.is_temporal():
        return "number", ""
    if dtype in (pl.Boolean, pl.Categorical, pl.Enum) or isinstance(dtype, pl.Categorical | pl.Enum):
        return "category", ""
    if dtype == pl.String:
        if bool(column.str.contains("|", literal=True).any()):
            return "set", ""
        present = column.drop_nulls()
        if present.n_unique() > max(20, 0.5 * len(present)):
            return (
                None,
                f"{present.n_unique():,} different values in {len(present):,} rows: names rather than categories",
            )
        return "category", ""
    return None, f"type {dtype} has no encoding"


def fit_encoder(column: pl.Series, kind: Kind) -> Encoder | None:
    """The encoder of a column; None where it has no value at all."""
    name = column.name
    if kind == "number":
        value = as_numbers(column)
        value = value[np.isfinite(value)]
        if not len(value):
            return None
        return Encoder(name, kind, mean=np.array([value.mean()], np.float32), scale=float(value.std()) or 1.0)
    if kind == "vector":
        width = vector_width(column)
        if width is None:
            return None
        _, matrix = as_matrix(column, width)
        mean = matrix.mean(0).astype(np.float32)
        return Encoder(name, kind, mean=mean, scale=float(np.sqrt(((matrix - mean) ** 2).sum(1).mean())) or 1.0)
    _, members = members_of(column, kind)
    return Encoder(name, kind, tuple(distinct(members).to_list())) if len(members) else None


def members_of(column: pl.Series, kind: Kind) -> tuple[Rows, pl.Series]:
    """Each value's members as strings, with the row each belongs to."""
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if not isinstance(column.dtype, pl.List):
        text = column.cast(pl.String)
        column = text.str.split("|") if kind in ("set", "tags") else text.reshape((-1, 1)).arr.to_list()
    frame = pl.DataFrame({"row": np.arange(len(column), dtype=np.int32), "member": column})
    frame = frame.explode("member").with_columns(pl.col("member").cast(pl.String).str.strip_chars())
    if kind == "tags":
        frame = frame.with_columns(pl.col("member").str.to_lowercase())
    frame = frame.filter(pl.col("member").is_not_null() & (pl.col("member") != ""))
    return frame["row"].to_numpy(), frame["member"]


def as_numbers(column: pl.Series) -> NDArray[np.float64]:
    """The column as float64, NaN where missing; dates are seconds since 1970."""
    if column.dtype.is_temporal():
        column = column.cast(pl.Datetime("us")).dt.epoch("s") if column.dtype != pl.Duration else column.dt.total_seconds()
    try:
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    except pl.exceptions.PolarsError:
        bad = column.filter(column.cast(pl.Float64, strict=False).is_null() & column.is_not_null())[0]
        raise InputError(
            f"feature column {column.name!r} must hold numbers; it holds {bad!r}: say kinds={{{column.name!r}: 'category'}}"
        ) from None


def vector_width(column: pl.Series) -> int | None:
    """Length of the vectors of a column; None where every one is missing."""
    if not isinstance(column.dtype, pl.List | pl.Array):
        raise InputError(f"feature column {column.name!r} must hold lists of numbers to be vectors; it holds {column.dtype}")
    lengths = (column if isinstance(column.dtype, pl.List) else column.arr.to_list()).list.len().drop_nulls().unique().sort()
    if len(lengths) > 1:
        raise InputError(f"vectors of column {column.name!r} must have one length; found lengths {lengths[0]} and {lengths[-1]}")
    return int(lengths[0]) if len(lengths) else None


def as_matrix(column: pl.Series, width: int) -> tuple[NDArray[np.int64], Floats]:
    """Rows that have a vector, and the vectors, float32 [present, width]."""
    present = np.flatnonzero(column.is_not_null().to_numpy())
    if not len(present):
        return present, np.empty((0, width), np.float32)
    if vector_width(column) != width:
        raise InputError(f"vectors of column {column.name!r} must have {width} numbers, as when fitted; these have {vector_width(column)}")
    flat = column.drop_nulls().explode().cast(pl.Float32).fill_null(np.nan).to_numpy()
    if not np.isfinite(flat).all():
        row = int(present[np.flatnonzero(~np.isfinite(flat))[0] // width]) + 1
        raise InputError(f"vectors of column {column.name!r} must be finite; the one in row {row} is not")
    return present, flat.reshape(len(present), width)
