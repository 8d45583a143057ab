"""Certificates of sites: which are good, which were used, which are retired."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "certificates",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("post", sa.Text(), nullable=False),
        sa.Column("key_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.Column("issued_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("retired_us", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("serial"),
    )
    op.create_index("certificates_by_post", "certificates", ["post"], unique=False)
