"""Strips in a whole post with real cameras: there within seconds, and whole after a kill -9 of the server that writes them."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from tests.support.post import Post, is_running, running_post
from tests.support.wait import until_now

from longwatch.archive import ArchiveReader
from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.model.sessions import StreamKey
from longwatch.simulate.camera import LOT
from longwatch.strips.picking import held, syncs

pytestmark = pytest.mark.slow
CAMERAS = ("gate", "yard")
SOONER = {"longwatch.strips.making": "SWEEP_US = 5_000_000"}
"""What is missing is looked for every five seconds instead of every minute."""


@pytest.fixture
def urls() -> Iterator[dict[str, str]]:
    child = subprocess.Popen(
        [sys.executable, "-m", "longwatch.simulate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps([{"files": {"main": str(LOT)}}] * 2) + "\n")
    child.stdin.flush()
    yield {camera: made["main"] for camera, made in zip(CAMERAS, json.loads(child.stdout.readline()), strict=True)}
    child.stdin.close()
    child.wait(60)
    child.stdout.close()


def strips(post: Post, begun_us: int) -> dict[str, list[tuple[int, bytes]]]:
    """Every picture there is, by camera."""
    now_us = int(dt.datetime.now(dt.UTC).timestamp() * 1e6)
    params: dict[str, Any] = {
        "camera": list(CAMERAS),
        "from": format_us(begun_us),
        "to": format_us(now_us),
        "step": "1",
    }
    answer = post.get("/api/v1/strips", **params)
    assert answer.status_code == 200, answer.text
    (length,) = struct.unpack_from("<I", answer.content)
    head = json.loads(answer.content[4 : 4 + length])
    base = 4 + length
    return {
        item["camera"]: [
            (at, answer.content[base + offset : base + offset + size]) for at, offset, size in item["pictures"]
        ]
        for item in head["items"]
    }


def width_of(jpeg: bytes) -> int:
    with av.open(io.BytesIO(jpeg), format="mjpeg") as picture:
        return next(picture.decode(video=0)).width


def slots(pictures: list[tuple[int, bytes]]) -> set[int]:
    return {at // 2_000_000 for at, _ in pictures}


def slots_of_footage(post: Post, camera: str, until_us: int) -> set[int]:
    """Slots that a sync sample begins in."""
    reader = ArchiveReader([post.data])
    try:
        segments = held(reader, StreamKey(camera, "main"), 0, until_us)
        return {sync.at_us // 2_000_000 for sync in syncs(reader, segments, 0, until_us)}
    finally:
        reader.close()


def test_strips_follow_within_seconds_and_survive_a_kill_of_the_server(tmp_path: Path, urls: dict[str, str]):
    begun_us = int(dt.datetime.now(dt.UTC).timestamp() * 1e6) - 1_000_000
    with running_post(tmp_path, urls, "strips: {every: 2s, width: 128}\n", SOONER) as post:
        until_now(lambda: all(len(strips(post, begun_us)[camera]) >= 2 for camera in CAMERAS), "strips")

        def behind_us() -> int:
            return parse_us(post.recorded_until("gate")) - strips(post, begun_us)["gate"][-1][0]

        until_now(lambda: post.recorded_until("gate") and behind_us() < 6_000_000, "no more than seconds behind")
        assert {width_of(jpeg) for of in strips(post, begun_us).values() for _, jpeg in of} == {128}
        before = len(strips(post, begun_us)["gate"])
        gone = post.server_pid
        assert gone is not None
        assert post.supervisor is not None
        post.supervisor.send_signal(signal.SIGSTOP)  # so that the next server begins when the cut is complete
        os.kill(gone, signal.SIGKILL)
        until_now(lambda: not is_running(gone), "it is gone")
        for path in (post.data / "derived" / "strips" / "gate").iterdir():
            # what a power cut may do besides: the end of both files was never written
            os.truncate(path, max(0, path.stat().st_size - 37))
        post.supervisor.send_signal(signal.SIGCONT)
        until_now(lambda: post.server_pid not in {None, gone}, "the server is back")
        until_now(post.answers, "the server answers")
        until_now(lambda: len(strips(post, begun_us)["gate"]) >= before, "strips go on")

        until_now(lambda: all(post.recorded_until(camera) for camera in CAMERAS), "it knows what is recorded")

        def footage() -> dict[str, set[int]]:
            until_us = min(parse_us(post.recorded_until(camera)) for camera in CAMERAS)
            return {camera: slots_of_footage(post, camera, until_us) for camera in CAMERAS}

        until_now(lambda: all(len(found) > 2 for found in footage().values()), "footage of more than two strips")
        for camera, wanted in footage().items():
            # what the kill cost is made up from the footage
            until_now(lambda c=camera, w=wanted: w <= slots(strips(post, begun_us)[c]), "what is missing is made up")
            found = strips(post, begun_us)[camera]
            assert {width_of(jpeg) for _, jpeg in found} == {128}
            assert len(slots(found)) == len(found)
        span = {"from": format_us(begun_us), "to": "2100-01-01T00:00:00Z", "kind": "viewing"}

        def entered() -> bool:
            return any("strip" in json.dumps(item) for item in post.get("/api/v1/audit", **span).json()["items"])

        until_now(entered, "who looked at strips is entered")
