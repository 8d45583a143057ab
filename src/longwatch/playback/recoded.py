"""Parts of playlists as H.264, for browsers that do not play what was stored, and the begin of files that are to begin exactly: made by a child when they are asked for.

A part is whole groups of pictures, so each is decoded and encoded by itself; all parts of one format have the same parameters, and so
one initialization segment. Pictures are at most 720 lines high; sound is as it was. The begin of a file (`exact`) has the form that is stored. What was made is kept
for a while, in memory: made again, it is the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.formats.bmff import DAMAGED, SYNC, Stored, fragment, live_init
from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.model.areas import Area
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import SegmentSource
from longwatch.pictures import Slot, Slots, SlotsFullError, fitted
from longwatch.pictures.form import beside, form_of
from longwatch.pictures.recoding import CHILD, Recoding, child_for, job_frame
from longwatch.playback.exact import Anew, Made, Picture
from longwatch.playback.hls_view import init_tracks, part_tables
from longwatch.playback.selection import NoVideoError
from longwatch.playback.tables import SegmentTable, TableCache, TrackTable
from longwatch.wire.frames import encode
from longwatch.wire.media import decode_format, decode_sample, encode_format, encode_sample

MAX_HEIGHT = 720
SECONDS_A_PART = 60.0
WAIT_S = 4.0
_IDLE_S = 60.0
_KEPT_BYTES = 48 << 20
_SENT_AT_ONCE = 16
_MOST_PART_BYTES = 256 << 20
_MOST_MADE_BYTES = 96 << 20
_EXACT_PRESETS = {Codec.H264: "superfast", Codec.H265: "ultrafast"}
_EXACT = {"crf": "18", "bits_a_pixel": 0.64}
"""So fine that nobody tells where it ends: its pictures were encoded once before."""
_SCALE = 90_000
_DECODABLE = frozenset({Codec.H264, Codec.H265, Codec.MJPEG})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class HeldBytes:
    """A part that was made."""

    data: bytes = field(repr=False)
    etag: str
    media_type: str = "video/mp4"

    @staticmethod
    def of(data: bytes) -> HeldBytes:
        """With an ETag of its content."""
        return HeldBytes(data, f'"{hashlib.sha256(data).hexdigest()[:32]}"')

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes [start, end)."""
        yield self.data[start:end]


@dataclass(frozen=True, slots=True)
class Footage:
    """What is stored of a stretch. video: format and index of its track. others: (track, its samples), as they are stored."""

    video: TrackFormat
    index: int
    samples: list[Sample]
    others: list[tuple[int, list[Stored]]]
    start: int


