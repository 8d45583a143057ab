"""Several processes of one hub: an older connection ends where a newer one counts, and a post at a door is as near as one that is here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.fleet_case import RIDGE, Hub, Ledger
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.bus import Bus, Said
from longwatch.fleet import Processes
from longwatch.node.door import HANDED_ON, hand_on
from longwatch.node.hub.links import HubLinks
from longwatch.node.hub.ways import HubWays
from longwatch.replication.serving import CLOSED_NEWER, Uplinks
from longwatch.wire.uplink import Body, Message, decode, encode


class FakeBus:
    """As much of the bus as is asked here; what is said goes to the other end at once."""

    def __init__(self, process: str) -> None:
        self.options = type("Options", (), {"process": process})
        self.facts: dict[str, Callable[[Said], Awaitable[None]]] = {}
        self.takes: dict[str, Callable[[Said], Awaitable[None]]] = {}
        self.on_missed: list[Callable[[str], Awaitable[None]]] = []
        self.on_broken: list[Callable[[str], Awaitable[None]]] = []
        self.said: list[tuple[str, str, dict[str, Any], bytes]] = []
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.is_away = False

    def on(self, kind: str, handler: Callable[[Said], Awaitable[None]]) -> None:
        self.facts[kind] = handler

    def on_said(self, kind: str, handler: Callable[[Said], Awaitable[None]]) -> None:
        self.takes[kind] = handler

    def say(self, process: str, kind: str, body: dict[str, Any], data: bytes = b"") -> bool:
        if self.is_away:
            return False
        self.said.append((process, kind, body, data))
        return True

    def tell(self, kind: str, body: dict[str, Any]) -> None:
        self.told.append((kind, body))


class FakeConnection:
    def __init__(self) -> None:
        self.closed: int | None = None

    async def close(self, code: int, reason: str) -> None:
        self.closed = code


class FakeDesk:
    def __init__(self) -> None:
        self.on_revoked: list[Any] = []


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    made = Hub(tmp_path / "fleet.db", tmp_path)
    Ledger().enrol(made.fleet)
    return made


def ways_of(hub: Hub, bus: FakeBus, processes: Processes) -> HubWays:
    clock = SystemClock()
    return HubWays(
        cast("Any", FakeDesk()), hub.fleet, Uplinks(clock), cast("Any", None), clock, "east", cast("Bus", bus), processes, lambda _s, _w: None
    )  # fmt: skip


async def test_a_connection_ends_where_another_process_holds_a_newer_one(hub: Hub) -> None:
    bus, processes = FakeBus("east"), Processes(hub.db, lambda: 0)
    ways = ways_of(hub, bus, processes)
    mine = hub.fleet.contact_begun(RIDGE, "", "east")
    connection = FakeConnection()
    ways._held[RIDGE] = mine, cast("Any", connection)
    for older in (
        {"site": RIDGE, "contact": mine - 1},
        {"site": "lake", "contact": mine + 5},
        {"site": 7, "contact": "x"},
        {},
    ):
        await bus.facts["contact"](Said("west", 1, 1, "contact", older))
    await bus.on_missed[0]("west")
    assert connection.closed is None
    await bus.facts["contact"](Said("west", 1, 2, "contact", {"site": RIDGE, "contact": mine + 1}))
    assert connection.closed == CLOSED_NEWER


async def test_what_no_fact_told_is_found_in_the_database(hub: Hub) -> None:
    bus, processes = FakeBus("east"), Processes(hub.db, lambda: 0)
    ways = ways_of(hub, bus, processes)
    connection = FakeConnection()
    ways._held[RIDGE] = hub.fleet.contact_begun(RIDGE, "", "east"), cast("Any", connection)
    hub.fleet.contact_begun(RIDGE, "", "west")
    await bus.on_missed[0]("west")
    assert connection.closed == CLOSED_NEWER


async def test_a_post_that_appears_at_a_door_is_told_what_waits_and_spoken_with(hub: Hub) -> None:
    bus, processes = FakeBus("console"), Processes(hub.db, lambda: 0)
    links = HubLinks(Uplinks(SystemClock()), SystemClock(), cast("Bus", bus), processes)
    told: list[str] = []
    heard: list[tuple[str, Message | Body]] = []

    async def appeared(site: str) -> None:
        told.append(site)

    async def answered(post: str, message: Message | Body) -> None:
        heard.append((post, message))

    links.on_connect(appeared)
    links.on("answer", answered)
    assert not links.say(RIDGE, Message("want", {}))
    hub.fleet.contact_begun(RIDGE, "", "east")
    await links.refresh()
    await links.refresh()
    await until(lambda: told == [RIDGE], "once")
    assert links.connected(RIDGE)
    want = Message("want", {"request": 1, "post": RIDGE, "reason": "x" * 60_000})
    assert links.say(RIDGE, want)
    [(process, kind, body, data)] = bus.said
    assert (process, kind, body, decode(data)) == ("east", "frame", {"post": RIDGE}, want)
    answer = Message("answer", {"request": 1, "state": "queued"})
    await bus.takes["frame"](Said("east", 1, 1, "frame", {"post": RIDGE}, encode(answer)))
    for wrong in (b"", b"J\xff", encode(Message("head", {"post": RIDGE}))):
        await bus.takes["frame"](Said("east", 1, 2, "frame", {"post": RIDGE}, wrong))
    assert heard == [(RIDGE, answer)]
    hub.fleet.contact_begun(RIDGE, "", "east")
    await links.refresh()
    await until(lambda: told == [RIDGE, RIDGE], "a new connection is told again")
    broken: list[bool] = []
    links.on_broken.append(lambda reached: broken.extend((reached(RIDGE), reached("lake"))))
    await bus.on_broken[0]("east")
    await bus.on_broken[0]("west")
    assert broken == [True, False, False, False]
    hub.fleet.contact_begun(RIDGE, "", "console")
    await links.refresh()
    assert not links.say(RIDGE, want), "it is here again, and this process would know"
    await links.aclose()


async def test_what_did_not_get_through_to_a_door_is_told_again(hub: Hub) -> None:
    """The link of a post may stand for weeks: nobody waits for its next one because the broker was away for a minute."""
    bus, processes = FakeBus("console"), Processes(hub.db, lambda: 0)
    links = HubLinks(Uplinks(SystemClock()), SystemClock(), cast("Bus", bus), processes)
    told: list[str] = []

    async def appeared(site: str) -> None:
        told.append(site)

    links.on_connect(appeared)
    hub.fleet.contact_begun(RIDGE, "", "east")
    await links.refresh()
    await until(lambda: told == [RIDGE], "it appeared")
    bus.is_away = True
    assert not links.say(RIDGE, Message("want", {}))
    bus.is_away = False
    await links.refresh()
    await until(lambda: told == [RIDGE] * 2, "what could not be said")
    for missed in ("", "east", "west"):
        await bus.on_missed[0](missed)
        await links.refresh()
    await until(lambda: told == [RIDGE] * 4, "what may have been lost, of all or of that door")
    for sender in ("east", "west"):
        await bus.facts["unheard"](Said(sender, 1, 1, "unheard", {}))
        await links.refresh()
    await until(lambda: told == [RIDGE] * 5, "what the door did not hear")
    await links.refresh()
    assert told == [RIDGE] * 5, "and once"
    await links.aclose()


async def test_a_door_that_missed_something_says_so(hub: Hub) -> None:
    bus = FakeBus("east")
    hand_on(Uplinks(SystemClock()), cast("Bus", bus))
    await bus.on_broken[0]("west")
    assert bus.told == []
    await bus.on_broken[0]("console")
    assert bus.told == [("unheard", {})]


async def test_a_door_hands_on_what_is_not_the_stores(hub: Hub) -> None:
    bus, uplinks = FakeBus("east"), Uplinks(SystemClock())
    hand_on(uplinks, cast("Bus", bus))
    assert set(uplinks._handlers) == set(HANDED_ON)
    part = Body("live_part", {"live": 5, "last": True}, b"\x01" * 12_000)
    await uplinks._handlers["live_part"](RIDGE, part)
    [(process, _, body, data)] = bus.said
    assert (process, body, decode(data)) == ("console", {"post": RIDGE}, part)
    for wrong in (b"", b"J\xff", encode(Message("want", {}))):  # nobody is connected here
        await bus.takes["frame"](Said("console", 1, 1, "frame", {"post": RIDGE}, wrong))
