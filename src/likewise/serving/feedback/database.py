"""The engine of the feedback database: SQLite that loses nothing, or PostgreSQL; made and moved on by migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError, TimeoutError as PoolTimeout

from likewise.errors import InputError, MissingExtraError
from likewise.serving.feedback.tables import HEAD

ALEMBIC = Lock()
"""Alembic keeps what it works on in its own module, so a process runs one migration at a time."""
MIGRATION = 1279870291
"""Number of PostgreSQL's lock that a migration holds."""
BUSY_SECONDS = 5.0
"""How long a writer waits for another before it gives up."""
WRITES = {"writes": True}
"""Execution options of a transaction that will write."""
AWAY = (DBAPIError, PoolTimeout)
"""What SQLAlchemy raises when the database cannot be asked."""


def open_engine(url: str) -> sa.Engine:
    """An engine that waits briefly and keeps every commit.

    Raises
    ------
    InputError
        A URL that is none, or of another kind of database.
    """
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise InputError("database must be a URL such as sqlite:///feedback.db or postgresql://user@host/name") from None
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise InputError(f"database must be sqlite or postgresql; got {kind}")
    if kind == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise InputError("the feedback must be kept: give a file, as in sqlite:///feedback.db")
        engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, pool_size=8)
        sa.event.listen(engine, "connect", _durable)
        sa.event.listen(engine, "begin", _begin)
        return engine
    try:
        return sa.create_engine(
            parsed, pool_pre_ping=True, pool_size=8, max_overflow=8, pool_timeout=BUSY_SECONDS,
            connect_args={"connect_timeout": 2, "options": "-c statement_timeout=5000", "tcp_user_timeout": 3000},
        )  # fmt: skip
    except (ImportError, NoSuchModuleError):
        raise MissingExtraError("sql", "a PostgreSQL database") from None


def sqlite_file(engine: sa.Engine) -> Path | None:
    """The file of an SQLite database; None for another kind."""
    return Path(str(engine.url.database)) if engine.dialect.name == "sqlite" else None


def prepare(engine: sa.Engine) -> None:
    """Bring the schema to the newest step; two processes may try at once.

    Raises
    ------
    InputError
        A database that a newer release has moved on.
    """
    found = version(engine)
    if found == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("version_locations", str(Path(__file__).parent / "migrations" / "versions"))
    config.set_main_option("path_separator", "os")
    try:
        with ALEMBIC, engine.connect().execution_options(**WRITES) as connection, _alone(connection):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise InputError(f"the feedback database is at schema {found}, which this release does not know: upgrade likewise") from error
    except SQLAlchemyError:
        if version(engine) != HEAD:  # else another process was quicker
            raise


@contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """Other processes wait meanwhile: SQLite's writers do by themselves, PostgreSQL's for a lock of the connection, given back after."""
    if connection.dialect.name != "postgresql":
        yield
        return
    try:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({MIGRATION})")
        connection.commit()
        yield
    finally:
        try:
            connection.rollback()
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({MIGRATION})")
            connection.commit()
        except SQLAlchemyError:  # a connection that is gone holds no lock; what went wrong before is told
            connection.invalidate()


def version(engine: sa.Engine) -> str | None:
    """The step that the schema is at; None for an empty database."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("likewise_schema"):
            return None
        return connection.exec_driver_sql("SELECT version_num FROM likewise_schema").scalar()


def _durable(connection: Any, _: Any) -> None:
    """A commit is on the disk before it returns, and readers do not wait for writers."""
    connection.isolation_level = None  # transactions are begun by `_begin`, never by the driver
    cursor = connection.cursor()
    end = monotonic() + BUSY_SECONDS
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:  # this one switch does not wait for others by itself
            if monotonic() > end:
                raise
            sleep(0.02)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    """Writers take their turn at the start: a reader that becomes a writer could not wait."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
