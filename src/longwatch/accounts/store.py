"""`server.db` by SQLAlchemy Core. Calls block: `Accounts` makes them on its one thread.

Owner of the state: whoever holds `server.lock`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from longwatch.accounts.roles import Principal, Role
from longwatch.accounts.schema import keys, sessions, tokens, users
from longwatch.base.errors import LongwatchError, UsageError


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user as stored; `password` is its argon2id hash."""

    id: int
    name: str
    password: str
    role: Role
    cameras: frozenset[str] | None


def _pragmas(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")


def _cameras(value: Sequence[str] | None) -> frozenset[str] | None:
    return None if value is None else frozenset(value)


class Store:
    """The tables. Opening applies the migrations that are missing; a newer database is refused and not touched."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        self._engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), hide_parameters=True)
        sa.event.listen(self._engine, "connect", _pragmas)
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        try:
            with self._engine.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except Exception as error:  # named boundary: whatever Alembic or SQLite says, it is about this one file
            self._engine.dispose()
            raise LongwatchError(
                f"{path.name} cannot be opened",
                why=str(error).splitlines()[0],
                remedy="it may belong to a newer version of Longwatch; upgrade the program, or move the file away",
            ) from error

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def is_empty(self) -> bool:
        """Whether there is neither a user nor a token."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.union_all(sa.select(users.c.id), sa.select(tokens.c.id)).limit(1))
            return rows.first() is None

    def add_user(
        self, name: str, password_hash: str, role: Role, cameras: frozenset[str] | None, now_us: int
    ) -> UserRow:
        """Raises UsageError where the name is taken."""
        listed = None if cameras is None else sorted(cameras)
        values = {"name": name, "password": password_hash, "role": role, "cameras": listed, "created_us": now_us}
        return UserRow(self._insert(users, values, "user"), name, password_hash, role, cameras)

    def add_token(self, name: str, sha256: bytes, role: Role, cameras: frozenset[str] | None, now_us: int) -> None:
        """Raises UsageError where the name is taken."""
        listed = None if cameras is None else sorted(cameras)
        values = {"name": name, "sha256": sha256, "role": role, "cameras": listed, "created_us": now_us}
        self._insert(tokens, values, "token")

    def _insert(self, table: sa.Table, values: dict[str, Any], noun: str) -> int:
        try:
            with self._engine.begin() as connection:
                key = connection.execute(sa.insert(table).values(values)).inserted_primary_key
        except sa.exc.IntegrityError as error:
            raise UsageError(f"there is already a {noun} {values['name']!r}", remedy="choose another name") from error
        assert key is not None
        return int(key[0])

    def user(self, name: str) -> UserRow | None:
        """By name."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(users).where(users.c.name == name)).first()
        if row is None:
            return None
        return UserRow(row.id, row.name, row.password, Role(row.role), _cameras(row.cameras))

    def set_password(self, name: str, password_hash: str) -> bool:
        """Replace a password and end the user's sessions. False where there is no such user."""
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(users.c.id).where(users.c.name == name)).first()
            if row is None:
                return False
            connection.execute(sa.update(users).where(users.c.id == row.id).values(password=password_hash))
            connection.execute(sa.delete(sessions).where(sessions.c.user_id == row.id))
            return True

    def remove(self, noun: str, name: str) -> bool:
        """Delete a "user" (with its sessions) or a "token". False where there is none of that name."""
        table = {"user": users, "token": tokens}[noun]
        with self._engine.begin() as connection:
            return connection.execute(sa.delete(table).where(table.c.name == name)).rowcount > 0

    def listed(self) -> list[dict[str, Any]]:
        """Users and tokens without what is secret."""
        with self._engine.connect() as connection:
            return [
                {"kind": kind, "name": row.name, "role": row.role, "cameras": row.cameras}
                for kind, table in (("user", users), ("token", tokens))
                for row in connection.execute(
                    sa.select(table.c.name, table.c.role, table.c.cameras).order_by(table.c.name)
                )
            ]

    def add_session(self, sha256: bytes, user_id: int, now_us: int, expires_us: int) -> None:
        """A session begins; those that are over go."""
        values = {"sha256": sha256, "user_id": user_id, "created_us": now_us, "expires_us": expires_us}
        with self._engine.begin() as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.expires_us <= now_us))
            connection.execute(sa.insert(sessions).values(values))

    def end_session(self, sha256: bytes) -> None:
        """Nothing happens where it is not there."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.sha256 == sha256))

    def by_session(self, sha256: bytes) -> Principal | None:
        """Whose session this is, expired or not."""
        query = (
            sa.select(users.c.id, users.c.name, users.c.role, users.c.cameras, sessions.c.expires_us)
            .join_from(sessions, users)
            .where(sessions.c.sha256 == sha256)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return Principal("user", row.id, row.name, Role(row.role), _cameras(row.cameras), sha256, row.expires_us)

    def by_token(self, sha256: bytes) -> Principal | None:
        """Whose bearer token this is."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(tokens).where(tokens.c.sha256 == sha256)).first()
        if row is None:
            return None
        return Principal("token", row.id, row.name, Role(row.role), _cameras(row.cameras), sha256)

    def key(self, name: str) -> bytes:
        """A random key of this server that outlives restarts; made when it is first asked for."""
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(keys.c.value).where(keys.c.name == name)).first()
            if row is not None:
                return bytes(row.value)
            value = secrets.token_bytes(32)
            connection.execute(sa.insert(keys).values(name=name, value=value))
            return value
