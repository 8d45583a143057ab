"""Signing in by a provider of identities, beside the local ways in, which always remain.

Somebody is who they are by (issuer, subject), never by an e-mail address or a name: those change hands. Either a user of this
post binds an identity to their account while they are signed in, or the provider's claims give a role, and an account is made of
its own; then role follows the claims at each login, and who has none any more is let in no more.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from longwatch.accounts.accounts import Accounts, check_name, sha256
from longwatch.accounts.challenges import Pending
from longwatch.accounts.limits import Limiter, ThrottledError, place_of
from longwatch.accounts.provider import ProviderError, ProviderOptions
from longwatch.accounts.roles import Principal, Role
from longwatch.accounts.store import UserRow, add_account, still_administered, user_row
from longwatch.accounts.who import MOST_NAME, Who, clean
from longwatch.base.errors import UsageError
from longwatch.server_db.schema import identities, passkeys, subjects, users

if TYPE_CHECKING:  # see there
    from longwatch.accounts.provider_asking import Provider

_MOST_ON_THEIR_WAY = 1_000
_ON_THEIR_WAY_S = 600.0
_MOST_SUB = 255


@dataclass(frozen=True, slots=True)
class Identity:
    """One of a user. provisioned: the account was made for it."""

    id: int
    issuer: str
    provisioned: bool
    created_us: int


@dataclass(frozen=True, slots=True)
class _Flow:
    """A browser on its way to the provider and back. binding: hash of the cookie that it carries. link: who binds an identity."""

    nonce: str
    verifier: str
    redirect_uri: str
    binding: bytes
    link: Principal | None


class Identities:
    """See the module. Who is on their way is in memory: a restart of the server sends them back to the start."""

    def __init__(self, accounts: Accounts, options: ProviderOptions | None) -> None:
        self._accounts = accounts
        self._db = accounts.db
        self._engine = accounts.db.engine
        self._provider: Provider | None = None
        if options is not None:
            from longwatch.accounts.provider_asking import Provider

            self._provider = Provider(options, accounts.clock)
        self._flows: Pending[_Flow] = Pending(accounts.clock, _MOST_ON_THEIR_WAY, _ON_THEIR_WAY_S)
        self._askers = Limiter(accounts.clock, 20, 2.0)

    @property
    def name(self) -> str | None:
        """What the button says; None where there is no provider."""
        return None if self._provider is None else self._provider.options.name

    async def begin(self, redirect_uri: str, address: str, link: Principal | None = None) -> tuple[str, str]:
        """Where the browser goes, and the cookie that binds its way back to it. Raises ProviderError and ThrottledError."""
        provider = self._asked()
        wait_s = self._askers.take(place_of(address))
        if wait_s:
            raise ThrottledError(wait_s)
        binding, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        state = self._flows.put(_Flow(nonce, verifier, redirect_uri, sha256(binding), link))
        return await provider.address(redirect_uri, state, nonce, verifier), binding

    async def finish(
        self, said: Mapping[str, str], binding: str, address: str, agent: str
    ) -> tuple[str, Principal] | None:
        """The way back: a session, or None where an identity was bound to who is signed in. said: the query of the way back.

        Raises ProviderError, and NotLetInError for a disabled account.
        """
        provider = self._asked()
        flow = self._flows.take(said.get("state", ""))
        if flow is None or not hmac.compare_digest(flow.binding, sha256(binding)):
            raise ProviderError("again", "this way in was begun elsewhere, or long ago", remedy="begin again")
        if said.get("iss", provider.options.issuer) != provider.options.issuer:  # RFC 9207
            raise ProviderError("refused", "another provider answers than was asked")
        code = said.get("code", "")
        if not code:
            await self._accounts.journal.refused(address, agent, None, throttled=False)
            raise ProviderError("refused", "the provider let nobody in", why=clean(said.get("error", ""), 80))
        claims = await provider.claims(code, flow.redirect_uri, flow.nonce, flow.verifier)
        sub = claims.get("sub")
        if not isinstance(sub, str) or not 0 < len(sub) <= _MOST_SUB:
            raise ProviderError("refused", "the provider does not say who it is")
        if flow.link is not None:
            await self._link(flow.link, sub, address, agent)
            return None
        return await self._enter(provider.options, sub, claims, address, agent)

    async def _enter(
        self, options: ProviderOptions, sub: str, claims: dict[str, Any], address: str, agent: str
    ) -> tuple[str, Principal]:
        found = await self._db.call(self._known, options.issuer, sub)
        role = role_of(options, claims)
        if found is not None and not found[1]:  # an account of this post, which says itself what it may
            user = found[0]
        elif role is None:
            await self._turn_away(found[0] if found else None, address, agent)
            raise ProviderError(
                "unknown", "the provider knows you, and this post does not", remedy="ask whoever administers this post"
            )
        elif found is not None:
            user = await self._as_claimed(found[0], role, address, agent)
        else:
            user = await self._provision(options.issuer, sub, role, claims, address, agent)
        who = Who(user.subject, user=user.name, address=address, agent=agent)
        return await self._accounts.begin(user, who, "oidc")

    async def _turn_away(self, user: UserRow | None, address: str, agent: str) -> None:
        """Nobody we know, or somebody who has no role any more: then what they have open ends too."""
        account = None if user is None else (user.name, user.subject)
        await self._accounts.journal.refused(address, agent, account, throttled=False)
        if user is not None:
            who = Who(user.subject, user=user.name, address=address, agent=agent)
            tell = self._accounts.tell("signed_out", "user", who, way="provider")
            await self._db.call(lambda: self._accounts.store.change_user(user.subject, {}, tell, ends=True))
            self._accounts.changed()

    async def _as_claimed(self, user: UserRow, role: Role, address: str, agent: str) -> UserRow:
        """The role that the provider gives today."""
        if user.role is role:
            return user
        who = Who(user.subject, user=user.name, address=address, agent=agent)
        also: dict[str, object] = {
            "role": str(role), "cameras": None if user.cameras is None else sorted(user.cameras),
        }  # fmt: skip
        tell = self._accounts.tell("rights", "user", who, also, way="provider")
        await self._db.call(lambda: self._accounts.store.change_user(user.subject, {"role": role}, tell, ends=False))
        self._accounts.changed()
        changed = await self._db.call(self._accounts.store.user_of, user.subject)
        assert changed is not None
        return changed

    async def _provision(
        self, issuer: str, sub: str, role: Role, claims: dict[str, Any], address: str, agent: str
    ) -> UserRow:
        """An account of its own: one of the same name that is there already belongs to somebody else."""
        wanted = _name_of(claims)
        for number in range(1, 100):
            name = wanted if number == 1 else f"{wanted[: MOST_NAME - 5]} ({number})"
            try:
                return await self._db.call(self._add, issuer, sub, role, name, address, agent)
            except sa.exc.IntegrityError:
                continue
        raise UsageError(f"there are too many users called {wanted!r}", remedy="ask whoever administers this post")

    async def _link(self, principal: Principal, sub: str, address: str, agent: str) -> None:
        still = await self._accounts.still(principal)
        if still is None:
            raise ProviderError("again", "you are not signed in any more", remedy="sign in, and begin again")
        who = Who(still.subject, user=still.name, address=address, agent=agent)
        tell = self._accounts.tell("identity_added", "user", who)
        issuer = self._asked().options.issuer
        values = {
            "user_id": still.id, "issuer": issuer, "sub": sub, "provisioned": False,
            "created_us": self._accounts.clock.wall_us(),
        }  # fmt: skip

        def bind() -> None:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(identities).values(values))
                self._accounts.store.outbox.add(connection, tell(still.subject, 0), must=True)

        try:
            await self._db.call(bind)
        except sa.exc.IntegrityError as error:
            raise ProviderError("taken", "this identity belongs to an account already") from error
        self._accounts.journal.wake()

    # -- those that are there

    async def listed(self, principal: Principal) -> list[Identity]:
        """Those of this user."""
        return await self._db.call(self._listed, principal.id)

    async def remove(self, principal: Principal, number: int, who: Who) -> None:
        """Take one from this user. Raises UsageError: not there, or the only way in."""
        tell = self._accounts.tell("identity_removed", "user", who)

        def remove() -> bool:
            with self._engine.begin() as connection, still_administered(connection):
                which = sa.and_(identities.c.user_id == principal.id, identities.c.id == number)
                if not connection.execute(sa.delete(identities).where(which)).rowcount:
                    return False
                if not _other_way(connection, principal.id):
                    raise UsageError("this is the only way in", remedy="add a passkey first, or ask for a password")
                self._accounts.store.outbox.add(connection, tell(principal.subject, 0), must=True)
                return True

        if not await self._db.call(remove):
            raise UsageError("there is no such identity of yours", remedy="see the list of your identities")
        self._accounts.changed()

    def _asked(self) -> Provider:
        if self._provider is None:
            raise ProviderError("away", "this post knows no provider of identities", remedy="set web.oidc")
        return self._provider

    # -- statements: on the file's thread

    def _known(self, issuer: str, sub: str) -> tuple[UserRow, bool] | None:
        """Whose it is, and whether the account was made for it."""
        query = (
            sa.select(users, subjects.c.number, identities.c.provisioned)
            .join_from(identities, users)
            .join(subjects, sa.and_(subjects.c.kind == "user", subjects.c.account == users.c.id))
            .where(identities.c.issuer == issuer, identities.c.sub == sub)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else (user_row(row), row.provisioned)

    def _add(self, issuer: str, sub: str, role: Role, name: str, address: str, agent: str) -> UserRow:
        """Raises IntegrityError where the name is taken."""
        now_us = self._accounts.clock.wall_us()
        values = {"name": name, "password": "", "role": role, "cameras": None, "created_us": now_us}

        def tell(subject: int, ended: int) -> Any:
            who = Who(subject, user=name, address=address, agent=agent)
            also: dict[str, object] = {"role": str(role), "cameras": None}
            return self._accounts.tell("added", "user", who, also, way="provider")(subject, ended)

        with self._engine.begin() as connection:
            number, subject = add_account(connection, self._accounts.store.outbox, users, values, "user", tell)
            connection.execute(
                sa.insert(identities).values(
                    user_id=number, issuer=issuer, sub=sub, provisioned=True, created_us=now_us
                )
            )
        return UserRow(number, name, "", role, None, subject)

    def _listed(self, user_id: int) -> list[Identity]:
        query = sa.select(identities).where(identities.c.user_id == user_id).order_by(identities.c.id)
        with self._engine.connect() as connection:
            return [Identity(row.id, row.issuer, row.provisioned, row.created_us) for row in connection.execute(query)]


def _other_way(connection: sa.Connection, user_id: int) -> bool:
    """Whether a user can come in without the identity that was just taken away."""
    others = [
        sa.select(users.c.id).where(users.c.id == user_id, users.c.password != "", ~users.c.passkey_only),
        sa.select(passkeys.c.id).where(passkeys.c.user_id == user_id),
        sa.select(identities.c.id).where(identities.c.user_id == user_id),
    ]
    return any(connection.execute(query.limit(1)).first() is not None for query in others)


def role_of(options: ProviderOptions, claims: Mapping[str, Any]) -> Role | None:
    """By the first of `roles` that the claim has; `default_role` where it has none."""
    found: Any = claims
    for part in options.role_claim.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    values = found if isinstance(found, list) else [found]
    return next((role for value, role in options.roles if value in values), options.default_role)


def _name_of(claims: Mapping[str, Any]) -> str:
    for claim in ("preferred_username", "name", "sub"):
        said = claims.get(claim)
        name = clean(said, MOST_NAME).strip() if isinstance(said, str) else ""
        if name:
            try:
                check_name(name)
            except UsageError:
                continue
            return name
    return "somebody"
