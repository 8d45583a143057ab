"""Figure 16 over a whole post: a camera's password, and that of a stream in a query, in no answer of any route, no argument and no environment of
any of its processes, no log, no file that is made, and no export. With masks, so that the child that connects is one more process.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.post import Cameras
from tests.support.asking import http
from tests.support.post import Post, running_post
from tests.support.wait import until_now

from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = pytest.mark.slow
PASSWORD = "c4n4ry-Pa55-of-a-camera"
IN_ENVIRONMENT = "c4n4ry-of-the-environment"
CANARIES = (PASSWORD.encode(), IN_ENVIRONMENT.encode())


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    folder = tmp_path_factory.mktemp("canaries")
    cameras = Cameras()
    gate = cameras.add("gate", lambda: SimulatedCamera(LOT, user="watch", password=PASSWORD))
    yard = cameras.add("yard", lambda: SimulatedCamera(LOT, user="watch", password=IN_ENVIRONMENT))
    os.environ["YARD_PASSWORD"] = IN_ENVIRONMENT
    urls = {"gate": gate.url, "yard": yard.url.replace(IN_ENVIRONMENT, "${YARD_PASSWORD}")}
    try:
        with contextlib.closing(cameras), running_post(folder, urls) as running:
            text = running.config.read_text()
            mask = "    masks: [{name: a, polygon: [[0, 0], [0.5, 0], [0.5, 0.5]]}]\n"
            running.config.write_text(text.replace("  yard:\n", f"{mask}  yard:\n{mask}"))
            answer = _send(running, "POST", "/api/v1/settings/camera/gate", {"patch": {"shades": [{"name": "b", "polygon": [[0.6, 0], [1, 0], [1, 0.5]]}]}, "reason": "to try it"})  # fmt: skip
            assert answer.status_code == 200, answer.text
            until_now(lambda: len(_masking(running)) == 2, "both are masked")
            before = running.recorded_until("gate")
            until_now(lambda: running.recorded_until("gate") > before, "it is recorded masked")
            yield running
    finally:
        del os.environ["YARD_PASSWORD"]


def _send(post: Post, method: str, path: str, body: object = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {post.token}"}
    return http().request(method, post.base + path, json=body, headers=headers, timeout=180)


def _descendants(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found


def _masking(post: Post) -> list[int]:
    assert post.supervisor is not None
    found = []
    for pid in _descendants(post.supervisor.pid):
        with contextlib.suppress(OSError):
            if b"children.masking" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def test_no_answer_of_any_route_holds_a_password(post: Post) -> None:
    described = _send(post, "GET", "/api/v1/openapi.json").json()
    until_us = parse_us(post.recorded_until("gate"))
    values = {"from": format_us(until_us - 5_000_000), "to": format_us(until_us), "camera": "gate", "month": "2026-01", "width": "160", "at": format_us(until_us)}  # fmt: skip
    asked = 0
    for path, methods in described["paths"].items():
        operation: dict[str, Any] | None = methods.get("get")
        if operation is None:
            continue
        where = path.replace("{id}", "gate").replace("{name}", "look")
        query = {
            p["name"]: values[p["name"]]
            for p in operation.get("parameters", [])
            if p["in"] == "query" and p["name"] in values
        }
        answer = http().get(
            post.base + where, params=query, headers={"Authorization": f"Bearer {post.token}"}, timeout=180
        )
        for canary in CANARIES:
            assert canary not in answer.content, (where, answer.status_code)
            assert canary.decode() not in str(answer.headers), where
        asked += answer.status_code == 200
    assert asked > 20, "most routes answered"
    settings = _send(post, "GET", "/api/v1/settings")
    assert "•••" in settings.json()["text"], "the password is there as a stand-in"
    for body in ({"patch": {"transport": "nonsense"}}, {"patch": {"streams": {"main": "rtsp://[broken"}}}):
        answer = _send(post, "POST", "/api/v1/settings/camera/gate", body)
        assert answer.status_code in {400, 422}
        assert not any(canary in answer.content for canary in CANARIES)
    cost = _send(post, "POST", "/api/v1/cameras/gate/masks/cost", {})
    assert cost.status_code == 200, cost.text


def test_no_process_of_the_post_shows_one(post: Post) -> None:
    """The environment of the recorder holds what its owner put there; nobody below it gets that."""
    assert post.supervisor is not None
    masking = _masking(post)
    assert len(masking) == 2
    for pid in _descendants(post.supervisor.pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            assert not any(canary in command for canary in CANARIES), command
    for pid in masking:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert not any(canary in environment for canary in CANARIES)


def test_nothing_that_is_made_holds_one(post: Post, tmp_path: Path) -> None:
    until_us = parse_us(post.recorded_until("gate"))
    from_us = until_us - 3_000_000
    package = tmp_path / "package.zip"
    done = subprocess.run(
        [sys.executable, "-m", "longwatch.cli", "export", "gate", "--from", format_us(from_us), "--to", format_us(until_us),
         "--out", str(package), "--evidence", "--config", str(post.config)],
        capture_output=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = [package, post.log, *(path for path in post.data.rglob("*") if path.is_file())]
    assert len(made) > 10
    for path in made:
        with contextlib.suppress(FileNotFoundError):
            content = path.read_bytes()
            if (
                path.name == "settings.last-good"
            ):  # a copy of the owner's file, for its eyes alone: what stands there, stands here
                assert path.stat().st_mode & 0o077 == 0
                content = content.replace(PASSWORD.encode(), b"")
            for canary in CANARIES:
                assert canary not in content, path
    for said in (done.stdout, done.stderr):
        assert not any(canary in said for canary in CANARIES)
