"""EIO and ENOSPC at every n-th operation, full disks, an index that takes nothing: nothing corrupt, nothing acknowledged lost,
recording goes on within a tick elsewhere or after re-admission, the cause in the ledger.
"""

import contextlib
import errno
import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.support import small_disks
from tests.support.archive_case import BOOT, GATE, KEEP_ALL, ROAD, held, opened, record, stream
from tests.support.archive_faults import ByFile, FailsAt
from tests.support.fake_stream import FakeStream
from tests.support.wait import until

from longwatch.archive import Archive, ArchiveReader, Flushing, Mode, Volume, VolumeState, ops
from longwatch.base.clock import ManualClock
from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey

pytestmark = pytest.mark.slow


@dataclass
class Loop:
    """What a recorder does: ticks, and where a segment is abandoned a new run at the next tick, wherever it is placed."""

    archive: Archive
    streams: list[FakeStream]
    clock: ManualClock
    acked: dict[int, int] = field(default_factory=dict)
    paths: dict[int, bytes] = field(default_factory=dict)
    ticks_without: int = 0
    worst: int = 0
    homes: dict[StreamKey, Volume] = field(default_factory=dict)

    async def tick(self) -> None:
        self.clock.tick(600_000)
        by_volume: dict[str, tuple[Volume, list[ops.MediaOp], list[ops.IndexOp]]] = {}
        for source in self.streams:
            if not source.started:
                self.homes[source.key] = self.archive.place(source.key)
            volume = self.homes[source.key]
            _, media, index = by_volume.setdefault(volume.id, (volume, [], []))
            last = len(source.rows) == 3
            tick = source.tick(seal=last, reopen=last is False and source.started and not source.rows)
            if last:
                source.rows = []
            media += tick.media
            index += tick.index
        gained = False
        for volume, media, index in by_volume.values():
            result = await self.archive.tick(volume, ops.Tick(media, index))
            self.acked.update(result.acknowledged)
            gained = gained or bool(result.acknowledged)
            if result.failure is not None:
                for source in self.streams:
                    if source.token in result.failure.tokens:
                        source.started = False
                        source.rows = []
                        source.run = self.archive.next_run_number()
        self.ticks_without = 0 if gained else self.ticks_without + 1
        self.worst = max(self.worst, self.ticks_without)


def kinds_of(paths: list[Path]) -> list[str]:
    reader = ArchiveReader(paths)
    found = [json.loads(row.entry)["kind"] for row in reader.entries(0, 10_000)]
    reader.close()
    return found


async def verify_nothing_lost(paths: list[Path], loop: Loop) -> None:
    """Every acknowledged length is in the index, and every hash is right; also after a restart."""
    sizes = sorted(s.durable_bytes for key in (GATE, ROAD) for s in held(paths, key))
    for durable in loop.acked.values():
        assert any(size >= durable for size in sizes)
    total = sum(sizes)
    assert total >= sum(loop.acked.values())
    async with opened(paths, boot="cd" * 16) as (archive, report):
        assert report.missing == []
        assert sum(s.durable_bytes for key in (GATE, ROAD) for s in held(paths, key)) >= total
        for mode in (Mode.HASH, Mode.LEDGER):
            checked = await archive.check(mode)
            assert [f for f in checked.findings if f.kind != "orphan"] == []


async def readmitted(archive: Archive, clock: ManualClock) -> None:
    """Until the archive has verified every volume by itself, and the ledger's files are written again."""
    deadline = time.monotonic() + 120
    while archive.ledger.problems() or not all(volume.state is VolumeState.OK for volume in archive.volumes):
        assert time.monotonic() < deadline, [[v.detail for v in archive.volumes], archive.ledger.problems()]
        await clock.advance(1)
        await archive.commit([])


class SlowProbe(FailsAt):
    """The disk fails on cue; what is tried in order to verify it works again."""

    def probe(self, folder: Path) -> None:
        armed, self.armed = self.armed, False
        super().probe(folder)
        self.armed = armed


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("volumes", [1, 2])
@pytest.mark.parametrize(
    "nth", [1, 2, 5, 9, 14, *(pytest.param(n, marks=pytest.mark.slow) for n in (*range(15, 40, 3), 60, 90))]
)
async def test_any_operation_may_fail(tmp_path: Path, nth: int, volumes: int, code: int):
    paths = [tmp_path / name for name in "ab"[:volumes]]
    clock = ManualClock()
    faults = SlowProbe(nth, code)
    faults.armed = False
    archive, _ = await Archive.open(paths, replace(KEEP_ALL, flushing=faults), clock, BOOT)
    faults.armed = True
    loop = Loop(archive, [stream(archive), stream(archive, ROAD, base=1_000_000)], clock)
    for _ in range(24):
        await loop.tick()
    assert faults.failures == 1
    assert loop.worst <= 1, "recording resumes at the next tick"
    await readmitted(archive, clock)
    await archive.close(orderly=False)
    said = kinds_of(paths)
    assert ("storage_full" if code == errno.ENOSPC else "storage_failed") in said
    assert "storage_readmitted" in said
    await verify_nothing_lost(paths, loop)


