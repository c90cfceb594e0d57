"""Raw ids to rows and back, once, at the border."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from likewise.data.lookup import Id, Index, index, indexes_of, is_dense, repeated
from likewise.errors import InputError, UnknownIdError
from likewise.shapes import Rows

if TYPE_CHECKING:
    import pyarrow as pa

Ids = pl.Series | NDArray[Any] | Sequence[Any]
"""A column of raw ids in any form that Polars takes."""

LARGEST = np.iinfo(np.int32).max


class Vocabulary:
    """Raw ids, int or str, and their rows 0..n-1; never edited, safe to read from many threads.

    Made by `Vocabulary.of`, whose rows are in sorted order: the same ids give the same rows however they were shuffled. `extend`
    appends new ids at the end, so that rows given out stay true.

    Parameters
    ----------
    ids : pl.Series
        Distinct ids, Int64 or String, in row order.

    Raises
    ------
    InputError
        Missing or repeated ids, or a type that is neither int nor str.

    Examples
    --------
    >>> v = Vocabulary.of([30, 10, 20, 10])
    >>> v.rows([20, 99, "10"]).tolist()
    [1, -1, 0]
    >>> v.id(2), 30 in v, len(v)
    (30, True, 3)
    """

    __slots__ = ("_indexes", "ids", "kind")

    ids: pl.Series
    kind: Literal["int", "str"]

    def __init__(self, ids: Ids) -> None:
        series = as_ids(ids)
        if len(series) > LARGEST:
            raise InputError(f"a vocabulary holds at most {LARGEST:,} ids; {len(series):,} were given")
        self._fill(series, indexes_of(series))
        twice = repeated(self._indexes)
        if twice is not None:
            raise InputError(f"the ids of a vocabulary must be distinct; {twice!r} occurs more than once")

    def _fill(self, ids: pl.Series, indexes: tuple[Index, ...]) -> None:
        self.ids = ids
        self.kind = "str" if ids.dtype == pl.String else "int"
        self._indexes = indexes

    @classmethod
    def of(cls, values: Ids) -> Vocabulary:
        """The distinct ids among the values, in sorted order."""
        return cls(distinct(as_ids(values)))

    @classmethod
    def encode(cls, values: Ids) -> tuple[Vocabulary, Rows]:
        """The vocabulary of the values, and the row of each value."""
        series = as_ids(values)
        vocabulary = cls(distinct(series))
        return vocabulary, vocabulary.rows(series)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, raw: object) -> bool:
        return self._find(raw) >= 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.kind == other.kind and self.ids.equals(other.ids)

    def __hash__(self) -> int:
        return hash((self.kind, len(self), self.ids[0] if len(self) else None))

    def __repr__(self) -> str:
        shown = ", ".join(repr(raw) for raw in self.ids.head(3)) + (", ..." if len(self) > 3 else "")
        return f"Vocabulary({len(self):,} {self.kind} ids: {shown})"

    def rows(self, ids: Ids) -> Rows:
        """Rows [batch] of the ids; -1 where an id is missing or was never seen.

        Ints and their decimal strings find each other.
        """
        series = _cast_to(as_ids(ids, missing=True), self.ids.dtype)
        rows = self._indexes[0].rows(series)
        for later in self._indexes[1:]:
            unknown = rows < 0
            rows[unknown] = later.rows(series.filter(pl.Series(unknown)))
        return rows

    def row(self, raw: object) -> int:
        """The row of one id.

        Raises
        ------
        UnknownIdError
            If it was never seen; the message names the nearest known ids.
        """
        row = self._find(raw)
        if row < 0:
            near = self.near(raw)
            hint = f"; the nearest known are {', '.join(map(repr, near))}" if near else ""
            raise UnknownIdError(f"the id {raw!r} is not among the {len(self):,} known {self.kind} ids{hint}")
        return row

    def id(self, row: int) -> Id:
        """The raw id of one row."""
        if not 0 <= row < len(self):
            raise InputError(f"a row must lie in [0, {len(self)}); got {row}")
        raw: Id = self.ids[int(row)]
        return raw

    def take(self, rows: Rows) -> pl.Series:
        """The raw ids of the rows, null for row -1."""
        rows = np.asarray(rows)
        if len(rows) and (int(rows.min()) < -1 or int(rows.max()) >= len(self)):
            raise InputError(f"rows must lie in [-1, {len(self)}); found {int(rows.min())} to {int(rows.max())}")
        if not len(rows) or int(rows.min()) >= 0:
            return self.ids.gather(rows)
        places = pl.Series(rows, dtype=pl.Int32)
        return self.ids.to_frame("id").select(pl.col("id").gather(places.set(places < 0, None)))["id"]

    def extend(self, ids: Ids) -> Vocabulary:
        """A vocabulary in which the ids not known yet come after those known, in sorted order; rows given out stay true."""
        fresh = distinct(_cast_to(as_ids(ids), self.ids.dtype, strict=True)) if len(self) else distinct(as_ids(ids))
        if not len(self):
            return Vocabulary(fresh)
        fresh = fresh.filter(pl.Series(self.rows(fresh) < 0))
        if not len(fresh):
            return self
        grown = pl.concat([self.ids, fresh]).rechunk()
        base = self._indexes[0]
        if len(grown) > 2 * len(base):
            return Vocabulary(grown)
        # only what was appended is sorted again, so a service can learn one id at a time
        extended = object.__new__(Vocabulary)
        extended._fill(grown, (base, index(grown.slice(len(base)), len(base))))
        return extended

    def near(self, raw: object, n: int = 3) -> list[Id]:
        """Known ids that look like this one: numerically nearest ints, or the most alike among strings that sort beside it."""
        if not len(self):
            return []
        if self.kind == "int":
            wanted = _as_int(raw)
            if wanted is None:
                return []
            values = self.ids.to_numpy()
            return [int(v) for v in np.sort(values[np.argsort(np.abs(values - float(wanted)), kind="stable")[:n]])]
        first = self._indexes[0]
        beside = first.ids.slice(max(0, first.place(str(raw)) - 100), 200).to_list()
        return list(get_close_matches(str(raw), beside, n, cutoff=0.5))

    def to_arrow(self) -> pa.Table:
        """One column `id`, in row order: what a Parquet file keeps."""
        return self.ids.rename("id").to_frame().to_arrow()

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Vocabulary:
        """The vocabulary that `to_arrow` gave."""
        frame = pl.DataFrame(pl.from_arrow(table))
        if "id" not in frame.columns:
            raise InputError(f"a vocabulary's table must have a column 'id'; it has {frame.columns}")
        return cls(frame["id"])

    def _find(self, raw: object) -> int:
        wanted: Id | None = _as_int(raw) if self.kind == "int" else str(raw) if isinstance(raw, str | int | np.integer) else None
        if wanted is None or isinstance(raw, bool):
            return -1
        for one in self._indexes:
            row = one.find(wanted)
            if row >= 0:
                return row
        return -1


def as_ids(values: Ids, missing: bool = False) -> pl.Series:
    """A column of raw ids as Int64 or String.

    Raises InputError for a type that cannot name anything, or for missing values unless `missing`.
    """
    series = values if isinstance(values, pl.Series) else _series(values)
    if series.dtype.is_integer():
        series = _to_int(series)
    elif series.dtype.is_float():
        series = _whole(series)
    elif series.dtype != pl.String:
        if series.dtype == pl.Null:
            series = series.cast(pl.Int64)
        elif series.dtype.is_nested() or series.dtype in (pl.Object, pl.Boolean, pl.Binary):
            raise InputError(f"ids must be int or str, not {series.dtype}")
        else:
            series = series.cast(pl.String)
    if not missing and series.null_count():
        raise InputError(f"ids must not be missing; value {int(series.is_null().arg_max() or 0) + 1} of {len(series)} is")
    return series.rechunk()


def distinct(ids: pl.Series) -> pl.Series:
    """The distinct ids in sorted order."""
    if ids.dtype == pl.Int64 and len(ids):
        values = ids.to_numpy()
        low, high = int(values.min()), int(values.max())
        if is_dense(low, high, len(ids)):
            present = np.zeros(high - low + 1, np.bool_)
            present[values - low] = True
            return pl.Series(np.flatnonzero(present) + low)
    return ids.unique().sort()


def _series(values: NDArray[Any] | Sequence[Any]) -> pl.Series:
    if isinstance(values, np.ndarray) and values.dtype != object:
        if values.dtype.kind == "U":
            return pl.Series(values.tolist(), dtype=pl.String)
        return pl.Series(values)
    plain: list[Any] = list(values)
    if any(isinstance(v, str) for v in plain):
        return pl.Series([None if v is None else str(v) for v in plain], dtype=pl.String)
    try:
        return pl.Series(plain, dtype=pl.Int64 if not plain else None)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as problem:
        raise InputError(f"ids must be int or str: {problem}") from None


def _to_int(series: pl.Series) -> pl.Series:
    try:
        return series.cast(pl.Int64)
    except pl.exceptions.PolarsError:
        raise InputError(f"int ids must lie below 2**63; the largest is {series.max()!r}: give them as strings") from None


def _whole(series: pl.Series) -> pl.Series:
    """Floats that are whole numbers, as pandas makes of ints with gaps."""
    series = series.fill_nan(None)
    whole = series.cast(pl.Int64, strict=False)
    off = series.is_not_null() & (whole.is_null() | (whole.cast(series.dtype) != series))
    if off.any():
        raise InputError(f"ids must be int or str, not fractions such as {series.filter(off)[0]}")
    return whole


def _cast_to(series: pl.Series, dtype: pl.DataType, strict: bool = False) -> pl.Series:
    """Ids in the other kind: an int and its decimal string are the same id; what has no counterpart becomes null."""
    if series.dtype == dtype:
        return series
    if dtype == pl.String:
        return series.cast(pl.String)
    cast = series.cast(pl.Int64, strict=False)
    cast = cast.set(cast.cast(pl.String).ne_missing(series), None) if len(cast) else cast
    if strict and cast.null_count():
        raise InputError(f"the known ids are ints; {series.filter(cast.is_null())[0]!r} is not one")
    return cast


def _as_int(raw: object) -> int | None:
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int | np.integer):
        return int(raw)
    if isinstance(raw, str):
        digits = raw.removeprefix("-")
        return int(raw) if digits.isascii() and digits.isdecimal() and str(int(raw)) == raw else None
    return int(raw) if isinstance(raw, float | np.floating) and float(raw).is_integer() else None
