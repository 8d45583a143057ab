"""Pictures made small without the scaler: the same as with it. What is cheap to decode, and what is exact."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from tests.support.looked import clip

from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.pictures import small
from longwatch.pictures.decoding import Decoder
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


def test_of_a_long_group_exact_pictures_are_the_true_ones_and_cheap_ones_stray():
    track, samples = clip(8, (2, 8), gop_s=8, fps=10, more="deblock=0,0:qp=40:partitions=all:subme=4")

    def lumas(pictures: SmallPictures, *, exact: bool) -> list[NDArray[np.float64]]:
        pictures.fresh(exact=exact)
        shown = [found for sample in samples for found in pictures.pictures(sample)]
        made = [pictures.small(frame, of) for frame, of in shown]
        return [each.luma.astype(float) for each in made if each is not None]

    decoder, pictures = Decoder(track), SmallPictures(track)
    true = [np.array(f.to_ndarray()[:180], float) for sample in samples for f, _ in decoder.decode(sample)]
    cheap, exact, again = (lumas(pictures, exact=each) for each in (False, True, False))
    assert len(true) == len(cheap) == len(exact) == 80
    assert all(np.array_equal(mine, whole) for mine, whole in zip(exact, true, strict=True))
    assert np.abs(cheap[-1] - true[-1]).mean() > 0.5
    assert all(np.array_equal(first, second) for first, second in zip(cheap, again, strict=True)), "each its own"
    assert (pictures.decoded, pictures.failed) == (240, 0)


def test_one_decoder_is_kept_and_what_failed_before_is_counted_on(monkeypatch: pytest.MonkeyPatch):
    """Two for each of 24 cameras would be more memory than the child may have."""
    alive: weakref.WeakSet[Decoder] = weakref.WeakSet()

    def made(track: TrackFormat, *, rough: bool = False) -> Decoder:
        one = Decoder(track, rough=rough)
        alive.add(one)
        return one

    monkeypatch.setattr(small, "Decoder", made)
    track, samples = clip(1, gop_s=1)
    pictures = SmallPictures(track)
    for number, exact in enumerate((True, False, False, True)):
        pictures.fresh(exact=exact)
        assert len([*pictures.pictures(samples[0], last=True)]) == 1
        assert len(alive) == 1
        pictures.fresh(exact=exact)
        [*pictures.pictures(Sample(0, 0, 0, True, b"nothing", 0))]
        assert pictures.failed == number + 1
