"""What a door asks of its hub's console, over the bus, and how that answers: a site that joins or renews. docs/design/broker.md.

The console alone has the key of the hub's CA and the hub's ledger: so it alone issues certificates, and each is an entry before it is given, whichever process the
site dialled in at. The door sees to the exchange, and to who tries too often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.bus import BusError, Said
from longwatch.config.hub import CONSOLE
from longwatch.fleet import Fleet
from longwatch.fleet.certificates import Certificates, NotEnrolledError, Verdict
from longwatch.node.hub.desk import HubDesk, greeting_of
from longwatch.node.hub.ways import text_of
from longwatch.trust import CertificateError, DoorKeys, Peer
from longwatch.trust.exchange import MAX_BYTES, Asking, ExchangeError, parse_asking

if TYPE_CHECKING:  # most hubs have no broker
    from longwatch.bus import Bus

_REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Passed:
    """What the console answered, for the site as it stands."""

    said: str

    def text(self) -> str:
        """As it is sent."""
        return self.said


class DoorDesk:
    """`listener.Desk` at a door: who may come in stands in the database; who joins or renews is asked of the console."""

    def __init__(self, keys: DoorKeys, name: str, fleet: Fleet, bus: Bus, clock: Clock) -> None:
        """name: of the hub, for people."""
        self.on_revoked: list[Callable[[str], Awaitable[None]]] = []
        self._keys = keys
        self._name = name
        self._fleet = fleet
        self._certificates = Certificates(fleet, clock.wall_us)
        self._bus = bus
        self._clock = clock

    @property
    def keys(self) -> DoorKeys:
        """What the listening end needs."""
        return self._keys

    async def enrol(self, asked: Asking, address: str) -> Passed:
        """As HubDesk; by the console. Raises LongwatchError."""
        return await self._ask("enrol", {"text": asked.text(), "address": address})

    async def renew(self, peer: Peer, csr: bytes, address: str) -> Passed:
        """As HubDesk; by the console. Raises LongwatchError."""
        body = {"site": peer.site, "serial": peer.serial, "csr": csr.decode("ascii", "replace"), "address": address}
        return await self._ask("renew", body)

    async def _ask(self, kind: str, body: Mapping[str, Any]) -> Passed:
        try:
            said = (await self._bus.ask(CONSOLE, kind, body)).get("text")
        except BusError as error:
            if error.reason == _REQUEST:
                raise CertificateError(error.what, why=error.why, remedy=error.remedy) from error
            if error.reason:
                raise NotEnrolledError(error.reason, error.what, remedy=error.remedy) from error
            raise
        if not isinstance(said, str):
            raise LongwatchError("the console of this hub gave no certificate", remedy="try again")
        return Passed(said)

    async def admit(self, peer: Peer) -> Verdict:
        """As HubDesk."""
        return await self._fleet.db.call(self._certificates.admit, peer.site, peer.serial)

    async def standing(self) -> frozenset[tuple[str, str]]:
        """As HubDesk."""
        return await asyncio.to_thread(self._certificates.standing)

    def welcome(self, peer: Peer) -> dict[str, Any]:
        """As HubDesk."""
        return greeting_of(self._keys.hub, self._name, peer, self._clock.wall_us())


def answer_doors(bus: Bus, desk: HubDesk, refused: Callable[[str, str], None]) -> None:
    """The console's side. refused: told of a certificate that a door did not let in, and why."""

    async def enrol(said: Said) -> Mapping[str, Any]:
        asked = parse_asking(text_of(said.body, "text", MAX_BYTES))
        return {"text": (await desk.enrol(asked, text_of(said.body, "address", 100))).text()}

    async def renew(said: Said) -> Mapping[str, Any]:
        peer = Peer(
            text_of(said.body, "site", 100), text_of(said.body, "serial", 200), 0
        )  # TLS at the door has verified it
        csr = text_of(said.body, "csr", MAX_BYTES).encode()
        return {"text": (await desk.renew(peer, csr, text_of(said.body, "address", 100))).text()}

    def named(
        handler: Callable[[Said], Awaitable[Mapping[str, Any]]],
    ) -> Callable[[Said], Awaitable[Mapping[str, Any]]]:
        """What a site did wrong is told apart from what went wrong here: the door counts the first."""

        async def answer(said: Said) -> Mapping[str, Any]:
            try:
                return await handler(said)
            except (ExchangeError, CertificateError) as error:
                raise BusError(error.what, why=error.why, remedy=error.remedy, reason=_REQUEST) from error

        return answer

    async def told_refused(said: Said) -> None:
        refused(text_of(said.body, "site", 100), text_of(said.body, "why", 100))

    async def told_joined(_: Said) -> None:
        desk.joined()

    async def tell_revoked(site: str) -> None:
        bus.tell("revoked", {"site": site})

    bus.answer("enrol", named(enrol))
    bus.answer("renew", named(renew))
    bus.on("refused", told_refused)
    bus.on("joined", told_joined)
    desk.on_revoked.append(tell_revoked)
