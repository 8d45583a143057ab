"""Pictures of events: made once from what is held, gone with it, never made for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.wait import until

from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import ended
from longwatch.events import EventStore, Pictures, Stored
from longwatch.events.pictures import ROUND_S, SOON_US, SWEEP_US, TRIES
from longwatch.model.events import Event, EventChange, Phase
from longwatch.model.sessions import StreamKey
from longwatch.server_db import ServerDb

S = 1_000_000
DAY = 86_400 * S
T0 = 1_800_000_000 * S


@dataclass
class Totals:
    first_us: int | None


@dataclass
class Held:
    """What is held of `gate`: all from first_us on, but for holes."""

    first_us: int | None = T0 - DAY
    until_us: int = T0 + DAY
    looks: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)

    def accounted_until_us(self) -> int:
        self.looks += 1
        return self.until_us

    def stats(self, key: StreamKey) -> Totals:
        return Totals(self.first_us if key == StreamKey("gate", "main") else None)

    def gone(self, key: StreamKey, from_us: int, to_us: int) -> list[tuple[int, int]]:
        return [hole for hole in self.holes if hole[0] < to_us and from_us < hole[1]]


@dataclass
class Bench:
    pictures: Pictures
    store: EventStore
    held: Held
    clock: ManualClock
    folder: Path
    asked: list[tuple[str, int]] = field(default_factory=list)
    fails: bool = False

    def one(self, event: Event) -> Stored:
        found = self.store.one(event.id)
        assert found is not None
        return found

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


async def _read(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.to_thread(function, *arguments)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    db, held, clock = ServerDb(tmp_path / "server.db"), Held(), ManualClock()

    async def shown(key: StreamKey, at_us: int, width: int) -> bytes:
        made.asked.append((key.stream, at_us))
        if made.fails:
            raise LongwatchError("it cannot be decoded")
        return b"\xff\xd8jpeg of %d, %d\xff\xd9" % (at_us, width)

    store = EventStore(db)
    made = Bench(
        Pictures(tmp_path / "events", store, db, held, shown, clock, _read), store, held, clock, tmp_path / "events"
    )
    yield made
    db.close()


def seen(bench: Bench, n: int = 1, at_us: int = T0, to_us: int | None = T0 + S) -> Event:
    event = Event(f"{n:022x}", "gate", "motion", at_us, to_us, to_us or at_us, 0.5, (), at_us)
    bench.store.keep([EventChange(Phase.NEW, event)])
    return event


async def test_it_is_made_once_and_handed_out_while_its_footage_is_held(bench: Bench):
    event = seen(bench)
    assert await bench.pictures.run_once() == 1
    assert await bench.pictures.run_once() == 0
    assert bench.asked == [("main", T0)]
    assert bench.files() == [f"gate/2027-01-15/{event.id}.jpg"]
    assert await bench.pictures.of(bench.one(event)) == b"\xff\xd8jpeg of %d, 960\xff\xd9" % T0
    bench.held.holes.append((T0 - S, T0 + S))
    assert await bench.pictures.of(bench.one(event)) is None


@pytest.mark.parametrize("left", [None, b"", b"\0" * 4096, b"\xff\xd8jpeg of"])
async def test_what_a_power_cut_took_or_tore_is_made_again(bench: Bench, left: bytes | None):
    """The row is flushed, the file is not: after a cut it may be absent, empty, or end anywhere."""
    event = seen(bench)
    await bench.pictures.run_once()
    (file,) = (bench.folder / name for name in bench.files())
    if left is None:
        file.unlink()
    else:
        file.write_bytes(left)
    assert await bench.pictures.of(bench.one(event)) is None
    assert bench.one(event).pictured_us is None
    assert await bench.pictures.run_once() == 1
    assert await bench.pictures.of(bench.one(event)) == b"\xff\xd8jpeg of %d, 960\xff\xd9" % T0
    file.unlink()
    bench.held.holes.append((T0 - S, T0 + S))
    assert await bench.pictures.of(bench.one(event)) is None
    assert bench.one(event).pictured_us == T0, "its footage is gone: nothing is to be made"


async def test_it_goes_with_its_footage_by_age_or_from_the_midst(bench: Bench):
    old, midst, new = seen(bench, 1, T0 - 3 * 3600 * S), seen(bench, 2, T0), seen(bench, 3, T0 + 60 * S)
    assert await bench.pictures.run_once() == 3
    bench.held.first_us = T0 - 3600 * S
    bench.held.holes.append((T0 - S, T0 + S))
    bench.clock.tick(SWEEP_US)
    await bench.pictures.run_once()
    assert [name.split("/")[-1] for name in bench.files()] == [f"{new.id}.jpg"]
    bench.held.first_us = None
    assert bench.pictures.sweep() == 1
    assert not (bench.folder / "gate").exists()
    assert await bench.pictures.of(bench.one(old)) is await bench.pictures.of(bench.one(midst)) is None


async def test_what_cannot_be_decoded_is_tried_three_times(bench: Bench):
    bench.fails = True
    event = seen(bench)
    for _ in range(TRIES + 2):
        await bench.pictures.run_once()
    assert len(bench.asked) == TRIES
    assert bench.one(event).pictured_us is None
    assert bench.pictures.failed == 1


async def test_of_what_is_held_no_more_none_is_made(bench: Bench):
    bench.held.first_us = T0 + S
    seen(bench)
    assert await bench.pictures.run_once() == 0
    assert bench.asked == []
    assert bench.store.to_picture(T0 + DAY, 5) == []


async def test_what_is_dropped_takes_its_picture_along_and_names_of_others_make_no_path(bench: Bench):
    event = seen(bench)
    await bench.pictures.run_once()
    bench.pictures.drop([(event.camera, event.id, event.from_us), ("..", "x", 0), ("gate", "../../x", 0)])
    assert bench.files() == []


async def test_nothing_is_asked_while_no_event_lacks_a_picture(bench: Bench):
    task = asyncio.create_task(bench.pictures.run())

    async def made(many: int) -> bool:
        await bench.clock.advance(ROUND_S)
        return bench.pictures.made >= many

    try:
        seen(bench, 1)
        bench.pictures.changed()
        await until(lambda: made(1))

        async def rests() -> bool:
            await bench.clock.advance(ROUND_S)
            return bench.pictures.waits_s == SWEEP_US / 1e6

        await until(rests)
        looks = bench.held.looks
        for _ in range(5):
            await bench.clock.advance(ROUND_S)
        assert bench.held.looks == looks
        bench.held.until_us = T0 - 1  # not durable yet: it is looked for until it is
        seen(bench, 2)
        bench.pictures.changed()

        async def looked() -> bool:
            await bench.clock.advance(ROUND_S)
            return bench.held.looks >= looks + 3

        await until(looked)
        assert len(bench.asked) == 1
        bench.held.until_us = T0
        await until(lambda: made(2))
    finally:
        await ended([task])


async def test_mere_motion_that_goes_on_is_pictured_after_a_while_and_at_once_where_somebody_asks(bench: Bench):
    motion, wanted = seen(bench, 1, to_us=None), seen(bench, 2, to_us=None)
    line = replace(motion, id=f"{3:022x}", kind="motion.line")
    bench.store.keep([EventChange(Phase.NEW, line)])
    bench.held.until_us = T0 + SOON_US - 1
    assert await bench.pictures.of(bench.one(wanted)) is None
    assert await bench.pictures.run_once() == 2
    assert [bench.one(each).pictured_us for each in (motion, wanted, line)] == [None, T0, T0]
    assert await bench.pictures.of(bench.one(wanted)) == b"\xff\xd8jpeg of %d, 960\xff\xd9" % T0
    bench.held.until_us += 1
    assert await bench.pictures.run_once() == 1
    over = seen(bench, 4)
    bench.held.until_us = T0
    assert await bench.pictures.run_once() == 1, "what is over waits for nothing"
    assert bench.one(over).pictured_us == T0
