"""Sample tables of any ordinary mp4, progressive or fragmented: what `simulate` loops, and what tests compare with."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from longwatch.formats.bmff.boxes import MAX_HEADER_BYTES, BmffError, Box, Fields, Read, children, find, top_level
from longwatch.formats.bmff.moov import handler_of, need, sample_entries_of, timescale_of, tkhd_fields, trak_boxes
from longwatch.formats.bmff.scan import NON_SYNC, Defaults, parse_moof

MAX_FILE_SAMPLES = 1 << 20
_MAX_TOP_LEVEL_BOXES = 1 << 20


@dataclass(frozen=True, slots=True)
class Mp4Sample:
    """One sample of a file: where its bytes lie, and its times in the track's timescale. entry: index into sample_entries."""

    offset: int
    size: int
    dts: int
    cts_offset: int
    duration: int
    sync: bool
    entry: int = 0


@dataclass(slots=True)
class Mp4Track:
    """One track. kind: video, audio or the handler's four letters. sample_entries: whole boxes; fourcc: of the first.

    samples: in decode order. Edit lists are not applied; edits: (duration in the movie's timescale, media time or -1).
    """

    number: int
    kind: str
    fourcc: str
    timescale: int
    sample_entries: tuple[bytes, ...] = field(repr=False)
    width: int
    height: int
    edits: tuple[tuple[int, int], ...] = ()
    samples: list[Mp4Sample] = field(default_factory=list, repr=False)

    @property
    def sample_entry(self) -> bytes:
        return self.sample_entries[0]


class Mp4File:
    """Reads the tables of a file through `read`; holds no media. Raises BmffError where the file cannot be understood.

    At most 64 tracks, a moov of 64 MiB and a million samples. A torn tail of a fragmented file is left out.
    """

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._size = size
        self.tracks: list[Mp4Track] = []
        self.movie_timescale = 0
        self._defaults: dict[int, Defaults] = {}
        self._media_bytes = size  # samples do not overlap, so there cannot be more of them than the file has bytes
        next_dts: dict[int, int] = {}
        for count, (found, _) in enumerate(top_level(read, 0, size)):
            if count > _MAX_TOP_LEVEL_BOXES:
                raise BmffError("too many boxes")
            if found.kind == b"moov" and not self.tracks:
                self._moov(*self._whole(found))
            elif found.kind == b"moof" and self.tracks:
                if found.end > size:
                    break
                self._moof(found, next_dts)
        if not self.tracks:
            raise BmffError("the file has no moov box")

    @classmethod
    def from_bytes(cls, data: bytes) -> Mp4File:
        """A file that is in memory."""
        return cls(lambda offset, size: data[offset : offset + size], len(data))

    def data(self, sample: Mp4Sample) -> bytes:
        """The bytes of a sample. Raises BmffError where the file ends before it."""
        data = self._read(sample.offset, sample.size)
        if len(data) != sample.size:
            raise BmffError(f"the file ends inside a sample at {sample.offset}")
        return data

    def _whole(self, found: Box) -> tuple[bytes, Box]:
        size = found.end - found.start
        if found.end > self._size or size > MAX_HEADER_BYTES:
            raise BmffError(f"a {found.kind!r} box of {size} bytes")
        data = self._read(found.start, size)
        if len(data) != size:
            raise BmffError("the file ends early")
        return data, Box(found.kind, 0, found.body - found.start, size)

    def _moov(self, data: bytes, moov: Box) -> None:
        fields = Fields(data, need(data, moov, b"mvhd").body, moov.end)
        fields.take(19 if fields.uint(1) == 1 else 11)
        self.movie_timescale = fields.uint(4)
        for trak in trak_boxes(data, moov):
            entries = sample_entries_of(data, trak)
            if not entries:
                continue
            number, width, height = tkhd_fields(data, trak)
            kind = {b"vide": "video", b"soun": "audio"}.get(
                handler := handler_of(data, trak), handler.decode("latin-1")
            )
            track = Mp4Track(
                number, kind, entries[0][4:8].decode("latin-1"), timescale_of(data, trak), entries, width, height,
                _edits(data, trak),
            )  # fmt: skip
            track.samples = list(_progressive_samples(data, need(data, trak, b"mdia", b"minf", b"stbl"), self._size))
            self.tracks.append(track)
        mvex = find(data, moov, b"mvex")
        for trex in children(data, mvex.body, mvex.end) if mvex else ():
            if trex.kind == b"trex":
                fields = Fields(data, trex.body + 4, trex.end)
                number, _, duration, size, flags = (fields.uint(4) for _ in range(5))
                self._defaults[number] = Defaults(duration, size, flags)

    def _moof(self, found: Box, next_dts: dict[int, int]) -> None:
        data, moof = self._whole(found)
        _, runs = parse_moof(data, moof, found.start, self._defaults, next_dts, self._media_bytes)
        for run in runs:
            self._media_bytes -= sum(run.sizes)
            track = next((t for t in self.tracks if t.number == run.track_id), None)
            if track is None:
                continue
            if sum(len(t.samples) for t in self.tracks) + len(run.sizes) > MAX_FILE_SAMPLES:
                raise BmffError("too many samples")
            offset, dts = run.data_offset, run.dts
            for size, duration, cts, flags in zip(run.sizes, run.durations, run.cts_offsets, run.flags, strict=True):
                if offset + size > self._size:
                    break
                track.samples.append(Mp4Sample(offset, size, dts, cts, duration, not flags & NON_SYNC))
                offset += size
                dts += duration


