"""Which column is which, and values made what they should be: one clear line for each that is not."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl

from likewise.errors import InputError

log = logging.getLogger("likewise.data")

ALIASES: Mapping[str, tuple[str, ...]] = {
    "user_id": (
        *("user_id", "userid", "user", "uid", "customer_id", "customerid", "customer", "visitor_id", "visitorid", "member_id"),
        *("reviewerid", "account_id", "person_id"),
    ),
    "item_id": (
        *("item_id", "itemid", "item", "iid", "movie_id", "movieid", "movie", "product_id", "productid", "product", "sku", "book_id"),
        *("isbn", "song_id", "track_id", "artist_id", "asin", "article_id"),
    ),
    "rating": ("rating", "ratings", "score", "stars", "star_rating", "label", "value"),
    "timestamp": ("timestamp", "datetime", "date", "time", "ts", "unixreviewtime", "created_at", "rated_at", "event_time"),
    "weight": ("weight", "weights", "count", "plays", "play_count", "quantity", "confidence"),
}
"""Names that are recognised, lower case, best first."""

POSITIONS = ("user_id", "item_id", "rating", "timestamp")
"""What the columns of a table without names are."""

Named = Mapping[str, str | Literal[False] | None]
"""Our column name -> the source's, False to leave it out, None to look for an alias."""


def choose_columns(table: pl.DataFrame, named: Named, context: Sequence[str] = ()) -> dict[str, str]:
    """Our name -> the source's name of each column that is there; user_id and item_id must be.

    Raises
    ------
    InputError
        A column named by the caller, a context, or the user's or item's is not there.
    """
    columns = table.columns
    if not any(named.values()) and columns[:1] == ["column_1"]:
        return _by_position(table, named)
    lower = {name.lower().strip().replace(" ", "_"): name for name in reversed(columns)}
    taken: dict[str, str] = {}
    claimed = {name for name in named.values() if name} | set(context)
    for ours, aliases in ALIASES.items():
        asked, word = named.get(ours), ours.removesuffix("_id")
        if asked is False:
            continue
        if asked is not None and asked not in columns:
            raise InputError(f"{word}={asked!r} names a column that is not there; the columns are: {', '.join(columns)}")
        found = asked or next((lower[a] for a in aliases if a in lower and lower[a] not in claimed), None)
        if found is not None:
            taken[ours] = found
        elif ours in ("user_id", "item_id"):
            raise InputError(f"no column for the {word} was found among: {', '.join(columns)}; name it with {word}=...")
    for name in context:
        if name not in columns and name != "day":
            raise InputError(f"context names column {name!r}, which is not there; the columns are: {', '.join(columns)}")
    renamed = [f"{ours} from {theirs!r}" for ours, theirs in taken.items() if ours != theirs]
    if renamed:
        log.info("columns taken: %s", ", ".join(renamed))
    return taken


def _by_position(table: pl.DataFrame, named: Named) -> dict[str, str]:
    """Columns without names: user, item, rating, timestamp; a third that can only be a time is one."""
    if table.width < 2:
        raise InputError("a table without column names must have at least two columns: user and item")
    order = list(POSITIONS)
    if table.width == 3 and table["column_3"].dtype.is_integer() and int(table["column_3"].min() or 0) > 10_000_000:  # type: ignore[arg-type]
        order.remove("rating")
    taken = {ours: theirs for ours, theirs in zip(order, table.columns, strict=False) if named.get(ours) is not False}
    log.info("the columns have no names; taken in order as: %s", ", ".join(taken))
    return taken


def pick(table: pl.DataFrame, taken: Mapping[str, str], context: Sequence[str] = ()) -> pl.DataFrame:
    """The columns taken under our names, and the context columns under theirs."""
    own = [pl.col(theirs).alias(ours) for ours, theirs in taken.items()]
    return table.select(*own, *(pl.col(name) for name in context if name in table.columns and name not in taken))


def coerce(frame: pl.DataFrame, bounds: tuple[float, float] | None = None) -> pl.DataFrame:
    """Ratings and weights as float32, timestamps as int64 seconds.

    Raises
    ------
    InputError
        Ratings or weights that are text, missing or not finite, ratings out of `bounds`, negative weights, times that are not times.
    """
    changed = []
    if "rating" in frame.columns:
        changed.append(finite_numbers(frame["rating"]))
        if bounds is not None:
            check_range(changed[-1], bounds)
    if "weight" in frame.columns:
        weight = finite_numbers(frame["weight"])
        if len(weight) and float(weight.min()) < 0:  # type: ignore[arg-type]
            row, value = first_where(weight, weight < 0)
            raise InputError(
                f"weights must not be negative; column 'weight' holds {value} in row {row}: drop such rows or take their absolute value"
            )
        changed.append(weight)
    if "timestamp" in frame.columns:
        changed.append(seconds(frame["timestamp"]))
    return frame.with_columns(changed)


