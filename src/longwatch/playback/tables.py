"""The sample tables of segments, as playback needs them: read once from the end of a sealed file, or from the fragments of
an open one, and kept in a cache that is bounded in bytes.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, repeat
from typing import Any, TypeVar

from longwatch.base.errors import LongwatchError
from longwatch.formats.bmff import (
    SYNC,
    BmffError,
    Header,
    SampleIndex,
    TrackIndex,
    add_to_index,
    parse_header,
    scan_fragments,
    unpack_sample_index,
)
from longwatch.formats.bmff.boxes import MAX_HEADER_BYTES
from longwatch.formats.bmff.closing import closing_sample_index, closing_size
from longwatch.formats.bmff.progressive import big_endian, run_lengths
from longwatch.formats.media import Kind, TrackFormat
from longwatch.model.stores import SegmentRow, SegmentSource

_TAIL_BYTES = 64 << 10
_CACHE_BYTES = 24 << 20
_KEPT_FILES = 8
_KEPT_OPEN = 16
"""Of so many open segments what was scanned is kept, so that only what was appended is read the next time."""
TOGETHER = 8
"""So many tables are fetched at once: a minute of footage is two or three, and an hour on a disk that seeks is read in an eighth of the turns."""
_T = TypeVar("_T")
_FETCHERS = 4
_fetchers = ThreadPoolExecutor(
    _FETCHERS, thread_name_prefix="tables"
)  # they wait for disks; owner of the threads: this module


def start_fetchers() -> None:
    """The threads, which are otherwise started by the first who looks."""
    together = threading.Barrier(_FETCHERS)

    def meet() -> None:
        with suppress(threading.BrokenBarrierError):  # one of them is busy, so it runs
            together.wait(0.2)

    for _ in range(_FETCHERS):
        _fetchers.submit(meet)


class TrackTable:
    """The samples of one track of a segment, by index from 0 in decode order; times in its timescale since the run began.

    A duration reaches up to the next sample, but for the last one before a break. breaks: indices of samples before
    which there is a gap in the track: more than max(1 s, three times the duration of the sample before it).
    """

    def __init__(self, format_: TrackFormat, index: TrackIndex) -> None:
        self.format = format_
        self.count = len(index.sizes)
        self.sizes = index.sizes
        self.cts_offsets = index.cts_offsets
        self.flags = bytes(index.flags)
        self.chunk_offsets = index.offsets
        self.chunk_firsts = array("I", [0, *accumulate(index.counts)][:-1] if index.counts else [])
        self.durations, self.breaks, self._starts = _normalized(index)

    def limit(self, n: int) -> int:
        """How far the sample `n` may reach at most before there is a gap."""
        return max(self.format.timescale, 3 * self.durations[n])

    @property
    def first_dts(self) -> int:
        return self._starts[0]

    @cached_property
    def dts(self) -> array[int]:
        """Decode time of each sample."""
        times = array("Q")
        for a, b, start in zip((0, *self.breaks), (*self.breaks, self.count), self._starts, strict=True):
            times.extend(accumulate(self.durations[a : b - 1], initial=start))
        return times

    @property
    def end_dts(self) -> int:
        """The end of the last sample."""
        return self.last_dts + self.durations[-1]

    @cached_property
    def last_dts(self) -> int:
        a = self.breaks[-1] if self.breaks else 0
        return self._starts[-1] + sum(self.durations[a:-1])

    @cached_property
    def pts(self) -> array[int]:
        """Presentation time of each sample."""
        return array("q", map(int.__add__, self.dts, self.cts_offsets))

    def dts_at(self, n: int) -> int:
        """Decode time of one sample, without the column where it stands at an end."""
        if n == 0:
            return self._starts[0]
        return self.last_dts if n == self.count - 1 else self.dts[n]

    def window(self, a: int, b: int) -> list[int]:
        """Presentation times of a few samples, without the whole column where they stand at an end: a long file is made of
        many segments that are looked at nowhere else.
        """
        if self.breaks or "pts" in self.__dict__ or (a and b != self.count):
            return list(self.pts[a:b])
        if a == 0:
            times = list(accumulate(self.durations[: b - 1], initial=self._starts[0]))
        else:
            times = list(accumulate([-d for d in self.durations[a : b - 1][::-1]], initial=self.last_dts))[::-1]
        return [dts + cts for dts, cts in zip(times, self.cts_offsets[a:b], strict=True)]

    @cached_property
    def syncs(self) -> list[int]:
        """Indices of the sync samples."""
        return [n for n, flags in enumerate(self.flags) if flags & SYNC]

    @cached_property
    def sizes_box(self) -> bytes:
        """All sizes, as they stand in stsz."""
        return big_endian(self.sizes)

    @cached_property
    def all_durations(self) -> list[tuple[int, int]]:
        return run_lengths(self.durations)

    @cached_property
    def all_cts_offsets(self) -> list[tuple[int, int]]:
        return run_lengths(self.cts_offsets)

    def chunks(self, a: int, b: int) -> list[tuple[int, int, int]]:
        """(offset in the file, samples, bytes) of the stretches that hold the samples [a, b)."""
        if a == 0 and b == self.count:
            return self.all_chunks
        return self._chunks(a, b)

    @cached_property
    def all_chunks(self) -> list[tuple[int, int, int]]:
        return self._chunks(0, self.count)

    def _chunks(self, a: int, b: int) -> list[tuple[int, int, int]]:
        found = []
        k = bisect_right(self.chunk_firsts, a) - 1
        while a < b:
            first = self.chunk_firsts[k]
            end = min(b, self.chunk_firsts[k + 1] if k + 1 < len(self.chunk_firsts) else self.count)
            if end > a:
                skipped = sum(self.sizes[first:a])
                found.append((self.chunk_offsets[k] + skipped, end - a, sum(self.sizes[a:end])))
                a = end
            k += 1
        return found

    def offset(self, n: int) -> int:
        """Where the bytes of a sample lie in the file."""
        return self.chunks(n, n + 1)[0][0]


def _normalized(index: TrackIndex) -> tuple[array[int], tuple[int, ...], list[int]]:
    """Durations that reach from sample to sample over the joints of fragments, the breaks, and the start of each stretch."""
    durations = index.durations
    breaks: list[int] = []
    starts: list[int] = []
    n = 0
    end = 0
    for start, count in zip(index.times, index.counts, strict=True):
        if not starts:
            starts.append(start)
        elif start != end:
            guess = durations[n - 1]
            reach = start - (end - guess)
            if 0 <= reach <= max(index.timescale, 3 * guess):
                durations[n - 1] = reach
            else:
                breaks.append(n)
                starts.append(start)
        end = start + sum(durations[n : n + count])
        n += count
    return durations, tuple(breaks), starts


class SegmentTable:
    """The tables of one segment. tracks: by the tracks of its header; None where a track has no sample.

    video: index of its video track. cost: about its bytes in memory once all that is derived from it was asked for, which stays.
    """

    def __init__(self, row: SegmentRow, header: Header, index: SampleIndex) -> None:
        if len(header.tracks) != len(index.tracks):
            raise BmffError("header and sample index differ in their number of tracks")
        self.row = row
        self.header = header
        self.tracks = tuple(
            TrackTable(format_, track) if track.sizes else None
            for format_, track in zip(header.tracks, index.tracks, strict=True)
        )
        self.video_index = next((n for n, t in enumerate(header.tracks) if t.kind is Kind.VIDEO), 0)
        self.cost = 4096 + sum(36 * t.count + 200 * len(t.chunk_offsets) for t in self.tracks if t is not None)

    @property
    def video(self) -> TrackTable | None:
        return self.tracks[self.video_index] if self.tracks else None

    def wall_us(self, time: int, timescale: int) -> int:
        """Where a media time of this segment is placed. Within a segment a second of media is a second of wall: the slew
        of at most 500 ppm is taken up where the next segment begins, so what was once answered stays so.
        """
        return self.row.wall_start_us + time * 1_000_000 // timescale - self.row.start_90k * 100 // 9

    def media_time(self, wall_us: int, timescale: int) -> int:
        """The least media time t with wall_us(t) >= wall_us."""
        since_run_us = wall_us - self.row.wall_start_us + self.row.start_90k * 100 // 9
        return -(-since_run_us * timescale // 1_000_000)


class TableCache:
    """Reads and keeps tables, at most `limit_bytes` of them. Safe from several threads; owner of the tables it hands out,
    which are never changed.
    """

    def __init__(self, limit_bytes: int = _CACHE_BYTES) -> None:
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._tables: OrderedDict[tuple[object, ...], SegmentTable] = OrderedDict()
        self._bytes = 0
        self._made: OrderedDict[Hashable, object] = OrderedDict()
        self._scanned: OrderedDict[Hashable, Scanned] = OrderedDict()

    def made(self, key: Hashable, make: Callable[[], _T], *, keep: Callable[[_T], bool]) -> _T:
        """What `make` makes, or made lately for the same key, and was to be kept: a player asks for one file in many ranges."""
        known: _T | None = self.lately(key)
        if known is not None:
            return known
        thing = make()
        if not keep(thing):
            return thing
        with self._lock:
            self._made[key] = thing
            while len(self._made) > _KEPT_FILES:
                self._made.popitem(last=False)
        return thing

    def lately(self, key: Hashable) -> Any:
        """What was `made` for this key and is kept yet; None where nothing is."""
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
            return self._made.get(key)

    def fetch(self, source: SegmentSource, rows: Sequence[SegmentRow]) -> None:
        """Read those tables of `rows` that are not known, side by side: of each file a folder or two, its inode, its begin and its end lie on the
        disk, one behind the other. What cannot be read is told by `table`.
        """
        with self._lock:
            unknown = [row for row in rows if _key(row) not in self._tables]
        if len(unknown) > 1:
            list(_fetchers.map(self._quietly, repeat(source), unknown))

    def _quietly(self, source: SegmentSource, row: SegmentRow) -> None:
        with suppress(LongwatchError):
            self.table(source, row)

    def table(self, source: SegmentSource, row: SegmentRow) -> SegmentTable:
        """The tables of a segment, as acknowledged in `row`. Raises LongwatchError where it cannot be read."""
        key = _key(row)
        with self._lock:
            known = self._tables.get(key)
            if known is not None:
                self._tables.move_to_end(key)
                return known
        try:
            table = read_table(source, row, self._scanned_of)
        except BmffError as error:
            raise LongwatchError(
                f"the segment {row.path} cannot be played", why=str(error), remedy="run `longwatch check`"
            ) from error
        with self._lock:
            if key not in self._tables:
                self._tables[key] = table
                self._bytes += table.cost
            while self._bytes > self._limit and len(self._tables) > 1:
                self._bytes -= self._tables.popitem(last=False)[1].cost
        return table

    def _scanned_of(self, row: SegmentRow, scan: Callable[[Scanned | None], Scanned]) -> Scanned:
        """What an open segment holds by now, from what it held when it was asked for last."""
        key = row.key, row.boot, row.run, row.sequence, row.path
        with self._lock:
            known = self._scanned.get(key)
        found = scan(known)
        with self._lock:
            self._scanned[key] = found
            self._scanned.move_to_end(key)
            while len(self._scanned) > _KEPT_OPEN:
                self._scanned.popitem(last=False)
        return found


def _key(row: SegmentRow) -> tuple[object, ...]:
    return row.key, row.boot, row.run, row.sequence, row.sealed, row.durable_bytes, row.wall_start_us, row.path


@dataclass(frozen=True, slots=True)
class Scanned:
    """The index of a segment's fragments before until_bytes. Never changed: what is made of it is a copy."""

    index: SampleIndex
    until_bytes: int


