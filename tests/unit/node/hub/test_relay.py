"""A hub between posts and a hub above: what is asked above is asked below, what is held goes up, live passes through."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from longwatch.base.clock import ManualClock
from longwatch.fleet import Fleet, FleetDb, ObjectStore
from longwatch.fleet.upward import Upward
from longwatch.model.sessions import StreamKey
from longwatch.model.uplink import Class, ObjectInfo
from longwatch.node.hub.relay import HubRelay
from longwatch.replication.queue import Item
from longwatch.server_db import ServerDb
from longwatch.wire.uplink import Body, Message


class Above:
    """The link to the hub above."""

    def __init__(self) -> None:
        self.sources: dict[str, Any] = {}
        self.handlers: dict[str, Any] = {}
        self.said: list[Message | Body] = []
        self.items: dict[bytes, Item] = {}
        self.takes = True

    def on(self, kind: str, handler: Any) -> None:
        self.handlers[kind] = handler

    def say(self, message: Any, cls: Class = Class.ASKED) -> bool:
        if self.takes or cls is Class.LEDGER:
            self.said.append(message)
        return self.takes or cls is Class.LEDGER

    def room(self, cls: Class) -> int:
        return 1000

    def queue_add(self, info: ObjectInfo, cls: Class, order: int, request: int = 0) -> bool:
        self.items.setdefault(info.sha256, Item(info, cls, order, request))
        return True

    async def queue_drop(self, drop: Callable[[Item], bool]) -> None:
        self.items = {sha: item for sha, item in self.items.items() if not drop(item)}

    def state(self) -> Any:
        return SimpleNamespace(rate_bytes_s=100)

    async def hears(self, kind: str, **said: Any) -> None:
        await self.handlers[kind](Message(kind, said))

    def answers(self) -> list[tuple[int, str, str]]:
        return [(m.body["request"], m.body["post"], m.body["state"]) for m in self.said if m.kind == "answer"]


class Station:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.db, self.fleet_db = ServerDb(folder / "server.db"), FleetDb(folder / "fleet.db")
        self.fleet = Fleet(self.fleet_db, wall_us=self.clock.wall_us)
        self.fleet.add_post("north", "North", "01", "longwatch/north/data/1", bytes(32))
        self.above = Above()
        self.below: list[tuple[str, Message]] = []
        self.here = {"north"}
        self.told: list[str] = []
        self.entered: list[dict[str, Any]] = []
        self.held: list[ObjectInfo] = []
        self.packs: list[tuple[int, ObjectInfo]] = []
        self.live = SimpleNamespace(pass_on=None)

        async def say(kind: str, body: dict[str, Any], who: Any, reason: str = "") -> None:
            self.entered.append({"kind": kind, "user": who.user, **body})

        async def tell(post: str) -> None:
            self.told.append(post)

        async def read(function: Callable[..., Any], *arguments: Any) -> Any:
            return function(*arguments)

        source = SimpleNamespace(
            stretch=lambda *_: self.held,
            came=lambda kind, after, limit: [p for p in self.packs if p[0] > after and p[1].kind == kind][:limit],
            picture=lambda post, camera, at_us: next(
                (i for _, i in self.packs if (i.camera, i.at_us) == (camera, at_us)), None
            ),
        )
        desk = SimpleNamespace(tell=tell, why=lambda number: "withheld")
        accounts = SimpleNamespace(db=self.db, journal=SimpleNamespace(say=say))
        below = SimpleNamespace(say=self._below)
        self.asked: list[tuple[str, str]] = []

        async def ask(event: str, by: str) -> Any:
            self.asked.append((event, by))
            return None if event.endswith("none") else event

        self.events = SimpleNamespace(on_gone=[], ask=ask)
        self.relay = HubRelay(
            self.above, below, self.fleet, source, desk, self.live, accounts, lambda: "hq", lambda: True, self.clock, read, self.events
        )  # fmt: skip

    def _below(self, post: str, message: Message) -> bool:
        if post in self.here:
            self.below.append((post, message))
        return post in self.here

    async def want(self, **more: Any) -> None:
        said = {
            "request": 9, "post": "north", "camera": "gate", "stream": "main", "from_us": 1000, "to_us": 2000, "by": "anna", "reason": "x",
        }  # fmt: skip
        await self.above.hears("want", **(said | more))


@pytest.fixture
def station(tmp_path: Path):
    made = Station(tmp_path)
    yield made
    made.db.close()
    made.fleet_db.close()


def objects(count: int) -> list[ObjectInfo]:
    return [ObjectInfo(bytes([n]) * 32, 10, "piece", "north", "gate", "main", "b", 1, 1, n, n) for n in range(count)]


def test_a_stretch_is_asked_below_and_goes_up_once_it_is_here(station: Station):
    async def run() -> None:
        await station.want()
        await station.want()
        [row] = station.fleet.wants("north")
        assert (row.camera, row.from_us, row.to_us) == ("gate", 1000, 2000)
        assert station.told == ["north"]
        assert [(one["kind"], one["user"], one["camera"]) for one in station.entered] == [
            ("footage_asked", "anna at hq", "north.gate")
        ]
        station.fleet.note_answer(row.id, "queued", bytes_=500, eta_s=7)
        await station.relay.work()
        assert station.above.answers() == [(9, "north", "queued")]
        assert not station.above.items
        station.held = objects(3)
        station.fleet.note_answer(row.id, "done")
        await station.relay.work()
        assert [(item.cls, item.request) for item in station.above.items.values()] == [(Class.ASKED, 9)] * 3
        await station.relay.work()
        assert len(station.above.answers()) == 2, "it is handed over once"
        station.above.items.clear()
        await station.want()
        await station.relay.work()
        assert len(station.above.items) == 3, "the hub above still lacks some: it says so by asking again"

    asyncio.run(run())


def test_what_the_post_refuses_is_refused_above(station: Station):
    async def run() -> None:
        await station.want()
        station.fleet.note_answer(station.fleet.wants("north")[0].id, "refused")
        await station.relay.work()
        assert station.above.answers() == [(9, "north", "refused")]
        assert station.above.said[-1].body["why"] == "withheld"
        await station.want(request=10, post="nowhere")
        assert station.above.answers()[-1] == (10, "nowhere", "refused")
        await station.want(request=11, from_us=5, to_us=5)
        await station.want(request=12, post=7)
        assert len(station.above.answers()) == 2, "what cannot be read is no request"

    asyncio.run(run())


def test_what_is_wanted_no_more_above_is_withdrawn_below_unless_somebody_here_asked(station: Station):
    async def run() -> None:
        await station.want()
        station.held = objects(1)
        await station.above.hears("unwant", request=9)
        assert station.fleet.wants("north", everything=True)[0].state == "withdrawn"
        assert [message.kind for _, message in station.below] == ["unwant"]
        own = station.fleet.want("north", "gate", "main", 5000, 6000, "10:ben", "mine")
        await station.want(request=10, from_us=5000, to_us=6000)
        await station.above.hears("unwant", request=10)
        assert station.fleet.request(own.id).state == "wanted"
        await station.above.hears("unwant", request="x")

    asyncio.run(run())


def test_live_passes_both_ways_and_only_for_who_asked(station: Station):
    async def run() -> None:
        await station.above.hears("live_open", live=5, post="north", camera="gate")
        assert station.below[-1][1].kind == "live_open"
        station.live.pass_on("north", Body("live_part", {"live": 5, "t": "text", "last": True}, b"{}"))
        part = station.above.said[-1]
        assert isinstance(part, Body)
        assert (part.header["post"], part.data) == ("north", b"{}")
        station.live.pass_on("south", Body("live_part", {"live": 5}, b"false"))
        station.live.pass_on("north", Body("live_part", {"live": 6}, b"nobody asked"))
        station.live.pass_on("north", Message("live_end", {"live": "x"}))
        assert station.above.said[-1] is part
        station.above.takes = False
        station.live.pass_on("north", Body("live_part", {"live": 5, "last": True}, b"lost"))
        assert (station.above.said[-1].kind, station.above.said[-1].body["why"]) == ("live_end", "too_thin")
        assert station.below[-1][1].kind == "live_close", "a message without one of its parts is none"
        station.here.clear()
        await station.above.hears("still", ask=8, post="north")
        assert "not in touch" in station.above.said[-1].body["why"]
        await station.above.hears("live_open", live=9, post="north")
        assert station.above.said[-1].kind == "live_end"
        await station.above.hears("live_open", live="x", post=3)

    asyncio.run(run())


def test_a_picture_that_is_wanted_above_goes_up_from_here_or_is_asked_for_below(station: Station):
    async def run() -> None:
        info = ObjectInfo(bytes(32), 10, "picture", "north", "gate", "main", at_us=600_000_000)
        station.packs = [(77, info)]
        await station.above.hears("event_picture", post="north", event="1", camera="gate", at_us=600_000_000, by="anna")
        assert [(item.info, item.cls) for item in station.above.items.values()] == [(info, Class.ASKED)]
        await station.above.hears("event_picture", post="north", event="2", camera="gate", at_us=7, by="anna")
        assert station.asked == [("north.2", "anna at hq")]
        assert station.above.said == []
        await station.above.hears("event_picture", post="north", event="none", camera="gate", at_us=7)
        station.events.on_gone[0]("north", "2", "too old")
        assert [(m.body["event"], bool(m.body["why"])) for m in station.above.said] == [("none", True), ("2", True)]
        await station.above.hears("event_picture", post=3, event="2", camera="gate", at_us="x")

    asyncio.run(run())


@pytest.mark.parametrize(("kind", "cls"), [("strip", Class.STRIP), ("picture", Class.PICTURE)])
def test_packs_of_strips_and_pictures_go_up_once(station: Station, kind: str, cls: Class):
    async def run() -> None:
        info = ObjectInfo(bytes(32), 10, kind, "north", "gate", "main", at_us=600_000_000)
        station.packs = [(77, info)]
        await station.relay.work()
        assert [(item.info, item.cls) for item in station.above.items.values()] == [(info, cls)]
        station.above.items.clear()
        await station.relay.work()
        assert not station.above.items

    asyncio.run(run())


def test_nothing_is_known_of_a_stretch_that_is_not_here(tmp_path: Path):
    db = FleetDb(tmp_path / "fleet.db")
    try:
        source = Upward(db, ObjectStore(tmp_path / "media", tmp_path / "spool"))
        assert source.stretch("north", StreamKey("gate", "main"), 0, 1 << 50) == []
        assert source.came("strip", 0, 10) == []
        assert source.picture("north", "gate", 7) is None
    finally:
        db.close()
