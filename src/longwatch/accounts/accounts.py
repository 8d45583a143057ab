"""The one door to users, sessions and tokens, for routes and for the verbs of the command line."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from longwatch.accounts.journal import Journal
from longwatch.accounts.limits import Limiter, ThrottledError, place_of
from longwatch.accounts.outbox import Said
from longwatch.accounts.passwords import BusyError, Hasher, check_new
from longwatch.accounts.roles import Principal, Right, Role
from longwatch.accounts.sessions import SessionRows
from longwatch.accounts.setup_code import SetupCode
from longwatch.accounts.signing import Signer
from longwatch.accounts.store import Store, Tell, UserRow
from longwatch.accounts.who import POST, Who, at_the_post
from longwatch.base.clock import Clock, SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger import kinds
from longwatch.server_db import ServerDb

_MOST_CACHED = 1000
_SEEN_EVERY_US = 600_000_000
_PRUNE_EVERY_S = 3600.0
_NAME_MOST = 80
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """session_s: how long a login lasts. idle_s: and how long without any use; an open page uses it. tries and refill_s: wrong passwords per address; per name four times as many."""

    session_s: int = 14 * 86400
    idle_s: int = 86400
    tries: int = 10
    refill_s: float = 6.0


def sha256(token: str) -> bytes:
    """How a token is kept: it is 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class NotLetInError(LongwatchError):
    """The proof was right, and the account lets nobody in by it (403). Said only to whoever has the proof."""


def way_of(who: Who) -> str:
    """Where an act comes from, as its entry says it."""
    return "command_line" if who.subject == POST else "api"


def check_name(name: str) -> None:
    """Raises UsageError for what cannot be the name of an account."""
    if not name.strip() or len(name) > _NAME_MOST or not name.isprintable() or name != name.strip():
        raise UsageError(f"{name[:100]!r} cannot be a name", remedy=f"use 1 to {_NAME_MOST} printable characters")


