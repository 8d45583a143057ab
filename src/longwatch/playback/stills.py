"""Stills: the last sync sample at or before a moment, as a JPEG, decoded in a child process with limits."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.formats.bmff import BmffError
from longwatch.formats.bmff.boxes import children
from longwatch.formats.media import Codec, TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import SegmentRow, SegmentSource
from longwatch.pictures import SlotsFullError, plain_environment
from longwatch.pictures.still_wire import ANSWER, HEAD, IN_ROW, MAX_BYTES, ROUGH, ROW
from longwatch.playback.selection import NoVideoError
from longwatch.playback.tables import SegmentTable, TableCache, TrackTable, read_stretch

_DECODERS = {Codec.H264: ("h264", b"avcC"), Codec.H265: ("hevc", b"hvcC"), Codec.MJPEG: ("mjpeg", b"")}
_VISUAL_ENTRY_BYTES = 8 + 78
_SECONDS_A_STILL = 8.0
_SECONDS_TO_START = 60.0
_GIVES_WAY_TIMES = 4
"""So many times as long is waited for a child that is behind everybody else."""
_IDLE_SECONDS = 120.0
MOST_WAITING = 64
SLOW_PART = 0.5
"""Of the time that a still may take: one that took longer was hard to decode, by chance or on purpose."""
REST_TIMES = 10
"""So many times as long its stream is left alone: others wait for the same child."""
_MOST_RESTING = 1_000
MOST_ROW = 300
MOST_ROW_BYTES = 24 << 20


@dataclass(frozen=True, slots=True)
class Still:
    """A picture. wall_us: when it was taken, which may lie before the moment asked for."""

    jpeg: bytes = field(repr=False)
    wall_us: int


class Stills:
    """Takes stills through one child process, started when it is first wanted and ended after two idle minutes.

    Owner of the child. A child that dies or takes longer than 8 s is killed; the next still starts another. Its start has a time of its own: on a busy
    machine it takes longer than a still may, and one that is killed while it starts would never get to make a picture. A stream of which two in turn took half
    of that rests for ten times as long, so that one camera's pictures are not everybody's delay; and at most 64 wait. rough: for small
    pictures in great numbers; cheaper, a little coarser, and behind everything else that wants the processor.
    """

    def __init__(
        self, cache: TableCache | None = None, *, seconds_a_still: float = _SECONDS_A_STILL, rough: bool = False
    ) -> None:
        self._cache = cache or TableCache()
        self._seconds = seconds_a_still * (_GIVES_WAY_TIMES if rough else 1)
        self._asked_s = 0.0
        self._rough = rough
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._waiting = 0
        self._slow: OrderedDict[StreamKey, tuple[int, float]] = OrderedDict()

    async def still(
        self,
        source: SegmentSource,
        key: StreamKey,
        at_us: int,
        *,
        width: int | None = None,
        known_us: int | None = None,
    ) -> Still:
        """The picture at `at_us`, at most `width` wide. Raises NoVideoError where nothing was recorded before, LongwatchError
        where the picture cannot be read or decoded.

        known_us: who asks has the picture taken then; where it is still the one, it comes without bytes and nothing is decoded.
        """
        wall_us, format_, sample = await asyncio.to_thread(find_still, source, self._cache, key, at_us)
        if wall_us == known_us:
            return Still(b"", wall_us)
        if format_.codec is Codec.MJPEG and not width:
            return Still(sample, wall_us)
        return Still(await self.decoded(format_, sample, width or 0, key), wall_us)

    async def exact(self, source: SegmentSource, key: StreamKey, at_us: int, *, width: int | None = None) -> Still:
        """The picture that is shown at `at_us` and not the sync sample before it: what lies between is decoded too, where that is no more than
        MOST_ROW. Raises as `still`.
        """
        wall_us, format_, row = await asyncio.to_thread(find_row, source, self._cache, key, at_us)
        if len(row) == 1:
            return Still(await self.decoded(format_, row[0][1], width or 0, key), wall_us)
        data = b"".join(IN_ROW.pack(pts, len(sample)) + sample for pts, sample in row)
        return Still(await self._decoded(format_, data, width or 0, key, ROW), wall_us)

    async def decoded(
        self, format_: TrackFormat, sample: bytes, max_width: int, key: StreamKey | None = None
    ) -> bytes:  # fmt: skip
        """One sync sample as a JPEG, at most `max_width` wide (0: as it is). key: whose it is. Raises LongwatchError, and SlotsFullError
        where too many wait.
        """
        return await self._decoded(format_, sample, max_width, key, 0)

    async def _decoded(
        self, format_: TrackFormat, sample: bytes, max_width: int, key: StreamKey | None, flags: int
    ) -> bytes:
        decoder, config = _DECODERS[format_.codec]
        extradata = decoder_config(format_.sample_entry, config) if config else b""
        if len(extradata) + len(sample) > MAX_BYTES:
            raise LongwatchError(f"a picture of {len(sample)} bytes is too large to decode")
        flags |= ROUGH if self._rough else 0
        head = HEAD.pack(decoder.encode(), min(max_width, 0xFFFF), flags, len(extradata), len(sample))
        if self._waiting >= MOST_WAITING:
            raise SlotsFullError(
                "too many pictures are asked for at once", why=f"{MOST_WAITING} wait", remedy="try again in a moment"
            )
        self._waiting += 1
        try:
            async with self._turn:
                self._check_rested(key)
                self._asked_s = 0.0
                try:
                    status, body = await self._answer(head + extradata + sample)
                finally:
                    self._note(key, self._asked_s)
                self._rest()
        finally:
            self._waiting -= 1
        if status:
            raise LongwatchError("the picture could not be decoded", why=body.decode(errors="replace"))
        return body

    def _check_rested(self, key: StreamKey | None) -> None:
        if key is not None and time.monotonic() < self._slow.get(key, (0, 0.0))[1]:
            raise LongwatchError(
                "the picture could not be decoded",
                why="pictures of this stream take too long",
                remedy="try again later",
            )

    def _note(self, key: StreamKey | None, took_s: float) -> None:
        """Once may be a child that had to be started on a busy machine; twice one after the other is the stream's own."""
        if key is None:
            return
        times = self._slow.pop(key, (0, 0.0))[0] + 1
        if took_s < SLOW_PART * self._seconds:
            return
        self._slow[key] = times, time.monotonic() + (REST_TIMES * took_s if times > 1 else 0.0)
        while len(self._slow) > _MOST_RESTING:
            self._slow.popitem(last=False)

    async def _answer(self, request: bytes) -> tuple[int, bytes]:
        """What the child says; one that died is replaced once (its CPU time may have been used up by others before)."""
        for last in (False, True):
            try:
                child = await self._running()
                began_s = time.monotonic()
                try:
                    async with asyncio.timeout(self._seconds):
                        return await self._ask(child, request)
                finally:
                    self._asked_s = time.monotonic() - began_s
            except (OSError, asyncio.IncompleteReadError) as error:
                await self._stop()
                if last or isinstance(error, TimeoutError):
                    raise LongwatchError(
                        "the picture could not be decoded", why=f"the decoder ended: {error!r}"
                    ) from error
            except asyncio.CancelledError:
                await self._stop()
                raise
        raise AssertionError

    async def _ask(self, child: asyncio.subprocess.Process, request: bytes) -> tuple[int, bytes]:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(request)
        await child.stdin.drain()
        status, size = ANSWER.unpack(await child.stdout.readexactly(ANSWER.size))
        if size > MAX_BYTES:
            raise OSError(f"an answer of {size} bytes")
        return status, await child.stdout.readexactly(size)

    async def _running(self) -> asyncio.subprocess.Process:
        """One that has said that it is there. Raises OSError (TimeoutError among them) and IncompleteReadError."""
        if self._idle is not None:
            self._idle.cancel()
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "longwatch.pictures.still_child", "--greet", *(["--last"] if self._rough else []),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
                env=plain_environment(),
            )  # fmt: skip
            assert self._child.stdout is not None
            starts_s = _SECONDS_TO_START * (_GIVES_WAY_TIMES if self._rough else 1)
            async with asyncio.timeout(starts_s):
                await self._child.stdout.readexactly(ANSWER.size)
        return self._child

    def _rest(self) -> None:
        """Let the child end when nobody asks for two minutes: it holds some 60 MB."""
        if self._child is not None and self._child.stdin is not None:
            self._idle = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._child.stdin.close)

    async def _stop(self) -> None:
        child, self._child = self._child, None
        if self._idle is not None:
            self._idle.cancel()
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def aclose(self) -> None:
        """End the child."""
        async with self._turn:
            await self._stop()


