"""A whole post as processes: `longwatch run` on a folder of the test, with simulated cameras."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
from tests.support.asking import http
from tests.support.ports import free_port
from tests.support.sooner import environment
from tests.support.wait import until_now

from longwatch.node.server.commands import ask
from longwatch.node.supervisor.process import lock_holder

PASSWORD = "correct horse battery"
STOP_S = 180.0


class Post:
    """Owner of the supervisor process it started; `stop` ends all three, whoever is left. sooner: what its processes wait less for (tests/support/sooner.py)."""

    def __init__(
        self, folder: Path, cameras: dict[str, str], more: str = "", sooner: Mapping[str, str] | None = None
    ) -> None:
        self.sooner = dict(sooner or {})
        self.data = folder / "data"
        self.config = folder / "longwatch.yml"
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = folder / "log"
        listed = "".join(f"  {name}:\n    streams: {{main: '{url}'}}\n" for name, url in cameras.items())
        self.config.write_text(
            f"post: {{id: ridge, timezone: Europe/Oslo}}\ndata: {self.data}\nweb: {{listen: '127.0.0.1:{self.port}'}}\n"
            f"{more}defaults: {{detect: false}}\ncameras:\n{listed}"
        )
        self.supervisor: subprocess.Popen[bytes] | None = None
        self.token = ""

    def start(self) -> None:
        """Start `longwatch run` and wait until its server answers."""
        with self.log.open("ab") as log:
            self.supervisor = subprocess.Popen(
                [sys.executable, "-m", "longwatch.node.supervisor", "--config", str(self.config)],
                stderr=log, stdout=log, env=environment(self.sooner),
            )  # fmt: skip
        until_now(self.answers, "the server answers", 240)
        if not self.token:
            self.token = ask(self.data, "token_add", name="test", role="admin")["token"]

    def answers(self) -> bool:
        try:
            return http().get(f"{self.base}/healthz", timeout=10).status_code == 200
        except httpx.HTTPError:
            return False

    def get(self, path: str, **params: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return http().get(self.base + path, params=params, headers=headers, timeout=180)

    @property
    def recorder_pid(self) -> int | None:
        return lock_holder(self.data / "lock")

    @property
    def server_pid(self) -> int | None:
        return lock_holder(self.data / "server.lock")

    def recorded_until(self, camera: str) -> str:
        """RFC 3339, so that later is greater; "" before there is anything."""
        answer = self.get("/api/v1/cameras")
        items = (
            answer.json()["items"] if answer.status_code == 200 else [{"id": camera, "recorded_until": ""}]
        )  # not up yet
        return next(item["recorded_until"] or "" for item in items if item["id"] == camera)

    def stop(self) -> int | None:
        """SIGTERM to the supervisor, its exit code; then whatever is left is killed."""
        status = None
        if self.supervisor is not None:
            self.supervisor.send_signal(signal.SIGTERM)
            try:
                status = self.supervisor.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.supervisor.kill()
                self.supervisor.wait()
        for pid in (self.recorder_pid, self.server_pid):
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return status


def is_running(pid: int) -> bool:
    """Whether the process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def running_post(
    folder: Path, cameras: dict[str, str], more: str = "", sooner: Mapping[str, str] | None = None
) -> Iterator[Post]:
    """A post that records by the time the block begins."""
    post = Post(folder, cameras, more, sooner)
    try:
        post.start()
        for camera in cameras:
            until_now(lambda name=camera: post.recorded_until(name), f"{camera} is recorded", 240)
        yield post
    finally:
        post.stop()


def rest(seconds: float) -> None:
    """Let a real process work for a while; not a way to wait for something."""
    time.sleep(seconds)
