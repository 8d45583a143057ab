"""An export on a real post whose server is killed in the midst of it: it is made all the same, once, and recording never notices."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.post import Cameras
from tests.support.post import Post, running_post
from tests.support.wait import until_now

from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = pytest.mark.slow


@pytest.fixture
def post(tmp_path: Path):
    cameras = Cameras()
    gate = cameras.add("gate", lambda: SimulatedCamera(LOT))
    with running_post(tmp_path, {"gate": gate.url}, "exports: {rate: 60kB}\n") as running:
        yield running
    cameras.close()


def ask(post: Post, method: str, path: str, **more: Any) -> Any:
    answer = httpx.request(
        method, f"{post.base}/api/v1/{path}", headers={"Authorization": f"Bearer {post.token}"}, timeout=180, **more
    )
    assert answer.status_code < 300, answer.text
    return answer.json()


def recorded_us(post: Post) -> int:
    said = post.recorded_until("gate")
    return parse_us(said) if said else 0


def test_a_server_that_is_killed_makes_it_all_the_same(post: Post) -> None:
    begin = until_now(lambda: recorded_us(post))
    until_now(lambda: recorded_us(post) > begin + 7_000_000, "there is something to export")
    span = {"from": format_us(begin - 1_000_000), "to": format_us(begin + 6_000_000)}
    job = ask(post, "POST", "exports", json={"cameras": ["gate"], **span, "reason": "a test"})
    running = until_now(lambda: (found := ask(post, "GET", f"exports/{job['id']}"))["progress"] and found, "it is made")
    assert running["state"] == "running"
    until_now(lambda: ask(post, "GET", f"exports/{job['id']}")["progress"]["part"] > 0.1, "it gets on")
    parts = list((post.data / "derived" / "exports" / str(job["id"])).glob(".*.part"))
    assert parts, "there is something half made"
    server = post.server_pid
    assert server is not None
    before = recorded_us(post)
    os.kill(server, signal.SIGKILL)
    until_now(lambda: post.server_pid not in {None, server} and post.answers(), "it is back")
    done = until_now(
        lambda: (found := ask(post, "GET", f"exports/{job['id']}"))["state"] in {"done", "failed"} and found,
        "it is done",
    )
    assert done["state"] == "done", done
    (file,) = done["files"]
    url = f"{post.base}{file['url']}"
    headers = {"Authorization": f"Bearer {post.token}"}
    whole = httpx.get(url, headers=headers, timeout=180).content
    assert hashlib.sha256(whole).hexdigest() == file["sha256"]
    rest = httpx.get(url, headers={**headers, "Range": "bytes=1000-", "If-Range": f'"{file["sha256"]}"'}, timeout=180)
    assert (rest.status_code, rest.content) == (206, whole[1000:])
    folder = post.data / "derived" / "exports" / str(job["id"])
    assert [path.name for path in folder.iterdir()] == [file["name"]], "nothing half made is left"
    until_now(lambda: recorded_us(post) > before + 2_000_000, "recording went on")
    gaps = ask(post, "GET", "gaps", params={"from": span["from"], "to": format_us(recorded_us(post))})["items"]
    assert [gap for gap in gaps if gap["cause"] != "never_recorded"] == []
