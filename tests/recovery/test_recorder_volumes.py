"""The recorder over two volumes, one of which fails, fills up or hangs: the other goes on, and every second is accounted for."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.accounted import unexplained_in
from tests.support.measured import stretch
from tests.support.recording import BOOT
from tests.support.wait import until
from tests.unit.node.recorder.test_process import NumberSource, camera

from longwatch.archive import ArchiveReader, Flushing
from longwatch.archive import Options as ArchiveOptions
from longwatch.base.clock import SystemClock
from longwatch.model.sessions import StreamKey
from longwatch.node.recorder import streams as recorder_streams
from longwatch.node.recorder.options import RecorderOptions
from longwatch.node.recorder.process import Recorder
from longwatch.recording import Options as RecordingOptions
from longwatch.timeline import State, Tile, tile

pytestmark = pytest.mark.slow
NAMES = ("gate", "yard")


class Faulty(Flushing):
    """Fails writes, or holds flushes, on the disk whose path has `where` in it."""

    def __init__(self) -> None:
        self.where = "\0"
        self.code = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def _meant(self, descriptor: int) -> bool:
        return self.where in os.readlink(f"/proc/self/fd/{descriptor}")

    def write(self, descriptor: int, parts: Sequence[bytes], offset: int) -> int:
        if self.code and self._meant(descriptor):
            raise OSError(self.code, os.strerror(self.code))
        return super().write(descriptor, parts, offset)

    def flush_volume(self, descriptor: int) -> None:
        if self._meant(descriptor):
            self.go_on.wait(60)
        super().flush_volume(descriptor)


@asynccontextmanager
async def recording(folder: Path, flushing: Flushing) -> AsyncIterator[Recorder]:
    options = RecorderOptions(
        "post", "UTC", (folder / "disk-a", folder / "disk-b"), tuple(camera(name) for name in NAMES),
        ArchiveOptions(flushing=flushing), RecordingOptions(post="post"),
    )  # fmt: skip
    recorder = await Recorder.open(options, None, SystemClock(), BOOT)
    task = asyncio.create_task(recorder.run())
    try:
        await until(lambda: all_record(recorder), "both record")
        yield recorder
    finally:
        recorder.stopping.set()
        await asyncio.wait_for(task, 180)


async def all_record(recorder: Recorder) -> bool:
    streams = (await recorder._status({}))["streams"]
    return len(streams) == len(NAMES) and all(stream["recording"] for stream in streams)


def tiles(folder: Path, name: str) -> list[Tile]:
    reader = ArchiveReader([folder / "disk-a", folder / "disk-b"])
    try:
        key = StreamKey(name, "main")
        (set_up_us,) = [row.set_up_us for row in reader.cameras() if row.camera == name]
        until_us = reader.accounted_until_us()
        gaps = [gap for owner, gap in reader.gaps(name, set_up_us, until_us) if owner == key]
        return tile(reader.recorded_spans(key, set_up_us, until_us), gaps, set_up_us, until_us, until_us, set_up_us)
    finally:
        reader.close()


def causes(laid: Sequence[Tile]) -> set[str]:
    assert all(t.gap is not None for t in laid if t.state is State.GAP), "no second unexplained"
    return {str(t.cause) for t in laid if t.state is State.GAP and t.cause != "post_stopped"}


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_streams, "RtspSource", NumberSource)
    NumberSource.attempts = {}


@pytest.mark.parametrize(("code", "cause"), [(errno.EIO, "storage_failed"), (errno.ENOSPC, "storage_full")])
async def test_recording_resumes_on_the_other_volume(tmp_path: Path, code: int, cause: str) -> None:
    faulty = Faulty()
    async with recording(tmp_path, faulty) as recorder:
        homes = {unit.key.camera: unit.volume.path.name for unit in recorder.ticks.units.values()}
        assert sorted(homes.values()) == ["disk-a", "disk-b"]
        (hit,) = [name for name, home in homes.items() if home == "disk-b"]
        (spared,) = [name for name, home in homes.items() if home == "disk-a"]
        before = stretch()
        faulty.where, faulty.code = "disk-b", code
        unit = recorder.ticks.units[StreamKey(hit, "main")]
        await until(lambda: unit.volume.path.name == "disk-a", "it moves")
        await until(lambda: all_record(recorder), "both record again")
        most_us = 5_000_000 * max(before, stretch())
        assert any("disk-b" in issue["what"] for issue in (await recorder._status({}))["health"])
        faulty.code = 0
        await until(lambda: recorder.archive.volumes[1].state == "ok", "the volume is used again")
    laid = tiles(tmp_path, hit)
    assert causes(laid) == {cause}
    gap_us = sum(t.to_us - t.from_us for t in laid if t.cause == cause)
    assert gap_us < most_us
    assert causes(tiles(tmp_path, spared)) == set()
    assert unexplained_in([tmp_path / "disk-a", tmp_path / "disk-b"]) == 0


async def test_a_hung_disk_holds_its_own_streams_only_and_loses_nothing_that_memory_can_hold(tmp_path: Path) -> None:
    faulty = Faulty()
    async with recording(tmp_path, faulty) as recorder:
        (hit,) = [u for u in recorder.ticks.units.values() if u.volume.path.name == "disk-b"]
        (spared,) = [u for u in recorder.ticks.units.values() if u.volume.path.name == "disk-a"]
        faulty.where = "disk-b"
        faulty.go_on.clear()
        assert spared.durable_to_us is not None
        assert hit.durable_to_us is not None
        goal_us = max(spared.durable_to_us, hit.durable_to_us) + 3_000_000
        await until(lambda: (spared.durable_to_us or 0) > goal_us, "the other goes on")
        assert unexplained_in([tmp_path / "disk-a", tmp_path / "disk-b"]) == 0, "what hangs is not accounted for yet"
        assert hit.durable_to_us < goal_us - 1_000_000
        faulty.go_on.set()
        await until(lambda: (hit.durable_to_us or 0) > goal_us, "it catches up")
    for name in NAMES:
        assert causes(tiles(tmp_path, name)) == set()
    assert unexplained_in([tmp_path / "disk-a", tmp_path / "disk-b"]) == 0
