"""What playback makes, in a real Chromium: it plays, it seeks, the pre-roll is hidden, gaps are closed up."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qsl

import av
import pytest
from playwright.sync_api import Browser, Page
from tests.support.file_server import served
from tests.support.shelf import KEY, WALL_US, Shelf, load_clip

from longwatch.base.clock import SystemClock
from longwatch.formats.bmff import live_chunk, live_init, mime_type
from longwatch.pictures import Slots
from longwatch.playback import Recoder, VideoRequest, open_exact, open_part, open_playlist, open_video

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-files")]

_LATER_US = WALL_US + 3600 * 1_000_000
_PAGE = ("text/html", b"<!doctype html><title>player</title><video id=v muted></video>")
_OPEN = """async (url) => {
    const v = document.getElementById('v');
    const first = new Promise(done => v.requestVideoFrameCallback((_, m) => done(m.mediaTime)));
    v.src = url;
    await new Promise((done, fail) => { v.onloadeddata = done; v.onerror = () => fail(new Error(v.error.message)); });
    return { duration: v.duration, first: await first, width: v.videoWidth, height: v.videoHeight };
}"""
_SEEK = """async (at) => {
    const v = document.getElementById('v');
    const shown = new Promise(done => v.requestVideoFrameCallback((_, m) => done(m.mediaTime)));
    v.currentTime = at;
    return await shown;
}"""
_PLAY = """async () => {
    const v = document.getElementById('v');
    v.currentTime = 0;
    await v.play();
    let frames = 0;
    const count = () => { frames += 1; v.requestVideoFrameCallback(count); };
    v.requestVideoFrameCallback(count);
    while (frames < 10) await new Promise(done => v.requestVideoFrameCallback(done));
    v.pause();
    return { frames, at: v.currentTime };
}"""
_APPEND = """async ([mime, urls]) => {
    const v = document.getElementById('v');
    const source = new MediaSource();
    v.src = URL.createObjectURL(source);
    await new Promise(done => source.onsourceopen = done);
    const buffer = source.addSourceBuffer(mime);
    for (const url of urls) {
        buffer.appendBuffer(await (await fetch(url)).arrayBuffer());
        await new Promise((done, fail) => { buffer.onupdateend = done; buffer.onerror = () => fail(new Error(url)); });
    }
    source.endOfStream();
    const ranges = [];
    for (let i = 0; i < v.buffered.length; i++) ranges.push([v.buffered.start(i), v.buffered.end(i)]);
    return ranges;
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(120_000)
    yield context.new_page()
    context.close()


def _video(folder: Path, name: str, from_s: float, to_s: float) -> bytes:
    shelf = Shelf(folder)
    clip = load_clip(name)
    shelf.write_run(clip)
    shelf.write_run(clip, run=2, wall_us=WALL_US + 120_000_000)
    request = VideoRequest(KEY, WALL_US + round(from_s * 1e6), WALL_US + round(to_s * 1e6))
    return b"".join(open_video(shelf, request, accounted_until_us=_LATER_US).chunks())


@pytest.mark.parametrize(
    ("name", "frame_s", "from_s", "duration_s", "joint_s"),
    [
        # The room has frames out of order, and holds what the lot does.
        pytest.param("lot", 0.08, 7.3, 30.16 - 7.28 + 10, 30.16 - 7.28, marks=pytest.mark.long),
        ("room", 0.1, 47.33, 60.2 - 47.3 + 9.9, 60.2 - 47.3),
    ],
)
def test_video_mp4(
    tmp_path: Path, page: Page, name: str, frame_s: float, from_s: float, duration_s: float, joint_s: float
) -> None:
    """Begins at `from` (not at the sync sample before it), runs over the gap without a pause, and each seek lands."""
    data = _video(tmp_path, name, from_s, 130)
    with served({"/": _PAGE, "/video.mp4": ("video/mp4", data)}) as address:
        page.goto(address)
        opened = page.evaluate(_OPEN, "/video.mp4")
        assert opened["first"] == pytest.approx(0, abs=0.001)
        assert opened["duration"] == pytest.approx(duration_s, abs=0.03)
        assert (opened["width"], opened["height"]) == (768, 432)
        for at in (1.0, joint_s - 2 * frame_s, joint_s + 2 * frame_s, duration_s - 1, 0.5):
            shown = page.evaluate(_SEEK, at + frame_s / 2)
            assert at - frame_s / 2 - 0.001 <= shown <= at + frame_s / 2 + 0.001
        played = page.evaluate(_PLAY)
        assert played["frames"] >= 10
        assert played["at"] >= 8 * frame_s


_PIXELS = """() => {
    const v = document.getElementById('v');
    const canvas = document.createElement('canvas');
    canvas.width = v.videoWidth;
    canvas.height = v.videoHeight;
    const context = canvas.getContext('2d');
    context.drawImage(v, 0, 0);
    const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
    return Array.from({ length: data.length / 388 | 0 }, (_, n) => data[388 * n + 1]);
}"""


def test_video_mp4_that_begins_exactly(tmp_path: Path, page: Page) -> None:
    """Its begin was encoded anew, with parameter sets of its own; Chromium plays over the joint and seeks over it, both ways."""
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip("lot"))
    request = VideoRequest(KEY, WALL_US + 7_330_000, WALL_US + 13_000_000)

    async def made() -> bytes:
        recoder = Recoder(Slots(1, SystemClock()))
        try:
            opened = open_exact(shelf, request, accounted_until_us=_LATER_US)
            assert opened.anew is not None
            return b"".join(opened.file(await recoder.exact(shelf, KEY, opened.anew)).chunks())
        finally:
            await recoder.aclose()

    with ThreadPoolExecutor(1) as elsewhere:  # the synchronous half of Playwright runs a loop in this thread
        data = elsewhere.submit(asyncio.run, made()).result()
    with av.open(io.BytesIO(data)) as container:
        pictures = [frame.to_ndarray(format="rgb24")[:, :, 1].reshape(-1)[::97] for frame in container.decode(video=0)]
    joint_s = 9.6 - 7.36
    with served({"/": _PAGE, "/video.mp4": ("video/mp4", data)}) as address:
        page.goto(address)
        opened = page.evaluate(_OPEN, "/video.mp4")
        assert opened["first"] == pytest.approx(0, abs=0.001)
        assert opened["duration"] == pytest.approx(len(pictures) * 0.08, abs=0.03)
        for at in (1.0, joint_s - 0.16, joint_s + 0.16, 4.0, joint_s, 0.48):
            shown = page.evaluate(_SEEK, at + 0.04)
            assert at - 0.041 <= shown <= at + 0.041
            pixels, wanted = page.evaluate(_PIXELS), pictures[round(shown / 0.08)]
            unlike = sum(abs(int(a) - int(b)) for a, b in zip(pixels, wanted, strict=False)) / len(wanted)
            assert unlike < 4, f"at {shown}"
        assert page.evaluate(_PLAY)["frames"] >= 10
        page.evaluate(_SEEK, joint_s - 0.4)
        page.evaluate("() => document.getElementById('v').play()")
        page.wait_for_function(f"() => document.getElementById('v').currentTime > {joint_s + 0.4}")
        assert page.evaluate("() => document.getElementById('v').error") is None


