"""The item table made ready for questions: which items a condition lets through, and which share a value.

What is asked for is remembered: the members of a column from its first use on, the last masks by their text. Unknown is neither
true nor false (Kleene): `not year >= 1990` leaves out items without a year, `year is null` finds them.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import date, datetime
from difflib import get_close_matches
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import polars as pl

from likewise.data.csr import CSR, csr_from_pairs
from likewise.data.encoders import members_of
from likewise.data.vocabulary import Vocabulary
from likewise.errors import InputError
from likewise.ranking.where import Both, Column, Compare, Flag, Has, In, Node, Not, Null, Value, parse, read_time, refusal
from likewise.shapes import Mask

REMEMBERED = 64
"""Masks kept, one byte an item each."""
FROM, UNTIL = "available_from", "available_until"
"""Columns that say when an item may be shown; null where it always may."""
SIGNS = {"==": pl.Expr.eq, "!=": pl.Expr.ne, "<": pl.Expr.lt, "<=": pl.Expr.le, ">": pl.Expr.gt, ">=": pl.Expr.ge}


class Catalogue:
    """The item table, one row an item row. Safe to ask from many threads.

    Parameters
    ----------
    table : pl.DataFrame
        Metadata in the order of the item vocabulary, null where nothing is known.

    Examples
    --------
    >>> items = Catalogue(pl.DataFrame({"genres": ["Comedy|Drama", "Drama", None], "year": [1995, 1990, 2000]}))
    >>> items.where("genres has 'Drama' and year > 1990").tolist()
    [True, False, False]
    """

    def __init__(self, table: pl.DataFrame) -> None:
        self.table = table
        self._masks: OrderedDict[str, Mask] = OrderedDict()
        self._members: dict[str, Members] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return self.table.height

    def where(self, condition: str) -> Mask:
        """Which items the condition lets through, bool [item], not to be written to.

        Raises InputError that points at the character: what cannot be read, an unknown column, a value of the wrong type.
        """
        with self._lock:
            if isinstance(condition, str) and condition in self._masks:
                self._masks.move_to_end(condition)
                return self._masks[condition]
        tree = parse(condition)
        found = _Question(self, condition).answer(tree).fill_null(False).to_numpy()
        mask = np.array(found, np.bool_)
        mask.setflags(write=False)
        with self._lock:
            self._masks[condition] = mask
            while len(self._masks) > REMEMBERED:
                self._masks.popitem(last=False)
        return mask

    def available(self, at: float) -> Mask | None:
        """Which items may be shown at a time in seconds since 1970; None if the table does not say.

        From `available_from` on, and before `available_until`; an end that is a day is the end of that day.
        """
        mask = None
        for name, late in ((FROM, False), (UNTIL, True)):
            if name not in self.table.columns:
                continue
            column = self.table[name]
            seconds = _seconds(column)
            if late and column.dtype == pl.Date:
                seconds = seconds + 86_400
            inside = (seconds > at if late else seconds <= at).fill_null(True).to_numpy()
            mask = inside if mask is None else mask & inside
        return mask

    def members(self, name: str) -> Members:
        """The distinct values of a column and who has them; a list, or text with "|" between, has several."""
        with self._lock:
            known = self._members.get(name)
        if known is None:
            known = Members(self.column(name))
            with self._lock:
                self._members[name] = known
        return known

    def column(self, name: str) -> pl.Series:
        """A column; InputError naming those there are."""
        if name not in self.table.columns:
            raise InputError(self.unknown(name))
        return self.table[name]

    def unknown(self, name: str) -> str:
        """That a column does not exist, and which do."""
        near = get_close_matches(name, self.table.columns, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"there is no column {name!r}{hint}; the columns are: {', '.join(self.table.columns)}"


class Members:
    """The distinct values of one column, and which items have each.

    Attributes
    ----------
    values : Vocabulary
        As text, but numbers stay numbers in a column that is no list.
    items_of : CSR [value, item]
    """

    def __init__(self, column: pl.Series) -> None:
        several = isinstance(column.dtype, pl.List | pl.Array) or is_set(column)
        self.null = column.is_null()
        rows, members = members_of(column, "set" if several else "category")
        self.values, codes = Vocabulary.encode(members)
        self.items_of = csr_from_pairs(codes, rows, None, len(self.values), len(column))

    @cached_property
    def by_item(self) -> CSR:
        """Values of each item, [item, value]."""
        return self.items_of.transpose()

    def having(self, value: str) -> pl.Series:
        """Whether each item has the value; null where the column is."""
        mask = np.zeros(self.items_of.width, np.bool_)
        row = int(self.values.rows(pl.Series([value]))[0]) if len(self.values) else -1
        if row >= 0:
            mask[self.items_of.row(row)] = True
        found = pl.Series(mask)
        return found.set(self.null, None) if self.null.any() else found


class _Question:
    """One condition asked of a catalogue; each answer is a Boolean column, null where it is not known."""

    def __init__(self, catalogue: Catalogue, text: str) -> None:
        self.catalogue = catalogue
        self.text = text

    def answer(self, node: Node) -> pl.Series:
        match node:
            case Both(word, parts):
                answers = [self.answer(part) for part in parts]
                found = answers[0]
                for other in answers[1:]:
                    found = found & other if word == "and" else found | other
                return found
            case Not(part):
                return ~self.answer(part)
            case Null(column):
                return self.values_of(column).is_null()
            case Flag(column):
                values = self.values_of(column)
                if values.dtype != pl.Boolean:
                    raise self.refusal(
                        column, f"{column.name!r} holds {kind_of(values)}, not true and false; compare it, as in {example_of(values)}"
                    )
                return values
            case Compare(column, sign, value):
                return self.compare(column, sign, value)
            case In(column, values):
                return self.among(column, values)
            case Has(column, value):
                return self.has(column, value)

    def compare(self, column: Column, sign: str, value: Value) -> pl.Series:
        values, constant = self.beside(column, sign, value)
        return values.to_frame("x").select(SIGNS[sign](pl.col("x"), pl.lit(constant))).to_series()

    def among(self, column: Column, values: tuple[Value, ...]) -> pl.Series:
        pairs = [self.beside(column, "==", value) for value in values]
        series = pairs[0][0]
        if any(other.dtype != series.dtype for other, _ in pairs):  # days and moments: each is compared in its own way
            found = self.compare(column, "==", values[0])
            for value in values[1:]:
                found = found | self.compare(column, "==", value)
            return found
        if series.dtype.is_numeric() and any(isinstance(constant, float) for _, constant in pairs):
            series = series.cast(pl.Float64)
        constants = pl.Series([constant for _, constant in pairs], dtype=None if series.dtype.is_integer() else series.dtype)
        return series.is_in(constants)

    def beside(self, column: Column, sign: str, value: Value) -> tuple[pl.Series, Any]:
        """The column and the constant as types that compare; refused where there are none."""
        values = self.values_of(column)
        constant: Any = value.value
        dtype = values.dtype
        if dtype.is_numeric():
            fits = isinstance(constant, int | float) and not isinstance(constant, bool)
        elif dtype == pl.Boolean:
            fits = isinstance(constant, bool) and sign in ("==", "!=")
        elif dtype in (pl.Date, pl.Datetime):
            constant = read_time(self.text, constant, value.at) if isinstance(constant, str) else constant
            fits = isinstance(constant, date)
            if fits:  # a day stands for all of it
                values = values.cast(pl.Datetime("us") if isinstance(constant, datetime) else pl.Date)
        else:
            fits = isinstance(constant, str) and _is_text(dtype)
            values = values.cast(pl.String) if fits else values
        if not fits:
            if isinstance(dtype, pl.List | pl.Array):
                raise self.refusal(column, f"{column.name!r} holds lists; write {example_of(values)}")
            raise self.refusal(
                value, f"{column.name!r} holds {kind_of(values)}, which {constant!r} cannot be compared with; write {example_of(values)}"
            )
        return values, constant

    def has(self, column: Column, value: Value) -> pl.Series:
        values = self.values_of(column)
        dtype = values.dtype
        inner = dtype.inner if isinstance(dtype, pl.List | pl.Array) else dtype
        fits = (
            isinstance(value.value, str)
            if _is_text(inner)
            else isinstance(value.value, int | float) and isinstance(dtype, pl.List | pl.Array)
        )
        if not fits:
            if not _is_text(inner) and not isinstance(dtype, pl.List | pl.Array):
                raise self.refusal(column, f"{column.name!r} holds {kind_of(values)}, one a row; write {example_of(values)}")
            raise self.refusal(value, f"{column.name!r} holds {kind_of(values)}, never {value.value!r}; write {example_of(values)}")
        constant = value.value
        if isinstance(constant, float) and constant.is_integer() and inner.is_integer():
            constant = int(constant)
        if isinstance(constant, int) and inner.is_float():
            constant = float(constant)
        return self.catalogue.members(column.name).having(str(constant))

    def values_of(self, column: Column) -> pl.Series:
        if column.name not in self.catalogue.table.columns:
            raise self.refusal(column, self.catalogue.unknown(column.name))
        values = self.catalogue.table[column.name]
        if values.dtype.is_float():
            return values.fill_nan(None)
        if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
            return values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return values

    def refusal(self, where: Column | Value, message: str) -> InputError:
        return refusal(self.text, where.at, message)


def is_set(column: pl.Series) -> bool:
    """Whether text holds several values a row, with "|" between."""
    return column.dtype == pl.String and bool(column.str.contains("|", literal=True).any())


def kind_of(values: pl.Series) -> str:
    """What a column holds, in words."""
    dtype = values.dtype
    if isinstance(dtype, pl.List | pl.Array):
        return f"lists of {'text' if _is_text(dtype.inner) else 'numbers'}"
    if dtype.is_numeric():
        return "numbers"
    if dtype == pl.Boolean:
        return "true and false"
    return "dates" if dtype in (pl.Date, pl.Datetime) else "text" if _is_text(dtype) else f"{dtype}, which where= cannot compare"


def example_of(values: pl.Series) -> str:
    """A condition that can be asked of this column."""
    name = values.name if values.name.isidentifier() else f"`{values.name}`"
    dtype = values.dtype
    if isinstance(dtype, pl.List | pl.Array) or is_set(values):
        return f"{name} has 'Comedy'" if dtype == pl.String or _is_text(dtype.inner) else f"{name} has 3"  # type: ignore[attr-defined]
    if dtype.is_numeric():
        return f"{name} >= 1990"
    if dtype == pl.Boolean:
        return f"{name} = true"
    return f"{name} >= 1995-01-31" if dtype in (pl.Date, pl.Datetime) else f"{name} = 'text'" if _is_text(dtype) else f"{name} is not null"


def _is_text(dtype: Any) -> bool:
    return dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum)


def _seconds(column: pl.Series) -> pl.Series:
    """A column of dates, moments or seconds as float64 seconds since 1970."""
    if column.dtype.is_temporal():
        if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is not None:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return column.cast(pl.Datetime("us")).dt.timestamp("us") / 1e6
    if column.dtype.is_numeric():
        return column.cast(pl.Float64).fill_nan(None)
    raise InputError(f"column {column.name!r} must hold dates or seconds since 1970; it holds {kind_of(column)}")
