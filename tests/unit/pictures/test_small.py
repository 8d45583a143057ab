"""Pictures made small without the scaler: the same as with it."""

from __future__ import annotations

import numpy as np
import pytest
from av.video.frame import VideoFrame

from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.pictures import small
from longwatch.pictures.small import SmallPictures

MJPEG = TrackFormat(Kind.VIDEO, Codec.MJPEG, 90_000, b"", "jpeg", 640, 360)
SAMPLE = Sample(0, 0, 0, True, b"", 0)


def frame(width: int, height: int, form: str = "yuv420p") -> VideoFrame:
    noise = np.random.default_rng(1).integers(0, 255, (height // 20 + 1, width // 20 + 1, 3), np.uint8)
    wide = np.ascontiguousarray(np.kron(noise, np.ones((20, 20, 1), np.uint8))[:height, :width])
    return VideoFrame.from_ndarray(wide, "rgb24").reformat(format=form)


@pytest.mark.parametrize(("width", "height"), [(320, 180), (640, 360), (640, 480), (1280, 720)])
def test_means_of_squares_are_what_the_scaler_makes(width: int, height: int, monkeypatch: pytest.MonkeyPatch):
    pictures = SmallPictures(MJPEG)
    shown = frame(width, height)
    assert small._times(shown) == width // 320
    mine = pictures.small(shown, SAMPLE)
    monkeypatch.setattr(small, "_times", lambda _: 0)
    scaled = pictures.small(shown, SAMPLE)
    assert mine is not None
    assert scaled is not None
    assert mine.luma.shape == scaled.luma.shape
    assert np.abs(mine.luma.astype(int) - scaled.luma).max() <= 3
    assert mine.chroma is not None
    assert scaled.chroma is not None
    assert mine.chroma.shape == scaled.chroma.shape
    assert np.abs(mine.chroma.astype(int) - scaled.chroma).mean() <= 3


@pytest.mark.parametrize(
    ("width", "height", "form"),
    [(352, 288, "yuv420p"), (640, 360, "yuv444p"), (160, 120, "gray"), (640, 362, "yuv420p")],
)
def test_every_other_form_goes_through_the_scaler(width: int, height: int, form: str):
    shown = frame(width, height, form)
    assert small._times(shown) == 0
    made = SmallPictures(MJPEG).small(shown, SAMPLE)
    assert made is not None
    assert made.luma.shape[1] <= 320
