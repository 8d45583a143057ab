"""The peer: Debian's `motion` on the same streams, as many at a time as the cores bear, in real time, since its events follow the clock.

It reads the very file, which spares it the network; it decodes every picture, as it always does. Its events are read from its log as it writes it, its
processor time from /proc up to the end of the file.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.detection.scoring import Found
from benchmarks.processes import cpu_seconds

CONFIGURATION = Path(__file__).with_name("motion.conf")
EVENT_GAP_S = 5.0
_READY, _BEGIN, _END, _OVER = "Camera handler thread", "starting event", "End of event", "Reconnecting with camera"
_DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Stream:
    """One video file and what its recorder knows of it."""

    video: Path
    seconds: float
    fps: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Run:
    """What an examinee said of a stream, and the processor time it took."""

    found: list[Found]
    cpu_s: float


def settings(changes: dict[str, str] | None = None) -> dict[str, str]:
    """The committed configuration, with changes."""
    lines = [
        line.split(maxsplit=1) for line in CONFIGURATION.read_text().splitlines() if line and not line.startswith("#")
    ]
    return {line[0]: line[1] for line in lines} | (changes or {})


def watch(stream: Stream, changes: dict[str, str] | None = None) -> Run:
    """Lets `motion` watch one file from its begin to its end, in real time."""
    rate = max(2, round(stream.fps))  # it takes whole numbers only: its times are set right by when it came to the end
    own = {
        "netcam_url": f"file://{stream.video}",
        "width": str(stream.width),
        "height": str(stream.height),
        "framerate": str(rate),
        "netcam_params": f"capture_rate={rate}",
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "motion.conf"
        file.write_text("".join(f"{name} {value}\n" for name, value in (settings(changes) | own).items()))
        process = subprocess.Popen(
            ["motion", "-n", "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder
        )
        punctual(process.pid)
        told: list[tuple[float, str]] = []
        reader = threading.Thread(target=_read, args=(process, told), daemon=True)
        reader.start()
        try:
            start = _started(told)
            end = _ended(told, process, start, stream.seconds * stream.fps / rate)
            cpu = cpu_seconds(process.pid)
        finally:
            process.kill()
            process.wait()
        reader.join(5)
    found = events(told, start, end - start, float(settings(changes)["event_gap"]))
    pace = stream.seconds / (end - start)
    return Run([Found(e.kind, e.from_s * pace, e.to_s * pace, e.told_s * pace) for e in found], cpu)


def punctual(pid: int) -> None:
    """Before all others, where that is allowed: it follows the clock, and on a busy machine it found half of what it finds on a quiet one, at a priority of -10 too."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))


def _read(process: subprocess.Popen[str], told: list[tuple[float, str]]) -> None:
    assert process.stderr is not None
    told.extend((time.monotonic(), line) for line in process.stderr)  # one after another, as they come


def _started(told: list[tuple[float, str]]) -> float:
    """When it began to read the file."""
    until = time.monotonic() + _DEADLINE_S
    while time.monotonic() < until:
        for at, line in list(told):
            if _READY in line:
                return at
        time.sleep(0.02)
    raise RuntimeError("motion did not begin: " + "".join(line for _, line in told)[-500:])


def _ended(told: list[tuple[float, str]], process: subprocess.Popen[str], start: float, about_s: float) -> float:
    """When it came to the end of the file: later than it should on a busy machine."""
    while time.monotonic() < start + 4 * about_s + _DEADLINE_S and process.poll() is None:
        time.sleep(0.1 if time.monotonic() > start + about_s - 5 else 1.0)
        for at, line in list(told):
            if _OVER in line:
                return at
    raise RuntimeError("motion did not come to the end of the file")


def events(told: list[tuple[float, str]], start: float, seconds: float, gap_s: float) -> list[Found]:
    """Events of its log. It keeps one open for event_gap after the last motion: that time is taken off."""
    found: list[Found] = []
    begun: float | None = None
    for at, line in told:
        if _BEGIN in line:
            begun = at - start
        elif _END in line and begun is not None:
            found.append(Found("motion", begun, max(begun, at - start - gap_s), begun))
            begun = None
    if begun is not None:
        found.append(Found("motion", begun, seconds, begun))
    return found


def watch_all(streams: list[Stream], at_once: int, changes: dict[str, str] | None = None) -> list[Run]:
    """All of them, so many at a time."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda stream: watch(stream, changes), streams))