@pytest.mark.parametrize("only", ["flush_volume", "flush_file", "write", "create"])
async def test_a_disk_that_stays_broken_is_left_for_another(tmp_path: Path, only: str):
    class OneIsBroken(ByFile if only == "flush_file" else Flushing):
        """Operations under one volume fail, by its descriptors."""

        broken = ""

        def _maybe(self, where: int | Path) -> None:
            path = os.readlink(f"/proc/self/fd/{where}") if isinstance(where, int) else str(where)
            if self.broken and path.startswith(self.broken):
                raise OSError(errno.EIO, "injected")

        def create(self, path: Path) -> int:
            if only == "create":
                self._maybe(path)
            return super().create(path)

        def write(self, descriptor: int, parts, offset: int) -> int:
            if only == "write":
                self._maybe(descriptor)
            return super().write(descriptor, parts, offset)

        def flush_volume(self, descriptor: int) -> None:
            if only == "flush_volume":
                self._maybe(descriptor)
            super().flush_volume(descriptor)

        def flush_file(self, descriptor: int) -> None:
            if only == "flush_file":
                self._maybe(descriptor)
            super().flush_file(descriptor)

    paths = [tmp_path / "a", tmp_path / "b"]
    clock, faults = ManualClock(), OneIsBroken()
    archive, _ = await Archive.open(paths, replace(KEEP_ALL, flushing=faults), clock, BOOT)
    loop = Loop(archive, [stream(archive), stream(archive, ROAD, base=1_000_000)], clock)
    for _ in range(3):
        await loop.tick()
    faults.broken = str(tmp_path / "b")
    for _ in range(8):
        await loop.tick()
    assert archive.volumes[1].state is VolumeState.FAILED
    assert {volume.id for volume in loop.homes.values()} == {archive.volumes[0].id}
    assert loop.worst == 0
    faults.broken = ""
    await readmitted(archive, clock)
    await archive.close(orderly=False)
    await verify_nothing_lost(paths, loop)


class FirstFlushFails(Flushing):
    """syncfs fails once; each file then says for itself whether it is among the lost."""

    def __init__(self, lost: tuple[str, ...]) -> None:
        self.lost = lost
        self.armed = False
        self.asked = False

    def flush_volume(self, descriptor: int) -> None:
        if self.armed:
            self.armed = False
            self.asked = True
            raise OSError(errno.EIO, "injected")
        super().flush_volume(descriptor)

    def flush_file(self, descriptor: int) -> None:
        if self.asked and any(f"/{camera}/" in os.readlink(f"/proc/self/fd/{descriptor}") for camera in self.lost):
            raise OSError(errno.EIO, "injected")
        super().flush_file(descriptor)


@pytest.mark.parametrize(
    ("lost", "abandoned"), [(("gate",), {"gate"}), ((), {"gate", "road"}), (("gate", "road"), {"gate", "road"})]
)
async def test_after_a_failed_flush_each_file_answers_for_itself(
    tmp_path: Path, lost: tuple[str, ...], abandoned: set[str]
):
    faults = FirstFlushFails(lost)
    async with opened([tmp_path / "a"], replace(KEEP_ALL, flushing=faults)) as (archive, _):
        gate, road = stream(archive), stream(archive, ROAD, base=1000)
        volume = archive.volumes[0]
        both = [gate.tick(), road.tick()]
        await archive.tick(volume, ops.Tick([*both[0].media, *both[1].media], [*both[0].index, *both[1].index]))
        faults.armed = True
        before = {
            gate.token: held([tmp_path / "a"])[0].durable_bytes,
            road.token: held([tmp_path / "a"], ROAD)[0].durable_bytes,
        }
        both = [gate.tick(), road.tick()]
        result = await archive.tick(
            volume, ops.Tick([*both[0].media, *both[1].media], [*both[0].index, *both[1].index])
        )
        assert result.failure is not None
        assert {"gate" if token == gate.token else "road" for token in result.failure.tokens} == abandoned
        assert result.failure.cause is Cause.STORAGE_FAILED
        for source in (gate, road):
            (segment,) = held([tmp_path / "a"], source.key)
            if source.key.camera in abandoned:
                assert segment.durable_bytes == before[source.token]
                assert source.token not in result.acknowledged
            else:
                assert segment.durable_bytes == result.acknowledged[source.token] > before[source.token]
            reader = ArchiveReader([tmp_path / "a"])
            (span,) = reader.recorded_spans(source.key, 0, 1 << 60)
            assert span.to_us == segment.wall_end_us, "the index claims no media that is not there"
            reader.close()
        assert volume.state is VolumeState.FAILED


