"""Sample entries as they stand in `stsd` (ISO/IEC 14496-12 section 12)."""

from __future__ import annotations

import struct

_VISUAL = struct.Struct(">6xH16xHHIIIH32sHh")
_AUDIO = struct.Struct(">6xH8xHH4xI")

# H.264 and H.265, table E-1; index 0 is "unspecified", 255 is explicit.
ASPECTS = (
    (0, 0), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11),
    (80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of `kind` around `parts`."""
    return struct.pack(">I", 8 + sum(map(len, parts))) + kind + b"".join(parts)


def full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    """A box with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def visual_entry(kind: bytes, width: int, height: int, *boxes: bytes) -> bytes:
    """VisualSampleEntry: 72 dpi, one frame a sample, 24-bit colour."""
    return box(kind, _VISUAL.pack(1, width, height, 0x480000, 0x480000, 0, 1, b"", 24, -1), *boxes)


def visual_size(entry: bytes) -> tuple[int, int]:
    """Width and height of a VisualSampleEntry, which is at least 36 bytes long."""
    width, height = struct.unpack_from(">HH", entry, 32)
    return width, height


def audio_entry(kind: bytes, channels: int, rate: int, *boxes: bytes) -> bytes:
    """AudioSampleEntry: 16-bit samples; `rate` in Hz (its integer part has 16 bits, so above 65535 it reads 0)."""
    return box(kind, _AUDIO.pack(1, channels, 16, (rate << 16) if rate < 1 << 16 else 0), *boxes)


def pixel_aspect(horizontal: int, vertical: int) -> bytes:
    """`pasp`, or nothing where pixels are square."""
    if not horizontal or not vertical or horizontal == vertical:
        return b""
    return box(b"pasp", struct.pack(">II", horizontal, vertical))