def _edits(data: bytes, trak: Box) -> tuple[tuple[int, int], ...]:
    elst = find(data, trak, b"edts", b"elst")
    if elst is None:
        return ()
    fields = Fields(data, elst.body, elst.end)
    wide = 8 if fields.uint(1) == 1 else 4
    fields.take(3)
    count = fields.uint(4)
    if count * (2 * wide + 4) > fields.left:
        raise BmffError("elst is cut off")
    edits = []
    for _ in range(count):
        edits.append((fields.uint(wide), fields.sint(wide)))
        fields.take(4)
    return tuple(edits)


def _table(data: bytes, stbl: Box, kind: bytes, columns: str) -> list[tuple[int, ...]]:
    """The rows of a table box: a count, then rows of `columns` (struct letters); empty where the box is not there."""
    found = find(data, stbl, kind)
    if found is None:
        return []
    fields = Fields(data, found.body + 4, found.end)
    count = fields.uint(4)
    row = struct.Struct(">" + columns)
    if count > MAX_FILE_SAMPLES or count * row.size > fields.left:
        raise BmffError(f"{kind.decode()} is cut off")
    return list(row.iter_unpack(fields.take(count * row.size)))


def _progressive_samples(data: bytes, stbl: Box, file_bytes: int) -> Iterator[Mp4Sample]:
    sizes = _sizes(data, need(data, stbl, b"stsz"), file_bytes)
    if not sizes:
        return
    durations = _expanded(_table(data, stbl, b"stts", "II"), len(sizes))
    cts_offsets = _expanded(_table(data, stbl, b"ctts", "Ii"), len(sizes))
    stss = find(data, stbl, b"stss")
    syncs = {number for (number,) in _table(data, stbl, b"stss", "I")}
    dts = 0
    for n, (offset, entry) in enumerate(_places(data, stbl, sizes)):
        sync = stss is None or n + 1 in syncs
        yield Mp4Sample(offset, sizes[n], dts, cts_offsets[n], durations[n], sync, entry)
        dts += durations[n]


def _sizes(data: bytes, stsz: Box, file_bytes: int) -> tuple[int, ...]:
    fields = Fields(data, stsz.body + 4, stsz.end)
    size, count = fields.uint(4), fields.uint(4)
    if count > MAX_FILE_SAMPLES or (4 * count > fields.left if not size else size * count > file_bytes):
        raise BmffError("stsz is cut off")
    return (size,) * count if size else struct.unpack(f">{count}I", fields.take(4 * count))


def _expanded(rows: list[tuple[int, ...]], count: int) -> list[int]:
    """Run lengths to one value a sample; the last value (or 0) holds for what the table does not reach."""
    values: list[int] = []
    for repeat, value in rows:
        values += [value] * min(repeat, count - len(values))
    return values + [values[-1] if values else 0] * (count - len(values))


def _places(data: bytes, stbl: Box, sizes: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Offset and sample entry of each sample."""
    chunks = [o for (o,) in _table(data, stbl, b"stco", "I") or _table(data, stbl, b"co64", "Q")]
    stsc = _table(data, stbl, b"stsc", "III")
    if not stsc or stsc[0][0] != 1:
        raise BmffError("stsc does not begin with the first chunk")
    sample = 0
    for (first, per_chunk, entry), following in zip(stsc, [*stsc[1:], (len(chunks) + 1, 0, 0)], strict=True):
        if following[0] <= first:
            break
        for offset in chunks[first - 1 : following[0] - 1]:
            at = offset
            for size in sizes[sample : sample + per_chunk]:
                yield at, max(0, entry - 1)
                at += size
            sample = min(len(sizes), sample + per_chunk)
    if sample < len(sizes):
        raise BmffError("stsc and stco do not reach all samples")
