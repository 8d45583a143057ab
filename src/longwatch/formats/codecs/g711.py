"""G.711 (ITU-T G.711): µ-law and A-law as they stand in QuickTime and MP4 files (`ulaw`, `alaw`)."""

from __future__ import annotations

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
