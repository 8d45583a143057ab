"""What a track's parameter sets say of its pictures, and others beside them."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.moving import HEIGHT, WIDTH, moving_clip
from tests.support.shelf import load_clip

from longwatch.base.errors import LongwatchError
from longwatch.formats.codecs import h264, h265
from longwatch.formats.codecs.colour import Colour
from longwatch.formats.media import Codec
from longwatch.pictures.form import Form, beside, form_of, parameter_sets

COLOURS = "colorprim=bt709:transfer=bt709:colormatrix=bt709"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "parameters", "pixels", "form"),
    [
        ("libx264", "keyint=9", "yuv420p", Form(Codec.H264, WIDTH, HEIGHT, "yuv420p", sets=31)),
        ("libx264", f"sps-id=31:sar=4/3:{COLOURS}", "yuvj420p", Form(Codec.H264, WIDTH, HEIGHT, "yuvj420p", aspect=(4, 3), colour=Colour(True, 1, 1, 1), sets=30)),
        ("libx264", "keyint=9", "yuv420p10le", Form(Codec.H264, WIDTH, HEIGHT, "yuv420p10le", sets=31)),
        ("libx264", "keyint=9", "gray", Form(Codec.H264, WIDTH, HEIGHT, "yuv420p", sets=31)),
        ("libx265", "keyint=9", "yuv420p", Form(Codec.H265, WIDTH, HEIGHT, "yuv420p", sets=15)),
        ("libx265", COLOURS, "yuv422p10le", Form(Codec.H265, WIDTH, HEIGHT, "yuv422p10le", colour=Colour(False, 1, 1, 1), sets=15)),
        ("libx265", "keyint=9", "yuvj420p", Form(Codec.H265, WIDTH, HEIGHT, "yuvj420p", colour=Colour(True), sets=15)),
        ("libx265", "keyint=9", "gray12le", Form(Codec.H265, WIDTH, HEIGHT, "gray12le", sets=15)),
    ],
)  # fmt: skip
def test_of_what_encoders_write(encoder: str, parameters: str, pixels: str, form: Form) -> None:
    clip, _ = moving_clip(encoder, parameters, pixels)
    found = dataclasses.replace(form_of(clip.tracks[0]), fps=None)
    assert found == form
    assert Form.of_message(found.told()) == found


@pytest.mark.slow
def test_others_stand_behind_its_own() -> None:
    track = load_clip("lot").tracks[0]
    other = moving_clip("libx264", "sps-id=31")[0].tracks[0]
    both = beside(other, track)
    assert parameter_sets(both)[0] == parameter_sets(other)[0]
    assert sorted(parameter_sets(both)) == sorted([*parameter_sets(other), *parameter_sets(track)])
    assert beside(other, other) == other, "of one number each means something else"


def test_what_says_nothing_is_refused() -> None:
    track = load_clip("lot").tracks[0]
    for wrong in (
        dataclasses.replace(track, codec=Codec.MJPEG),
        dataclasses.replace(track, sample_entry=track.sample_entry[:96]),
    ):
        with pytest.raises(LongwatchError, match="cannot be made here"):
            form_of(wrong)


@pytest.mark.slow
def test_h265_sets_and_slices_of_number_15() -> None:
    """As ITU-T H.265 writes them: read back by the parser that reads those of cameras."""
    clip, _ = moving_clip("libx265")
    vps, sps, pps = (h265.renumbered(nal) for nal in parameter_sets(clip.tracks[0]))
    assert (h265.parse_vps(vps)[0], h265.parse_sps(sps).id, h265.parse_pps_ids(pps)) == (15, 15, (15, 15))
    before = h265.parse_sps(parameter_sets(clip.tracks[0])[1])
    assert dataclasses.replace(h265.parse_sps(sps), id=0) == before
    with pytest.raises(h264.CodecError):
        h265.renumbered(sps)
    with pytest.raises(h264.CodecError):
        h265.renumbered(b"\x4e\x01\x05\x00")
