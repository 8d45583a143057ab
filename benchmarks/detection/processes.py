"""The real processes: posts with simulated cameras over RTSP, watched and not, and `motion` on the very same streams. All at once, so that whatever else the machine does
falls on all of them alike.

- What looking costs: processor time of all processes of a post that watches, less that of a post beside it that records the same streams and does not watch. So sockets, event loops
  and wake-ups are in it, and what recorder and server do more. `motion`: one process for each stream, with the committed configuration, from the same simulated camera.
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
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.scenes import BUSY, QUIET, Recipe, draw

from benchmarks.detection import peer, tables
from benchmarks.detection.exam import LOOKS, file_of, render_all
from benchmarks.post import Post, free_port, percentile, post, wait_until_recording
from benchmarks.processes import children

CAMERAS = len(LOOKS)
"""Of each family: one by each look of the exam."""
RATES = (5.0, 6.25, 8.0, 10.0, 12.5, 5.0)
"""Pictures a second of these: every rate that scenes are drawn with, and on average as many, so that chance makes them neither slow nor quick."""
GOALS = {QUIET: 10, BUSY: 3}
AGAIN = " **The machine was so slow that streams came again from their beginning, which is a loop and looked at more closely: not to be used.**"
WARM_S = 45.0
"""Until backgrounds and gates know their scene."""
_STOPPED_S, _RUNNING_S = 0.45, 0.05
_PARTS = (
    ("recorder", "node.recorder"), ("server", "node.server"), ("watcher", "node.watch.watcher"), ("child", "node.watch.look_child"),
)  # fmt: skip


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


@contextlib.contextmanager
def peers(urls: Sequence[str], recipes: Sequence[Recipe], folder: Path) -> Iterator[list[int]]:
    """A `motion` on each of these streams; its process ids."""
    started = []
    try:
        for url, recipe in zip(urls, recipes, strict=True):
            rate = max(2, round(recipe.fps))
            own = {"netcam_url": url, "width": str(recipe.width), "height": str(recipe.height), "framerate": str(rate)}
            place = Path(tempfile.mkdtemp(dir=folder))
            file = place / "motion.conf"
            file.write_text("".join(f"{name} {value}\n" for name, value in (peer.settings() | own).items()))
            log = (place / "log").open("wb")
            started.append(subprocess.Popen(["motion", "-n", "-c", str(file)], stdout=log, stderr=log, cwd=place))
            peer.punctual(started[-1].pid)
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def parts(running: Post) -> dict[str, list[int]]:
    """Process ids by part; `other` is what the supervisor itself and short errands take."""
    made: dict[str, list[int]] = {name: [] for name in (*(name for name, _ in _PARTS), "other")}
    for pid in children(running.process.pid):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            made[next((name for name, sign in _PARTS if sign in command), "other")].append(pid)
    return made


@dataclass(frozen=True, slots=True)
class Account:
    """What processes took since they began: seconds of a core, and how often they woke, by part. Errands that are over are among `other`."""

    took: dict[str, float]
    woke: dict[str, float]

    @staticmethod
    def of(found: dict[str, list[int]]) -> Account:
        """As it is now."""
        took = {name: sum(_took(pid)[0] for pid in pids) for name, pids in found.items()}
        if "other" in took:
            took["other"] += sum(_took(pid)[1] for pids in found.values() for pid in pids)
        return Account(took, {name: float(sum(_wakes(pid) for pid in pids)) for name, pids in found.items()})

    def less(self, before: Account, seconds: float) -> Account:
        """Seconds of a core an hour and camera, and wakes a second and camera, since then."""
        hours, all_s = seconds / 3600 * CAMERAS, seconds * CAMERAS
        return Account(
            {name: (value - before.took[name]) / hours for name, value in self.took.items()},
            {name: (value - before.woke[name]) / all_s for name, value in self.woke.items()},
        )


def _took(pid: int) -> tuple[float, float]:
    """Seconds of a core of a process, and of those of its children that are over."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0.0
    own, over = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return own / os.sysconf("SC_CLK_TCK"), over / os.sysconf("SC_CLK_TCK")


