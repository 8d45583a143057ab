"""What the room is told: where each camera stands, and whom to ask about it. Equal options mean that nothing has to begin anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Snmp:
    """How a switch is asked. version: "2c" with a community, or "3" with a user. auth, privacy: "" is none."""

    host: str
    port: int = 161
    version: str = "2c"
    community: str = field(default="", repr=False)
    user: str = ""
    auth: str = ""
    auth_password: str = field(default="", repr=False)
    privacy: str = ""
    privacy_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SwitchPort:
    """A port of a switch: group and index of POWER-ETHERNET-MIB (RFC 3621), and ifIndex of IF-MIB (RFC 2863)."""

    poe: int
    interface: int
    group: int = 1


@dataclass(frozen=True, slots=True)
class HttpAddress:
    """One address that answers in JSON. path: with its query, as it stands in the request."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay that feeds a camera: `key` of the answer (dots lead inwards) is `on` while it does."""

    address: HttpAddress
    key: str
    on: bool | int | str = True


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter in front of a camera: it has power while `key` of the answer is above this many watts."""

    address: HttpAddress
    key: str
    watts_above: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a camera stands. host, port: of its main stream. behind: the switch's name; "" is not known."""

    camera: str
    host: str
    port: int
    behind: str = ""
    switch_port: SwitchPort | None = None
    relay: Relay | None = None
    meter: Meter | None = None


@dataclass(frozen=True, slots=True)
class Ups:
    """A UPS that a NUT server (upsd) speaks for."""

    name: str
    host: str
    port: int = 3493
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def by(self) -> str:
        """Who says it, for people and the ledger."""
        return f"nut {self.name}@{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Options:
    """All of it. switches: None for one that cannot be asked."""

    places: tuple[Place, ...] = ()
    switches: Mapping[str, Snmp | None] = field(default_factory=lambda: MappingProxyType({}))
    ups: Ups | None = None
