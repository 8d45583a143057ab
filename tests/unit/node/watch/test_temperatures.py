"""A thermal camera's stills in the server: the newest is read, what it says is told, and so is that none comes or that it cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from tests.support.thermal_camera import centikelvin, png, scene
from tests.support.wait import until

from longwatch.base.clock import ManualClock
from longwatch.base.tasks import Tasks
from longwatch.events.temperatures import Limit, Options
from longwatch.formats.media import Codec
from longwatch.model.events import HOT, Sighting
from longwatch.model.heat import HeatPart, HeatScale, StillOptions
from longwatch.node.link import LinkClient
from longwatch.node.watch.temperatures import Heat
from longwatch.playback.heat import HeatStill, HeatStills
from longwatch.wire.frames import Frame

S = 1_000_000
BOILER = HeatPart("Boiler", ((0.6, 0.3), (0.7, 0.3), (0.7, 0.45), (0.6, 0.45)))
STILLS = StillOptions(HeatScale(0.01, -273.15), (BOILER,), 10 * S)


class Link:
    """The recorder's side: what was asked of it, and a way to push."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.push: Callable[[Frame], None] = lambda _: None

    def on_push(self, callback: Callable[[Frame], None]) -> None:
        self.push = callback

    async def request(self, kind: str, **asked: Any) -> dict[str, Any]:
        self.asked.append((kind, asked["stream"]))
        return {}


class Told:
    def __init__(self) -> None:
        self.seen: list[Sighting] = []

    async def sightings(self, seen: Sequence[Sighting]) -> None:
        self.seen += seen


class Waiting(HeatStills):
    """Reads what it is let. read_of: what came to it."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()
        self.read_of: list[bytes] = []

    async def read(self, camera: str, data: bytes, *asked: Any, **how: Any) -> HeatStill:
        self.read_of.append(data)
        await self.may.wait()
        return await super().read(camera, data, *asked, **how)


class Case:
    def __init__(self, heat: Heat, link: Link, told: Told, clock: ManualClock, stills: Waiting) -> None:
        self.heat, self.link, self.told, self.clock, self.stills = heat, link, told, clock, stills

    def give(self, data: bytes) -> None:
        header = {
            "type": "note", "stream": ["oven", "main"], "arrival": self.clock.boottime_us(), "dropped": 0, "codec": str(Codec.THERMAL_STILL),
        }  # fmt: skip
        self.link.push(Frame(header, data))


@asynccontextmanager
async def oven(scale: HeatScale = STILLS.scale) -> AsyncIterator[Case]:
    clock, link, told, stills, tasks = ManualClock(), Link(), Told(), Waiting(), Tasks("test")
    options = Options(
        (Limit("Too hot", "Boiler", above=80),), stills=StillOptions(scale, STILLS.parts, STILLS.every_us)
    )
    heat = Heat(cast("LinkClient", link), lambda: {"oven": options}, told, clock, stills)
    tasks.start("ask", heat.ask())
    tasks.start("stills", heat.run_stills())
    try:
        await until(lambda: link.asked == [("notes", ["oven", "main"])])
        yield Case(heat, link, told, clock, stills)
    finally:
        await tasks.aclose()
        await stills.aclose()


async def test_what_a_still_says_is_known_and_told() -> None:
    async with oven() as case:
        case.stills.may.set()
        case.give(png(centikelvin(scene(95.0))))
        await until(lambda: case.told.seen)
        assert [(each.kind, each.zones, each.detail) for each in case.told.seen] == [
            (HOT, ("Too hot",), "95.0 °C at Boiler, over 80 °C")
        ]
        now = case.heat.now("oven")
        assert sorted(now) == ["Boiler", "picture"]
        assert round(now["picture"].highest, 2) == 95.0
        news = case.heat.still_news("oven")
        assert news is not None
        assert (news.at_us, news.trouble) == (case.clock.wall_us(), "")
        assert news.hottest["Boiler"] == (100.5 / 160, 40.5 / 120)
        await case.clock.advance(31)
        assert (case.heat.still_news("oven") or news).trouble == "none comes"
        assert case.heat.now("oven") == {}


async def test_of_those_that_wait_the_newest_is_read() -> None:
    async with oven() as case:
        case.give(b"first")
        await until(lambda: case.stills.read_of == [b"first"])
        for data in (b"second", b"third", png(centikelvin(scene(50.0)))):
            case.give(data)
        case.stills.may.set()
        await until(lambda: case.heat.now("oven"))
        assert len(case.stills.read_of) == 2
        assert round(case.heat.now("oven")["Boiler"].highest, 1) == 50.0


async def test_one_that_cannot_be_read_is_said_until_one_can() -> None:
    async with oven() as case:
        case.stills.may.set()
        case.give(b"<html>")
        await until(lambda: "neither a PNG" in (news.trouble if (news := case.heat.still_news("oven")) else ""))
        case.give(png(centikelvin(scene(30.0))))
        await until(lambda: (news := case.heat.still_news("oven")) is not None and news.trouble == "")


async def test_values_without_a_scale_are_no_temperatures() -> None:
    async with oven(HeatScale()) as case:
        case.stills.may.set()
        case.give(png(centikelvin(scene(95.0))))
        await until(lambda: (news := case.heat.still_news("oven")) is not None and news.at_us is not None)
        assert case.heat.now("oven") == {}
        assert case.told.seen == []


async def test_none_since_the_start_is_said_too() -> None:
    async with oven() as case:
        assert case.heat.still_news("kiln") is None
        news = case.heat.still_news("oven")
        assert news is not None
        assert (news.at_us, news.trouble) == (None, "")
        await case.clock.advance(30)
        assert (case.heat.still_news("oven") or news).trouble == "none comes"
