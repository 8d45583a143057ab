"""A progressive file's header (ISO/IEC 14496-12, 8.5 to 8.7): moov first, over media that stays where it is.

Tables are appended in bulk, a segment's columns at a time, so that an hour of video costs milliseconds.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from longwatch.formats.bmff.boxes import BmffError, box, full_box
from longwatch.formats.bmff.moov import MOVIE_TIMESCALE, Track, edit_list, moov
from longwatch.formats.media import Kind

_FTYP = box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isom", b"iso2", b"mp41", b"mp42")
_SWAP = sys.byteorder == "little"
_CO64_FROM = 0xFFFF_0000


def run_lengths(values: Sequence[int] | array[int]) -> list[tuple[int, int]]:
    """(how many, value) of equal neighbours."""
    if values and isinstance(values, array) and values.count(values[0]) == len(values):
        return [(len(values), values[0])]
    return [(sum(1 for _ in same), value) for value, same in groupby(values)]


def big_endian(column: array[int]) -> bytes:
    """The entries of a column as they stand in a box."""
    if not _SWAP:
        return column.tobytes()
    swapped = column[:]
    swapped.byteswap()
    return swapped.tobytes()


@dataclass(slots=True)
class SampleTables:
    """The tables of one track of a progressive file, in the making. Times in its timescale, offsets from mdat's first byte.

    syncs: numbers (from 1) of the sync samples; None where every sample is one.
    """

    count: int = 0
    duration: int = 0
    _stts: list[list[int]] = field(default_factory=list)
    _ctts: list[list[int]] = field(default_factory=list)
    _sizes: list[bytes] = field(default_factory=list)
    _syncs: array[int] = field(default_factory=lambda: array("I"))
    _offsets: array[int] = field(default_factory=lambda: array("Q"))
    _per_chunk: list[int] = field(default_factory=list)
    _entry_of: list[int] = field(default_factory=list)

    def add_samples(
        self,
        sizes: bytes,
        durations: Sequence[tuple[int, int]],
        cts_offsets: Sequence[tuple[int, int]],
        syncs: Iterable[int],
    ) -> None:
        """Append samples. sizes: 4 bytes each, big-endian; run lengths of durations and offsets; syncs: indices from 0."""
        first = self.count + 1
        self.count += len(sizes) >> 2
        self.duration += sum(n * d for n, d in durations)
        self._sizes.append(sizes)
        _append(self._stts, durations)
        _append(self._ctts, cts_offsets)
        self._syncs.extend(first + n for n in syncs)

    def set_last_duration(self, duration: int) -> None:
        """Let the next sample begin `duration` after the last one; at least 0."""
        duration = max(0, duration)
        last = self._stts[-1]
        self.duration += duration - last[1]
        if last[1] == duration:
            return
        last[0] -= 1
        if not last[0]:
            self._stts.pop()
        _append(self._stts, [(1, duration)])

    def add_chunk(self, offset: int, samples: int, entry: int) -> None:
        """The next `samples` lie one after another from `offset` on. entry: index of their sample entry."""
        self._offsets.append(offset)
        self._per_chunk.append(samples)
        self._entry_of.append(entry)

    def shift_chunks(self, by: int) -> None:
        """Something of `by` bytes comes to stand before all chunks."""
        self._offsets = array("Q", [offset + by for offset in self._offsets])

    def boxes(self, base: int, *, wide: bool, all_sync: bool) -> list[bytes]:
        """stts, ctts, stss, stsc, stsz and stco (co64 where wide), for an mdat whose first byte lies at `base`."""
        tables = [full_box(b"stts", 0, 0, struct.pack(">I", len(self._stts)), _rows(self._stts))]
        if any(value for _, value in self._ctts):
            version = 1 if any(value < 0 for _, value in self._ctts) else 0
            tables.append(full_box(b"ctts", version, 0, struct.pack(">I", len(self._ctts)), _rows(self._ctts)))
        if not all_sync:
            tables.append(full_box(b"stss", 0, 0, struct.pack(">I", len(self._syncs)), big_endian(self._syncs)))
        sizes = b"".join(self._sizes)
        return [*tables, self._stsc(), full_box(b"stsz", 0, 0, struct.pack(">II", 0, self.count), sizes), self._stco(base, wide)]  # fmt: skip

    def _stsc(self) -> bytes:
        rows = array("I")
        before = None
        for n, this in enumerate(zip(self._per_chunk, self._entry_of, strict=True), 1):
            if this != before:
                rows.extend((n, this[0], this[1] + 1))
                before = this
        return full_box(b"stsc", 0, 0, struct.pack(">I", len(rows) // 3), big_endian(rows))

    def _stco(self, base: int, wide: bool) -> bytes:
        offsets = array("Q" if wide else "I", [base + offset for offset in self._offsets])
        return full_box(b"co64" if wide else b"stco", 0, 0, struct.pack(">I", len(offsets)), big_endian(offsets))


def _append(rows: list[list[int]], more: Sequence[tuple[int, int]]) -> None:
    start = 0
    if rows and more and rows[-1][1] == more[0][1]:
        rows[-1][0] += more[0][0]
        start = 1
    rows.extend([n, value] for n, value in more[start:])


def _rows(rows: list[list[int]]) -> bytes:
    flat = [number for row in rows for number in row]
    return struct.pack(f">{len(flat)}{'i' if any(row[1] < 0 for row in rows) else 'I'}", *flat)


@dataclass(frozen=True, slots=True)
class ProgressiveTrack:
    """One track of the file. edits: (duration in 1/90000 s, media time or -1)."""

    kind: Kind
    timescale: int
    sample_entries: tuple[bytes, ...] = field(repr=False)
    tables: SampleTables = field(repr=False)
    edits: tuple[tuple[int, int], ...]
    width: int = 0
    height: int = 0
    handler: bytes = b""
    enabled: bool = True

    @property
    def movie_duration(self) -> int:
        return sum(duration for duration, _ in self.edits)


def progressive_header(tracks: Sequence[ProgressiveTrack], mdat_bytes: int) -> bytes:
    """ftyp, moov and the header of an mdat of `mdat_bytes` bytes, which follow. Raises BmffError without a track."""
    if not tracks:
        raise BmffError("a file without tracks")
    mdat = struct.pack(">I4sQ", 1, b"mdat", 16 + mdat_bytes)
    wide = mdat_bytes >= _CO64_FROM
    base = len(_FTYP) + len(_moov(tracks, 0, wide)) + len(mdat)
    if not wide and base + mdat_bytes >= 1 << 32:
        wide = True
        base = len(_FTYP) + len(_moov(tracks, 0, wide)) + len(mdat)
    return _FTYP + _moov(tracks, base, wide) + mdat


def _moov(tracks: Sequence[ProgressiveTrack], base: int, wide: bool) -> bytes:
    boxes = [
        Track(
            number=number, kind=t.kind, timescale=t.timescale, sample_entries=t.sample_entries, width=t.width,
            height=t.height, handler=t.handler, duration=t.tables.duration, movie_duration=t.movie_duration,
            edts=edit_list(t.edits), enabled=t.enabled,
            tables=t.tables.boxes(base, wide=wide, all_sync=t.kind is not Kind.VIDEO),
        )
        for number, t in enumerate(tracks, 1)
    ]  # fmt: skip
    return moov(boxes, max(t.movie_duration for t in tracks))


__all__ = ["MOVIE_TIMESCALE", "ProgressiveTrack", "SampleTables", "big_endian", "progressive_header", "run_lengths"]
