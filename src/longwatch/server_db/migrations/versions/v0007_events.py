"""What was seen, and which pictures show it best."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("camera", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("from_us", sa.BigInteger, nullable=False),
        sa.Column("to_us", sa.BigInteger),
        sa.Column("last_us", sa.BigInteger, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("zones", sa.Text, nullable=False),
        sa.Column("best_us", sa.BigInteger, nullable=False),
        sa.Column("best_box", sa.Text, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("twin", sa.String(40), nullable=False),
        sa.Column("pictured_us", sa.BigInteger),
        sa.Column("reviewed_us", sa.BigInteger),
        sa.Column("reviewed_subject", sa.BigInteger),
        sa.Column("reviewed_by", sa.String(80), nullable=False),
    )
    op.create_index("ix_events_from", "events", ["from_us", "id"])
    op.create_index("ix_events_camera", "events", ["camera", "from_us"])
    op.create_index("ix_events_kind", "events", ["kind", "from_us"])
