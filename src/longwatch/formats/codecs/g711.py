"""G.711 (ITU-T G.711): µ-law and A-law as they stand in QuickTime and MP4 files (`ulaw`, `alaw`), and what they mean."""

from __future__ import annotations

from collections.abc import Callable

from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.codecs.boxes import audio_entry
from longwatch.formats.media import Codec, Kind, TrackFormat

MAX_CHANNELS = 8


def track_format(codec: Codec, rate: int, channels: int) -> TrackFormat:
    """The format of a PCMU or PCMA track; one byte a sample and channel. Raises CodecError."""
    if not 1000 <= rate <= 192_000 or not 1 <= channels <= MAX_CHANNELS:
        raise CodecError("rate or number of channels out of range")
    name = "ulaw" if codec is Codec.PCMU else "alaw"
    return TrackFormat(
        kind=Kind.AUDIO, codec=codec, timescale=rate, sample_entry=audio_entry(name.encode(), channels, rate),
        codec_string=name, channels=channels,
    )  # fmt: skip


def linear(codec: Codec, data: bytes) -> bytes:
    """The same samples as big-endian 16-bit numbers: a table, so any byte is right."""
    high, low = _TABLES[codec]
    samples = bytearray(2 * len(data))
    samples[0::2] = data.translate(high)
    samples[1::2] = data.translate(low)
    return bytes(samples)


def _mu_law(byte: int) -> int:
    byte = ~byte
    magnitude = (((byte & 0x0F) << 3) + 0x84 << (byte >> 4 & 0x07)) - 0x84
    return -magnitude if byte & 0x80 else magnitude


def _a_law(byte: int) -> int:
    byte ^= 0x55
    segment, step = byte >> 4 & 0x07, (byte & 0x0F) << 4
    magnitude = step + 8 if segment == 0 else step + 0x108 << segment - 1
    return magnitude if byte & 0x80 else -magnitude


def _bytes_of(law: Callable[[int], int]) -> tuple[bytes, bytes]:
    values = [law(byte) & 0xFFFF for byte in range(256)]
    return bytes(value >> 8 for value in values), bytes(value & 0xFF for value in values)


_TABLES = {Codec.PCMU: _bytes_of(_mu_law), Codec.PCMA: _bytes_of(_a_law)}
