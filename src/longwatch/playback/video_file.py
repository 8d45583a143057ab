"""`video.mp4`: a progressive file, moov first, over stored bytes that are read as they are sent."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate

from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.formats.bmff.progressive import progressive_header
from longwatch.model.causes import Cause
from longwatch.model.stores import GapSpan, SegmentRow, SegmentSource
from longwatch.playback.captions import caption_track, cause_of
from longwatch.playback.compose import Composition, Piece, compose
from longwatch.playback.selection import BEFORE_US, NoVideoError, VideoRequest, select
from longwatch.playback.tables import TableCache

CHUNK_BYTES = 256 << 10
_HOLE_BYTES = 8 << 10
_MAX_LISTED_GAPS = 64
KEPT_HEAD_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class PlayedGap:
    """A stretch of the request without video. at_us: where in the file it is closed up; None where it is at an end."""

    from_us: int
    to_us: int
    cause: Cause
    at_us: int | None = None


class StoredBytes:
    """A head that was made, then ranges of stored files, as one sequence of bytes that is never held whole.

    Blocking: pull it in a thread. `size` is known, and the bytes are the same each time.
    """

    media_type = "video/mp4"

    def __init__(self, source: SegmentSource, head: bytes, pieces: Sequence[Piece]) -> None:
        self._source = source
        self._head = head
        self.head_bytes: int = len(head)
        self._pieces = pieces
        self._starts = list(accumulate((p.size for p in pieces), initial=len(head)))
        self.size = self._starts[-1]
        self.etag = f'"{self._digest()}"'
        self._ahead: tuple[int, int, int, bytes] | None = None

    def _digest(self) -> str:
        digest = hashlib.sha256(self._head)
        for row, offset, size in self._pieces:
            digest.update(f"{row.boot} {row.run} {row.sequence} {offset} {size}\n".encode())
        return digest.hexdigest()[:32]

    @property
    def pieces(self) -> Sequence[Piece]:
        """The ranges of stored files behind the head, in order; every byte of them is as it was stored."""
        return self._pieces

    def read(self, start: int, end: int) -> bytes:
        """The bytes [start, end): for small ranges. Raises LongwatchError where a file is gone."""
        return b"".join(self.chunks(start, end))

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes [start, end) in chunks of at most 256 KiB. Raises LongwatchError where a file is gone."""
        end = self.size if end is None else min(end, self.size)
        for at in range(start, min(end, len(self._head)), CHUNK_BYTES):
            yield self._head[at : min(end, at + CHUNK_BYTES, len(self._head))]
        at = max(start, len(self._head))
        n = bisect_right(self._starts, at) - 1
        while at < end:
            ahead, self._ahead = self._ahead, None
            n, found = ahead[2:] if ahead is not None and ahead[:2] == (at, end) else self._read_some(n, at, end)
            at += len(found)
            yield found

    def read_ahead(self, start: int, end: int) -> None:
        """Read the first stored bytes of [start, end), at most 256 KiB, for whoever asks for `chunks` of just that next. Blocks; what cannot be
        read is told then.
        """
        at, end = max(start, len(self._head)), min(end, self.size)
        if at < end:
            with suppress(LongwatchError):
                self._ahead = (at, end, *self._read_some(bisect_right(self._starts, at) - 1, at, end))

    def _read_some(self, n: int, at: int, end: int) -> tuple[int, bytes]:
        """One read of a file, over the small holes (moof boxes) between pieces; gives the piece that comes next."""
        row, offset, size = self._pieces[n]
        skip = at - self._starts[n]
        first = offset + skip
        wanted = [(first, first + min(size - skip, end - at, CHUNK_BYTES))]
        total = wanted[0][1] - first
        whole = total == size - skip
        n += whole
        while whole and n < len(self._pieces) and at + total < end:
            following, offset, size = self._pieces[n]
            take = min(size, end - at - total)
            if following is not row or not 0 <= offset - wanted[-1][1] <= _HOLE_BYTES or total + take > CHUNK_BYTES:
                break
            wanted.append((offset, offset + take))
            total += take
            whole = take == size
            n += whole
        data = self._source.read(row, first, wanted[-1][1] - first)
        if len(data) != wanted[-1][1] - first:
            raise LongwatchError(
                f"the segment {row.path} is shorter than the index says", remedy="run `longwatch check`"
            )
        if len(wanted) == 1:
            return n, data
        return n, b"".join(data[a - first : b - first] for a, b in wanted)


