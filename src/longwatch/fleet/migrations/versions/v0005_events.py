"""What posts saw."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
PARTS = 16


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("last_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("zones", sa.Text(), nullable=False),
        sa.Column("best_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("best_box", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("twin", sa.Text(), nullable=False),
        sa.Column("pictured_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("told_reviewed_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("reviewed_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("reviewed_subject", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("reviewed_by", sa.Text(), nullable=False),
        sa.Column("asked_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("rev", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_rev", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("post", "id"),
        postgresql_partition_by="HASH (post)",
    )
    op.create_index("events_by_time", "events", ["from_us", "id"])
    op.create_index("events_by_camera", "events", ["camera", "from_us"])
    op.create_index("events_by_rev", "events", ["post", "rev"])
    asked = sa.text("asked_us > 0")
    op.create_index("events_asked", "events", ["post"], sqlite_where=asked, postgresql_where=asked)
    op.create_table(
        "event_feeds",
        sa.Column("post", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("life", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rev", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lives", sa.Text(), nullable=False),
        sa.Column("newest", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("post"),
    )
    if op.get_bind().dialect.name == "postgresql":
        for part in range(PARTS):
            values = f"FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part})"
            op.execute(f"CREATE TABLE events_{part:02d} PARTITION OF events {values}")
