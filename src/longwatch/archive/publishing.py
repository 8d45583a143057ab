"""The ledger leaves the index: signed heads, and files on every volume that need neither the index nor this program to be checked.

Steps P1 to P8 of docs/design/publishing.md. After a seal, at the end, and when asked, the tree is drawn out over the new entries, its
head signed, and the signature noted in the index (committed) before it goes anywhere; then each volume's mirror writes. All of it happens
beside the ticks, on threads of its own: a disk that hangs or fails holds its own mirror, which catches up when it is back.
Owner of the state: the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from longwatch.archive import ops
from longwatch.archive.flushing import Flushing
from longwatch.archive.index import Index
from longwatch.archive.log_key import LogKey
from longwatch.archive.publishing_mirror import EntryLostError, Leaves, Mirror, Proven
from longwatch.archive.segment_files import cause_of
from longwatch.archive.signed_log import LogChangedError, SignedLog, begin_next, note_signed
from longwatch.archive.worker import Worker
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.ledger import kinds
from longwatch.ledger.checkpoint import Checkpoint, sign
from longwatch.ledger.tiles import Frontier, TileError
from longwatch.model.causes import Cause

COALESCE_S = 1.0  # between two publications, however many seals there are
IDLE_S = 5.0  # an entry that is no seal waits at most so long
PATIENCE_S = 10.0  # of who asks for a publication
_OPENING_S = 2.0
_RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0)
_BEHIND_US = 10_000_000
_HANGS_US = 2_000_000  # a disk that does one thing for so long is not waited for at the end
_LAST_JOB_S = 0.7
_ERRORS = (OSError, sqlite3.Error, EntryLostError, LogChangedError, TileError, LongwatchError)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MirrorPlace:
    """A volume that carries the ledger's files. reserved_bytes: what must stay free there."""

    path: Path
    volume_id: str
    reserved_bytes: Callable[[], int] = field(default=lambda: 0)


class _Kept:
    """A mirror, its thread, and how it stands. size: entries whose checkpoint is durable there."""

    def __init__(self, place: MirrorPlace, mirror: Mirror, worker: Worker) -> None:
        self.place = place
        self.mirror = mirror
        self.worker = worker
        self.wake = asyncio.Event()
        self.hurry = asyncio.Event()
        self.size = 0
        self.problem = ""
        self.failures = 0
        self.behind_since_boot_us: int | None = None