def mirrored(archive: Archive) -> bool:
    told = archive.ledger.describe()
    return all(mirror["size"] == told["signed"] for mirror in told["mirrors"])


async def test_a_disk_that_was_exchanged_under_us_is_not_used_again(tmp_path: Path):
    faults = FailsAt(1, errno.EIO, only=["write"])
    faults.armed = False
    clock = ManualClock()
    async with opened([tmp_path / "a", tmp_path / "b"], replace(KEEP_ALL, flushing=faults), clock) as (archive, _):
        source = stream(archive)
        await archive.ledger.publish()
        await until(lambda: mirrored(archive), "no copy of the ledger is being written")
        faults.armed = True
        await archive.tick(archive.volumes[1], source.tick())
        (tmp_path / "b").rename(tmp_path / "out")
        (tmp_path / "b").mkdir()
        faults.armed = False
        clock.tick(10_000_000)
        source.started = False
        result = await archive.tick(archive.volumes[1], source.tick())
        assert result.acknowledged == {}
        assert archive.volumes[1].state is VolumeState.FAILED
        assert "is its disk mounted?" in archive.volumes[1].detail
        assert list((tmp_path / "b").iterdir()) == []


async def test_an_index_that_takes_nothing_acknowledges_nothing_and_makes_it_good(tmp_path: Path):
    paths = [tmp_path / "a", tmp_path / "b"]
    async with opened(paths) as (archive, _):
        source = stream(archive)
        await record(archive, source)
        db = archive._index.connection
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        archive._rows._release_reserve = lambda: False
        db.execute(f"PRAGMA max_page_count = {pages}")
        big = ops.Entry("settings_applied", {"text": "x" * 9000})
        first = await archive.tick(archive.volumes[1], replace(source.tick(reopen=True), index=[big]))
        assert (first.acknowledged, first.index_committed) == ({}, False)
        assert "full" in archive.index_failed
        second = await archive.tick(archive.volumes[1], source.tick())
        assert (second.acknowledged, second.index_committed) == ({}, False)
        assert len(held(paths)) == 1
        db.execute("PRAGMA max_page_count = 1073741823")
        third = await archive.tick(archive.volumes[1], source.tick())
        assert third.acknowledged == {source.token: source.end}
        assert archive.index_failed == ""
        assert held(paths)[1].durable_bytes == source.end
        assert kinds_of(paths).count("settings_applied") == 1


async def test_media_goes_on_while_the_index_is_away_and_recovery_makes_the_rows(tmp_path: Path):
    paths = [tmp_path / "a"]
    archive, _ = await Archive.open(paths, KEEP_ALL, ManualClock(), BOOT)
    source = stream(archive)
    await record(archive, source)
    archive._rows._release_reserve = lambda: False
    archive._index.connection.execute(
        f"PRAGMA max_page_count = {archive._index.connection.execute('PRAGMA page_count').fetchone()[0]}"
    )
    await archive.commit([ops.Entry("settings_applied", {"text": "x" * 9000})])
    for n in range(6):
        result = await archive.tick(archive.volumes[0], source.tick(seal=n % 3 == 2, reopen=n % 3 == 0))
        assert not result.index_committed
    await archive.close(orderly=False)
    async with opened(paths) as (archive, report):
        assert [r.adopted for r in report.recovered] == [True, True]
        assert [s.sequence for s in held(paths)] == [0, 1, 2]
        assert (await archive.check(Mode.HASH)).findings == []


