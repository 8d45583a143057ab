"""Which samples answer a request: from the last sync sample at or before `from` up to the last one shown before `to`.

What two placements both claim goes to the better one (lower provenance, then higher run), as on the timeline.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.formats.media import Codec
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import SegmentRow, SegmentSource
from longwatch.playback.tables import TOGETHER, SegmentTable, TableCache, TrackTable

MAX_SPAN_US = 25 * 3600 * 1_000_000
_RASL = (8, 9)
_CRA = 21
_NAL_READ_BYTES = 4096
_H265_PICTURES = (0x7E, range(64))
_LEAD_IN_SEGMENTS = 8


BEFORE_US = 1_000_000
"""How long before `from` a segment may have ended and still be on the screen: with B-frames pictures are shown later than
they are decoded, and the times of a segment are those of decoding."""


class NoVideoError(LongwatchError):
    """There is no sample of the stream in the span that was asked for."""


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """A stretch of one stream, half-open, on the wall. run: another placement's run, by name.

    Raises UsageError where from_us >= to_us, or the span is longer than a day (and the hour of a change of clocks).
    """

    key: StreamKey
    from_us: int
    to_us: int
    run: int | None = None

    def __post_init__(self) -> None:
        if self.from_us >= self.to_us:
            raise UsageError("the span is empty", why="`from` does not lie before `to`", remedy="ask for a later `to`")
        if self.to_us - self.from_us > MAX_SPAN_US:
            raise UsageError("the span is too long", why="it is longer than a day", remedy="ask for it in parts")


@dataclass(frozen=True, slots=True)
class Part:
    """Samples [a, b) of the video track of one segment, not empty. made: pictures that stand for samples of that segment, of which [a, b) are then (`exact`).
    beside: segments before it of whose video nothing is taken, and of whose other tracks something may be.
    """

    table: SegmentTable
    a: int
    b: int
    made: TrackTable | None = None
    beside: tuple[SegmentTable, ...] = ()

    @property
    def video(self) -> TrackTable:
        track = self.made or self.table.video
        assert track is not None  # parts are made of segments with video only
        return track


@dataclass(slots=True)
class Stretch:
    """Parts that follow each other without a gap in one run."""

    parts: list[Part] = field(default_factory=list)

    @property
    def first(self) -> Part:
        return self.parts[0]

    @property
    def last(self) -> Part:
        return self.parts[-1]

    @property
    def start_dts(self) -> int:
        return self.first.video.dts_at(self.first.a)

    @property
    def end_dts(self) -> int:
        last = self.last
        return last.video.dts_at(last.b - 1) + last.video.durations[last.b - 1]


@dataclass(slots=True)
class Selection:
    """stretches: in order. shown: (index of the stretch, presentation time) of the first sample that is shown; what comes
    before is only decoded. end_pts: presentation end, in the last stretch's own time. made: the bytes of what is no stored sample.
    exact: nothing from before what is shown belongs to it, of the other tracks neither.
    """

    stretches: list[Stretch]
    shown: tuple[int, int]
    end_pts: int
    made: bytes = field(default=b"", repr=False)
    exact: bool = False


@dataclass(frozen=True, slots=True)
class _Claim:
    row: SegmentRow
    from_us: int
    to_us: int


def select(
    source: SegmentSource, cache: TableCache, request: VideoRequest, to_us: int, rows: Sequence[SegmentRow]
) -> Selection:
    """The samples of a request up to `to_us`, of `rows`, the segments of that span.

    Raises NoVideoError where there is none, LongwatchError where a file is gone.
    """
    collector = _Collector(source, cache, request, to_us)
    claims = _claims(rows, request.from_us, to_us)
    for first in range(0, len(claims), TOGETHER):
        together = claims[first : first + TOGETHER]
        cache.fetch(source, [claim.row for claim in together])
        for claim in together:
            collector.add(claim)
    selection = collector.finish()
    if selection is None:
        raise NoVideoError(
            f"no video of {request.key.camera} in that span", remedy="the timeline says what is recorded, and why not"
        )
    return selection


def _claims(rows: Sequence[SegmentRow], from_us: int, to_us: int) -> list[_Claim]:
    """Each segment with the part of the span that is its own to show, in order of time."""
    ordered = sorted(rows, key=lambda r: (r.wall_start_us, r.run, r.sequence))
    overlap = any(a.run != b.run and b.wall_start_us < a.wall_end_us for a, b in pairwise(ordered))
    if not overlap:
        return [_Claim(row, from_us, to_us) for row in ordered]
    taken: list[tuple[int, int, int]] = []
    claims: list[_Claim] = []
    for row in sorted(rows, key=lambda r: (r.provenance, -r.run, r.sequence)):
        free = [(max(from_us, row.wall_start_us), min(to_us, row.wall_end_us))]
        for start, end, run in taken:
            if run != row.run:
                free = [
                    piece for a, b in free for piece in ((a, min(b, start)), (max(a, end), b)) if piece[0] < piece[1]
                ]
        claims += [_Claim(row, a, b) for a, b in free if a < b]
        taken.append((row.wall_start_us, row.wall_end_us, row.run))
    return sorted(claims, key=lambda c: (c.from_us, c.row.sequence))


class _Collector:
    """Takes claims in order and makes stretches of them."""

    def __init__(self, source: SegmentSource, cache: TableCache, request: VideoRequest, to_us: int) -> None:
        self._source = source
        self._cache = cache
        self._request = request
        self._to_us = to_us
        self._stretches: list[Stretch] = []
        self._shown: tuple[int, int] | None = None

    def add(self, claim: _Claim) -> None:
        table = self._cache.table(self._source, claim.row)
        video = table.video
        if video is None:
            return
        timescale = video.format.timescale
        to_media = table.media_time(claim.to_us, timescale)
        b = _end_index(video, to_media)
        if b == 0:
            return
        self._finish_last(table)
        if self._follows(table, video, claim):
            self._extend(table, 0, b, broken=self._gap_before(video))
            return
        shown = _shown_at(video, table.media_time(claim.from_us, timescale))
        if shown is None or video.pts[shown] >= to_media:
            return
        self._start(table, video, shown, b)

    def _start(self, table: SegmentTable, video: TrackTable, shown: int, b: int) -> None:
        """Begin where a decoder can: at the last sync sample that `shown` needs, in an earlier segment if it must be."""
        shown_pts = video.pts[shown]
        if self._stretches:  # pictures that are only decoded could not be hidden in the middle of a file
            sync = next((n for n in video.syncs if n < b and video.pts[n] >= shown_pts), None)
            if sync is not None:
                self._restart(table, sync, b)
            return
        sync = max((n for n in video.syncs if n <= shown and video.pts[n] <= shown_pts), default=None)
        if sync is None:
            lead = self._lead_in(table)
            if lead is None:
                sync = next((n for n in video.syncs if n < b), None)
                if sync is None:
                    return
                shown_pts = max(shown_pts, video.pts[sync])
            else:
                self._restart(lead[0], lead[1], _video(lead[0]).count)
                for following in lead[2]:
                    self._extend(following, 0, _video(following).count, broken=self._gap_before(_video(following)))
                self._extend(table, 0, b, broken=self._gap_before(video))
        if sync is not None:
            self._restart(table, sync, b)
        if self._shown is None:
            stretch = next(n for n, s in enumerate(self._stretches) if any(
                p.table is table and shown_pts in p.video.pts[p.a : p.b] for p in s.parts))  # fmt: skip
            self._shown = (stretch, shown_pts)

    def _finish_last(self, table: SegmentTable) -> None:
        """Take the rest of the last segment, though it is shown after `to`: this one goes on from there."""
        if not self._stretches:
            return
        last = self._stretches[-1].last
        if _next_in_run(last.table.row, table.row):
            self._extend(last.table, last.b, last.video.count, broken=last.b in last.video.breaks)

    def _lead_in(self, table: SegmentTable) -> tuple[SegmentTable, int, list[SegmentTable]] | None:
        """The segment before in the same run with a sync sample, its last one, and the segments between."""
        row = table.row
        before = row
        for _ in range(_LEAD_IN_SEGMENTS):
            earlier = self._source.sync_before(row.key, before.wall_start_us - 1)
            if (
                earlier is None
                or (earlier.boot, earlier.run) != (row.boot, row.run)
                or earlier.sequence >= row.sequence
            ):
                return None
            before = earlier
            video = self._cache.table(self._source, before).video
            if video is not None and video.syncs:
                break
        rows = self._source.segments(row.key, before.wall_start_us, row.wall_start_us + 1, row.run)
        rows = sorted((r for r in rows if before.sequence <= r.sequence < row.sequence), key=lambda r: r.sequence)
        if [r.sequence for r in rows] != list(range(before.sequence, row.sequence)):
            return None
        tables = [self._cache.table(self._source, r) for r in rows]
        if any(t.video is None for t in tables) or not _video(tables[0]).syncs:
            return None
        return tables[0], _video(tables[0]).syncs[-1], tables[1:]

    def _follows(self, table: SegmentTable, video: TrackTable, claim: _Claim) -> bool:
        """Whether the segment goes on where the last part ended, so that nothing that it needs is missing."""
        if not self._stretches:
            return False
        last = self._stretches[-1].last
        row = table.row
        starts_inside = claim.from_us > max(row.wall_start_us, self._request.from_us)
        return (
            _next_in_run(last.table.row, row)
            and last.b == last.video.count
            and not starts_inside
            and video.first_dts > last.video.last_dts
        )

    def _gap_before(self, video: TrackTable) -> bool:
        last = self._stretches[-1].last
        return video.first_dts - last.video.last_dts > last.video.limit(last.b - 1)

    def _restart(self, table: SegmentTable, a: int, b: int) -> None:
        """A new stretch from a sync sample on, without the pictures that refer to what came before it."""
        self._stretches.append(Stretch())
        dropped_from, dropped_to = _skipped(self._source, table, a, b)
        if dropped_to > dropped_from:
            self._stretches[-1].parts.append(Part(table, a, dropped_from))
            a = dropped_to
        self._extend(table, a, b, broken=False)

    def _extend(self, table: SegmentTable, a: int, b: int, *, broken: bool) -> None:
        """Append the samples [a, b); a gap before or inside them begins a new stretch."""
        if a >= b:
            return
        cuts = [n for n in _video(table).breaks if a < n < b]
        for index, (start, end) in enumerate(zip((a, *cuts), (*cuts, b), strict=True)):
            if index or broken:
                self._stretches.append(Stretch())
            self._stretches[-1].parts.append(Part(table, start, end))

    def finish(self) -> Selection | None:
        if self._shown is None:
            return None
        last = self._stretches[-1].last
        to_media = last.table.media_time(self._to_us, last.video.format.timescale)
        return Selection(self._stretches, self._first_shown(*self._shown), _end_pts(self._stretches[-1], to_media))

    def _first_shown(self, n: int, pts: int) -> tuple[int, int]:
        """Pictures of the next segments may be on the screen before the last one of this: B-frames, cut in mid-group."""
        parts = self._stretches[n].parts
        at = next(k for k, part in enumerate(parts) if pts in part.video.pts[part.a : part.b])
        for part in parts[at + 1 : at + 4]:
            from_media = part.table.media_time(self._request.from_us, part.video.format.timescale)
            near = part.video.pts[part.a : min(part.b, part.a + 17)]
            known = [each for each in (pts, *near) if each <= from_media]
            pts = max(known) if known else min(pts, *near)
        return n, pts


def _next_in_run(before: SegmentRow, row: SegmentRow) -> bool:
    return (before.boot, before.run, before.sequence + 1) == (row.boot, row.run, row.sequence)


def _video(table: SegmentTable) -> TrackTable:
    assert table.video is not None
    return table.video


def _end_index(video: TrackTable, to_media: int) -> int:
    """How many samples, in decode order, are needed to show everything before `to_media`."""
    if video.end_dts + max(0, *video.cts_offsets[-16:], 0) <= to_media:
        return video.count
    return max((n + 1 for n, pts in enumerate(video.pts) if pts < to_media), default=0)


def _shown_at(video: TrackTable, media: int) -> int | None:
    """The sample that is on the screen at `media`, or the next one that will be; None behind the end."""
    order = sorted(range(video.count), key=video.pts.__getitem__)
    at = bisect_right(order, media, key=video.pts.__getitem__)
    if at == 0:
        return order[0]
    n = order[at - 1]
    following = order[at] if at < len(order) else None
    if following is not None and following not in video.breaks:
        return n
    return n if media < video.pts[n] + video.durations[n] else following


def _end_pts(stretch: Stretch, to_media: int) -> int:
    """The end of what is shown of the last stretch: where the picture last shown before `to_media` gives way."""
    tail: list[tuple[int, int]] = []
    for part in reversed(stretch.parts):
        tail += [(part.video.pts[n], part.video.durations[n]) for n in range(max(part.a, part.b - 32), part.b)]
        if len(tail) >= 32:
            break
    shown = [(pts, duration) for pts, duration in tail if pts < to_media] or [min(tail)]
    end = max(pts + duration for pts, duration in (max(shown),))
    return min([end, *(pts for pts, _ in tail if pts > max(shown)[0])])


def _skipped(source: SegmentSource, table: SegmentTable, a: int, b: int) -> tuple[int, int]:
    """The RASL pictures behind a CRA at `a` (ITU-T H.265, 8.1.3): they refer to what is not there. As indices [from, to)."""
    video = _video(table)
    if video.format.codec is not Codec.H265 or a + 1 >= b or video.pts[a + 1] >= video.pts[a]:
        return a, a
    if _nal_type(source, table.row, video, a) != _CRA:
        return a, a
    end = a + 1
    while end < b and video.pts[end] < video.pts[a] and _nal_type(source, table.row, video, end) in _RASL:
        end += 1
    return a + 1, end


def _nal_type(source: SegmentSource, row: SegmentRow, video: TrackTable, n: int) -> int:
    """The type of the first slice in a sample; -1 where none stands in its first 4 KiB."""
    head = first_slice(source, row, video, n, _H265_PICTURES)
    return head >> 1 if head >= 0 else -1


def first_slice(source: SegmentSource, row: SegmentRow, video: TrackTable, n: int, pictures: tuple[int, range]) -> int:
    """The first byte of the first slice in a sample; -1 where none stands in its first 4 KiB. pictures: the bits of a NAL unit's type, and those that are slices. Blocks."""
    data = source.read(row, video.offset(n), min(video.sizes[n], _NAL_READ_BYTES))
    mask, kinds = pictures
    at = 0
    while at + 5 < len(data):
        if data[at + 4] & mask in kinds:
            return data[at + 4]
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return -1
