"""A whole post for the browser: simulated cameras that a test can stop, and `longwatch run` as anyone would run it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from tests.support.ports import free_port

from longwatch.node.server.commands import ask
from longwatch.simulate.camera import LOT, ROOM, SimulatedCamera

USER = "anna"
INSPECTOR = "ines"
ADMIN = "ada"
PASSWORD = "lookout over the ridge"
START_S = 240.0
STOP_S = 180.0


class Cameras:
    """Simulated cameras on an event loop of their own thread. Owner of the state: this object."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cameras", daemon=True)
        self._thread.start()
        self.by_id: dict[str, SimulatedCamera] = {}

    def add(self, camera_id: str, make: Callable[[], SimulatedCamera]) -> SimulatedCamera:
        """Make it on its loop and let it answer."""

        async def started() -> SimulatedCamera:
            camera = make()
            await camera.start()
            return camera

        self.by_id[camera_id] = self._call(started())
        return self.by_id[camera_id]

    def stop(self, camera_id: str) -> None:
        """Be gone, as when its power is cut."""
        self._call(self.by_id[camera_id].stop())

    def start(self, camera_id: str) -> None:
        """Be back at the same port."""
        self._call(self.by_id[camera_id].start())

    def inject(self, camera_id: str, fault: str, *args: float | str) -> None:
        """A fault of `longwatch.simulate.faults`, now."""

        async def injected() -> None:
            self.by_id[camera_id].inject(fault, *args)

        self._call(injected())

    def close(self) -> None:
        for camera in self.by_id.values():
            self._call(camera.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_S)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STOP_S)


class RunningPost:
    """`longwatch run` on a folder of its own."""

    def __init__(self, folder: Path, cameras: Cameras) -> None:
        self.folder = folder
        self.cameras = cameras
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.settings = folder / "longwatch.yml"
        self.log = folder / "post.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def write_settings(self, names: dict[str, str], *, detect: bool = False) -> None:
        """Names by camera id; each with all the streams its simulated camera has. detect: they are looked at."""
        data = self.data
        data.mkdir(mode=0o700)
        listed = {
            camera_id: {"name": name, "streams": {s: camera.url_of(s) for s in camera.streams}}
            for camera_id, name in names.items()
            if (camera := self.cameras.by_id[camera_id])
        }
        settings = {
            "post": {"id": "north-ridge", "name": "North ridge lookout", "timezone": "Europe/Oslo"},
            "data": str(data),
            "web": {"listen": f"127.0.0.1:{self.port}"},
            "cameras": listed,
            **({} if detect else {"defaults": {"detect": False}}),
        }
        self.settings.write_text(json.dumps(settings, indent=2), encoding="utf-8")  # JSON is YAML

    def change_settings(self, change: Callable[[dict[str, Any]], object]) -> None:
        """What `write_settings` wrote, changed in place."""
        settings = json.loads(self.settings.read_text("utf-8"))
        change(settings)
        self.settings.write_text(json.dumps(settings, indent=2), encoding="utf-8")

    def person(self, name: str, role: str, password: str = "") -> None:
        """Somebody who may sign in: what `longwatch user add` does, without a process for it. PASSWORD where none is given."""
        done: list[dict[str, Any]] = []

        def added() -> None:
            known = [row["name"] for row in ask(self.data, "accounts")["items"]]
            kind = "user_password" if name in known else "user_add"  # a test that is tried again finds them there
            done.append(ask(self.data, kind, name=name, role=role, password=password or PASSWORD))

        thread = threading.Thread(target=added)  # a browser's tests have a loop in this one
        thread.start()
        thread.join(STOP_S)
        assert done, f"{name} is not added"

    def client(self, name: str = USER) -> httpx.Client:
        """Signed in, without a browser."""
        client = httpx.Client(base_url=self.address, headers={"Origin": self.address}, timeout=STOP_S)
        answer = client.post("/api/v1/login", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return client

    def verb(self, *words: str, stdin: str = "") -> str:
        """Run a verb of the command line; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "longwatch.cli", *words, "--config", str(self.settings)],
            input=stdin, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self) -> None:
        """Up to the first answer of /healthz."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "longwatch.cli", "run", "--config", str(self.settings)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
            connection.close()
            time.sleep(0.1)  # between two tries at a server that starts, with a deadline
        raise AssertionError(f"the post did not come up:\n{self.log.read_text('utf-8', 'replace')[-4000:]}")

    def stop(self) -> None:
        """SIGTERM, and an end within its time; a group that lingers is killed."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            raise
        self._process = None


@contextlib.contextmanager
def post_of_its_own(
    folder: Path, cameras: Mapping[str, tuple[str, Callable[[], SimulatedCamera]]], before: Callable[[RunningPost], object], *, detect: bool = False
) -> Iterator[RunningPost]:  # fmt: skip
    """One that a test may change, with an admin. cameras: name and maker by id. before: called when its settings are written, before it starts."""
    made = Cameras()
    post = RunningPost(folder, made)
    try:
        for camera, (_, make) in cameras.items():
            made.add(camera, make)
        post.write_settings({camera: name for camera, (name, _) in cameras.items()}, detect=detect)
        before(post)
        post.person(ADMIN, "admin")
        post.start()
        yield post
    finally:
        post.stop()
        made.close()


def running_post(folder: Path) -> Iterator[RunningPost]:
    """Three cameras (one with audio and a sub-stream), one user, everything up; stopped at the end."""
    cameras = Cameras()
    try:
        cameras.add("gate", lambda: SimulatedCamera({"main": LOT, "sub": LOT}))
        cameras.add("hall", lambda: SimulatedCamera(ROOM))
        cameras.add("yard", lambda: SimulatedCamera(LOT, offset_s=11.0))
        post = RunningPost(folder, cameras)
        post.write_settings({"gate": "Main gate", "hall": "Pump hall", "yard": "Equipment yard"})
        for user, role in ((USER, "operator"), (INSPECTOR, "inspector"), (ADMIN, "admin")):
            post.person(user, role)
        try:
            post.start()
            yield post
        finally:
            post.stop()
    finally:
        cameras.close()
