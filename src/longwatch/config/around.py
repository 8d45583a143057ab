"""Settings of what stands around the cameras: switches, relays, meters, the UPS."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, Field, WithJsonSchema

from longwatch.base import secrets
from longwatch.config.problems import Wrong
from longwatch.config.section import Section

_NO_SECRETS = frozenset({"public", "private"})
"""Every switch knows these two. To take such words out of every log line would hide nothing but the log."""
_MAX_INDEX = 2**31 - 1


def _secret(value: object) -> object:
    """Register it before anything can be said about it."""
    if isinstance(value, str) and value not in _NO_SECRETS:
        secrets.register(value)
    if not isinstance(value, str) or not value or len(value) > 128 or not value.isprintable():
        raise Wrong(
            "a password is text of 1 to 128 characters in one line", "write it as ${NAME}, from the secrets file"
        )
    return value


Secret = Annotated[str, BeforeValidator(_secret), WithJsonSchema({"type": "string"})]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and a port of a device; what stands before `@`, where its kind has such a part."""

    host: str
    port: int
    name: str = ""


def _endpoint(text: object, port: int, example: str) -> Endpoint:
    match = re.fullmatch(
        r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[\w.-]+))(?::(?P<port>\d{1,5}))?", str(text).strip(), re.ASCII
    )
    host = "" if match is None else match["v6"] or match["host"]
    if match is None or not host or len(host) > 253 or int(match["port"] or port) not in range(1, 65536):
        raise Wrong(f"{text!r} is not the address of a device", f"write it as {example}")
    if match["v6"]:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise Wrong(f"{text!r} is not the address of a device", f"write it as {example}") from None
    return Endpoint(host, int(match["port"] or port))


def _snmp_address(value: object) -> Endpoint:
    return value if isinstance(value, Endpoint) else _endpoint(value, 161, "10.0.0.2, or 10.0.0.2:161")


def _nut(value: object) -> Endpoint:
    if isinstance(value, Endpoint):
        return value
    name, mark, place = str(value).strip().partition("@")
    if not mark or not re.fullmatch(r"[\w.-]{1,100}", name, re.ASCII):
        raise Wrong(f"{value!r} does not name a UPS", "write it as ups@127.0.0.1:3493, as upsc takes it")
    found = _endpoint(place, 3493, "ups@127.0.0.1:3493")
    return Endpoint(found.host, found.port, name)


