"""Samples to small pictures for looking at: decoded as cheaply as libav does it, and made small by it too. Only children import this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from longwatch.formats.media import Sample, TrackFormat
from longwatch.pictures.decoding import Decoder
from longwatch.pictures.spans import fitted

WIDTH = 320
_PLANAR = frozenset({"yuv420p", "yuvj420p"})
_GREY_16 = frozenset({"gray16le", "gray16be", "gray12le", "gray10le", "gray14le"})
_MOST_HEIGHT = 480


@dataclass(frozen=True, slots=True, eq=False)
class Small:
    """luma: height x width. chroma: two planes of half the size; None where there is no colour. raw: 16 bits, of a thermal camera."""

    luma: NDArray[np.uint8]
    chroma: NDArray[np.uint8] | None
    raw: NDArray[np.uint16] | None
    sample: Sample


class SmallPictures:
    """Of one track format. decoded, failed: samples so far. Decoded as cheaply as libav does it, without its loop filter, so that pictures stray from the true ones from one to the next: by
    five levels on average and 45 at most after four seconds. So what builds on more than that is decoded `exact`, for a third more.
    """

    def __init__(self, track: TrackFormat) -> None:
        """Raises LongwatchError where the codec is none that is known."""
        self._track = track
        self._decoder, self._is_exact = Decoder(track, rough=True), False
        self._failed = 0
        self._scaler = VideoReformatter()
        self.decoded = 0

    @property
    def failed(self) -> int:
        """Samples that could not be decoded."""
        return self._failed + self._decoder.failed

    def fresh(self, *, exact: bool = False) -> None:
        """What comes next builds on nothing that was, and is decoded so. One decoder is kept: each holds some 60 MB of 1080p, and another costs some milliseconds."""
        if exact is self._is_exact:
            self._decoder.fresh()
            return
        self._failed += self._decoder.failed
        self._decoder, self._is_exact = Decoder(self._track, rough=not exact), exact

    def pictures(self, sample: Sample, *, last: bool = False) -> Iterator[tuple[VideoFrame, Sample]]:
        """What this sample completes. last: nothing follows that builds on it, so nothing is held back."""
        frames = self._decoder.decode(sample)
        if last:
            frames = [*frames, *self._decoder.rest()]
            self._decoder.fresh()
        self.decoded += 1
        yield from frames

    def small(self, frame: VideoFrame, sample: Sample, *, colour: bool = True) -> Small | None:
        """None where its form is none that can be made small. colour: its chroma is needed too; without, it may be missing."""
        times = _times(frame)
        if times:
            count = 3 if colour else 1
            planes = [_shrunk(_plane(plane, plane.width, plane.height, 1), times) for plane in frame.planes[:count]]
            return Small(planes[0], np.stack(planes[1:]) if colour else None, None, sample)
        width, height = frame.width, frame.height
        if width > WIDTH:
            width, height = WIDTH, max(2, round(height * WIDTH / width))
        width, height = fitted(width, height, _MOST_HEIGHT)
        raw = None
        try:
            if frame.format.name in _GREY_16:
                deep = self._made(frame, width, height, "gray16le")
                raw = np.array(_plane(deep.planes[0], width, height, 2).view("<u2"))
            made = self._made(frame, width, height, "yuv420p")
        except (av.FFmpegError, ValueError):
            return None
        luma = np.array(_plane(made.planes[0], width, height, 1))
        if frame.format.name.startswith("gray"):
            return Small(luma, None, raw, sample)
        half = width // 2, height // 2
        chroma = np.stack([_plane(made.planes[number], *half, 1) for number in (1, 2)])
        return Small(luma, chroma, raw, sample)

    def _made(self, frame: VideoFrame, width: int, height: int, form: str) -> VideoFrame:
        """threads: the child may start none."""
        return self._scaler.reformat(frame, width, height, form, interpolation=Interpolation.AREA, threads=1)


def _times(frame: VideoFrame) -> int:
    """How many times as wide as it is to be a picture is that needs no more than the means of its pixels; 0 for another."""
    times = frame.width // WIDTH
    if frame.format.name not in _PLANAR or not times or frame.width % WIDTH or frame.height % (2 * times):
        return 0
    return times if frame.height // times <= _MOST_HEIGHT else 0


def _shrunk(plane: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """So many times smaller, by means of squares; by halves as long as that goes, which is by far the cheapest way."""
    while times > 1:
        by = 2 if times % 2 == 0 else times
        size = plane.shape[1] // by, plane.shape[0] // by
        plane = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]  # of bytes it makes bytes
        times //= by
    return plane if plane.flags.owndata else np.array(plane)


def _plane(plane: VideoPlane, width: int, height: int, depth: int) -> NDArray[np.uint8]:
    """Of a picture: rows x bytes, without copying."""
    stride = plane.line_size
    return np.frombuffer(memoryview(plane).cast("B"), np.uint8, stride * height).reshape(height, stride)[
        :, : width * depth
    ]
