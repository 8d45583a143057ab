"""CPU and memory per recorded camera, whole post included, against `ffmpeg -c copy -f segment` on the same streams.

Both record the same simulated cameras (1080p25, 4 Mbit/s, H.264 over TCP, packets spread over each frame's interval as a real
camera spreads them) one after the other in the same run, and then once more the other way round, so that a drift of the
machine's speed shows. ffmpeg gets its best settings: copy, TCP, no statistics, one process a camera, which is how recorders run it;
and once all cameras in one process, which costs it the least memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.post import CLI, free_port, write_settings
from benchmarks.processes import Cost, children, cpu_seconds, memory_bytes

OPENING_S = 60.0
SETTLE_S = 5.0
WINDOW_S = 30.0


@contextlib.contextmanager
def cameras(count: int) -> Iterator[list[str]]:
    """`count` simulated cameras in processes of their own, 100 in each; their URLs."""
    processes = []
    urls: list[str] = []
    try:
        for first in range(0, count, 100):
            process = subprocess.Popen(
                [sys.executable, "-m", "longwatch.simulate.load", "--cameras", str(min(100, count - first))],
                stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            processes.append(process)
            assert process.stdout is not None
            urls += json.loads(process.stdout.readline())
        yield urls
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(10)


async def measure(pids: list[int], folder: Path, outputs: int) -> Cost:
    """Wait until every output grows and let it settle, then count over the window. Processes that come and go within are
    counted while they are there.
    """
    deadline = time.monotonic() + OPENING_S
    while sum(path.stat().st_size > 0 for path in folder.rglob("*.mp4")) < outputs and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
    await asyncio.sleep(SETTLE_S)
    before_bytes = recorded(folder)
    before = {pid: cpu_seconds(pid) for root in pids for pid in children(root)}
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.sleep(WINDOW_S)
    wall = loop.time() - start
    after = {pid: cpu_seconds(pid) for root in pids for pid in children(root)}
    used = sum(cpu - before.get(pid, 0.0) for pid, cpu in after.items())
    return Cost(used, wall, sum(memory_bytes(pid) for pid in after), recorded(folder) - before_bytes)


async def longwatch(urls: list[str], folder: Path) -> Cost:
    """The whole post: supervisor, recorder, server."""
    process = subprocess.Popen(
        [*CLI, "run", "--config", str(write_settings(folder, urls, port=free_port()))],
        stdout=subprocess.DEVNULL, stderr=(folder / "log").open("wb"),
    )  # fmt: skip
    try:
        cost = await measure([process.pid], folder / "data" / "media", len(urls))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    return cost


async def ffmpeg(urls: list[str], folder: Path, *, single: bool) -> Cost:
    """`ffmpeg -c copy -f segment` on the same cameras: one process each, or one for all."""
    head = ["ffmpeg", "-nostdin", "-nostats", "-loglevel", "error"]
    tail = ["-c", "copy", "-f", "segment", "-segment_time", "60", "-segment_format", "mp4", "-reset_timestamps", "1"]
    commands = []
    if single:
        command = list(head)
        for url in urls:
            command += ["-rtsp_transport", "tcp", "-i", url]
        for number in range(len(urls)):
            command += ["-map", f"{number}:v", *tail, str(folder / f"{number}-%05d.mp4")]
        commands.append(command)
    else:
        for number, url in enumerate(urls):
            commands.append([*head, "-rtsp_transport", "tcp", "-i", url, *tail, str(folder / f"{number}-%05d.mp4")])
    processes = [subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for c in commands]
    try:
        cost = await measure([p.pid for p in processes], folder, len(urls))
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
    return cost


def recorded(folder: Path) -> int:
    """Bytes of media below a folder: both must have done the work."""
    return sum(path.stat().st_size for path in folder.rglob("*.mp4"))


async def run(counts: tuple[int, ...]) -> list[dict[str, object]]:
    """Rows of the table."""
    rows: list[dict[str, object]] = []
    for count in counts:
        with cameras(count) as urls:
            for name in ("longwatch", "ffmpeg", "ffmpeg, one process", "longwatch again"):
                folder = Path(tempfile.mkdtemp(prefix="bench-"))
                try:
                    if name.startswith("longwatch"):
                        cost = await longwatch(urls, folder)
                    else:
                        cost = await ffmpeg(urls, folder, single=name != "ffmpeg")
                finally:
                    shutil.rmtree(folder, ignore_errors=True)
                rows.append(
                    {
                        "streams": count, "recorder": name,
                        "cpu_percent_per_camera": round(100 * cost.cores / count, 3),
                        "memory_mb_per_camera": round(cost.memory_bytes / count / 1e6, 2),
                        "mbit_s_recorded_per_camera": round(8 * cost.media_bytes / count / cost.wall_seconds / 1e6, 2),
                    }
                )  # fmt: skip
                print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    os.setpgrp()
    asyncio.run(run(tuple(int(a) for a in sys.argv[1:]) or (10, 50, 200)))
