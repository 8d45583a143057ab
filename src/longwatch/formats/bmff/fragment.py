"""Writing fragments (ISO/IEC 14496-12, 8.8): one moof and one mdat. This runs once a tick for every stream of a post."""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from typing import NamedTuple

from longwatch.formats.bmff.boxes import BmffError
from longwatch.formats.bmff.guard import alignment

SYNC_FLAGS = 0x02000000  # sample_depends_on = 2: it depends on no other
DELTA_FLAGS = 0x01010000  # sample_depends_on = 1, sample_is_non_sync_sample
DAMAGED_PRIORITY = 1  # sample_degradation_priority: what we say of a sample that depends on something lost
_FLAGS = {
    (True, False): SYNC_FLAGS,
    (False, False): DELTA_FLAGS,
    (True, True): SYNC_FLAGS | DAMAGED_PRIORITY,
    (False, True): DELTA_FLAGS | DAMAGED_PRIORITY,
}
_TRUN_FLAGS = 0x000001 | 0x000100 | 0x000200 | 0x000400 | 0x000800  # data offset; duration, size, flags, cts per sample
_MDAT_LIMIT = (1 << 32) - 8


class StoredSample(NamedTuple):
    """A sample as it is stored. dts: since the run began, >= 0, in the track's timescale, as cts_offset and duration.

    Plain tuples of these six are as good, and quicker to make.
    """

    dts: int
    cts_offset: int
    duration: int
    sync: bool
    data: bytes
    damaged: bool = False


Stored = tuple[int, int, int, bool, bytes, bool]
"""The six fields of StoredSample."""

Run = tuple[int, Sequence[Stored]]
"""(index of the track in the header, its samples in decode order)."""

Stretch = tuple[int, int, list[int], int]
"""(track, decode time of the first sample, (duration, size, flags, cts offset in two's complement) of each sample, where its data begins
in mdat)."""


@functools.lru_cache(maxsize=512)
def _traf(count: int) -> struct.Struct:
    """A traf with tfhd, tfdt (v1) and a trun (v1) of `count` rows, as one Struct.

    The rows are one repeated format: a Struct keeps 32 bytes for each that is written out, and with one for every number of samples that
    ever came these were a megabyte and more of a recorder, within its first hours.
    """
    return struct.Struct(f">I4s I4sII I4sIQ I4sIIi {4 * count}I")


def fragment(sequence: int, runs: Sequence[Run], *, stored: bool = False) -> list[bytes]:
    """The parts of one moof+mdat: the first is moof and the mdat's header, the others are the samples' own bytes.

    stored: for a segment file; mdat ends with up to 7 bytes that belong to no sample, so that the next guard stands at a
    multiple of 8.

    sequence: of mfhd. A track's samples stand together; where a sample does not begin where the one before it ended, a new
    traf begins, so a gap stays a gap. Every traf has default-base-is-moof. Raises BmffError where 4 GiB would not do.
    """
    stretches: list[Stretch] = []
    parts: list[bytes] = [b""]
    data_bytes = 0
    for track, samples in runs:
        expected = -1
        rows: list[int] = []
        for dts, cts_offset, duration, sync, data, damaged in samples:
            if dts != expected:
                rows = []
                stretches.append((track, dts, rows, data_bytes))
            size = len(data)
            rows += (duration, size, _FLAGS[sync, damaged], cts_offset & 0xFFFFFFFF)  # signed in a trun of version 1
            data_bytes += size
            expected = dts + duration
            parts.append(data)
    if stored and (pad := alignment(data_bytes)):
        parts.append(bytes(pad))
        data_bytes += pad
    parts[0] = fragment_head(sequence, stretches, data_bytes)
    return parts


def fragment_head(sequence: int, stretches: Sequence[Stretch], data_bytes: int) -> bytes:
    """The moof, and the header of an mdat of `data_bytes`. Raises BmffError where 4 GiB would not do."""
    if data_bytes > _MDAT_LIMIT:
        raise BmffError(f"a fragment of {data_bytes} bytes")
    moof_bytes = 24 + sum(64 + 4 * len(rows) for _, _, rows, _ in stretches)
    head = [struct.pack(">I4sI4sII", moof_bytes, b"moof", 16, b"mfhd", 0, sequence)]
    for track, dts, rows, at in stretches:
        count = len(rows) >> 2
        head.append(
            _traf(count).pack(
                64 + 16 * count, b"traf",
                16, b"tfhd", 0x020000, track + 1,
                20, b"tfdt", 0x01000000, dts,
                20 + 16 * count, b"trun", 0x01000000 | _TRUN_FLAGS, count, moof_bytes + 8 + at, *rows,
            )
        )  # fmt: skip
    head.append(struct.pack(">I4s", 8 + data_bytes, b"mdat"))
    return b"".join(head)


def sample_flags(*, sync: bool, damaged: bool) -> int:
    """The flags of a sample (ISO/IEC 14496-12, 8.8.3.1) as we write them."""
    return _FLAGS[sync, damaged]


def live_chunk(sequence: int, track: int, dts: int, cts_offset: int, duration: int, sync: bool, data: bytes) -> bytes:
    """One sample as a moof+mdat of its own, for a viewer's MediaSource; never stored. track: its index in `live_init`."""
    return b"".join(fragment(sequence, [(track, [(dts, cts_offset, duration, sync, data, False)])]))
