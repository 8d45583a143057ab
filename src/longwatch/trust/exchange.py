"""What is said when a site joins or renews: one JSON text each way, on a WebSocket of its own. Pure. docs/ref/uplink.md names the paths.

Either end may be broken or dishonest: what comes is read key by key, and every size is capped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from longwatch.base.errors import LongwatchError
from longwatch.base.ids import is_slug
from longwatch.ledger.checkpoint import KEY_BYTES
from longwatch.trust.codes import SECRET_BYTES

SUBPROTOCOL = "longwatch.enrol.1"
MAX_BYTES = 32 << 10
PATH_CA, PATH_ENROL, PATH_RENEW, PATH_UPLINK = "/ca", "/enrol", "/renew", "/uplink"
REASON_HEADER = "X-Longwatch-Reason"
"""Of a refused handshake: a word of `fleet.Verdict`, or `no_certificate`."""


class ExchangeError(LongwatchError):
    """What came is no such message."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A site that joins. origin, key: of its ledger's log. role: `post` or `hub`."""

    secret: bytes = field(repr=False)
    post: str
    name: str
    role: str
    origin: str
    key: bytes
    csr: bytes

    def text(self) -> str:
        """As it is sent."""
        return json.dumps({
            "v": 1, "secret": self.secret.hex(), "post": self.post, "name": self.name, "role": self.role, "origin": self.origin,
            "key": self.key.hex(), "csr": self.csr.decode("ascii"),
        })  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """What the hub answers: the certificate (PEM), and the keys by which it is known from now on. courier: `age1...`, or empty."""

    hub: str
    hub_name: str
    certificate: bytes
    expires_us: int
    cosigner: bytes
    command_key: bytes
    courier: str = ""

    def text(self) -> str:
        """As it is sent."""
        return json.dumps({
            "hub": self.hub, "name": self.hub_name, "certificate": self.certificate.decode("ascii"), "expires_us": self.expires_us,
            "cosigner": self.cosigner.hex(), "command_key": self.command_key.hex(), "courier": self.courier,
        })  # fmt: skip


def refusal(error: LongwatchError, reason: str = "") -> str:
    """The answer where there is none to give. reason: a word for programs."""
    return json.dumps({"error": {"what": error.what, "why": error.why, "remedy": error.remedy, "reason": reason}})


def parse_asking(text: str | bytes) -> Asking:
    """What a site asks. Raises ExchangeError."""
    said = _object(text)
    if said.get("v") != 1:
        raise ExchangeError(
            "a version of joining that this hub does not know", remedy="upgrade the older of the two programs"
        )
    post, role = _text(said, "post", 40), _text(said, "role", 10)
    if not is_slug(post) or role not in {"post", "hub"}:
        raise ExchangeError("no id of a site")
    return Asking(
        _hex(said, "secret", SECRET_BYTES), post, _printable(_text(said, "name", 100)), role, _text(said, "origin", 200), _hex(said, "key", KEY_BYTES),
        _text(said, "csr", 8 << 10).encode(),
    )  # fmt: skip


def parse_given(text: str | bytes) -> Given:
    """What the hub answers. Raises ExchangeError, or LongwatchError with the hub's own words where it refuses."""
    said = _object(text)
    problem = said.get("error")
    if isinstance(problem, dict):
        words = {name: str(problem.get(name, ""))[:500] for name in ("what", "why", "remedy")}
        raise LongwatchError(f"the hub refuses: {words['what']}", why=words["why"], remedy=words["remedy"])
    expires_us = said.get("expires_us")
    if type(expires_us) is not int or not is_slug(_text(said, "hub", 40)):
        raise ExchangeError("the hub's answer cannot be read")
    return Given(
        _text(said, "hub", 40), _printable(_text(said, "name", 100)), _text(said, "certificate", 8 << 10).encode(), expires_us,
        _hex(said, "cosigner", KEY_BYTES), _hex(said, "command_key", KEY_BYTES), _text(said, "courier", 200),
    )  # fmt: skip


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        said = json.loads(text) if len(text) <= MAX_BYTES else None
    except (ValueError, RecursionError) as error:
        raise ExchangeError("no JSON where some belongs") from error
    if not isinstance(said, dict):
        raise ExchangeError("no JSON object where one belongs")
    return said


def _text(said: dict[str, Any], name: str, most: int) -> str:
    value = said.get(name)
    if (
        not isinstance(value, str)
        or len(value) > most
        or (not value.isascii() and name in {"csr", "certificate", "origin"})
    ):
        raise ExchangeError(f"no text as `{name}`")
    return value


def _printable(text: str) -> str:
    """Without what moves a cursor on a terminal, or no database takes."""
    return "".join(letter for letter in text if letter.isprintable())


def _hex(said: dict[str, Any], name: str, size: int) -> bytes:
    value = _text(said, name, 2 * size)
    try:
        raw = bytes.fromhex(value)
    except ValueError as error:
        raise ExchangeError(f"no bytes as `{name}`") from error
    if len(raw) != size:
        raise ExchangeError(f"no bytes as `{name}`")
    return raw
