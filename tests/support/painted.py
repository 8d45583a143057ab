"""Clips whose every picture is bright all over, so that a mask which slips shows; and what recorded files show, decoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer, OutputContainer

WIDTH, HEIGHT, FPS = 320, 240, 25
BRIGHT = 200


def bright_clip(path: Path, codec: str = "libx264", seconds: float = 4.0, fps: int = FPS) -> Path:
    """A clip without a dark pixel: bright stripes that move. codec: libx264 (with B-frames) or libx265."""
    with cast("OutputContainer", av.open(str(path), "w")) as out:
        stream = out.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        quiet = {"x265-params": "log-level=none:keyint=25:bframes=2"} if codec == "libx265" else {"bf": "2", "g": "25"}
        stream.options = {"preset": "ultrafast", **quiet}
        for n in range(round(seconds * fps)):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            line = bytes(BRIGHT + ((x + 3 * n) // 16 % 2) * 30 for x in range(frame.planes[0].line_size))
            frame.planes[0].update(line * HEIGHT)
            for plane, value in ((1, 90), (2, 200)):
                frame.planes[plane].update(bytes([value]) * (frame.planes[plane].line_size * HEIGHT // 2))
            frame.pts, frame.time_base = n, Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def decoded(path: Path) -> Iterator[av.VideoFrame]:
    """Every picture of a file, in order."""
    with cast("InputContainer", av.open(str(path))) as container:
        for frame in container.decode(video=0):
            yield frame.reformat(format="yuv420p")


def brightest(frame: av.VideoFrame, left: float, top: float, right: float, bottom: float) -> tuple[int, int]:
    """Of a part of the picture: the greatest luma, and how far its colours are from grey at most."""
    luma = _part(frame, 0, left, top, right, bottom)
    colours = _part(frame, 1, left, top, right, bottom) + _part(frame, 2, left, top, right, bottom)
    return max(luma), max(abs(value - 128) for value in colours)


def _part(frame: av.VideoFrame, plane: int, left: float, top: float, right: float, bottom: float) -> bytes:
    half = 2 if plane else 1
    width, height = frame.width // half, frame.height // half
    pixels, stride = bytes(frame.planes[plane]), frame.planes[plane].line_size
    x0, x1 = round(left * width), round(right * width)
    return b"".join(
        pixels[y * stride + x0 : y * stride + x1] for y in range(round(top * height), round(bottom * height))
    )
