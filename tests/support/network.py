"""A network as anyone would run it: hubs and posts by `longwatch run` on loopback, joined by `hub invite` and `join`.

    with network(tmp_path) as net:
        hub = net.hub("hq")
        ridge = net.post("ridge", ["gate"])          # simulated cameras
        net.join(hub, ridge)                          # by the command line; posts run or do not
        hub.until_post("ridge", state="connected")

A link to play with: `net.wire(hub)` is a TCP relay in front of a hub that can be cut and mended, and counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
from tests.e2e.post import Cameras
from tests.support.asking import http
from tests.support.ports import free_port
from tests.support.sooner import NETWORK, environment
from tests.support.wait import until_now
from typer.testing import CliRunner

from longwatch.base.errors import LongwatchError
from longwatch.cli.app import app
from longwatch.node.supervisor.process import lock_holder
from longwatch.simulate.camera import LOT, SimulatedCamera
from longwatch.trust import DOOR_FILES

START_S = 240.0
STOP_S = 180.0
PASSWORD = "lookout over the ridge"


def _has_loop() -> bool:
    """Whether this thread runs an event loop: a verb runs its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Site:
    """`longwatch run` with a settings file of its own. Owner of the processes it started. sooner: what they wait less for (tests/support/sooner.py)."""

    def __init__(self, site_id: str, folder: Path, settings: dict[str, Any]) -> None:
        self.id = site_id
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "longwatch.yml"
        self.log = folder / "log"
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.settings = {"data": str(self.data), "web": {"listen": f"127.0.0.1:{self.port}"}, **settings}
        self.environ: dict[str, str] = {}
        self.sooner = dict(NETWORK)
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""
        folder.mkdir(parents=True, exist_ok=True)
        self.write()

    def write(self) -> None:
        """Put `settings` into the file; JSON is YAML."""
        self.config.write_text(json.dumps(self.settings, indent=1))

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A verb of the command line, whatever becomes of it. In this process where that can be: starting another takes longer than most verbs do."""
        if self.environ or _has_loop():
            return subprocess.run(
                [sys.executable, "-m", "longwatch.cli", *words, "--config", str(self.config)], input=stdin, capture_output=True, text=True,
                timeout=300, check=False, env={**os.environ, **self.environ},
            )  # fmt: skip
        done = CliRunner().invoke(app, [*words, "--config", str(self.config)], input=stdin)
        if isinstance(done.exception, LongwatchError):  # as longwatch.cli.main says it
            return subprocess.CompletedProcess(words, done.exception.exit_code, done.stdout, f"{done.exception}")
        assert done.exception is None or isinstance(done.exception, SystemExit), f"{words}: {done.exception!r}"
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    def verb(self, *words: str, stdin: str = "") -> str:
        """A verb that has to succeed; what it printed."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self) -> None:
        """Up to the first answer of /healthz."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "longwatch.cli", "run", "--config", str(self.config)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, env={**environment(self.sooner), **self.environ},
            )  # fmt: skip
        until_now(self._answers, f"{self.id} answers:\n{self.tail()}", START_S)

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text("utf-8", "replace")[-3000:] if self.log.exists() else ""

    def _answers(self) -> bool:
        assert self._process is None or self._process.poll() is None, f"{self.id} has ended:\n{self.tail()}"
        try:
            return http().get(f"{self.base}/healthz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    @property
    def token(self) -> str:
        """An admin's bearer token."""
        if not self._token:
            self._token = self.verb("token", "add", "test", "--role", "admin").split()[-1]
        return self._token

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Of the API, as an admin."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return http().request(method, self.base + path, headers=headers, timeout=180, **more)

    def get(self, path: str, **params: str) -> Any:
        """JSON of the API."""
        answer = self.request("GET", path, params=params)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """Of its own ledger, about people."""
        span = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
        return list(self.get("/api/v1/audit", kind=kind, **span)["items"])

    @property
    def server_pid(self) -> int | None:
        return lock_holder(self.data / "server.lock")

    @property
    def recorder_pid(self) -> int | None:
        return lock_holder(self.data / "lock")

    def kill_server(self) -> None:
        """SIGKILL to the server; the supervisor starts it again."""
        pid = self.server_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """SIGKILL to supervisor, server and recorder at once: to the post, a power cut."""
        assert self._process is not None
        pids = [self.server_pid, self.recorder_pid]
        self._process.kill()
        self._process.wait()
        self._process = None
        for pid in pids:
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM to the supervisor; whoever is left is killed."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        for pid in (self.recorder_pid, self.server_pid):
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


