"""The tables of the feedback database; `migrations/` makes them, this says what they hold."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, String, Table, Text, UniqueConstraint

HEAD = "0001"
"""The newest migration."""

metadata = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")

events = Table(
    "likewise_events",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True, comment="order of arrival"),
    Column("key", String(200), nullable=False, comment="the client's idempotency key, or one made for it"),
    Column("user_id", String(200), nullable=False, index=True),
    Column("item_id", String(200), nullable=False),
    Column("kind", String(16), nullable=False, comment="view, click, like or rate"),
    Column("rating", Double, nullable=True),
    Column("time", Double, nullable=False, comment="when it happened, seconds since 1970"),
    Column("received", Double, nullable=False, comment="when it was accepted, seconds since 1970"),
    Column("answers", String(64), nullable=True, comment="id of the request whose list it answers"),
    UniqueConstraint("key", name="likewise_events_key"),
)

generations = Table(
    "likewise_generations",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("version", String(64), nullable=False, unique=True),
    Column("seen", Double, nullable=False, comment="when a worker first served it, seconds since 1970"),
)

exposures = Table(
    "likewise_exposures",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("request_id", String(64), nullable=False, index=True),
    Column("user_id", String(200), nullable=True),
    Column("time", Double, nullable=False),
    Column("version", String(64), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("shown", Text, nullable=False, comment="JSON list of [item_id, propensity or null], best first"),
)
