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


def quantization(quality: int) -> bytes:
    """The tables of luma and chroma, in zigzag order, that RFC 2435 (4.2) means by Q 1 to 99."""
    factor = max(1, min(99, quality))
    scale = 5000 // factor if factor < 50 else 200 - 2 * factor
    return bytes(max(1, min(255, (value * scale + 50) // 100)) for value in _LUMA + _CHROMA)


def _segment(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body


def headers(width: int, height: int, tables: bytes, *, subsampled: bool, restart: int) -> bytes:
    """Everything before the scan of a baseline picture (RFC 2435, appendix B).

    tables: 64 or 128 bytes, as RTP carries them. subsampled: 4:2:0, else 4:2:2. restart: interval in MCUs, 0 for none.
    """
    luma, chroma = tables[:64], tables[64:128] or tables[:64]
    frame = struct.pack(">BHHB", 8, height, width, 3)
    frame += bytes((1, 0x22 if subsampled else 0x21, 0, 2, 0x11, 1, 3, 0x11, 1))
    parts = [b"\xff\xd8", _segment(0xDB, b"\x00" + luma), _segment(0xDB, b"\x01" + chroma)]
    if restart:
        parts.append(_segment(0xDD, struct.pack(">H", restart)))
    parts += (_segment(0xC0, frame), _HUFFMAN, _segment(0xDA, bytes((3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0))))
    return b"".join(parts)


def _upto(*rows: tuple[int, int]) -> bytes:
    return bytes(value for first, last in rows for value in range(first, last + 1))


# RFC 2435, appendix A and B, which are tables K.1 to K.6 of ITU-T T.81; quantizers in zigzag order.
_LUMA = bytes((
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
    56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92,
    101, 103, 99,
))  # fmt: skip
_CHROMA = bytes((17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66)) + b"\x63" * 50
_DC_SYMBOLS = bytes(range(12))
_LUMA_DC = bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)) + _DC_SYMBOLS
_CHROMA_DC = bytes((0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0)) + _DC_SYMBOLS
_LUMA_AC = (
    bytes((0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D))
    + bytes.fromhex("01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a")
    + _upto((0x25, 0x2A), (0x34, 0x3A), (0x43, 0x4A), (0x53, 0x5A), (0x63, 0x6A), (0x73, 0x7A), (0x83, 0x8A))
    + _upto((0x92, 0x9A), (0xA2, 0xAA), (0xB2, 0xBA), (0xC2, 0xCA), (0xD2, 0xDA), (0xE1, 0xEA), (0xF1, 0xFA))
)
_CHROMA_AC = (
    bytes((0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77))
    + bytes.fromhex("000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a")
    + _upto((0x26, 0x2A), (0x35, 0x3A), (0x43, 0x4A), (0x53, 0x5A), (0x63, 0x6A), (0x73, 0x7A), (0x82, 0x8A))
    + _upto((0x92, 0x9A), (0xA2, 0xAA), (0xB2, 0xBA), (0xC2, 0xCA), (0xD2, 0xDA), (0xE2, 0xEA), (0xF2, 0xFA))
)
_HUFFMAN = b"".join(
    _segment(0xC4, bytes((number,)) + table)
    for number, table in ((0x00, _LUMA_DC), (0x10, _LUMA_AC), (0x01, _CHROMA_DC), (0x11, _CHROMA_AC))
)
