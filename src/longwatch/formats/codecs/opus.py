"""Opus (RFC 6716): packet durations, and the `Opus` sample entry (Opus in ISOBMFF, with `dOps`)."""

from __future__ import annotations

import struct

from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.codecs.boxes import audio_entry, box
from longwatch.formats.media import Codec, Kind, TrackFormat

RATE = 48_000
_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)


def duration(packet: bytes) -> int:
    """Length of an Opus packet in 1/48000 s, from its TOC (RFC 6716, 3.1). Raises CodecError; at most 120 ms."""
    if not packet:
        raise CodecError("an empty Opus packet")
    config, code = packet[0] >> 3, packet[0] & 3
    frame = _SILK[config & 3] if config < 12 else _HYBRID[config & 1] if config < 16 else _CELT[config & 3]
    if code == 3:
        if len(packet) < 2:
            raise CodecError("an Opus packet without its frame count")
        frames = packet[1] & 0x3F
    else:
        frames = 1 if code == 0 else 2
    if not 0 < frames * frame <= 5760:
        raise CodecError("an Opus packet of impossible length")
    return frames * frame


def track_format(channels: int) -> TrackFormat:
    """The format of an Opus track with one or two channels. Raises CodecError."""
    if channels not in {1, 2}:
        raise CodecError("Opus with more than two channels is not taken")
    specific = box(b"dOps", struct.pack(">BBHIhB", 0, channels, 0, RATE, 0, 0))
    return TrackFormat(
        kind=Kind.AUDIO, codec=Codec.OPUS, timescale=RATE, sample_entry=audio_entry(b"Opus", channels, RATE, specific),
        codec_string="opus", channels=channels,
    )  # fmt: skip
