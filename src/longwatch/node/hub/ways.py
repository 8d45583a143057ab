"""Where posts dial in at one process of a hub, and how that process knows which connection of a post counts.

A connection begins with a row (`contacts`), whose number is above those of all before: of two connections of one post, at whichever processes, the one with the
higher number counts. The other is ended at once where a fact of the bus says so, and within a minute by the database. Till then it does no harm: what
comes by it is taken by offset and hash, under the lock of the post's row. Owner of the connections: the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.bus import Said
from longwatch.fleet import Fleet, Processes
from longwatch.node.hub.listener import Desk, HubListener
from longwatch.node.hub.through import Through
from longwatch.replication.serving import CLOSED_NEWER, Uplinks
from longwatch.trust import Peer

if TYPE_CHECKING:  # most hubs have no broker
    from longwatch.bus import Bus

_log = structlog.get_logger(__name__)
_SEEN_EVERY_S = 60.0


class HubWays:
    """process: this one's name among those of its hub, "" where it is the only one. bus, processes: None where there are no others."""

    def __init__(
        self, desk: Desk, fleet: Fleet, uplinks: Uplinks, through: Through, clock: Clock, process: str, bus: Bus | None,
        processes: Processes | None, refused: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        self.listener = HubListener(desk, clock, self._serve, refused)
        self._desk = desk
        self._fleet = fleet
        self._uplinks = uplinks
        self._through = through
        self._clock = clock
        self._process = process
        self._bus = bus
        self._processes = processes
        self._held: dict[str, tuple[int, ServerConnection]] = {}
        self._tasks = Tasks("hub-ways")
        if bus is not None:
            bus.on("contact", self._contact)
            bus.on("revoked", self._revoked)
            bus.on_missed.append(self._look_again)

    async def aclose(self) -> None:
        """Let nobody in any more, and end every connection."""
        await self.listener.aclose()
        await self._uplinks.aclose()
        await self._tasks.aclose()

    # -- one connection

    async def _serve(self, connection: ServerConnection, peer: Peer) -> None:
        call = self._fleet.db.call
        address = connection.remote_address
        contact = await call(self._fleet.contact_begun, peer.site, str(address[0]) if address else "", self._process)
        self._held[peer.site] = contact, connection
        self._tell("contact", peer.site, contact)
        seen = self._tasks.start(f"seen {peer.site}", self._seen(peer.site, contact, connection))
        speaks = self._through.speaker(peer.site)
        try:
            with contextlib.suppress(ConnectionClosed):
                await self._uplinks.serve(
                    connection, peer.site, self._fleet, call, self._desk.welcome(peer), speaks.may_speak, speaks.greeted
                )
        finally:
            seen.cancel()
            if self._held.get(peer.site, (0,))[0] == contact:
                del self._held[peer.site]
            with contextlib.suppress(LongwatchError):
                await call(self._over, contact)
            self._uplinks.taken([peer.site])
            self._tell("left", peer.site, contact)

    def _over(self, contact: int) -> None:
        self._fleet.contact_seen(contact, ended=True)

    async def _seen(self, site: str, contact: int, connection: ServerConnection) -> None:
        while True:
            await self._clock.sleep(_SEEN_EVERY_S)
            try:
                if not await self._fleet.db.call(self._fleet.contact_seen, contact):
                    await self._end(site, connection)
            except LongwatchError as error:
                _log.warning("that a post is in touch cannot be noted now", reason=str(error))

    async def _end(self, site: str, connection: ServerConnection) -> None:
        _log.info("a post dialled in at another process of this hub; its older connection ends", site=site)
        await connection.close(CLOSED_NEWER, "another connection of this site took over")

    # -- the other processes

    def _tell(self, kind: str, site: str, contact: int) -> None:
        if self._bus is not None:
            self._bus.tell(kind, {"site": site, "contact": contact})

    async def _contact(self, said: Said) -> None:
        site, contact = said.body.get("site"), said.body.get("contact")
        held = self._held.get(site) if isinstance(site, str) else None
        if isinstance(site, str) and held is not None and type(contact) is int and contact > held[0]:
            await self._end(site, held[1])

    async def _revoked(self, said: Said) -> None:
        site = said.body.get("site")
        if isinstance(site, str):
            await self.listener.end(site)

    async def _look_again(self, _: str) -> None:
        """Something another process told did not come here."""
        if self._processes is None or not self._held:
            return
        held = dict(self._held)
        reached = await asyncio.to_thread(self._processes.reached)
        for site, (contact, connection) in held.items():
            now = reached.get(site)
            if now is not None and now.site == site and now.contact > contact:
                await self._end(site, connection)


def text_of(body: Mapping[str, Any], name: str, most: int) -> str:
    """A text of what another process said. Raises LongwatchError."""
    value = body.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise LongwatchError(f"another process of this hub said no {name}", remedy="upgrade the older of the two")
    return value