@dataclass(frozen=True, slots=True)
class JsonUrl:
    """An address that answers in JSON. Its repr shows no secret."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


_URL_FORM = "write it as http://10.0.0.9/rpc/Switch.GetStatus?id=0"


def _json_url(value: object) -> JsonUrl:
    """The text is already expanded, its parts percent-encoded (config.expand.url)."""
    if isinstance(value, JsonUrl):
        return value
    try:
        parts = urlsplit(str(value))
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        host = parts.hostname or ""
    except (KeyError, ValueError):
        raise Wrong("this is not the URL of a relay or meter", _URL_FORM) from None
    if not host or not host.isascii():
        raise Wrong("this URL names no host", _URL_FORM)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return JsonUrl(parts.scheme, host, port, path, unquote(parts.username or ""), unquote(parts.password or ""))


Url = Annotated[
    JsonUrl, BeforeValidator(_json_url), WithJsonSchema({"type": "string", "pattern": "^(?i:https?)://"})
]  # fmt: skip
JsonKey = Annotated[str, Field(min_length=1, max_length=200)]


def _version(value: object) -> object:
    return "2c" if value == 2 else str(value)


class SnmpSwitch(Section):
    """How the switch is asked."""

    address: Annotated[Endpoint, BeforeValidator(_snmp_address), WithJsonSchema({"type": "string"})] = Field(
        description="Of the switch, as `10.0.0.2` or `10.0.0.2:161`."
    )
    version: Annotated[Literal["2c", "3"], BeforeValidator(_version)] = Field(
        default="2c", description="`2c` with a community, or `3` with a user."
    )
    community: Secret | None = Field(default=None, description="Of version `2c`; reading is enough. Default: `public`.")
    user: str = Field(default="", max_length=32, description="Of version `3`.")
    auth: Literal["md5", "sha", "sha256", "sha512"] | None = Field(default=None, description="How the user is known.")
    auth_password: Secret | None = Field(default=None, min_length=8, description="At least 8 characters.")
    privacy: Literal["des", "aes", "aes256"] | None = Field(default=None, description="How it is encrypted.")
    privacy_password: Secret | None = Field(default=None, min_length=8, description="At least 8 characters.")


class Switch(Section):
    """A switch that cameras stand behind. Without `snmp` it says only which cameras share it."""

    snmp: SnmpSwitch | None = Field(default=None, description="Where it can be asked which ports give power.")


class PortNumbers(Section):
    """A port whose numbers differ from each other."""

    poe: int = Field(ge=1, le=_MAX_INDEX, strict=True, description="Its index in POWER-ETHERNET-MIB.")
    interface: int = Field(ge=1, le=_MAX_INDEX, strict=True, description="Its ifIndex in IF-MIB.")
    group: int = Field(default=1, ge=1, le=_MAX_INDEX, strict=True, description="Its PSE group: the member of a stack.")


def _port(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return {"poe": value, "interface": value}
    if isinstance(value, dict | PortNumbers):
        return value
    raise Wrong(f"{value!r} is not a port", "write its number, or {poe: 3, interface: 10103}")


_INDEX = {"type": "integer", "minimum": 1, "maximum": _MAX_INDEX}
Port = Annotated[
    PortNumbers,
    BeforeValidator(_port),
    WithJsonSchema(
        {
            "anyOf": [
                _INDEX,
                {
                    "type": "object",
                    "properties": {"poe": _INDEX, "interface": _INDEX, "group": _INDEX},
                    "required": ["poe", "interface"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


class Relay(Section):
    """A relay that feeds the camera, and answers in JSON."""

    url: Url = Field(description="Asked by GET; `http` or `https`, with `user:${PASSWORD}@` where it wants a login.")
    field: JsonKey = Field(description="Where the answer stands, as `output`, `ison` or `relays.0.ison`.")
    on: bool | int | str = Field(default=True, description="What stands there while the camera has power.")


class Meter(Section):
    """A meter in front of the camera, which answers in JSON."""

    url: Url = Field(description="As that of a relay.")
    field: JsonKey = Field(description="Where the watts stand, as `apower` or `StatusSNS.ENERGY.Power`.")
    watts_above: float = Field(ge=0, le=100_000, allow_inf_nan=False, description="The camera has power above this.")


class Ups(Section):
    """The UPS of the post."""

    nut: Annotated[Endpoint, BeforeValidator(_nut), WithJsonSchema({"type": "string"})] = Field(
        description="`NAME@HOST:PORT` of a NUT server, as `upsc` takes it."
    )
    user: str = Field(default="", max_length=100, pattern=r"^[!-~ ]*$", description="Where the server wants one.")
    password: Secret | None = Field(default=None, description="Of that user.")


def resolved_switch(switch: Switch) -> dict[str, Any] | None:
    """As `node` decodes it."""
    snmp = switch.snmp
    if snmp is None:
        return None
    return {
        "host": snmp.address.host, "port": snmp.address.port, "version": snmp.version,
        "community": snmp.community or "public", "user": snmp.user, "auth": snmp.auth or "",
        "auth_password": snmp.auth_password or "", "privacy": snmp.privacy or "",
        "privacy_password": snmp.privacy_password or "",
    }  # fmt: skip


def resolved_ups(ups: Ups | None) -> dict[str, Any] | None:
    """As `node` decodes it."""
    if ups is None:
        return None
    return {
        "name": ups.nut.name, "host": ups.nut.host, "port": ups.nut.port, "user": ups.user, "password": ups.password or "",
    }  # fmt: skip


def resolved_url(url: JsonUrl) -> dict[str, Any]:
    """As `node` decodes it."""
    return {
        "scheme": url.scheme, "host": url.host, "port": url.port, "path": url.path, "user": url.user,
        "password": url.password,
    }  # fmt: skip
