"""Streams of more than 8 bits, as thermal cameras could send them: made here, sent by a simulated camera, taken in, shown and looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.support.sinks import RememberingSink
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.base.tasks import Tasks
from longwatch.formats.media import Sample, TrackFormat
from longwatch.ingest import CameraUrl, Options, RtspSource
from longwatch.pictures.small import SmallPictures
from longwatch.playback import Stills
from longwatch.simulate.camera import SimulatedCamera

pytestmark = pytest.mark.slow
WIDTH, HEIGHT, PICTURES = 320, 240, 40
QUIET = {"x265-params": "bframes=0:keyint=10:log-level=none"}
GREY = {"gray10le", "gray12le"}
CASES = [
    ("libx264", "yuv420p10le", {"bf": "0"}), ("libx264", "gray10le", {"bf": "0"}), ("libx265", "yuv420p10le", QUIET), ("libx265", "yuv420p12le", QUIET),
    ("libx265", "gray10le", QUIET), ("libx265", "gray12le", QUIET),
]  # fmt: skip


def scene(number: int) -> NDArray[np.uint16]:
    """A ground that is warmer to the right, and something warm that goes over it; of ten bits, at the top of sixteen."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    warm = (abs(columns - (40 + 4 * number)) < 12) & (abs(rows - 120) < 25)
    return ((200 + columns // 2 + 300 * warm) << 6).astype(np.uint16)


def film(path: Path, codec: str, form: str, options: dict[str, str]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, form, 10
        for number in range(PICTURES):
            frame = av.VideoFrame.from_ndarray(scene(number), format="gray16le").reformat(format=form)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@asynccontextmanager
async def taken_in(path: Path) -> AsyncIterator[tuple[TrackFormat, list[Sample]]]:
    async with SimulatedCamera(path) as camera:
        sink, tasks = RememberingSink(), Tasks("test")
        tasks.start("source", RtspSource(CameraUrl.parse(camera.url), Options(), SystemClock()).run(sink))
        try:
            await until(lambda: len(sink.video) > 12)
            assert sink.tracks is not None
            yield sink.tracks[0], list(sink.video)
        finally:
            await tasks.aclose()


@pytest.mark.parametrize(("codec", "form", "options"), CASES, ids=[f"{codec}-{form}" for codec, form, _ in CASES])
async def test_it_is_taken_in_shown_and_looked_at(
    tmp_path: Path, codec: str, form: str, options: dict[str, str]
) -> None:
    path = (
        tmp_path / f"{codec}-{form}.mp4"
    )  # a clip is known by its path, and the folder of a test that passed is used again
    stills = Stills()
    try:
        async with taken_in(film(path, codec, form, options)) as (track, samples):
            assert (track.width, track.height) == (WIDTH, HEIGHT)
            jpeg = await stills.decoded(track, next(sample.data for sample in samples if sample.sync), 0)
            looked = SmallPictures(track)
            frames = [(frame, of) for sample in samples for frame, of in looked.pictures(sample)]
            forms = {frame.format.name for frame, _ in frames}
            small = [looked.small(frame, of, colour=False) for frame, of in frames]
    finally:
        await stills.aclose()
    decoder = av.CodecContext.create("mjpeg", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    shown = decoder.decode(av.Packet(jpeg))[0].to_ndarray(format="gray")
    assert shown.shape == (HEIGHT, WIDTH)
    assert int(shown.max()) - int(shown[20, 10]) > 60, "what is warm stands out"
    assert int(shown[20, 300]) - int(shown[20, 10]) > 25, "and so does the ground's slope"
    assert looked.failed == 0
    assert len(small) == len(samples)
    assert all(each is not None and each.luma.shape == (HEIGHT, WIDTH) for each in small)
    if codec == "libx265" and form in GREY:
        raw = small[0].raw if small[0] is not None else None
        assert raw is not None, f"all bits are looked at: {forms}"
        # A film is of limited range: what it says is stretched alike everywhere.
        assert np.corrcoef(raw.ravel(), scene(0).ravel())[0, 1] > 0.98