_Scan = Callable[[Scanned | None], Scanned]


def read_table(
    source: SegmentSource, row: SegmentRow, kept: Callable[[SegmentRow, _Scan], Scanned] = lambda _, scan: scan(None)
) -> SegmentTable:
    """Header and tail of a sealed segment; header and moofs of an open one. kept: has what was scanned of an open one before. Raises BmffError and LongwatchError."""
    header = parse_header(source.read(row, 0, row.header_bytes))
    index = _closing_index(source, row) if row.sealed else None

    def scan(known: Scanned | None) -> Scanned:
        return _scanned(source, row, header.tracks, known)

    if index is None:
        index = _copied((scan(None) if row.sealed else kept(row, scan)).index)
    return SegmentTable(row, header, index)


def read_stretch(source: SegmentSource, row: SegmentRow, at_us: int) -> SegmentTable | None:
    """Of an open segment only what it takes to decode what is shown at a moment: the fragments from the last sync sample on, and one after that moment. None where that
    cannot be said. An open segment is asked for again and again, and each time it is another. Raises LongwatchError.
    """
    media = -(-(at_us + 1 - row.wall_start_us + row.start_90k * 100 // 9) * 9 // 100)
    fragments = source.fragments(row)
    first = last = None
    for n, each in enumerate(fragments):
        if each.start_90k >= media:
            break
        last = n
        if any(each.start_90k + sync < media for sync in each.sync_offsets_90k):
            first = n
    if first is None or last is None:
        return None
    end = fragments[min(last + 1, len(fragments) - 1)]
    try:
        header = parse_header(source.read(row, 0, row.header_bytes))
        known = Scanned(_empty(header.tracks), fragments[first].offset)
        part = replace(row, durable_bytes=end.offset + end.size)
        return SegmentTable(row, header, _scanned(source, part, header.tracks, known).index)
    except BmffError:
        return None


def _empty(tracks: Sequence[TrackFormat]) -> SampleIndex:
    return SampleIndex(tuple(TrackIndex(track.timescale) for track in tracks))


def _closing_index(source: SegmentSource, row: SegmentRow) -> SampleIndex | None:
    """The index in the closing box; None where the file has none, or it is damaged: its fragments can still be scanned."""
    try:
        tail = source.read(row, row.durable_bytes, _TAIL_BYTES)
        while len(tail) % _TAIL_BYTES == 0 and tail and closing_size(tail) is None and len(tail) < MAX_HEADER_BYTES:
            more = source.read(row, row.durable_bytes + len(tail), _TAIL_BYTES)
            if not more:
                break
            tail += more
        packed = closing_sample_index(tail)
        return unpack_sample_index(packed) if packed is not None else None
    except BmffError:
        return None


def _scanned(source: SegmentSource, row: SegmentRow, tracks: Sequence[TrackFormat], known: Scanned | None) -> Scanned:
    if known is None or known.until_bytes > row.durable_bytes or len(known.index.tracks) != len(tracks):
        known = Scanned(_empty(tracks), row.header_bytes)
    index, until = _copied(known.index), known.until_bytes

    def read(offset: int, size: int) -> bytes:
        return source.read(row, offset, size)

    for found in scan_fragments(read, until, row.durable_bytes):
        add_to_index(index, found)
        until = found.offset + found.size
    return Scanned(index, until)


def _copied(index: SampleIndex) -> SampleIndex:
    """Its columns are others': a table changes durations where it joins fragments."""
    return SampleIndex(
        tuple(
            TrackIndex(
                each.timescale, each.offsets[:], each.times[:], each.counts[:], each.sizes[:], each.durations[:],
                each.cts_offsets[:], each.flags[:],
            )
            for each in index.tracks
        )
    )  # fmt: skip