class Accounts:
    """Users, roles, sessions and tokens of one data folder.

    Whoever makes one holds `server.lock` (`DataLock`): it is the only writer, so what it has looked up stays true until it
    changes it itself, and is kept in memory. Used on one event loop; the database is touched on its own thread. `db` is the open
    file, for other rooms that keep something there; it is closed with `aclose`.
    """

    def __init__(
        self, data: Path, clock: Clock | None = None, options: Options | None = None, hasher: Hasher | None = None
    ) -> None:
        """Open `server.db` in `data`, or make it. Raises LongwatchError. Blocks, so do it before serving."""
        self._clock = clock or SystemClock()
        self._options = options or Options()
        self._hasher = hasher or Hasher()
        self.db = ServerDb(data / "server.db")
        self.store = Store(self.db.engine)
        self.sessions = SessionRows(self.db.engine, self.store.outbox, self._options.idle_s * 1_000_000)
        self._known: OrderedDict[tuple[str, bytes], Principal] = OrderedDict()
        self._seen_us: OrderedDict[bytes, int] = OrderedDict()
        self._words: Callable[[], Sequence[str]] = tuple
        self._by_address = Limiter(self._clock, self._options.tries, self._options.refill_s)
        self._by_name = Limiter(self._clock, self._options.tries * 4, self._options.refill_s)
        self._setup_turn = asyncio.Lock()
        self._revoked: list[Callable[[], None]] = []
        self.on_erasure: list[Callable[[int], Awaitable[None]]] = []  # what else in server.db knows words of a person
        self.journal = Journal(self.store.outbox, self.db.call, self._clock)
        self.signer = Signer(self.db.key("url"))
        self.setup_code = SetupCode(data / "setup-code")
        self._set_up = not self.store.is_empty()

    async def run(self) -> None:
        """For ever: what is over does not lie about."""
        while True:
            try:
                await self.db.call(self.sessions.prune, self._clock.wall_us())
            except SQLAlchemyError as error:
                _log.warning("logins that are over could not be removed", reason=str(error).splitlines()[0])
            await self._clock.sleep(_PRUNE_EVERY_S)

    async def aclose(self) -> None:
        """Make durable what is still to be said, and close the database."""
        try:
            await self.journal.settle(ends=True)
        except LongwatchError as error:
            _log.error("what was still to be said of people is lost", reason=str(error))
        await asyncio.to_thread(self.db.close)

    @property
    def is_set_up(self) -> bool:
        """Whether there is an account or a token. Until then only health and set-up answer."""
        return self._set_up

    def on_revoked(self, callback: Callable[[], None]) -> None:
        """Call back after rights were taken away, so that long-lived subscriptions can be checked again."""
        self._revoked.append(callback)

    def also_refuse(self, words: Callable[[], Sequence[str]]) -> None:
        """No password may be one of these words with something hung on: the names of the post."""
        self._words = words

    @property
    def clock(self) -> Clock:
        """The clock of all that rests on these accounts."""
        return self._clock

    # Who is it?

    async def by_session(self, token: str) -> Principal | None:
        """Whose login this cookie is; None where it is none, or over."""
        return await self._who("user", sha256(token))

    async def by_token(self, token: str) -> Principal | None:
        """Whose bearer token this is."""
        return await self._who("token", sha256(token))

    async def still(self, principal: Principal) -> Principal | None:
        """The same one now: None after logout, removal or the end of the session."""
        return await self._who(principal.kind, principal.proof)

    async def still_may(self, principal: Principal, camera: str) -> bool:
        """Whether this one may still see a camera."""
        now = await self.still(principal)
        return now is not None and now.may(Right.VIEW, camera)

    async def _who(self, kind: str, proof: bytes) -> Principal | None:
        principal = self._known.get((kind, proof))
        if principal is None:
            find = self.sessions.whose if kind == "user" else self.store.by_token
            principal = await self.db.call(find, proof)
            if principal is None:
                return None
            self._known[kind, proof] = principal
            if len(self._known) > _MOST_CACHED:
                self._known.popitem(last=False)
        now_us = self._clock.wall_us()
        if principal.expires_us is not None and now_us >= principal.expires_us:
            return None
        if kind == "user" and not await self._use(proof, now_us):
            return None
        return principal

    async def _use(self, proof: bytes, now_us: int) -> bool:
        """One use of the session, kept to ten minutes. False: it lay unused for too long, and is over."""
        seen_us = self._seen_us.get(proof)
        if seen_us is None:
            seen_us = await self.db.call(self.sessions.seen_us, proof)
        if seen_us is None or (seen_us and now_us - seen_us >= self._options.idle_s * 1_000_000):
            return False
        fresh = 0 <= now_us - seen_us < _SEEN_EVERY_US
        self._seen_us[proof] = seen_us if fresh else now_us
        if len(self._seen_us) > _MOST_CACHED:
            self._seen_us.popitem(last=False)
        if not fresh:
            await self._saw(proof, now_us)
        return True

    async def _saw(self, proof: bytes, now_us: int) -> None:
        """Whether this can be kept is no reason to turn anybody away."""
        try:
            await self.db.call(self.sessions.saw, proof, now_us)
        except SQLAlchemyError as error:
            _log.debug("when a login was used is not kept", reason=str(error).splitlines()[0])

    async def owner_subject(self, owner: str, camera: str) -> int | None:
        """The subject of whoever a signed URL names ("user:NAME", "token:NAME"); None unless there and allowed to see the camera."""
        kind, _, name = owner.partition(":")
        for row in await self.listed():
            over = row["disabled"] or (row["expires_us"] is not None and row["expires_us"] <= self._clock.wall_us())
            allowed = row["cameras"] is None or camera in row["cameras"]
            if (row["kind"], row["name"]) == (kind, name) and allowed and not over:
                return int(row["subject"])
        return None

    # Coming and going

    async def login(self, name: str, password: str, address: str, agent: str = "") -> tuple[str, Principal] | None:
        """The session's token (said once, kept as its hash) and whose it is; None for a wrong name or password.

        Raises ThrottledError: wrong tries are counted by address and by name; right ones are not. Both are entered. Raises
        NotLetInError where both are right and the account is disabled, or signs in with a passkey alone.
        """
        await self.take(address, agent, name)
        user = await self.db.call(self.store.user, name[:200])
        try:
            right = await self._hasher.matches(password[:2000], user.password if user else None)
        except BusyError as error:
            self.give_back(address, name)
            await self.journal.refused(address, agent, None, throttled=True)
            raise ThrottledError(2.0) from error
        if user is None or not right:
            account = None if user is None else (user.name, user.subject)
            await self.journal.refused(address, agent, account, throttled=False)
            return None
        self.give_back(address, name)
        who = Who(user.subject, user=user.name, address=address, agent=agent)
        if user.passkey_only:
            await self.journal.refused(address, agent, (user.name, user.subject), throttled=False)
            raise NotLetInError("this account signs in with a passkey only", remedy="use your passkey")
        return await self.begin(user, who, "password")

    async def begin(self, user: UserRow, who: Who, by: str) -> tuple[str, Principal]:
        """A session of somebody who has shown who they are. Raises NotLetInError where the account is disabled."""
        if user.disabled:
            await self.journal.refused(who.address, who.agent, (user.name, user.subject), throttled=False)
            raise NotLetInError("this account is disabled", remedy="ask whoever administers this post")
        token = secrets.token_urlsafe(32)
        proof, now_us = sha256(token), self._clock.wall_us()
        expires_us = now_us + self._options.session_s * 1_000_000
        said = self.journal.said(kinds.LOGIN, {"by": by}, who)
        shown = user.password if by == "password" else None
        if not await self.db.call(self.sessions.add, proof, user.id, now_us, expires_us, by, who, said, shown):
            await self.journal.refused(who.address, who.agent, (user.name, user.subject), throttled=False)
            raise NotLetInError("this account was changed just now", remedy="sign in again")
        self._seen_us[proof] = now_us
        self.journal.wake()
        principal = Principal(
            "user", user.id, user.name, user.role, user.cameras, proof, expires_us, user.subject, now_us
        )
        return token, principal

    async def logout(self, principal: Principal, address: str = "", agent: str = "") -> None:
        """End this session. A bearer token is not ended by this."""
        if principal.kind == "user":
            who = Who(principal.subject, user=principal.name, address=address, agent=agent)
            await self.db.call(self.sessions.end, principal.proof, self.journal.said(kinds.LOGOUT, {}, who))
            self.changed()

    async def set_up(
        self, code: str, name: str, password: str, address: str, agent: str = ""
    ) -> tuple[str, Principal] | None:
        """Make the first account, an admin, with the code from `setup-code`; None for a wrong code.

        Raises UsageError (a name or password that cannot be, or set up already) and ThrottledError.
        """
        await self.take(address, agent)
        async with self._setup_turn:
            if self._set_up:
                raise UsageError("this post is set up already", remedy="sign in")
            if not self.setup_code.matches(code):
                await self.journal.refused(address, agent, None, throttled=False)
                return None
            self.give_back(address)
            user = await self._add_user(
                name, password, Role.ADMIN, None, lambda subject: Who(subject, name, "", address, agent), "setup_code"
            )
        return await self.begin(user, Who(user.subject, user=name, address=address, agent=agent), "setup_code")

    async def take(self, address: str, agent: str, name: str | None = None) -> None:
        """Use up a try to be let in. name: None where none is said (a code, a passkey): those are too long to be guessed, and nobody
        may use up everybody's tries. Raises ThrottledError, and that is entered.
        """
        wait_s = self._by_address.take(place_of(address))
        if not wait_s and name is not None:
            wait_s = self._by_name.take(name)
        if wait_s:
            await self.journal.refused(address, agent, None, throttled=True)
            raise ThrottledError(wait_s)

    def give_back(self, address: str, name: str | None = None) -> None:
        """The try was an honest one."""
        self._by_address.give_back(place_of(address))
        if name is not None:
            self._by_name.give_back(name)

    # What the administrator does

    async def add_user(
        self, name: str, password: str, role: Role, cameras: frozenset[str] | None = None, by: Who | None = None
    ) -> UserRow:
        """by: who does it; whoever types at the post, unless given. Raises UsageError: taken, or a name or password that
        cannot be.
        """
        who = by or at_the_post()
        return await self._add_user(name, password, role, cameras, lambda _: who, way_of(who))

    async def _add_user(
        self, name: str, password: str, role: Role, cameras: frozenset[str] | None, who: Callable[[int], Who], way: str
    ) -> UserRow:
        check_name(name)
        hashed = await self.hashed(password, name)
        account = {"role": str(role), "cameras": None if cameras is None else sorted(cameras)}

        def tell(subject: int, sessions_ended: int) -> Said:
            return self.tell("added", "user", who(subject), account, way=way)(subject, sessions_ended)

        row = await self.db.call(self.store.add_user, name, hashed, role, cameras, self._clock.wall_us(), tell)
        self.journal.wake()
        self.now_set_up()
        return row

    async def add_token(
        self,
        name: str,
        role: Role,
        cameras: frozenset[str] | None = None,
        by: Who | None = None,
        expires_us: int | None = None,
        reason: str = "",
    ) -> str:
        """A new bearer token, said once. Raises UsageError."""
        check_name(name)
        if expires_us is not None and expires_us <= self._clock.wall_us():
            raise UsageError("the token would be over already", remedy="give a time that lies ahead")
        token = "lw_" + secrets.token_urlsafe(32)
        account = {"role": str(role), "cameras": None if cameras is None else sorted(cameras), "expires_us": expires_us}
        tell = self.tell("added", "token", by or at_the_post(), account, reason)
        now_us = self._clock.wall_us()
        await self.db.call(self.store.add_token, name, sha256(token), role, cameras, now_us, expires_us, tell)
        self.journal.wake()
        self.now_set_up()
        return token

    async def hashed(self, password: str, name: str) -> str:
        """The hash of a new password of this user. Raises UsageError for one that must not be set."""
        check_new(password, (name, *self._words()))
        return await self._hasher.hash(password)

    async def is_password(self, user: UserRow, password: str, address: str, agent: str) -> bool:
        """Whether somebody who is signed in knows the password. Raises ThrottledError; a wrong one is entered."""
        await self.take(address, agent, user.name)
        try:
            right = await self._hasher.matches(password[:2000], user.password)
        except BusyError as error:
            self.give_back(address, user.name)
            raise ThrottledError(2.0) from error
        if right:
            self.give_back(address, user.name)
        else:
            await self.journal.refused(address, agent, (user.name, user.subject), throttled=False)
        return right

    async def set_password(self, name: str, password: str, by: Who | None = None) -> None:
        """A new password; the user's sessions end. Raises UsageError."""
        hashed = await self.hashed(password, name)
        tell = self.tell("password", "user", by or at_the_post())
        if not await self.db.call(self.store.set_password, name, hashed, tell):
            raise UsageError(f"there is no user {name!r}")
        self.changed()

    async def remove(self, noun: str, name: str, by: Who | None = None) -> None:
        """Remove a "user" or a "token"; what they had open ends, and nothing of the row is left in the file. Raises UsageError."""
        tell = self.tell("removed", noun, by or at_the_post())
        if not await self.db.call(self.store.remove_named, noun, name, tell):
            raise UsageError(f"there is no {noun} {name!r}")
        self.changed()
        await self.purge()

    def tell(
        self, what: str, noun: str, who: Who, also: Mapping[str, object] | None = None, reason: str = "", way: str = ""
    ) -> Tell:
        """How a change of an account is entered: without its name, which would be somebody else's clear text."""

        def said(subject: int, sessions_ended: int) -> Said:
            account: dict[str, object] = {"kind": noun, "subject": subject, **(also or {})}
            body = {"what": what, "account": account, "sessions_ended": sessions_ended, "by": way or way_of(who)}
            return self.journal.said(kinds.ACCOUNT_CHANGED, body, who, reason)

        return said

    async def purge(self) -> None:
        """What was deleted, entries handed over included, is gone from the file too."""
        await self.db.call(self.db.purge)

    async def listed(self) -> list[dict[str, Any]]:
        """Users and tokens: kind, name, role, cameras, subject, disabled, expires_us."""
        return await self.db.call(self.store.listed)

    def offer_set_up(self) -> str | None:
        """The set-up code where one is needed; removes one that is not. The server calls this at its start."""
        if self._set_up:
            self.setup_code.remove()
            return None
        return self.setup_code.ensure()

    def now_set_up(self) -> None:
        """There is an account: the set-up code is used up."""
        self._set_up = True
        self.setup_code.remove()

    def changed(self) -> None:
        """Rights may have been taken away: nobody is known by heart any more, and what is open is checked again."""
        self.journal.wake()
        self._known.clear()
        for callback in self._revoked:
            callback()