class Hub(Site):
    """A hub. address: where posts dial in."""

    def __init__(self, site_id: str, folder: Path, more: dict[str, Any] | None = None) -> None:
        self.uplink_port = free_port()
        self.address = f"127.0.0.1:{self.uplink_port}"
        super().__init__(
            site_id, folder, {"hub": {"id": site_id, "name": site_id.upper(), "timezone": "Europe/Oslo"}, "uplink": {"listen": self.address}, **(more or {})}
        )  # fmt: skip

    def invite(self, post: str) -> str:
        """A code."""
        return self.verb("hub", "invite", post).split()[-1]

    def post(self, post: str) -> dict[str, Any]:
        """As /api/v1/posts says it; empty where it is not there."""
        items = self.get("/api/v1/posts")["items"]
        return next((item for item in items if item["id"] == post), {})

    def until_post(self, post: str, seconds: float = 180.0, **wanted: Any) -> dict[str, Any]:
        """Wait until it stands so."""
        return until_now(
            lambda: found if (found := self.post(post)) and all(found.get(k) == v for k, v in wanted.items()) else {},
            f"{post} at {self.id} is {wanted}; it is {self.post(post)}", seconds,
        )  # fmt: skip


class Door(Site):
    """A further process of a hub, with the keys that it needs of it."""

    def __init__(self, name: str, folder: Path, hub: Hub) -> None:
        self.uplink_port = free_port()
        self.address = f"127.0.0.1:{self.uplink_port}"
        super().__init__(name, folder, {})
        shared = {key: hub.settings[key] for key in ("database", "media", "broker")}
        self.settings = {
            "data": str(self.data), "hub": {"id": hub.id, "name": hub.id.upper(), "door": name},
            "uplink": {"listen": self.address, "address": hub.settings["uplink"].get("address", self.address)}, **shared,
        }  # fmt: skip
        self.write()
        trust = self.data / "trust"
        trust.mkdir(parents=True, mode=0o700)
        for file in DOOR_FILES:
            shutil.copy2(hub.data / "trust" / file, trust)

    def _answers(self) -> bool:
        assert self._process is None or self._process.poll() is None, f"{self.id} has ended:\n{self.tail()}"
        try:
            socket.create_connection(("127.0.0.1", self.uplink_port), 5).close()
        except OSError:
            return False
        return True

    @property
    def server_pid(self) -> int | None:
        return lock_holder(self.data / "door.lock")


class Post(Site):
    """A post with simulated cameras."""

    def __init__(self, site_id: str, folder: Path, cameras: dict[str, SimulatedCamera], more: dict[str, Any]) -> None:
        self.cameras = cameras
        listed = {
            name: {"streams": {stream: camera.url_of(stream) for stream in camera.streams}}
            for name, camera in cameras.items()
        }
        super().__init__(
            site_id,
            folder,
            {
                "post": {"id": site_id, "timezone": "Europe/Oslo"},
                "cameras": listed,
                "defaults": {"detect": False},
                **more,
            },
        )


