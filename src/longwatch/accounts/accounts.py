"""The one door to users, sessions and tokens, for routes and for the verbs of the command line."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from longwatch.accounts.limits import Limiter
from longwatch.accounts.passwords import BusyError, Hasher, check_new
from longwatch.accounts.roles import Principal, Role
from longwatch.accounts.setup_code import SetupCode
from longwatch.accounts.signing import Signer
from longwatch.accounts.store import Store, UserRow
from longwatch.base.clock import Clock, SystemClock
from longwatch.base.errors import LongwatchError, UsageError

_T = TypeVar("_T")
_MOST_CACHED = 1000
_NAME_MOST = 80


@dataclass(frozen=True, slots=True)
class Options:
    """session_s: how long a login lasts. tries and refill_s: wrong passwords per address; per name four times as many."""

    session_s: int = 14 * 86400
    tries: int = 10
    refill_s: float = 6.0


class ThrottledError(LongwatchError):
    """Too many tries (429). after_s: when to try again."""

    def __init__(self, after_s: float) -> None:
        super().__init__("too many tries", remedy=f"wait {max(1, round(after_s))} s and try again")
        self.after_s = after_s


def _sha256(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > _NAME_MOST or not name.isprintable() or name != name.strip():
        raise UsageError(f"{name[:100]!r} cannot be a name", remedy=f"use 1 to {_NAME_MOST} printable characters")


class Accounts:
    """Users, roles, sessions and tokens of one data folder.

    Whoever makes one holds `server.lock` (`DataLock`): it is the only writer, so what it has looked up stays true until it
    changes it itself, and is kept in memory. Used on one event loop; the database is touched on one thread of its own.
    """

    def __init__(
        self, data: Path, clock: Clock | None = None, options: Options | None = None, hasher: Hasher | None = None
    ) -> None:
        """Open `server.db` in `data`, or make it. Raises LongwatchError. Blocks, so do it before serving."""
        self._clock = clock or SystemClock()
        self._options = options or Options()
        self._hasher = hasher or Hasher()
        self._store = Store(data / "server.db")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="accounts")
        self._known: OrderedDict[tuple[str, bytes], Principal] = OrderedDict()
        self._by_address = Limiter(self._clock, self._options.tries, self._options.refill_s)
        self._by_name = Limiter(self._clock, self._options.tries * 4, self._options.refill_s)
        self._setup_turn = asyncio.Lock()
        self._revoked: list[Callable[[], None]] = []
        self.signer = Signer(self._store.key("url"))
        self.setup_code = SetupCode(data / "setup-code")
        self._set_up = not self._store.is_empty()

    async def aclose(self) -> None:
        """Close the database."""
        await self._call(self._store.close)
        self._thread.shutdown()

    @property
    def is_set_up(self) -> bool:
        """Whether there is an account or a token. Until then only health and set-up answer."""
        return self._set_up

    def on_revoked(self, callback: Callable[[], None]) -> None:
        """Call back after rights were taken away, so that long-lived subscriptions can be checked again."""
        self._revoked.append(callback)

    # Who is it?

    async def by_session(self, token: str) -> Principal | None:
        """Whose login this cookie is; None where it is none, or over."""
        return await self._who("user", _sha256(token))

    async def by_token(self, token: str) -> Principal | None:
        """Whose bearer token this is."""
        return await self._who("token", _sha256(token))

    async def still(self, principal: Principal) -> Principal | None:
        """The same one now: None after logout, removal or the end of the session."""
        return await self._who(principal.kind, principal.proof)

    async def _who(self, kind: str, proof: bytes) -> Principal | None:
        principal = self._known.get((kind, proof))
        if principal is None:
            find = self._store.by_session if kind == "user" else self._store.by_token
            principal = await self._call(find, proof)
            if principal is None:
                return None
            self._known[kind, proof] = principal
            if len(self._known) > _MOST_CACHED:
                self._known.popitem(last=False)
        if principal.expires_us is not None and self._clock.wall_us() >= principal.expires_us:
            return None
        return principal

    async def owner_may_still(self, owner: str, camera: str) -> bool:
        """Whether the owner named in a signed URL ("user:NAME", "token:NAME") is there and may see the camera."""
        kind, _, name = owner.partition(":")
        return any(
            row["kind"] == kind and row["name"] == name and (row["cameras"] is None or camera in row["cameras"])
            for row in await self.listed()
        )

    # Coming and going

    async def login(self, name: str, password: str, address: str) -> tuple[str, Principal] | None:
        """The session's token (said once, kept as its hash) and whose it is; None for a wrong name or password.

        Raises ThrottledError: wrong tries are counted by address and by name; right ones are not.
        """
        self._take(address, name)
        user = await self._call(self._store.user, name[:200])
        try:
            right = await self._hasher.matches(password[:2000], user.password if user else None)
        except BusyError as error:
            self._give_back(address, name)
            raise ThrottledError(2.0) from error
        if user is None or not right:
            return None
        self._give_back(address, name)
        return await self._begin(user)

    async def _begin(self, user: UserRow) -> tuple[str, Principal]:
        token = secrets.token_urlsafe(32)
        proof, now_us = _sha256(token), self._clock.wall_us()
        expires_us = now_us + self._options.session_s * 1_000_000
        await self._call(self._store.add_session, proof, user.id, now_us, expires_us)
        return token, Principal("user", user.id, user.name, user.role, user.cameras, proof, expires_us)

    async def logout(self, principal: Principal) -> None:
        """End this session. A bearer token is not ended by this."""
        if principal.expires_us is not None:
            await self._call(self._store.end_session, principal.proof)
            self._forget()

    async def set_up(self, code: str, name: str, password: str, address: str) -> tuple[str, Principal] | None:
        """Make the first account, an admin, with the code from `setup-code`; None for a wrong code.

        Raises UsageError (a name or password that cannot be, or set up already) and ThrottledError.
        """
        self._take(address, "")
        async with self._setup_turn:
            if self._set_up:
                raise UsageError("this post is set up already", remedy="sign in")
            if not self.setup_code.matches(code):
                return None
            self._give_back(address, "")
            user = await self.add_user(name, password, Role.ADMIN)
        return await self._begin(user)

    def _take(self, address: str, name: str) -> None:
        wait_s = self._by_address.take(address)
        if not wait_s:
            wait_s = self._by_name.take(name)
        if wait_s:
            raise ThrottledError(wait_s)

    def _give_back(self, address: str, name: str) -> None:
        self._by_address.give_back(address)
        self._by_name.give_back(name)

    # What the administrator does

    async def add_user(self, name: str, password: str, role: Role, cameras: frozenset[str] | None = None) -> UserRow:
        """Raises UsageError: taken, or a name or password that cannot be."""
        _check_name(name)
        check_new(password)
        hashed = await self._hasher.hash(password)
        row = await self._call(self._store.add_user, name, hashed, role, cameras, self._clock.wall_us())
        self._now_set_up()
        return row

    async def add_token(self, name: str, role: Role, cameras: frozenset[str] | None = None) -> str:
        """A new bearer token, said once. Raises UsageError."""
        _check_name(name)
        token = "lw_" + secrets.token_urlsafe(32)
        await self._call(self._store.add_token, name, _sha256(token), role, cameras, self._clock.wall_us())
        self._now_set_up()
        return token

    async def set_password(self, name: str, password: str) -> None:
        """A new password; the user's sessions end. Raises UsageError."""
        check_new(password)
        if not await self._call(self._store.set_password, name, await self._hasher.hash(password)):
            raise UsageError(f"there is no user {name!r}")
        self._forget()

    async def remove(self, noun: str, name: str) -> None:
        """Remove a "user" or a "token"; what they had open ends. Raises UsageError."""
        if not await self._call(self._store.remove, noun, name):
            raise UsageError(f"there is no {noun} {name!r}")
        self._forget()

    async def listed(self) -> list[dict[str, Any]]:
        """Users and tokens: kind, name, role, cameras."""
        return await self._call(self._store.listed)

    def offer_set_up(self) -> str | None:
        """The set-up code where one is needed; removes one that is not. The server calls this at its start."""
        if self._set_up:
            self.setup_code.remove()
            return None
        return self.setup_code.ensure()

    def _now_set_up(self) -> None:
        self._set_up = True
        self.setup_code.remove()

    def _forget(self) -> None:
        self._known.clear()
        for callback in self._revoked:
            callback()

    async def _call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
