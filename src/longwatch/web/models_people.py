"""What goes in and out of the routes about accounts and ways in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from longwatch.web.model import Model

RoleName = Literal["viewer", "operator", "inspector", "admin"]
CameraIds = Annotated[list[Annotated[str, Field(min_length=1, max_length=40)]], Field(max_length=1000)]
Reason = Annotated[
    str, Field(max_length=500, description="Why: kept beside the ledger, and erased as other words about people.")
]
Credential = Annotated[dict[str, Any], Field(description="As `PublicKeyCredential.toJSON()` writes it.")]
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Password = Annotated[str, Field(min_length=1, max_length=2000)]


class User(Model):
    """Somebody who may sign in. cameras: the only ones allowed; null means all. code_until: a one-time code is waiting."""

    subject: int
    name: str
    role: RoleName
    cameras: list[str] | None
    disabled: bool
    created: datetime
    has_password: bool
    passkey_only: bool
    passkeys: int
    issuers: list[str]
    sessions: int
    code_until: datetime | None


class Users(Model):
    """All that the caller may see."""

    items: list[User]


class NewUser(Model):
    """Who, and what they may."""

    name: _Name
    role: RoleName
    cameras: CameraIds | None = None
    reason: Reason = ""


class Code(Model):
    """A one-time code with which its user sets a password; said this once."""

    subject: int
    code: str
    until: datetime


class Rights(Model):
    """Role and cameras; null means all cameras."""

    role: RoleName
    cameras: CameraIds | None = None
    reason: Reason


class Because(Model):
    """An act that asks why."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Disabled(Model):
    """Whether the account lets nobody in."""

    disabled: bool
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Token(Model):
    """A bearer token, without what opens anything."""

    subject: int
    name: str
    role: RoleName
    cameras: list[str] | None
    created: datetime
    expires: datetime | None


class Tokens(Model):
    """All that the caller may see."""

    items: list[Token]


class NewToken(Model):
    """For which program, and what it may. days: how long it is good; null for no end."""

    name: _Name
    role: RoleName
    cameras: CameraIds | None = None
    days: Annotated[int, Field(ge=1, le=3650)] | None = None
    reason: Reason = ""


class MadeToken(Model):
    """The token: said this once."""

    name: str
    token: str


class PasskeyOffer(Model):
    """Whether a browser at this address may use passkeys, and why not. host: the name that passkeys are bound to."""

    offered: bool
    why: Literal["", "address", "insecure"]
    host: str


class Ways(Model):
    """How to sign in. provider: what its button says; null where there is none."""

    passkey: PasskeyOffer
    provider: str | None


class Asked(Model):
    """What a browser is asked for. id: goes back with the answer."""

    id: str
    publicKey: dict[str, Any]  # noqa: N815  # as the browser calls it


class PasskeyLogin(Model):
    """What the device answered."""

    id: Annotated[str, Field(max_length=100)]
    credential: Credential


class GoTo(Model):
    """Where the browser is to go."""

    address: str


class CodeLogin(Model):
    """A one-time code, and the password to be."""

    code: Annotated[str, Field(min_length=1, max_length=200)]
    password: _Password


class PasswordChange(Model):
    """The password as it is, and as it shall be."""

    old: _Password
    new: _Password


class OwnPasskey(Model):
    """One passkey. synced: it may be on more devices than one. here: it is of this address."""

    id: int
    name: str
    host: str
    here: bool
    synced: bool
    created: datetime
    used: datetime | None


class OwnIdentity(Model):
    """Who somebody is at a provider. provisioned: the account was made by it."""

    id: int
    issuer: str
    provisioned: bool
    created: datetime


class OwnWays(Model):
    """The ways in of whoever asks."""

    has_password: bool
    passkey_only: bool
    passkeys: list[OwnPasskey]
    identities: list[OwnIdentity]
    passkey: PasskeyOffer
    provider: str | None


class MakePasskey(Model):
    """The password, where there is one: whoever finds a page open shall not make themselves a way in."""

    password: Annotated[str, Field(max_length=2000)] = ""


class MadePasskey(Model):
    """What the device answered, and what its user calls it."""

    id: Annotated[str, Field(max_length=100)]
    credential: Credential
    name: Annotated[str, Field(max_length=200)] = ""


class PasskeyOnly(Model):
    """Whether the password shall open nothing."""

    only: bool


class OwnSession(Model):
    """One login. here: this one. seen: about when it was last used."""

    id: str
    here: bool
    created: datetime
    seen: datetime
    expires: datetime
    by: str
    address: str
    agent: str


class OwnSessions(Model):
    """The open logins of whoever asks."""

    items: list[OwnSession]


class SignOut(Model):
    """Which logins end: all, or all but this one."""

    keep_this: bool = False