class Recoder:
    """Makes parts, as many at a time as there are slots. Owner of its children and of what it keeps; on the server's loop."""

    def __init__(self, slots: Slots, cache: TableCache | None = None) -> None:
        self.slots = slots
        self._cache = cache or TableCache()
        self._kept: OrderedDict[tuple[object, ...], HeldBytes | Made] = OrderedDict()
        self._kept_bytes = 0
        self._turns: WeakValueDictionary[tuple[object, ...], asyncio.Lock] = WeakValueDictionary()
        self._idle: list[tuple[Recoding, asyncio.TimerHandle]] = []
        self._freed = asyncio.Event()
        self._tasks = Tasks("transcode")

    async def aclose(self) -> None:
        """End the children."""
        idle, self._idle = self._idle, []
        for child, timer in idle:
            timer.cancel()
            await child.aclose()
        await self._tasks.aclose()

    async def part(self, source: SegmentSource, key: StreamKey, params: Mapping[str, str]) -> HeldBytes:
        """What a URL of the playlist names, as H.264. Raises as `open_part`, and SlotsFullError where all are in use."""
        name = (key, *sorted(params.items()))
        known = self._known(name)
        if isinstance(known, HeldBytes):
            return known
        if params.get("part") == "init":
            made = await self._init(await asyncio.to_thread(init_tracks, source, key, params, self._cache), key)
        else:
            footage = await asyncio.to_thread(footage_of, source, key, params, self._cache)
            made = await self._media(footage, key)
        part = HeldBytes.of(made)
        self._keep(name, part)
        return part

    async def exact(self, source: SegmentSource, key: StreamKey, anew: Anew) -> Made:
        """The pictures that a file is to begin with, encoded anew in their own codec and form; those that cannot be decoded are missing, as they are for players. Who asks for the same at one time waits for it. Raises LongwatchError,
        and SlotsFullError where all slots are in use.
        """
        name = ("exact", key, *anew.name)
        async with self._turns.setdefault(name, asyncio.Lock()):
            known = self._known(name)
            if isinstance(known, Made):
                return known
            try:
                made = await self._begin(source, key, anew)
            except SlotsFullError:
                raise
            except LongwatchError as error:
                raise LongwatchError(
                    "what comes before the first key picture could not be encoded anew",
                    why=f"{error.what}: {error.why}" if error.why else error.what,
                    remedy="ask without `exact`: the file then begins with the key picture before",
                ) from error
            self._keep(name, made)
            return made

    async def _begin(self, source: SegmentSource, key: StreamKey, anew: Anew) -> Made:
        samples = await asyncio.to_thread(_fed, source, anew)
        footage = Footage(anew.track, 0, samples, [], samples[0].dts)
        form = form_of(anew.track)
        output = {
            "name": "exact", "preset": _EXACT_PRESETS[form.codec], **_EXACT, "form": form.told(),
            "kept_90k": [anew.from_90k, anew.to_90k],
        }  # fmt: skip
        made = await self._worked(key, footage, b"", "exact", child_for(output))
        format_ = anew.track if made.format is None else beside(made.format, anew.track)
        pictures = tuple(Picture(sample.dts, sample.sync, len(sample.data)) for sample in made.samples)
        return Made(format_, pictures, b"".join(sample.data for sample in made.samples))

    def _known(self, name: tuple[object, ...]) -> HeldBytes | Made | None:
        if name in self._kept:
            self._kept.move_to_end(name)
        return self._kept.get(name)

    def _keep(self, name: tuple[object, ...], made: HeldBytes | Made) -> None:
        before = self._kept.pop(name, None)  # two who asked at once
        self._kept[name] = made
        self._kept_bytes += made.size - (0 if before is None else before.size)
        while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
            self._kept_bytes -= self._kept.popitem(last=False)[1].size

    async def cost(self, footage: Footage, areas: Sequence[Area], outputs: Sequence[Mapping[str, Any]]) -> Cost:
        """What it takes to decode a stretch, paint areas over and encode it so. Raises as `part`."""
        made = await self._worked(StreamKey("", ""), footage, job_frame(outputs, areas), "cost")
        first, last = footage.samples[0], footage.samples[-1]
        media_us = (last.dts - first.dts) * 100 // 9
        in_bytes = sum(len(sample.data) for sample in footage.samples)
        return Cost(media_us, made.cpu_us, made.pictures, in_bytes, sum(len(s.data) for s in made.samples))

    async def _init(self, tracks: Sequence[TrackFormat], key: StreamKey) -> bytes:
        at = next((n for n, track in enumerate(tracks) if track.kind is Kind.VIDEO), 0)
        width, height = fitted(tracks[at].width, tracks[at].height, MAX_HEIGHT)
        describe = encode({"type": "describe", "width": width, "height": height, "fps": tracks[at].fps})

        async def ask(child: Recoding) -> TrackFormat:
            await child.send(describe)
            return decode_format(await child.next())[2][0]

        made = await self._with_child(key, "recorded", ask)
        return live_init([made if n == at else track for n, track in enumerate(tracks)])

    async def _media(self, footage: Footage, key: StreamKey) -> bytes:
        size = fitted(footage.video.width, footage.video.height, MAX_HEIGHT)
        made = await self._worked(key, footage, job_frame([{"name": "part", "size": size}]), "recorded")
        if not made.samples:
            raise LongwatchError("no picture of that part can be decoded", why=str(footage.video.codec))
        runs: list[tuple[int, Sequence[Stored]]] = [(footage.index, _stored(made.samples)), *footage.others]
        return b"".join(fragment(footage.start * 1000 // _SCALE & 0xFFFFFFFF, sorted(runs, key=_track_of)))

    async def _worked(
        self, key: StreamKey, footage: Footage, job: bytes, kind: str, command: Sequence[str] = CHILD
    ) -> _Worked:
        async def ask(child: Recoding) -> _Worked:
            sending = self._tasks.start("samples", _send(child, job, footage))
            made: list[Sample] = []
            format_: TrackFormat | None = None
            size = 0
            try:
                async for frame in child.until_done():
                    if frame.type == "live_format":
                        format_ = decode_format(frame)[2][0]
                    elif frame.type == "live_sample":
                        made.append(decode_sample(frame)[2])
                        size += len(made[-1].data)
                        if size > _MOST_MADE_BYTES:
                            raise LongwatchError(
                                "that part becomes too large", why=f"more than {_MOST_MADE_BYTES} bytes"
                            )
                return _Worked(made, format_, int(frame.header["pictures"]), int(frame.header["cpu_us"]))
            finally:
                sending.cancel()

        return await self._with_child(key, kind, ask, command)

    async def _with_child(
        self, key: StreamKey, kind: str, ask: Callable[[Recoding], Awaitable[_T]], command: Sequence[str] = CHILD
    ) -> _T:
        """One question to a child that is free, or a new one; a child that failed or took too long is ended, and one of another command once it has answered."""
        slot = await self._slot(key, kind)
        child: Recoding | None = None
        spent_us = 0
        try:
            child = await self._child() if command is CHILD else await Recoding.start(command)
            async with asyncio.timeout(SECONDS_A_PART):
                result = await ask(child)
            spent_us = result.cpu_us if isinstance(result, _Worked) else 0
            if command is CHILD:
                self._rest(child)
                child = None
        except TimeoutError as error:
            raise LongwatchError("that part takes too long to make", why=f"{SECONDS_A_PART:g} s") from error
        finally:
            self.slots.give_back(slot, spent_us)
            self._freed.set()
            if child is not None:
                await asyncio.shield(child.aclose())
        return result

    async def _slot(self, key: StreamKey, kind: str) -> Slot:
        """A player asks for part after part: one that has to wait a moment is not refused."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                while self.slots.limit and self.slots.full:  # of several that wait, one takes what becomes free
                    self._freed.clear()
                    await self._freed.wait()
        return self.slots.take(key.camera, key.stream, kind)

    async def _child(self) -> Recoding:
        if not self._idle:
            return await Recoding.start()
        child, timer = self._idle.pop()
        timer.cancel()
        return child

    def _rest(self, child: Recoding) -> None:
        """Keep it for a minute: it holds some 60 MB, and takes a third of a second to start."""

        def end() -> None:
            self._idle[:] = [(other, timer) for other, timer in self._idle if other is not child]
            self._tasks.start("rest", child.aclose())

        self._idle.append((child, asyncio.get_running_loop().call_later(_IDLE_S, end)))


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a stretch: how long it is, the processor time it took, pictures, and bytes before and after."""

    media_us: int
    cpu_us: int
    pictures: int
    in_bytes: int
    out_bytes: int


@dataclass(frozen=True, slots=True)
class _Worked:
    """format: the last one that was told."""

    samples: list[Sample]
    format: TrackFormat | None
    pictures: int
    cpu_us: int


def _track_of(run: tuple[int, Sequence[Stored]]) -> int:
    return run[0]


async def _send(child: Recoding, job: bytes, footage: Footage) -> None:
    await child.send(job + encode_format(("", ""), 0, (footage.video,)))
    for n in range(0, len(footage.samples), _SENT_AT_ONCE):
        batch = footage.samples[n : n + _SENT_AT_ONCE]
        await child.send(b"".join(encode_sample(("", ""), 0, sample) for sample in batch))
    await child.send(encode({"type": "flush"}))


def _stored(made: Sequence[Sample]) -> list[Stored]:
    """The samples with their durations; the last one is as long as the one before it."""
    ends = [*(sample.dts for sample in made[1:])]
    usual = ends[-1] - made[-2].dts if ends else _SCALE // 25
    ends.append(made[-1].dts + usual)
    return [
        (sample.dts, 0, end - sample.dts, sample.sync, sample.data, sample.damaged)
        for sample, end in zip(made, ends, strict=True)
    ]


def footage_of(source: SegmentSource, key: StreamKey, params: Mapping[str, str], cache: TableCache) -> Footage:
    """What is stored of a part of a playlist. Blocks. Raises as `open_part`, LongwatchError where it cannot be decoded here."""
    tables, start, end = part_tables(source, key, params, cache)
    return read_footage(source, tables, start, end)


def read_footage(source: SegmentSource, tables: Sequence[SegmentTable], start: int, end: int) -> Footage:
    """The samples of these segments with a decode time of the video in [start, end). Blocks. Raises as footage_of."""
    first = next((table for table in tables if table.video is not None), None)
    if first is None or first.video is None:
        raise NoVideoError("that part is not there")
    video = first.video.format
    if video.codec not in _DECODABLE or video.timescale != _SCALE:
        raise LongwatchError(f"{video.codec} cannot be made H.264 here")
    samples: list[Sample] = []
    others: dict[int, list[Stored]] = {}
    size = 0
    for table in tables:
        for n, track in enumerate(table.tracks):
            if track is None:
                continue
            t = track.format.timescale
            a, b = (bisect_left(track.dts, -(-time * t // _SCALE)) for time in (start, end))
            for x, data in _read(source, table, track, a, b):
                size = _within(size + len(data))
                if n == first.video_index:
                    samples.append(_sample(track, x, data))
                else:
                    stored = (track.dts[x], track.cts_offsets[x], track.durations[x], True, data, False)
                    others.setdefault(n, []).append(stored)
    if not samples:
        raise NoVideoError("that part is not there")
    return Footage(video, first.video_index, samples, sorted(others.items()), start)


def _fed(source: SegmentSource, anew: Anew) -> list[Sample]:
    """What is decoded for it. Blocks. Raises LongwatchError."""
    samples: list[Sample] = []
    size = 0
    for part in anew.fed:
        for x, data in _read(source, part.table, part.video, part.a, part.b):
            size = _within(size + len(data))
            samples.append(_sample(part.video, x, data))
    return samples


def _within(size: int) -> int:
    if size > _MOST_PART_BYTES:
        raise LongwatchError("that part is too large to be made anew", why=f"more than {_MOST_PART_BYTES} bytes")
    return size


def _sample(track: TrackTable, n: int, data: bytes) -> Sample:
    flags = track.flags[n]
    return Sample(0, track.dts[n], track.cts_offsets[n], bool(flags & SYNC), data, 0, bool(flags & DAMAGED))


def _read(source: SegmentSource, table: SegmentTable, track: TrackTable, a: int, b: int) -> Iterator[tuple[int, bytes]]:
    x = a
    for offset, count, size in track.chunks(a, b):
        data = source.read(table.row, offset, size)
        if len(data) != size:
            raise LongwatchError(
                f"the segment {table.row.path} is shorter than the index says", remedy="run `longwatch check`"
            )
        at = 0
        for n in range(x, x + count):
            yield n, data[at : at + track.sizes[n]]
            at += track.sizes[n]
        x += count


def newest_footage(source: SegmentSource, key: StreamKey, until_us: int, cache: TableCache, seconds: float) -> Footage:
    """The newest whole groups of pictures, of about so many seconds. Blocks. Raises NoVideoError where nothing is recorded."""
    row = source.sync_before(key, until_us)
    if row is None:
        raise NoVideoError(f"nothing of {key.camera} is recorded yet", remedy="wait until it is")
    table = cache.table(source, row)
    video = table.video
    if video is None or not video.syncs:
        raise NoVideoError(f"nothing of {key.camera} is recorded yet", remedy="wait until it is")
    least = video.end_dts - round(seconds * _SCALE)
    start = next((video.dts[n] for n in video.syncs if video.dts[n] >= least), video.dts[video.syncs[-1]])
    return read_footage(source, [table], start, video.end_dts)
