"""The real processes: a post with simulated cameras over RTSP, watched and not.

- What looking costs: processor time of the watcher and its child, and how much more recorder and server take than without, a camera, for quiet and busy streams.
- Recording while detection starves: the watcher and its children are stopped nine tenths of the time (SIGSTOP and SIGCONT, 450 ms and 50 ms). The age of
  what is durable, by the recorder's own metrics, is to be what it is otherwise, and no gap is to be made.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.scenes import BUSY, QUIET, Recipe, draw

from benchmarks.detection import tables
from benchmarks.detection.exam import DEVELOPMENT, file_of, render_all
from benchmarks.post import Post, free_port, percentile, post, wait_until_recording
from benchmarks.processes import children, cpu_seconds

CAMERAS = 4
_STOPPED_S, _RUNNING_S = 0.45, 0.05


@contextlib.contextmanager
def cameras(files: Sequence[Path]) -> Iterator[list[str]]:
    """Simulated cameras that loop these files."""
    started, urls = [], []
    try:
        for file in files:
            port = free_port()
            command = [
                sys.executable,
                "-m",
                "longwatch.cli",
                "simulate",
                "camera",
                str(file),
                "--listen",
                f"127.0.0.1:{port}",
            ]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            started.append(process)
            assert process.stdout is not None
            urls.append(_url(process.stdout.readline()) or f"rtsp://127.0.0.1:{port}/")
        yield urls
    finally:
        for process in started:
            process.kill()
            process.wait()


def _url(line: str) -> str:
    found = re.search(r"rtsp://\S+", line)
    return found.group() if found else ""


def parts(running: Post) -> dict[str, list[int]]:
    """Process ids by part."""
    made: dict[str, list[int]] = {"recorder": [], "server": [], "watcher": [], "child": []}
    for pid in children(running.process.pid):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            for name, sign in (
                ("recorder", "node.recorder"),
                ("server", "node.server"),
                ("watcher", "node.watch.watcher"),
                ("child", "node.watch.look_child"),
            ):
                if sign in command:
                    made[name].append(pid)
    return made


def measured(running: Post, seconds: float) -> dict[str, float]:
    """Seconds of a core that each part took, an hour and camera."""
    before = {name: sum(cpu_seconds(pid) for pid in pids) for name, pids in parts(running).items()}
    time.sleep(seconds)
    after = {name: sum(cpu_seconds(pid) for pid in pids) for name, pids in parts(running).items()}
    return {name: (after[name] - before[name]) / seconds * 3600 / CAMERAS for name in after}


def gaps(running: Post) -> int:
    """Gaps of all cameras since the start, but those before they were set up."""
    items = json.loads(running.get("/api/v1/gaps?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"))["items"]
    return sum(each["cause"] != "never_recorded" for each in items)


def ages(running: Post, seconds: float) -> list[float]:
    """Age of what is durable of each stream, as the recorder tells it, twice a second."""
    until, found = time.monotonic() + seconds, []
    while time.monotonic() < until:
        lines = running.get("/metrics").decode().splitlines()
        found += [
            float(each.rpartition(" ")[2]) for each in lines if each.startswith("longwatch_durable_behind_seconds{")
        ]
        time.sleep(0.5)
    return found


class Starving:
    """Stops processes nine tenths of the time, until it is ended."""

    def __init__(self, running: Post) -> None:
        self._running, self._over = running, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            found = parts(self._running)
            pids = found["watcher"] + found["child"]
            _all(pids, signal.SIGSTOP)
            self._over.wait(_STOPPED_S)
            _all(pids, signal.SIGCONT)
            self._over.wait(_RUNNING_S)


def _all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def run(seconds: float, folder: Path) -> str:
    """Both tables, as Markdown."""
    rows, starved = [], []
    for family in (QUIET, BUSY):
        recipes: list[Recipe] = [draw(DEVELOPMENT + 500 + n, family, look="day", seconds=180.0) for n in range(CAMERAS)]
        render_all(recipes, folder)
        with cameras([file_of(folder, each) for each in recipes]) as urls:
            for watched in (False, True):
                place = folder / f"{family}-{watched}"
                place.mkdir()
                with post(place, urls, detect=watched) as running:
                    wait_until_recording(running, CAMERAS)
                    time.sleep(45)
                    took = measured(running, seconds)
                    rows.append(
                        {"streams": family, "detect": "on" if watched else "off"}
                        | {name: f"{value:.1f}" for name, value in took.items()}
                    )
                    if watched and family == BUSY:
                        starved += _starved(running, seconds)
    return (
        f"Seconds of a core an hour and camera, {CAMERAS} cameras of 640x360, {seconds:.0f} s each.\n\n{tables.rows(rows)}\n\n"
        f"Detection stopped nine tenths of the time:\n\n{tables.rows(starved)}"
    )


def _starved(running: Post, seconds: float) -> list[dict[str, object]]:
    made = []
    for name, how in (("as it is", contextlib.nullcontext()), ("starved", Starving(running))):
        before = gaps(running)
        with how:
            found = ages(running, seconds)
            made.append({
                "detection": name, "gaps": gaps(running) - before, "age of what is durable, median": f"{percentile(found, 0.5):.2f} s",
                "p95": f"{percentile(found, 0.95):.2f} s", "most": f"{max(found):.2f} s",
            })  # fmt: skip
    return made
