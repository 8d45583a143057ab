"""What an administrator does to accounts, and what a user does to their own. Each act and its entry are one transaction.

An administrator never learns a password: a new account, and one that is reset, gets a code with which its user sets one, once.
"""

from __future__ import annotations

import secrets
from typing import Any

from longwatch.accounts.accounts import Accounts, check_name, sha256
from longwatch.accounts.roles import Principal, Role
from longwatch.accounts.sessions import Session, id_of
from longwatch.accounts.setup_code import LETTERS, plain
from longwatch.accounts.store import TokenSeen, UserRow, UserSeen
from longwatch.accounts.who import Who
from longwatch.base.errors import UsageError
from longwatch.ledger import kinds

CODE_S = 2 * 86_400
_GROUPS = 4  # of five letters of 32: 100 bits


class Administration:
    """Accounts of others, by their subjects. Raises UsageError where there is no such account, or it cannot be."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._db = accounts.db
        self._store = accounts.store

    async def users(self) -> list[UserSeen]:
        """All of them, by name."""
        return await self._db.call(self._store.users, self._accounts.clock.wall_us())

    async def tokens(self) -> list[TokenSeen]:
        """All of them, by name."""
        return await self._db.call(self._store.tokens)

    async def user(self, subject: int) -> UserRow:
        """One of them."""
        row = await self._db.call(self._store.user_of, subject)
        if row is None:
            raise UsageError(f"there is no user with the number {subject}", remedy="see the list of users")
        return row

    async def add_user(
        self, name: str, role: Role, cameras: frozenset[str] | None, by: Who, reason: str = ""
    ) -> tuple[int, str, int]:
        """Somebody new, who sets a password with the code. Their subject, the code (said once), and until when it is good."""
        check_name(name)
        tell = self._accounts.tell("added", "user", by, _rights(role, cameras), reason)
        now_us = self._accounts.clock.wall_us()
        row = await self._db.call(self._store.add_user, name, "", role, cameras, now_us, tell)
        self._accounts.now_set_up()
        code, until_us = await self._code(row.subject, by, "", ends=False)
        return row.subject, code, until_us

    async def set_rights(
        self, subject: int, role: Role, cameras: frozenset[str] | None, by: Who, reason: str = ""
    ) -> None:
        """Role and cameras. Sessions go on with the new ones; what is open is checked again at once."""
        values = {"role": role, "cameras": None if cameras is None else sorted(cameras)}
        await self._change(subject, values, "rights", by, reason, _rights(role, cameras), ends=False)

    async def set_disabled(self, subject: int, by: Who, reason: str = "", *, disabled: bool) -> None:
        """A disabled account lets nobody in; its sessions end."""
        what = "disabled" if disabled else "enabled"
        await self._change(subject, {"disabled": disabled}, what, by, reason, ends=disabled)

    async def sign_out(self, subject: int, by: Who, reason: str = "") -> None:
        """End all sessions of a user."""
        await self._change(subject, {}, "signed_out", by, reason, ends=True)

    async def reset(self, subject: int, by: Who, reason: str = "") -> tuple[str, int]:
        """The password opens nothing any more, sessions end, and a code (said once) lets its user set a new one. Passkeys stay."""
        return await self._code(subject, by, reason, ends=True)

    async def remove(self, noun: str, subject: int, by: Who, reason: str = "") -> None:
        """A "user" or a "token" goes, and nothing of the row is left in the file."""
        tell = self._accounts.tell("removed", noun, by, reason=reason)
        if not await self._db.call(self._store.remove_subject, noun, subject, tell):
            raise UsageError(f"there is no {noun} with the number {subject}", remedy=f"see the list of {noun}s")
        self._accounts.changed()
        await self._accounts.purge()

    async def _change(
        self, subject: int, values: dict[str, Any], what: str, by: Who, reason: str,
        also: dict[str, object] | None = None, *, ends: bool,
    ) -> None:  # fmt: skip
        tell = self._accounts.tell(what, "user", by, also, reason)

        def change() -> bool:
            return self._store.change_user(subject, values, tell, ends=ends)

        if not await self._db.call(change):
            raise UsageError(f"there is no user with the number {subject}", remedy="see the list of users")
        self._accounts.changed()

    async def _code(self, subject: int, by: Who, reason: str, *, ends: bool) -> tuple[str, int]:
        code = "-".join("".join(secrets.choice(LETTERS) for _ in range(5)) for _ in range(_GROUPS))
        until_us = self._accounts.clock.wall_us() + CODE_S * 1_000_000
        tell = self._accounts.tell("code", "user", by, reason=reason)

        def put() -> bool:
            return self._store.put_code(subject, sha256(plain(code)), until_us, tell, ends=ends)

        if not await self._db.call(put):
            raise UsageError(f"there is no user with the number {subject}", remedy="see the list of users")
        self._accounts.changed()
        return code, until_us


class OwnAccount:
    """What somebody does to their own account."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._db = accounts.db
        self._store = accounts.store

    async def with_code(self, code: str, password: str, address: str, agent: str) -> tuple[str, Principal] | None:
        """Set a password with a one-time code, and sign in. None for a code that is wrong, used or over.

        Raises ThrottledError, and UsageError for a password that must not be.
        """
        await self._accounts.take(address, agent)
        hashed_code = sha256(plain(code))
        user = await self._db.call(self._store.user_of_code, hashed_code, self._accounts.clock.wall_us())
        if user is None:
            await self._accounts.journal.refused(address, agent, None, throttled=False)
            return None
        self._accounts.give_back(address)
        who = Who(user.subject, user=user.name, address=address, agent=agent)
        hashed = await self._accounts.hashed(password, user.name)
        tell = self._accounts.tell("password", "user", who, way="code")
        if not await self._db.call(self._store.use_code, hashed_code, user, hashed, tell):
            return None
        self._accounts.changed()
        return await self._accounts.begin(user, who, "code")

    async def set_password(self, principal: Principal, old: str, new: str, who: Who) -> bool:
        """A new password, with the old one. All other sessions end. False where the old one is wrong.

        Raises ThrottledError, and UsageError for a password that must not be, or where there is none to be replaced.
        """
        user = await self._user(principal)
        if not user.password:
            raise UsageError(
                "this account has no password", remedy="ask an administrator for a code, with which you set one"
            )
        if not await self._accounts.is_password(user, old, who.address, who.agent):
            return False
        hashed = await self._accounts.hashed(new, user.name)
        tell = self._accounts.tell("password", "user", who)

        def change() -> bool:
            values = {"password": hashed}
            return self._store.change_user(user.subject, values, tell, ends=True, keep=principal.proof)

        await self._db.call(change)
        self._accounts.changed()
        return True

    async def sessions(self, principal: Principal) -> list[tuple[Session, bool]]:
        """Their open logins, and whether it is this one."""
        rows = await self._db.call(self._accounts.sessions.listed, principal.id, self._accounts.clock.wall_us())
        here = id_of(principal.proof)
        return [(row, row.id == here) for row in rows]

    async def end_session(self, principal: Principal, session_id: str, who: Who) -> None:
        """End one of them."""
        said = self._accounts.journal.said(kinds.LOGOUT, {"from": "elsewhere"}, who)
        if not await self._db.call(self._accounts.sessions.end_one, principal.id, session_id, said):
            raise UsageError("there is no such login of yours", remedy="see the list of your logins")
        self._accounts.changed()

    async def sign_out_everywhere(self, principal: Principal, who: Who, *, keep_this: bool) -> None:
        """End all of them, this one too unless it is kept."""
        tell = self._accounts.tell("signed_out", "user", who)
        keep = principal.proof if keep_this else None

        def change() -> bool:
            return self._store.change_user(principal.subject, {}, tell, ends=True, keep=keep)

        await self._db.call(change)
        self._accounts.changed()

    async def _user(self, principal: Principal) -> UserRow:
        row = await self._db.call(self._store.user_of, principal.subject)
        if row is None or principal.kind != "user":
            raise UsageError("a token has no account of its own", remedy="sign in as a person")
        return row


def _rights(role: Role, cameras: frozenset[str] | None) -> dict[str, object]:
    return {"role": str(role), "cameras": None if cameras is None else sorted(cameras)}
