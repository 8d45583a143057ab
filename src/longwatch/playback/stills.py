"""Stills: the last sync sample at or before a moment, as a JPEG, decoded in a child process with limits."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass, field

from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.formats.bmff import BmffError
from longwatch.formats.bmff.boxes import children
from longwatch.formats.media import Codec, TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import SegmentRow, SegmentSource
from longwatch.playback.selection import NoVideoError
from longwatch.playback.still_wire import ANSWER, HEAD, MAX_BYTES
from longwatch.playback.tables import SegmentTable, TableCache, TrackTable

_DECODERS = {Codec.H264: ("h264", b"avcC"), Codec.H265: ("hevc", b"hvcC"), Codec.MJPEG: ("mjpeg", b"")}
_VISUAL_ENTRY_BYTES = 8 + 78
_SECONDS_A_STILL = 8.0
_IDLE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Still:
    """A picture. wall_us: when it was taken, which may lie before the moment asked for."""

    jpeg: bytes = field(repr=False)
    wall_us: int


class Stills:
    """Takes stills through one child process, started when it is first wanted and ended after two idle minutes.

    Owner of the child. A child that dies or takes longer than 8 s is killed; the next still starts another.
    """

    def __init__(self, cache: TableCache | None = None, *, seconds_a_still: float = _SECONDS_A_STILL) -> None:
        self._cache = cache or TableCache()
        self._seconds = seconds_a_still
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    async def still(self, source: SegmentSource, key: StreamKey, at_us: int, *, width: int | None = None) -> Still:
        """The picture at `at_us`, at most `width` wide. Raises NoVideoError where nothing was recorded before, LongwatchError
        where the picture cannot be read or decoded.
        """
        wall_us, format_, sample = await asyncio.to_thread(find_still, source, self._cache, key, at_us)
        if format_.codec is Codec.MJPEG and not width:
            return Still(sample, wall_us)
        return Still(await self._decoded(format_, sample, width or 0), wall_us)

    async def _decoded(self, format_: TrackFormat, sample: bytes, max_width: int) -> bytes:
        decoder, config = _DECODERS[format_.codec]
        extradata = decoder_config(format_.sample_entry, config) if config else b""
        if len(extradata) + len(sample) > MAX_BYTES:
            raise LongwatchError(f"a picture of {len(sample)} bytes is too large to decode")
        head = HEAD.pack(decoder.encode(), min(max_width, 0xFFFF), 0, len(extradata), len(sample))
        async with self._turn:
            status, body = await self._answer(head + extradata + sample)
            self._rest()
        if status:
            raise LongwatchError("the picture could not be decoded", why=body.decode(errors="replace"))
        return body

    async def _answer(self, request: bytes) -> tuple[int, bytes]:
        """What the child says; one that died is replaced once (its CPU time may have been used up by others before)."""
        for last in (False, True):
            try:
                return await asyncio.wait_for(self._ask(request), self._seconds)
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

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        child = await self._running()
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(request)
        await child.stdin.drain()
        status, size = ANSWER.unpack(await child.stdout.readexactly(ANSWER.size))
        if size > MAX_BYTES:
            raise OSError(f"an answer of {size} bytes")
        return status, await child.stdout.readexactly(size)

    async def _running(self) -> asyncio.subprocess.Process:
        if self._idle is not None:
            self._idle.cancel()
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "longwatch.playback.still_child",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
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
    row = source.sync_before(key, at_us)
    found = _last_sync(source, cache, row, at_us)
    if found is None and row is not None:  # decoded before that moment, and with B-frames shown after it
        found = _last_sync(source, cache, source.sync_before(key, row.wall_start_us - 1), at_us)
    if found is None:
        raise NoVideoError(f"no picture of {key.camera} at {format_us(at_us)}", why="nothing was recorded before")
    table, video, n = found
    sample = source.read(table.row, video.offset(n), video.sizes[n])
    if len(sample) != video.sizes[n]:
        raise LongwatchError(
            f"the segment {table.row.path} is shorter than the index says", remedy="run `longwatch check`"
        )
    return table.wall_us(video.pts[n], video.format.timescale), video.format, sample


def _last_sync(
    source: SegmentSource, cache: TableCache, row: SegmentRow | None, at_us: int
) -> tuple[SegmentTable, TrackTable, int] | None:
    if row is None:
        return None
    table = cache.table(source, row)
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
