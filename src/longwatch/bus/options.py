"""How a broker is reached, and how what is asked over it fails. Importing this imports no NATS."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote

from longwatch.base.errors import LongwatchError


class BusError(LongwatchError):
    """Another process of this hub was asked and did not answer, or refused. reason: a word for programs."""

    def __init__(self, what: str, *, why: str = "", remedy: str = "", reason: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class BusOptions:
    """broker: `nats://user:password@host:port,host:port`, or tls://; `nats://token@host`. process, life: who we are (`fleet.Processes`). secret: what all processes of this hub share."""

    broker: str = field(repr=False)
    hub: str
    process: str
    life: int
    secret: bytes = field(repr=False)

    @property
    def servers(self) -> tuple[str, ...]:
        """Each as scheme://host:port, without a login."""
        scheme, _, rest = self.broker.partition("://")
        named = [part.rpartition("://")[2].rpartition("@")[2].strip("/") for part in rest.split(",")]
        return tuple(f"{scheme}://{host}" for host in named if host)

    @property
    def login(self) -> dict[str, str]:
        """As `nats.connect` takes it."""
        written, at, _ = self.broker.partition("://")[2].partition(",")[0].rpartition("@")
        user, colon, password = written.partition(":")
        if not at:
            return {}
        return {"user": unquote(user), "password": unquote(password)} if colon else {"token": unquote(user)}
