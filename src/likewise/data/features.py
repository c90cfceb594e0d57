"""What is known of items or people beside their ratings, encoded once for every model.

A table becomes *blocks*, one or two a column, each a `CSR` over the rows of a vocabulary:

    kind        from                                   columns of the block
    category    strings, bools                         one a level ("gender=F"), one-hot
    set         lists, or strings with "|" between     one a member ("genres=Comedy"), several-hot
    number      ints, floats, dates                    the standardised value, and a flag where it is missing
    vector      lists of numbers of one length         centred, scaled so that the mean squared length is one
    tags        lists of strings with repeats          log(1 + count) a tag, each row of length one

What the encoder knows (levels, means, scales) comes from the rows it was fitted on alone. A level that it has not seen is left
out and counted; a value that is missing is the mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.csr import CSR, csr_from_pairs, empty_csr
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


@dataclass(frozen=True, eq=False)
class Block:
    """One encoded column: its encoder's name, kind and column names, and a CSR [row, column]."""

    name: str
    kind: Kind
    columns: tuple[str, ...]
    matrix: CSR


@dataclass(frozen=True, eq=False)
class Features:
    """Encoded rows, and the encoders that made them.

    Parameters
    ----------
    encoders : tuple of Encoder
    blocks : tuple of Block
        One an encoder, in the same order.
    n_rows : int
    unseen : mapping of block name to int
        Values left out because the encoder had not seen them.
    ignored : mapping of column name to str
        Columns of the table that are no feature, and why.
    """

    encoders: tuple[Encoder, ...]
    blocks: tuple[Block, ...]
    n_rows: int
    unseen: Mapping[str, int] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def fit(cls, table: pl.DataFrame, id_column: str, vocabulary: Vocabulary, kinds: Mapping[str, str] | None = None) -> Features:
        """Encoders fitted on the table's rows whose ids are in the vocabulary, and those rows encoded, aligned with it.

        Parameters
        ----------
        table : pl.DataFrame
            One row an id; ids outside the vocabulary are left out, and ids without a row have every value missing.
        kinds : mapping of column to kind
            Overrules what the types say; "ignore" leaves a column out.

        Raises
        ------
        InputError
            An unknown kind or column in `kinds`, an id with two rows, or a column that cannot be of its kind.
        """
        check_kinds(kinds or {}, table, id_column)
        aligned = align(table, id_column, vocabulary)
        fitted: list[Encoder] = []
        ignored: dict[str, str] = {}
        for column in aligned:
            kind, reason = infer_kind(column, (kinds or {}).get(column.name))
            encoder = None if kind is None else fit_encoder(column, kind)
            if encoder is None:
                ignored[column.name] = reason or "no value in these rows"
            else:
                fitted.append(encoder)
        return cls(*_encoded(tuple(fitted), aligned), ignored)

    def encode(self, frame: pl.DataFrame) -> Features:
        """Other rows with the same columns; a column that the frame lacks is missing throughout."""
        return Features(*_encoded(self.encoders, frame), self.ignored)

    def design(self) -> CSR:
        """All blocks side by side, [row, feature]."""
        starts = np.concatenate([[0], np.cumsum([b.matrix.width for b in self.blocks])]).astype(np.int32)
        if not self.blocks:
            return empty_csr(self.n_rows, 0)
        rows = np.concatenate([np.repeat(np.arange(self.n_rows, dtype=np.int32), b.matrix.counts) for b in self.blocks])
        columns = np.concatenate([b.matrix.columns + start for b, start in zip(self.blocks, starts, strict=False)])
        values = np.concatenate([b.matrix.filled() for b in self.blocks])
        return csr_from_pairs(rows, columns, values, self.n_rows, int(starts[-1]))

    @property
    def columns(self) -> list[str]:
        """Names of the columns of `design`."""
        return [name for encoder in self.encoders for name in encoder.columns]

    @property
    def width(self) -> int:
        """Columns of `design`."""
        return sum(block.matrix.width for block in self.blocks)

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, name: str) -> Block:
        for block in self.blocks:
            if block.name == name:
                return block
        raise InputError(f"there is no feature block {name!r}; there are: {', '.join(b.name for b in self.blocks) or 'none'}")

    def __repr__(self) -> str:
        return f"Features({self.n_rows:,} rows; " + ", ".join(f"{b.name}: {b.kind} of {b.matrix.width}" for b in self.blocks) + ")"

    def take(self, rows: Rows) -> Features:
        """The rows named, in that order; row -1 has no feature at all."""
        blocks = tuple(Block(b.name, b.kind, b.columns, b.matrix.take(rows)) for b in self.blocks)
        return Features(self.encoders, blocks, len(rows), {}, self.ignored)

    def stack(self, more: Features) -> Features:
        """These rows followed by those of `more`, which has the same columns."""
        if [e.columns for e in self.encoders] != [e.columns for e in more.encoders]:
            raise InputError("features can be stacked only when they were encoded with the same columns: use `features.encode(frame)`")
        blocks = tuple(
            Block(a.name, a.kind, a.columns, _stacked(a.matrix, b.matrix)) for a, b in zip(self.blocks, more.blocks, strict=True)
        )
        return Features(self.encoders, blocks, self.n_rows + more.n_rows, {}, self.ignored)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What a file keeps: a description that JSON can hold, and arrays by name."""
        arrays: dict[str, NDArray[Any]] = {}
        described = []
        for n, (encoder, block) in enumerate(zip(self.encoders, self.blocks, strict=True)):
            described.append({"name": encoder.name, "kind": encoder.kind, "levels": list(encoder.levels), "scale": encoder.scale})
            arrays[f"{n}.indptr"], arrays[f"{n}.columns"] = block.matrix.indptr, block.matrix.columns
            if block.matrix.values is not None:
                arrays[f"{n}.values"] = block.matrix.values
            if encoder.mean is not None:
                arrays[f"{n}.mean"] = encoder.mean
        return {"rows": self.n_rows, "encoders": described, "ignored": dict(self.ignored)}, arrays

    @classmethod
    def from_state(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Features:
        """The features that `state` gave."""
        encoders, blocks = [], []
        for n, e in enumerate(described["encoders"]):
            encoder = Encoder(e["name"], e["kind"], tuple(e["levels"]), arrays.get(f"{n}.mean"), float(e["scale"]))
            matrix = CSR(arrays[f"{n}.indptr"], arrays[f"{n}.columns"], arrays.get(f"{n}.values"), len(encoder.columns))
            encoders.append(encoder)
            blocks.append(Block(encoder.name, encoder.kind, encoder.columns, matrix))
        return cls(tuple(encoders), tuple(blocks), int(described["rows"]), {}, dict(described["ignored"]))


def _encoded(encoders: tuple[Encoder, ...], frame: pl.DataFrame) -> tuple[tuple[Encoder, ...], tuple[Block, ...], int, dict[str, int]]:
    blocks, unseen = [], {}
    for encoder in encoders:
        column = frame[encoder.name] if encoder.name in frame.columns else pl.Series(encoder.name, [None] * frame.height, dtype=pl.String)
        matrix, dropped = encoder.encode(column)
        blocks.append(Block(encoder.name, encoder.kind, encoder.columns, matrix))
        if dropped:
            unseen[encoder.name] = dropped
    return encoders, tuple(blocks), frame.height, unseen


def _stacked(a: CSR, b: CSR) -> CSR:
    values = None if a.values is None and b.values is None else np.concatenate([a.filled(), b.filled()])
    return CSR(np.concatenate([a.indptr, b.indptr[1:] + a.indptr[-1]]), np.concatenate([a.columns, b.columns]), values, a.width)


def align(table: pl.DataFrame, id_column: str, vocabulary: Vocabulary) -> pl.DataFrame:
    """The table's other columns, one row an id of the vocabulary, null where it has none."""
    rows = vocabulary.rows(table[id_column])
    known = np.flatnonzero(rows >= 0)
    place = np.full(len(vocabulary), -1, np.int64)
    place[rows[known]] = known
    if len(known) != int((place >= 0).sum()):
        twice = vocabulary.id(int(np.flatnonzero(np.bincount(rows[known], minlength=len(vocabulary)) > 1)[0]))
        raise InputError(f"column {id_column!r} of a feature table must name each id once; {twice!r} has several rows: keep one of them")
    places = pl.Series(place)
    others = table.drop(id_column)
    return others.select(pl.all().gather(places.set(places < 0, None))) if others.width else others


def check_kinds(kinds: Mapping[str, str], table: pl.DataFrame, id_column: str) -> None:
    """Refuse a kind that does not exist or a column that the table lacks."""
    for name, kind in kinds.items():
        if kind not in KINDS:
            raise InputError(f"the kind of column {name!r} must be one of {', '.join(KINDS)}; got {kind!r}")
        if name not in table.columns or name == id_column:
            raise InputError(
                f"kinds names column {name!r}, which the table lacks; it has {', '.join(c for c in table.columns if c != id_column)}"
            )


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
                f"{present.n_unique():,} different values in {len(present):,} rows: names rather than categories (kinds={{{column.name!r}: 'category'}} uses it)",
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
