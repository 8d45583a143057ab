"""A post with an H.265 camera, for browsers that do not play it: live and recorded as H.264, by children, up to a limit that is seen."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.post import Cameras
from tests.support.asking import http
from tests.support.painted import HEIGHT, WIDTH, bright_clip, brightest, decoded
from tests.support.post import Post
from tests.support.wait import until_now
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.base.tasks import ended
from longwatch.formats.bmff import Mp4File
from longwatch.simulate.camera import SimulatedCamera

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    folder = tmp_path_factory.mktemp("transcodes")
    clip = bright_clip(folder / "bright.mp4", "libx265")
    cameras = Cameras()
    urls = {name: cameras.add(name, lambda: SimulatedCamera(clip)).url for name in ("gate", "yard")}
    masked = "  yard:\n    masks: [{name: a, polygon: [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]}]\n"
    made = Post(folder, urls)
    config = made.config.read_text()
    made.config.write_text(config.replace("web: {", "web: {transcodes: 1, ").replace("  yard:\n", masked))
    with contextlib.closing(cameras):
        try:
            made.start()
            until_now(lambda: _recorded_s(made) > 6, "some seconds are recorded")
            yield made
        finally:
            made.stop()


def _recorded_s(post: Post) -> float:
    months = post.get("/api/v1/cameras/gate/timeline", **{"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z"})
    if months.status_code != 200:
        return 0.0
    return max(
        [(parse_us(i["to"]) - parse_us(i["from"])) / 1e6 for i in months.json()["items"] if i["state"] == "recorded"],
        default=0.0,
    )


async def _watch(
    post: Post, camera: str, chunks: int, query: str = "?transcode=h264", seen: asyncio.Event | None = None
) -> tuple[dict[str, Any], bytes]:
    """So many chunks, and on until `seen` is set."""
    uri = f"{post.base.replace('http', 'ws')}/api/v1/cameras/{camera}/live{query}"
    told: dict[str, Any] = {}
    data = b""
    async with connect(uri, additional_headers={"Authorization": f"Bearer {post.token}"}) as socket:
        while chunks > 0 or (seen is not None and not seen.is_set()):
            async with asyncio.timeout(180):  # `wait_for` of Python 3.11 may swallow a cancellation
                message = await socket.recv()
            if isinstance(message, str):
                said = json.loads(message)
                told = said if said.get("mime") else told
            else:
                data += message
                chunks -= 1
    return told, data


def _running(post: Post) -> dict[str, Any]:
    return dict(post.get("/api/v1/transcodes").json())


def test_live_is_h264_and_the_transcode_ends_with_its_last_viewer(post: Post, tmp_path: Path) -> None:
    plain, _ = asyncio.run(_watch(post, "gate", 2, ""))
    assert "hvc1" in plain["mime"]

    async def two() -> list[tuple[dict[str, Any], bytes]]:
        seen = asyncio.Event()
        watching = [asyncio.create_task(_watch(post, "gate", 40, seen=seen)) for _ in range(2)]
        await asyncio.to_thread(until_now, lambda: _running(post)["used"] == 1, "one transcode serves both")
        assert [(one["camera"], one["kind"]) for one in _running(post)["running"]] == [("gate", "live")]
        seen.set()
        return await asyncio.gather(*watching)

    for told, data in asyncio.run(two()):
        assert "avc1" in told["mime"]
        assert "hvc1" not in told["mime"]
        (tmp_path / "live.mp4").write_bytes(data)
        pictures = list(decoded(tmp_path / "live.mp4"))
        assert len(pictures) >= 30
        assert (pictures[0].width, pictures[0].height) == (WIDTH, HEIGHT)
        assert brightest(pictures[-1], 0, 0, 1, 1)[0] > 180
    until_now(lambda: _running(post)["used"] == 0, "it ends when nobody watches")
    until_now(lambda: not _children(post), "and its process with it")


def _children(post: Post) -> list[int]:
    """Processes of the server that make live transcodes now."""
    pid = post.server_pid
    assert pid is not None
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = []
    for child in listed:
        with contextlib.suppress(OSError):
            if b"pictures.child" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def test_beyond_the_limit_it_is_refused_with_words(post: Post) -> None:
    async def one_too_many() -> tuple[int, str]:
        watching = asyncio.create_task(_watch(post, "gate", 0, seen=asyncio.Event()))  # for as long as the others try
        await asyncio.to_thread(until_now, lambda: _running(post)["used"] == 1, "one is taken")
        try:
            with pytest.raises(ConnectionClosed) as refused:
                await _watch(post, "yard", 1)
            playlist = await asyncio.to_thread(_playlist, post)
            media = re.findall(r"^segment\.mp4\S+", playlist, re.MULTILINE)[0]
            answer = await asyncio.to_thread(_get, post, media)
        finally:
            await ended([watching])
        assert answer.status_code == 503
        assert "in use" in answer.json()["what"]
        assert answer.headers["Retry-After"] == "2"
        assert refused.value.rcvd is not None
        return refused.value.rcvd.code, refused.value.rcvd.reason

    code, reason = asyncio.run(one_too_many())
    assert code == 4503
    assert reason == "all 1 transcodes of this post are in use: gate (live)"
    assert _running(post)["refused"] >= 2
    assert "longwatch_transcodes_refused_total" in post.get("/metrics").text


def _span(post: Post) -> tuple[int, int]:
    until_us = parse_us(post.recorded_until("gate"))
    return until_us - 5_000_000, until_us - 500_000


def _playlist(post: Post, transcode: str = "h264") -> str:
    from_us, to_us = _span(post)
    query = {"from": format_us(from_us), "to": format_us(to_us), **({"transcode": transcode} if transcode else {})}
    answer = post.get("/api/v1/cameras/gate/playlist.m3u8", **query)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_playlist_plays_as_h264_at_the_same_times(post: Post, tmp_path: Path) -> None:
    until_now(lambda: _running(post)["used"] == 0, "nobody watches")
    text = _playlist(post)
    assert "transcode=h264" in text
    init = re.search(r'#EXT-X-MAP:URI="([^"]+)"', text)
    assert init is not None
    parts = re.findall(r"^segment\.mp4\S+", text, re.MULTILINE)
    head = _get(post, init[1]).content
    assert b"avc1" in head
    assert b"hvc1" not in head
    bodies = [_get(post, part).content for part in parts]
    originals = [_get(post, part.replace("&transcode=h264", "")).content for part in parts]
    original_head = _get(post, init[1].replace("&transcode=h264", "")).content
    (tmp_path / "made.mp4").write_bytes(head + b"".join(bodies))
    (tmp_path / "stored.mp4").write_bytes(original_head + b"".join(originals))
    made, stored = list(decoded(tmp_path / "made.mp4")), list(decoded(tmp_path / "stored.mp4"))
    assert len(made) == len(stored)
    assert [round(frame.pts * float(frame.time_base), 3) for frame in made] == [
        round(frame.pts * float(frame.time_base), 3) for frame in stored
    ]
    for a, b in zip(made[::10], stored[::10], strict=True):
        assert abs(brightest(a, 0.4, 0.4, 0.6, 0.6)[0] - brightest(b, 0.4, 0.4, 0.6, 0.6)[0]) < 20
    again = _get(post, parts[0])
    assert again.content == bodies[0], "what was made is kept"


def test_a_file_that_begins_exactly_is_of_the_codec_that_is_stored(post: Post, tmp_path: Path) -> None:
    until_now(lambda: _running(post)["used"] == 0, "nobody watches")
    from_us, to_us = _span(post)
    from_us += 130_000  # whatever it falls on: groups of pictures are a second long
    span = {"from": format_us(from_us), "to": format_us(to_us)}
    answer = post.get("/api/v1/cameras/gate/video.mp4", **span, exact="1")
    assert answer.status_code == 200, answer.text
    assert from_us <= parse_us(answer.headers["x-longwatch-start"]) < from_us + 45_000
    plain = post.get("/api/v1/cameras/gate/video.mp4", **span)
    assert parse_us(plain.headers["x-longwatch-start"]) <= from_us
    file, stored = Mp4File.from_bytes(answer.content), Mp4File.from_bytes(plain.content)
    assert {entry[4:8] for entry in file.tracks[0].sample_entries} == {b"hvc1"}
    last = [file.data(sample) for sample in file.tracks[0].samples[-30:]]
    assert last == [stored.data(sample) for sample in stored.tracks[0].samples[-30:]]
    (tmp_path / "exact.mp4").write_bytes(answer.content)
    pictures = list(decoded(tmp_path / "exact.mp4"))
    assert pictures[0].pts == 0
    assert 0 <= len(file.tracks[0].samples) - len(pictures) <= 2, (
        "hidden is what the last ones refer to, and nothing else"
    )
    assert all(brightest(frame, 0, 0, 1, 1)[0] > 180 for frame in pictures)
    assert _running(post)["used"] == 0


def test_what_is_masked_stays_so_where_it_is_encoded_anew(post: Post, tmp_path: Path) -> None:
    until_us = parse_us(post.recorded_until("yard"))
    span = {"from": format_us(until_us - 3_870_000), "to": format_us(until_us - 500_000)}
    answer = post.get("/api/v1/cameras/yard/video.mp4", **span, exact="1")
    assert answer.status_code == 200, answer.text
    (tmp_path / "exact.mp4").write_bytes(answer.content)
    frames = list(decoded(tmp_path / "exact.mp4"))
    assert len(frames) > 50
    for frame in frames:
        assert brightest(frame, 0.25, 0.25, 0.75, 0.75)[0] <= 45
        assert brightest(frame, 0, 0, 0.2, 0.2)[0] > 150


def test_the_cost_of_masks_is_measured_before_they_are_there(post: Post) -> None:
    answer = _post(
        post, "/api/v1/cameras/gate/masks/cost", {"masks": [{"name": "a", "polygon": [[0, 0], [1, 0], [1, 1]]}]}
    )
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["pictures"] >= 25
    assert 0 < found["percent_of_core"] < 100
    assert found["bitrate_after"] > 0
    assert found["streams"] == ["main"]
    wrong = _post(
        post, "/api/v1/cameras/gate/masks/cost", {"masks": [{"name": "a", "polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}]}
    )
    assert wrong.status_code == 422
    assert "cross" in wrong.json()["what"]


def _get(post: Post, media: str) -> httpx.Response:
    """A URL of the playlist, as it stands there."""
    address = f"{post.base}/api/v1/cameras/gate/{media}"
    return http().get(address, headers={"Authorization": f"Bearer {post.token}"}, timeout=180)


def _post(post: Post, path: str, body: object) -> Any:
    return http().post(post.base + path, json=body, headers={"Authorization": f"Bearer {post.token}"}, timeout=180)


def test_what_is_masked_is_in_no_live_picture_and_no_still(post: Post, tmp_path: Path) -> None:
    """`yard` is masked: what a viewer gets is what the recorder has, and the recorder has nothing else."""
    for n, query in enumerate(("", "?transcode=h264")):
        until_now(lambda: _running(post)["used"] == 0, "nobody watches")
        told, data = asyncio.run(_watch(post, "yard", 30, query))
        assert "avc1" in told["mime"], "it is what the masking child made, although the camera sends H.265"
        (tmp_path / f"{n}.mp4").write_bytes(data)
        for frame in decoded(tmp_path / f"{n}.mp4"):
            assert brightest(frame, 0.25, 0.25, 0.75, 0.75)[0] <= 45
            assert brightest(frame, 0, 0, 0.2, 0.2)[0] > 150
    (tmp_path / "still.jpg").write_bytes(post.get("/api/v1/cameras/yard/still.jpg").content)
    (still,) = decoded(tmp_path / "still.jpg")
    assert brightest(still, 0.27, 0.27, 0.73, 0.73)[0] <= 45
    assert brightest(still, 0, 0, 0.2, 0.2)[0] > 150


def test_the_verb_measures_what_the_masks_of_a_camera_cost(post: Post) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "longwatch.cli", "camera", "masks", "yard", "--json", "--config", str(post.config)],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["masks"], said["shades"]) == (["a"], [])
    assert 0 < said["cost"]["percent_of_core"] < 100
    unknown = subprocess.run(
        [sys.executable, "-m", "longwatch.cli", "camera", "masks", "nobody", "--config", str(post.config)],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert unknown.returncode == 2
    assert "there is no camera nobody" in unknown.stderr
