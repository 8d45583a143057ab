"""A whole post started for a benchmark: its settings, its processes, a token, and a client."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CLI = [sys.executable, "-m", "longwatch.cli"]


@dataclass(frozen=True, slots=True)
class Post:
    """A running post. base: http://host:port; token: a viewer's bearer token; process: the supervisor."""

    base: str
    token: str
    config: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> bytes:
        """The body of one authorised GET."""
        request = urllib.request.Request(self.base + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())


def free_port() -> int:
    """A port of loopback that the system hands out."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_settings(
    folder: Path,
    urls: Sequence[str],
    *,
    port: int,
    retention: str = "",
    detect: bool = False,
    thermal: Sequence[int] = (),
) -> Path:
    """The settings of a post that records these cameras below `folder`. detect: and looks at them. thermal: which of them are."""
    lines = [
        "post: {id: bench, name: Bench, timezone: UTC}",
        f"data: {folder / 'data'}",
        f"web: {{listen: '127.0.0.1:{port}', tls: off}}",
        f"defaults: {{detect: {str(detect).lower()}}}",  # mostly recording is what is measured; looking has an exam of its own
        "cameras:" if urls else "cameras: {}",
    ]
    kinds = ["thermal" if n in thermal else "visible" for n in range(len(urls))]
    lines += [
        f"  camera-{n}: {{name: Camera {n}, kind: {kinds[n]}, streams: {{main: '{url}'}}}}"
        for n, url in enumerate(urls)
    ]
    if retention:
        lines.append(retention)
    path = folder / "longwatch.yml"
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


@contextlib.contextmanager
def post(
    folder: Path, urls: Sequence[str], *, retention: str = "", detect: bool = False, thermal: Sequence[int] = ()
) -> Iterator[Post]:
    """A post that runs, with a token, until the block ends."""
    port = free_port()
    config = write_settings(folder, urls, port=port, retention=retention, detect=detect, thermal=thermal)
    added = subprocess.run(
        [*CLI, "token", "add", f"bench-{port}", "--role", "admin", "--config", str(config)],
        capture_output=True,
        text=True,
        check=True,
    )
    process = subprocess.Popen([*CLI, "run", "--config", str(config)], stderr=(folder / "log").open("wb"))
    try:
        running = Post(f"http://127.0.0.1:{port}", added.stdout.split()[-1], config, process)
        wait_until_answers(running)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_answers(running: Post, seconds: float = 30) -> float:
    """Wait for /healthz; how long it took."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        with contextlib.suppress(OSError, urllib.error.URLError):
            running.get("/healthz")
            return time.monotonic() - start
        time.sleep(0.02)
    raise TimeoutError("the post does not answer")


def wait_until_recording(running: Post, count: int, seconds: float = 60) -> None:
    """Wait until `count` cameras record."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        items = json.loads(running.get("/api/v1/cameras"))["items"]
        if sum(item["state"] == "recording" for item in items) >= count:
            return
        time.sleep(0.2)
    raise TimeoutError("not every camera records")


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def evict(folder: Path) -> None:
    """Forget what the page cache holds of a folder's files, and nothing else: the footage is cold, the program is not."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def drop_caches() -> bool:
    """Forget the whole page cache, the program's own pages too. Root only; False where it cannot."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True
