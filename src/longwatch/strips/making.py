"""Strips are made as footage arrives; what is missing from before is made up, the newest first; what may no longer be shown goes.

One loop. Each round: sweep (every minute), then the newest sync sample of each camera whose slot has no picture yet, then, as
far as the budget allows, one older picture after another. A slot is `every` long and gets one picture: of its first sync sample, of
the sub-stream where that is recorded, since it is cheaper to decode. Where the newest alone cost more than the budget, or the decoder
is slow because the machine is busy, only every second, fourth, ... slot is served (`thinned`); what was left out is made up later.

Owner of the state and of the shelf: the server's loop, and its one thread for strips.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.formats.media import TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import SegmentRow, SegmentSource
from longwatch.strips.day_index import Picture
from longwatch.strips.picking import Samples, Sync, held, syncs
from longwatch.strips.shelf import DAY_US, STREAMS, Shelf

HOUR_US = 3_600_000_000
ROUND_S = 1.0
SWEEP_US = 60_000_000
AUDIT_US = 86_400_000_000
_BEHIND_US = 60_000_000  # what is older when it is first seen is made up, not followed
_JUDGED_US = 10_000_000
_FINE_US, _COARSE_US = (
    2 * 86_400_000_000,
    60_000_000,
)  # what is older is made up by the minute: a month of it would take days else
_MOST_THIN = 64
_BUSY = 2.0  # processes that wait for each core: then one older picture a round, and no more
_TROUBLE_US = 60_000_000
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class Decoder(Protocol):
    """What decodes: a child with limits and no network (`playback.Stills`)."""

    async def decoded(
        self, format_: TrackFormat, sample: bytes, max_width: int, key: StreamKey | None = None
    ) -> bytes:  # fmt: skip
        """A JPEG, at most so wide. key: of whose stream; one that takes too long again and again is refused for a while, so that it
        is not the delay of others. Raises LongwatchError.
        """
        ...


class Totals(Protocol):
    """Of a stream: the begin of the first footage that is held."""

    @property
    def first_us(self) -> int | None: ...


class Source(SegmentSource, Protocol):
    """The archive as strips read it. Calls block."""

    def accounted_until_us(self) -> int: ...
    def stats(self, key: StreamKey) -> Totals: ...
    def gone(self, key: StreamKey, from_us: int, to_us: int) -> list[tuple[int, int]]: ...


@dataclass(frozen=True, slots=True)
class Options:
    """every_us: at most one picture of a camera in so long. width: in pixels, at most. budget: the part of one core that decoding may
    take. cameras: the streams that are recorded, the one to take first. Of cameras in `off` no strip is made or kept.
    """

    every_us: int = 10_000_000
    width: int = 160
    budget: float = 0.2
    cameras: Mapping[str, Sequence[str]] = field(default_factory=dict)
    off: frozenset[str] = frozenset()


@dataclass(slots=True)
class Following:
    """How far the strips of one camera are. [complete_us, until_us) is made; what is before back_us is still to be looked at.
    made, left_out, failed: since the server started.
    """

    until_us: int
    back_us: int
    complete_us: int
    last_slot: int = -1
    oldest_us: int | None = None
    audited_us: int | None = None
    made: int = 0
    left_out: int = 0
    failed: int = 0

    @property
    def caught_up(self) -> bool:
        """Nothing is left that was recorded before."""
        return self.oldest_us is not None and self.back_us <= self.oldest_us


@dataclass(frozen=True, slots=True)
class _Planned:
    """What an hour of a camera wants."""

    doomed: list[Picture]
    wanted: list[Sync]


class Strips:
    """See the module. load: how many processes wait for each core."""

    def __init__(
        self, shelf: Shelf, source: Source, decoder: Decoder, clock: Clock, options: Callable[[], Options],
        load: Callable[[], float] = lambda: os.getloadavg()[0] / (os.cpu_count() or 1),
    ) -> None:  # fmt: skip
        self.shelf = shelf
        self._source = source
        self._decoder = decoder
        self._clock = clock
        self._options = options
        self._load = load
        self._samples = Samples()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="strips")
        self._of: dict[str, Following] = {}
        self._todo: deque[tuple[str, Sync]] = deque()
        self._swept_us: int | None = None
        self._gone: dict[StreamKey, set[tuple[int, int]]] = {}
        self._thin = 1
        self._judged_us = 0
        self._newest_us = 0  # spent on the newest since judged
        self._told_us: int | None = None
        self.spent_us = 0

    async def run(self) -> None:
        """For ever. What fails is tried again in the next round; it costs pictures, and nothing else."""
        while True:
            try:
                await self.run_once()
            except Exception as error:  # noqa: BLE001 - boundary: whatever goes wrong costs pictures, and the strips go on
                self._complain("strips are not made", error)
            await self._clock.sleep(ROUND_S)

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    # -- what others ask

    def state(self, camera: str) -> str:
        """off, thinned, catching_up or following."""
        options, of = self._options(), self._of.get(camera)
        if camera in options.off or camera not in options.cameras or of is None:
            return "off"
        if self._thin > 1:
            return "thinned"
        return "following" if of.caught_up else "catching_up"

    def following(self) -> dict[str, Following]:
        """By camera."""
        return self._of

    @property
    def thinned(self) -> int:
        """Of how many slots one is served; 1: of each."""
        return self._thin

    @property
    def every_us(self) -> int:
        """How long a slot is."""
        return self._options().every_us

    def is_complete(self, camera: str, from_us: int, to_us: int) -> bool:
        """Whether the pictures of the stretch will stay as they are, but for what is removed."""
        of = self._of.get(camera)
        return of is not None and self._thin == 1 and of.complete_us <= from_us and to_us <= of.until_us - _BEHIND_US

    # -- a round

    async def run_once(self) -> None:
        """One round. Raises LongwatchError where the index cannot be read, OSError where nothing can be written."""
        options = self._options()
        began_us = self._clock.boottime_us()
        now_us = await self._call(self._source.accounted_until_us)
        if self._swept_us is None or began_us - self._swept_us >= SWEEP_US:
            await self._call(self._sweep, options, now_us)
            self._swept_us = began_us
        self._know(options, now_us)
        if not await self._call(self.shelf.has_room):
            raise LongwatchError("there is no room for strips", why="the disk is nearly full; footage comes first")
        for camera in list(self._of):
            await self._follow(camera, options, now_us)
        self._judge(options)
        while self._thin == 1 and self._clock.boottime_us() - began_us < ROUND_S * 1e6:
            decodes = bool(self._todo)
            if not await self._make_up(options) or (decodes and self._load() > _BUSY):
                break

    async def _call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _know(self, options: Options, now_us: int) -> None:
        for camera in set(self._of) - (set(options.cameras) - options.off):
            del self._of[camera]
        for camera in options.cameras:
            if camera not in options.off and camera not in self._of:
                self._of[camera] = Following(now_us, now_us, now_us)

    def _complain(self, what: str, error: Exception) -> None:
        """Once a minute."""
        now_us = self._clock.boottime_us()
        if self._told_us is None or now_us - self._told_us >= _TROUBLE_US:
            self._told_us = now_us
            _log.warning(what, reason=str(error) or repr(error))

    # -- the newest

    async def _follow(self, camera: str, options: Options, now_us: int) -> None:
        of = self._of[camera]
        if (
            now_us < of.until_us or now_us - of.until_us > _BEHIND_US
        ):  # the clock went back; or this process did not run
            of.back_us = of.complete_us = of.until_us = now_us
            of.last_slot, of.oldest_us = -1, None
        if (now_us - 1) // options.every_us == of.last_slot:
            of.until_us = now_us
            return
        found = await self._call(self._newest, camera, options.cameras[camera], of.until_us, now_us)
        for sync in found:
            slot = sync.at_us // options.every_us
            if slot == of.last_slot:
                continue
            if of.last_slot == -1 and self.shelf.between(
                camera, slot * options.every_us, (slot + 1) * options.every_us
            ):
                of.last_slot = slot  # made before this process, or before the clock was set
                continue
            of.last_slot = slot
            if slot % self._thin:
                of.left_out += 1
            else:
                self._newest_us += await self._make(camera, sync, options)
        of.until_us = now_us

    def _newest(self, camera: str, streams: Sequence[str], from_us: int, to_us: int) -> list[Sync]:
        for stream in streams:
            segments = held(self._source, StreamKey(camera, stream), from_us, to_us)
            if segments:
                return list(syncs(self._source, segments, from_us, to_us))
        return []

    def _judge(self, options: Options) -> None:
        """Whether the newest fit into the budget."""
        now_us = self._clock.boottime_us()
        if now_us - self._judged_us < _JUDGED_US:
            return
        share = self._newest_us / (now_us - self._judged_us)
        self._judged_us, self._newest_us = now_us, 0
        before = self._thin
        if share > options.budget:
            self._thin = min(_MOST_THIN, 2 * self._thin)
        elif share < 0.4 * options.budget:
            self._thin = max(1, self._thin // 2)
        if before == self._thin:
            return
        _log.warning("strips are made of fewer moments", of_slots=self._thin, share=round(share, 3))
        if self._thin == 1:
            for of in self._of.values():  # what was left out is made up
                of.back_us, of.oldest_us = of.until_us, None
        else:
            for of in self._of.values():
                of.complete_us = of.until_us

    async def _make(self, camera: str, sync: Sync, options: Options) -> int:
        """One picture. How long it took to decode, in us."""
        of = self._of[camera]
        began_us = self._clock.boottime_us()
        try:
            format_, sample = await self._call(self._samples.read, self._source, sync)
            began_us = self._clock.boottime_us()
            jpeg = await self._decoder.decoded(format_, sample, options.width, sync.segment.key)
        except LongwatchError as error:
            of.failed += 1
            _log.debug("no strip picture", camera=camera, reason=str(error))
        else:
            took_us = self._clock.boottime_us() - began_us
            stream = STREAMS.index(sync.segment.key.stream)
            await self._call(self.shelf.add, camera, sync.at_us, jpeg, stream)
            of.made += 1
            self.spent_us += took_us
            return took_us
        return self._clock.boottime_us() - began_us

    # -- what is missing from before

    async def _make_up(self, options: Options) -> bool:
        """One older picture, or the plan of an hour. False where there is nothing to do."""
        if self._todo:
            camera, sync = self._todo.popleft()
            if camera in self._of:
                took_us = await self._make(camera, sync, options)
                await self._clock.sleep(min(ROUND_S, took_us / 1e6 * (1 / options.budget - 1)))
            return True
        for of in self._of.values():
            of.complete_us = min(of.complete_us, of.back_us)
        camera = max(self._waiting(), key=lambda camera: self._of[camera].back_us, default="")
        if not camera:
            return False
        of = self._of[camera]
        streams = options.cameras[camera]
        if of.oldest_us is None:
            of.oldest_us = await self._call(self._oldest, camera, streams, of.until_us)
            days = await self._call(self.shelf.days, camera)
            of.back_us = max(
                of.back_us, (days[-1] + 1) * DAY_US if days else 0
            )  # a clock that went back left pictures ahead
            of.audited_us = self._clock.boottime_us()
            return True
        from_us, to_us = (of.back_us - 1) // HOUR_US * HOUR_US, of.back_us
        of.back_us = from_us  # first: an hour that cannot be planned does not stand in the way of those before it
        every_us = options.every_us if to_us > of.until_us - _FINE_US else max(options.every_us, _COARSE_US)
        plan = await self._call(self._plan, camera, streams, from_us, to_us, every_us)
        for picture in plan.doomed:
            await self._call(
                self.shelf.remove, camera, from_us // DAY_US, picture.at_us, picture.at_us + 1, picture.stream
            )
        self._todo.extend((camera, sync) for sync in plan.wanted if sync.at_us < of.until_us)  # the rest is followed
        await self._clock.sleep(0.01)
        return True

    def _waiting(self) -> list[str]:
        """Cameras that are not caught up. Once a day each is looked through again: footage may have been placed elsewhere."""
        now_us = self._clock.boottime_us()
        for of in self._of.values():
            if of.caught_up and of.audited_us is not None and now_us - of.audited_us >= AUDIT_US:
                of.back_us, of.oldest_us = of.until_us, None
        return [camera for camera, of in self._of.items() if not of.caught_up]

    def _oldest(self, camera: str, streams: Sequence[str], now_us: int) -> int:
        firsts = [self._source.stats(StreamKey(camera, stream)).first_us for stream in streams]
        return min((first for first in firsts if first is not None), default=now_us)

    def _plan(self, camera: str, streams: Sequence[str], from_us: int, to_us: int, every_us: int) -> _Planned:
        """The pictures of an hour that have no footage, and the sync samples of slots that have no picture."""
        segments = {
            stream: held(self._source, StreamKey(camera, stream), from_us, to_us)
            for stream in dict.fromkeys([*streams, *STREAMS])
        }
        had = self.shelf.between(camera, from_us, to_us)
        doomed = [one for one in had if not _covers(segments[STREAMS[one.stream]], one.at_us)]
        slots = {one.at_us // every_us for one in had} - {one.at_us // every_us for one in doomed}
        wanted: list[Sync] = []
        for stream in streams:
            lacking = [of for of in segments[stream] if not _served(of, slots, from_us, to_us, every_us)]
            for sync in syncs(self._source, lacking, from_us, to_us):
                slot = sync.at_us // every_us
                if slot not in slots:
                    slots.add(slot)
                    wanted.append(sync)
        return _Planned(doomed, sorted(wanted, key=lambda sync: -sync.at_us))

    # -- what goes

    def _sweep(self, options: Options, now_us: int) -> None:
        """Strips whose footage is gone go. On the thread."""
        for camera in self.shelf.cameras():
            days = self.shelf.days(camera)
            firsts = [self._source.stats(StreamKey(camera, stream)).first_us for stream in STREAMS]
            if camera in options.off or all(first is None for first in firsts):
                for day in days:
                    self.shelf.remove_day(camera, day)
                continue
            touched: set[int] = set()
            for number, first_us in enumerate(firsts):
                keep_us = now_us + DAY_US if first_us is None else first_us
                for day in days:
                    if day * DAY_US >= keep_us:
                        break
                    first = self.shelf.of_day(camera, day).first_us(number)
                    if first is not None and first < keep_us:
                        self.shelf.remove(camera, day, day * DAY_US, keep_us, number)
                    touched.add(day)
                touched |= self._sweep_gone(StreamKey(camera, STREAMS[number]), number, days, now_us)
            for day in touched:
                if (day + 1) * DAY_US < now_us - HOUR_US and self.shelf.of_day(camera, day).is_empty:
                    self.shelf.remove_day(camera, day)

    def _sweep_gone(self, key: StreamKey, number: int, days: Sequence[int], now_us: int) -> set[int]:
        """What retention took out of the midst. The days that it was of."""
        if not days:
            return set()
        touched: set[int] = set()
        gone = set(self._source.gone(key, days[0] * DAY_US, now_us + DAY_US))
        for from_us, to_us in gone - self._gone.get(key, set()):
            for day in days:
                if from_us < (day + 1) * DAY_US and to_us > day * DAY_US:
                    self.shelf.remove(key.camera, day, from_us, to_us, number)
                    touched.add(day)
        self._gone[key] = gone
        return touched


def _covers(segments: Sequence[SegmentRow], at_us: int) -> bool:
    return any(segment.wall_start_us <= at_us < segment.wall_end_us for segment in segments)


def _served(segment: SegmentRow, slots: set[int], from_us: int, to_us: int, every_us: int) -> bool:
    """Whether every slot that the segment reaches into has its picture."""
    first = max(segment.wall_start_us, from_us) // every_us
    last = (min(segment.wall_end_us, to_us) - 1) // every_us
    return all(slot in slots for slot in range(first, last + 1))
