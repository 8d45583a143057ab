"""What people ask of posts and what the hub notes of them: requests, commands, contacts, invites. Plain rows, each act one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from longwatch.base.errors import UsageError
from longwatch.fleet.answers import CommandRow, ContactRow, InviteRow, RequestRow
from longwatch.fleet.engine import FleetDb
from longwatch.fleet.schema import commands, contacts, invites, posts, requests

OPEN_REQUESTS = ("wanted", "queued")
OPEN_COMMANDS = ("waiting", "sent", "trial", "withdrawing")
REQUEST_STATES = frozenset({*OPEN_REQUESTS, "gone", "refused", "done", "withdrawn"})
COMMAND_STATES = frozenset({*OPEN_COMMANDS, "done", "refused", "returned", "withdrawn", "expired"})
_KEPT_CONTACTS = 1_000  # of one post
_MOST_OPEN = 1_000  # requests of one post


class Asks:
    """State: tables requests, commands, contacts, invites. wall_us: the hub's clock."""

    def __init__(self, db: FleetDb, wall_us: Callable[[], int]) -> None:
        self._db = db
        self._wall_us = wall_us

    # -- requests

    def want(
        self, post: str, camera: str, stream: str, from_us: int, to_us: int, by: str, reason: str, *, bytes_: int = 0
    ) -> RequestRow:
        """A person wants a stretch here. camera: as the post calls it. The same stretch that is open is not asked for twice."""
        if from_us >= to_us:
            raise UsageError("the stretch is empty", why="`from` does not lie before `to`")
        now_us = self._wall_us()
        with self._db.write() as db:
            number = _number(db, post)
            mine = (requests.c.post == number, requests.c.state.in_(OPEN_REQUESTS))
            same = db.execute(
                sa.select(requests.c.id).where(
                    *mine, requests.c.camera == camera, requests.c.stream == stream, requests.c.from_us == from_us,
                    requests.c.to_us == to_us,
                )
            ).first()  # fmt: skip
            if same is not None:
                return self._request(db, same.id)
            count = db.execute(sa.select(sa.func.count()).select_from(requests).where(*mine)).scalar_one()
            if count >= _MOST_OPEN:
                raise UsageError(f"{count} requests of {post} are open", remedy="withdraw some, or wait")
            made = db.execute(
                sa.insert(requests).values(
                    post=number, camera=camera, stream=stream, from_us=from_us, to_us=to_us, by=by, reason=reason, state="wanted",
                    bytes=bytes_, done_bytes=0, eta_s=None, created_us=now_us, changed_us=now_us,
                )
            )  # fmt: skip
            assert made.inserted_primary_key is not None
            return self._request(db, made.inserted_primary_key[0])

    def wants(self, post: str | None = None, *, everything: bool = False, limit: int = 1000) -> list[RequestRow]:
        """Open requests of a post, or of all; the oldest first. everything: also those that are over, the newest first."""
        query = _requests().limit(limit)
        if post is not None:
            query = query.where(posts.c.id == post)
        if everything:
            query = query.order_by(requests.c.id.desc())
        else:
            query = query.where(requests.c.state.in_(OPEN_REQUESTS)).order_by(requests.c.id)
        with self._db.read() as db:
            return [RequestRow(*row) for row in db.execute(query)]

    def request(self, number: int) -> RequestRow | None:
        """By its id."""
        with self._db.read() as db:
            row = db.execute(_requests().where(requests.c.id == number)).first()
            return None if row is None else RequestRow(*row)

    def _request(self, db: sa.Connection, number: int) -> RequestRow:
        return RequestRow(*db.execute(_requests().where(requests.c.id == number)).one())

    def note_answer(
        self,
        number: int,
        state: str,
        *,
        bytes_: int | None = None,
        done_bytes: int | None = None,
        eta_s: int | None = None,
    ) -> RequestRow | None:
        """What the post says of a request, or what became of it. One that is over stays so. None where there is none."""
        if state not in REQUEST_STATES:
            raise UsageError(f"a request cannot be {state}")
        values: dict[str, Any] = {"state": state, "eta_s": eta_s, "changed_us": self._wall_us()}
        values |= {} if bytes_ is None else {"bytes": bytes_}
        values |= {} if done_bytes is None else {"done_bytes": done_bytes}
        with self._db.write() as db:
            db.execute(
                sa.update(requests).where(requests.c.id == number, requests.c.state.in_(OPEN_REQUESTS)).values(**values)
            )
            row = db.execute(_requests().where(requests.c.id == number)).first()
            return None if row is None else RequestRow(*row)

    def note_progress(self, number: int, done_bytes: int) -> None:
        """So much of a request that is open is here. Its state stays as it is now, and when it was expected too."""
        now_us = self._wall_us()
        with self._db.write() as db:
            db.execute(
                sa.update(requests)
                .where(requests.c.id == number, requests.c.state.in_(OPEN_REQUESTS))
                .values(
                    done_bytes=done_bytes, changed_us=now_us,
                    eta_s=sa.case(
                        (requests.c.eta_s > (now_us - requests.c.changed_us) // 1_000_000, requests.c.eta_s - (now_us - requests.c.changed_us) // 1_000_000),
                        (requests.c.eta_s.is_not(None), 0), else_=None,
                    ),
                )
            )  # fmt: skip

    def forget_asker(self, whose: str) -> None:
        """The words of a person go. whose: what `by` of that person's requests begins with."""
        with self._db.write() as db:
            db.execute(
                sa.update(requests).where(requests.c.by.startswith(whose, autoescape=True)).values(by=whose, reason="")
            )

    # -- commands

    def command(
        self, post: str, kind: str, body: Mapping[str, Any], by: str, reason: str, signed: bytes = b""
    ) -> CommandRow:
        """A person tells a post to do something; it waits for a post that is off."""
        now_us = self._wall_us()
        with self._db.write() as db:
            made = db.execute(
                sa.insert(commands).values(
                    post=_number(db, post), kind=kind, body=json.dumps(body), by=by, reason=reason, signed=signed, state="waiting",
                    answer="{}", created_us=now_us, changed_us=now_us,
                )
            )  # fmt: skip
            assert made.inserted_primary_key is not None
            return _command(db.execute(_commands().where(commands.c.id == made.inserted_primary_key[0])).one())

    def commands(
        self, post: str | None = None, *, everything: bool = False, limit: int = 1000, kind: str | None = None
    ) -> list[CommandRow]:  # fmt: skip
        """Open ones of a post, or of all; the oldest first. everything: also those that are over, the newest first. kind: of this kind alone."""
        query = _commands().limit(limit)
        if kind is not None:
            query = query.where(commands.c.kind == kind)
        if post is not None:
            query = query.where(posts.c.id == post)
        if everything:
            query = query.order_by(commands.c.id.desc())
        else:
            query = query.where(commands.c.state.in_(OPEN_COMMANDS)).order_by(commands.c.id)
        with self._db.read() as db:
            return [_command(row) for row in db.execute(query)]

    def commands_by(self, numbers: Collection[int]) -> list[CommandRow]:
        """Those of these numbers that there are."""
        found: list[CommandRow] = []
        wanted = sorted(numbers)
        with self._db.read() as db:
            for start in range(0, len(wanted), 500):
                part = wanted[start : start + 500]
                found += [_command(row) for row in db.execute(_commands().where(commands.c.id.in_(part)))]
        return found

    def note_command(
        self, number: int, state: str, answer: Mapping[str, Any] | None = None, signed: bytes | None = None,
        *, among: Sequence[str] = OPEN_COMMANDS,
    ) -> CommandRow | None:  # fmt: skip
        """What became of a command that is in one of the states `among`; another stays as it is, as one that is over always does. The row, as it is
        now; None where there is none.
        """
        if state not in COMMAND_STATES:
            raise UsageError(f"a command cannot be {state}")
        values: dict[str, Any] = {"state": state, "changed_us": self._wall_us()}
        values |= {} if answer is None else {"answer": json.dumps(answer)}
        values |= {} if signed is None else {"signed": signed}
        with self._db.write() as db:
            db.execute(sa.update(commands).where(commands.c.id == number, commands.c.state.in_(among)).values(**values))
            row = db.execute(_commands().where(commands.c.id == number)).first()
            return None if row is None else _command(row)

    # -- contacts

    def contact_begun(self, post: str, address: str, process: str = "") -> int:
        """A post connected. One of its connections that was left open ends where it was heard last. The contact's number, above all before:
        of two connections the one with the higher number counts, whichever processes hold them.
        """
        now_us = self._wall_us()
        with self._db.write() as db:
            row = db.execute(self._db.locked(sa.select(posts.c.number).where(posts.c.id == post))).first()
            number = _number(db, post) if row is None else row.number
            db.execute(
                sa.update(contacts)
                .where(contacts.c.post == number, contacts.c.to_us.is_(None))
                .values(to_us=contacts.c.seen_us)
            )
            made = db.execute(
                sa.insert(contacts).values(
                    post=number, from_us=now_us, seen_us=now_us, to_us=None, address=address, process=process
                )
            )
            mine = sa.select(contacts.c.id).where(contacts.c.post == number)
            older = mine.order_by(contacts.c.from_us.desc(), contacts.c.id.desc()).offset(_KEPT_CONTACTS).limit(100)
            db.execute(sa.delete(contacts).where(contacts.c.id.in_(older)))  # a link that flaps for years fills nothing
            assert made.inserted_primary_key is not None
            return int(made.inserted_primary_key[0])

    def contact_seen(self, contact: int, *, ended: bool = False) -> bool:
        """It was heard now. ended: and that was the last of it. False where it is over already: a newer connection counts."""
        now_us = self._wall_us()
        values = {"seen_us": now_us} | ({"to_us": now_us} if ended else {})
        with self._db.write() as db:
            changed = db.execute(
                sa.update(contacts).where(contacts.c.id == contact, contacts.c.to_us.is_(None)).values(**values)
            )
            return bool(changed.rowcount)

    def contacts(self, post: str | None = None, *, limit: int = 100) -> list[ContactRow]:
        """The newest first: of a post, or of all."""
        query = (
            sa.select(
                contacts.c.id, posts.c.id, contacts.c.from_us, contacts.c.seen_us, contacts.c.to_us, contacts.c.address, contacts.c.process,
            )
            .join_from(contacts, posts, posts.c.number == contacts.c.post)
            .order_by(contacts.c.from_us.desc(), contacts.c.id.desc())
            .limit(limit)
        )  # fmt: skip
        with self._db.read() as db:
            return [ContactRow(*row) for row in db.execute(query if post is None else query.where(posts.c.id == post))]

    # -- invites

    def invite(self, sha256: bytes, post: str, expires_us: int, by: str) -> None:
        """A code for one post; those for it before are void."""
        with self._db.write() as db:
            db.execute(sa.delete(invites).where(invites.c.post == post, invites.c.used_us.is_(None)))
            db.execute(
                sa.insert(invites).values(
                    sha256=sha256, post=post, created_us=self._wall_us(), expires_us=expires_us, used_us=None, by=by
                )
            )

    def use_invite(self, sha256: bytes, post: str) -> bool:
        """Once, for that post, before it expires. False else."""
        now_us = self._wall_us()
        with self._db.write() as db:
            used = db.execute(
                sa.update(invites)
                .where(
                    invites.c.sha256 == sha256, invites.c.post == post, invites.c.used_us.is_(None), invites.c.expires_us > now_us,
                )
                .values(used_us=now_us)
            )  # fmt: skip
            return bool(used.rowcount)

    def invites(self) -> list[InviteRow]:
        """Those that still let somebody join."""
        query = (
            sa.select(invites)
            .where(invites.c.used_us.is_(None), invites.c.expires_us > self._wall_us())
            .order_by(invites.c.created_us)
        )
        with self._db.read() as db:
            return [InviteRow(*row) for row in db.execute(query)]


def _number(db: sa.Connection, post: str) -> int:
    number = db.execute(sa.select(posts.c.number).where(posts.c.id == post)).scalar()
    if number is None:
        raise UsageError(f"there is no post {post!r}", remedy="see `longwatch hub posts`")
    return int(number)


def _requests() -> sa.Select[Any]:
    columns = [c for c in requests.columns if c.name not in {"id", "post"}]
    return sa.select(requests.c.id, posts.c.id.label("of"), *columns).join_from(
        requests, posts, posts.c.number == requests.c.post
    )


def _commands() -> sa.Select[Any]:
    columns = [c for c in commands.columns if c.name not in {"id", "post"}]
    return sa.select(commands.c.id, posts.c.id.label("of"), *columns).join_from(
        commands, posts, posts.c.number == commands.c.post
    )


def _command(row: Any) -> CommandRow:
    number, post, kind, body, by, reason, signed, state, answer, created_us, changed_us = row
    return CommandRow(
        number, post, kind, json.loads(body), by, reason, bytes(signed), state, json.loads(answer), created_us, changed_us
    )  # fmt: skip
