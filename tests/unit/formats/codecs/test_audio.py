"""AAC, G.711 and Opus: configurations, and sample entries that libav reads back."""

from __future__ import annotations

import struct

import pytest
from tests.support.rtp import clip

from longwatch.formats.codecs import CodecError, aac, g711, onvif_metadata, opus
from longwatch.formats.codecs.boxes import box
from longwatch.formats.media import Codec, TrackFormat


@pytest.mark.parametrize(
    ("config", "kind", "rate", "channels", "frame"),
    [
        ("1190", 2, 48_000, 2, 1024),
        ("1588", 2, 8_000, 1, 1024),
        ("1210", 2, 44_100, 2, 1024),
        ("1194", 2, 48_000, 2, 960),
        ("2b8a0800", 2, 22_050, 1, 1024),  # HE-AAC, told openly: core at half the rate
        ("f8e84000", 39, 44_100, 2, 512),
        ("f8e85000", 39, 44_100, 2, 480),
    ],
)
def test_audio_specific_config(config: str, kind: int, rate: int, channels: int, frame: int) -> None:
    assert aac.parse_config(bytes.fromhex(config)) == aac.AudioConfig(kind, rate, channels, frame)


@pytest.mark.parametrize("config", ["", "11", "ffff", "1f90", "0000", "17ffffff90", "11f8", "11" * 100])
def test_what_is_no_configuration_of_aac(config: str) -> None:
    with pytest.raises(CodecError):
        aac.parse_config(bytes.fromhex(config))


def test_the_esds_holds_the_configuration_of_the_clip() -> None:
    source = clip("lot.mp4", "audio")
    entry = aac.track_format(source.config, 48_000).sample_entry
    assert entry[4:8] == b"mp4a"
    assert int.from_bytes(entry[:4], "big") == len(entry)
    descriptor = b"\x05\x80\x80\x80" + bytes([len(source.config)]) + source.config
    assert descriptor in entry


@pytest.mark.parametrize(
    ("packet", "ticks"),
    [
        ("fc", 960),
        ("fd00", 1920),
        ("ff03", 2880),
        ("0800", 960),
        ("18", 2880),
        ("60", 480),
        ("e0", 120),
        ("ff06", 5760),
    ],
)
def test_length_of_an_opus_packet(packet: str, ticks: int) -> None:
    assert opus.duration(bytes.fromhex(packet)) == ticks


@pytest.mark.parametrize("packet", ["", "ff", "ff00", "ff07", "1b3f"])
def test_what_is_no_opus_packet(packet: str) -> None:
    with pytest.raises(CodecError):
        opus.duration(bytes.fromhex(packet))


def test_what_cannot_be_stored() -> None:
    with pytest.raises(CodecError):
        opus.track_format(6)
    with pytest.raises(CodecError):
        g711.track_format(Codec.PCMU, 0, 1)
    with pytest.raises(CodecError):
        g711.track_format(Codec.PCMA, 8000, 99)


@pytest.mark.parametrize(
    ("track", "box_name"),
    [
        (g711.track_format(Codec.PCMU, 8000, 1), b"ulaw"),
        (g711.track_format(Codec.PCMA, 16_000, 2), b"alaw"),
        (opus.track_format(2), b"Opus"),
        (onvif_metadata.track_format(90_000), b"mett"),
    ],
)
def test_sample_entries_are_whole_boxes(track: TrackFormat, box_name: bytes) -> None:
    entry = track.sample_entry
    assert (int.from_bytes(entry[:4], "big"), entry[4:8]) == (len(entry), box_name)
    if track.channels:
        assert struct.unpack_from(">H", entry, 24)[0] == track.channels
        assert struct.unpack_from(">I", entry, 32)[0] >> 16 == track.timescale
    assert entry[8:16] == b"\x00" * 6 + b"\x00\x01"


def test_boxes_add_up() -> None:
    assert box(b"free", b"ab", b"c") == b"\x00\x00\x00\x0bfreeabc"
