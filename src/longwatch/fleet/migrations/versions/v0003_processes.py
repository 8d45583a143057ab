"""Several processes of one hub: who they are, and which of them holds a post's connection."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contacts", sa.Column("process", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "processes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("life", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seen_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ended_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
