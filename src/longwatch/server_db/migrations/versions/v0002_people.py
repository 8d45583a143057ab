"""Subjects, and the outbox of entries about people."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subjects",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(5), nullable=False),
        sa.Column("account", sa.Integer, nullable=False),
        sa.UniqueConstraint("kind", "account"),
        sqlite_autoincrement=True,
    )
    op.execute("INSERT INTO subjects (number, kind, account) VALUES (9, 'none', 0)")  # accounts begin at 10
    op.execute("DELETE FROM subjects")
    op.execute("INSERT INTO subjects (kind, account) SELECT 'user', id FROM users ORDER BY id")
    op.execute("INSERT INTO subjects (kind, account) SELECT 'token', id FROM tokens ORDER BY id")
    op.create_table(
        "outbox",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("subject", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