def _wakes(pid: int) -> int:
    """How often the threads of a process waited for something and were woken."""
    found = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(OSError):
            found += int(re.findall(r"^voluntary_ctxt_switches:\s*(\d+)", status.read_text(), re.MULTILINE)[0])
    return found


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


def run(seconds: float, first: int, folder: Path) -> str:
    """All tables, as Markdown. first: where the seeds of the scenes begin."""
    long_s = WARM_S + seconds + 60  # a camera that comes again from its beginning is a loop, and looked at more closely
    recipes: dict[str, list[Recipe]] = {
        family: [
            draw(begin + n, family, look=look, fps=rate, seconds=long_s)
            for n, (look, rate) in enumerate(zip(LOOKS, RATES, strict=True))
        ]
        for family, begin in ((QUIET, first + 300), (BUSY, first + 400))
    }
    render_all([each for some in recipes.values() for each in some], folder)
    thermal = [n for n, look in enumerate(LOOKS) if look == "thermal"]
    with tempfile.TemporaryDirectory(dir=folder) as temporary, contextlib.ExitStack() as stack:
        started = time.monotonic()
        posts: dict[tuple[str, bool], Post] = {}
        beside: dict[str, list[int]] = {}
        for family, some in recipes.items():
            urls = stack.enter_context(cameras([file_of(folder, each) for each in some]))
            for watched in (False, True):
                place = Path(temporary) / f"{family}-{watched}"
                place.mkdir()
                posts[family, watched] = stack.enter_context(post(place, urls, detect=watched, thermal=thermal))
            beside[family] = stack.enter_context(peers(urls, some, Path(temporary)))
        for running in posts.values():
            wait_until_recording(running, CAMERAS)
        time.sleep(WARM_S)

        def now() -> dict[tuple[str, bool | None], Account]:
            made: dict[tuple[str, bool | None], Account] = {(f, w): Account.of(parts(p)) for (f, w), p in posts.items()}
            return made | {(family, None): Account.of({"motion": pids}) for family, pids in beside.items()}

        before, began = now(), time.monotonic()
        time.sleep(seconds)
        after, passed, load = now(), time.monotonic() - began, os.getloadavg()[0]
        again = time.monotonic() - started > long_s
        took = {which: account.less(before[which], passed) for which, account in after.items()}
        starved = _starved(posts[BUSY, True], min(seconds, 60.0))
    return (
        f"`python -m benchmarks.detection processes --seed {first}`: {CAMERAS} cameras of each kind, {passed:.0f} s, all beside each other, load {load:.1f}.{AGAIN if again else ''}\n\n{tables.rows(_ratios(took))}\n\n"
        f"By process, seconds of a core an hour and camera, and in brackets how often it woke in a second for each camera:\n\n{tables.rows(_by_part(took))}\n\n"
        f"Detection of the busy post stopped nine tenths of the time:\n\n{tables.rows(starved)}"
    )


def _ratios(took: dict[tuple[str, bool | None], Account]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for family, goal in GOALS.items():
        ours = sum(took[family, True].took.values()) - sum(took[family, False].took.values())
        theirs = sum(took[family, None].took.values())
        made.append({
            "streams": family, "Longwatch, CPU s a camera-hour": f"{ours:.1f}", "motion": f"{theirs:.1f}", "ratio": f"{theirs / max(ours, 1e-9):.1f}", "goal": goal,
        })  # fmt: skip
    return made


def _by_part(took: dict[tuple[str, bool | None], Account]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for (family, watched), account in took.items():
        row: dict[str, object] = {"streams": family, "detection": {True: "on", False: "off", None: "motion"}[watched]}
        for name in [*(name for name, _ in _PARTS), "other", "motion"]:
            there = name in account.took and (account.took[name] or account.woke[name])
            row[name] = f"{account.took[name]:.1f} ({account.woke[name]:.1f})" if there else ""
        made.append(row)
    return made


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
