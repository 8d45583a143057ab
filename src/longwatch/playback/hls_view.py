"""HLS over stored bytes: a playlist, its initialization segments, and media parts whose moof is made and whose mdat is read.

A part holds whole groups of pictures: it begins with a sync sample wherever fragments were cut. Its URL names run and media
times, so it is the same bytes for ever.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlencode

from longwatch.base.errors import UsageError
from longwatch.formats.bmff import DAMAGED, SYNC, live_init
from longwatch.formats.bmff.fragment import Stretch as FragmentStretch
from longwatch.formats.bmff.fragment import fragment_head, sample_flags
from longwatch.formats.hls import MediaPart, media_playlist
from longwatch.formats.media import Kind, TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import SegmentSource
from longwatch.playback.compose import Piece
from longwatch.playback.selection import BEFORE_US, NoVideoError, Part, Selection, Stretch, VideoRequest, select
from longwatch.playback.tables import SegmentTable, TableCache, TrackTable
from longwatch.playback.video_file import StoredBytes

_TARGET_US = 4_000_000
_MAX_PART_90K = 3600 * 90_000
_NAME = "segment.mp4"
PART_PARAMETERS = ("part", "run", "sequence", "from", "to", "start", "end")
"""Of a part's URL: what else stands there names nothing."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Whole groups of pictures in one stretch: [start, end) in the video's decode time."""

    first: SegmentTable
    last: SegmentTable
    start: int
    end: int
    pts: int
    fresh: bool


def open_playlist(
    source: SegmentSource,
    request: VideoRequest,
    *,
    accounted_until_us: int,
    part_url: Callable[[str], str] = str,
    cache: TableCache | None = None,
) -> str:
    """The media playlist of a request. It goes on (no ENDLIST) while `to` lies after `accounted_until_us`.

    part_url: what to add to the relative URL of each part (a signature, say). Raises as open_video.
    """
    to_us = min(request.to_us, accounted_until_us)
    if request.from_us >= to_us:
        raise NoVideoError("nothing is known of that span yet")
    ended = request.to_us <= accounted_until_us
    rows = source.segments(request.key, request.from_us - BEFORE_US, to_us, request.run)
    selection = select(source, cache or TableCache(), request, to_us, rows)
    groups = [group for stretch in selection.stretches for group in _groups(stretch)]
    if not ended and len(groups) > 1:
        groups.pop()  # it may yet grow
    scale = selection.stretches[0].first.video.format.timescale
    maps: dict[tuple[TrackFormat, ...], str] = {}
    parts: list[MediaPart] = []
    for group in groups:
        map_uri = maps.setdefault(group.first.header.tracks, part_url(_init_url(group.first)))
        parts.append(_listed(group, part_url, scale, map_uri, changed=bool(parts) and map_uri != parts[-1].map_uri))
    return media_playlist(parts, ended=ended, start_offset_us=_lead_us(selection, scale))


def _lead_us(selection: Selection, scale: int) -> int:
    """How much of the playlist's beginning is only there to be decoded."""
    shown, pts = selection.shown
    before = sum(s.end_dts - s.start_dts for s in selection.stretches[:shown])
    first = selection.stretches[shown].first
    return max(0, before + pts - first.video.pts[first.a]) * 1_000_000 // scale


def _groups(stretch: Stretch) -> Iterator[_Group]:
    """Cut a stretch at sync samples, at least four seconds apart, and wherever the parameters change."""
    cuts: list[tuple[Part, int]] = []
    least = stretch.start_dts
    known = stretch.first.table.header.tracks
    scale = stretch.first.video.format.timescale
    for part in stretch.parts:
        for n in part.video.syncs:
            other = part.table.header.tracks != known
            if part.a <= n < part.b and (part.video.dts[n] >= least or other):
                known = part.table.header.tracks
                cuts.append((part, n))
                least = part.video.dts[n] + _TARGET_US * scale // 1_000_000
    for k, (part, n) in enumerate(cuts):
        following = cuts[k + 1] if k + 1 < len(cuts) else None
        end = following[0].video.dts[following[1]] if following else stretch.end_dts
        last = following[0].table if following else stretch.last.table
        yield _Group(part.table, last, part.video.dts[n], end, part.video.pts[n], fresh=k == 0)


def _init_url(table: SegmentTable) -> str:
    row = table.row
    query = {"part": "init", "run": row.run, "sequence": row.sequence, "from": row.wall_start_us}
    return f"{_NAME}?{urlencode(query)}"


def _listed(group: _Group, part_url: Callable[[str], str], scale: int, map_uri: str, *, changed: bool) -> MediaPart:
    row, last = group.first.row, group.last.row
    place: dict[str, int | str] = {"run": row.run, "from": row.wall_start_us, "to": max(last.wall_start_us, row.wall_start_us) + 1}  # fmt: skip
    media = urlencode({"part": "media", **place, "start": group.start, "end": group.end})
    return MediaPart(
        uri=part_url(f"{_NAME}?{media}"),
        duration_us=(group.end - group.start) * 1_000_000 // scale,
        map_uri=map_uri,
        wall_us=group.first.wall_us(group.pts, scale),
        discontinuity=group.fresh or changed,
    )


