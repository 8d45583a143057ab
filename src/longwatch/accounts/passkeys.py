"""Passkeys: WebAuthn credentials that show who somebody is, without a name and without a password (W3C WebAuthn Level 3).

A passkey is enough by itself, because the device asks who is there (`userVerification: required`): a thing one has, and what one
knows or is. One that does not ask is not taken. It is bound by the browser to the host that it was made at, so that no other
site can ask for it. A user may have several; a user may say that the password shall open nothing any more (`passkey_only`).

The library is imported where it is asked, so with the first passkey: it is 80 modules, and most posts have none.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
import structlog

from longwatch.accounts.accounts import Accounts
from longwatch.accounts.challenges import Pending
from longwatch.accounts.limits import Limiter, ThrottledError, place_of
from longwatch.accounts.roles import Principal
from longwatch.accounts.store import UserRow, still_administered, user_row
from longwatch.accounts.who import Who, clean
from longwatch.base.errors import UsageError
from longwatch.server_db.schema import passkeys, subjects, users

if TYPE_CHECKING:  # see the module
    from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
    from webauthn.registration.verify_registration_response import VerifiedRegistration

MOST_OF_ONE = 20
_MOST_ASKED = 1_000
_ASKED_S = 300.0
_MOST_NAME = 80
_TRANSPORTS = frozenset({"usb", "nfc", "ble", "smart-card", "hybrid", "internal"})
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a browser stands. host: the relying party's id; origin: as the browser says it, `https://host[:port]`."""

    host: str
    origin: str


@dataclass(frozen=True, slots=True)
class Passkey:
    """One of a user, without its key. id: its number. synced: it may be on more devices than one."""

    id: int
    name: str
    host: str
    synced: bool
    created_us: int
    used_us: int | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """challenge: what the device signs. user_id: for whom a key is made; None where somebody signs in."""

    challenge: bytes
    place: Place
    user_id: int | None


