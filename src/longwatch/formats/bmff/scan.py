"""Reading fragments: of an open segment, of a file that a power cut tore, and of other people's files."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from longwatch.formats.bmff.boxes import MAX_HEADER_BYTES, BmffError, Box, Fields, Read, children, parse_box
from longwatch.formats.bmff.fragment import DAMAGED_PRIORITY
from longwatch.formats.bmff.guard import GUARD_BYTES
from longwatch.formats.bmff.sample_index import DAMAGED, SYNC, SampleIndex, TrackIndex, pack_sample_index

MAX_MOOF_SAMPLES = 1 << 20
MAX_TIME = 1 << 62
NON_SYNC = 0x00010000
_FIRST_READ = 4096


@dataclass(frozen=True, slots=True)
class Defaults:
    """`trex` of a track: what holds where neither tfhd nor trun says otherwise."""

    duration: int = 0
    size: int = 0
    flags: int = 0


@dataclass(slots=True)
class ScannedRun:
    """One trun. dts: of its first sample; data_offset: of its data in the file; columns as in TrackIndex."""

    track_id: int
    dts: int
    data_offset: int
    sizes: array[int]
    durations: array[int]
    cts_offsets: array[int]
    flags: array[int]

    @property
    def track_index(self) -> int:
        """Index of the track in the header of a segment of ours."""
        return self.track_id - 1


@dataclass(slots=True)
class ScannedFragment:
    """A whole moof+mdat. offset, size: of both together, without the guard before it. sequence: of mfhd."""

    offset: int
    size: int
    moof_bytes: int
    sequence: int
    runs: list[ScannedRun] = field(repr=False)

    def video_times(self, track: int = 0, timescale: int = 90_000) -> tuple[int, int, tuple[int, ...]]:
        """Start and end of the track's samples and the decode times of its sync samples relative to the start, in 1/90000 s.

        (0, 0, ()) where the fragment has none of that track.
        """
        starts: list[int] = []
        syncs: list[int] = []
        end = 0
        for run in self.runs:
            if run.track_index != track:
                continue
            at = run.dts
            starts.append(at)
            for flags, duration in zip(run.flags, run.durations, strict=True):
                if not flags & NON_SYNC:
                    syncs.append(at)
                at += duration
            end = max(end, at)
        if not starts:
            return 0, 0, ()
        start = min(starts) * 90_000 // timescale
        return start, end * 90_000 // timescale, tuple(s * 90_000 // timescale - start for s in sorted(syncs))


@dataclass(slots=True)
class _Limits:
    """What a moof may yet claim: so many samples, so many bytes of media."""

    samples: int
    media_bytes: int

    def take(self, samples: int, media_bytes: int) -> None:
        self.samples -= samples
        self.media_bytes -= media_bytes
        if self.samples < 0 or self.media_bytes < 0:
            raise BmffError("a moof claims more than there can be")


def parse_moof(
    data: bytes, moof: Box, base: int, defaults: Mapping[int, Defaults], next_dts: dict[int, int], media_bytes: int
) -> tuple[int, list[ScannedRun]]:
    """The sequence number of mfhd and all truns of a moof that lies at `base` in its file.

    next_dts: by track, where the last fragment ended; used where tfdt is missing, and brought up to date.
    media_bytes: how much media there can be at most. Raises BmffError, also beyond that and beyond a million samples.
    """
    sequence = 0
    runs: list[ScannedRun] = []
    limits = _Limits(MAX_MOOF_SAMPLES, media_bytes)
    data_end = base
    for child in children(data, moof.body, moof.end):
        if child.kind == b"mfhd":
            fields = Fields(data, child.body, child.end)
            fields.take(4)
            sequence = fields.uint(4)
        elif child.kind == b"traf":
            data_end = _parse_traf(data, child, base, data_end, defaults, next_dts, runs, limits)
    return sequence, runs


def _parse_traf(
    data: bytes, traf: Box, moof_start: int, data_end: int, defaults: Mapping[int, Defaults],
    next_dts: dict[int, int], runs: list[ScannedRun], limits: _Limits,
) -> int:  # fmt: skip
    track_id = 0
    base = data_end
    default = Defaults()
    dts = 0
    for child in children(data, traf.body, traf.end):
        fields = Fields(data, child.body, child.end)
        if child.kind == b"tfhd":
            track_id, base, default = _tfhd(fields, moof_start, data_end, defaults)
            dts = next_dts.get(track_id, 0)
            data_end = base
        elif child.kind == b"tfdt":
            version = fields.uint(1)
            fields.take(3)
            dts = fields.uint(8 if version == 1 else 4)
        elif child.kind == b"trun":
            if not track_id:
                raise BmffError("trun before tfhd")
            run = _trun(fields, track_id, dts, base, data_end, default, limits)
            dts += sum(run.durations)
            data_end = run.data_offset + sum(run.sizes)
            runs.append(run)
    next_dts[track_id] = dts
    return data_end


def _tfhd(
    fields: Fields, moof_start: int, data_end: int, defaults: Mapping[int, Defaults]
) -> tuple[int, int, Defaults]:
    flags = fields.uint(4) & 0xFFFFFF
    track_id = fields.uint(4)
    known = defaults.get(track_id, Defaults())
    base = moof_start if flags & 0x020000 else data_end
    if flags & 0x01:
        base = fields.uint(8)
    if flags & 0x02:
        fields.take(4)
    duration = fields.uint(4) if flags & 0x08 else known.duration
    size = fields.uint(4) if flags & 0x10 else known.size
    sample_flags = fields.uint(4) if flags & 0x20 else known.flags
    return track_id, base, Defaults(duration, size, sample_flags)


def _trun(
    fields: Fields, track_id: int, dts: int, base: int, data_end: int, default: Defaults, limits: _Limits
) -> ScannedRun:
    word = fields.uint(4)
    version, flags = word >> 24, word & 0xFFFFFF
    count = fields.uint(4)
    offset = base + fields.sint(4) if flags & 0x01 else data_end
    first_flags = fields.uint(4) if flags & 0x04 else None
    present = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    sized = bool(flags & 0x200)
    if 4 * len(present) * count > fields.left or (count and not sized and not default.size):
        raise BmffError(f"trun says {count} samples and cannot hold them")
    limits.take(count, 0 if sized else count * default.size)
    if not 0 <= offset < MAX_TIME or not 0 <= dts < MAX_TIME:
        raise BmffError("a place or time that cannot be")
    rows = struct.unpack(f">{len(present) * count}I", fields.take(4 * len(present) * count))
    columns = {bit: rows[n :: len(present)] for n, bit in enumerate(present)}
    sample_flags = array("I", columns.get(0x400, (default.flags,) * count))
    if first_flags is not None and count:
        sample_flags[0] = first_flags
    if sized:
        limits.take(0, sum(columns[0x200]))
    cts = columns.get(0x800, (0,) * count)
    if version == 0 and any(c >= 1 << 31 for c in cts):
        raise BmffError("a composition offset beyond 31 bits")
    return ScannedRun(
        track_id, dts, offset,
        sizes=array("I", columns.get(0x200, (default.size,) * count)),
        durations=array("I", columns.get(0x100, (default.duration,) * count)),
        cts_offsets=array("i", (c - (1 << 32) if c >= 1 << 31 else c for c in cts)),
        flags=sample_flags,
    )  # fmt: skip


def scan_fragments(read: Read, start: int, end: int) -> Iterator[ScannedFragment]:
    """The whole fragments of ours in [start, end), in order, each read by its moof alone.

    Ends quietly at the first thing that is not a whole moof+mdat whose samples lie in its mdat: a torn tail, the closing
    box, a file that another tore. So what it yields can be played, and what lies behind was never whole.
    """
    at = start
    next_dts: dict[int, int] = {}
    while at < end:
        found = _one_fragment(read, at, end, next_dts)
        if found is None:
            return
        yield found
        at = found.offset + found.size


def _one_fragment(read: Read, at: int, end: int, next_dts: dict[int, int]) -> ScannedFragment | None:
    """The fragment at `at`, or behind the guard that stands there, lifted or not."""
    try:
        data = read(at, min(_FIRST_READ, end - at))
        if data[4:8] == b"free":
            at += GUARD_BYTES
            data = data[GUARD_BYTES:]
        return _bare_fragment(read, at, end, next_dts, data)
    except BmffError:
        return None


def _bare_fragment(read: Read, at: int, end: int, next_dts: dict[int, int], data: bytes) -> ScannedFragment | None:
    moof = parse_box(data, 0, len(data))
    if moof is None or moof.kind != b"moof" or at + moof.end + 8 > end or moof.end > MAX_HEADER_BYTES:
        return None
    if moof.end + 16 > len(data):
        data = read(at, min(moof.end + 16, end - at))
    mdat = parse_box(data, moof.end, len(data)) if len(data) > moof.end else None
    if mdat is None or mdat.kind != b"mdat" or at + mdat.end > end:
        return None
    sequence, runs = parse_moof(data, moof, at, {}, next_dts, mdat.end - mdat.body)
    inside = all(
        at + mdat.body <= run.data_offset and run.data_offset + sum(run.sizes) <= at + mdat.end and run.track_id
        for run in runs
    )
    return ScannedFragment(at, mdat.end, moof.end, sequence, runs) if inside and runs else None


def add_to_index(index: SampleIndex, fragment: ScannedFragment) -> None:
    """Append a scanned fragment to the index of its segment. Raises BmffError for a track the header does not have."""
    for run in fragment.runs:
        if not 0 <= run.track_index < len(index.tracks):
            raise BmffError(f"a fragment of track {run.track_id}, which the header does not have")
        if not run.sizes:
            continue
        track = index.tracks[run.track_index]
        track.offsets.append(run.data_offset)
        track.times.append(run.dts)
        track.counts.append(len(run.sizes))
        track.sizes.extend(run.sizes)
        track.durations.extend(run.durations)
        track.cts_offsets.extend(run.cts_offsets)
        track.flags += bytes(
            (0 if f & NON_SYNC else SYNC) | (DAMAGED if f & 0xFFFF == DAMAGED_PRIORITY else 0) for f in run.flags
        )


@dataclass(frozen=True, slots=True)
class Recovered:
    """What is whole of a file. end: where the last whole fragment ends; the file is to be cut back to it.

    sample_index: packed, for the closing box. damaged: any sample is marked so.
    """

    fragments: tuple[ScannedFragment, ...]
    end: int
    sample_index: bytes = field(repr=False)
    damaged: bool = False


def whole_fragments(read: Read, header_bytes: int, size: int, timescales: tuple[int, ...]) -> Recovered:
    """The whole fragments of a file of `size` bytes whose header says `timescales` of its tracks, up to the first torn one."""
    index = SampleIndex(tuple(TrackIndex(timescale) for timescale in timescales))
    fragments = []
    end = header_bytes
    for found in scan_fragments(read, header_bytes, size):
        try:
            add_to_index(index, found)
        except BmffError:
            break
        fragments.append(found)
        end = found.offset + found.size
    return Recovered(tuple(fragments), end, pack_sample_index(index), index.damaged)
