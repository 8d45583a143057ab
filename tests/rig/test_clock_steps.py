"""Figure 9 with the real recorder's process, on a host whose clock is the test's: steps of years and hours, a boot in 1970, a clock
ten times too fast. Recorded throughout; corrected over the socket; then every second stands where it was, and plays.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.post import Cameras
from tests.rig.clock_shim import HostClock, why_not
from tests.support.accounted import unexplained_us
from tests.support.measured import stretch
from tests.support.recorder_post import GATE, Post
from tests.support.wait import until

from longwatch.model.stores import Provenance
from longwatch.playback import VideoRequest, open_playlist, open_video
from longwatch.simulate.camera import LOT, SimulatedCamera
from longwatch.timeline import State

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not())]
SECOND = 1_000_000
HOUR_S = 3_600.0
YEAR_S = 365 * 24 * HOUR_S
WHO = {"subject": 0, "text": '{"user":"rig"}'}


class ClockedPost(Post):
    """A post on a host whose clock is the test's."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        super().__init__(folder)
        self.clock = HostClock(folder / "host")

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "longwatch.node.recorder", "--config", str(self.config)],
                stderr=log, env={**os.environ, **self.clock.environment},
            )  # fmt: skip

    async def lives(self, seconds: float) -> None:
        """So much is accounted for from now on, by whatever clock."""
        began = time.monotonic()

        async def recorded() -> bool:
            return time.monotonic() - began >= seconds and bool((await self.stream()).get("recording"))

        await until(recorded, "recording goes on", seconds + 120)

    async def steps(self, count: int) -> None:
        await until(lambda: len(self.entries("clock_step")) >= count, f"step {count} is told")

    async def runs(self, count: int) -> None:
        """So many have recorded something: each step of the clock begins one, which may take its time."""

        def runs() -> bool:
            spans = self.read(lambda reader: reader.recorded_spans(GATE, 0, 1 << 60))
            return len({span.run for span in spans}) >= count

        await until(runs, f"run {count} is recorded")

    async def corrects(self) -> dict[str, Any]:
        async def ended() -> dict[str, Any] | None:
            done = await self.ask("time_apply", suggested=True, person=WHO, reason="the rig")
            return done if done["entries"] else None

        try:
            found: dict[str, Any] = await until(ended, "something is corrected")
        except AssertionError:
            raise AssertionError([each for each in self.entries() if "clock" in each["kind"]]) from None
        return found

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def holds(self) -> None:
        """Nothing unexplained, no two runs in one place, order kept, and no file lost."""
        assert self.read(unexplained_us) == 0
        assert all(tile.also == () for tile in self.tiles())
        spans = sorted(self.read(lambda reader: reader.recorded_spans(GATE, 0, 1 << 60)))
        assert [span.run for span in spans] == sorted(span.run for span in spans)
        rows = self.read(lambda reader: reader.segments(GATE, 0, 1 << 60))
        assert all(Path(row.path).is_file() for row in rows)
        for one, two in itertools.pairwise(sorted(rows, key=lambda row: (row.run, row.sequence))):
            assert one.wall_start_us < two.wall_start_us

    def recorded_s(self) -> float:
        return sum(t.to_us - t.from_us for t in self.tiles() if t.state is State.RECORDED) / SECOND


@pytest.fixture
def camera() -> Iterator[SimulatedCamera]:
    """In a thread of its own: what a test reads and computes at its leisure does not hold up what the camera sends."""
    cameras = Cameras()
    with contextlib.closing(cameras):
        # where the camera tells the time, its word is taken against a host that lost its own, and nothing is left to be corrected
        yield cameras.add("gate", lambda: SimulatedCamera(LOT, sender_reports=False))


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path: the shim's record of it is small."""
    with tempfile.TemporaryDirectory(prefix="lw-") as folder:
        yield Path(folder)


