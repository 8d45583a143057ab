"""A selection of samples to a progressive file: tables for `moov`, and the ranges of stored bytes that make its `mdat`.

Gaps are closed up (docs/adr/0006): no sample is lengthened over one, and a timed-text track names each. Other tracks keep
their place beside the video: what they hold inside a gap is left out.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from longwatch.formats.bmff.progressive import ProgressiveTrack, SampleTables, run_lengths
from longwatch.formats.media import Kind, TrackFormat
from longwatch.model.stores import SegmentRow
from longwatch.playback.selection import Part, Selection, Stretch
from longwatch.playback.tables import SegmentTable, TrackTable

_REORDERED = 17  # no picture is shown more than 16 after it was decoded (H.264 and H.265 both)


class Piece(NamedTuple):
    """A range of one segment's file."""

    row: SegmentRow
    offset: int
    size: int


class Joint(NamedTuple):
    """Where a stretch begins in the file: presentation time, and the wall time there and where the one before it ended."""

    at_90k: int
    wall_us: int
    before_wall_us: int | None


class Mark(NamedTuple):
    """The wall time of a moment of the file."""

    at_90k: int
    wall_us: int


@dataclass(slots=True)
class _Output:
    """A track in the making. position: of its next sample, in its timescale, before the shift that `origin` takes away."""

    kind: Kind
    timescale: int
    tables: SampleTables = field(default_factory=SampleTables)
    entries: list[bytes] = field(default_factory=list)
    origin: int | None = None
    last: int = 0
    width: int = 0
    height: int = 0

    def entry(self, format_: TrackFormat) -> int:
        self.width = max(self.width, format_.width)
        self.height = max(self.height, format_.height)
        if format_.sample_entry not in self.entries:
            self.entries.append(format_.sample_entry)
        return self.entries.index(format_.sample_entry)


@dataclass(slots=True)
class Composition:
    """What a file is made of. duration_90k: of what is shown. made: what stands before the pieces. mdat_bytes: of it and the pieces together."""

    tracks: list[ProgressiveTrack]
    made: bytes = field(repr=False)
    pieces: list[Piece]
    mdat_bytes: int
    duration_90k: int
    joints: list[Joint]
    marks: list[Mark]
    first_wall_us: int
    damaged: bool


def compose(selection: Selection) -> Composition:
    """Lay a selection out as one file."""
    return _Composer(selection).run()


