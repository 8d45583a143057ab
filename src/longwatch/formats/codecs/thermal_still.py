"""Stills of a thermal camera as timed metadata, sample entry `mett`: each sample is one file, as the camera sent it. docs/design/thermal.md."""

from __future__ import annotations

from longwatch.formats.codecs.boxes import box
from longwatch.formats.media import Codec, Kind, TrackFormat

MIME = "application/vnd.longwatch.thermal-still"
RATE = 90_000
"""Ticks a second. What a file is (PNG, TIFF, JPEG, multipart) its first bytes say."""


def track_format() -> TrackFormat:
    """The format of a track of stills (MetaDataSampleEntry, ISO/IEC 14496-12 section 12.3.3)."""
    entry = box(b"mett", b"\x00" * 6 + b"\x00\x01", b"\x00", MIME.encode() + b"\x00")
    return TrackFormat(
        kind=Kind.METADATA, codec=Codec.THERMAL_STILL, timescale=RATE, sample_entry=entry, codec_string="mett"
    )
