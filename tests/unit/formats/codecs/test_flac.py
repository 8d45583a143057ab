"""FLAC as a wrapping: libav reads back what went in, sample for sample, and G.711 means what libav thinks it means."""

from __future__ import annotations

import random
import struct

import av
import pytest
from av.audio.codeccontext import AudioCodecContext

from longwatch.formats.codecs import CodecError, flac, g711
from longwatch.formats.media import Codec


def decoded(codec: str, packets: list[bytes], rate: int = 8000, extradata: bytes = b"", channels: int = 1) -> list[int]:
    """What libav makes of it, interleaved."""
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, AudioCodecContext)
    context.layout = "mono" if channels == 1 else "stereo"
    context.sample_rate = rate
    if extradata:
        context.extradata = extradata
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet))]
    resampler = av.AudioResampler(format="s16", layout=context.layout, rate=rate)
    values: list[int] = []
    for frame in frames:
        for packed in resampler.resample(frame):
            raw = bytes(packed.planes[0])[: packed.samples * 2 * channels]
            values += struct.unpack(f"<{len(raw) // 2}h", raw)
    return values


def streaminfo(entry: bytes) -> bytes:
    return entry[entry.index(b"dfLa") + 4 + 4 + 4 :]


@pytest.mark.parametrize(("codec", "libav"), [(Codec.PCMU, "pcm_mulaw"), (Codec.PCMA, "pcm_alaw")])
def test_every_byte_of_g711_means_what_libav_says(codec: Codec, libav: str) -> None:
    every = bytes(range(256))
    assert list(struct.unpack(">256h", g711.linear(codec, every))) == decoded(libav, [every])


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("count", [1, 16, 160, 4608, 65_535])
def test_libav_reads_back_what_went_in(channels: int, count: int) -> None:
    chance = random.Random(count)
    samples = [[chance.randrange(-32768, 32768) for _ in range(count)] for _ in range(channels)]
    entry = flac.track_format(8000, channels).sample_entry
    frame = flac.verbatim_frame(7, tuple(struct.pack(f">{count}h", *each) for each in samples))
    want = [value for together in zip(*samples, strict=True) for value in together]
    assert decoded("flac", [frame], extradata=streaminfo(entry), channels=channels) == want


@pytest.mark.parametrize(
    "first", [0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 1 << 16, (1 << 21) - 1, 1 << 26, 1 << 31, 1 << 35]
)
def test_frames_of_any_number_are_whole(first: int) -> None:
    """A wrong length of the coded number would spoil both checksums."""
    frame = flac.verbatim_frame(first, (struct.pack(">20h", *range(20)),))
    extradata = streaminfo(flac.track_format(16_000, 1).sample_entry)
    assert decoded("flac", [frame], 16_000, extradata) == list(range(20))


def test_what_is_no_block() -> None:
    with pytest.raises(CodecError):
        flac.verbatim_frame(0, (b"",))
    with pytest.raises(CodecError):
        flac.verbatim_frame(0, (bytes(4), bytes(2)))
    with pytest.raises(CodecError):
        flac.track_format(96_000, 1)
    with pytest.raises(CodecError):
        flac.track_format(8_000, 9)