def find_still(source: SegmentSource, cache: TableCache, key: StreamKey, at_us: int) -> tuple[int, TrackFormat, bytes]:
    """Wall time, format and bytes of the last sync sample shown at or before `at_us`. Blocks. Raises as Stills.still."""
    table, video, n = _found(source, cache, key, at_us)
    return table.wall_us(video.pts[n], video.format.timescale), video.format, _sample(source, table, video, n)


def find_row(
    source: SegmentSource, cache: TableCache, key: StreamKey, at_us: int
) -> tuple[int, TrackFormat, list[tuple[int, bytes]]]:
    """Wall time of the picture shown at `at_us`, its format, and what it takes to decode it: the sync sample before it and all up to it, each with
    when it is shown. Of a row that is too long the sync sample alone. Blocks. Raises as Stills.still.
    """
    table, video, n = _found(source, cache, key, at_us)
    media = table.media_time(at_us + 1, video.format.timescale)
    last = n
    for m in range(n + 1, min(video.count, n + MOST_ROW + 1)):
        if m in video.breaks:
            break
        if video.pts[m] < media:
            last = m
    if last - n >= MOST_ROW or sum(video.sizes[n : last + 1]) > MOST_ROW_BYTES:
        last = n
    row = [(video.pts[m], _sample(source, table, video, m)) for m in range(n, last + 1)]  # in the order of decoding
    shown = max(pts for pts, _ in row)
    return table.wall_us(shown, video.format.timescale), video.format, row


