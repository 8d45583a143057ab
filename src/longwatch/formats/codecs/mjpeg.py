"""JPEG (ITU-T T.81): size, headers, and the `jpeg` sample entry that libav and QuickTime open."""

from __future__ import annotations

import struct

from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.codecs.boxes import visual_entry
from longwatch.formats.media import Codec, Kind, TrackFormat

MAX_SIDE = 16_384


def track_format(width: int, height: int, fps: float | None = None) -> TrackFormat:
    """The format of a track of JPEG pictures. Raises CodecError."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise CodecError("picture size out of range")
    return TrackFormat(
        kind=Kind.VIDEO, codec=Codec.MJPEG, timescale=90_000, sample_entry=visual_entry(b"jpeg", width, height),
        codec_string="jpeg", width=width, height=height, fps=fps,
    )  # fmt: skip


def size(jpeg: bytes) -> tuple[int, int]:
    """(width, height) from the frame header (B.2.2). Raises CodecError."""
    at = 2
    while at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        kind = jpeg[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack_from(">HH", jpeg, at + 5)
            return width, height
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    raise CodecError("a JPEG without a frame header")
