"""Stills fetched beside a camera's video: as often as asked, only while there is video, and never at its cost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tests.support.sinks import RememberingSink
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.formats.codecs import thermal_still
from longwatch.formats.media import Codec, Sample
from longwatch.ingest import CameraUrl, Options, RtspSource
from longwatch.ingest.thermal_stills import MOST_BYTES, follow
from longwatch.simulate.camera import ROOM, SimulatedCamera


class PatientClock(SystemClock):
    """Time goes on by being slept through. slept: what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []
        self.ahead_us = 0

    def boottime_us(self) -> int:
        return self.ahead_us

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ahead_us += int(seconds * 1e6)
        await asyncio.sleep(0)  # no time passes: others have their turn


@dataclass
class Script:
    """A camera's answers, one after another; then it waits for ever."""

    answers: list[bytes | LongwatchError]
    every_s: float = 10.0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch(self) -> bytes:
        if not self.answers:
            self.done.set()
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, LongwatchError):
            raise answer
        return answer


async def followed(script: Script, wanted: list[bool]) -> tuple[list[Sample], PatientClock]:
    clock, taken, tasks = PatientClock(), list[Sample](), Tasks("test")
    tasks.start("stills", follow(script, 2, "oven", clock, lambda: wanted.pop(0) if wanted else True, taken.append))
    try:
        await asyncio.wait_for(script.done.wait(), 60)
    finally:
        await tasks.aclose()
    return taken, clock


async def test_one_after_another_as_often_as_asked() -> None:
    taken, clock = await followed(Script([b"a", b"b", b"c"]), [])
    assert [each.data for each in taken] == [b"a", b"b", b"c"]
    assert [each.arrival_boot_us for each in taken] == [0, 10_000_000, 20_000_000]
    assert [each.dts for each in taken] == [0, 900_000, 1_800_000]
    assert all(each.track == 2 and each.sync for each in taken)
    assert clock.slept == [10.0, 10.0, 10.0]


async def test_none_is_asked_for_while_there_is_no_video() -> None:
    taken, clock = await followed(Script([b"a"]), [False, False, True])
    assert [each.data for each in taken] == [b"a"]
    assert clock.slept == [0.25, 0.25, 10.0]


async def test_a_camera_that_gives_none_is_asked_less_often_and_then_as_before() -> None:
    wrong = LongwatchError("did not answer")
    taken, clock = await followed(
        Script([wrong, wrong, bytes(MOST_BYTES + 1), b"", wrong, wrong, wrong, b"a", b"b"]), []
    )
    assert [each.data for each in taken] == [b"a", b"b"]
    assert clock.slept == [20.0, 30.0, 40.0, 50.0, 60.0, 60.0, 60.0, 10.0, 10.0]


async def test_they_are_a_track_of_the_session() -> None:
    script = Script([b"still"] * 3, every_s=0.1)
    async with SimulatedCamera(ROOM) as camera:
        sink, tasks = RememberingSink(), Tasks("test")
        source = RtspSource(CameraUrl.parse(camera.url), Options(), SystemClock(), script)
        tasks.start("source", source.run(sink))
        try:
            await until(script.done.is_set)
            tracks = sink.tracks
        finally:
            await tasks.aclose()
    assert tracks is not None
    assert tracks[-1] == thermal_still.track_format()
    assert tracks[-1].codec is Codec.THERMAL_STILL
    number = len(tracks) - 1
    assert [each.data for each in sink.audio if each.track == number] == [b"still"] * 3
