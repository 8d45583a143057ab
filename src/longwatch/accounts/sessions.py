"""Logins that are open: their rows in `server.db`, and how one ends. Calls block: made on the file's thread.

Address and program of a session are clear text about a person. They are shown to that person alone, go with the session, and
with an erasure (docs/adr/0010-people-beside-the-ledger.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from longwatch.accounts.outbox import Outbox, Said
from longwatch.accounts.roles import Principal, Role, cameras_of
from longwatch.accounts.who import MOST_ADDRESS, MOST_AGENT, Who, clean
from longwatch.server_db.schema import codes, sessions, subjects, users

_ID_BYTES = 8
MOST_OF_ONE = 100


@dataclass(frozen=True, slots=True)
class Session:
    """One login. id: names it to its user; it opens nothing. by: how its user signed in. seen_us: about when it was last used."""

    id: str
    created_us: int
    seen_us: int
    expires_us: int
    by: str
    address: str
    agent: str


class SessionRows:
    """The table."""

    def __init__(self, engine: sa.Engine, outbox: Outbox, idle_us: int) -> None:
        """idle_us: so long without use, and a session is over."""
        self._engine = engine
        self._outbox = outbox
        self._idle_us = idle_us

    def _over(self, now_us: int) -> sa.ColumnElement[bool]:
        unused = sa.and_(sessions.c.seen_us > 0, sessions.c.seen_us <= now_us - self._idle_us)
        return sa.or_(
            sessions.c.expires_us <= now_us, unused
        )  # 0: of a version that did not note it, until it is next used

    def add(
        self, sha256: bytes, user_id: int, now_us: int, expires_us: int, by: str, who: Who, said: Said,
        shown: str | None = None,
    ) -> bool:  # fmt: skip
        """A session begins; those that are over go, and of too many the ones that were used longest ago.

        shown: the hash of the password that it was begun with. False, and there is none, where that is not the one any more or does not
        open the account, or it is disabled: it takes a while to compare a password, and it may have been changed meanwhile.
        """
        values = {
            "sha256": sha256, "user_id": user_id, "created_us": now_us, "seen_us": now_us, "expires_us": expires_us,
            "by": by, "address": clean(who.address, MOST_ADDRESS), "agent": clean(who.agent, MOST_AGENT),
        }  # fmt: skip
        with self._engine.begin() as connection:
            if not connection.execute(sa.select(users.c.id).where(users.c.id == user_id, *_is_open(shown))).first():
                return False
            connection.execute(sa.delete(sessions).where(self._over(now_us)))
            oldest = (
                sa.select(sessions.c.sha256)
                .where(sessions.c.user_id == user_id)
                .order_by(sessions.c.seen_us.desc())
                .offset(MOST_OF_ONE - 1)
            )
            connection.execute(sa.delete(sessions).where(sessions.c.sha256.in_(oldest.scalar_subquery())))
            connection.execute(sa.insert(sessions).values(values))
            self._outbox.add(connection, said)
            return True

    def prune(self, now_us: int) -> None:
        """What is over goes, with the address and program that stand beside it; so do one-time codes."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(sessions).where(self._over(now_us)))
            connection.execute(sa.delete(codes).where(codes.c.expires_us <= now_us))

    def end(self, sha256: bytes, said: Said) -> None:
        """Nothing happens where it is not there."""
        with self._engine.begin() as connection:
            if connection.execute(sa.delete(sessions).where(sessions.c.sha256 == sha256)).rowcount:
                self._outbox.add(connection, said)

    def end_one(self, user_id: int, session_id: str, said: Said) -> bool:
        """Of this user, by its id. False where there is none."""
        with self._engine.begin() as connection:
            for row in connection.execute(sa.select(sessions.c.sha256).where(sessions.c.user_id == user_id)):
                if id_of(row.sha256) == session_id:
                    connection.execute(sa.delete(sessions).where(sessions.c.sha256 == row.sha256))
                    self._outbox.add(connection, said)
                    return True
        return False

    def saw(self, sha256: bytes, now_us: int) -> None:
        """It was used."""
        with self._engine.begin() as connection:
            connection.execute(sa.update(sessions).where(sessions.c.sha256 == sha256).values(seen_us=now_us))

    def seen_us(self, sha256: bytes) -> int | None:
        """When it was last used, to ten minutes; None where it is not there."""
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(sessions.c.seen_us).where(sessions.c.sha256 == sha256)).scalar()
        return None if found is None else int(found)

    def listed(self, user_id: int, now_us: int) -> list[Session]:
        """Those of a user that are not over, the one used last first."""
        query = (
            sa.select(sessions)
            .where(sessions.c.user_id == user_id, ~self._over(now_us))
            .order_by(sessions.c.seen_us.desc(), sessions.c.created_us.desc())
        )
        with self._engine.connect() as connection:
            return [
                Session(
                    id_of(row.sha256), row.created_us, row.seen_us or row.created_us, row.expires_us, row.by, row.address, row.agent
                )
                for row in connection.execute(query)
            ]  # fmt: skip

    def forget_words(self, subject: int) -> None:
        """An erasure: where this one's sessions came from is no longer known here."""
        owner = sa.select(subjects.c.account).where(subjects.c.kind == "user", subjects.c.number == subject)
        with self._engine.begin() as connection:
            connection.execute(sa.update(sessions).where(sessions.c.user_id.in_(owner)).values(address="", agent=""))

    def whose(self, sha256: bytes) -> Principal | None:
        """Whose session this is, expired or not. None for that of a disabled user."""
        query = (
            sa.select(
                users.c.id, users.c.name, users.c.role, users.c.cameras, sessions.c.expires_us, sessions.c.created_us,
                subjects.c.number,
            )
            .join_from(sessions, users)
            .join(subjects, sa.and_(subjects.c.kind == "user", subjects.c.account == users.c.id))
            .where(sessions.c.sha256 == sha256, ~users.c.disabled)
        )  # fmt: skip
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        cameras = cameras_of(row.cameras)
        return Principal(
            "user", row.id, row.name, Role(row.role), cameras, sha256, row.expires_us, row.number, row.created_us
        )


def _is_open(shown: str | None) -> list[sa.ColumnElement[bool]]:
    opens = [] if shown is None else [users.c.password == shown, ~users.c.passkey_only]
    return [~users.c.disabled, *opens]


def id_of(sha256: bytes) -> str:
    """What names a session to people: a part of the hash of a token of 256 random bits tells nothing of the token."""
    return sha256[:_ID_BYTES].hex()


def end_all(connection: sa.Connection, user_id: int, keep: bytes | None = None) -> int:
    """Within the caller's transaction: all of a user, but the one to keep. How many."""
    ended = sa.delete(sessions).where(sessions.c.user_id == user_id)
    if keep is not None:
        ended = ended.where(sessions.c.sha256 != keep)
    return connection.execute(ended).rowcount
