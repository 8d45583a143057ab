"""Clips of something that moves, as a camera would send them: made by libx264 and libx265, with whatever their parameters ask for."""

from __future__ import annotations

import dataclasses
import io
from fractions import Fraction

import av
from tests.support.played import picture
from tests.support.shelf import Clip
from tests.support.tracks import VIDEO

from longwatch.formats.bmff import Mp4File
from longwatch.formats.media import Codec

FRAMES = 60
WIDTH, HEIGHT = 160, 128
OPEN_GROUPS = "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0"


def moving_clip(encoder: str, parameters: str = OPEN_GROUPS, pixels: str = "yuv420p") -> tuple[Clip, list[str]]:
    """60 pictures, 25 a second: the samples, and every picture in order of display."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream(encoder, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = WIDTH, HEIGHT, pixels, Fraction(1, 90_000)
        if encoder == "libx265":
            stream.codec_tag = "hvc1"
            stream.options = {"x265-params": f"{parameters}:log-level=none"}
        else:
            stream.options = {"x264-params": parameters}
        for n in range(FRAMES):
            container.mux(stream.encode(_frame(n, pixels)))
        container.mux(stream.encode(None))
    data = out.getvalue()
    file = Mp4File.from_bytes(data)
    track = file.tracks[0]
    ratio = 90_000 / track.timescale
    samples = [
        (round(s.dts * ratio), round(s.cts_offset * ratio), 3600, s.sync, file.data(s), False) for s in track.samples
    ]
    codec, string = (Codec.H265, "hvc1.1.6.L30.90") if encoder == "libx265" else (Codec.H264, "avc1.64000a")
    format_ = dataclasses.replace(
        VIDEO, codec=codec, sample_entry=track.sample_entry, codec_string=string, width=WIDTH, height=HEIGHT, fps=None
    )
    with av.open(io.BytesIO(data)) as container:
        pictures = [picture(frame) for frame in container.decode(video=0)]
    assert len(pictures) == FRAMES
    return Clip((format_,), (samples,)), pictures


def _frame(n: int, pixels: str) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for index, plane in enumerate(frame.planes):
        plane.update(
            bytes((n * 3 + x * (index + 1) + y) & 255 for y in range(plane.height) for x in range(plane.line_size))
        )
    frame = frame if pixels == "yuv420p" else frame.reformat(format=pixels)
    frame.pts, frame.time_base = n * 3600, Fraction(1, 90_000)
    return frame