def _found(
    source: SegmentSource, cache: TableCache, key: StreamKey, at_us: int
) -> tuple[SegmentTable, TrackTable, int]:
    row = source.sync_before(key, at_us)
    found = _last_sync(source, cache, row, at_us)
    if found is None and row is not None:  # decoded before that moment, and with B-frames shown after it
        found = _last_sync(source, cache, source.sync_before(key, row.wall_start_us - 1), at_us)
    if found is None:
        raise NoVideoError(f"no picture of {key.camera} at {format_us(at_us)}", why="nothing was recorded before")
    return found


def _sample(source: SegmentSource, table: SegmentTable, video: TrackTable, n: int) -> bytes:
    sample = source.read(table.row, video.offset(n), video.sizes[n])
    if len(sample) != video.sizes[n]:
        raise LongwatchError(
            f"the segment {table.row.path} is shorter than the index says", remedy="run `longwatch check`"
        )
    return sample


def _last_sync(
    source: SegmentSource, cache: TableCache, row: SegmentRow | None, at_us: int
) -> tuple[SegmentTable, TrackTable, int] | None:
    if row is None:
        return None
    part = None if row.sealed else read_stretch(source, row, at_us)
    found = None if part is None else _sync_in(part, at_us)
    return found or _sync_in(cache.table(source, row), at_us)


def _sync_in(table: SegmentTable, at_us: int) -> tuple[SegmentTable, TrackTable, int] | None:
    video = table.video
    if video is None:
        return None
    media = table.media_time(at_us + 1, video.format.timescale)
    n = max((n for n in video.syncs if video.pts[n] < media), default=None)
    return (table, video, n) if n is not None else None


def decoder_config(sample_entry: bytes, kind: bytes) -> bytes:
    """The body of avcC or hvcC in a visual sample entry (ISO/IEC 14496-15). Raises LongwatchError where there is none."""
    try:
        for box in children(sample_entry, _VISUAL_ENTRY_BYTES, len(sample_entry)):
            if box.kind == kind:
                return sample_entry[box.body : box.end]
    except BmffError:
        pass
    raise LongwatchError(f"the stored format has no {kind.decode()} box")
