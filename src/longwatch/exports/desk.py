"""The desk where exports are ordered: one after another, in the order they were asked for, however often the server is started anew.

Behaviour over time: an order that fits is a row before it is answered. One job is made at a time, file by file; a file that is whole is
flushed, has its name, and is never made twice. While a job waits or runs, the recorder keeps its footage from being removed for room
(`protect`). A server that is killed leaves a row that says `running`: the next one goes on with the file that was not whole. Every minute
what is too old goes: by the setting, and by the maximum age of the footage in it. Where the disk gets short the job fails, and recording
goes on. Owner of rows, files and queue: the server's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.secrets import scrub
from longwatch.base.tasks import Tasks, ended
from longwatch.exports.jobs import ExportedFile, Job, Kind, Order, Part, State, file_name, parts_of
from longwatch.exports.progress import Progress, advanced
from longwatch.exports.store import ExportStore
from longwatch.server_db import ServerDb

DAY_US = 86_400_000_000
MOST_WAITING = 40
MOST_OF_ONE = 8
LEASE_S = 300
_LEASE_AGAIN_S = 100.0
_LOOK_S = 1.0
_PARTING_S = 30.0
"""What makes an export ends its child and takes away what it wrote: told to end again sooner, it would leave both."""
_SWEEP_S = 60.0
_SPARE_BYTES = 256 << 20
_REMEMBERED_US = 90 * DAY_US
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """keep_us: how long files are kept. max_bytes: of all files together. keep_free: bytes of the disk that exports leave alone, of its
    size in bytes.
    """

    keep_us: int = 7 * DAY_US
    max_bytes: int = 20 * 10**9
    keep_free: Callable[[int], int] = lambda size: size // 20


class Maker(Protocol):
    """Makes one file. Cancelled, it leaves nothing that runs."""

    async def make(self, job: Job, part: Part, out: Path, said: Callable[[str, int, int], None]) -> ExportedFile:
        """At `out`, flushed and whole. Raises LongwatchError. A part without footage is an answer without sha256, and no file."""
        ...


class Neighbours(Protocol):
    """What the desk asks of the rest of the server."""

    async def protect(self, job: Job, for_s: int) -> None:
        """Keep the footage of a job for so long; 0: no longer. Never raises."""
        ...

    async def removed(self, job: Job, why: str) -> None:
        """Its files are about to go by themselves: an entry. Never raises."""
        ...

    async def law_us(self, job: Job) -> int | None:
        """From when on the footage in it may not be kept; None: no maximum, or an authority's hold is over all of it."""
        ...

    async def time_is_trusted(self) -> bool:
        """Whether anything may go by age now."""
        ...


