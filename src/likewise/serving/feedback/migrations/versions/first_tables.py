"""Events, generations and exposures.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

big = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "likewise_events",
        sa.Column("id", big, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("item_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("rating", sa.Double, nullable=True),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("received", sa.Double, nullable=False),
        sa.Column("answers", sa.String(64), nullable=True),
        sa.UniqueConstraint("key", name="likewise_events_key"),
    )
    op.create_index("ix_likewise_events_user_id", "likewise_events", ["user_id"])
    op.create_table(
        "likewise_generations",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("version", sa.String(64), nullable=False, unique=True),
        sa.Column("seen", sa.Double, nullable=False),
    )
    op.create_table(
        "likewise_exposures",
        sa.Column("id", big, primary_key=True, autoincrement=True),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(200), nullable=True),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
    )
    op.create_index("ix_likewise_exposures_request_id", "likewise_exposures", ["request_id"])


def downgrade() -> None:
    """Drop them."""
    for name in ("likewise_exposures", "likewise_generations", "likewise_events"):
        op.drop_table(name)