class Wire:
    """A TCP relay in front of an address, on threads: cut and mended by a test. sent: bytes that went up and down. to: the addresses that it leads to, of which it takes the first
    that answers.
    """

    def __init__(self, *to: str) -> None:
        self.to = list(to)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.up_bytes = self.down_bytes = self.connections = 0
        self._open: set[socket.socket] = set()
        self._is_up = True
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="wire", daemon=True).start()

    def cut(self) -> None:
        """End what goes over it, and take nothing more."""
        self._is_up = False
        with self._lock:
            for one in list(self._open):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """From now on it carries again."""
        self._is_up = True

    def close(self) -> None:
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            if not self._is_up:
                near.close()
                continue
            far = self._reach()
            if far is None:
                near.close()
                continue
            far.settimeout(None)
            self.connections += 1
            with self._lock:
                self._open |= {near, far}
            for source, target, up in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pump, args=(source, target, up), daemon=True).start()

    def _reach(self) -> socket.socket | None:
        for host, _, port in (address.rpartition(":") for address in list(self.to)):
            with contextlib.suppress(OSError):
                return socket.create_connection((host, int(port)), 10)
        return None

    def _pump(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        try:
            while self._is_up and (data := source.recv(65536)):
                if up:
                    self.up_bytes += len(data)
                else:
                    self.down_bytes += len(data)
                target.sendall(data)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open -= {source, target}
            for one in (source, target):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()


class Network:
    """Everything of one test. Owner of all that it made; `network` stops it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sites: list[Site] = []
        self._cameras: Cameras | None = None
        self._wires: list[Wire] = []

    def _make_room(self, site_id: str) -> None:
        """A test that is tried again finds the network that its first try left."""
        for left in [site for site in self.sites if site.id == site_id]:
            left.stop()
            shutil.rmtree(left.folder)
            self.sites.remove(left)

    def hub(self, site_id: str, *, start: bool = True, **more: Any) -> Hub:
        """A hub with these settings beside its own."""
        self._make_room(site_id)
        hub = Hub(site_id, self.folder / site_id, more)
        self.sites.append(hub)
        if start:
            hub.start()
        return hub

    def post(self, site_id: str, cameras: Sequence[str] = (), *, start: bool = True, **more: Any) -> Post:
        """A post with these simulated cameras."""
        self._make_room(site_id)
        if cameras and self._cameras is None:
            self._cameras = Cameras()
        made = {
            name: self._cameras.add(f"{site_id}.{name}", lambda at=index: SimulatedCamera(LOT, offset_s=7.0 * at))
            for index, name in enumerate(cameras)
            if self._cameras is not None
        }
        post = Post(site_id, self.folder / site_id, made, more)
        self.sites.append(post)
        if start:
            post.start()
        return post

    def door(self, name: str, hub: Hub) -> Door:
        """A further process of a hub that has started once; the wire in front of the hub leads to it too, after those before."""
        door = Door(name, self.folder / name, hub)
        self.sites.append(door)
        for wire in self._wires:
            if hub.address in wire.to:
                wire.to.append(door.address)
        door.start()
        return door

    def wire(self, hub: Hub) -> Wire:
        """A relay in front of a hub: its codes name the relay from now on (restart the hub if it runs)."""
        wire = Wire(hub.address)
        self._wires.append(wire)
        hub.settings["uplink"] = {"listen": hub.address, "address": wire.address}
        hub.write()
        return wire

    def join(self, hub: Hub, site: Site) -> str:
        """By the command line, whether they run or not; the code that was used."""
        code = hub.invite(site.id)
        site.verb("join", code)
        return code

    def close(self) -> None:
        for wire in self._wires:
            wire.close()
        for site in reversed(self.sites):
            site.stop()
        if self._cameras is not None:
            self._cameras.close()


@contextlib.contextmanager
def network(folder: Path) -> Iterator[Network]:
    """All of it is stopped at the end."""
    net = Network(folder)
    try:
        yield net
    finally:
        net.close()


def rest(seconds: float) -> None:
    """Let real processes work for a while; not a way to wait for something."""
    time.sleep(seconds)
