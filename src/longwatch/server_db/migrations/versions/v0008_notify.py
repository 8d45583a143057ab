"""Messages to people, their deliveries, and the browsers that web push goes to."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notify_messages",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(200), nullable=False, unique=True),
        sa.Column("rule", sa.String(40), nullable=False),
        sa.Column("recipient", sa.String(80), nullable=False),
        sa.Column("why", sa.String(20), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("link", sa.Text, nullable=False),
        sa.Column("grave", sa.Boolean, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("held", sa.Integer, nullable=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("threads", sa.JSON, nullable=False),
        sa.Column("cameras", sa.JSON, nullable=False),
        sa.Column("settled_us", sa.BigInteger),
        sa.Column("settled_by", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notify_messages_made_us", "notify_messages", ["made_us"])
    op.create_table(
        "notify_deliveries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("message", sa.Integer, sa.ForeignKey("notify_messages.id", ondelete="CASCADE"), nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("target", sa.String(40), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("next_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("problem", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notify_deliveries_message", "notify_deliveries", ["message"])
    op.create_index("notify_waiting", "notify_deliveries", ["channel", "state", "next_us"])
    op.create_table(
        "notify_attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("delivery", sa.Integer, sa.ForeignKey("notify_deliveries.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("took_ms", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
    )
    op.create_index("ix_notify_attempts_delivery", "notify_attempts", ["delivery"])
    op.create_table(
        "notify_state",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "push_browsers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("endpoint", sa.String(1000), nullable=False, unique=True),
        sa.Column("p256dh", sa.String(100), nullable=False),
        sa.Column("auth", sa.String(40), nullable=False),
        sa.Column("agent", sa.String(160), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("used_us", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_push_browsers_user_id", "push_browsers", ["user_id"])
