"""Which certificates are good, by the hub's table and its clock: TLS has seen to who signed them, and looks at no time.

A site's older certificate stays good until its newer one was used, so that an answer that was lost locks nobody out; from then on it is retired. One that
has ended may ask for a newer one and nothing else, unless its site is revoked.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from longwatch.base.errors import LongwatchError
from longwatch.fleet.fleet import Fleet
from longwatch.fleet.schema import certificates, invites, posts


class Verdict(enum.StrEnum):
    """What a certificate is to the hub."""

    GOOD = "good"
    EXPIRED = "expired"  # it may be renewed, and nothing else
    RETIRED = "retired"  # a newer one was used
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate. again: it was made before, for the same key, and its answer was lost."""

    serial: str
    pem: bytes
    expires_us: int
    again: bool = False


Issue = Callable[[], Issued]


class NotEnrolledError(LongwatchError):
    """A code that lets nobody join. reason: `unknown`, `used`, `expired` or `other_post`."""

    def __init__(self, reason: str, what: str, *, remedy: str) -> None:
        super().__init__(what, remedy=remedy)
        self.reason = reason


class Certificates:
    """State: table certificates. Every method blocks and is one transaction."""

    def __init__(self, fleet: Fleet, wall_us: Callable[[], int]) -> None:
        self._fleet = fleet
        self._wall_us = wall_us

    def enrol(
        self, secret_hash: bytes, post: str, name: str, origin: str, key: bytes, key_hash: bytes, issue: Issue
    ) -> Issued:  # fmt: skip
        """Use a code, once, for the post it was made for, before it ends. origin, key: of its log. key_hash: of the key of the certificate; the same
        code with the same key again is answered as the first time. Raises NotEnrolledError.
        """
        with self._fleet.db.write() as db:
            if not self._fleet.use_invite(secret_hash, post):
                return self._again(db, secret_hash, post, key_hash)
            issued = issue()
            self._fleet.add_post(post, name, issued.serial, origin, key)
            self._note(db, issued, post, key_hash)
            return issued

    def _again(self, db: sa.Connection, secret_hash: bytes, post: str, key_hash: bytes) -> Issued:
        invite = db.execute(sa.select(invites).where(invites.c.sha256 == secret_hash)).first()
        anew = "ask for a new one: `longwatch hub invite` at the hub"
        if invite is None:
            raise NotEnrolledError(
                "unknown", "the hub knows no such code, or a newer one has taken its place", remedy=anew
            )
        if invite.post != post:
            raise NotEnrolledError(
                "other_post", f"the code is for the post {invite.post}, and not for {post}", remedy=anew
            )
        if invite.used_us is None:
            raise NotEnrolledError("expired", "the code is too old", remedy=anew)
        found = self._unused(db, post, key_hash)
        if found is None:
            raise NotEnrolledError(
                "used", "the code was used already", remedy=f"if nobody here did, revoke {post}; {anew}"
            )
        return found

    def renew(self, post: str, key_hash: bytes, issue: Issue) -> Issued:
        """A newer certificate for a site that showed one of its own. The same key again is answered as the first time."""
        with self._fleet.db.write() as db:
            found = self._unused(db, post, key_hash)
            if found is not None:
                return found
            issued = issue()
            self._note(db, issued, post, key_hash)
            return issued

    def _unused(self, db: sa.Connection, post: str, key_hash: bytes) -> Issued | None:
        row = db.execute(
            sa.select(certificates).where(
                certificates.c.post == post, certificates.c.key_sha256 == key_hash, certificates.c.used_us.is_(None),
                certificates.c.retired_us.is_(None),
            )
        ).first()  # fmt: skip
        return None if row is None else Issued(row.serial, row.pem.encode(), row.expires_us, again=True)

    def _note(self, db: sa.Connection, issued: Issued, post: str, key_hash: bytes) -> None:
        db.execute(
            sa.insert(certificates).values(
                serial=issued.serial, post=post, key_sha256=key_hash, pem=issued.pem.decode(), issued_us=self._wall_us(),
                expires_us=issued.expires_us, used_us=None, retired_us=None,
            )
        )  # fmt: skip

    def look(self, post: str, serial: str) -> Verdict:
        """What this certificate is now. Nothing changes."""
        with self._fleet.db.read() as db:
            return self._verdict(db, post, serial)

    def admit(self, post: str, serial: str) -> Verdict:
        """The same for a connection that begins: one that is good is in use from now on, and those before it are retired."""
        with self._fleet.db.write() as db:
            verdict = self._verdict(db, post, serial)
            if verdict is Verdict.GOOD:
                self._used(db, post, serial)
            return verdict

    def _verdict(self, db: sa.Connection, post: str, serial: str) -> Verdict:
        enrolled = db.execute(sa.select(posts.c.revoked_us).where(posts.c.id == post)).first()
        row = db.execute(
            sa.select(certificates).where(certificates.c.serial == serial, certificates.c.post == post)
        ).first()
        if enrolled is None or row is None:
            return Verdict.UNKNOWN
        if enrolled.revoked_us is not None:
            return Verdict.REVOKED
        if row.retired_us is not None:
            return Verdict.RETIRED
        return Verdict.EXPIRED if row.expires_us <= self._wall_us() else Verdict.GOOD

    def _used(self, db: sa.Connection, post: str, serial: str) -> None:
        now_us = self._wall_us()
        mine = certificates.c.serial == serial
        first = db.execute(
            sa.update(certificates).where(mine, certificates.c.used_us.is_(None)).values(used_us=now_us)
        ).rowcount
        if not first:
            return
        issued_us = sa.select(certificates.c.issued_us).where(mine).scalar_subquery()
        older = sa.or_(certificates.c.issued_us < issued_us, certificates.c.used_us.is_not(None))
        self._retire(db, certificates.c.post == post, ~mine, older)
        self._fleet.set_serial(post, serial)

    def revoke(self, post: str, reason: str) -> Sequence[str]:
        """Nothing is taken from this post any more, and none of its certificates is good. Codes for it are void. The serials. Raises UsageError."""
        with self._fleet.db.write() as db:
            self._fleet.revoke(post, reason)
            db.execute(sa.delete(invites).where(invites.c.post == post, invites.c.used_us.is_(None)))
            mine = (certificates.c.post == post, certificates.c.retired_us.is_(None))
            serials = list(db.execute(sa.select(certificates.c.serial).where(*mine)).scalars())
            self._retire(db, *mine)
            return serials

    def _retire(self, db: sa.Connection, *which: sa.ColumnElement[bool]) -> None:
        db.execute(
            sa.update(certificates)
            .where(certificates.c.retired_us.is_(None), *which)
            .values(retired_us=self._wall_us())
            .execution_options(synchronize_session=False)
        )

    def standing(self) -> frozenset[tuple[str, str]]:
        """(post, serial) of every certificate whose connection may go on, in one question: one that ended while it stood may, one that was retired or
        revoked may not.
        """
        query = (
            sa.select(certificates.c.post, certificates.c.serial)
            .join_from(certificates, posts, posts.c.id == certificates.c.post)
            .where(certificates.c.retired_us.is_(None), posts.c.revoked_us.is_(None))
        )
        with self._fleet.db.read() as db:
            return frozenset((post, serial) for post, serial in db.execute(query))
