"""The demo and the simulator as a person starts them: separate processes, real ports, Ctrl-C at the end."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import pytest
from tests.support.measured import within
from tests.support.ports import free_port
from tests.support.wait import until_now

from longwatch.simulate.camera import LOT

pytestmark = pytest.mark.slow
CLI = [sys.executable, "-m", "longwatch.cli"]


def processes() -> dict[int, str]:
    """Every process of this machine with its arguments."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


class Demo:
    """A demo that is up: where it is, who may sign in."""

    def __init__(self, child: subprocess.Popen[str], base: str, password: str, said: list[str]) -> None:
        self.child = child
        self.base = base
        self.password = password
        self.said = said
        self.client = httpx.Client(base_url=base, timeout=180)

    def sign_in(self) -> None:
        answer = self.client.post("/api/v1/login", json={"name": "demo", "password": self.password})
        assert answer.status_code == 200, answer.text

    def cameras(self) -> list[dict]:
        return self.client.get("/api/v1/cameras").json()["items"]


@contextlib.contextmanager
def demo(folder: Path, *more: str) -> Iterator[Demo]:
    port = free_port()
    child = subprocess.Popen(
        [*CLI, "demo", "--listen", f"127.0.0.1:{port}", *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(folder)},
    )  # fmt: skip
    said = []
    try:
        for line in child.stdout:
            said.append(line.rstrip("\n"))
            if "Ctrl-C" in line:
                break
        found = dict(line.split(": ", 1) for line in said if ": " in line)
        assert "password" in found, (said, child.stderr.read())
        yield Demo(child, found["address"], found["password"], said)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()


def test_a_demo_from_its_start_to_ctrl_c(tmp_path: Path):
    with demo(tmp_path, "--cameras", "3") as post:
        assert [line for line in post.said if re.fullmatch(r"user: \S+", line)] == ["user: demo"]
        assert len([line for line in post.said if re.fullmatch(r"password: \S{10,}", line)]) == 1
        post.sign_in()
        until_now(lambda: [c["state"] for c in post.cameras()] == ["recording"] * 3, "all record")
        assert [c["name"] for c in post.cameras()] == ["Gate", "Yard", "Workshop"]
        until_now(lambda: all(c["recorded_until"] for c in post.cameras()), "something is kept")
        assert post.password not in " ".join(processes().values())
        secret = next(tmp_path.rglob("secrets.env")).read_text().split("=", 1)[1].strip()
        assert secret not in " ".join(processes().values())
        assert secret not in next(tmp_path.rglob("demo.log")).read_text()
        assert secret not in json.dumps(post.cameras())
        with within(10):
            post.child.send_signal(signal.SIGINT)
            assert post.child.wait(180) == 0
        assert post.child.stderr.read() == ""
    assert list(tmp_path.iterdir()) == []
    assert not [line for line in processes().values() if str(tmp_path) in line]


def test_a_demo_that_keeps_its_recordings_goes_on_with_them(tmp_path: Path):
    kept, scratch = tmp_path / "kept", tmp_path / "scratch"
    scratch.mkdir()
    firsts = []
    for _ in range(2):
        with demo(scratch, "--cameras", "1", "--data", str(kept)) as post:
            post.sign_in()
            until_now(lambda post=post: post.cameras()[0]["state"] == "recording", "it records")
            firsts.append(post.cameras()[0]["set_up"])
            post.child.send_signal(signal.SIGTERM)
            assert post.child.wait(180) == 0
    assert firsts[0] == firsts[1]
    assert list(scratch.iterdir()) == []


def test_a_demo_that_is_killed_leaves_nothing_running(tmp_path: Path):
    with demo(tmp_path, "--cameras", "1") as post:
        assert [line for line in processes().values() if str(tmp_path) in line]
        post.child.kill()
        post.child.wait()
        until_now(lambda: not [line for line in processes().values() if str(tmp_path) in line], "all is over")


def test_a_simulated_camera_by_the_command_line():
    port = free_port()
    words = [
        "simulate",
        "camera",
        str(LOT),
        "--listen",
        f"127.0.0.1:{port}",
        "--user",
        "me",
        "--digest",
        "--fault",
        "drop@600",
    ]
    child = subprocess.Popen(
        [*CLI, *words], stdout=subprocess.PIPE, text=True, env=os.environ | {"LONGWATCH_SIMULATE_PASSWORD": "k1tt3n"}
    )
    try:
        assert child.stdout.readline().strip() == f"rtsp://127.0.0.1:{port}/main"
        with av.open(
            f"rtsp://me:k1tt3n@127.0.0.1:{port}/main", options={"rtsp_transport": "tcp"}, timeout=180
        ) as container:
            assert next(container.decode(video=0)).width == 768
        with pytest.raises(av.FFmpegError):
            av.open(f"rtsp://me:wrong@127.0.0.1:{port}/main", options={"rtsp_transport": "tcp"}, timeout=180)
        child.send_signal(signal.SIGINT)
        assert child.wait(180) == 0
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_cameras_end_with_their_parent():
    child = subprocess.Popen(
        [sys.executable, "-m", "longwatch.simulate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child.stdin.write(
        json.dumps([{"files": {"main": str(LOT)}}, {"files": {"main": str(LOT), "sub": str(LOT)}}]) + "\n"
    )
    child.stdin.flush()
    urls = json.loads(child.stdout.readline())
    assert [sorted(u) for u in urls] == [["main"], ["main", "sub"]]
    child.stdin.close()
    assert child.wait(180) == 0
    child.stdout.close()


def test_a_load_of_cameras_is_what_it_says(tmp_path: Path):
    """1080p25 at about 4 Mbit/s, packets apart in time, a sync sample at the beginning of each session."""
    child = subprocess.Popen(
        [sys.executable, "-m", "longwatch.simulate.load", "--cameras", "5"],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
    )  # fmt: skip
    try:
        urls = json.loads(child.stdout.readline())
        assert len(set(urls)) == 5
        with av.open(urls[3], options={"rtsp_transport": "tcp"}, timeout=180) as container:
            packets = []
            for packet in container.demux(video=0):
                if packet.size:
                    packets.append((packet.pts, packet.size, packet.is_keyframe))
                if len(packets) == 100:
                    break
            context = container.streams.video[0].codec_context
            assert (context.width, context.height) == (1920, 1080)
        assert packets[0][2]
        assert {b[0] - a[0] for a, b in itertools.pairwise(packets[1:])} == {3600}  # libav leaves the first untimed
        assert 3.0e6 < sum(size for _, size, _ in packets) * 8 / 4 < 5.0e6
        child.terminate()
        assert child.wait(180) == 0
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
