"""AAC: AudioSpecificConfig (ISO/IEC 14496-3 section 1.6) and the `mp4a` sample entry (ISO/IEC 14496-14)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from longwatch.formats.codecs.bits import BitReader, CodecError
from longwatch.formats.codecs.boxes import audio_entry, full_box
from longwatch.formats.media import Codec, Kind, TrackFormat

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)
MAX_CONFIG = 64


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """rate: of the core coder, Hz. channels: 0 where a program config says it. frame: samples in an access unit."""

    object_type: int
    rate: int
    channels: int
    frame: int


def _object_type(bits: BitReader) -> int:
    kind = bits.u(5)
    return 32 + bits.u(6) if kind == 31 else kind


def _rate(bits: BitReader) -> int:
    index = bits.u(4)
    if index == 15:
        return bits.u(24)
    if index >= len(_RATES):
        raise CodecError("unknown AAC sampling rate")
    return _RATES[index]


def _read(bits: BitReader) -> AudioConfig:
    kind = _object_type(bits)
    rate = _rate(bits)
    channels = bits.u(4)
    if kind in {5, 29}:  # SBR, PS: the extension's rate, then the core's type
        _rate(bits)
        kind = _object_type(bits)
    if kind not in {1, 2, 3, 4, 17, 23, 39} or channels >= len(_CHANNELS) or not 7000 <= rate <= 96_000:
        raise CodecError("not an AAC that we know")
    short = bits.left > 0 and bits.flag()
    frame = (480 if short else 512) if kind in {23, 39} else (960 if short else 1024)
    return AudioConfig(kind, rate, _CHANNELS[channels], frame)


def parse_config(config: bytes) -> AudioConfig:
    """Read an AudioSpecificConfig. Raises CodecError for what is not AAC."""
    if not 2 <= len(config) <= MAX_CONFIG:
        raise CodecError("AudioSpecificConfig of impossible size")
    return _read(BitReader(config))


def parse_mux_config(config: bytes) -> tuple[bytes, int]:
    """Read a StreamMuxConfig (ISO/IEC 14496-3, 1.7.3): the AudioSpecificConfig in it, and frames in a multiplex element.

    Only what cameras send: version 0, one program, one layer, frames that tell their length. Raises CodecError.
    """
    if not 4 <= len(config) <= MAX_CONFIG:
        raise CodecError("StreamMuxConfig of impossible size")
    bits = BitReader(config)
    if bits.flag() or not bits.flag():
        raise CodecError("a StreamMuxConfig of a version that we do not know")
    frames, programs, layers = bits.u(6) + 1, bits.u(4), bits.u(3)
    if programs or layers:
        raise CodecError("several programs or layers in one StreamMuxConfig")
    before = bits.left
    _read(bits)
    if bits.flag():  # dependsOnCoreCoder
        bits.skip(14)
    if bits.flag():  # extensionFlag: error-resilient or scalable AAC
        raise CodecError("an extension of AAC that we do not know")
    count = before - bits.left
    if bits.u(3):
        raise CodecError("frames that do not tell their length")
    value = int.from_bytes(config, "big") >> (before - count) & ((1 << count) - 1)
    size = (count + 7) // 8
    return (value << (8 * size - count)).to_bytes(size, "big"), frames


def _descriptor(tag: int, body: bytes) -> bytes:
    return (
        bytes(
            [
                tag,
                0x80 | len(body) >> 21 & 0x7F,
                0x80 | len(body) >> 14 & 0x7F,
                0x80 | len(body) >> 7 & 0x7F,
                len(body) & 0x7F,
            ]
        )
        + body
    )


def track_format(config: bytes, clock_rate: int, channels: int = 0) -> TrackFormat:
    """The format of an AAC track whose RTP clock is `clock_rate`. Raises CodecError."""
    audio = parse_config(config)
    count = audio.channels or channels or 1
    decoder = struct.pack(">BB3xII", 0x40, 0x15, 0, 0) + _descriptor(5, config)
    es = struct.pack(">HB", 0, 0) + _descriptor(4, decoder) + _descriptor(6, b"\x02")
    entry = audio_entry(b"mp4a", count, audio.rate, full_box(b"esds", _descriptor(3, es)))
    return TrackFormat(
        kind=Kind.AUDIO, codec=Codec.AAC, timescale=clock_rate, sample_entry=entry,
        codec_string=f"mp4a.40.{audio.object_type}", channels=count,
    )  # fmt: skip