class VideoFile(StoredBytes):
    """The answer to a request for video.mp4.

    start_wall_us: of the first sample, which is a sync sample at or before `from` (X-Longwatch-Start). shown_from_wall_us:
    of the first picture shown, at presentation time 0. to_us: `to`, clipped. gaps: within [from, to). damaged: segments in it
    hold samples that depend on something that was lost; they are played, as a decoder conceals them.
    """

    def __init__(self, source: SegmentSource, request: VideoRequest, to_us: int, made: Composition, gaps: Sequence[GapSpan]) -> None:  # fmt: skip
        captions, text = caption_track(made, gaps)
        for track in made.tracks:
            track.tables.shift_chunks(len(text))
        header = progressive_header([*made.tracks, captions], len(text) + made.mdat_bytes)
        super().__init__(source, header + text + made.made, made.pieces)
        self.start_wall_us = made.first_wall_us
        self.shown_from_wall_us = made.joints[0].wall_us
        self.to_us = to_us
        self.duration_us = made.duration_90k * 100 // 9
        self.damaged = made.damaged
        self.gaps = _played_gaps(request.from_us, to_us, made, gaps)

    @property
    def gaps_header(self) -> str:
        """X-Longwatch-Gaps: `from/to;cause=...;at=seconds` of each, apart by commas; at most 64, then how many more."""
        listed = [
            f"{format_us(g.from_us)}/{format_us(g.to_us)};cause={g.cause}"
            + (f";at={g.at_us / 1e6:.6f}" if g.at_us is not None else "")
            for g in self.gaps[:_MAX_LISTED_GAPS]
        ]
        more = len(self.gaps) - len(listed)
        return ", ".join([*listed, f"more={more}"] if more else listed)


def _played_gaps(from_us: int, to_us: int, made: Composition, gaps: Sequence[GapSpan]) -> tuple[PlayedGap, ...]:
    """The gaps of the timeline, each where it is closed up; and joints that the timeline does not know, as unknown."""
    joints = [(j.before_wall_us, j.wall_us, j.at_90k * 100 // 9) for j in made.joints if j.before_wall_us is not None]
    listed: list[PlayedGap] = []
    for gap in gaps:
        start, end = max(from_us, gap.from_us), min(to_us, to_us if gap.to_us is None else gap.to_us)
        if start < end:
            at = next((at for before, after, at in joints if before < end and start < after), None)
            listed.append(PlayedGap(start, end, gap.cause, at))
    for before, after, at in joints:
        if before < after and not any(g.from_us < after and before < g.to_us for g in listed):
            listed.append(PlayedGap(before, after, cause_of(gaps, before, after), at))
    return tuple(sorted(listed, key=lambda g: g.from_us))


def open_video(
    source: SegmentSource,
    request: VideoRequest,
    *,
    accounted_until_us: int,
    gaps: Sequence[GapSpan] = (),
    cache: TableCache | None = None,
) -> VideoFile:
    """Find and lay out the video of a request; `to` is clipped to `accounted_until_us`. Blocks for a few reads.

    gaps: the timeline's, of that stream and span, for their names. Raises NoVideoError where there is no sample,
    LongwatchError where a file is gone.
    """
    asked = asked_for(source, request, accounted_until_us, gaps)
    cache = cache or TableCache()

    def make() -> VideoFile:
        selection = select(source, cache, request, asked.to_us, asked.rows)
        return VideoFile(source, request, asked.to_us, compose(selection), gaps)

    return cache.made((id(source), request, asked), make, keep=lambda video: video.head_bytes <= KEPT_HEAD_BYTES)


@dataclass(frozen=True)
class Asked:
    """What a request comes down to; equal where the answer is. to_us: `to`, clipped. rows: segments of the span. gaps: of the timeline."""

    to_us: int
    rows: Sequence[SegmentRow] = field(compare=False)
    gaps: Sequence[GapSpan] = field(compare=False)
    known: tuple[object, ...]


def asked_for(source: SegmentSource, request: VideoRequest, accounted_until_us: int, gaps: Sequence[GapSpan]) -> Asked:
    """Raises NoVideoError where nothing of the span is accounted for yet."""
    to_us = min(request.to_us, accounted_until_us)
    if request.from_us >= to_us:
        raise NoVideoError("nothing is known of that span yet", why=f"it lies after {format_us(accounted_until_us)}")
    rows = source.segments(request.key, request.from_us - BEFORE_US, to_us, request.run)
    known = (*(_identity(row) for row in rows), *((gap.from_us, gap.to_us, gap.cause) for gap in gaps))
    return Asked(to_us, rows, gaps, known)


def _identity(row: SegmentRow) -> tuple[object, ...]:
    return row.boot, row.run, row.sequence, row.path, row.sealed, row.durable_bytes, row.wall_start_us, row.wall_end_us
