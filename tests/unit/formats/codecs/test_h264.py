"""H.264 parameter sets: what real encoders write, and what must not pass."""

from __future__ import annotations

import pytest
from tests.support.rtp import MEDIA, clip, encoded

from longwatch.formats.codecs import CodecError, h264
from longwatch.formats.codecs.bits import unescape
from longwatch.formats.media import Codec


def _sps(options: str = "", size: tuple[int, int] = (160, 96)) -> h264.Sps:
    sets = encoded(Codec.H264, 2, size, options).sets
    return h264.parse_sps(next(nal for nal in sets if nal[0] & 0x1F == 7))


@pytest.mark.parametrize("size", [(64, 48), (100, 50), (176, 144), (640, 362), (1920, 1080)])
def test_size_is_what_is_shown(size: tuple[int, int]) -> None:
    sps = _sps(size=size)
    assert (sps.width, sps.height) == size
    assert sps.fps == 25


def test_interlaced_pictures_are_as_high_as_their_frames() -> None:
    sps = _sps("interlaced=1", (160, 100))
    assert (sps.width, sps.height, sps.frame_mbs_only) == (160, 100, False)


def test_scaling_lists_are_passed_over() -> None:
    sps = _sps("cqm=jvt:8x8dct=1")
    assert (sps.width, sps.height, sps.profile) == (160, 96, 100)


@pytest.mark.parametrize(
    ("options", "reorder"), [("bframes=0", 0), ("bframes=2:b-pyramid=none", 1), ("bframes=3:b-pyramid=normal", 2)]
)
def test_reordering_as_the_encoder_says(options: str, reorder: int) -> None:
    assert _sps(options).reorder == reorder


def test_pixels_that_are_not_square_stand_in_the_sample_entry() -> None:
    sets = encoded(Codec.H264, 2, (64, 48), "sar=16/11").sets
    entry = h264.track_format(sets[:1], sets[1:]).sample_entry
    assert entry[-16:] == b"\x00\x00\x00\x10pasp\x00\x00\x00\x10\x00\x00\x00\x0b"


def test_the_sample_entry_holds_what_another_muxer_wrote() -> None:
    """`avcC` byte for byte as in the clip, which libav made."""
    source = clip("room.mp4")
    entry = h264.track_format(source.sets[:1], source.sets[1:]).sample_entry
    box = entry[86:]
    size = int.from_bytes(box[:4], "big")
    assert box[4:8] == b"avcC"
    assert box[:size] in (MEDIA / "room.mp4").read_bytes()
    assert int.from_bytes(entry[:4], "big") == len(entry)


def test_a_vui_cut_short_costs_only_what_stood_in_it() -> None:
    nal = encoded(Codec.H264, 2, (160, 96), "bframes=2").sets[0]
    whole = h264.parse_sps(nal)
    cut = h264.parse_sps(nal[:-6])
    assert (cut.width, cut.height, cut.profile) == (whole.width, whole.height, whole.profile)
    assert cut.fps is None
    assert cut.reorder is None


def test_no_cut_of_an_sps_gives_another_size_than_its_own() -> None:
    nal = encoded(Codec.H264, 2, (160, 96), "bframes=2").sets[0]
    for end in range(len(nal)):
        try:
            sps = h264.parse_sps(nal[:end])
        except CodecError:
            continue
        assert (sps.width, sps.height) == (160, 96)


@pytest.mark.parametrize(
    "nal",
    [
        b"",
        b"\x67",
        b"\x67\x42\x00\x1e",
        b"\x68" + bytes(20),
        b"\x67" + bytes(20),
        b"\x67" + b"\x42\x00\x1e" + bytes(5000),
        bytes.fromhex("6742001ef8000000000000000000"),
        bytes.fromhex("67640028ffffffffffffffffffff"),
    ],
)
def test_what_is_no_sps(nal: bytes) -> None:
    with pytest.raises(CodecError):
        h264.parse_sps(nal)


def test_parameter_sets_that_are_missing() -> None:
    sets = encoded(Codec.H264, 2, (64, 48), "").sets
    with pytest.raises(CodecError):
        h264.track_format([], sets[1:])
    with pytest.raises(CodecError):
        h264.track_format(sets[:1], [])
    with pytest.raises(CodecError):
        h264.parse_pps_ids(b"\x67\x00")
    assert h264.parse_pps_ids(sets[1]) == (0, 0)


@pytest.mark.parametrize(
    ("sei", "count"),
    [
        ("0606018480", 0),
        ("0606014480", 1),
        ("06", None),
        ("060502112206018480", 0),
        ("0606", None),
        ("06ff", None),
        ("0605ff", None),
    ],
)
def test_recovery_points(sei: str, count: int | None) -> None:
    assert h264.recovery_point(bytes.fromhex(sei)) == count


def test_escapes_inside_a_parameter_set_are_taken_out() -> None:
    assert unescape(b"\x00\x00\x03\x01\x00\x00\x03") == b"\x00\x00\x01\x00\x00"
    assert unescape(b"\x00\x00\x03\x00\x00\x03\x00") == b"\x00\x00\x00\x00\x00"
    assert unescape(b"plain") == b"plain"