class _Composer:
    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._outputs: dict[tuple[Kind, int], _Output] = {}
        self._pieces: list[Piece] = []
        self._mdat_bytes = len(selection.made)
        self._scale = selection.stretches[0].first.video.format.timescale
        self._shifts = _shifts(selection.stretches)
        stretch, pts = selection.shown
        self._zero = pts - self._shifts[stretch]

    def run(self) -> Composition:
        shown_from = self._selection.shown[0]
        for n, stretch in enumerate(self._selection.stretches):
            for key, parts in _by_table(stretch):
                chunks = self._video(n, parts)
                for table in parts[0].beside:
                    self._place(table.row, self._others(n, table, first=key))
                if n >= shown_from:
                    chunks += self._others(n, parts[0].table, first=key and not parts[0].beside)
                self._place(parts[0].table.row, chunks)
        duration = max(1, self._selection.end_pts - self._shifts[-1] - self._zero)
        duration_90k = duration * 90_000 // self._scale
        first = self._selection.stretches[0].first
        joints, marks = self._moments()
        return Composition(
            tracks=[self._track(output, duration_90k) for output in self._outputs.values()],
            made=self._selection.made, pieces=self._pieces, mdat_bytes=self._mdat_bytes, duration_90k=duration_90k, joints=joints, marks=marks,
            first_wall_us=first.table.wall_us(first.video.pts[first.a], self._scale),
            damaged=any(part.table.row.damaged for s in self._selection.stretches for part in s.parts),
        )  # fmt: skip

    def _output(self, format_: TrackFormat) -> _Output:
        key = (format_.kind, format_.timescale)
        if key not in self._outputs:
            self._outputs[key] = _Output(format_.kind, format_.timescale)
        return self._outputs[key]

    def _video(self, n: int, parts: Sequence[Part]) -> list[tuple[int, int, int, _Output, int]]:
        chunks = []
        for part in parts:
            output = self._output(part.video.format)
            appended = _append(output, part.video, part.a, part.b, -self._shifts[n])
            if part.made is None:
                chunks += appended
            else:  # they lie before all pieces, where they say
                for offset, samples, _, _, entry in appended:
                    output.tables.add_chunk(offset, samples, entry)
        return chunks

    def _others(self, n: int, table: SegmentTable, *, first: bool) -> list[tuple[int, int, int, _Output, int]]:
        """The samples of the other tracks of a segment that belong beside its part of a stretch. first: it is the stretch's first one."""
        stretch = self._selection.stretches[n]
        last = table is stretch.last.table
        shown_stretch, shown_pts = self._selection.shown
        start = shown_pts if n == shown_stretch else first_pts(stretch)
        end = self._selection.end_pts if n == len(self._shifts) - 1 else stretch.end_dts
        chunks = []
        for track in table.tracks:
            if track is None or track is table.video:
                continue
            t = track.format.timescale
            a = 0
            if self._selection.exact and n == shown_stretch:
                a = bisect_left(track.dts, -(-start * t // self._scale))
            elif first or n == shown_stretch:
                a = max(0, _covering(track, start * t // self._scale))
            b = bisect_left(track.dts, -(-end * t // self._scale)) if last else track.count
            shift = -(self._shifts[n] + self._zero) * t // self._scale
            output = self._output(track.format)
            while a < b and output.origin is not None and track.dts_at(a) + shift <= output.last:
                a += 1
            if a < b:
                chunks += _append(output, track, a, b, shift)
        return chunks

    def _place(self, row: SegmentRow, chunks: list[tuple[int, int, int, _Output, int]]) -> None:
        for offset, samples, size, output, entry in sorted(chunks, key=lambda c: c[0]):
            output.tables.add_chunk(self._mdat_bytes, samples, entry)
            self._mdat_bytes += size
            last = self._pieces[-1] if self._pieces else None
            if last is not None and last.row is row and last.offset + last.size == offset:
                self._pieces[-1] = Piece(row, last.offset, last.size + size)
            else:
                self._pieces.append(Piece(row, offset, size))

    def _track(self, output: _Output, duration_90k: int) -> ProgressiveTrack:
        t = output.timescale
        origin = output.origin or 0
        edits: tuple[tuple[int, int], ...]
        if output.kind is Kind.VIDEO:
            edits = ((duration_90k, self._zero - origin),)
        else:
            empty = max(0, origin) * 90_000 // t
            media_time = max(0, -origin)
            length = min(duration_90k - empty, (output.tables.duration - media_time) * 90_000 // t)
            edits = ((empty, -1),) if empty else ()
            edits += ((max(0, length), media_time),)
        return ProgressiveTrack(
            output.kind, t, tuple(output.entries), output.tables, edits, output.width, output.height
        )

    def _moments(self) -> tuple[list[Joint], list[Mark]]:
        joints: list[Joint] = []
        marks: list[Mark] = []
        shown, shown_pts = self._selection.shown
        stretches = self._selection.stretches
        for n in range(shown, len(stretches)):
            for index, part in enumerate(stretches[n].parts):
                pts = min(part.video.window(part.a, min(part.b, part.a + _REORDERED)))
                pts = max(shown_pts, pts) if n == shown else pts
                wall_us = part.table.wall_us(pts, self._scale)
                at = (pts - self._shifts[n] - self._zero) * 90_000 // self._scale
                if n == shown and max(part.video.window(max(part.a, part.b - _REORDERED), part.b)) < shown_pts:
                    continue
                marks.append(Mark(at, wall_us))
                if index == 0 or not joints:
                    joints.append(Joint(at, wall_us, self._ended(n - 1) if n > shown else None))
        return joints, marks

    def _ended(self, n: int) -> int:
        stretch = self._selection.stretches[n]
        return stretch.last.table.wall_us(shown_until(stretch), self._scale)


def _shifts(stretches: Sequence[Stretch]) -> list[int]:
    """What to take from a stretch's own times so that each begins where the one before it ended: in decode time, and not
    before the last picture of that one was shown its time (one with B-frames ends later than it is decoded).
    """
    shifts = [stretches[0].start_dts]
    for before, stretch in pairwise(stretches):
        decoded = before.end_dts - shifts[-1]
        shown = shown_until(before) - shifts[-1] - (first_pts(stretch) - stretch.start_dts)
        shifts.append(stretch.start_dts - max(decoded, shown))
    return shifts


def shown_until(stretch: Stretch) -> int:
    """When its last picture gives way."""
    latest, duration, left = -1, 0, _REORDERED
    for part in reversed(stretch.parts):
        a = max(part.a, part.b - left)
        for n, pts in enumerate(part.video.window(a, part.b), a):
            if pts > latest:
                latest, duration = pts, part.video.durations[n]
        left -= part.b - part.a
        if left <= 0:
            break
    return latest + duration


def first_pts(stretch: Stretch) -> int:
    """When its first picture is shown."""
    first = stretch.first
    return min(first.video.window(first.a, min(first.b, first.a + _REORDERED)))


def _by_table(stretch: Stretch) -> list[tuple[bool, list[Part]]]:
    """The parts of a stretch, grouped by segment; the flag is set for its first segment."""
    groups: list[tuple[bool, list[Part]]] = []
    for part in stretch.parts:
        if groups and groups[-1][1][-1].table is part.table:
            groups[-1][1].append(part)
        else:
            groups.append((not groups, [part]))
    return groups


def _covering(track: TrackTable, time: int) -> int:
    """The sample that covers `time`, or the first behind it."""
    n = bisect_left(track.dts, time)
    return n - 1 if n and track.dts[n - 1] + track.durations[n - 1] > time and (n == track.count or track.dts[n] != time) else n  # fmt: skip


def _append(output: _Output, track: TrackTable, a: int, b: int, shift: int) -> list[tuple[int, int, int, _Output, int]]:
    """Add the samples [a, b) to a track's tables; gives their chunks as (offset, samples, bytes, output, entry)."""
    position = track.dts_at(a) + shift
    if output.origin is None:
        output.origin = position
    elif output.tables.count:
        output.tables.set_last_duration(position - output.last)
    entry = output.entry(track.format)
    durations, cts_offsets = _times(track, a, b)
    syncs: Sequence[int] = ()
    if output.kind is Kind.VIDEO:
        syncs = [n - a for n in track.syncs if a <= n < b]
    output.tables.add_samples(track.sizes_box[4 * a : 4 * b], durations, cts_offsets, syncs)
    output.last = track.dts_at(b - 1) + shift
    return [(offset, samples, size, output, entry) for offset, samples, size in track.chunks(a, b)]


def _times(track: TrackTable, a: int, b: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    whole = a == 0 and b == track.count
    if whole and not track.breaks:
        return track.all_durations, track.all_cts_offsets
    durations: array[int] = track.durations[a:b]
    for n in track.breaks:  # a track beside the video keeps its place: the sample before its own gap reaches over it
        if a < n < b and track.format.kind is not Kind.VIDEO:
            durations[n - 1 - a] = track.dts[n] - track.dts[n - 1]
    return run_lengths(durations), run_lengths(track.cts_offsets[a:b])
