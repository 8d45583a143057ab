"""Against `simulate`'s camera: a whole RTSP server on loopback, with its faults."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.support.sinks import RememberingSink
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.base.tasks import Tasks
from longwatch.formats.media import Codec
from longwatch.ingest import CameraUrl, Options, RtspSource, probe
from longwatch.model.sessions import Activity, Fault
from longwatch.simulate.camera import LOT, ROOM, SimulatedCamera

pytestmark = pytest.mark.slow

QUICK = Options(answer_timeout_s=2, silent_s=0.6, audio_only_s=0.6, unusable_s=5)


@asynccontextmanager
async def recording(url: str, options: Options = QUICK) -> AsyncIterator[RememberingSink]:
    sink = RememberingSink()
    tasks = Tasks("test")
    tasks.start("source", RtspSource(CameraUrl.parse(url), options, SystemClock()).run(sink))
    try:
        yield sink
    finally:
        await tasks.aclose()
        assert not sink.open


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("login", ["basic", "digest", "digest-sha256"])
async def test_every_login_over_every_transport(transport: str, login: str) -> None:
    async with SimulatedCamera(LOT, user="admin", password="o:d/d@", login=login) as camera:
        async with recording(camera.url, replace(QUICK, transport=transport)) as sink:
            await until(lambda: len(sink.video) > 5 and len(sink.audio) > 5)
            assert sink.tracks is not None
            assert [track.codec for track in sink.tracks] == [Codec.H264, Codec.AAC]
            assert sink.now.activity is Activity.STREAMING
            assert sink.now.server
            assert sink.losses == []
            assert all(a.dts < b.dts for a, b in zip(sink.video, sink.video[1:], strict=False))
        await until(lambda: camera.requests[-1][0] == "TEARDOWN")
        assert "o:d/d@" not in str(camera.requests)


async def test_b_frames_and_sender_reports() -> None:
    async with SimulatedCamera(ROOM) as camera, recording(camera.url) as sink:
        await until(lambda: len(sink.video) > 10)
        assert any(sample.cts_offset > 0 for sample in sink.video)
        await until(lambda: sink.reports)


async def test_a_stalled_camera_is_silent_and_comes_back() -> None:
    async with SimulatedCamera(LOT) as camera, recording(camera.url) as sink:
        await until(lambda: sink.video)
        camera.inject("stall")
        await until(lambda: sink.sessions)
        assert sink.sessions[0] == (Fault.SILENT, "connected, and no packet for 0.6 s")
        await until(lambda: Fault.SILENT in sink.faults)
        before = len(sink.video)
        camera.inject("mend")
        await until(lambda: len(sink.video) > before)


async def test_audio_alone_is_a_fault() -> None:
    async with SimulatedCamera(LOT) as camera, recording(camera.url) as sink:
        await until(lambda: sink.video)
        camera.inject("audio-only")
        await until(lambda: sink.sessions)
        assert sink.sessions[0] == (Fault.AUDIO_ONLY, "audio comes, and no video for 0.6 s")


async def test_a_frozen_camera() -> None:
    async with SimulatedCamera(LOT) as camera, recording(camera.url, replace(QUICK, frozen_s=0.5)) as sink:
        await until(lambda: sink.video)
        camera.inject("freeze")
        await until(lambda: sink.sessions)
        assert sink.sessions[0][0] is Fault.FROZEN
        before = len(sink.video)
        camera.inject("mend")
        await until(lambda: len(sink.video) > before)


async def test_a_dropped_connection_is_back_within_three_seconds_of_the_port() -> None:
    async with SimulatedCamera(LOT) as camera, recording(camera.url) as sink:
        looks = []
        for n in range(3):  # what else this machine does may spoil one
            await until(lambda: sink.video)
            camera.inject("drop", 1)
            began = time.monotonic()
            await until(lambda n=n: len(sink.sessions) > n)
            assert sink.sessions[n][0] is Fault.DISCONNECTED
            await until(lambda n=n: sink.opened_count == n + 2)
            looks.append(time.monotonic() - began - 1)
            if looks[-1] < 3:
                return
        raise AssertionError(f"back after {looks} s")


async def test_lost_datagrams_are_told_and_recording_goes_on() -> None:
    async with SimulatedCamera(ROOM, seed=3) as camera, recording(camera.url, replace(QUICK, transport="udp")) as sink:
        await until(lambda: sink.video)
        camera.inject("lose", 2)
        await until(lambda: sink.losses)
        before = len(sink.video)
        await until(lambda: len(sink.video) > before + 3)
        assert sink.sessions == []


@pytest.mark.parametrize(("code", "fault"), [(453, Fault.REFUSED), (503, Fault.REFUSED), (404, Fault.REFUSED)])
async def test_a_camera_that_says_no(code: int, fault: Fault) -> None:
    async with SimulatedCamera(LOT) as camera, recording(camera.url) as sink:
        await until(lambda: sink.video)
        camera.inject("refuse", code)
        await until(lambda: fault in sink.faults)
        refused = next(s for s in sink.statuses if s.fault is fault and s.activity is Activity.WAITING)
        assert str(code) in refused.detail
        assert refused.next_attempt_boot_us is not None


async def test_new_parameters_in_the_middle() -> None:
    async with SimulatedCamera(LOT) as camera, recording(camera.url) as sink:
        await until(lambda: sink.video)
        assert sink.tracks is not None
        before = sink.tracks[0]
        camera.inject("parameters", str(ROOM))
        await until(lambda: sink.tracks is not None and sink.tracks[0] != before)
        count = len(sink.video)
        await until(lambda: len(sink.video) > count)


async def test_a_camera_without_udp_says_what_to_try() -> None:
    udp = replace(QUICK, transport="udp")
    async with SimulatedCamera(LOT, transports=("tcp",)) as camera, recording(camera.url, udp) as sink:
        await until(lambda: sink.faults)
        assert sink.now.fault is Fault.REFUSED
        assert "try the other transport" in sink.now.detail or "try the transport tcp" in sink.now.detail


async def test_probe_measures_what_the_file_holds() -> None:
    async with SimulatedCamera(LOT, user="admin", password="s3cret!") as camera:
        report = await probe(CameraUrl.parse(camera.url), Options(), SystemClock(), seconds=2)
    assert report.fault is None
    assert "s3cret!" not in repr(report)
    video, audio = report.tracks
    assert (video.format.width, video.format.height) == (768, 432)
    assert video.fps is not None
    assert abs(video.fps - 12.5) < 1
    assert video.gop_s == pytest.approx(4.8, abs=0.1)
    assert audio.bits_per_second is not None
    assert audio.bits_per_second > 50_000
    assert report.offered == ("video H264", "audio MPEG4-GENERIC")


async def test_probe_of_a_camera_that_refuses() -> None:
    async with SimulatedCamera(LOT, user="admin", password="right") as camera:
        report = await probe(CameraUrl.parse(camera.url_of("main", login=False)), Options(), SystemClock())
    assert report.fault is Fault.LOGIN_REFUSED
    assert report.tracks == ()
    assert report.first_picture_s is None


async def test_who_is_watched_is_read_more_often_from_the_beginning_or_from_now_on() -> None:
    def moments(sink: RememberingSink, since: int) -> float:
        arrivals = [sample.arrival_boot_us for sample in sink.video[since:]]
        return len(set(arrivals)) / len(arrivals)

    async with SimulatedCamera(LOT) as camera:
        url = CameraUrl.parse(camera.url)
        sources = [RtspSource(url, QUICK, SystemClock()) for _ in range(2)]
        sinks = [RememberingSink() for _ in range(2)]
        tasks = Tasks("test")
        sources[0].hurry(True)
        for number, (source, sink) in enumerate(zip(sources, sinks, strict=True)):
            tasks.start(f"source {number}", source.run(sink))
        try:
            await until(lambda: all(len(sink.video) > 60 for sink in sinks))
            assert moments(sinks[0], 0) > moments(sinks[1], 0)
            for source, on in zip(sources, (False, True), strict=True):
                source.hurry(on)
            since = [len(sink.video) for sink in sinks]
            await until(lambda: all(len(sink.video) > at + 60 for sink, at in zip(sinks, since, strict=True)))
            assert moments(sinks[0], since[0]) < moments(sinks[1], since[1])
        finally:
            await tasks.aclose()
