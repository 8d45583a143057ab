"""Which sync samples become pictures, and their bytes: from fragments as they are acknowledged, without reading what lies between."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from longwatch.base.errors import LongwatchError
from longwatch.formats.bmff import BmffError, parse_header, scan_fragments
from longwatch.formats.bmff.scan import NON_SYNC
from longwatch.formats.media import Kind, TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, SegmentRow, SegmentSource

_KEPT_HEADERS = 200


class Sync(NamedTuple):
    """A sync sample of the video track. at_us: where its decode time is placed; at_90k: that time in its run."""

    at_us: int
    at_90k: int
    segment: SegmentRow
    fragment: FragmentRow


def syncs(source: SegmentSource, segments: list[SegmentRow], from_us: int, to_us: int) -> Iterator[Sync]:
    """The sync samples of [from_us, to_us) that are acknowledged, in order of segments. Blocks."""
    for segment in segments:
        if segment.wall_end_us <= from_us or segment.wall_start_us >= to_us:
            continue
        for fragment in source.fragments(segment):
            for offset in fragment.sync_offsets_90k:
                at_90k = fragment.start_90k + offset
                at_us = segment.wall_start_us + (at_90k - segment.start_90k) * 100 // 9
                if from_us <= at_us < to_us:
                    yield Sync(at_us, at_90k, segment, fragment)


class Samples:
    """Reads sync samples, each with the format to decode it by; keeps the headers of the segments it read last. One thread at a time."""

    def __init__(self) -> None:
        self._formats: OrderedDict[tuple[str, int, int], tuple[int, TrackFormat]] = OrderedDict()

    def read(self, source: SegmentSource, sync: Sync) -> tuple[TrackFormat, bytes]:
        """Blocks. Raises LongwatchError where it is not what the index says."""
        segment, fragment = sync.segment, sync.fragment
        try:
            track, format_ = self._format(source, segment)

            def read(offset: int, size: int) -> bytes:
                return source.read(segment, offset, size)

            for found in scan_fragments(read, fragment.offset, fragment.offset + fragment.size):
                for run in found.runs:
                    if run.track_index != track:
                        continue
                    at, offset = run.dts, run.data_offset
                    for size, duration, flags in zip(run.sizes, run.durations, run.flags, strict=True):
                        if not flags & NON_SYNC and at * 90_000 // format_.timescale == sync.at_90k:
                            return format_, _whole(read(offset, size), size)
                        at, offset = at + duration, offset + size
        except BmffError as error:
            raise LongwatchError(f"{segment.path} cannot be read", why=str(error)) from error
        raise LongwatchError(f"{segment.path} has no picture where the index says so", remedy="run `longwatch check`")

    def _format(self, source: SegmentSource, segment: SegmentRow) -> tuple[int, TrackFormat]:
        """Index and format of the video track."""
        key = (segment.boot, segment.run, segment.sequence)
        known = self._formats.get(key)
        if known is None:
            header = parse_header(source.read(segment, 0, segment.header_bytes))
            track = next((n for n, t in enumerate(header.tracks) if t.kind is Kind.VIDEO), 0)
            known = self._formats[key] = track, header.tracks[track]
            while len(self._formats) > _KEPT_HEADERS:
                self._formats.popitem(last=False)
        return known


def _whole(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise BmffError("it is shorter than the index says")
    return data


def held(source: SegmentSource, key: StreamKey, from_us: int, to_us: int) -> list[SegmentRow]:
    """The segments that hold footage of the stretch. Blocks."""
    return [segment for segment in source.segments(key, from_us, to_us) if segment.fragments]
