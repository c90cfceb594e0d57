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
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.csr import CSR, csr_from_pairs, empty_csr
from likewise.data.encoders import KINDS, Encoder, Kind, fit_encoder, infer_kind
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError
from likewise.shapes import Rows


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

    @classmethod
    def encoded(cls, encoders: tuple[Encoder, ...], table: pl.DataFrame, id_column: str, vocabulary: Vocabulary) -> Features:
        """The table's rows by encoders made earlier, aligned with the vocabulary."""
        return cls(*_encoded(encoders, align(table, id_column, vocabulary)))

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