async def test_the_reserve_lets_the_last_words_through(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        db = archive._index.connection
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")

        def release() -> bool:
            db.execute("PRAGMA max_page_count = 1073741823")
            return True

        archive._rows._release_reserve = release
        assert await archive.commit([ops.Entry("settings_applied", {"text": "x" * 9000})])
        assert archive.index_failed == ""


async def test_what_is_said_after_the_reserve_was_given_up_is_written_too(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        db = archive._index.connection
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")

        def release() -> bool:
            db.execute("PRAGMA max_page_count = 1073741823")
            return True

        archive._rows._release_reserve = release
        assert await archive.commit([ops.Entry("settings_applied", {"text": "x" * 9000})])
        assert await archive.commit([ops.GapOpen(1, GATE, 1000, Cause.STORAGE_FULL, {"detail": "full"})])
        assert await archive.commit([ops.GapClose(1, 5000)])
        reader = ArchiveReader([tmp_path / "a"])
        assert [(gap.from_us, gap.to_us, gap.cause) for _, gap in reader.gaps(None, 0, 9000)] == [
            (1000, 5000, Cause.STORAGE_FULL)
        ]
        reader.close()


# -- real full disks


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A disk of a few megabytes (param: mount options of a tmpfs)."""
    with small_disks.small_disk(tmp_path / "small", request.param) as mount:
        yield mount


@pytest.mark.root
@pytest.mark.parametrize("small_disk", ["size=1m", "size=20m,nr_inodes=20"], indirect=True, ids=["bytes", "inodes"])
async def test_a_disk_that_fills_is_left_and_used_again_when_there_is_room(tmp_path: Path, small_disk: Path):
    paths = [tmp_path / "a", small_disk / "b"]
    clock = ManualClock()
    archive, _ = await Archive.open(paths, KEEP_ALL, clock, BOOT)
    source = stream(archive)
    source.sample_bytes = 4000
    for n in range(400):
        clock.tick(600_000)
        result = await archive.tick(archive.volumes[1], source.tick(reopen=n > 0, seal=True))
        if result.failure is not None:
            break
    assert result.failure is not None
    assert result.failure.cause is Cause.STORAGE_FULL
    assert archive.volumes[1].state is VolumeState.FULL
    assert archive.place(GATE) is archive.volumes[0]
    clock.tick(5_000_000)
    source.started = False
    source.run = archive.next_run_number()
    result = await archive.tick(archive.volumes[1], source.tick())
    assert result.failure is not None, "still full"
    for segment in held(paths):
        Path(segment.path).unlink()  # as if a person made room
    clock.tick(5_000_000)
    source.started = False
    source.run = archive.next_run_number()
    result = await archive.tick(archive.volumes[1], source.tick())
    assert result.acknowledged == {source.token: source.end}
    assert archive.volumes[1].state is VolumeState.OK
    await archive.close(orderly=False)


@pytest.mark.root
@pytest.mark.parametrize("small_disk", ["size=2m"], indirect=True)
async def test_a_full_index_volume_loses_nothing_that_was_acknowledged(tmp_path: Path, small_disk: Path):
    paths = [small_disk / "a"]
    clock = ManualClock()
    archive, _ = await Archive.open(paths, KEEP_ALL, clock, BOOT)
    loop = Loop(archive, [stream(archive), stream(archive, ROAD, base=1_000_000)], clock)
    for source in loop.streams:
        source.sample_bytes = 3000
    for _ in range(60):
        await loop.tick()
    assert archive.volumes[0].state is VolumeState.FULL or archive.index_failed
    assert loop.acked
    await archive.close(orderly=False)
    subprocess.run(["mount", "-o", "remount,size=40m", small_disk], check=True)
    await verify_nothing_lost(paths, loop)


async def test_after_an_error_the_index_is_opened_anew_and_never_made_anew(tmp_path: Path):
    paths = [tmp_path / "a", tmp_path / "b"]
    async with opened(paths) as (archive, _):
        source = stream(archive)
        await record(archive, source)
        size = ArchiveReader(paths).ledger_size()
        archive._index.connection.close()  # every use of it now fails
        assert not await archive.commit([ops.Entry("settings_applied", {"number": 1})])
        (tmp_path / "a" / "index.db").rename(tmp_path / "a" / "gone.db")
        assert not await archive.commit([ops.Entry("settings_applied", {"number": 2})])
        assert not (tmp_path / "a" / "index.db").exists()
        (tmp_path / "a" / "gone.db").rename(tmp_path / "a" / "index.db")
        assert await archive.commit([ops.Entry("settings_applied", {"number": 3})])
        assert [json.loads(row.entry)["body"]["number"] for row in ArchiveReader(paths).entries(size, 9)] == [1, 2, 3]


class SaysNoAfterwards(Flushing):
    """The commit lands, and an error is reported."""

    armed = False

    def step(self, number: str) -> None:
        if number == "S6" and self.armed:
            self.armed = False
            raise sqlite3.OperationalError("disk I/O error")


async def test_a_commit_that_failed_and_landed_after_all_is_not_written_twice(tmp_path: Path):
    paths, faults = [tmp_path / "a"], SaysNoAfterwards()
    async with opened(paths, replace(KEEP_ALL, flushing=faults)) as (archive, _):
        source = stream(archive)
        await archive.tick(archive.volumes[0], source.tick())
        for seal in (False, True):
            size = ArchiveReader(paths).ledger_size()
            faults.armed = True
            tick = source.tick(seal=seal)
            gap = [ops.GapOpen(7, GATE, 5, Cause.UNKNOWN, {}), ops.GapClose(7, 9)] if seal else []
            refused = await archive.tick(archive.volumes[0], replace(tick, index=[*tick.index, *gap]))
            assert (refused.acknowledged, refused.index_committed) == ({}, False)
            token, end = source.token, source.end
            taken = await archive.tick(archive.volumes[0], source.tick(reopen=seal))
            assert taken.index_committed
            if seal:
                assert taken.acknowledged == {token: end, source.token: source.end}
                assert ArchiveReader(paths).ledger_size() == size + 3
                assert len(ArchiveReader(paths).gaps("gate", 0, 100)) == 1
                assert ArchiveReader(paths).stats(GATE).segments == 1
            else:
                assert taken.acknowledged == {source.token: source.end}
        assert (await archive.check(Mode.HASH)).findings == []
        assert (await archive.check(Mode.LEDGER)).findings == []


async def test_media_of_a_run_whose_start_was_never_told_has_a_place_all_the_same(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        source = stream(archive)
        tick = source.tick(seal=True)
        told = [op for op in tick.index if not isinstance(op, ops.RunStart)]
        result = await archive.tick(archive.volumes[0], replace(tick, index=[*told, ops.RunEnd(99, 1, "")]))
        assert result.acknowledged == {source.token: source.end}
        assert held([tmp_path / "a"])[0].run == source.run


@pytest.mark.root
@pytest.mark.parametrize("small_disk", ["size=40m"], indirect=True)
async def test_a_small_full_disk_has_its_last_words_too_and_media_never_takes_their_room(small_disk: Path):
    folder = small_disk / "a"
    reserve, filler = folder / "reserve", small_disk / "filler"
    async with opened([folder]) as (archive, _):
        await until(lambda: reserve.exists() and reserve.stat().st_blocks > 0, "it is held")
        (volume,) = archive.volumes
        source = stream(archive)
        with filler.open("wb") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), b"x" * 65536)
        assert (await archive.tick(volume, source.tick())).failure is not None
        for _ in range(10):
            assert await archive.commit([ops.Entry("settings_applied", {"text": "x" * 50_000})])
        assert archive.index_failed == ""
        assert reserve.stat().st_blocks == 0
        volume.verified_boot_us = -1_000_000_000
        await archive._verify(volume)
        assert volume.state is VolumeState.FULL
        filler.unlink()
        volume.verified_boot_us = -1_000_000_000
        await archive._verify(volume)
        assert volume.state is VolumeState.OK
        assert reserve.stat().st_blocks > 0


@pytest.mark.root
@pytest.mark.parametrize("small_disk", ["size=40m"], indirect=True)
async def test_starts_on_a_full_disk_take_nothing_of_the_room_for_last_words(small_disk: Path):
    """A supply that comes and goes: each start would else record into what the last words of the one before had left."""
    folder, filler = small_disk / "a", small_disk / "filler"
    reserve = folder / "reserve"
    async with opened([folder]) as (archive, _):
        await until(lambda: reserve.exists() and reserve.stat().st_blocks > 0, "it is held")
        room = reserve.stat().st_blocks * 512
        with filler.open("wb") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), b"x" * 65536)
        for _ in range(3):
            assert await archive.commit([ops.Entry("settings_applied", {"text": "x" * 50_000})])
        assert reserve.stat().st_blocks == 0
    left = _free(small_disk)
    assert left > room // 2, "the reserve was given up, and little of it was needed"
    for _ in range(3):
        async with opened([folder]) as (archive, _):
            (volume,) = archive.volumes
            assert volume.state is VolumeState.FULL
            source = stream(archive)
            source.sample_bytes = 100_000
            result = await archive.tick(volume, source.tick())
            assert result.failure is not None
            assert result.failure.cause is Cause.STORAGE_FULL
            assert await archive.commit([ops.Entry("settings_applied", {"text": "there is room for words"})])
    assert _free(small_disk) > left - room // 4
    filler.unlink()
    async with opened([folder]) as (archive, _):
        assert archive.volumes[0].state is VolumeState.OK, "there is room again"
        assert reserve.stat().st_blocks * 512 >= room


def _free(disk: Path) -> int:
    stat = os.statvfs(disk)
    return stat.f_bavail * stat.f_frsize
