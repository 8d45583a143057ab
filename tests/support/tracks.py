"""Track formats and samples that need no decoder, for tests of boxes and tables."""

from __future__ import annotations

import struct

from longwatch.formats.bmff import SegmentIdentity, Stored
from longwatch.formats.bmff.boxes import box
from longwatch.formats.media import Codec, Kind, TrackFormat


def visual_entry(kind: bytes = b"avc1", width: int = 64, height: int = 48, config: bytes = b"config") -> bytes:
    """A VisualSampleEntry (ISO/IEC 14496-12, 12.1.3) with a made-up configuration."""
    fixed = bytes(6) + struct.pack(">H16xHHIIIH32xHh", 1, width, height, 0x480000, 0x480000, 0, 1, 24, -1)
    return box(kind, fixed, box(b"avcC", config))


def audio_entry(rate: int = 48_000) -> bytes:
    """An AudioSampleEntry (12.2.3) with a made-up configuration."""
    return box(b"mp4a", bytes(6), struct.pack(">H8xHHHHI", 1, 2, 16, 0, 0, rate << 16), box(b"esds", b"made up"))


VIDEO = TrackFormat(Kind.VIDEO, Codec.H264, 90_000, visual_entry(), "avc1.42c01e", 64, 48, 12.5, 0, 2)
AUDIO = TrackFormat(Kind.AUDIO, Codec.AAC, 48_000, audio_entry(), "mp4a.40.2", channels=2)
IDENTITY = SegmentIdentity(
    writer="longwatch 0.1", post="north-ridge", camera="gate", stream="main", boot="c0ffee" * 5 + "00", run=7, sequence=42,
    start_90k=90_000, wall_start_us=1_767_225_600_000_000, provenance=1,
)  # fmt: skip


def video_samples(count: int, *, start: int = 0, duration: int = 7200, gop: int = 5) -> list[Stored]:
    """Samples with a sync sample each `gop`, of differing sizes."""
    return [
        (start + n * duration, 0, duration, n % gop == 0, bytes([n & 255]) * (n % 7 + 1), False) for n in range(count)
    ]


def audio_samples(count: int, *, start: int = 0) -> list[Stored]:
    return [(start + n * 1024, 0, 1024, True, bytes([n & 255]) * (n % 3 + 1), False) for n in range(count)]
