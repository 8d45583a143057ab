"""Against an RTSP server that nobody here wrote: what GStreamer sends arrives, decodes, and is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from tests.support.gst import MOUNTS, gst_server

from longwatch.archive import ArchiveReader, NotReadyError
from longwatch.base.clock import SystemClock
from longwatch.formats.bmff import live_chunk, live_init
from longwatch.formats.media import Codec
from longwatch.ingest import CameraUrl, Options, RtspSource
from longwatch.model.sessions import Fault, StreamKey

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("gstreamer")]
USER, PASSWORD = "viewer", "s3cret:@/%"
CODECS = {
    "/h264": [Codec.H264], "/b-frames": [Codec.H264], "/h265": [Codec.H265], "/mjpeg": [Codec.MJPEG],
    "/h264-aac": [Codec.H264, Codec.AAC], "/h265-aac": [Codec.H265, Codec.AAC],
    "/h264-pcmu": [Codec.H264, Codec.PCMU], "/h264-opus": [Codec.H264, Codec.OPUS],
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with gst_server(USER, PASSWORD) as address:
        yield address


class Sink:
    """Keeps everything; says when there is enough of every track."""

    def __init__(self, enough: int) -> None:
        self.tracks = ()
        self.got = []
        self.losses = []
        self.reports = []
        self.faults: list[tuple[Fault | None, str]] = []
        self.enough = enough
        self.done = asyncio.Event()

    def opened(self, tracks) -> None:
        self.tracks = tracks

    def samples(self, batch) -> None:
        self.got += batch
        counts = [sum(sample.track == index for sample in self.got) for index in range(len(self.tracks))]
        if min(counts) >= self.enough:
            self.done.set()

    def lost(self, loss) -> None:
        self.losses.append(loss)

    def sender_report(self, report) -> None:
        self.reports.append(report)

    def formats_changed(self, tracks) -> None:
        raise AssertionError("nothing changes here")

    def closed(self, fault, detail) -> None:
        self.faults.append((fault, detail))
        self.done.set()

    def status(self, status) -> None:
        pass


async def take(url: str, transport: str, enough: int = 20) -> Sink:
    sink = Sink(enough)
    source = RtspSource(CameraUrl.parse(url), Options(transport=transport), SystemClock())
    task = asyncio.get_running_loop().create_task(source.run_once(sink))
    try:
        await asyncio.wait_for(sink.done.wait(), 180)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return sink


def decoded(sink: Sink, track: int) -> list[av.frame.Frame]:
    """What libav makes of one track's samples."""
    samples = [sample for sample in sink.got if sample.track == track]
    first = samples[0].dts
    file = live_init((sink.tracks[track],))
    for number, sample in enumerate(samples):
        after = samples[number + 1].dts - sample.dts if number + 1 < len(samples) else 1
        file += live_chunk(number + 1, 0, sample.dts - first, sample.cts_offset, after, sample.sync, sample.data)
    with av.open(io.BytesIO(file)) as container:
        return list(container.decode(container.streams[0]))


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("mount", MOUNTS)
async def test_what_it_sends_arrives_and_decodes(server: str, mount: str, transport: str):
    sink = await take(f"rtsp://{USER}:s3cret%3A%40%2F%25@{server}{mount}", transport)
    assert [t.codec for t in sink.tracks] == CODECS[mount]
    assert not sink.losses
    assert (sink.tracks[0].width, sink.tracks[0].height) == (320, 240)
    for index, track in enumerate(sink.tracks):
        samples = [sample for sample in sink.got if sample.track == index]
        assert all(b.dts > a.dts for a, b in itertools.pairwise(samples))
        frames = decoded(sink, index)
        assert len(frames) >= len(samples) - 4
        if index == 0:
            assert samples[0].sync
            assert {(frame.width, frame.height) for frame in frames} == {(320, 240)}
            times = [frame.pts for frame in frames][:-3]  # the end was cut between a P picture and its B pictures
            steps = {b - a for a, b in itertools.pairwise(times)}
            assert max(steps) - min(steps) <= track.timescale // 100, "pictures come evenly, in the order of display"
    if mount == "/b-frames":
        assert sink.tracks[0].reorder_depth > 0
        assert any(sample.cts_offset for sample in sink.got)


async def test_a_wrong_password_is_told_apart(server: str):
    sink = Sink(1)
    source = RtspSource(CameraUrl.parse(f"rtsp://{USER}:wrong@{server}/h264"), Options(), SystemClock())
    statuses = []
    sink.status = statuses.append
    await asyncio.wait_for(source.run_once(sink), 180)
    assert statuses[-1].fault is Fault.LOGIN_REFUSED
    assert "wrong" not in statuses[-1].detail


def test_the_whole_recorder_records_all_of_it(server: str, tmp_path: Path):
    """Settings, recorder process, archive, files: every mount by TCP, two more by UDP, for some seconds."""
    (tmp_path / "secrets.env").touch(mode=0o600)
    (tmp_path / "secrets.env").write_text(f"PASSWORD={PASSWORD}\n")
    login = f"rtsp://{USER}:${{PASSWORD}}@{server}"
    cameras = {path.strip("/"): {"streams": {"main": login + path}} for path in MOUNTS}
    for path in ("/h264-aac", "/h265"):
        cameras[f"{path.strip('/')}-udp"] = {"streams": {"main": login + path}, "transport": "udp"}
    settings = {"post": {"id": "real"}, "data": "data", "secrets": "secrets.env", "cameras": cameras}
    config = tmp_path / "longwatch.yml"
    config.write_text(json.dumps(settings))
    log = (tmp_path / "recorder.log").open("wb")
    recorder = subprocess.Popen(
        [sys.executable, "-m", "longwatch.node.recorder", "--config", str(config)], stdout=log, stderr=log
    )
    try:
        _wait_until_recorded(tmp_path / "data", cameras, 4_000_000)
    finally:
        recorder.send_signal(signal.SIGTERM)
        try:
            assert recorder.wait(180) == 0, (tmp_path / "recorder.log").read_text()
        finally:
            recorder.kill()
            recorder.wait()
            log.close()
    assert PASSWORD not in (tmp_path / "recorder.log").read_text()
    for camera in cameras:
        files = sorted((tmp_path / "data" / "media" / camera).rglob("*.mp4"))
        assert files, camera
        seen = 0
        for file in files:
            with av.open(str(file)) as container:
                wanted = CODECS["/" + camera.removesuffix("-udp")]
                assert len(container.streams) == len(wanted), camera
                seen += sum(1 for _ in container.decode(container.streams.video[0]))
            with av.open(str(file)) as container:
                for stream in container.streams.audio:
                    assert sum(frame.samples for frame in container.decode(stream)) > 0
        assert seen >= 4 * 15 - 8, camera
    done = subprocess.run(
        [sys.executable, "-m", "longwatch.cli", "check", "--hash", "--json", "--config", str(config)],
        capture_output=True, check=False, timeout=180, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["findings"] == []


def _wait_until_recorded(data: Path, cameras: dict, wanted_us: int) -> None:
    deadline = time.monotonic() + 180
    reader = ArchiveReader([data])
    spans: dict = {}
    while True:
        with contextlib.suppress(NotReadyError):
            spans = {c: reader.recorded_spans(StreamKey(c, "main"), 0, 1 << 62) for c in cameras}
            if all(sum(span.to_us - span.from_us for span in found) > wanted_us for found in spans.values()):
                reader.close()
                return
        assert time.monotonic() < deadline, {c: len(found) for c, found in spans.items()} or "no index"
        time.sleep(0.2)  # between two looks at the index, with a deadline; a real recorder writes it in its own time
