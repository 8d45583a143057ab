"""The three processes of `longwatch run`: who may die, who notices, and what goes on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import websockets
import websockets.sync.client
from tests.e2e.post import Cameras
from tests.support.measured import within
from tests.support.post import Post, is_running, running_post
from tests.support.wait import until_now

from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-processes")]
PASSWORD = "c4n4ry-Pa55"


@pytest.fixture
def cameras():
    made = Cameras()
    made.add("gate", lambda: SimulatedCamera(LOT))
    yield made
    made.close()


@pytest.fixture
def post(tmp_path: Path, cameras: Cameras):
    with running_post(tmp_path, {"gate": cameras.by_id["gate"].url}) as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory):
    """One post for the tests that leave it as it is, or as it was: what they kill is started again."""
    made = Cameras()
    gate = made.add("gate", lambda: SimulatedCamera(LOT))
    with running_post(tmp_path_factory.mktemp("shared"), {"gate": gate.url}) as running:
        yield running
    made.close()


def goes_on(post: Post) -> None:
    """What is durable grows."""
    before = until_now(lambda: post.recorded_until("gate"))
    until_now(lambda: post.recorded_until("gate") > before, "recording goes on")


def ends_in_time(post: Post) -> None:
    with within(5, "the end of all three"):
        assert post.stop() == 0


def test_killing_the_server_never_interrupts_recording(shared: Post) -> None:
    post = shared
    recorder, server = post.recorder_pid, post.server_pid
    begun = post.recorded_until("gate")
    os.kill(server, signal.SIGKILL)
    until_now(lambda: not is_running(server))
    until_now(lambda: post.server_pid not in {None, server} and post.answers(), "a new server")
    goes_on(post)
    assert post.recorder_pid == recorder
    tiles = post.get("/api/v1/cameras/gate/timeline", **{"from": begun, "to": post.recorded_until("gate")}).json()[
        "items"
    ]
    assert {tile["state"] for tile in tiles} == {"recorded"}  # in two parts where its clock was just learnt
    assert len({tile["run"] for tile in tiles}) == 1


def test_a_killed_recorder_is_started_again_and_its_absence_is_a_gap(shared: Post) -> None:
    post = shared
    recorder, server = post.recorder_pid, post.server_pid
    begun = post.recorded_until("gate")
    os.kill(recorder, signal.SIGKILL)
    until_now(lambda: post.recorder_pid not in {None, recorder}, "a new recorder")
    goes_on(post)
    assert post.server_pid == server
    tiles = post.get("/api/v1/cameras/gate/timeline", **{"from": begun, "to": post.recorded_until("gate")}).json()[
        "items"
    ]
    assert "recorder_failed" in {tile["cause"] for tile in tiles if tile["state"] == "gap"}
    assert {tile["cause"] for tile in tiles} <= {None, "recorder_failed", "camera_unreachable", "post_stopped"}


def test_the_supervisors_end_stops_neither_and_the_next_one_adopts_both(post: Post) -> None:
    recorder, server = post.recorder_pid, post.server_pid
    post.supervisor.kill()
    post.supervisor.wait()
    goes_on(post)
    assert (post.recorder_pid, post.server_pid) == (recorder, server)
    post.start()
    until_now(lambda: post.log.read_text().count("adopted") >= 2)
    assert (post.recorder_pid, post.server_pid) == (recorder, server)
    ends_in_time(post)
    assert not is_running(recorder)
    assert not is_running(server)


def test_sigterm_ends_both_within_five_seconds_whoever_is_watching(post: Post) -> None:
    pids = (post.recorder_pid, post.server_pid)
    headers = {"Authorization": f"Bearer {post.token}"}
    url = f"{post.base.replace('http', 'ws')}/api/v1/cameras/gate/live"
    span = {"from": "2026-01-01T00:00:00Z", "to": post.recorded_until("gate")}
    span["from"] = format_us(parse_us(span["to"]) - 2_000_000)
    with (
        websockets.sync.client.connect(url, additional_headers=headers, max_size=None) as watching,
        httpx.stream("GET", f"{post.base}/api/v1/cameras/gate/video.mp4", params=span, headers=headers) as download,
    ):
        assert "mime" in json.loads(watching.recv(60))
        assert download.status_code == 200  # and it is never read on
        ends_in_time(post)
    assert not any(is_running(pid) for pid in pids)


def test_the_supervisor_is_small(shared: Post) -> None:
    post = shared
    status = Path(f"/proc/{post.supervisor.pid}/status").read_text()
    resident_kib = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    assert resident_kib < 20_000
    maps = Path(f"/proc/{post.supervisor.pid}/maps").read_text()
    assert "pydantic_core" not in maps
    assert "uvloop" not in maps


async def test_live_plays_from_a_real_camera_and_survives_the_recorder(shared: Post) -> None:
    post = shared
    url = f"{post.base.replace('http', 'ws')}/api/v1/cameras/gate/live"
    headers = {"Authorization": f"Bearer {post.token}"}
    async with websockets.connect(url, additional_headers=headers, max_size=None) as socket:
        told = json.loads(await asyncio.wait_for(socket.recv(), 60))
        assert told["mime"] == 'video/mp4; codecs="avc1.428016,mp4a.40.2"'
        assert (await socket.recv())[4:8] == b"ftyp"
        for _ in range(50):
            chunk = await asyncio.wait_for(socket.recv(), 60)
            assert chunk[4:8] == b"moof"
        before = post.recorder_pid
        os.kill(before, signal.SIGKILL)
        await asyncio.to_thread(until_now, lambda: post.recorder_pid not in {None, before}, "a new recorder")
        await asyncio.to_thread(until_now, lambda: post.recorded_until("gate"), "it records")
        with pytest.raises(TimeoutError):  # what was sent before is read; what comes now is new
            while True:
                await asyncio.wait_for(socket.recv(), 0.001)
        for _ in range(20):
            assert await asyncio.wait_for(socket.recv(), 60)


async def test_live_of_a_camera_that_is_late_begins_when_it_is_there(tmp_path: Path, cameras: Cameras) -> None:
    url = cameras.by_id["gate"].url
    cameras.stop("gate")
    post = Post(tmp_path, {"gate": url})
    try:
        await asyncio.to_thread(post.start)
        ws = f"{post.base.replace('http', 'ws')}/api/v1/cameras/gate/live"
        headers = {"Authorization": f"Bearer {post.token}"}
        async with websockets.connect(ws, additional_headers=headers, max_size=None) as socket:

            def state() -> str:
                return post.get("/api/v1/cameras").json()["items"][0]["state"]

            on_its_way = {"connecting", "recorder_failed"}  # the first attempt; the recorder's own start

            def after_it() -> str:
                return "" if (now := state()) in on_its_way else now

            assert await asyncio.to_thread(until_now, after_it, "the first attempt") == "camera_unreachable"
            assert (await asyncio.to_thread(post.get, "/readyz")).status_code == 503
            await asyncio.to_thread(cameras.start, "gate")
            assert json.loads(await asyncio.wait_for(socket.recv(), 60))["tracks"][0]["codec"] == "h264"
    finally:
        await asyncio.to_thread(post.stop)


def test_no_secret_of_a_camera_leaves_the_recorder(tmp_path: Path, cameras: Cameras) -> None:
    """A wrong password is a state, said without the password; no answer, log or argument list holds it."""
    camera = cameras.add("vault", lambda: SimulatedCamera(LOT, user="keeper", password="something else"))
    url = camera.url.replace("something%20else", PASSWORD)
    assert PASSWORD in url
    post = Post(tmp_path, {"vault": url})
    try:
        post.start()
        until_now(lambda: post.get("/api/v1/cameras").json()["items"][0]["state"] == "camera_refused")
        span = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
        texts = [
            post.get(path, **params).text
            for path, params in (
                ("/api/v1/cameras", {}), ("/readyz", {}), ("/metrics", {}), ("/api/v1/gaps", span),
                ("/api/v1/cameras/vault/timeline", span), ("/api/v1/cameras/vault/video.mp4", span),
                ("/api/v1/openapi.json", {}),
            )
        ]  # fmt: skip
        pids = (post.recorder_pid, post.server_pid, post.supervisor.pid)
        texts += [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]
        texts.append(post.log.read_text())
        assert "camera_refused" in "".join(texts)
        assert PASSWORD not in "".join(texts)
    finally:
        post.stop()


def test_gaps_have_a_cause_and_times_are_whole(shared: Post) -> None:
    span = {"from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    body = shared.get("/api/v1/cameras/gate/timeline", **span).json()
    items = body["items"]
    assert all(a["to"] == b["from"] and parse_us(a["from"]) < parse_us(a["to"]) for a, b in itertools.pairwise(items))
    assert (items[0]["cause"], items[-1]["state"]) == ("never_recorded", "pending")
    for item in items:
        if item["state"] == "gap":
            assert item["cause"]


def last_seconds(post: Post, seconds: int) -> dict[str, str]:
    """A span that is recorded whole."""
    started = post.recorded_until("gate")
    until_now(lambda: parse_us(post.recorded_until("gate")) >= parse_us(started) + (seconds + 1) * 1_000_000)
    return {"from": started, "to": format_us(parse_us(started) + seconds * 1_000_000)}


def test_recorded_video_in_ranges_is_the_same_file(shared: Post) -> None:
    span = last_seconds(shared, 3)
    whole = shared.get("/api/v1/cameras/gate/video.mp4", **span)
    assert whole.status_code == 200
    assert whole.headers["content-type"] == "video/mp4"
    assert parse_us(whole.headers["x-longwatch-start"]) <= parse_us(span["from"])
    assert whole.content[4:8] == b"ftyp"
    url, size = f"{shared.base}/api/v1/cameras/gate/video.mp4", len(whole.content)
    login = {"Authorization": f"Bearer {shared.token}"}
    parts = b""
    for start in range(0, size, 100_000):
        ranged = httpx.get(url, params=span, headers={**login, "Range": f"bytes={start}-{start + 99_999}"})
        assert ranged.status_code == 206
        assert ranged.headers["etag"] == whole.headers["etag"]
        parts += ranged.content
    assert parts == whole.content
    again = httpx.get(url, params=span, headers={**login, "If-None-Match": whole.headers["etag"]})
    assert again.status_code == 304
    assert httpx.head(url, params=span, headers=login).headers["content-length"] == str(size)


def test_a_signed_playlist_plays_without_a_header_and_opens_nothing_else(shared: Post) -> None:
    span = last_seconds(shared, 3)
    login = {"Authorization": f"Bearer {shared.token}"}
    body = {"what": "playlist.m3u8", **span}
    signed = httpx.post(f"{shared.base}/api/v1/cameras/gate/signed-url", json=body, headers=login).json()["url"]
    playlist = httpx.get(shared.base + signed)
    assert playlist.status_code == 200
    assert playlist.text.startswith("#EXTM3U")
    urls = re.findall(r'(?m)^(segment\.mp4\S+)|URI="([^"]+)"', playlist.text)
    assert len(urls) >= 2
    folder = f"{shared.base}/api/v1/cameras/gate/"
    for media, init in urls:
        answer = httpx.get(folder + (media or init))
        assert answer.status_code == 200
        assert answer.content[4:8] in {b"ftyp", b"moof"}
        changed = re.sub(r"(from|start|sequence)=(\d+)", lambda m: f"{m[1]}={int(m[2]) + 1}", media or init, count=1)
        assert httpx.get(folder + changed).status_code == 403
        assert httpx.get(folder + re.sub(r"sig=[^&]+", "", media or init)).status_code == 401
    unsigned = httpx.get(folder + "playlist.m3u8", params=span, headers=login).text
    assert "sig=" not in unsigned


def test_a_still_is_a_picture_of_its_moment(shared: Post) -> None:
    span = last_seconds(shared, 2)
    now = shared.get("/api/v1/cameras/gate/still.jpg")
    then = shared.get("/api/v1/cameras/gate/still.jpg", at=span["from"], width="160")
    for answer in (now, then):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        assert answer.content[:2] == b"\xff\xd8"
    assert abs(parse_us(then.headers["x-longwatch-start"]) - parse_us(span["from"])) < 5_000_000


def test_a_camera_that_is_added_to_the_settings_appears_without_a_restart(post: Post, cameras: Cameras) -> None:
    server = post.server_pid
    yard = cameras.add("yard", lambda: SimulatedCamera(LOT))
    text = post.config.read_text()
    fresh = post.config.with_suffix(".new")
    fresh.write_text(f"{text}  yard:\n    streams: {{main: '{yard.url}'}}\n")
    fresh.replace(post.config)
    until_now(lambda: len(post.get("/api/v1/cameras").json()["items"]) == 2, "the page knows it")
    post.supervisor.send_signal(signal.SIGHUP)
    until_now(lambda: post.recorded_until("yard"), "it is recorded")
    assert post.server_pid == server
    post.config.write_text("post: [wrong\n")
    post.supervisor.send_signal(signal.SIGHUP)
    until_now(lambda: "stay in force" in post.log.read_text(), "the server says so")
    goes_on(post)
    assert len(post.get("/api/v1/cameras").json()["items"]) == 2


def test_a_person_at_a_terminal_is_told_where_to_look_and_the_set_up_code(tmp_path: Path) -> None:
    post = Post(tmp_path, {})
    post.config.write_text(post.config.read_text().replace("cameras:\n", "cameras: {}\n"))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "longwatch.node.supervisor", "--config", str(post.config)]
    running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.set_blocking(ours, False)
    said = b""

    def told() -> bool:
        nonlocal said
        with contextlib.suppress(OSError):  # nothing yet; or nobody has the terminal open any more
            said += os.read(ours, 65_536)
        return b"Ctrl-C ends it" in said

    try:
        until_now(told, "it says so")
    finally:
        running.send_signal(signal.SIGTERM)
        until_now(lambda: told() and running.poll() is not None, "it ends")
        os.close(ours)
    text = said.decode()
    assert f"ridge: open {post.base}/" in text
    assert re.search(r"set-up code: [A-Z0-9-]{20,}", text)
    assert '"event"' not in text, "no JSON"
    assert post.log.exists() is False
