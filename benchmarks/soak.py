"""Figure 20: a post that records for hours while its cameras fail in every way; its memory and descriptors must stay flat.

    python -m benchmarks.soak [MINUTES] [SEED] [INSIDE]

Eight simulated cameras in this process, one of them sound; the others are given a fault at random every few seconds, and are mended. Somebody asks for
timelines, pictures and video all the while, and in the first third of the time the recorder is killed once in twenty minutes or so (it is measured by
generation, and the last is to be long enough for caches to fill). Memory and
descriptors of recorder and server are read every ten seconds; the slope is that of the least squares line over the last half of the
longest generation, in MB a day: before it caches fill, that of the index (4 MiB) and that of tables (24 MiB). With a folder INSIDE
each process also writes there, once a minute, what it holds (benchmarks/inside). At the end every second since set-up must be recorded or a gap that is not `unknown`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import urllib.error
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.post import Post, post
from benchmarks.processes import children
from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.simulate.camera import LOT, ROOM, SimulatedCamera

CAMERAS = 8
SAMPLE_S = 10.0
KILL_EVERY_S = 1200.0
FAULTS = (
    "drop", "drop:8", "stall:12", "hang:12", "audio-only:15", "freeze:20", "jump:3600", "back:60", "clock:86400", "loss:5,10", "lose:3",
    "refuse:453,6", "garbage:4096", "bye",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """One process at one moment."""

    at_s: float
    pid: int
    rss_mb: float
    descriptors: int


def read(pid: int, began: float) -> Reading:
    """Memory that is its own, and open descriptors. Raises OSError where it is gone."""
    rss_kb = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            rss_kb = int(line.split()[1])
    return Reading(time.monotonic() - began, pid, rss_kb / 1024, len(os.listdir(f"/proc/{pid}/fd")))


def named(parent: int) -> dict[int, str]:
    """The processes of a post: what each was started as."""
    found = {}
    for pid in children(parent):
        with contextlib.suppress(OSError):
            found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


def slope_mb_a_day(readings: list[Reading]) -> float:
    """Of the least squares line over the last half."""
    return slope_a_day([(r.at_s, r.rss_mb) for r in readings[len(readings) // 2 :]])


def slope_a_day(points: Sequence[tuple[float, float]]) -> float:
    """Of the least squares line through (seconds, value)."""
    count = len(points)
    if count < 2:
        return float("nan")
    mean_t = sum(t for t, _ in points) / count
    mean_v = sum(v for _, v in points) / count
    above = sum((t - mean_t) * (v - mean_v) for t, v in points)
    return above / sum((t - mean_t) ** 2 for t, _ in points) * 86_400


def say_inside(folder: Path) -> None:
    """Where memory went in the last half, a line for each process: what SQLite holds, what else is in use, and the holes between."""
    for file in sorted(folder.glob("*.jsonl")):
        said = [json.loads(line) for line in file.read_text().splitlines()]
        half = said[len(said) // 2 :]
        parts: dict[str, Callable[[dict[str, Any]], float]] = {
            "all": lambda d: float(d["rss_mb"]),
            "SQLite": lambda d: float(d["sqlite_mb"]),
            "else in use": lambda d: float(d["malloc"]["uordblks"] - d["sqlite_mb"]),
            "holes": lambda d: float(d["malloc"]["fordblks"]),
        }
        for name, value in parts.items():
            values = [(d["at"], value(d)) for d in half]
            print(
                f"{file.stem} {name}: {values[0][1]:.2f} to {values[-1][1]:.2f} MB, slope {slope_a_day(values):+.1f} MB a day"
            )


async def disturb(cameras: list[SimulatedCamera], chance: random.Random) -> None:
    """For ever: one camera fails, some time later it is in order again."""
    while True:
        await asyncio.sleep(chance.uniform(2, 12))
        camera = chance.choice(cameras)
        name, _, arguments = chance.choice(FAULTS).partition(":")
        with contextlib.suppress(UsageError):  # a camera without sound cannot have sound alone
            camera.inject(name, *(arguments.split(",") if arguments else ()))
        if chance.random() < 0.3:
            camera.condition.mend()


def look(running: Post, chance: random.Random) -> None:
    """What a viewer does. A 503 of a server that has just begun is an answer too."""
    camera = f"camera-{chance.randrange(CAMERAS)}"
    now_us = time.time_ns() // 1000
    from_us = now_us - chance.randint(10, 600) * 1_000_000
    span = f"from={format_us(from_us)}&to={format_us(from_us + 8_000_000)}"
    path = chance.choice((f"timeline?{span}", f"video.mp4?{span}", f"playlist.m3u8?{span}", "still.jpg"))
    with contextlib.suppress(OSError, urllib.error.URLError):
        running.get(f"/api/v1/cameras/{camera}/{path}")


def unexplained_s(running: Post) -> tuple[dict[str, float], float]:
    """Seconds of all cameras since their set-up that are `unknown`, by evidence, and all of them; and that tiles touch each other."""
    unknown: dict[str, float] = {}
    total = 0.0
    until = format_us(time.time_ns() // 1000)
    for camera in json.loads(running.get("/api/v1/cameras"))["items"]:
        begin = at = camera["set_up"]
        url = f"/api/v1/cameras/{camera['id']}/timeline?from={begin}&to={until}"
        cursor: str | None = ""
        while cursor is not None:
            answer = json.loads(running.get(url + (f"&cursor={cursor}" if cursor else "")))
            cursor = answer["next"]
            for tile in answer["items"]:
                assert parse_us(tile["from"]) == parse_us(at), (camera["id"], at, tile)
                at = tile["to"]
                length = (parse_us(tile["to"]) - parse_us(tile["from"])) / 1e6
                total += length if tile["state"] != "pending" else 0
                if tile["cause"] == "unknown":
                    what = "clock was set" if "clock_step_us" in (tile["evidence"] or {}) else str(tile["evidence"])
                    unknown[what] = unknown.get(what, 0.0) + length
    return unknown, total


async def run(minutes: float, seed: int) -> int:
    """The soak; 1 where memory or descriptors grow, or a second has no cause."""
    chance = random.Random(seed)
    print(f"seed {seed}, {minutes:g} minutes, {CAMERAS} cameras", flush=True)
    readings: dict[int, list[Reading]] = {}
    names: dict[int, str] = {}
    async with contextlib.AsyncExitStack() as stack:
        cameras = [
            await stack.enter_async_context(SimulatedCamera(LOT if n % 2 else ROOM, offset_s=3.0 * n, seed=seed + n))
            for n in range(CAMERAS)
        ]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        making = asyncio.to_thread(
            stack.enter_context,
            post(folder, [camera.url for camera in cameras], retention="retention: {max_size: 2GB}"),
        )
        running = await making
        disturbing = asyncio.create_task(disturb(cameras[1:], chance))
        began = killed = time.monotonic()
        while time.monotonic() - began < minutes * 60:
            await asyncio.sleep(SAMPLE_S)
            await asyncio.to_thread(look, running, chance)
            for pid, name in named(running.process.pid).items():
                with contextlib.suppress(OSError):
                    readings.setdefault(pid, []).append(read(pid, began))
                    names[pid] = name
            if time.monotonic() - killed > KILL_EVERY_S and time.monotonic() - began < minutes * 60 / 3:
                killed = time.monotonic()
                recorder = [pid for pid, name in named(running.process.pid).items() if "recorder" in name]
                if recorder and chance.random() < 0.5:
                    os.kill(recorder[0], signal.SIGKILL)
        disturbing.cancel()
        unknown_s, total_s = await asyncio.to_thread(unexplained_s, running)
    failed = report(readings, names)
    if "LONGWATCH_INSIDE" in os.environ:
        say_inside(Path(os.environ["LONGWATCH_INSIDE"]))
    clock_s = unknown_s.pop("clock was set", 0.0)
    print(f"of {total_s / 3600:.1f} camera hours {sum(unknown_s.values()):.3f} s have no cause: {unknown_s}")
    print(f"{clock_s:.3f} s never were: a clock was set")
    return 1 if failed or unknown_s else 0


def report(readings: dict[int, list[Reading]], names: dict[int, str]) -> bool:
    """A line for each process; whether the longest lived of either kind grew."""
    failed = False
    for kind in ("recorder", "server"):
        own = [values for pid, values in readings.items() if kind in names[pid]]
        for values in own:
            slope = slope_mb_a_day(values)
            half = values[len(values) // 2 :]
            descriptors = [r.descriptors for r in half]
            longest = len(values) == max(map(len, own))
            grows = longest and len(values) > 180 and (slope > 1.0 and half[-1].rss_mb - half[0].rss_mb > 1.0)
            failed |= grows
            print(
                f"{kind} {values[0].pid}: {values[-1].at_s - values[0].at_s:.0f} s, {half[0].rss_mb:.1f} to {half[-1].rss_mb:.1f} MB,"
                f" slope {slope:+.2f} MB a day, descriptors {min(descriptors)} to {max(descriptors)}{' GROWS' if grows else ''}",
                flush=True,
            )
    return failed


if __name__ == "__main__":
    wanted = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    drawn = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    if len(sys.argv) > 3:
        Path(sys.argv[3]).mkdir(parents=True, exist_ok=True)
        os.environ |= {"PYTHONPATH": str(Path(__file__).with_name("inside")), "LONGWATCH_INSIDE": sys.argv[3]}
    sys.exit(asyncio.run(run(wanted, drawn)))
