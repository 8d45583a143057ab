"""From sightings to events that are stored, told and raised: in the server, with a real database and no pictures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.memory_index import MemoryIndex

from longwatch.accounting.alarms import Seen, Subject
from longwatch.base.clock import ManualClock
from longwatch.base.errors import UsageError
from longwatch.base.tasks import Tasks
from longwatch.model.alarms import AlarmKind
from longwatch.model.events import EventChange, Phase, Sighting
from longwatch.node.recorder.blind import blind_cameras
from longwatch.node.watch.watching import LOST_US, Options, Watching
from longwatch.playback import Stills
from longwatch.server_db import ServerDb

S = 1_000_000
DAY = 86_400 * S
NOW = 1_767_225_600_000_000


@dataclass
class Recorder:
    told: list[dict[str, Any]] = field(default_factory=list)

    async def request(self, _kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        self.told.append(fields)
        return {}


@dataclass
class Bench:
    watching: Watching
    clock: ManualClock
    recorder: Recorder
    told: list[EventChange]
    again: Callable[[], Watching]

    async def see(self, at_s: float, kind: str = "motion", camera: str = "gate", **more: Any) -> None:
        await self.watching.sightings([Sighting(camera, kind, NOW + round(at_s * S), **more)])

    def phases(self) -> list[str]:
        return [str(change.phase) for change in self.told]


async def _read(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.to_thread(function, *arguments)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    db, clock, recorder, told = ServerDb(tmp_path / "server.db"), ManualClock(NOW), Recorder(), []
    options = Options(90 * DAY, frozenset({"gate", "heat", "yard"}), (("gate", "heat"),))

    def made() -> Watching:
        watching = Watching(tmp_path, db, MemoryIndex(), Stills(), recorder, clock, lambda: options, _read)  # type: ignore[arg-type]  # no footage is read
        watching.on_change.append(told.append)
        return watching

    yield Bench(made(), clock, recorder, told, made)
    db.close()


async def test_an_event_is_durable_before_it_is_told(bench: Bench):
    stored: list[object] = []
    bench.watching.on_change.insert(0, lambda change: stored.append(bench.watching.store.one(change.event.id)))
    await bench.see(0)
    await bench.watching.looked("gate", NOW + 10 * S)
    assert bench.phases() == ["new", "end"]
    assert None not in stored
    assert len(stored) == 2


async def test_who_listens_badly_costs_nobody_else_anything(bench: Bench):
    def bad(_: EventChange) -> None:
        raise RuntimeError("I am broken")

    bench.watching.on_change.insert(0, bad)
    await bench.see(0)
    assert bench.phases() == ["new"]


async def test_a_camera_that_nobody_looks_at_ends_what_was_open(bench: Bench):
    await bench.see(0)
    await bench.watching.looked("gate", NOW + S)
    bench.clock.tick(LOST_US + S)
    await bench.watching.run_once()
    assert bench.phases() == ["new", "end"]
    assert bench.told[-1].event.to_us == NOW


async def test_a_restart_goes_on_with_what_was_open_and_gives_it_time_to_be_seen_again(bench: Bench):
    await bench.see(0, "tamper.covered")
    after = bench.again()
    await after.run_once()
    assert bench.phases() == ["new"]
    await after.sightings([Sighting("gate", "tamper.covered", NOW + 20 * S)])
    await after.sightings([Sighting("gate", "tamper.covered", NOW + 40 * S, on=False)])
    assert [p for p in bench.phases() if p != "update"] == ["new", "end"]
    assert len({change.event.id for change in bench.told}) == 1
    assert bench.told[-1].event.to_us == NOW + 40 * S


async def test_a_restart_that_never_sees_it_again_ends_it_where_it_was_seen(bench: Bench):
    await bench.see(0, "tamper.covered")
    after = bench.again()
    await after.run_once()
    bench.clock.tick(LOST_US + S)
    await after.run_once()
    assert bench.told[-1].phase is Phase.END
    assert bench.told[-1].event.to_us == NOW
    assert after.views()["blind"] == []


async def test_a_hidden_view_is_told_to_the_recorder_and_raised_by_it(bench: Bench):
    await bench.see(0, "tamper.turned")
    await bench.see(1, "tamper.covered")
    await bench.watching.looked("yard", NOW + S)
    told = bench.watching.views()
    assert told["blind"] == [{"camera": "gate", "how": "turned", "since_us": NOW, "event": bench.told[0].event.id}]
    assert (told["clear"], told["unclear"]) == (["yard"], ["heat"])
    tasks = Tasks("test")
    bench.watching.start(tasks)
    while not bench.recorder.told:
        await asyncio.sleep(0)
    await tasks.aclose()
    assert bench.recorder.told[0] == told


async def test_two_of_a_pair_that_see_the_same_name_each_other(bench: Bench):
    await bench.see(0, camera="heat")
    await bench.see(1, camera="gate")
    await bench.see(2, camera="yard")
    heat, gate, yard = (
        next(c.event for c in bench.told if c.event.camera == name) for name in ("heat", "gate", "yard")
    )
    assert (gate.twin, yard.twin) == (heat.id, "")
    kept = bench.watching.store.one(heat.id)
    assert kept is not None
    assert kept.event.twin == gate.id


async def test_old_events_go_and_a_review_is_told(bench: Bench):
    reviewed: list[str] = []
    bench.watching.on_review.append(reviewed.append)
    await bench.see(-100 * 86_400)
    await bench.watching.looked("gate", NOW)
    await bench.see(0)
    old, new = bench.told[0].event.id, bench.told[-1].event.id
    assert await bench.watching.reviewed(new, done=True, subject=3, by="ada") is not None
    assert await bench.watching.reviewed("0" * 22, done=True, subject=3, by="ada") is None
    assert reviewed == [new]
    await bench.watching.run_once()
    assert bench.watching.store.one(old) is None
    assert bench.watching.store.one(new) is not None


async def test_the_recorder_raises_on_what_it_was_told_lately_alone():
    clock = ManualClock(NOW)
    blind = blind_cameras(clock)
    gate, yard = (Subject(AlarmKind.CAMERA_BLIND, name) for name in ("gate", "yard"))
    assert blind.add(Seen(), [gate]).unclear == {gate}
    item = {"camera": "gate", "how": "covered", "since_us": NOW, "event": "a" * 22}
    await blind.commands["views_seen"]({"blind": [item], "clear": ["yard"]})
    seen = blind.add(Seen(), [])
    assert [(t.subject, t.cause, t.camera, t.since_us) for t in seen.troubles] == [(gate, "covered", "gate", NOW)]
    assert seen.well == {yard}
    clock.tick(61 * S)
    assert blind.add(Seen(), [gate]) == Seen(unclear=frozenset({gate}))
    for wrong in (
        {},
        {"blind": [{**item, "how": "stolen"}]},
        {"blind": [{**item, "since_us": -1}]},
        {"blind": [], "clear": ["../x"]},
    ):
        with pytest.raises(UsageError):
            await blind.commands["views_seen"](wrong)
