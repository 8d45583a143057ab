"""Objects that wait for a hub."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "uplink_objects",
        sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("order", sa.BigInteger, nullable=False),
        sa.Column("request", sa.BigInteger, nullable=False),
        sa.Column("info", sa.Text, nullable=False),
    )