class ExportDesk:
    """See the module. folder: of the files, made (0700) where it is not there. options: asked each time, so that a reload shows."""

    def __init__(
        self, db: ServerDb, folder: Path, maker: Maker, around: Neighbours, clock: Clock, options: Callable[[], Options] = Options
    ) -> None:  # fmt: skip
        self._db = db
        self._store = ExportStore(db)
        self._folder = folder
        self._maker = maker
        self._around = around
        self._clock = clock
        self._options = options
        self._jobs: dict[int, Job] = {}
        self._progress: dict[int, Progress] = {}
        self._making: asyncio.Task[None] | None = None
        self._made: int | None = None
        self._wake = asyncio.Event()
        self._tasks = Tasks("exports")

    # ---- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """What was left is taken up again. Raises LongwatchError, OSError where folder or rows cannot be had."""
        await asyncio.to_thread(self._folder.mkdir, 0o700, True, True)
        for job in await self._db.call(self._store.load):
            kept = replace(job, state=State.WAITING) if job.state is State.RUNNING else job
            self._jobs[job.id] = kept
        await asyncio.to_thread(self._clear)
        self._tasks.start("make", self._make_for_ever())
        self._tasks.start("sweep", self._sweep_for_ever())

    async def aclose(self) -> None:
        """What is made now is taken up again by the next start."""
        await self._tasks.aclose()

    def _clear(self) -> None:
        """Folders that no job owns, and files that were not whole."""
        owners = {str(job.id): job for job in self._jobs.values() if job.state is not State.GONE}
        for folder in self._folder.iterdir():
            job = owners.get(folder.name)
            if job is None:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            whole = {file.name for file in job.files if file.sha256}
            for path in folder.iterdir():
                if path.name not in whole:
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    # ---- what people ask for ----------------------------------------------------------------------------------------

    @property
    def jobs(self) -> list[Job]:
        """The newest first."""
        return sorted(self._jobs.values(), key=lambda job: -job.id)

    def job(self, number: int) -> Job | None:
        """By its number."""
        return self._jobs.get(number)

    def progress(self, number: int) -> Progress | None:
        """How far it is; None where it is not being made."""
        return self._progress.get(number)

    def path(self, job: Job, file: ExportedFile) -> Path:
        """Where a file lies."""
        return self._folder / str(job.id) / file.name

    def room(self) -> tuple[int, int]:
        """Bytes that new files may have: within the setting, and on the disk beside what recording is promised."""
        options = self._options()
        waiting = sum(max(0, job.bytes_estimated - job.size) for job in self._open())
        held = sum(job.size for job in self._jobs.values())
        disk = shutil.disk_usage(self._folder)
        return options.max_bytes - held - waiting, disk.free - options.keep_free(disk.total) - _SPARE_BYTES - waiting

    async def order(self, order: Order, subject: int, by: str, who: str, reason: str, estimated: int) -> Job:
        """A job that will be made. Raises UsageError where too many wait, LongwatchError where it does not fit."""
        mine = [job for job in self._open() if job.subject == subject]
        if len(self._open()) >= MOST_WAITING or len(mine) >= MOST_OF_ONE:
            raise UsageError("too many exports wait already", remedy="wait until one is done, or remove one")
        within, on_disk = await asyncio.to_thread(self.room)
        if estimated > within:
            raise LongwatchError(
                "there is no room for this export", why=f"{estimated} bytes are expected, {max(0, within)} are left of exports.max_size",
                remedy="remove exports that were fetched, ask for less, or raise exports.max_size",
            )  # fmt: skip
        if estimated > on_disk:
            raise LongwatchError(
                "the disk has no room for this export", why=f"{estimated} bytes are expected, {max(0, on_disk)} can be had beside recording",
                remedy="remove exports that were fetched, or ask for less",
            )  # fmt: skip
        job = Job(0, order, State.WAITING, subject, by, who, reason, self._clock.wall_us(), estimated)
        job = replace(job, id=await self._db.call(self._store.add, job))
        self._jobs[job.id] = job
        await self._around.protect(job, LEASE_S)
        self._wake.set()
        return job

    async def remove(self, job: Job, why: str) -> None:
        """Files go, and what is being made is ended; the row stays for a while, so that it can be seen who had what."""
        now = self._jobs.get(job.id, job)
        gone = replace(now, state=State.GONE, why_gone=why, ended_us=now.ended_us or self._clock.wall_us())
        self._jobs[job.id] = gone  # at once: what is ended below must not be begun again
        if self._made == job.id and self._making is not None:
            await ended([self._making], _PARTING_S)
        await self._keep(gone)
        await asyncio.to_thread(shutil.rmtree, self._folder / str(job.id), ignore_errors=True)
        await self._around.protect(job, 0)

    async def forget(self, subject: int) -> None:
        """The words of one person go, in the rows too."""
        await self._db.call(self._store.forget, subject)
        for job in [job for job in self._jobs.values() if job.subject == subject]:
            self._jobs[job.id] = replace(job, by="", who="{}", reason="")

    # ---- making -----------------------------------------------------------------------------------------------------

    def _open(self) -> list[Job]:
        return [job for job in self._jobs.values() if job.state in {State.WAITING, State.RUNNING}]

    async def _keep(self, job: Job) -> None:
        self._jobs[job.id] = job
        await self._db.call(self._store.keep, job)

    async def _make_for_ever(self) -> None:
        while True:
            waiting = sorted(self._open(), key=lambda job: job.id)
            if not waiting:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LEASE_AGAIN_S):  # wait_for may swallow a cancellation (Python 3.11)
                        await self._wake.wait()
                continue
            self._made = waiting[0].id
            self._making = self._tasks.start(f"export {self._made}", self._make(waiting[0]))
            leases = self._tasks.start("leases", self._hold_leases())
            await asyncio.wait({self._making})
            await ended([leases])
            self._making = self._made = None
            self._progress.pop(waiting[0].id, None)

    async def _hold_leases(self) -> None:
        while True:
            for job in self._open():
                await self._around.protect(job, LEASE_S)
            await self._clock.sleep(_LEASE_AGAIN_S)

    async def _make(self, job: Job) -> None:
        """Every file that is not there yet. Whatever goes wrong is this job's own."""
        job = replace(job, state=State.RUNNING, started_us=job.started_us or self._clock.wall_us())
        await self._keep(job)
        _log.info("an export is made", export=job.id, kind=str(job.order.kind), cameras=len(job.order.cameras))
        try:
            problem = await self._make_files(job)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  the boundary: an export that fails must not end the desk
            _log.error("an export failed", export=job.id, error=scrub(repr(error)), exc_info=error)
            problem = LongwatchError("the export could not be made", why=scrub(str(error)))
        job = self._jobs[job.id]
        made = any(file.sha256 for file in job.files)
        if problem is None and not made:
            problem = LongwatchError(
                "nothing was recorded in that span", remedy="the timeline says what is recorded, and why not"
            )
        told = None if problem is None else {
            "what": scrub(problem.what), "why": scrub(problem.why), "remedy": scrub(problem.remedy)
        }  # fmt: skip
        state = State.DONE if told is None else State.FAILED
        await self._keep(replace(job, state=state, ended_us=self._clock.wall_us(), problem=told))
        await self._around.protect(job, 0)

    async def _make_files(self, job: Job) -> LongwatchError | None:
        parts, began_us = parts_of(job.order), self._clock.boottime_us()
        folder = self._folder / str(job.id)
        await asyncio.to_thread(folder.mkdir, 0o700, True, True)
        done = {file.name for file in job.files}
        began_part = len(done) / len(parts)
        for n, part in enumerate(parts):
            name = file_name(job.order, part)
            if name in done:
                continue
            self._progress[job.id] = Progress(n, len(parts), part=n / len(parts))
            try:
                file = await self._make_file(job, part, folder / name, began_us, began_part)
            except LongwatchError as error:
                return error
            job = replace(self._jobs[job.id], files=(*self._jobs[job.id].files, file))
            await self._keep(job)
        return None

    async def _make_file(self, job: Job, part: Part, out: Path, began_us: int, began_part: float) -> ExportedFile:
        """One file, as long as the disk has room. Raises LongwatchError."""
        package = job.order.kind is Kind.EVIDENCE

        def said(step: str, done: int, of: int) -> None:
            running_s = (self._clock.boottime_us() - began_us) / 1e6
            before = self._progress[job.id]
            self._progress[job.id] = advanced(before, (step, done, of), running_s, began_part, package=package)

        making = asyncio.ensure_future(self._maker.make(job, part, out, said))
        try:
            while not making.done():
                await asyncio.wait({making}, timeout=_LOOK_S)
                if not making.done():
                    await asyncio.to_thread(self._check_room, job)
            return making.result()
        finally:
            await ended([making], _PARTING_S)

    def _check_room(self, job: Job) -> None:
        """Recording stands above exports."""
        options = self._options()
        disk = shutil.disk_usage(self._folder)
        if disk.free < options.keep_free(disk.total):
            raise LongwatchError(
                "the disk got full while the export was made", why="recording keeps what is left",
                remedy="remove exports that were fetched, then ask again",
            )  # fmt: skip
        held = sum(j.size for j in self._jobs.values()) + _unfinished(self._folder / str(job.id), job)
        if held > options.max_bytes:
            raise LongwatchError(
                "the export became larger than exports.max_size allows",
                remedy="ask for less, or raise exports.max_size",
            )

    # ---- what is too old --------------------------------------------------------------------------------------------

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                await self.sweep()
            except LongwatchError as error:
                _log.error("old exports could not be removed; it is tried again", reason=str(error))
            await self._clock.sleep(_SWEEP_S)

    async def sweep(self) -> None:
        """Remove what is too old, by the setting or by the law; not while time is not trusted."""
        if not self._jobs or not await self._around.time_is_trusted():
            return
        now_us = self._clock.wall_us()
        for job in self.jobs:
            why = await self._why_gone(job, now_us)
            if why:
                if any(file.sha256 for file in job.files):
                    await self._around.removed(job, why)
                await self.remove(job, why)
        old = [
            job.id
            for job in self.jobs
            if job.state is State.GONE and (job.ended_us or job.created_us) < now_us - _REMEMBERED_US
        ]
        if old:
            await self._db.call(self._store.drop, old)
            self._jobs = {number: job for number, job in self._jobs.items() if number not in old}

    async def _why_gone(self, job: Job, now_us: int) -> str:
        if job.state is State.GONE:
            return ""
        law_us = await self._around.law_us(job)
        if law_us is not None and law_us <= now_us:
            return "law"
        ended = job.state in {State.DONE, State.FAILED} and job.ended_us is not None
        return "expired" if ended and (job.ended_us or 0) + self._options().keep_us <= now_us else ""

    async def expires_us(self, job: Job) -> int | None:
        """When its files go by themselves; None while it is made, and once they are gone."""
        if job.state not in {State.DONE, State.FAILED} or job.ended_us is None:
            return None
        law_us = await self._around.law_us(job)
        own_us = job.ended_us + self._options().keep_us
        return own_us if law_us is None else min(own_us, law_us)


def _unfinished(folder: Path, job: Job) -> int:
    """Bytes of what is being written just now."""
    whole, size = {file.name for file in job.files}, 0
    for root, _, names in os.walk(folder):
        for name in names:
            if name not in whole:
                with contextlib.suppress(OSError):
                    size += (Path(root) / name).stat().st_size
    return size