class Passkeys:
    """See the module. Challenges are in memory: a restart of the server voids them."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._db = accounts.db
        self._engine = accounts.db.engine
        self._making: Pending[_Asked] = Pending(accounts.clock, _MOST_ASKED, _ASKED_S)
        self._entering: Pending[_Asked] = Pending(accounts.clock, _MOST_ASKED, _ASKED_S)
        self._askers = Limiter(accounts.clock, 30, 1.0)

    # -- making one

    async def asked_to_make(self, principal: Principal, place: Place, post: str) -> dict[str, Any]:
        """`id` for `made`, and `publicKey` for `navigator.credentials.create`. post: what the device shows as its site."""
        from webauthn import generate_registration_options
        from webauthn.helpers import options_to_json_dict
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            PublicKeyCredentialDescriptor,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        user = await self._own(principal)
        handle = user.handle or await self._db.call(self._give_handle, user.id)
        known = await self._db.call(self._credentials, user.id)
        if len(known) >= MOST_OF_ONE:
            raise UsageError(f"{MOST_OF_ONE} passkeys are the most", remedy="remove one that is not used")
        options = generate_registration_options(
            rp_id=place.host,
            rp_name=post or place.host,
            user_name=user.name,
            user_id=handle,
            challenge=secrets.token_bytes(32),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=credential) for credential in known],
        )
        number = self._making.put(_Asked(options.challenge, place, user.id))
        return {"id": number, "publicKey": options_to_json_dict(options)}

    async def made(self, principal: Principal, asked: str, credential: dict[str, Any], name: str, who: Who) -> Passkey:
        """The device answered: keep its key. Raises UsageError where the answer is not good."""
        from webauthn.helpers.structs import CredentialDeviceType

        waiting = self._making.take(asked)
        if waiting is None or waiting.user_id != principal.id:
            raise UsageError("this took too long, or was done already", remedy="begin again")
        found = _registration(credential, waiting)
        if found is None:
            raise UsageError("the device's answer is not good", remedy="try again, or use another device")
        named = clean(name, _MOST_NAME) or "passkey"
        tell = self._accounts.tell("passkey_added", "user", who)
        synced, now_us = (
            found.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
            self._accounts.clock.wall_us(),
        )
        values = {
            "user_id": principal.id, "credential": found.credential_id, "public_key": found.credential_public_key,
            "sign_count": found.sign_count, "name": named, "host": waiting.place.host,
            "synced": synced, "transports": _transports(credential), "created_us": now_us, "used_us": None,
        }  # fmt: skip

        def keep() -> Passkey:
            with self._engine.begin() as connection:
                key = connection.execute(sa.insert(passkeys).values(values)).inserted_primary_key
                assert key is not None
                self._accounts.store.outbox.add(connection, tell(principal.subject, 0), must=True)
                return Passkey(int(key[0]), named, waiting.place.host, synced, now_us, None)

        try:
            made = await self._db.call(keep)
        except sa.exc.IntegrityError as error:
            raise UsageError("this passkey is known already", remedy="use another device") from error
        self._accounts.journal.wake()
        return made

    # -- signing in

    def asked_to_enter(self, place: Place, address: str) -> dict[str, Any]:
        """`id` for `login`, and `publicKey` for `navigator.credentials.get`. Raises ThrottledError."""
        wait_s = self._askers.take(place_of(address))
        if wait_s:
            raise ThrottledError(wait_s)
        from webauthn import generate_authentication_options
        from webauthn.helpers import options_to_json_dict
        from webauthn.helpers.structs import UserVerificationRequirement

        options = generate_authentication_options(
            rp_id=place.host,
            challenge=secrets.token_bytes(32),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        number = self._entering.put(_Asked(options.challenge, place, None))
        return {"id": number, "publicKey": options_to_json_dict(options)}

    async def login(
        self, asked: str, credential: dict[str, Any], address: str, agent: str
    ) -> tuple[str, Principal] | None:
        """As `Accounts.login`. None for an answer that is not good, or a key that nobody has here any more."""
        await self._accounts.take(address, agent)
        waiting = self._entering.take(asked)
        found = None if waiting is None else await self._db.call(self._of_credential, _raw_id(credential))
        good = None
        if waiting is not None and found is not None and found.host == waiting.place.host:
            good = _authentication(credential, waiting, found)
        if found is None or good is None:
            account = None if found is None else (found.user.name, found.user.subject)
            await self._accounts.journal.refused(address, agent, account, throttled=False)
            return None
        self._accounts.give_back(address)
        await self._db.call(self._used, found.id, good.new_sign_count, self._accounts.clock.wall_us())
        who = Who(found.user.subject, user=found.user.name, address=address, agent=agent)
        return await self._accounts.begin(found.user, who, "passkey")

    # -- those that are there

    async def listed(self, principal: Principal) -> list[Passkey]:
        """Those of this user, the oldest first."""
        return await self._db.call(self._listed, principal.id)

    async def is_only_way(self, principal: Principal) -> bool:
        """Whether the password opens nothing."""
        return (await self._own(principal)).passkey_only

    async def remove(self, principal: Principal, number: int, who: Who) -> None:
        """One of them. Raises UsageError: not there, or the last way in."""
        user = await self._own(principal)
        tell = self._accounts.tell("passkey_removed", "user", who)

        def remove() -> bool:
            with self._engine.begin() as connection, still_administered(connection):
                which = sa.and_(passkeys.c.user_id == user.id, passkeys.c.id == number)
                if not connection.execute(sa.delete(passkeys).where(which)).rowcount:
                    return False
                if (user.passkey_only or not user.password) and not _count(connection, user.id):
                    raise UsageError(
                        "this passkey is the only way in",
                        remedy="add another passkey first, or allow the password again",
                    )
                self._accounts.store.outbox.add(connection, tell(user.subject, 0), must=True)
                return True

        if not await self._db.call(remove):
            raise UsageError("there is no such passkey of yours", remedy="see the list of your passkeys")
        self._accounts.changed()

    async def set_only_way(self, principal: Principal, who: Who, *, only: bool) -> None:
        """Whether the password shall open nothing. Raises UsageError without a passkey."""
        user = await self._own(principal)
        tell = self._accounts.tell("passkey_only" if only else "password_again", "user", who)
        if only and not await self.listed(principal):
            raise UsageError("there is no passkey yet", remedy="add a passkey first")

        def change() -> bool:
            return self._accounts.store.change_user(user.subject, {"passkey_only": only}, tell, ends=False)

        await self._db.call(change)
        self._accounts.changed()

    async def _own(self, principal: Principal) -> UserRow:
        row = await self._db.call(self._accounts.store.user_of, principal.subject)
        if row is None or principal.kind != "user":
            raise UsageError("a token has no passkeys", remedy="sign in as a person")
        return row

    # -- statements: on the file's thread

    def _give_handle(self, user_id: int) -> bytes:
        handle = secrets.token_bytes(32)
        with self._engine.begin() as connection:
            connection.execute(sa.update(users).where(users.c.id == user_id).values(handle=handle))
        return handle

    def _credentials(self, user_id: int) -> list[bytes]:
        query = sa.select(passkeys.c.credential).where(passkeys.c.user_id == user_id)
        with self._engine.connect() as connection:
            return [bytes(row.credential) for row in connection.execute(query)]

    def _listed(self, user_id: int) -> list[Passkey]:
        query = sa.select(passkeys).where(passkeys.c.user_id == user_id).order_by(passkeys.c.id)
        with self._engine.connect() as connection:
            return [
                Passkey(row.id, row.name, row.host, row.synced, row.created_us, row.used_us)
                for row in connection.execute(query)
            ]

    def _of_credential(self, credential: bytes) -> _Found | None:
        key = sa.select(passkeys).where(passkeys.c.credential == credential)
        with self._engine.connect() as connection:
            row = connection.execute(key).first()
            if row is None:
                return None
            user = sa.select(users, subjects.c.number).join_from(
                users, subjects, sa.and_(subjects.c.kind == "user", subjects.c.account == users.c.id)
            )
            whose = connection.execute(user.where(users.c.id == row.user_id)).one()
        return _Found(row.id, row.host, bytes(row.public_key), row.sign_count, user_row(whose))

    def _used(self, number: int, sign_count: int, now_us: int) -> None:
        with self._engine.begin() as connection:
            values = {"sign_count": sign_count, "used_us": now_us}
            connection.execute(sa.update(passkeys).where(passkeys.c.id == number).values(values))


@dataclass(frozen=True, slots=True)
class _Found:
    """A key that is kept, and whose it is."""

    id: int
    host: str
    public_key: bytes
    sign_count: int
    user: UserRow


def _count(connection: sa.Connection, user_id: int) -> int:
    query = sa.select(sa.func.count()).select_from(passkeys).where(passkeys.c.user_id == user_id)
    return int(connection.execute(query).scalar_one())


def _registration(credential: dict[str, Any], asked: _Asked) -> VerifiedRegistration | None:
    from webauthn import verify_registration_response

    return _verified(
        lambda: verify_registration_response(
            credential=credential,
            expected_challenge=asked.challenge,
            expected_rp_id=asked.place.host,
            expected_origin=asked.place.origin,
            require_user_verification=True,
        )
    )


def _authentication(credential: dict[str, Any], asked: _Asked, found: _Found) -> VerifiedAuthentication | None:
    if not _is_handle(credential, found.user.handle):
        return None
    from webauthn import verify_authentication_response

    return _verified(
        lambda: verify_authentication_response(
            credential=credential,
            expected_challenge=asked.challenge,
            expected_rp_id=asked.place.host,
            expected_origin=asked.place.origin,
            credential_public_key=found.public_key,
            credential_current_sign_count=found.sign_count,
            require_user_verification=True,
        )
    )


def _verified(verify: Callable[[], _T]) -> _T | None:
    try:
        return verify()
    except Exception as error:  # noqa: BLE001  # named boundary: whatever the library says of bytes that anybody may send
        _log.info("a passkey's answer is refused", reason=str(error).splitlines()[0] if str(error) else repr(error))
        return None


def _response(credential: dict[str, Any]) -> dict[str, Any]:
    response = credential.get("response")
    return response if isinstance(response, dict) else {}


def _is_handle(credential: dict[str, Any], handle: bytes | None) -> bool:
    """Whether the device says the same user as we know for its key; those of second factors say none."""
    said = _response(credential).get("userHandle")
    return said is None or (handle is not None and _bytes(said) == handle)


def _raw_id(credential: dict[str, Any]) -> bytes:
    return _bytes(credential.get("rawId"))


def _bytes(said: object) -> bytes:
    """base64url; b"" for what is none."""
    from webauthn.helpers import base64url_to_bytes

    try:
        return base64url_to_bytes(said) if isinstance(said, str) and len(said) < 3_000 else b""
    except ValueError:
        return b""


def _transports(credential: dict[str, Any]) -> list[str] | None:
    """How the device is reached, as it says: a hint for browsers, kept where it is one that exists."""
    said = _response(credential).get("transports")
    return sorted({one for one in said if isinstance(one, str)} & _TRANSPORTS) if isinstance(said, list) else None
