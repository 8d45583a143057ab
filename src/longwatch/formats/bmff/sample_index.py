"""The sample index of a segment: every sample's place, size and times, packed, so that a player's moov can be made from
one read at the end of the file instead of one per fragment (docs/ref/segment-file.md).
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from longwatch.formats.bmff.boxes import MAX_HEADER_BYTES, BmffError
from longwatch.formats.bmff.fragment import Run

SYNC = 1
DAMAGED = 2
MAX_SAMPLES = 1 << 20
_VERSION = 1
_MAX_TRACKS = 16
_MAX_TIME = 1 << 62
_HEAD = struct.Struct(">BBH")
_TRACK = struct.Struct(">III")
_CHUNK_BYTES = 8 + 8 + 4
_SAMPLE_BYTES = 4 + 4 + 4 + 1
_FLAG_OF = {(True, False): SYNC, (False, False): 0, (True, True): SYNC | DAMAGED, (False, True): DAMAGED}
_SWAP = sys.byteorder == "little"


@dataclass(slots=True)
class TrackIndex:
    """The samples of one track of a segment, as columns.

    A chunk is a stretch of samples that lie one after another in the file and in time: its offset in the file, the decode
    time of its first sample, and how many there are. Per sample: size, duration, cts_offset, and flags (SYNC, DAMAGED).
    """

    timescale: int
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    times: array[int] = field(default_factory=lambda: array("Q"))
    counts: array[int] = field(default_factory=lambda: array("I"))
    sizes: array[int] = field(default_factory=lambda: array("I"))
    durations: array[int] = field(default_factory=lambda: array("I"))
    cts_offsets: array[int] = field(default_factory=lambda: array("i"))
    flags: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class SampleIndex:
    """The index of a whole segment: one TrackIndex for each track of its header, in that order."""

    tracks: tuple[TrackIndex, ...]

    @property
    def damaged(self) -> bool:
        """Whether any sample depends on something that was lost."""
        return any(flag & DAMAGED for track in self.tracks for flag in set(track.flags))


class IndexBuilder:
    """Collects the index of an open segment, fragment by fragment. About 13 bytes of memory a sample."""

    def __init__(self, timescales: Sequence[int]) -> None:
        self.index = SampleIndex(tuple(TrackIndex(timescale) for timescale in timescales))

    def add(self, offset: int, head_bytes: int, runs: Sequence[Run]) -> None:
        """A fragment at `offset` of the file, made by `fragment` of the same `runs`; head_bytes: of its first part."""
        at = offset + head_bytes
        for track, samples in runs:
            index = self.index.tracks[track]
            expected = -1
            for dts, cts_offset, duration, sync, data, damaged in samples:
                if dts != expected:
                    index.offsets.append(at)
                    index.times.append(dts)
                    index.counts.append(0)
                index.counts[-1] += 1
                expected = dts + duration
                size = len(data)
                at += size
                index.sizes.append(size)
                index.durations.append(duration)
                index.cts_offsets.append(cts_offset)
                index.flags.append(_FLAG_OF[sync, damaged])

    def pack(self) -> bytes:
        """The packed index, for the closing box."""
        return pack_sample_index(self.index)


def pack_sample_index(index: SampleIndex) -> bytes:
    """Version, the tracks' timescales and counts, then all columns in one zlib stream."""
    head = [_HEAD.pack(_VERSION, len(index.tracks), 0)]
    columns = []
    for t in index.tracks:
        head.append(_TRACK.pack(t.timescale, len(t.counts), len(t.sizes)))
        columns += [_big(c) for c in (t.offsets, t.times, t.counts, t.sizes, t.durations, t.cts_offsets)]
        columns.append(bytes(t.flags))
    return b"".join(head) + zlib.compress(b"".join(columns), 1)


def unpack_sample_index(data: bytes) -> SampleIndex:
    """The reverse of pack_sample_index. Raises BmffError; holds no more than the counts it was told, at most a million
    samples a track.
    """
    try:
        version, count, _ = _HEAD.unpack_from(data)
        heads = [_TRACK.unpack_from(data, _HEAD.size + n * _TRACK.size) for n in range(count)]
    except struct.error as error:
        raise BmffError("a sample index is cut off") from error
    if version != _VERSION or count > _MAX_TRACKS:
        raise BmffError(f"a sample index of version {version} with {count} tracks")
    if any(chunks > samples or samples > MAX_SAMPLES or not timescale for timescale, chunks, samples in heads):
        raise BmffError("a sample index with counts that cannot be")
    total = sum(chunks * _CHUNK_BYTES + samples * _SAMPLE_BYTES for _, chunks, samples in heads)
    if total > MAX_HEADER_BYTES:
        raise BmffError(f"a sample index of {total} bytes")
    columns = _inflate(data[_HEAD.size + count * _TRACK.size :], total)
    tracks = []
    at = 0
    for timescale, chunks, samples in heads:
        track = TrackIndex(timescale)
        for column, entries in (
            (track.offsets, chunks), (track.times, chunks), (track.counts, chunks),
            (track.sizes, samples), (track.durations, samples), (track.cts_offsets, samples),
        ):  # fmt: skip
            end = at + entries * column.itemsize
            column.frombytes(columns[at:end])
            if _SWAP:
                column.byteswap()
            at = end
        track.flags += columns[at : at + samples]
        at += samples
        if sum(track.counts) != samples or 0 in track.counts:
            raise BmffError("the chunks of a sample index do not add up to its samples")
        if max([*track.offsets, *track.times], default=0) >= _MAX_TIME or min(track.cts_offsets, default=0) < 0:
            raise BmffError("a sample index with places or times that cannot be")
        tracks.append(track)
    return SampleIndex(tuple(tracks))


def _inflate(data: bytes, size: int) -> bytes:
    try:
        columns = zlib.decompressobj().decompress(data, size + 1)
    except zlib.error as error:
        raise BmffError("a sample index cannot be inflated") from error
    if len(columns) != size:
        raise BmffError("a sample index is not as long as its counts say")
    return columns


def _big(column: array[int]) -> bytes:
    if not _SWAP:
        return column.tobytes()
    swapped = column[:]
    swapped.byteswap()
    return swapped.tobytes()
