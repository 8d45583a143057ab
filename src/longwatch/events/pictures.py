"""One picture of each event: of the moment where it is seen best, decoded in a child, and gone when its footage is.

`<folder>/<camera>/<2026-01-31>/<id>.jpg`, the day that of its begin in UTC. One loop: the events that have no picture yet, the newest first, one after another and at most
for a part of the time, so that a thousand events are no load; then a sweep. Where no event lacks one it waits to be told of a change (`changed`) and asks nothing. An event that goes on
gets a picture soon, mere motion after five seconds or once somebody asks for it, and a better one when it is over. What cannot be decoded is tried three times. A picture is footage: it goes when the footage of its moment goes, by age, by room or by
hand, and is not handed out from then on, whether the sweep has come to it or not.

Owner of the folder: the server's loop that runs this. Nothing is flushed: what a cut took or left torn is made again, when somebody asks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.ids import is_slug
from longwatch.events.store import EventStore
from longwatch.model.event_rows import NO_PICTURE, Stored
from longwatch.model.sessions import StreamKey
from longwatch.server_db import ServerDb

WIDTH = 960
ROUND_S = 1.0
PART = 0.25
"""Of the time, at most, that pictures are made in: a row of samples is decoded for each."""
SWEEP_US = 60_000_000
TRIES = 3
ROOM_BYTES = 256 << 20
SOON_US = 5_000_000
"""After its begin mere motion that goes on has its first picture: most is best seen by then, and needs no second."""
_AT_ONCE, _MOST_LOOKED_AT = 20, 100
_MOST_TRIED = 2_000
_MOST_WANTED = 64
_DAY_US = 86_400_000_000
_STREAMS = ("main", "sub")
_EPOCH = dt.date(1970, 1, 1)
_BEGINS, _ENDS = b"\xff\xd8", b"\xff\xd9"
"""Of a JPEG (ITU-T T.81, B.1.1.3)."""
_log = structlog.get_logger(__name__)


class Totals(Protocol):
    """Of a stream: the begin of the first footage that is held."""

    @property
    def first_us(self) -> int | None: ...


class Source(Protocol):
    """The archive, as pictures ask it. Calls block."""

    def accounted_until_us(self) -> int: ...
    def stats(self, key: StreamKey) -> Totals: ...
    def gone(self, key: StreamKey, from_us: int, to_us: int) -> list[tuple[int, int]]: ...


Shown = Callable[[StreamKey, int, int], Awaitable[bytes]]
"""stream, moment, width: the JPEG of what is shown then. Raises LongwatchError."""


class Pictures:
    """See the module. shown: makes one. read: runs what blocks on the archive."""

    def __init__(
        self, folder: Path, store: EventStore, db: ServerDb, source: Source, shown: Shown, clock: Clock,
        read: Callable[..., Awaitable[Any]],
    ) -> None:  # fmt: skip
        self._folder = folder
        self._store = store
        self._db = db
        self._source = source
        self._shown = shown
        self._clock = clock
        self._read = read
        self._tried: OrderedDict[str, int] = OrderedDict()
        self._wanted: OrderedDict[str, None] = OrderedDict()
        self._wake = asyncio.Event()
        self.waits_s = 0.0
        self._swept_us: int | None = None
        self.made = 0
        self.failed = 0

    def changed(self) -> None:
        """Events were stored: one of them may lack a picture."""
        self._wake.set()

    async def run(self) -> None:
        """For ever. What fails costs a picture, and nothing else."""
        while True:
            rest_s = ROUND_S
            self._wake.clear()
            try:
                began_us = self._clock.boottime_us()
                await self.run_once()
                rest_s = max(ROUND_S, (self._clock.boottime_us() - began_us) / 1e6 * (1 / PART - 1))
                if self.waits_s:
                    await self._until_changed()
            except Exception as error:  # noqa: BLE001 - boundary: whatever goes wrong costs pictures, and the events go on
                _log.warning("pictures of events are not made", reason=str(error) or repr(error))
                rest_s = 10.0
            await self._clock.sleep(min(rest_s, 10.0))

    async def _until_changed(self) -> None:
        """Or until one is due, or it is time to sweep."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.waits_s):
                await self._wake.wait()

    async def run_once(self) -> int:
        """One round; how many were made. Raises LongwatchError or OSError."""
        now_us = self._clock.boottime_us()
        if self._swept_us is None or now_us - self._swept_us >= SWEEP_US:
            await self._read(self.sweep)
            self._swept_us = now_us
        due, self.waits_s = await self._read(self._due)
        done = 0
        for stored in due:
            done += await self._make(stored)
            self._wanted.pop(stored.event.id, None)
        return done

    def _due(self) -> tuple[list[Stored], float]:
        """Events whose picture is to be made now; and how long none will be, if nothing changes. Blocks."""
        until_us = self._source.accounted_until_us()
        waits = [(self._waits_us(each, until_us), each) for each in self._store.to_picture(until_us, _MOST_LOOKED_AT)]
        due = [each for wait_us, each in waits if wait_us <= 0][:_AT_ONCE]
        return due, 0.0 if due else min([SWEEP_US, *[wait_us for wait_us, _ in waits]]) / 1e6

    def _waits_us(self, stored: Stored, until_us: int) -> int:
        """How long its picture waits yet; what is recorded by now reaches to until_us."""
        event = stored.event
        if event.to_us is not None or stored.level or event.id in self._wanted:
            return max(0, event.best_us - until_us)
        return max(0, event.best_us - until_us, event.from_us + SOON_US - until_us)

    async def _make(self, stored: Stored) -> bool:
        event = stored.event
        key = await self._read(self._held, event.camera, event.best_us)
        if key is None:
            return await self._failed(event.id, "nothing is held of that moment", last=True)
        if not await asyncio.to_thread(self._has_room):
            raise LongwatchError(
                "there is no room for pictures of events", why="the disk is nearly full; footage comes first"
            )
        try:
            jpeg = await self._shown(key, event.best_us, WIDTH)
        except LongwatchError as error:
            return await self._failed(event.id, str(error))
        await asyncio.to_thread(_write, self._path(event.camera, event.id, event.from_us), jpeg)
        await self._db.call(self._store.pictured, event.id, event.best_us)
        self._tried.pop(event.id, None)
        self.made += 1
        return True

    async def _failed(self, event: str, why: str, *, last: bool = False) -> bool:
        tries = self._tried.pop(event, 0) + 1
        self._tried[event] = tries
        while len(self._tried) > _MOST_TRIED:
            self._tried.popitem(last=False)
        if last or tries >= TRIES:
            self.failed += 1
            self._tried.pop(event, None)
            _log.debug("no picture of an event", of=event, reason=why)
            await self._db.call(self._store.pictured, event, NO_PICTURE)
        return False

    def _has_room(self) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True)
        status = os.statvfs(self._folder)
        return status.f_bavail * status.f_frsize >= ROOM_BYTES

    def _held(self, camera: str, at_us: int) -> StreamKey | None:
        """A stream of the camera whose footage of that moment is held. Blocks."""
        for stream in _STREAMS:
            key = StreamKey(camera, stream)
            first_us = self._source.stats(key).first_us
            if (
                first_us is not None
                and first_us <= at_us
                and not any(a <= at_us < b for a, b in self._source.gone(key, at_us, at_us + 1))
            ):
                return key
        return None

    def _path(self, camera: str, event: str, from_us: int) -> Path:
        if not is_slug(camera) or not is_slug(event):
            raise ValueError(f"{camera[:80]!r}, {event[:80]!r}: no names of ours")
        return self._folder / camera / (_EPOCH + dt.timedelta(days=from_us // _DAY_US)).isoformat() / f"{event}.jpg"

    async def of(self, stored: Stored) -> bytes | None:
        """The JPEG, as long as its footage is held; None where there is none (yet, or any more): then it is made as soon as can be."""
        if stored.pictured_us is None:
            self._want(stored)
            return None
        if await self._read(self._held, stored.event.camera, stored.pictured_us) is None:
            return None
        path = self._path(stored.event.camera, stored.event.id, stored.event.from_us)
        try:
            jpeg = await asyncio.to_thread(path.read_bytes)
        except OSError:
            jpeg = b""
        if jpeg.startswith(_BEGINS) and jpeg.endswith(_ENDS):
            return jpeg
        _log.info("the picture of an event is lost or torn, and is made again", of=stored.event.id)
        await self._db.call(self._store.pictured, stored.event.id, None)
        self._wake.set()
        return None

    def _want(self, stored: Stored) -> None:
        if stored.event.to_us is None and not stored.away:
            self._wanted[stored.event.id] = None
            while len(self._wanted) > _MOST_WANTED:
                self._wanted.popitem(last=False)
            self._wake.set()

    def drop(self, gone: Iterable[tuple[str, str, int]]) -> None:
        """Pictures of events that are known no more: (camera, id, begin). Blocks."""
        for camera, event, from_us in gone:
            with contextlib.suppress(FileNotFoundError, ValueError):
                self._path(camera, event, from_us).unlink()

    # -- what goes

    def sweep(self) -> int:
        """Pictures whose footage is gone go. How many went. Blocks."""
        gone = 0
        for camera in _names(self._folder):
            if is_slug(camera):
                gone += self._sweep_camera(camera)
        return gone

    def _sweep_camera(self, camera: str) -> int:
        keys = [StreamKey(camera, stream) for stream in _STREAMS]
        firsts = [first for key in keys if (first := self._source.stats(key).first_us) is not None]
        oldest_us = min(firsts, default=None)
        gone = 0
        for name in _names(self._folder / camera):
            folder = self._folder / camera / name
            begin_us = _day_us(name)
            if begin_us is None:
                continue
            whole = oldest_us is None or begin_us + _DAY_US + 3_600_000_000 <= oldest_us
            holes = [] if whole else [key for key in keys if self._source.gone(key, begin_us, begin_us + _DAY_US)]
            if whole or holes or (oldest_us is not None and begin_us <= oldest_us):
                gone += self._sweep_day(camera, folder, whole=whole)
            with contextlib.suppress(OSError):
                folder.rmdir()
        with contextlib.suppress(OSError):
            (self._folder / camera).rmdir()
        return gone

    def _sweep_day(self, camera: str, folder: Path, *, whole: bool) -> int:
        gone = 0
        for name in _names(folder):
            event = name.removesuffix(".jpg")
            stored = None if whole else self._store.one(event)
            moment_us = None if stored is None else stored.pictured_us
            if moment_us is None or self._held(camera, moment_us) is None:
                with contextlib.suppress(FileNotFoundError):
                    (folder / name).unlink()
                    gone += 1
        return gone


def _names(folder: Path) -> Sequence[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return ()


def _day_us(name: str) -> int | None:
    try:
        return (dt.date.fromisoformat(name) - _EPOCH).days * _DAY_US
    except ValueError:
        return None


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.with_suffix(".part")
    begun.write_bytes(data)
    begun.replace(path)
