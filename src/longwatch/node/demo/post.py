"""`longwatch demo`: a post with simulated cameras and the console, on a throw-away folder. No hardware.

The cameras are real RTSP servers on loopback in a child process; the post is `longwatch run` in another, as anyone would
run it. The password is fresh each time, and the only one this program ever prints.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from longwatch.base import secrets as known_secrets
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.config.values import Listen
from longwatch.node.link import socket_path
from longwatch.node.server.commands import ask
from longwatch.simulate.camera import LOT, MODEL, PAINTED, ROOM

USER = "demo"
_NAMES = (
    "Gate",
    "Yard",
    "Workshop",
    "Lookout",
    "Dam",
    "Pump house",
    "East fence",
    "Track",
    "Store",
    "Jetty",
    "Ridge",
    "Well",
)
_READY_S = 60.0
_END_S = 8.0


@dataclass(frozen=True, slots=True)
class Ready:
    """What the person needs to know."""

    address: str
    user: str
    password: str
    data: Path


class _Ended(Exception):  # noqa: N818 - a signal came: not an error
    pass


Children = list[subprocess.Popen[bytes]]
Show = Callable[[Path, Children], int]
"""What a demo does in its throw-away folder until it ends; the processes it starts are put into the list."""


def run(
    cameras: int, listen: Listen, data: Path | None, ready: Callable[[Ready], None], *, objects: bool = False
) -> int:
    """Run the demo until SIGINT or SIGTERM, then stop everything. Returns the exit code. objects: one more camera, that shows a painted film, and what moves in it gets a class.

    Raises UsageError where the port is taken, LongwatchError where the post did not come up.
    """
    check_free(listen)

    def show(folder: Path, children: Children) -> int:
        return _run(cameras, listen, data, folder, children, ready, objects=objects)

    return until_ended(show, lambda folder: [data.absolute() if data is not None else folder / "data"])


def until_ended(show: Show, volumes: Callable[[Path], Sequence[Path]]) -> int:
    """Show it in a folder that is thrown away, until a signal comes; then end every process it started. volumes: its data folders."""
    folder = Path(tempfile.mkdtemp(prefix="longwatch-demo-"))
    children: Children = []

    def ended(_number: int, _frame: FrameType | None) -> None:
        raise _Ended

    before = {number: signal.signal(number, ended) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        return show(folder, children)
    except _Ended:
        return 0
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        for child in reversed(children):
            if child.poll() is None:
                child.terminate()
        for child in reversed(children):
            _stop(child)
        remove(folder, volumes(folder))
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(
    cameras: int,
    listen: Listen,
    data: Path | None,
    folder: Path,
    children: Children,
    ready: Callable[[Ready], None],
    *,
    objects: bool,
) -> int:
    log = (folder / "demo.log").open("wb")
    camera_password = secrets.token_urlsafe(12)
    urls = start_cameras(cameras, camera_password, children, log, painted=objects)
    volume = data.absolute() if data is not None else folder / "data"
    volume.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = _write_settings(folder, volume, listen, urls, camera_password, objects=objects)
    password = secrets.token_urlsafe(9)
    known_secrets.register(camera_password)
    set_user(volume, password)
    post = start_site(settings, children, log)
    wait_until_up(listen, post, folder / "demo.log")
    ready(Ready(f"http://{listen}", USER, password, volume))
    code = post.wait()
    raise LongwatchError(f"the post ended by itself with code {code}", why=tail(folder / "demo.log"))


def start_site(settings: Path, children: Children, log: Any) -> subprocess.Popen[bytes]:
    """`longwatch run`, as anyone would run it."""
    site = subprocess.Popen(
        [sys.executable, "-m", "longwatch.cli", "run", "--config", str(settings)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=end_with_parent,  # noqa: PLW1509 - this process has one thread
    )
    children.append(site)
    return site


def end_with_parent() -> None:
    """In the child: SIGTERM when the demo dies, however it dies (prctl(2), PR_SET_PDEATHSIG; it outlives exec)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM.value)


def start_cameras(
    count: int, password: str, children: Children, log: Any, *, painted: bool = False
) -> list[dict[str, str]]:
    """Each has its own place in its own clip, so that no two show the same. painted: one more, with the painted film."""
    wanted = [
        {
            "files": {"main": str(LOT if index % 2 == 0 else ROOM)},
            "offset_s": 7.0 * index,
            "user": USER,
            "password": password,
        }
        for index in range(count)
    ]
    if painted:
        wanted.append({"files": {"main": str(PAINTED)}, "user": USER, "password": password})
    urls: list[dict[str, str]] = start_simulated("longwatch.simulate", wanted, children, log)
    return urls