class Publisher:
    """See the module. say: writes an entry of the archive's own. index: its path is read here; it is written on `index_worker` alone.

    log: as it was signed last. published: the largest head that a volume has. begun: why another log was begun, "" where none was.
    """

    def __init__(
        self, index: Index, index_worker: Worker, log: SignedLog, key: LogKey, places: Sequence[MirrorPlace], clock: Clock,
        flushing: Flushing, say: Callable[[ops.Entry], Awaitable[object]],
    ) -> None:  # fmt: skip
        self.log = log
        self.key = key
        self.published = 0
        self.begun = ""
        self._index = index
        self._index_worker = index_worker
        self._clock = clock
        self._say = say
        self._mirrors = [
            _Kept(
                p, Mirror(p.path, p.volume_id, index.path, flushing), Worker(f"ledger {p.path}", clock)
            )
            for p in places
        ]  # fmt: skip
        self._signer = Worker("ledger", clock)
        self._leaves = Leaves(index.path)
        self._frontier = Frontier()
        self._signing = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._opened = asyncio.Event()
        self._moved = asyncio.Condition()
        self._problem = ""
        self._death = ""
        self._tasks = Tasks("ledger")

    def start(self) -> None:
        """From here on what is committed is published."""
        self._keep("publish", self._run)
        self._keep("idle", self._look_for_ever)

    def poke(self) -> None:
        """There is something to publish, within a second or so."""
        self._wanted.set()

    def _keep(self, name: str, make: Callable[[], Awaitable[None]]) -> None:
        """Run a long-lived task; where it dies, that is said, and it is begun again."""

        async def kept() -> None:
            while True:
                try:
                    await make()
                except Exception as error:  # noqa: BLE001 - boundary: a fault here must not end publishing
                    _log.exception("a task of the ledger died", task=name)
                    self._death = f"{name}: {error!r}"
                    await self._say(ops.Entry(kinds.TASK_DIED, {"task": f"ledger {name}", "error": repr(error)[:500]}))
                await self._clock.sleep(1.0)

        self._tasks.start(name, kept())

    # -- heads

    async def _run(self) -> None:
        if self._opened.is_set():
            await self._sign_for_ever()
        await self._open()
        for kept in self._mirrors:
            self._keep(str(kept.place.path), partial(self._keep_for_ever, kept))
        self._opened.set()
        await self._sign_for_ever()

    async def _sign_for_ever(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._sign()
            except _ERRORS as error:
                self._trouble(error)
                self._wanted.set()
            await self._clock.sleep(COALESCE_S)

    def _trouble(self, error: Exception) -> None:
        if self._problem != str(error):
            _log.error("the ledger's head could not be signed", error=str(error))
        self._problem = str(error)

    async def _look_for_ever(self) -> None:
        while True:
            await self._clock.sleep(IDLE_S)
            if self._index.next_seq > self.log.size:
                self._wanted.set()

    async def _open(self) -> None:
        """What the volumes have. A disk that does not answer is not waited for: its mirror opens when it does."""
        opening = [self._tasks.start(f"open {kept.place.path}", self._open_one(kept)) for kept in self._mirrors]
        if opening:
            await asyncio.wait(opening, timeout=_OPENING_S)
        self._wanted.set()

    async def _open_one(self, kept: _Kept) -> None:
        try:
            frontier = await kept.worker.run(kept.mirror.open, self.log)
        except _ERRORS as error:
            await self._failed(kept, error)
            return
        kept.size = frontier.size
        self.published = max(self.published, kept.size)
        if frontier.size > self._frontier.size and not self._signing.locked():
            self._frontier = frontier

    async def _sign(self) -> None:
        """P1 and P2: the head of all that is committed, signed once and for all."""
        async with self._signing:
            while not await self._sign_size(await self._signer.run(self._leaves.size)):
                pass  # another log began: its head is signed next
            self._problem = ""
        for kept in self._mirrors:
            if kept.size < self.log.size:
                kept.wake.set()

    async def _sign_size(self, size: int) -> bool:
        log = self.log
        if size == log.size:
            return True
        try:
            if size < log.size:
                raise EntryLostError(f"the index has {size} entries; {log.size} were signed")
            frontier = await self._signer.run(self._drawn_out, log, size)
        except EntryLostError as error:
            if not log.size:
                raise  # the next log would lack the same entry, and so would every one after it: this is health's to say
            await self._begin_anew(str(error))
            return False
        head = Checkpoint(log.origin, size, frontier.root())
        text = sign(head, self.key.sign, self.key.public)
        self.log = await self._index_worker.run(note_signed, self._index, log, head, text)
        self._frontier = frontier
        return True

    def _drawn_out(self, log: SignedLog, size: int) -> Frontier:
        """The right edge at `size`, on the signer's thread: from where it was, or from the first entry where that does not hold."""
        for start in (self._frontier.copy(), Frontier()):
            if start.size <= log.size:
                start.extend(self._leaves.leaves(start.size, log.size))
                if start.root() == log.root:
                    start.extend(self._leaves.leaves(log.size, size))
                    return start
        raise EntryLostError(f"the index's first {log.size} entries are not those that were signed")

    async def _begin_anew(self, why: str) -> None:
        """What was signed cannot be kept: another log begins, and names the one before."""
        from_log = self.log
        self.log = await self._index_worker.run(begin_next, self._index, from_log, self.key.public, why)
        self._frontier = Frontier()
        self.begun = why
        _log.error("a new log began", why=why, origin=self.log.origin, before=from_log.origin)
        self.published = 0
        for kept in self._mirrors:
            kept.size = 0
            kept.hurry.set()

    # -- mirrors

    async def _keep_for_ever(self, kept: _Kept) -> None:
        while True:
            if kept.size < self.log.size:
                await self._bring_over(kept)
            else:
                kept.behind_since_boot_us = None
                kept.wake.clear()
                if kept.size >= self.log.size:
                    await kept.wake.wait()

    async def _bring_over(self, kept: _Kept) -> None:
        log = self.log
        kept.hurry.clear()
        if kept.behind_since_boot_us is None:
            kept.behind_since_boot_us = self._clock.boottime_us()
        try:
            done = await kept.worker.run(kept.mirror.advance, log, kept.place.reserved_bytes())
        except _ERRORS as error:
            await self._failed(kept, error)
            await self._pause(kept, _RETRY_S[min(kept.failures, len(_RETRY_S)) - 1])
            return
        if done and log.number == self.log.number:
            kept.size = log.size
            if kept.problem:
                await self._mended(kept)
            async with self._moved:
                self.published = max(kept.size for kept in self._mirrors)
                self._moved.notify_all()

    async def _pause(self, kept: _Kept, seconds: float) -> None:
        """Until it is tried again; at once where somebody has asked for it since it was tried."""
        sleeping = self._tasks.start("pause", self._clock.sleep(seconds))
        hurried = self._tasks.start("hurry", kept.hurry.wait())
        try:
            await asyncio.wait([sleeping, hurried], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            hurried.cancel()

    async def _failed(self, kept: _Kept, error: Exception) -> None:
        """Once for each time that it fails, the ledger is told: what was published elsewhere says why this copy is older."""
        first, kept.problem = not kept.problem, str(error)
        kept.failures += 1
        if not first:
            return
        _log.error("the ledger's files cannot be written", volume=str(kept.place.path), error=str(error))
        cause = cause_of(error) if isinstance(error, OSError) else Cause.STORAGE_FAILED
        kind = kinds.STORAGE_FULL if cause is Cause.STORAGE_FULL else kinds.STORAGE_FAILED
        await self._say(ops.Entry(kind, _body(kept, detail=str(error)[:1000], streams=[])))

    async def _mended(self, kept: _Kept) -> None:
        kept.problem, kept.failures = "", 0
        _log.info("the ledger's files are written again", volume=str(kept.place.path))
        await self._say(ops.Entry(kinds.STORAGE_READMITTED, _body(kept, segments_sealed=0)))

    # -- who asks

    async def publish(self, size: int = 0) -> None:
        """Sign and publish now. Returns once a volume holds, durably, a checkpoint of at least `size` entries (0: of all there are).
        Raises LongwatchError where none does in time.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._opened.wait()
                await self._sign()
                size = size or self.log.size
                for kept in self._mirrors:
                    kept.hurry.set()
                async with self._moved:
                    await self._moved.wait_for(lambda: self.published >= size)
        except TimeoutError as error:
            raise _not_published("; ".join(k.problem or "its disk takes too long" for k in self._mirrors)) from error
        except _ERRORS as error:
            raise _not_published(str(error)) from error

    async def prove(self, seq: int) -> Proven:
        """Entry `seq` with its way to a published head. Raises LongwatchError."""
        await self.publish(seq + 1)
        why = ""
        for kept in sorted(self._mirrors, key=lambda k: -k.size):
            if kept.size > seq and not kept.problem:
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        return await kept.worker.run(kept.mirror.prove, seq)
                except (OSError, sqlite3.Error, ValueError, TimeoutError, EntryLostError) as error:
                    why = str(error) or "its disk hangs"
        raise LongwatchError(f"entry {seq} could not be proven", why=why, remedy="longwatch check --ledger --repair")

    async def republish(self) -> None:
        """Write all files of the log anew where they are not what they should be, on every volume that does not hang. Raises
        LongwatchError where none takes them.
        """
        for kept in self._mirrors:
            if kept.worker.busy_since_boot_us is None:
                await kept.worker.run(kept.mirror.begin_again)
                kept.size = 0
                kept.wake.set()
        self.published = max((kept.size for kept in self._mirrors), default=0)
        await self.publish_everywhere()

    async def publish_everywhere(self) -> None:
        """As `publish`, and on every volume that takes it in time."""
        await self.publish()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S), self._moved:
                await self._moved.wait_for(lambda: all(map(self._stands, self._mirrors)))

    # -- how it stands

    def problems(self) -> list[dict[str, str]]:
        """For health: what is not as it should be, in words."""
        now = self._clock.boottime_us()
        found = []
        if self.begun:
            found.append({"what": f"the ledger goes on as another log, {self.log.origin}", "why": self.begun})
        if self._problem:
            found.append({"what": "the ledger's head is not signed", "why": self._problem})
        if self._death:
            found.append({"what": "a task of the ledger died and was begun again", "why": self._death})
        for kept in self._mirrors:
            where = f"the ledger's files on {kept.place.path}"
            behind, busy = kept.behind_since_boot_us, kept.worker.busy_since_boot_us
            if kept.problem:
                found.append({"what": f"{where} are behind", "why": kept.problem})
            elif behind is not None and now - behind > _BEHIND_US:
                hangs = busy is not None and now - busy > _BEHIND_US
                why = "its disk hangs" if hangs else f"{self.log.size - kept.size} entries are being brought over"
                found.append({"what": f"{where} are behind", "why": why})
            elif kept.mirror.rewritten:
                found.append(
                    {
                        "what": f"{where} were not what was published",
                        "why": f"written anew, {kept.mirror.rewritten} times",
                    }
                )
        return found

    def _stands(self, kept: _Kept) -> bool:
        """Whether this mirror has all, or is not to be waited for: its disk fails, or hangs."""
        busy = kept.worker.busy_since_boot_us
        hangs = busy is not None and self._clock.boottime_us() - busy > _HANGS_US
        return kept.size >= self.log.size or bool(kept.problem) or hangs

    def describe(self) -> dict[str, Any]:
        """For `status`: the log, its key, and each volume's copy."""
        return {
            "number": self.log.number, "origin": self.log.origin, "fingerprint": self.key.fingerprint,
            "signed": self.log.size, "published": self.published,
            "mirrors": [{"path": str(k.place.path), "size": k.size, "problem": k.problem} for k in self._mirrors],
        }  # fmt: skip

    async def close(self, patience_s: float) -> None:
        """The last head, on every volume that takes it in time; then no more. patience_s: 0 for none of that."""
        if patience_s:
            try:
                async with asyncio.timeout(patience_s):
                    await self._opened.wait()
                    await self._sign()
                    async with self._moved:
                        await self._moved.wait_for(lambda: all(map(self._stands, self._mirrors)))
            except (TimeoutError, *_ERRORS) as error:
                _log.warning("not all of the ledger is published", error=str(error) or "a disk takes too long")
        await self._tasks.aclose()
        workers = [self._signer, *(kept.worker for kept in self._mirrors)]
        ended = await asyncio.gather(*(asyncio.to_thread(worker.stop, _LAST_JOB_S) for worker in workers))
        self._leaves.close()
        for kept, stopped in zip(self._mirrors, ended[1:], strict=True):
            if stopped:
                kept.mirror.close()


def _body(kept: _Kept, **more: object) -> dict[str, object]:
    return {"volume": kept.place.volume_id, "what": "ledger", **more}


def _not_published(why: str) -> LongwatchError:
    return LongwatchError("the ledger could not be published", why=why, remedy="see `health` of the recorder's status")
