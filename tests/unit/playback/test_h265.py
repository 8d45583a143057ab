"""A real H.265 stream with open groups of pictures, cut anywhere, decodes without a picture that refers to nothing."""

from __future__ import annotations

import dataclasses
import io
from fractions import Fraction
from pathlib import Path

import av
import pytest
from tests.support.played import picture, play
from tests.support.shelf import KEY, WALL_US, Clip, Shelf
from tests.support.tracks import VIDEO

from longwatch.formats.bmff import Mp4File
from longwatch.formats.media import Codec
from longwatch.playback import Stills, VideoRequest, open_video

pytestmark = pytest.mark.slow

_FRAMES = 60


@pytest.fixture(scope="module")
def clip() -> tuple[Clip, list[str]]:
    """Samples as a camera would send them, and every picture in order of display."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx265", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 160, 128, "yuv420p", Fraction(1, 90_000)
        stream.codec_tag = "hvc1"
        stream.options = {
            "x265-params": "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0:log-level=none"
        }
        for n in range(_FRAMES):
            frame = av.VideoFrame(160, 128, "yuv420p")
            for index, plane in enumerate(frame.planes):
                plane.update(
                    bytes(
                        (n * 3 + x * (index + 1) + y) & 255 for y in range(plane.height) for x in range(plane.line_size)
                    )
                )
            frame.pts, frame.time_base = n * 3600, Fraction(1, 90_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = out.getvalue()
    track = Mp4File.from_bytes(data).tracks[0]
    file = Mp4File.from_bytes(data)
    ratio = 90_000 / track.timescale
    samples = [
        (round(s.dts * ratio), round(s.cts_offset * ratio), 3600, s.sync, file.data(s), False) for s in track.samples
    ]
    format_ = dataclasses.replace(
        VIDEO, codec=Codec.H265, sample_entry=track.sample_entry, codec_string="hvc1.1.6.L30.90", width=160, height=128
    )
    with av.open(io.BytesIO(data)) as container:
        pictures = [picture(frame) for frame in container.decode(video=0)]
    assert len(pictures) == _FRAMES
    return Clip((format_,), (samples,)), pictures


def test_it_has_pictures_that_refer_over_a_sync_sample(clip: tuple[Clip, list[str]]) -> None:
    kinds = [s[4][4] >> 1 & 0x3F for s in clip[0].samples[0]]
    assert kinds.count(21) >= 3
    assert {8, 9} & set(kinds)


@pytest.mark.parametrize("shown", [0, 11, 13, 23, 24, 25, 30, 47])
def test_from_any_picture_on(tmp_path: Path, clip: tuple[Clip, list[str]], shown: int) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(clip[0], segment_90k=60_000)
    first_us = (clip[0].samples[0][0][1]) * 100 // 9
    request = VideoRequest(KEY, WALL_US + first_us + shown * 40_000 + 10_000, WALL_US + 10_000_000)
    played = play(b"".join(open_video(shelf, request, accounted_until_us=WALL_US + 10**9).chunks()))
    assert played.pictures == clip[1][shown:]
    assert played.damaged == 0


def test_after_a_lost_beginning(tmp_path: Path, clip: tuple[Clip, list[str]]) -> None:
    """The first sync sample that there is refers back: what was to be shown before it is left out."""
    shelf = Shelf(tmp_path)
    samples = clip[0].samples[0]
    start = next(n for n, s in enumerate(samples) if n and s[3])
    shelf.write(clip[0].tracks, [samples[start:]], run=1, sequence=3, wall_us=WALL_US)
    request = VideoRequest(KEY, WALL_US, WALL_US + 10_000_000)
    played = play(b"".join(open_video(shelf, request, accounted_until_us=WALL_US + 10**9).chunks()))
    assert played.damaged == 0
    assert played.pictures == clip[1][12:]


async def test_a_still_of_a_cra(tmp_path: Path, clip: tuple[Clip, list[str]]) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(clip[0], segment_90k=60_000)
    stills = Stills()
    try:
        still = await stills.still(shelf, KEY, WALL_US + 900_000)
    finally:
        await stills.aclose()
    assert still.wall_us == WALL_US + 14 * 40_000
    assert still.jpeg[:2] == b"\xff\xd8"