def finite_numbers(column: pl.Series) -> pl.Series:
    """A column as float32, refused where a value is text, missing or not finite."""
    name = column.name
    if column.dtype == pl.String or not (column.dtype.is_numeric() or column.dtype == pl.Boolean or column.dtype == pl.Null):
        text = column.cast(pl.String, strict=False).str.strip_chars()
        numbers = text.cast(pl.Float64, strict=False)
        bad = numbers.is_null() & text.is_not_null() & (text != "")
        if bad.any():
            row, value = first_where(column, bad)
            raise InputError(
                f"column {name!r} must hold numbers; row {row} holds {value!r}: clean it, or name another column with {name}=..."
            )
        column = numbers
    numbers = column.cast(pl.Float32)
    if column.null_count():
        row, _ = first_where(column, column.is_null())
        raise InputError(f"column {name!r} must hold a number in every row; row {row} holds none: drop such rows, or say {name}=False")
    finite = np.isfinite(numbers.to_numpy())
    if not finite.all():
        row, value = first_where(column, pl.Series(~finite))
        raise InputError(f"column {name!r} must be finite; row {row} holds {value}: drop such rows")
    return numbers


def check_range(ratings: pl.Series, bounds: tuple[float, float]) -> None:
    """Refuse a range that is none, or a rating outside it."""
    low, high = bounds
    if not low < high:
        raise InputError(f"range must have low < high; got {bounds}")
    outside = (ratings < low) | (ratings > high)
    if outside.any():
        row, value = first_where(ratings, outside)
        raise InputError(
            f"ratings must lie in the stated range {low:g} to {high:g}; row {row} holds {value:g}: correct the data or the range"
        )


def seconds(column: pl.Series) -> pl.Series:
    """Times as int64 seconds since 1970 UTC, null where missing.

    Ints and floats are seconds, or milli-, micro- or nanoseconds where they are too large for that; strings are numbers or ISO dates.
    """
    name, dtype = column.name, column.dtype
    if dtype == pl.Int64 or dtype.is_integer():
        return _whole_seconds(column.cast(pl.Int64))
    if dtype.is_float():
        if (column.is_infinite() & column.is_not_null()).any():
            row, value = first_where(column, column.is_infinite())
            raise InputError(
                f"column {name!r} must hold times; row {row} holds {value}: drop such rows, or leave the column out with timestamp=False"
            )
        return _whole_seconds(column.fill_nan(None).floor().cast(pl.Int64))
    if dtype == pl.Null:
        return column.cast(pl.Int64)
    if dtype in (pl.Date, pl.Datetime) or isinstance(dtype, pl.Datetime):
        return column.cast(pl.Datetime("us", getattr(dtype, "time_zone", None))).dt.epoch("s").cast(pl.Int64).alias(name)
    if dtype == pl.String:
        return _from_text(column)
    raise InputError(f"column {name!r} must hold times: seconds, dates or ISO strings, not {dtype}; name another with timestamp=...")


def _whole_seconds(column: pl.Series) -> pl.Series:
    largest = float(np.abs(column.fill_null(0).to_numpy()).max(initial=0))
    for limit, unit, factor in ((10**17, "nanoseconds", 10**9), (10**14, "microseconds", 10**6), (10**11, "milliseconds", 10**3)):
        if largest >= limit:
            log.info("column %r is taken as %s", column.name, unit)
            return column // factor
    return column


def _from_text(column: pl.Series) -> pl.Series:
    text = column.str.strip_chars()
    text = text.set(text == "", None)
    numbers = text.cast(pl.Float64, strict=False)
    if numbers.null_count() == text.null_count():
        return _whole_seconds(numbers.floor().cast(pl.Int64))
    frame = text.to_frame("text").lazy()
    iso = pl.col("text").str.replace("T", " ", literal=True)
    zoned = iso.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False).dt.replace_time_zone(None)
    attempts = [
        iso.str.to_datetime(form, time_unit="us", strict=False) for form in ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S")
    ]
    dates = [pl.col("text").str.to_date(form, strict=False).cast(pl.Datetime("us")) for form in ("%Y-%m-%d", "%Y/%m/%d", "%d-%b-%Y")]
    parsed = frame.select(
        pl.coalesce(
            *attempts, *dates, zoned, iso.str.strip_suffix("Z").str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
        )
    )
    times = parsed.collect().to_series().rename(column.name)
    bad = times.is_null() & text.is_not_null()
    if bad.any():
        row, value = first_where(column, bad)
        raise InputError(
            f"column {column.name!r} must hold times (seconds since 1970, or dates like 2024-01-31 12:00:00);"
            f" row {row} holds {value!r}: clean it, or leave the column out with timestamp=False"
        )
    return times.dt.epoch("s")


def first_where(column: pl.Series, bad: pl.Series) -> tuple[int, object]:
    """Number (from 1, the header not counted) and value of the first row where `bad` is true."""
    place = int(np.flatnonzero(bad.fill_null(False).to_numpy())[0])
    return place + 1, column[place]


def pairs_frame(table: pl.DataFrame, context: Sequence[str] = (), named: Named | None = None) -> pl.DataFrame:
    """A table of pairs under our names, values checked where they are there; ratings may be missing altogether."""
    taken = choose_columns(table, named or {}, [name for name in context if name in table.columns])
    frame = pick(table, taken, context)
    if "rating" in frame.columns and frame["rating"].null_count() == frame.height:
        frame = frame.drop("rating")
    return coerce(frame)
