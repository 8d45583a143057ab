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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from longwatch.base import secrets as known_secrets
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.config.values import Listen
from longwatch.node.link import socket_path
from longwatch.node.server_commands import ask
from longwatch.simulate.camera import LOT, ROOM

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


def run(cameras: int, listen: Listen, data: Path | None, ready: Callable[[Ready], None]) -> int:
    """Run the demo until SIGINT or SIGTERM, then stop everything. Returns the exit code.

    Raises UsageError where the port is taken, LongwatchError where the post did not come up.
    """
    _check_free(listen)
    folder = Path(tempfile.mkdtemp(prefix="longwatch-demo-"))
    children: list[subprocess.Popen[bytes]] = []

    def ended(_number: int, _frame: FrameType | None) -> None:
        raise _Ended

    before = {number: signal.signal(number, ended) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        return _run(cameras, listen, data, folder, children, ready)
    except _Ended:
        return 0
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        for child in reversed(children):
            _stop(child)
        _remove(folder, data.absolute() if data is not None else folder / "data")
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(
    cameras: int,
    listen: Listen,
    data: Path | None,
    folder: Path,
    children: list[subprocess.Popen[bytes]],
    ready: Callable[[Ready], None],
) -> int:
    log = (folder / "demo.log").open("wb")
    camera_password = secrets.token_urlsafe(12)
    urls = _start_cameras(cameras, camera_password, children, log)
    volume = data.absolute() if data is not None else folder / "data"
    volume.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = _write_settings(folder, volume, listen, urls, camera_password)
    password = secrets.token_urlsafe(9)
    known_secrets.register(camera_password)
    _set_user(volume, password)
    post = subprocess.Popen(
        [sys.executable, "-m", "longwatch.cli", "run", "--config", str(settings)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - this process has one thread
    )
    children.append(post)
    _wait_until_up(listen, post, folder / "demo.log")
    ready(Ready(f"http://{listen}", USER, password, volume))
    code = post.wait()
    raise LongwatchError(f"the post ended by itself with code {code}", why=_tail(folder / "demo.log"))


def _end_with_parent() -> None:
    """In the child: SIGTERM when the demo dies, however it dies (prctl(2), PR_SET_PDEATHSIG; it outlives exec)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM.value)


def _start_cameras(
    count: int, password: str, children: list[subprocess.Popen[bytes]], log: Any
) -> list[dict[str, str]]:
    """Each has its own place in its own clip, so that no two show the same."""
    wanted = [
        {
            "files": {"main": str(LOT if index % 2 == 0 else ROOM)},
            "offset_s": 7.0 * index,
            "user": USER,
            "password": password,
        }
        for index in range(count)
    ]
    child = subprocess.Popen(
        [sys.executable, "-m", "longwatch.simulate"],
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
        raise LongwatchError("the simulated cameras did not start", why=_tail(Path(log.name)))
    urls: list[dict[str, str]] = json.loads(line)
    return urls


def _write_settings(folder: Path, volume: Path, listen: Listen, urls: list[dict[str, str]], password: str) -> Path:
    """The same file that anyone would write, password apart."""
    secret = folder / "secrets.env"
    secret.touch(mode=0o600)
    secret.write_text(f"CAMERA_PASSWORD={password}\n", encoding="ascii")
    cameras: dict[str, Any] = {}
    for index, streams in enumerate(urls):
        lap, place = divmod(index, len(_NAMES))
        name = _NAMES[place] + (f" {lap + 1}" if lap else "")
        with_login = {s: u.replace("rtsp://", f"rtsp://{USER}:${{CAMERA_PASSWORD}}@") for s, u in streams.items()}
        cameras[name.lower().replace(" ", "-")] = {"name": name, "streams": with_login}
    settings = {
        "post": {"id": "demo", "name": "Demo post", "timezone": "UTC"},
        "data": str(volume),
        "web": {"listen": str(listen)},
        "secrets": str(secret),
        "cameras": cameras,
        "retention": {"max_age": "1d", "max_size": "20GB"},
    }
    path = folder / "longwatch.yml"
    path.write_text(json.dumps(settings, indent=2), encoding="utf-8")  # JSON is YAML
    return path


def _remove(folder: Path, volume: Path) -> None:
    """What a demo leaves behind: its folder, and that of its sockets where their paths were too long for it."""
    for name in ("recorder", "server"):
        sockets = socket_path(volume, name).parent
        if not sockets.is_relative_to(volume):
            shutil.rmtree(sockets, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _set_user(volume: Path, password: str) -> None:
    """A fresh password each time; a kept folder knows the user already."""
    known = ask(volume, "accounts")["items"]
    if any(item.get("name") == USER for item in known):
        ask(volume, "user_password", name=USER, password=password)
    else:
        ask(volume, "user_add", name=USER, role="admin", password=password)


def _check_free(listen: Listen) -> None:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
            probe.listen(1)
        except OSError as error:
            remedy = f"choose another port: .venv/bin/longwatch demo --listen {Listen(listen.host, listen.port + 1)}"
            raise UsageError(f"cannot listen on {listen}", why=str(error.strerror), remedy=remedy) from None


def _wait_until_up(listen: Listen, post: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if post.poll() is not None:
            raise LongwatchError(f"the post did not start (code {post.returncode})", why=_tail(log))
        connection = http.client.HTTPConnection(listen.host, listen.port, timeout=2)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        connection.close()
        time.sleep(0.1)
    raise LongwatchError(f"the post did not answer on {listen} within {_READY_S:.0f} s", why=_tail(log))


def _tail(log: Path) -> str:
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
