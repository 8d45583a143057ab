"""`Archive`: the recorder's one door to media, index and ledger.

Opening a folder: survey of the volumes, lock, index (rebuilt where it is lost), recovery. Then, per volume, one tick after
another: media on the volume's own thread, rows on the index thread, acknowledgement. A volume that fails is verified again
before it is used; a volume that hangs holds its own ticks and nobody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from longwatch.archive import act_rows, ops, personal
from longwatch.archive.checking import PUBLISHED, CheckReport, Mode, run_check, still_wrong
from longwatch.archive.confirming import SegmentId, confirm
from longwatch.archive.correcting import Corrected, Correction, batches
from longwatch.archive.hold_rows import read_holds
from longwatch.archive.index import Index, Reserve
from longwatch.archive.index_rows import IndexRows
from longwatch.archive.opening import OpenedFolder, open_folder
from longwatch.archive.options import Options, Retention
from longwatch.archive.personal import Erased, Keyed, left_behind, take
from longwatch.archive.publishing import MirrorPlace, Publisher
from longwatch.archive.publishing_mirror import Proven
from longwatch.archive.recovery import RecoveryReport
from longwatch.archive.retention import Discard, Doomed, Keeper, Removal, RetentionReport, RetentionTime
from longwatch.archive.rows import enter, set_up
from longwatch.archive.segment_files import SegmentFiles, Written
from longwatch.archive.volumes import (
    Place,
    VolumeState,
)  # fmt: skip
from longwatch.archive.wide_days import WideDays
from longwatch.archive.worker import Worker
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.ledger import kinds
from longwatch.model.causes import Cause
from longwatch.model.holds import Guard, Hold
from longwatch.model.sessions import StreamKey

ROOM_BYTES = 64 << 20  # a volume with less is not given new segments, where another has more
_NEEDED_BYTES = 64 << 20  # what a full disk must have free before it is tried again
_RETRY_S = 0.5
_MEASURED_US = 2_000_000  # how old a figure of free space may be
_HANGS_US = 5_000_000  # a disk that does one thing for so long is left out of retention
_LAST_WAIT_S = 1.5  # for a thread that may hang, when the process ends
_LAST_HEAD_S = 1.2  # for the last head of the ledger, then
_WIDE_S = (0.3, 60.0)  # between two slices of days for wide views, and between two rounds
HOUR_US = 3_600_000_000
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class Volume:
    """One disk as the recorder sees it. id: its uuid. state, detail: whether media goes there, and why not.

    Owner: `Archive`.
    """

    def __init__(self, place: Place, row: int, clock: Clock) -> None:
        self.path = place.path
        self.id = place.identity.volume_id if place.identity is not None else ""
        self.row = row
        self.state = place.state
        self.detail = place.detail
        self.files: SegmentFiles | None = None
        self.worker = Worker(f"volume {place.path}", clock)
        self.verified_boot_us = 0
        self.measured_boot_us = 0
        self._free = (0, 0)

    @property
    def busy_since_boot_us(self) -> int | None:
        """Since when its thread does one and the same thing; None while it waits for work. A hung disk shows here."""
        return self.worker.busy_since_boot_us

    def free_bytes(self) -> tuple[int, int]:
        """Bytes free, and the size of the disk, as measured last; (0, 0) where it is not there. Never asks the disk itself."""
        return self._free

    def measure(self, now_boot_us: int) -> None:
        """Ask the disk, on its own thread: one that hangs must hold nobody else."""
        self.measured_boot_us = now_boot_us
        try:
            self._free = (0, 0) if self.files is None else self.files.free_bytes()
        except OSError:
            self._free = (0, 0)


class Archive:
    """See the module. Every coroutine is called on one event loop; nothing here blocks it."""

    def __init__(self, options: Options, clock: Clock, boot: str, opened: OpenedFolder, worker: Worker) -> None:
        self._options = options
        self._clock = clock
        self._boot = boot
        self._index = opened.index
        self._locks = opened.locks
        self._worker = worker
        self._reserve = Reserve(opened.places[0].path / "reserve")
        self._rows = IndexRows(opened.index, self._reserve.release)
        self.volumes = tuple(Volume(p, row, clock) for p, row in zip(opened.places, opened.rows, strict=True))
        self._homes: dict[StreamKey, Volume] = {}
        self._keys: dict[int, StreamKey] = {}
        self._next_run = 1
        self._failed = asyncio.Event()
        self._erasing = asyncio.Lock()
        self._tasks = Tasks("archive")
        self._kept_on = {
            v.row: v.path for v in self.volumes if v.state is VolumeState.OK
        }  # a volume that is full later is kept on as well
        self._keeper = Keeper(self._index, self._kept_on, options)
        self._removing = asyncio.Lock()  # retention and discarding choose from the same rows
        self.ledger = self._publisher(opened)

    def _publisher(self, opened: OpenedFolder) -> Publisher:
        first = self.volumes[0]
        places = [
            MirrorPlace(v.path, v.id, self._owed if v is first else lambda: 0)
            for v in self.volumes
            if v.state is VolumeState.OK
        ]
        made = Publisher(
            self._index, self._worker, opened.log.log, opened.log.key, places, self._clock, self._options.flushing,
            lambda entry: self.commit([entry]),
        )  # fmt: skip
        made.begun = opened.log.begun
        return made

    def _owed(self) -> int:
        return self._reserve.owed_bytes * 5 // 4

    @classmethod
    async def open(
        cls, volumes: Sequence[Path], options: Options, clock: Clock, boot: str
    ) -> tuple[Archive, RecoveryReport]:
        """Take the data folder: the first of `volumes` holds the index. boot: id of this boot, 32 hex digits.

        Makes what is new; recovers what a cut left. Raises LongwatchError, touching nothing, where the folder is of a newer
        format, is held by another process, or its first volume is not what it should be. Other volumes that are missing or
        foreign are left alone, stand in `volumes` with that state, and are named in the report's warnings.
        """
        worker = Worker("index", clock)
        began = time.monotonic_ns()
        try:
            opened = await worker.run(open_folder, list(volumes), options, clock, boot)
            archive = cls(options, clock, boot, opened, worker)
            await archive._begin()
        except BaseException:
            worker.stop(1)
            raise
        opened.report.open_us = (time.monotonic_ns() - began) // 1000
        return archive, opened.report

    async def _begin(self) -> None:
        for volume in self.volumes:
            if volume.state is VolumeState.OK:
                volume.files = SegmentFiles(volume.path, volume.row, volume.id, self._boot, self._options.flushing)
                await volume.worker.run(volume.measure, self._clock.boottime_us())
                if volume.files.flushes_each_file:
                    _log.warning(
                        "syncfs hides errors on this kernel; every file is flushed by itself", volume=str(volume.path)
                    )
        self._next_run = 1 + await self._worker.run(_last_run, self._index)
        if self._reserve.owed_bytes and not await self._worker.run(self._reserve.hold):
            self._begin_full()
        else:
            self._tasks.start("reserve", self._worker.run(self._reserve.hold))
        self._tasks.start("verify volumes", self._verify_for_ever())
        self._tasks.start("wide days", self._make_wide_days())
        self.ledger.start()

    def _begin_full(self) -> None:
        """The room for last words was given up before, and is not there again: media does not take what is left of it."""
        first = self.volumes[0]
        if first.files is not None:
            first.files.broken = Cause.STORAGE_FULL
            self._note_failure(first, Cause.STORAGE_FULL, f"{first.path} is full, as it was before this start")

    # -- where segments go

    def place(self, key: StreamKey) -> Volume:
        """The volume that the next segment of a stream goes to: where it went before while that is well and has room, else the
        well one with the most room. Where none is well, the first: its ticks fail until it is verified again.
        """
        home = self._homes.get(key)
        if home is not None and home.state is VolumeState.OK and home.free_bytes()[0] >= ROOM_BYTES:
            return home
        well = [volume for volume in self.volumes if volume.state is VolumeState.OK]
        if not well:
            full = [volume for volume in self.volumes if volume.state in {VolumeState.FULL, VolumeState.FAILED}]
            return (full or list(self.volumes))[0]
        counts = {volume.row: sum(1 for v in self._homes.values() if v is volume) for volume in well}
        roomy = [volume for volume in well if volume.free_bytes()[0] >= ROOM_BYTES]
        if roomy:
            best = min(roomy, key=lambda volume: (counts[volume.row], -volume.free_bytes()[0]))
        else:
            best = max(well, key=lambda volume: volume.free_bytes()[0])
        self._homes[key] = best
        return best

    def next_run_number(self) -> int:
        """A number for a run, never used before in this archive."""
        self._next_run += 1
        return self._next_run - 1

    @property
    def index_failed(self) -> str:
        """Why the index takes nothing; "" while it does. Nothing is acknowledged meanwhile."""
        return self._rows.failed

    # -- ticks

    async def tick(self, volume: Volume, tick: ops.Tick) -> ops.TickResult:
        """Steps S1 to S7: what is in the result's `acknowledged` will be there after a power cut. Returns when the disk does.

        One tick per volume at a time. Never raises for a disk's or the index's sake: see the result.
        """
        began = self._clock.boottime_us()
        for op in tick.media:
            if isinstance(op, ops.SegmentOpen):
                self._keys[op.token] = op.key
        written = await self._write(volume, tick.media)
        flushed = self._clock.boottime_us()
        acknowledged, committed = await self._record(volume, tick, written)
        done = self._clock.boottime_us()
        failure = None
        if written.cause is not None and written.failed:
            failure = ops.Failure(written.failed, written.cause, written.detail, written.whole_volume)
        for op in tick.media:
            if isinstance(op, ops.SegmentSeal) or op.token in written.failed:
                self._keys.pop(op.token, None)
        return ops.TickResult(acknowledged, committed, failure, flushed - began, done - flushed)

    async def _write(self, volume: Volume, media: Sequence[ops.MediaOp]) -> Written:
        files = volume.files
        if files is None:
            tokens = frozenset(op.token for op in media)
            return Written((), tokens, Cause.STORAGE_FAILED if tokens else None, volume.detail, whole_volume=True)
        if volume.state is not VolumeState.OK:
            await self._verify(volume)
        if not media:
            return Written(())
        written = await volume.worker.run(files.perform, media)
        if self._clock.boottime_us() - volume.measured_boot_us > _MEASURED_US:
            await volume.worker.run(volume.measure, self._clock.boottime_us())
        if volume.state is not VolumeState.OK:
            return replace(written, detail=volume.detail)  # why it was not used again says more than that it was not
        if written.cause is not None and files.broken is not None:
            self._note_failure(volume, written.cause, written.detail)
        return written

    def _note_failure(self, volume: Volume, cause: Cause, detail: str) -> None:
        state = VolumeState.FULL if cause is Cause.STORAGE_FULL else VolumeState.FAILED
        if volume.state is not state:
            _log.error("a volume failed", volume=str(volume.path), state=str(state), detail=detail)
        volume.state, volume.detail = state, detail
        self._failed.set()

    async def _record(self, volume: Volume, tick: ops.Tick, written: Written) -> tuple[dict[int, int], bool]:
        lost = {self._keys[token] for token in written.failed if token in self._keys}
        index_ops: list[ops.IndexOp] = [
            op
            for op in tick.index
            if not lost or not (isinstance(op, ops.Heartbeat) or (isinstance(op, ops.SpanExtend) and op.key in lost))
        ]  # a heartbeat says how far all is accounted for: with spans left out it would say too much
        if written.cause is not None and written.failed:
            kind = kinds.STORAGE_FULL if written.cause is Cause.STORAGE_FULL else kinds.STORAGE_FAILED
            streams = sorted(f"{key.camera}/{key.stream}" for key in lost)
            index_ops.append(ops.Entry(kind, {"volume": volume.id, "detail": written.detail, "streams": streams}))
        if not written.states and not index_ops:
            return {}, not self._rows.failed
        durable = await self._worker.run(self._rows.commit, written.states, index_ops)
        if durable is None:
            return {}, False
        self._options.flushing.step("S7")
        if any(isinstance(op, ops.SegmentSeal) for op in tick.media) or _is_urgent(index_ops):
            self.ledger.poke()
        return durable, True

    async def commit(self, index_ops: Sequence[ops.IndexOp]) -> bool:
        """Operations that belong to no volume. False where the index failed: they are kept, and made good by the next commit."""
        committed = await self._worker.run(self._rows.commit, (), index_ops) is not None
        if committed and _is_urgent(index_ops):
            self.ledger.poke()
        return committed

    async def enter(self, entry: ops.Entry) -> int:
        """One entry, durable once its number is returned. Raises LongwatchError where the index takes nothing."""
        try:
            return await self._worker.run(_enter, self._index, entry)
        except sqlite3.Error as error:
            raise LongwatchError(
                f"the entry {entry.kind} could not be written",
                why=str(error),
                remedy="see the state of the index volume",
            ) from error

    async def kept_acts(self, *, lost: bool = False) -> act_rows.KeptActs:
        """Alarms that stand, pauses, and the settings applied last, as they were left. lost: see `act_rows.load`. Raises sqlite3.Error."""
        return await self._worker.run(functools.partial(act_rows.load, self._index, lost=lost))

    async def act(self, op: ops.Act) -> int:
        """What a person asks for, before it takes effect: durable once the number of its entry is returned (-1 where there was nothing
        to write). Raises UsageError where it cannot be, LongwatchError where the index takes nothing: then nothing of it stands.
        """
        try:
            seq = await self._worker.run(act_rows.act, self._index, op)
        except sqlite3.Error as error:
            raise LongwatchError(
                "this could not be written, and was not done",
                why=str(error),
                remedy="see the state of the index volume",
            ) from error
        return -1 if seq is None else seq

    async def correct_time(self, make: Callable[[sqlite3.Connection], Correction | None]) -> list[Corrected]:
        """Place runs anew on the wall, as `make` says once it has looked at the index (correcting.py). Streams follow each other in
        transactions of their own, so that ticks go on between them. Empty where nothing is to be moved.

        Raises UsageError where it cannot be; LongwatchError where the index takes nothing: what was done before stands.
        """

        def begin(index: Index) -> tuple[Correction | None, list[list[int]]]:
            correction = make(index.connection)
            return correction, [] if correction is None else batches(index, correction)

        try:
            correction, groups = await self._worker.run(begin, self._index)
            if correction is None:
                return []
            return [
                await self._worker.run(partial(self._rows.correct, last=n == len(groups) - 1), correction, group)
                for n, group in enumerate(groups)
            ]
        except sqlite3.Error as error:
            raise LongwatchError(
                "the correction could not be written", why=str(error), remedy="see the state of the index volume"
            ) from error

    # -- people (personal.py)

    async def take(self, items: Sequence[Keyed]) -> list[int]:
        """Entries from the server's outbox, each entered once however often it is handed over; durable once this returns."""
        return await self._about_people(take, self._index, items)

    async def erase_subject(self, subject: int, by: ops.Person) -> Erased:
        """The clear text of one person goes, from the index and, with `purge_personal`, from its file; the entries stay."""
        return await self._erase(personal.of_subject(subject, by))

    async def expire_personal(self, now: RetentionTime) -> tuple[Erased, str]:
        """Clear text that is too old goes; not while time is not trusted. Says why nothing went, "" where it could."""
        if not now.trusted:
            return Erased(0, None), "time is not trusted"
        age_us, leap = self._options.retention.personal_us, now.approved or now.agreed_for_us >= HOUR_US
        choice, held_back = await self._about_people(
            partial(personal.too_old, may_leap=leap), self._index, age_us, now.wall_us
        )
        return (Erased(0, None) if choice is None else await self._erase(choice)), held_back

    async def _erase(self, choice: personal.Choice) -> Erased:
        """In steps, so that ticks have their turn between them."""
        async with self._erasing:
            while await self._about_people(personal.purge, self._index) is personal.Purged.MORE:
                pass
            if not await self._about_people(personal.there_is, self._index, choice):
                return await self._about_people(personal.tell_nothing, self._index, choice)
            await self._about_people(personal.begin, self._index)
            reached = -1
            while (last := await self._about_people(personal.copy, self._index, choice, reached)) >= 0:
                reached = last
            return await self._about_people(personal.swap, self._index, choice, reached)

    async def purge_personal(self) -> bool:
        """Nothing that was erased is left in the file and its log of writes. False where a reader is in the way."""
        async with self._erasing:
            while (done := await self._about_people(personal.purge, self._index)) is personal.Purged.MORE:
                pass
        return done is personal.Purged.ALL

    def left_behind(self) -> list[str]:
        """Files that may still hold what was erased."""
        return left_behind(self._index)

    async def _about_people(self, job: Callable[..., _T], *args: object) -> _T:
        try:
            return await self._worker.run(job, *args)
        except sqlite3.Error as error:
            raise LongwatchError(
                "the index takes nothing", why=str(error), remedy="see the state of the index volume"
            ) from error

    async def prove(self, seq: int) -> Proven:
        """An entry with its way to a signed head, published before this returns. Raises LongwatchError."""
        return await self.ledger.prove(seq)

    # -- volumes that failed

    async def _verify_for_ever(self) -> None:
        while True:
            await self._failed.wait()
            await self._clock.sleep(_RETRY_S)
            self._failed.clear()
            for volume in self.volumes:
                if volume.state in {VolumeState.FULL, VolumeState.FAILED}:
                    self._failed.set()
                    if volume.busy_since_boot_us is None:
                        await self._verify(volume)

    async def _verify(self, volume: Volume) -> None:
        """Re-admission: a fresh file, flushed and read back; then what was abandoned there is sealed."""
        now = self._clock.boottime_us()
        files = volume.files
        if files is None or now - volume.verified_boot_us < _RETRY_S * 500_000:
            return
        volume.verified_boot_us = now
        needed = min(_NEEDED_BYTES, volume.free_bytes()[1] // 16) if volume.state is VolumeState.FULL else 0
        if needed and volume is self.volumes[0]:
            needed += self._reserve.owed_bytes * 5 // 4  # the last words' room is not for media
        why_not = await volume.worker.run(files.verify, needed)
        if why_not:
            volume.detail = why_not
            return
        try:
            mended = await volume.worker.run(files.mend)
        except OSError as error:
            volume.detail = f"{volume.path}: {error}"
            files.broken = Cause.STORAGE_FAILED
            return
        volume.state, volume.detail = VolumeState.OK, ""
        entry = ops.Entry(kinds.STORAGE_READMITTED, {"volume": volume.id, "segments_sealed": len(mended)})
        await self._worker.run(self._rows.commit, mended, [entry])
        await self._worker.run(self._reserve.hold)
        _log.info("a volume is used again", volume=str(volume.path), sealed=len(mended))

    async def _make_wide_days(self) -> None:
        """For ever, in slices that a tick can wait for (wide_days.py). What fails is read from the rows instead."""
        days, busy = WideDays(self._index), False
        while True:
            await self._clock.sleep(_WIDE_S[0] if busy else _WIDE_S[1])
            try:
                busy = await self._worker.run(days.step)
            except sqlite3.Error as error:
                _log.warning("days for wide views are not made", error=str(error))
                busy = False

    # -- cameras, retention, checks

    async def camera_set_up(self, camera: str, name: str, streams: Sequence[str], wall_us: int | None) -> None:
        """Remember a camera of the settings; when each stream was first set up is kept. wall_us: None where the account of a
        new stream says it, with its first word (`ops.StreamSetUp`). Raises sqlite3.Error.
        """
        await self._worker.run(_set_up, self._index, camera, name, list(streams), wall_us)

    def use_retention(self, retention: Retention) -> None:
        """What is to be kept from now on: new settings take effect with the next `retain`, and need no new start."""
        self._options = replace(self._options, retention=retention)
        self._keeper = Keeper(self._index, self._kept_on, self._options)

    async def retain(self, now: RetentionTime, guards: Sequence[Guard] = ()) -> RetentionReport:
        """Remove what may no longer be kept, or no longer fits, oldest first, in batches that a cut cannot tear. guards: what exports are
        being made of; it ranks with what is held.
        """
        report = RetentionReport()
        async with self._removing:
            try:
                while True:
                    batch = await self._worker.run(self._keeper.mark, now, await self._sizes(), report, guards)
                    if not batch and not report.more:
                        break
                    await self._remove(batch, report)
            except (OSError, sqlite3.Error) as error:
                report.problem = str(error)
                _log.error("retention stopped; what it marked is finished later", error=str(error))
            await self._worker.run(self._reserve.hold)
        return report

    async def discard(self, looked: Discard, guards: Sequence[Guard] = ()) -> RetentionReport:
        """Remove what no event needs of a stretch that was looked at: sealed segments that lie wholly in it and that nobody holds. What it
        leaves is a gap, `not_scheduled`.
        """
        report = RetentionReport()
        async with self._removing:
            try:
                while batch := await self._worker.run(self._keeper.mark_discarded, looked, guards):
                    await self._remove(batch, report)
            except (OSError, sqlite3.Error) as error:
                report.problem = str(error)
                _log.error("discarding stopped; what it marked is finished later", error=str(error))
        return report

    async def _remove(self, batch: Sequence[Doomed], report: RetentionReport) -> None:
        by_volume = {segment.volume for segment in batch}
        for volume in self.volumes:
            if volume.row in by_volume:
                await volume.worker.run(self._keeper.unlink, [s for s in batch if s.volume == volume.row])
        await self._worker.run(self._keeper.drop, batch, report)

    async def confirm(self, segments: Sequence[SegmentId]) -> int:
        """A hub holds these, by hash: retention takes them first. How many were not marked before. Raises LongwatchError."""
        try:
            marked = await self._worker.run(confirm, self._index, segments)
            await self._worker.run(self._keeper.look_again)
        except sqlite3.Error as error:
            raise LongwatchError("what a hub confirmed cannot be marked now", why=str(error)) from error
        return marked

    async def preview(self, now: RetentionTime, limit: int = 100, guards: Sequence[Guard] = ()) -> list[Removal]:
        """What goes next, first to go first: what would go now, then what will go by age."""
        return await self._worker.run(self._keeper.preview, now, await self._sizes(), limit, guards)

    async def holds(self, *, everything: bool = False) -> list[Hold]:
        """As they stand, the newest first; everything: also those that ended. Raises LongwatchError."""
        return await self._about_people(partial(read_holds, everything=everything), self._index.connection)

    async def stands_until(self, hold: Hold) -> tuple[int | None, int | None]:
        """From when on max_age takes from a hold, and when it has taken all; None where it does not."""
        return await self._about_people(self._keeper.law, hold)

    async def _sizes(self) -> dict[int, tuple[int, int]]:
        """Of the volumes that may be removed from: bytes free, and all."""
        sizes = {}
        now = self._clock.boottime_us()
        for volume in self.volumes:
            busy = volume.busy_since_boot_us
            hangs = busy is not None and now - busy > _HANGS_US
            if volume.files is not None and volume.state is not VolumeState.FAILED and not hangs:
                await volume.worker.run(volume.measure, now)
                sizes[volume.row] = volume.free_bytes()
        return sizes

    async def check(
        self, mode: Mode, *, repair: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> CheckReport:
        """Index against files, at three costs; see `checking`. Open segments are left alone.

        Reads on a thread of its own, so that recording goes on; mends through the index thread. progress(done, all) is
        called on that thread.
        """
        paths = {v.row: v.path for v in self.volumes if v.files is not None}
        if mode is Mode.LEDGER:
            with contextlib.suppress(LongwatchError):  # that it cannot be published is health's to say
                await self.ledger.publish_everywhere()
        report = await asyncio.to_thread(
            run_check, self._index.path, paths, Mode(mode), progress,
            repair=self._mender(asyncio.get_running_loop()) if repair else None,
        )  # fmt: skip
        if repair and any(finding.kind == PUBLISHED for finding in report.findings):
            await self.ledger.republish()
            wrong = await asyncio.to_thread(still_wrong, self._index.path, paths)
            report.findings = [
                replace(f, mended="written anew") if f.kind == PUBLISHED and f.what not in wrong else f
                for f in report.findings
            ]
        return report

    def _mender(self, loop: asyncio.AbstractEventLoop) -> Callable[[Callable[[Index], None]], None]:
        """How the checking thread has the index thread carry out one repair."""

        def mend(job: Callable[[Index], None]) -> None:
            asyncio.run_coroutine_threadsafe(self._worker.run(job, self._index), loop).result()

        return mend

    async def close(self, *, orderly: bool = True) -> None:
        """Let go. orderly: the caller sealed what was open, and wants the next start to know that nothing was cut. Then the last
        head of the ledger is published too.
        """
        await self._tasks.aclose()
        await self.ledger.close(_LAST_HEAD_S if orderly else 0)
        stopped = await asyncio.gather(*(asyncio.to_thread(v.worker.stop, _LAST_WAIT_S) for v in self.volumes))
        for volume, ended in zip(self.volumes, stopped, strict=True):
            if volume.files is not None and ended:
                volume.files.close()
        try:
            async with asyncio.timeout(_LAST_WAIT_S):
                await self._worker.run(_finish, self._index, orderly)
        except (sqlite3.Error, TimeoutError) as error:
            _log.error("the index did not close in order", error=repr(error))
        await asyncio.to_thread(self._worker.stop, _LAST_WAIT_S / 2)
        for lock in self._locks:
            lock.release()


def _is_urgent(said: Sequence[ops.IndexOp]) -> bool:
    """An alarm is published as soon as a seal: a hub takes it from there."""
    return any(isinstance(op, ops.AlarmRaise | ops.AlarmEnd) for op in said)


def _enter(index: Index, entry: ops.Entry) -> int:
    with index.transaction():
        return enter(index, entry)


def _last_run(index: Index) -> int:
    return int(index.connection.execute("SELECT max(number) FROM run").fetchone()[0] or 0)


def _set_up(index: Index, camera: str, name: str, streams: Sequence[str], wall_us: int | None) -> None:
    with index.transaction() as db:
        db.execute("INSERT INTO camera VALUES (?, ?) ON CONFLICT DO UPDATE SET name = excluded.name", (camera, name))
        for stream in streams:
            db.execute("INSERT OR IGNORE INTO stream (camera, name) VALUES (?, ?)", (camera, stream))
            if wall_us is not None:
                row = db.execute("SELECT id FROM stream WHERE camera = ? AND name = ?", (camera, stream)).fetchone()
                set_up(index, row[0], StreamKey(camera, stream), wall_us)


def _finish(index: Index, orderly: bool) -> None:
    try:
        if orderly:
            with index.transaction() as db:
                db.execute("UPDATE heartbeat SET orderly = 1")
    finally:
        index.close()