def start_simulated(module: str, wanted: object, children: Children, log: Any) -> Any:
    """A process of the simulator that is told what to be by one line of JSON, and answers with one. Raises LongwatchError."""
    child = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )
    children.append(child)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(wanted).encode() + b"\n")
    child.stdin.flush()
    line = child.stdout.readline()
    if not line:
        raise LongwatchError("what is simulated did not start", why=tail(Path(log.name)))
    return json.loads(line)


def _write_settings(
    folder: Path, volume: Path, listen: Listen, urls: list[dict[str, str]], password: str, *, objects: bool
) -> Path:
    """The same file that anyone would write, password apart."""
    secret = folder / "secrets.env"
    secret.touch(mode=0o600)
    secret.write_text(f"CAMERA_PASSWORD={password}\n", encoding="ascii")
    settings: dict[str, Any] = {
        "post": {"id": "demo", "name": "Demo post", "timezone": "UTC"},
        "data": str(volume),
        "web": {"listen": str(listen)},
        "secrets": str(secret),
        "cameras": cameras_of([_name(index) for index in range(len(urls))], urls),
        "retention": {"max_age": "1d", "max_size": "20GB"},
    }
    if objects:
        _classify(settings)
    path = folder / "longwatch.yml"
    path.write_text(json.dumps(settings, indent=2), encoding="utf-8")  # JSON is YAML
    return path


def _classify(settings: dict[str, Any]) -> None:
    """The last camera shows the painted film. The model knows painted things alone, so no other is asked about."""
    settings["detection"] = {"model": str(MODEL)}
    cameras = settings["cameras"]
    for camera in cameras.values():
        camera["detect"]["objects"] = False
    _, last = cameras.popitem()
    cameras["painted"] = last | {"name": "Painted yard", "detect": {"tamper": False, "objects": True}}


def _name(index: int) -> str:
    lap, place = divmod(index, len(_NAMES))
    return _NAMES[place] + (f" {lap + 1}" if lap else "")


def cameras_of(names: Sequence[str], urls: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Cameras as settings name them, by their ids; the password stands in the secrets. urls: of each, by stream, without a login."""
    cameras: dict[str, Any] = {}
    for name, streams in zip(names, urls, strict=False):
        with_login = {s: u.replace("rtsp://", f"rtsp://{USER}:${{CAMERA_PASSWORD}}@") for s, u in streams.items()}
        # They show a film again and again: a post that looked for that would rightly call it a replay.
        cameras[name.lower().replace(" ", "-")] = {"name": name, "streams": with_login, "detect": {"tamper": False}}
    return cameras


def remove(folder: Path, volumes: Sequence[Path]) -> None:
    """What a demo leaves behind: its folder, and those of its sockets where their paths were too long for it."""
    for volume in volumes:
        for name in ("recorder", "server"):
            sockets = socket_path(volume, name).parent
            if not sockets.is_relative_to(volume):
                shutil.rmtree(sockets, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def set_user(volume: Path, password: str) -> None:
    """A fresh password each time; a kept folder knows the user already."""
    known = ask(volume, "accounts")["items"]
    if any(item.get("name") == USER for item in known):
        ask(volume, "user_password", name=USER, password=password)
    else:
        ask(volume, "user_add", name=USER, role="admin", password=password)


def check_free(listen: Listen) -> None:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
            probe.listen(1)
        except OSError as error:
            remedy = f"choose another port: .venv/bin/longwatch demo --listen {Listen(listen.host, listen.port + 1)}"
            raise UsageError(f"cannot listen on {listen}", why=str(error.strerror), remedy=remedy) from None


def wait_until_up(listen: Listen, post: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if post.poll() is not None:
            raise LongwatchError(f"the post did not start (code {post.returncode})", why=tail(log))
        connection = http.client.HTTPConnection(listen.host, listen.port, timeout=2)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        connection.close()
        time.sleep(0.1)
    raise LongwatchError(f"the post did not answer on {listen} within {_READY_S:.0f} s", why=tail(log))


def tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        return known_secrets.scrub("\n" + "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:]))
    return ""


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
