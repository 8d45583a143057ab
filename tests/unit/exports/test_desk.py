"""The desk: one after another, again after a kill, within its room, and nothing older than it may be."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support.wait import until

from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.exports import ExportDesk, ExportedFile, Job, Kind, Options, Order, State
from longwatch.exports import desk as desk_module
from longwatch.exports.jobs import Part
from longwatch.server_db import ServerDb

T0 = 1_767_225_600_000_000
DAY_US = 86_400_000_000


class FakeMaker:
    """Writes a file of `size` bytes when it is let go. made: what it finished, in order."""

    def __init__(self) -> None:
        self.made: list[tuple[int, str]] = []
        self.begun: list[tuple[int, str]] = []
        self.size = 10
        self.go = asyncio.Event()
        self.go.set()
        self.problem: LongwatchError | None = None
        self.nothing: set[str] = set()
        self.waits: set[str] | None = None  # cameras whose files wait to be let go; None: all

    async def make(self, job: Job, part: Part, out: Path, said: Callable[[str, int, int], None]) -> ExportedFile:
        self.begun.append((job.id, part.camera))
        out.with_name(f".{out.name}.part").write_bytes(b"x" * self.size)
        said("video", 1, 2)
        if self.waits is None or part.camera in self.waits:
            await self.go.wait()
        if self.problem is not None:
            raise self.problem
        if part.camera in self.nothing:
            return ExportedFile(out.name, part.camera, part.from_us, part.to_us)
        out.write_bytes(b"x" * self.size)
        self.made.append((job.id, part.camera))
        return ExportedFile(out.name, part.camera, part.from_us, part.to_us, self.size, "ab" * 32)


class Around:
    """law: from when on footage may not be kept."""

    def __init__(self) -> None:
        self.leases: dict[int, int] = {}
        self.entries: list[tuple[int, str]] = []
        self.law: int | None = None
        self.trusted = True

    async def protect(self, job: Job, for_s: int) -> None:
        self.leases[job.id] = for_s

    async def removed(self, job: Job, why: str) -> None:
        self.entries.append((job.id, why))

    async def law_us(self, job: Job) -> int | None:
        return self.law

    async def time_is_trusted(self) -> bool:
        return self.trusted


class Case(NamedTuple):
    desk: ExportDesk
    maker: FakeMaker
    around: Around
    clock: ManualClock
    folder: Path

    async def order(self, *cameras: str, subject: int = 12, estimated: int = 10) -> Job:
        what = Order(Kind.VIDEO, cameras or ("gate",), "main", T0, T0 + 60_000_000)
        return await self.desk.order(what, subject, "ada", '{"user":"ada"}', "theft", estimated)

    def state(self, job: Job) -> State:
        found = self.desk.job(job.id)
        assert found is not None
        return found.state


@contextlib.asynccontextmanager
async def desk(path: Path, maker: FakeMaker | None = None, options: Options | None = None) -> AsyncIterator[Case]:
    maker, around, clock = maker or FakeMaker(), Around(), ManualClock()
    db = await asyncio.to_thread(ServerDb, path / "server.db")
    given = options or Options(keep_free=lambda _: 0)
    made = ExportDesk(db, path / "exports", maker, around, clock, lambda: given)
    await made.start()
    try:
        yield Case(made, maker, around, clock, path / "exports")
    finally:
        await made.aclose()
        await asyncio.to_thread(db.close)


async def test_jobs_are_made_one_after_another_in_the_order_they_were_asked_for(tmp_path: Path) -> None:
    async with desk(tmp_path) as case:
        case.maker.go.clear()
        jobs = [await case.order("gate", "yard"), await case.order("road", subject=13)]
        await until(lambda: case.maker.begun == [(1, "gate")])
        assert [case.state(job) for job in jobs] == [State.RUNNING, State.WAITING]
        progress = case.desk.progress(1)
        assert progress is not None
        assert 0 < progress.part < 0.5
        assert case.around.leases == {1: desk_module.LEASE_S, 2: desk_module.LEASE_S}
        case.maker.go.set()
        await until(lambda: case.state(jobs[1]) is State.DONE)
        assert case.maker.made == [(1, "gate"), (1, "yard"), (2, "road")]
        await until(lambda: case.around.leases == {1: 0, 2: 0})
        done = case.desk.job(1)
        assert done is not None
        assert [case.desk.path(done, file).read_bytes() for file in done.files] == [b"x" * 10] * 2
        assert case.desk.progress(1) is None


async def test_a_server_that_is_killed_goes_on_with_the_file_that_was_not_whole(tmp_path: Path) -> None:
    maker = FakeMaker()
    async with desk(tmp_path, maker) as case:
        maker.go.clear()
        maker.waits = {"yard"}
        job = await case.order("gate", "yard")
        await until(lambda: maker.begun[-1:] == [(1, "yard")])
        assert case.state(job) is State.RUNNING
    (tmp_path / "exports" / "77").mkdir()
    assert list((tmp_path / "exports" / "1").glob(".*.part"))
    maker.go.set()
    async with desk(tmp_path, maker) as case:
        assert not (tmp_path / "exports" / "77").exists(), "a folder of no job"
        await until(lambda: case.state(job) is State.DONE)
        assert maker.made == [(1, "gate"), (1, "yard")], "what was whole is not made twice"


async def test_a_failure_is_told_and_what_comes_next_is_made(tmp_path: Path) -> None:
    async with desk(tmp_path) as case:
        case.maker.problem = LongwatchError("the segment is gone", why="the disk", remedy="check it")
        job = await case.order()
        await until(lambda: case.state(job) is State.FAILED)
        failed = case.desk.job(job.id)
        assert failed is not None
        assert failed.problem == {"what": "the segment is gone", "why": "the disk", "remedy": "check it"}
        case.maker.problem = None
        job = await case.order()
        await until(lambda: case.state(job) is State.DONE)


async def test_a_camera_without_footage_is_said_and_all_without_is_a_failure(tmp_path: Path) -> None:
    async with desk(tmp_path) as case:
        case.maker.nothing = {"yard"}
        both, alone = await case.order("gate", "yard"), await case.order("yard")
        await until(lambda: case.state(alone) is State.FAILED)
        done = case.desk.job(both.id)
        assert done is not None
        assert (done.state, [bool(file.sha256) for file in done.files]) == (State.DONE, [True, False])


async def test_what_does_not_fit_is_refused_before_it_begins(tmp_path: Path) -> None:
    async with desk(tmp_path, options=Options(max_bytes=100, keep_free=lambda _: 0)) as case:
        with pytest.raises(LongwatchError, match="no room"):
            await case.order(estimated=101)
        case.maker.go.clear()
        await case.order(estimated=60)
        with pytest.raises(LongwatchError, match="no room"):
            await case.order(estimated=60)
        assert len(case.desk.jobs) == 1
    (tmp_path / "other").mkdir()
    async with desk(tmp_path / "other", options=Options(keep_free=lambda size: size)) as case:
        with pytest.raises(LongwatchError, match="the disk has no room"):
            await case.order()


async def test_a_disk_that_gets_short_fails_the_job_and_leaves_nothing_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "_LOOK_S", 0.01)
    floor = [0]
    async with desk(tmp_path, options=Options(keep_free=lambda _: floor[0])) as case:
        case.maker.go.clear()
        job = await case.order()
        await until(lambda: len(case.maker.begun) == 1)
        floor[0] = shutil.disk_usage(tmp_path).total
        await until(lambda: case.state(job) is State.FAILED)
        failed = case.desk.job(job.id)
        assert failed is not None
        assert failed.problem is not None
        assert "disk got full" in failed.problem["what"]


async def test_one_person_cannot_fill_the_queue(tmp_path: Path) -> None:
    async with desk(tmp_path) as case:
        case.maker.go.clear()
        for _ in range(desk_module.MOST_OF_ONE):
            await case.order()
        with pytest.raises(UsageError, match="too many"):
            await case.order()
        await case.order(subject=13)


async def test_removing_ends_what_is_made_and_the_row_stays(tmp_path: Path) -> None:
    async with desk(tmp_path) as case:
        case.maker.go.clear()
        first, second = await case.order(), await case.order("yard")
        await until(lambda: len(case.maker.begun) == 1)
        await case.desk.remove(first, "asked")
        assert case.state(first) is State.GONE
        assert not (case.folder / "1").exists()
        assert case.around.leases[1] == 0
        case.maker.go.set()
        await until(lambda: case.state(second) is State.DONE)
        assert case.maker.made == [(2, "yard")]


async def test_files_go_by_the_setting_and_by_the_law_but_not_while_time_is_not_trusted(tmp_path: Path) -> None:
    async with desk(tmp_path, options=Options(keep_us=DAY_US, keep_free=lambda _: 0)) as case:
        job = await case.order()
        await until(lambda: case.state(job) is State.DONE)
        done = case.desk.job(job.id)
        assert done is not None
        assert await case.desk.expires_us(done) == (done.ended_us or 0) + DAY_US
        case.around.law = case.clock.wall_us() + 1_000_000
        assert await case.desk.expires_us(done) == case.around.law
        case.around.trusted = False
        case.clock.tick(2_000_000)
        await case.desk.sweep()
        assert case.state(job) is State.DONE
        case.around.trusted = True
        await case.desk.sweep()
        assert case.state(job) is State.GONE
        assert case.around.entries == [(1, "law")]
        assert not (case.folder / "1").exists()
        case.around.law = None
        job = await case.order()
        await until(lambda: case.state(job) is State.DONE)
        case.clock.tick(DAY_US)
        await case.desk.sweep()
        assert case.around.entries == [(1, "law"), (2, "expired")]


async def test_the_law_ends_an_export_that_is_being_made(tmp_path: Path) -> None:
    async with desk(tmp_path) as case:
        case.maker.go.clear()
        job = await case.order()
        await until(lambda: len(case.maker.begun) == 1)
        case.around.law = case.clock.wall_us()
        await case.desk.sweep()
        assert case.state(job) is State.GONE


async def test_an_erasure_takes_the_words_of_a_person_and_leaves_the_export(tmp_path: Path) -> None:
    async with desk(tmp_path) as case:
        mine, other = await case.order(subject=12), await case.order("yard", subject=13)
        await until(lambda: case.state(other) is State.DONE)
        await case.desk.forget(12)
    async with desk(tmp_path) as case:
        told = [(job.by, job.reason, job.who) for job in sorted(case.desk.jobs, key=lambda job: job.id)]
        assert told == [("", "", "{}"), ("ada", "theft", '{"user":"ada"}')]
        assert case.desk.job(mine.id) is not None
