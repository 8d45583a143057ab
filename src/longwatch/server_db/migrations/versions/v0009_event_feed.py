"""Events travel to a hub: in the order of their changes, told apart by who gave the numbers; and which of their pictures went."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_NUMBERED = """
UPDATE events SET rev = numbered.n, rev_last_us = last_us
FROM (SELECT id, row_number() OVER (ORDER BY from_us, id) AS n FROM events) AS numbered WHERE numbered.id = events.id
"""


def upgrade() -> None:
    op.add_column("events", sa.Column("rev", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("events", sa.Column("rev_last_us", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("events", sa.Column("sent_us", sa.BigInteger))
    op.execute(_NUMBERED)
    op.create_index("ix_events_rev", "events", ["rev"])
    unsent = sa.text("pictured_us >= 0 AND (sent_us IS NULL OR sent_us != pictured_us)")
    op.create_index("ix_events_unsent", "events", ["from_us"], sqlite_where=unsent)
    op.create_table(
        "event_lives",
        sa.Column("post", sa.String(40), primary_key=True),
        sa.Column("life", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("first_rev", sa.BigInteger, nullable=False),
    )
