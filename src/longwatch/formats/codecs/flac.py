"""FLAC (RFC 9639) without compression: linear samples in verbatim subframes, and the `fLaC` sample entry (Xiph, FLAC in ISOBMFF).

Not an encoder. It is a wrapping that every browser's MediaSource takes, so that what a camera sends as G.711 can be heard
without decoding or encoding anything: no loss, no delay, no codec library.
"""

from __future__ import annotations

import struct

from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.codecs.boxes import audio_entry, full_box
from longwatch.formats.media import Codec, Kind, TrackFormat

BITS = 16
MOST_SAMPLES = 65_535
_VARIABLE = b"\xff\xf9"  # sync code, blocks of any length: the number that follows is that of the first sample
_SIZE_FOLLOWS = 0x70  # block size: 16 bits at the end of the header; sample rate: as STREAMINFO says
_VERBATIM = b"\x02"
_MOST_CHANNELS = 8


def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    rows = []
    for byte in range(256):
        crc = byte << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ polynomial if crc & top else crc << 1) & mask
        rows.append(crc)
    return tuple(rows)


_CRC8 = _table(0x07, 8)
_CRC16 = _table(0x8005, 16)


def track_format(rate: int, channels: int) -> TrackFormat:
    """The format of a track of verbatim frames with 16 bits a sample. Raises CodecError."""
    if not 1 <= rate < 1 << 16 or not 1 <= channels <= _MOST_CHANNELS:
        raise CodecError("rate or number of channels out of range")
    packed = rate << 44 | (channels - 1) << 41 | (BITS - 1) << 36  # and 36 bits for the number of samples: not known
    streaminfo = struct.pack(">HH6xQ16x", 16, MOST_SAMPLES, packed)
    specific = full_box(b"dfLa", b"\x80\x00\x00" + bytes([len(streaminfo)]), streaminfo)
    return TrackFormat(
        kind=Kind.AUDIO, codec=Codec.FLAC, timescale=rate, sample_entry=audio_entry(b"fLaC", channels, rate, specific),
        codec_string="flac", channels=channels,
    )  # fmt: skip


def verbatim_frame(first: int, channels: tuple[bytes, ...]) -> bytes:
    """One frame. first: number of its first sample, >= 0. channels: big-endian 16-bit samples of each, equally long.

    Raises CodecError where there is no sample, or more than 65,535.
    """
    count = len(channels[0]) // 2
    if not 1 <= count <= MOST_SAMPLES or any(len(each) != count * 2 for each in channels):
        raise CodecError(f"a block of {count} samples")
    head = b"".join(
        (
            _VARIABLE,
            bytes([_SIZE_FOLLOWS, (len(channels) - 1) << 4 | 0x08]),
            _coded(first),
            struct.pack(">H", count - 1),
        )
    )
    frame = head + bytes([_crc8(head)]) + b"".join(_VERBATIM + each for each in channels)
    return frame + struct.pack(">H", _crc16(frame))


def _coded(number: int) -> bytes:
    """As UTF-8, stretched (RFC 9639, 9.1.5). Of 31 bits: libav takes no more, and a live view seeks by its chunks' times."""
    number &= (1 << 31) - 1
    if number < 0x80:
        return bytes([number])
    size = next(size for size in range(2, 8) if number < 1 << 5 * size + 1)
    lead = (0xFF << (8 - size)) & 0xFF | number >> 6 * (size - 1)
    return bytes([lead, *(0x80 | number >> 6 * n & 0x3F for n in range(size - 2, -1, -1))])


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc


def _crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFF00) ^ _CRC16[crc >> 8 ^ byte]
    return crc
