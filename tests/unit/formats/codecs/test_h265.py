"""H.265 parameter sets, compared with what the encoder was told and with the `hvcC` that libav writes."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.rtp import Clip, encoded

from longwatch.formats.codecs import CodecError, h265
from longwatch.formats.codecs.bits import escape, unescape
from longwatch.formats.media import Codec, TrackFormat


def _format(source: Clip) -> TrackFormat:
    kinds = [[nal for nal in source.sets if h265.nal_type(nal) == kind] for kind in (32, 33, 34)]
    return h265.track_format(*kinds)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(64, 64), (100, 50), (322, 242), (1280, 720)])
def test_size_is_what_is_shown(size: tuple[int, int]) -> None:
    track = _format(encoded(Codec.H265, 2, size, "bframes=0"))
    assert (track.width, track.height, track.fps) == (*size, 25)


@pytest.mark.parametrize(
    "options",
    [
        "bframes=0",
        "bframes=4:b-pyramid=1",
        "scaling-list=default",
        "sar=16:11",
        "temporal-layers=1",
        "hrd=1:vbv-maxrate=500:vbv-bufsize=500",
    ],
)
def test_the_rest_of_the_sps_is_passed_over(options: str) -> None:
    track = _format(encoded(Codec.H265, 6, (160, 96), options))
    assert (track.width, track.height, track.fps) == (160, 96, 25)
    assert track.codec_string.startswith("hvc1.1.6.L")
    assert (b"pasp" in track.sample_entry) is (options == "sar=16:11")


def test_the_sample_entry_says_what_libav_says() -> None:
    """libav muxes the same stream: profile, level, chroma and depths of its `hvcC` are ours."""
    source = encoded(Codec.H265, 3, (160, 96), "bframes=0")
    buffer = io.BytesIO()
    with av.open(buffer, "w", "mp4") as container:
        stream = container.add_stream("libx265", rate=25, options={"x265-params": "bframes=0:log-level=none"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25)
        stream.codec_tag = "hvc1"
        for number in range(3):
            frame = av.VideoFrame(160, 96, "yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    theirs = buffer.getvalue()
    at = theirs.index(b"hvcC") + 4
    ours = _format(source).sample_entry
    mine = ours.index(b"hvcC") + 4
    assert ours[mine + 1 : mine + 13] == theirs[at + 1 : at + 13]
    assert ours[mine + 16 : mine + 19] == theirs[at + 16 : at + 19]
    assert ours[mine + 21] & 3 == 3
    assert int.from_bytes(ours[:4], "big") == len(ours)


def test_no_cut_of_an_sps_gives_another_size_than_its_own() -> None:
    nal = next(nal for nal in encoded(Codec.H265, 2, (160, 96), "bframes=2").sets if h265.nal_type(nal) == 33)
    for end in range(len(nal)):
        try:
            sps = h265.parse_sps(nal[:end])
        except CodecError:
            continue
        assert (sps.width, sps.height) == (160, 96)


@pytest.mark.parametrize(
    "nal",
    [b"", b"\x42", b"\x42\x01" + bytes(30), b"\x42\x01" + b"\xff" * 40, b"\x44\x01" + bytes(30), b"\x42\x01" * 3000],
)
def test_what_is_no_sps(nal: bytes) -> None:
    with pytest.raises(CodecError):
        h265.parse_sps(nal)


def test_parameter_sets_that_are_missing() -> None:
    vps, sps, pps = encoded(Codec.H265, 2, (64, 64), "bframes=0").sets
    assert h265.parse_vps(vps)[0] == 0
    assert h265.parse_pps_ids(pps) == (0, 0)
    for sets in (([], [sps], [pps]), ([vps], [], [pps]), ([vps], [sps], [])):
        with pytest.raises(CodecError):
            h265.track_format(*sets)
    with pytest.raises(CodecError):
        h265.parse_vps(sps)
    with pytest.raises(CodecError):
        h265.parse_pps_ids(sps)


@given(st.lists(st.sampled_from([0, 0, 1, 2, 3, 4, 255]), max_size=24).map(bytes))
def test_what_is_escaped_begins_nothing_and_reads_back(rbsp: bytes) -> None:
    escaped = escape(rbsp)
    assert not any(bytes([0, 0, last]) in escaped for last in (0, 1, 2))
    assert unescape(escaped) == rbsp
