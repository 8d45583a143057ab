"""ONVIF metadata (ONVIF Streaming Specification, 5.2.1): XML documents as timed metadata, sample entry `mett`."""

from __future__ import annotations

from longwatch.formats.codecs.boxes import box
from longwatch.formats.media import Codec, Kind, TrackFormat

MIME = "application/vnd.onvif.metadata"


def track_format(rate: int) -> TrackFormat:
    """The format of a metadata track (TextMetaDataSampleEntry, ISO/IEC 14496-12 section 12.3.3)."""
    entry = box(b"mett", b"\x00" * 6 + b"\x00\x01", b"\x00", MIME.encode() + b"\x00")
    return TrackFormat(
        kind=Kind.METADATA, codec=Codec.ONVIF_METADATA, timescale=rate, sample_entry=entry, codec_string="mett"
    )