async def there_and_back(folder: Path, url: str, by_s: float) -> None:
    post = ClockedPost(folder)
    try:
        post.settings({"gate": url})
        post.start()
        await post.recording()
        held_up, began = stretch(), time.monotonic()
        await post.lives(4)
        post.clock.set(by_s, synchronised=False)
        await post.steps(1)
        await post.runs(2)
        await post.lives(4)
        post.clock.set(0, synchronised=True)
        await post.steps(2)
        await post.runs(3)
        await post.lives(5)
        assert len(post.entries("clock_step")) == 2, "one entry each"
        done = await post.corrects()
        assert len(done["entries"]) == 1
        assert done["runs"] == 1
        await post.lives(1)
        lived_s = time.monotonic() - began
        post.holds()
        assert post.recorded_s() == pytest.approx(lived_s, abs=3 * max(held_up, stretch())), "none lost"
        assert not [c for c in post.gap_seconds() if c != "post_stopped"], post.gap_seconds()
        report = await post.ask("check", mode="hash")
        assert report["ok"]
        plays(post)
        post.signal(signal.SIGTERM)
        assert await post.ended() == 0
        post.holds()
    finally:
        post.kill()


def plays(post: ClockedPost) -> None:
    """The corrected footage is found by what plays it, as one stretch with its neighbours."""
    moved = next(
        span for span in sorted(post.read(lambda reader: reader.recorded_spans(GATE, 0, 1 << 60))) if span.run == 2
    )

    def look(reader: Any) -> tuple[int, str]:
        until_us = reader.accounted_until_us()
        request = VideoRequest(GATE, moved.from_us - SECOND, moved.to_us + SECOND)
        video = open_video(reader, request, accounted_until_us=until_us)
        return video.size, open_playlist(reader, request, accounted_until_us=until_us)

    size, playlist = post.read(look)
    assert size > 10_000
    assert playlist.count("EXTINF") >= 2


BACK_AND_FORTH = {"-2y": -2 * YEAR_S, "+10y": 10 * YEAR_S}
HOURS = {"+1h": HOUR_S, "-1h": -HOUR_S}


@pytest.mark.parametrize(
    # both directions, and far beyond what there is; an hour is less of the same
    "steps",
    [BACK_AND_FORTH, pytest.param(HOURS, marks=pytest.mark.long)],
    ids=["years", "hours"],
)
async def test_steps_of_years_and_hours(short: Path, camera: SimulatedCamera, steps: dict[str, float]) -> None:
    await asyncio.gather(*(there_and_back(short / name, camera.url, by_s) for name, by_s in steps.items()))


async def test_a_boot_in_1970(short: Path, camera: SimulatedCamera) -> None:
    post = ClockedPost(short / "post")
    try:
        post.settings({"gate": camera.url})
        post.start()
        await post.recording()
        await post.lives(3)
        post.kill()
        post.clock.new_boot()
        post.clock.set(60 - time.time(), synchronised=False)
        post.start()
        await post.recording()
        await post.lives(3)
        status = await post.ask("status")
        assert status["provenance"] == "inferred"
        post.clock.set(HOUR_S, synchronised=True)  # an hour had gone by
        await post.steps(1)
        await post.lives(3)
        await post.corrects()
        await post.lives(1)
        post.holds()
        gaps = post.gap_seconds()
        assert gaps.pop("post_power_lost") == pytest.approx(HOUR_S, abs=15 * stretch())
        assert sum(gaps.values()) < 3, gaps
        spans = post.read(lambda reader: reader.recorded_spans(GATE, 0, 1 << 60))
        assert {span.provenance for span in spans} == {Provenance.NTP}
    finally:
        post.kill()


async def test_a_clock_ten_times_too_fast(short: Path, camera: SimulatedCamera) -> None:
    post = ClockedPost(short / "post")
    try:
        post.settings({"gate": camera.url})
        post.start()
        await post.recording()
        held_up, began = stretch(), time.monotonic()
        await post.lives(3)
        post.clock.run_fast(10)
        await until(lambda: len(post.entries("clock_unsteady")) == 1, "the clock is given up")
        await post.lives(3)
        assert len(post.entries("clock_unsteady")) == 1
        post.signal(signal.SIGTERM)
        assert await post.ended() == 0
        post.clock.set(0, synchronised=True)
        post.start()
        await post.recording()
        await post.lives(3)
        await post.corrects()
        await post.lives(1)
        lived_s = time.monotonic() - began
        post.holds()
        gaps = post.gap_seconds()
        assert set(gaps) <= {"post_stopped", "unknown"}
        assert post.recorded_s() + sum(gaps.values()) == pytest.approx(lived_s, abs=4 * max(held_up, stretch()))
    finally:
        post.kill()