def test_hls_parts_in_media_source(tmp_path: Path, page: Page) -> None:
    """Initialization segment and parts, appended as hls.js does, are one unbroken stretch."""
    shelf = Shelf(tmp_path)
    clip = load_clip("lot")
    shelf.write_run(clip)
    text = open_playlist(shelf, VideoRequest(KEY, WALL_US, WALL_US + 30_000_000), accounted_until_us=_LATER_US)
    urls = [line.split('"')[1] if "MAP" in line else line for line in text.splitlines() if "segment.mp4" in line]
    files = {"/": _PAGE}
    for number, url in enumerate(urls):
        part = open_part(shelf, KEY, dict(parse_qsl(url.split("?")[1])))
        files[f"/{number}"] = ("video/mp4", b"".join(part.chunks()))
    with served(files) as address:
        page.goto(address)
        ranges = page.evaluate(_APPEND, [mime_type(clip.tracks), [f"/{n}" for n in range(len(urls))]])
    assert len(ranges) == 1
    assert ranges[0] == pytest.approx([0, 30], abs=0.2)


def test_live_chunks_in_media_source(page: Page) -> None:
    """One moof+mdat a sample; times may begin anywhere, B-frames keep their order."""
    clip = load_clip("room")
    start = 1 << 33
    files = {"/": _PAGE, "/init": ("video/mp4", live_init(clip.tracks))}
    for n, (dts, cts, duration, sync, data, _) in enumerate(clip.samples[0][:40]):
        files[f"/{n}"] = ("video/mp4", live_chunk(n, 0, start + dts, cts, duration, sync, data))
    with served(files) as address:
        page.goto(address)
        ranges = page.evaluate(_APPEND, [mime_type(clip.tracks), ["/init", *(f"/{n}" for n in range(40))]])
    assert ranges[0] == pytest.approx([start / 90_000 + 0.1, start / 90_000 + 4.1], abs=0.25)
