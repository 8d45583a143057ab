"""Passkeys, identities of a provider, one-time codes, preferences; what a list of sessions shows; disabled users."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("users", sa.Column("passkey_only", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("users", sa.Column("handle", sa.LargeBinary(64)))
    op.add_column("tokens", sa.Column("expires_us", sa.BigInteger))
    op.add_column("sessions", sa.Column("seen_us", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.add_column("sessions", sa.Column("by", sa.String(20), nullable=False, server_default=sa.text("'password'")))
    op.add_column("sessions", sa.Column("address", sa.String(60), nullable=False, server_default=sa.text("''")))
    op.add_column("sessions", sa.Column("agent", sa.String(160), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("credential", sa.LargeBinary(1023), nullable=False, unique=True),
        sa.Column("public_key", sa.LargeBinary(2048), nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("host", sa.String(253), nullable=False),
        sa.Column("synced", sa.Boolean, nullable=False),
        sa.Column("transports", sa.JSON(none_as_null=True)),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("used_us", sa.BigInteger),
    )
    op.create_index("ix_passkeys_user_id", "passkeys", ["user_id"])
    op.create_table(
        "identities",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("issuer", sa.String(500), nullable=False),
        sa.Column("sub", sa.String(255), nullable=False),
        sa.Column("provisioned", sa.Boolean, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("issuer", "sub"),
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"])
    op.create_table(
        "codes",
        sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, unique=True),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "preferences",
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
