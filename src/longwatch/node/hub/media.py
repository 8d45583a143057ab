"""What a hub's server has for the media of its posts: the desk of requests, live views over their links, strips and events that came. Put together here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from longwatch.accounts import Accounts
from longwatch.base.clock import Clock
from longwatch.base.tasks import Tasks
from longwatch.fleet import Fleet, FleetIndex, ObjectStore
from longwatch.fleet.strips import StripObjects
from longwatch.fleet.upward import Upward
from longwatch.live.remote import RemoteLive
from longwatch.node.hub.events import FleetEventSource, HubEvents
from longwatch.node.hub.links import HubLinks
from longwatch.node.hub.relay import HubRelay
from longwatch.node.hub.requests import RequestDesk
from longwatch.node.link import Ledger
from longwatch.node.post.uplink import Uplink
from longwatch.strips.distant import DistantStrips


class HubMedia:
    """Owner of nothing but the live views that pass through. above: the link to the hub above, whose id is `hub` ("" for none); strips_go: whether
    strips go up.
    """

    def __init__(
        self, fleet: Fleet, store: ObjectStore, index: FleetIndex, uplinks: HubLinks, accounts: Accounts, ledger: Ledger, clock: Clock,
        read: Callable[..., Awaitable[Any]], above: Uplink, hub: Callable[[], str], strips_go: Callable[[], bool], *,
        alone: bool = True,
    ) -> None:  # fmt: skip
        """alone: no other process of this hub takes anything."""
        self.events = HubEvents(fleet, store, uplinks, clock, read, alone=alone)
        above.events = FleetEventSource(fleet.events, accounts.db, clock)
        self.requests = RequestDesk(fleet.db, fleet, index, uplinks, ledger, clock, read)
        self.live = RemoteLive(uplinks, clock)
        uplinks.on_broken.append(self.live.broken)
        self.relay = HubRelay(
            above,
            uplinks,
            fleet,
            Upward(fleet.db, store),
            self.requests,
            self.live,
            accounts,
            hub,
            strips_go,
            clock,
            read,
            self.events,
        )
        self.strips = DistantStrips(StripObjects(fleet.db, store))
        accounts.on_erasure.append(self.requests.forget)
        accounts.on_erasure.append(self.events.forget)

    def start(self, tasks: Tasks) -> None:
        """For as long as these run."""
        tasks.start("requests", self.requests.run())
        self.relay.start(tasks)
        self.events.start(tasks)

    async def aclose(self) -> None:
        """End every view."""
        await self.live.aclose()
