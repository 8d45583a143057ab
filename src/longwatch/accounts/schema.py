"""The tables of `server.db`. A migration in `migrations/versions` makes each of them; a test holds the two equal."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

# cameras: JSON list of camera ids that are allowed; NULL means all.
users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(80), nullable=False, unique=True),
    sa.Column("password", sa.String(300), nullable=False),  # argon2id, with its parameters
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("cameras", sa.JSON(none_as_null=True)),
    sa.Column("created_us", sa.BigInteger, nullable=False),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(80), nullable=False, unique=True),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False, unique=True),  # of the bearer token
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("cameras", sa.JSON(none_as_null=True)),
    sa.Column("created_us", sa.BigInteger, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("sha256", sa.LargeBinary(32), primary_key=True),  # of the cookie's token
    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("expires_us", sa.BigInteger, nullable=False),
)

# Keys of this server alone, such as the one that signs URLs.
keys = sa.Table(
    "keys",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.LargeBinary(64), nullable=False),
)
