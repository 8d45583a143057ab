"""Users, tokens and one-time codes in `server.db`, by SQLAlchemy Core. Calls block: `Accounts` makes them on the file's thread.

An act and its entry are one transaction. Whatever changes a user is refused where nobody would be left who can administer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from longwatch.accounts.outbox import Outbox, Said
from longwatch.accounts.roles import Principal, Role, cameras_of
from longwatch.accounts.sessions import end_all
from longwatch.base.errors import UsageError
from longwatch.server_db.schema import codes, identities, passkeys, sessions, subjects, tokens, users


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user as stored. password: its argon2id hash, "" for none. subject: its number in the ledger. handle: WebAuthn's."""

    id: int
    name: str
    password: str
    role: Role
    cameras: frozenset[str] | None
    subject: int
    disabled: bool = False
    passkey_only: bool = False
    handle: bytes | None = None


@dataclass(frozen=True, slots=True)
class UserSeen:
    """A user as an administrator sees one. sessions: how many logins are open."""

    subject: int
    name: str
    role: Role
    cameras: frozenset[str] | None
    disabled: bool
    created_us: int
    has_password: bool
    passkey_only: bool
    passkeys: int
    issuers: tuple[str, ...]
    sessions: int
    code_until_us: int | None


@dataclass(frozen=True, slots=True)
class TokenSeen:
    """A token as an administrator sees one."""

    subject: int
    name: str
    role: Role
    cameras: frozenset[str] | None
    created_us: int
    expires_us: int | None


Tell = Callable[[int, int], Said]
"""Makes the entry of a change: of which subject, and how many sessions ended with it."""