def open_part(
    source: SegmentSource, key: StreamKey, params: Mapping[str, str], *, cache: TableCache | None = None
) -> StoredBytes:
    """What a URL of the playlist names. Raises UsageError for one we never made, NoVideoError where it is not (or no longer)
    there, LongwatchError where a file is gone.
    """
    cache = cache or TableCache()
    if params.get("part") == "init":
        return StoredBytes(source, live_init(init_tracks(source, key, params, cache)), ())
    tables, start, end = part_tables(source, key, params, cache)
    return _media_part(source, tables, start, end)


def init_tracks(
    source: SegmentSource, key: StreamKey, params: Mapping[str, str], cache: TableCache
) -> tuple[TrackFormat, ...]:
    """What an initialization segment tells of. Raises as open_part."""
    run, from_us, sequence = _number(params, "run"), _number(params, "from"), _number(params, "sequence")
    for row in source.segments(key, from_us, from_us + 1, run):
        if (row.run, row.sequence) == (run, sequence):
            return cache.table(source, row).header.tracks
    raise NoVideoError("that initialization segment is not there")


def part_tables(
    source: SegmentSource, key: StreamKey, params: Mapping[str, str], cache: TableCache
) -> tuple[list[SegmentTable], int, int]:
    """The segments that a media part is made of, and its [start, end) in the video's decode time. Raises as open_part."""
    if params.get("part") != "media":
        raise UsageError("no part of that kind", remedy="take the URLs of the playlist")
    run, from_us = _number(params, "run"), _number(params, "from")
    start, end = _number(params, "start"), _number(params, "end")
    if not 0 < end - start <= _MAX_PART_90K:
        raise UsageError("a part of that length cannot be", remedy="take the URLs of the playlist")
    rows = sorted(source.segments(key, from_us, _number(params, "to"), run), key=lambda r: r.sequence)
    return [cache.table(source, row) for row in rows if row.run == run and row.start_90k < end], start, end


def part_span(
    source: SegmentSource, key: StreamKey, params: Mapping[str, str], *, cache: TableCache | None = None
) -> tuple[int, int] | None:
    """Of which wall time a media part shows pictures: by what is in it, whatever its URL says of `from` and `to`. None: of none. Raises
    as open_part.
    """
    tables, start, end = part_tables(source, key, params, cache or TableCache())
    spans = [span for table in tables if (span := _span_in(table, start, end)) is not None]
    return (min(a for a, _ in spans), max(b for _, b in spans)) if spans else None


def _span_in(table: SegmentTable, start: int, end: int) -> tuple[int, int] | None:
    """What of one segment lies in [start, end) of the video's decode time, over all its tracks."""
    scale = table.video.format.timescale if table.video is not None else 90_000
    spans = []
    for track in table.tracks:
        if track is None:
            continue
        t = track.format.timescale
        a, b = bisect_left(track.dts, -(-start * t // scale)), bisect_left(track.dts, -(-end * t // scale))
        if a < b:
            last_us = table.wall_us(track.dts[b - 1] + track.durations[b - 1], t)
            spans.append((table.wall_us(track.dts[a], t), last_us))
    return (min(a for a, _ in spans), max(b for _, b in spans)) if spans else None


def _number(params: Mapping[str, str], name: str) -> int:
    text = params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise UsageError(f"{name} is not a number", remedy="take the URLs of the playlist")
    return int(text)


def _media_part(source: SegmentSource, tables: list[SegmentTable], start: int, end: int) -> StoredBytes:
    stretches: list[FragmentStretch] = []
    pieces: list[Piece] = []
    data_bytes = 0
    scale = next((t.video.format.timescale for t in tables if t.video is not None), 90_000)
    for video in (True, False):
        for table in tables:
            for n, track in enumerate(table.tracks):
                if track is None or (track.format.kind is Kind.VIDEO) is not video:
                    continue
                t = track.format.timescale
                a, b = bisect_left(track.dts, -(-start * t // scale)), bisect_left(track.dts, -(-end * t // scale))
                if a < b:
                    data_bytes = _add(stretches, pieces, table, n, track, a, b, data_bytes)
    if not stretches:
        raise NoVideoError("that part is not there")
    return StoredBytes(source, fragment_head(start * 1000 // scale & 0xFFFFFFFF, stretches, data_bytes), pieces)


def _add(
    stretches: list[FragmentStretch], pieces: list[Piece], table: SegmentTable, n: int, track: TrackTable, a: int, b: int,
    data_bytes: int,
) -> int:  # fmt: skip
    cuts = [a, *(x for x in track.breaks if a < x < b), b]
    for first, last in pairwise(cuts):
        rows: list[int] = []
        for x in range(first, last):
            flags = sample_flags(sync=bool(track.flags[x] & SYNC), damaged=bool(track.flags[x] & DAMAGED))
            rows += (track.durations[x], track.sizes[x], flags, track.cts_offsets[x])
        stretches.append((n, track.dts[first], rows, data_bytes))
        for offset, _, size in track.chunks(first, last):
            pieces.append(Piece(table.row, offset, size))
            data_bytes += size
    return data_bytes
