"""What posts saw, at their hub: who hears of it, what is reviewed and asked for there, the routes, and what goes on to a hub above."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.support.fleet_case import send
from tests.support.site import running_site

from longwatch.accounts import Role
from longwatch.base.clock import ManualClock
from longwatch.base.rfc3339 import format_us
from longwatch.fleet import Fleet, FleetDb, ObjectStore
from longwatch.model.event_rows import ToldEvent
from longwatch.model.events import Event
from longwatch.model.uplink import ObjectInfo, Position
from longwatch.node.hub.events import FRESH_US, FleetEventSource, HubEvents
from longwatch.server_db import ServerDb
from longwatch.web import Site, SiteCamera
from longwatch.wire.uplink import Message

US = 1_000_000
JPEG = b"\xff\xd8\xff and more"


class Hub:
    """The real store, links that write down what is said."""

    def __init__(self, folder: Path, clock: ManualClock | None = None, *, alone: bool = True) -> None:
        self.clock = clock or ManualClock()
        self.now_us = self.clock.wall_us()
        self.db = FleetDb(folder / "fleet.db")
        self.objects = ObjectStore(folder / "media", folder / "spool")
        self.fleet = Fleet(self.db, self.objects, wall_us=self.clock.wall_us)
        for name in ("north", "south"):
            self.fleet.add_post(
                name, name.title(), "01", f"longwatch/{name}/data/1", bytes(32), ("station",) if name == "south" else ()
            )
        self.handlers: dict[str, Any] = {}
        self.connected: Any = None
        self.said: list[tuple[str, str, str]] = []
        self.heard: list[tuple[str, str]] = []
        self.fresh: list[tuple[str, str]] = []
        self.events = HubEvents(self.fleet, self.objects, self, self.clock, asyncio.to_thread, alone=alone)
        self.events.on_change.append(lambda change: self.heard.append((str(change.phase), change.event.id)))
        self.events.fresh.on_change.append(lambda change: self.fresh.append((str(change.phase), change.event.id)))

    def on(self, kind: str, handler: Any) -> None:
        self.handlers[kind] = handler

    def on_connect(self, told: Any) -> None:
        self.connected = told

    def say(self, post: str, message: Any) -> bool:
        self.said.append((post, message.body["event"], message.body["by"]))
        return True

    def seen(self, number: int, **more: Any) -> Event:
        begin = self.now_us - 100 * US + number * US
        event = Event(f"{number:022x}", "gate", "motion", begin, begin + US, begin + US, 0.5, best_us=begin, count=1)
        return dataclasses.replace(event, **more)

    def tell(self, *told: ToldEvent, post: str = "north") -> None:
        here = self.fleet.events_at(post)
        end = Position(7, here.rev + len(told))
        self.fleet.take_events(post, here if here.life else Position(), end, told, anew=not here.life)
        self.events.taken([post])

    def picture(self, at_us: int, post: str = "north") -> None:
        info = ObjectInfo(hashlib.sha256(JPEG).digest(), len(JPEG), "picture", post, "gate", "main", at_us=at_us)
        send(self.fleet, info, JPEG)

    async def steps(self) -> list[tuple[str, str]]:
        await self.events.step()
        heard, self.heard = self.heard, []
        return heard


@pytest.fixture
def hub(tmp_path: Path):
    made = Hub(tmp_path)
    yield made
    made.db.close()


def name(number: int, post: str = "north") -> str:
    return f"{post}.{number:022x}"


def test_each_change_is_said_once_and_what_was_there_at_the_start_is_not(hub: Hub) -> None:
    async def run() -> None:
        hub.tell(ToldEvent(hub.seen(1)))
        assert await hub.steps() == []  # the first look
        hub.tell(ToldEvent(hub.seen(2, to_us=None)), ToldEvent(hub.seen(3)))
        assert await hub.steps() == [("new", name(2)), ("new", name(3)), ("end", name(3))]
        hub.tell(ToldEvent(hub.seen(2, to_us=None, count=5)), ToldEvent(hub.seen(1)))
        assert await hub.steps() == [("update", name(2))]
        hub.tell(ToldEvent(hub.seen(2)), post="south")
        hub.tell(ToldEvent(hub.seen(2)))
        assert set(await hub.steps()) == {("end", name(2)), ("new", name(2, "south")), ("end", name(2, "south"))}
        assert await hub.steps() == []

    asyncio.run(run())


def test_what_is_long_over_is_shown_and_told_to_nobody(hub: Hub) -> None:
    async def run() -> None:
        await hub.steps()
        hub.tell(ToldEvent(hub.seen(1)), ToldEvent(hub.seen(-FRESH_US // US)))
        assert {each for _, each in await hub.steps()} == {name(1), f"north.{-FRESH_US // US:022x}"}
        assert {each for _, each in hub.fresh} == {name(1)}

    asyncio.run(run())


def test_one_that_listens_badly_costs_nobody_else_anything(hub: Hub) -> None:
    async def run() -> None:
        hub.events.on_change.insert(0, lambda change: 1 / 0)
        await hub.steps()
        hub.tell(ToldEvent(hub.seen(1)))
        assert len(await hub.steps()) == 2

    asyncio.run(run())


def test_a_picture_is_asked_for_until_it_has_come_or_its_post_has_none(hub: Hub) -> None:
    async def run() -> None:
        at_us = hub.seen(1).from_us
        hub.tell(ToldEvent(hub.seen(1), at_us), ToldEvent(hub.seen(2), hub.seen(2).from_us))
        hub.tell(ToldEvent(hub.seen(3), hub.seen(3).from_us), post="south")
        await hub.steps()
        assert (await hub.events.ask(name(1), "anna")).away == "asked"
        assert await hub.events.ask(name(9), "anna") is None
        await hub.events.ask(name(2))
        await hub.events.ask(name(3, "south"))
        assert hub.said == [("north", f"{1:022x}", "anna"), ("north", f"{2:022x}", ""), ("south", f"{3:022x}", "")]
        hub.said.clear()
        await hub.connected("station")  # for the post behind it
        assert hub.said == [("south", f"{3:022x}", "")]
        hub.picture(at_us)
        gone: list[Any] = []
        hub.events.on_gone.append(lambda *told: gone.append(told))
        await hub.handlers["event_picture"](
            "north", Message("event_picture", {"event": f"{2:022x}", "why": "its footage is gone"})
        )
        await hub.handlers["event_picture"]("north", Message("event_picture", {"event": 7}))
        assert gone == [("north", f"{2:022x}", "its footage is gone")]
        assert hub.events.store.one(name(2)).away == "gone"
        hub.said.clear()
        await hub.connected("north")
        assert hub.said == []
        stored = hub.events.store.one(name(1))
        assert await hub.events.pictures.of(stored) == JPEG

    asyncio.run(run())


def test_what_goes_on_to_the_hub_above_is_what_the_posts_told(hub: Hub, tmp_path: Path) -> None:
    db = ServerDb(tmp_path / "server.db")
    source = FleetEventSource(hub.fleet.events, db, hub.clock)
    assert source.posts() == []
    hub.tell(ToldEvent(hub.seen(1)), ToldEvent(hub.seen(2), twin_of(hub)))
    hub.clock.tick(2 * US)
    assert source.posts() == ["north"]
    rows, end = source.after("north", Position(), 1)
    assert [row.event for row in rows] == [hub.seen(1)]
    rows, end = source.after("north", end, 9)
    assert [row.event for row in rows] == [hub.seen(2)]
    assert (end, source.fits("north", end)) == (source.end("north"), True)
    again = FleetEventSource(hub.fleet.events, db, hub.clock)
    assert again.posts() == ["north"]
    assert again.fits("north", end)
    again.anew("north")
    assert not again.fits("north", end)
    db.close()


def twin_of(hub: Hub) -> int:
    return hub.seen(2).from_us


# ---- routes


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[Hub, Any, str]]:
    async with running_site(tmp_path) as running:
        hub = Hub(tmp_path / "hub" if (tmp_path / "hub").mkdir() is None else tmp_path, running.clock)
        running.deps.events = hub.events
        cameras = tuple(SiteCamera(f"{post}.gate", "Gate") for post in ("north", "south"))
        running.deps.site = lambda: Site("hq", "Headquarters", "UTC", cameras)
        north_only = await running.accounts.add_token("north-only", Role.OPERATOR, frozenset({"north.gate"}))
        yield hub, running, north_only
        hub.db.close()


@pytest.mark.asyncio
async def test_events_of_posts_by_http_with_the_rights_of_their_cameras(site: tuple[Hub, Any, str]) -> None:
    hub, running, north_only = site
    one, at_us = hub.seen(1), hub.seen(1).from_us
    hub.tell(ToldEvent(one, at_us), ToldEvent(hub.seen(2, kind="tamper.covered", twin="f" * 22)))
    hub.tell(ToldEvent(hub.seen(3), reviewed_us=hub.now_us), post="south")
    span = {"from": format_us(hub.now_us - 3600 * US), "to": format_us(hub.now_us + US)}
    async with running.client("viewer") as client:
        found = (await client.get("/api/v1/events", params=span)).json()["items"]
        assert [(item["id"], item["camera"]) for item in found] == [
            (name(3, "south"), "south.gate"), (name(2), "north.gate"), (name(1), "north.gate"),
        ]  # fmt: skip
        assert [item["best"]["held"] for item in found] == [None, None, "post"]
        assert found[1]["twin"] == f"north.{'f' * 22}"
        assert found[0]["reviewed"] == {"at": format_us(hub.now_us), "by": None}
        only = (await client.get("/api/v1/events", params=span | {"camera": "south.gate"})).json()["items"]
        assert [item["id"] for item in only] == [name(3, "south")]
        marks = (await client.get("/api/v1/events/crowds", params=span | {"camera": "north.gate"})).json()["items"]
        assert [(item["camera"], len(item["spans"]), len(item["blind"])) for item in marks] == [("north.gate", 1, 1)]
        assert (await client.post(f"/api/v1/events/{name(1)}/picture")).status_code == 403
    async with running.client("operator") as client:
        assert (await client.get(f"/api/v1/events/{name(1)}/picture.jpg")).status_code == 404
        answer = await client.post(f"/api/v1/events/{name(1)}/picture")
        assert (answer.status_code, answer.json()["best"]["held"]) == (202, "asked")
        hub.picture(at_us)
        answer = await client.get(f"/api/v1/events/{name(1)}")
        assert answer.json()["best"] == {"at": format_us(at_us), "box": None, "picture": True, "held": "here"}
        picture = await client.get(f"/api/v1/events/{name(1)}/picture.jpg")
        assert (picture.status_code, picture.content) == (200, JPEG)
        assert (await client.post(f"/api/v1/events/{name(8)}/picture")).status_code == 404
        answer = await client.put(f"/api/v1/events/{name(1)}/review", json={"reviewed": True})
        assert answer.json()["reviewed"]["by"] == "operator"
    headers = {"Authorization": f"Bearer {north_only}"}
    async with running.client(None) as client:
        found = (await client.get("/api/v1/events", params=span, headers=headers)).json()["items"]
        assert {item["camera"] for item in found} == {"north.gate"}
        for wrong in (name(3, "south"), name(7)):
            assert (await client.get(f"/api/v1/events/{wrong}", headers=headers)).status_code == 403
            assert (await client.post(f"/api/v1/events/{wrong}/picture", headers=headers)).status_code == 403


async def test_what_another_process_took_is_said_once_by_the_console(tmp_path: Path):
    """Posts dial in at doors, and change the door in mid-flow: the console hears of none of it but by the database."""
    hub = Hub(tmp_path, alone=False)
    doors = [Fleet(FleetDb(tmp_path / "fleet.db"), hub.objects, wall_us=hub.clock.wall_us) for _ in range(2)]
    try:
        assert await hub.steps() == []
        for n in range(6):
            door = doors[n % 2]
            here = door.events_at("north")
            row = ToldEvent(hub.seen(n, to_us=None) if n == 5 else hub.seen(n))
            end = Position(7, n + 1)
            for again in (door, doors[(n + 1) % 2]):  # an older connection tells the same at the other door
                again.take_events("north", here if here.life else Position(), end, [row], anew=not here.life)
        assert await hub.steps() == [
            ("new", name(n)) if is_new else ("end", name(n)) for n in range(5) for is_new in (True, False)
        ] + [("new", name(5))]
        assert await hub.steps() == []
        doors[0].take_events("north", Position(7, 6), Position(7, 7), [ToldEvent(hub.seen(5))], anew=False)
        assert await hub.steps() == [("end", name(5))]
        assert await hub.events.reviewed(name(5), done=True, subject=3, by="anna") is not None
        assert doors[1].events.one(name(5)).reviewed_us is not None
    finally:
        for door in doors:
            door.db.close()
        hub.db.close()
