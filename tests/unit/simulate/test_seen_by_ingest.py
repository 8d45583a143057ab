"""What our own client makes of a simulated camera: encodings, transports, logins. The two were written apart."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from longwatch.base.clock import SystemClock
from longwatch.formats.media import Codec
from longwatch.ingest import CameraUrl, Options, probe
from longwatch.model.sessions import Fault
from longwatch.simulate.camera import ROOM, SimulatedCamera


@pytest.fixture(scope="module")
def hevc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of H.265, 128x96 at 25 pictures a second."""
    path = tmp_path_factory.mktemp("clips") / "hevc.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.options = {"preset": "ultrafast", "x265-params": "keyint=12:bframes=2:log-level=none"}
        for number in range(50):
            frame = av.VideoFrame(128, 96, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes((number * 5 + x) % 256 for x in range(plane.buffer_size)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


async def seen(camera: SimulatedCamera, transport: str = "tcp"):
    return await probe(CameraUrl.parse(camera.url), Options(transport=transport), SystemClock(), seconds=0.6)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_h265_with_b_frames_over_the_seam(hevc: Path, transport: str):
    async with SimulatedCamera(hevc, offset_s=1.5) as camera:
        report = await seen(camera, transport)
    (track,) = report.tracks
    assert report.fault is None
    assert (track.format.codec, track.format.width, track.format.height) == (Codec.H265, 128, 96)
    assert (track.fps, track.lost) == (25.0, 0)
    assert track.format.reorder_depth > 0


async def test_h264_by_udp():
    async with SimulatedCamera(ROOM) as camera:
        report = await seen(camera, "udp")
    assert report.transport == "udp"
    assert [(t.format.codec, t.lost) for t in report.tracks] == [(Codec.H264, 0)]


@pytest.mark.parametrize("login", ["digest", "digest-sha256", "basic", "any"])
async def test_every_login_lets_in_who_is_right_and_nobody_else(hevc: Path, login: str):
    async with SimulatedCamera(hevc, user="us er", password='p@:/"\\ü', login=login) as camera:
        assert (await seen(camera)).fault is None
        assert camera.refused_logins == 0
        camera.password = "other"
        url = CameraUrl.parse(camera.url.replace("other", "wrong"))
        report = await probe(url, Options(), SystemClock(), seconds=0.5)
    assert report.fault is Fault.LOGIN_REFUSED