class Store:
    """Statements over users, tokens and codes."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self.outbox = Outbox(engine)

    def is_empty(self) -> bool:
        """Whether there is neither a user nor a token."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.union_all(sa.select(users.c.id), sa.select(tokens.c.id)).limit(1))
            return rows.first() is None

    # -- making

    def add_user(
        self, name: str, password_hash: str, role: Role, cameras: frozenset[str] | None, now_us: int, tell: Tell
    ) -> UserRow:
        """Raises UsageError where the name is taken."""
        values = {
            "name": name, "password": password_hash, "role": role, "cameras": _listed(cameras), "created_us": now_us,
        }  # fmt: skip
        number, subject = self._insert(users, values, "user", tell)
        return UserRow(number, name, password_hash, role, cameras, subject)

    def add_token(
        self,
        name: str,
        sha256: bytes,
        role: Role,
        cameras: frozenset[str] | None,
        now_us: int,
        expires_us: int | None,
        tell: Tell,
    ) -> int:
        """Its subject. Raises UsageError where the name is taken."""
        values = {
            "name": name, "sha256": sha256, "role": role, "cameras": _listed(cameras), "created_us": now_us,
            "expires_us": expires_us,
        }  # fmt: skip
        return self._insert(tokens, values, "token", tell)[1]

    def _insert(self, table: sa.Table, values: dict[str, Any], noun: str, tell: Tell) -> tuple[int, int]:
        """The row's id, and the new subject's number; told in the same transaction."""
        try:
            with self._engine.begin() as connection:
                return add_account(connection, self.outbox, table, values, noun, tell)
        except sa.exc.IntegrityError as error:
            raise UsageError(f"there is already a {noun} {values['name']!r}", remedy="choose another name") from error

    # -- finding

    def user(self, name: str) -> UserRow | None:
        """By name."""
        return self._user(users.c.name == name)

    def user_of(self, subject: int) -> UserRow | None:
        """By its number in the ledger."""
        return self._user(subjects.c.number == subject)

    def _user(self, which: sa.ColumnElement[bool]) -> UserRow | None:
        query = sa.select(users, subjects.c.number).join_from(users, subjects, _subject_of("user", users))
        with self._engine.connect() as connection:
            row = connection.execute(query.where(which)).first()
        return None if row is None else user_row(row)

    def by_token(self, sha256: bytes) -> Principal | None:
        """Whose bearer token this is, expired or not."""
        query = sa.select(tokens, subjects.c.number).join_from(tokens, subjects, _subject_of("token", tokens))
        with self._engine.connect() as connection:
            row = connection.execute(query.where(tokens.c.sha256 == sha256)).first()
        if row is None:
            return None
        cameras = cameras_of(row.cameras)
        return Principal(
            "token", row.id, row.name, Role(row.role), cameras, sha256, row.expires_us, row.number, row.created_us
        )

    def listed(self) -> list[dict[str, Any]]:
        """Users and tokens without what is secret."""
        return [
            {
                "kind": kind, "name": one.name, "role": str(one.role), "cameras": _listed(one.cameras),
                "subject": one.subject, "disabled": isinstance(one, UserSeen) and one.disabled,
                "expires_us": one.expires_us if isinstance(one, TokenSeen) else None,
            }
            for kind, found in (("user", self.users(0)), ("token", self.tokens()))
            for one in found
        ]  # fmt: skip

    def users(self, now_us: int) -> list[UserSeen]:
        """By name."""
        query = (
            sa.select(
                users, subjects.c.number, codes.c.expires_us,
                _count_of(passkeys).label("passkeys"),
                _count_of(sessions, sessions.c.expires_us > now_us).label("sessions"),
            )
            .join_from(users, subjects, _subject_of("user", users))
            .outerjoin(codes, sa.and_(codes.c.user_id == users.c.id, codes.c.expires_us > now_us))
            .order_by(users.c.name)
        )  # fmt: skip
        with self._engine.connect() as connection:
            issuers: dict[int, list[str]] = {}
            for row in connection.execute(sa.select(identities.c.user_id, identities.c.issuer)):
                issuers.setdefault(row.user_id, []).append(row.issuer)
            return [
                UserSeen(
                    row.number, row.name, Role(row.role), cameras_of(row.cameras), row.disabled, row.created_us,
                    bool(row.password), row.passkey_only, row.passkeys, tuple(sorted(issuers.get(row.id, ()))),
                    row.sessions, row.expires_us,
                )
                for row in connection.execute(query)
            ]  # fmt: skip

    def tokens(self) -> list[TokenSeen]:
        """By name."""
        query = sa.select(tokens, subjects.c.number).join_from(tokens, subjects, _subject_of("token", tokens))
        with self._engine.connect() as connection:
            return [
                TokenSeen(
                    row.number, row.name, Role(row.role), cameras_of(row.cameras), row.created_us, row.expires_us
                )
                for row in connection.execute(query.order_by(tokens.c.name))
            ]  # fmt: skip

    # -- changing

    def change_user(
        self, subject: int, values: Mapping[str, Any], tell: Tell, *, ends: bool, keep: bytes | None = None
    ) -> bool:
        """Set columns of a user; where it `ends`, the sessions end, but the one to keep. False where there is no such user.

        Raises UsageError where nobody would be left who can administer.
        """
        with self._engine.begin() as connection:
            row = _account(connection, "user", users, subjects.c.number == subject)
            if row is None:
                return False
            with still_administered(connection):
                if values:
                    connection.execute(sa.update(users).where(users.c.id == row.id).values(dict(values)))
            ended = end_all(connection, row.id, keep) if ends else 0
            self.outbox.add(connection, tell(subject, ended), must=True)
            return True

    def set_password(self, name: str, password_hash: str, tell: Tell) -> bool:
        """Replace a password and end the user's sessions. False where there is no such user."""
        user = self.user(name)
        if user is None:
            return False
        return self.change_user(user.subject, {"password": password_hash}, tell, ends=True)

    def remove(self, noun: str, which: sa.ColumnElement[bool], tell: Tell) -> bool:
        """Delete a "user" (with its sessions, passkeys and preferences) or a "token". False where there is none.

        Raises UsageError where nobody would be left who can administer.
        """
        table = {"user": users, "token": tokens}[noun]
        with self._engine.begin() as connection:
            row = _account(connection, noun, table, which)
            if row is None:
                return False
            ended = end_all(connection, row.id) if noun == "user" else 0
            with still_administered(connection):
                connection.execute(sa.delete(table).where(table.c.id == row.id))
            connection.execute(sa.delete(subjects).where(subjects.c.number == row.number))
            self.outbox.add(connection, tell(row.number, ended), must=True)
            return True

    def remove_named(self, noun: str, name: str, tell: Tell) -> bool:
        """As `remove`, by name."""
        return self.remove(noun, {"user": users, "token": tokens}[noun].c.name == name, tell)

    def remove_subject(self, noun: str, subject: int, tell: Tell) -> bool:
        """As `remove`, by the number in the ledger."""
        return self.remove(noun, subjects.c.number == subject, tell)

    # -- one-time codes

    def put_code(self, subject: int, sha256: bytes, expires_us: int, tell: Tell, *, ends: bool) -> bool:
        """A code with which this user sets a password; the one before is void. ends: the old password opens nothing any more,
        and the sessions end. False where there is no such user. Raises UsageError as `change_user`.
        """
        with self._engine.begin() as connection:
            row = _account(connection, "user", users, subjects.c.number == subject)
            if row is None:
                return False
            ended = 0
            if ends:
                with still_administered(connection):
                    connection.execute(
                        sa.update(users).where(users.c.id == row.id).values(password="", passkey_only=False)
                    )
                ended = end_all(connection, row.id)
            connection.execute(sa.delete(codes).where(codes.c.user_id == row.id))
            connection.execute(sa.insert(codes).values(sha256=sha256, user_id=row.id, expires_us=expires_us))
            self.outbox.add(connection, tell(subject, ended), must=True)
            return True

    def user_of_code(self, sha256: bytes, now_us: int) -> UserRow | None:
        """Whom this code lets set a password now."""
        query = (
            sa.select(users, subjects.c.number)
            .join_from(codes, users)
            .join(subjects, _subject_of("user", users))
            .where(codes.c.sha256 == sha256, codes.c.expires_us > now_us, ~users.c.disabled)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else user_row(row)

    def use_code(self, sha256: bytes, user: UserRow, password_hash: str, tell: Tell) -> bool:
        """Once: the password is set, the code is used up. False where somebody else was quicker."""
        with self._engine.begin() as connection:
            if not connection.execute(sa.delete(codes).where(codes.c.sha256 == sha256)).rowcount:
                return False
            connection.execute(sa.update(users).where(users.c.id == user.id).values(password=password_hash))
            self.outbox.add(connection, tell(user.subject, end_all(connection, user.id)), must=True)
            return True


@contextlib.contextmanager
def still_administered(connection: sa.Connection) -> Iterator[None]:
    """Within a transaction: raises UsageError where what is done here takes the last way in from who administers everything.

    Counted are users that are not disabled, are confined to no camera, and have a password or a passkey of this post: a provider
    of identities may be away for ever. A post that never had such a user (tokens alone) has none to lose.
    """
    before = _administrators(connection)
    yield
    if before and not _administrators(connection):
        raise UsageError(
            "nobody would be left who can administer this post",
            why="this is the last administrator of all cameras with a password or a passkey",
            remedy="make another administrator first",
        )


def _administrators(connection: sa.Connection) -> int:
    way_in = sa.or_(
        sa.and_(users.c.password != "", ~users.c.passkey_only), sa.exists().where(passkeys.c.user_id == users.c.id)
    )
    query = sa.select(sa.func.count()).where(
        users.c.role == Role.ADMIN, users.c.cameras.is_(sa.null()), ~users.c.disabled, way_in
    )
    return int(connection.execute(query).scalar_one())


def add_account(
    connection: sa.Connection, outbox: Outbox, table: sa.Table, values: dict[str, Any], noun: str, tell: Tell
) -> tuple[int, int]:
    """Within the caller's transaction: a row of users or tokens, its subject, and the entry. The row's id, and the subject."""
    key = connection.execute(sa.insert(table).values(values)).inserted_primary_key
    assert key is not None
    number = int(key[0])
    subject = connection.execute(sa.insert(subjects).values(kind=noun, account=number)).inserted_primary_key
    assert subject is not None
    outbox.add(connection, tell(int(subject[0]), 0), must=True)
    return number, int(subject[0])


def user_row(row: Any) -> UserRow:
    """A row of `users` with the subject's `number`."""
    return UserRow(
        row.id, row.name, row.password, Role(row.role), cameras_of(row.cameras), row.number, row.disabled,
        row.passkey_only, row.handle,
    )  # fmt: skip


def _listed(cameras: frozenset[str] | None) -> list[str] | None:
    return None if cameras is None else sorted(cameras)


def _subject_of(kind: str, table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(subjects.c.kind == kind, subjects.c.account == table.c.id)


def _count_of(table: sa.Table, *also: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    """How many rows of a user."""
    return sa.select(sa.func.count()).where(table.c.user_id == users.c.id, *also).correlate(users).scalar_subquery()


def _account(connection: sa.Connection, kind: str, table: sa.Table, which: sa.ColumnElement[bool]) -> Any:
    """Id and subject's number of an account; None where there is none."""
    query = sa.select(table.c.id, subjects.c.number).join_from(table, subjects, _subject_of(kind, table))
    return connection.execute(query.where(which)).first()
