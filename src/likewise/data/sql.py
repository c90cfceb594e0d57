"""Tables from a database through SQLAlchemy: SQLite, PostgreSQL, and whatever else it speaks."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from likewise.errors import InputError, MissingExtraError

BLOCK = 50_000
"""Rows fetched at a time."""


def read_sql(url: str, query: str | None = None) -> pl.DataFrame:
    """The rows that a query gives; `query` may also be the name of a table.

    Raises
    ------
    InputError
        No query, no such database or table, a query that fails.
    MissingExtraError
        SQLAlchemy or the database's driver is not installed.
    """
    try:
        import sqlalchemy as sa
    except ImportError:
        raise MissingExtraError("sql", "reading from a database") from None
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise InputError(
            "the database URL could not be understood: it looks like 'sqlite:///ratings.db' or 'postgresql://user@host/name'"
        ) from None
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    shown = address.render_as_string(hide_password=True)
    # SQLite would make an empty database where there is none
    if (
        address.drivername.startswith("sqlite")
        and address.database not in (None, "", ":memory:")
        and not Path(str(address.database)).is_file()
    ):
        raise InputError(f"there is no database file {address.database!r}: check the path")
    try:
        engine = sa.create_engine(address)
    except ImportError as problem:
        raise MissingExtraError("sql", f"{shown} ({problem})") from None
    try:
        with engine.connect() as connection:
            return _fetch(sa, connection, query, shown)
    except sa.exc.SQLAlchemyError as problem:
        cause = str(getattr(problem, "orig", None) or problem).strip().splitlines()[0]
        raise InputError(f"reading from {shown} failed: {cause}") from None
    finally:
        engine.dispose()


def _fetch(sa: Any, connection: Any, query: str | None, shown: str) -> pl.DataFrame:
    tables = sa.inspect(connection).get_table_names() if query is None or re.fullmatch(r"[\w.]+", query) else []
    if query is None:
        raise InputError(f"reading from {shown} needs query=: a SELECT or a table; the tables are: {', '.join(tables) or 'none'}")
    statement = sa.select(sa.text("*")).select_from(sa.table(query)) if query in tables else sa.text(query)
    result = connection.execution_options(stream_results=True).execute(statement)
    if not result.returns_rows:
        raise InputError(f"the query gave no rows: {query!r} is not a SELECT")
    names = list(result.keys())
    blocks = [_block(rows, names) for rows in result.partitions(BLOCK)]
    return pl.concat(blocks, how="vertical_relaxed") if blocks else pl.DataFrame(schema=names)


def _block(rows: Any, names: list[str]) -> pl.DataFrame:
    columns = {}
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        plain = [float(v) if isinstance(v, Decimal) else v for v in values]
        columns[name] = pl.Series(name, plain, strict=False)
    return pl.DataFrame(columns)
