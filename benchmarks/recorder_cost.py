"""What one recorded camera costs: the recorder as a process of its own, fed by simulated cameras over RTSP on loopback.

    .venv/bin/python -m benchmarks.recorder_cost --cameras 50 --seconds 20

Prints milliseconds of CPU a camera-second (user and system, threads included) and resident memory a camera, after the
streams have run in. `--profile FILE` runs the recorder under cProfile.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from longwatch.base.errors import LongwatchError
from longwatch.node.link import LinkClient, socket_path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def by_thread(pid: int) -> dict[str, tuple[float, float]]:
    """User and system seconds of each thread, by the kernel's name of it."""
    used: dict[str, tuple[float, float]] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        name = f"{(task / 'comm').read_text().strip()} {task.name}"
        used[name] = (int(fields[11]) / _TICKS, int(fields[12]) / _TICKS)
    return used


def minor_faults(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def status(data: Path) -> dict:
    client = LinkClient(socket_path(data, "recorder"), "verb")
    await client.connect()
    try:
        return await client.request("status")
    finally:
        await client.aclose()


async def recording(data: Path, cameras: int, deadline_s: float) -> dict:
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        with contextlib.suppress(LongwatchError):
            answer = await status(data)
            if sum(stream["recording"] for stream in answer["streams"]) == cameras:
                return answer
        await asyncio.sleep(0.2)
    raise SystemExit("not all cameras recorded in time")


def measure(cameras: int, seconds: float, folder: Path, profile: str | None = None, warm_s: float = 6) -> dict:
    """One measurement; the cameras run in a process of their own."""
    load = subprocess.Popen(
        [sys.executable, "-m", "longwatch.simulate.load", "--cameras", str(cameras)], stdout=subprocess.PIPE, text=True
    )
    recorder = None
    try:
        urls = json.loads(load.stdout.readline())
        data = folder / "data"
        lines = ["post: {id: bench, name: Bench, timezone: UTC}", f"data: {data}", "cameras:"]
        for n, url in enumerate(urls):
            lines.append(f"  cam-{n}: {{name: Camera {n}, streams: {{main: '{url}'}}}}")
        config = folder / "longwatch.yml"
        config.write_text("\n".join(lines) + "\n")
        python = [sys.executable] + (["-m", "cProfile", "-o", profile] if profile else [])
        began = time.monotonic()
        recorder = subprocess.Popen([*python, "-m", "longwatch.node.recorder", "--config", str(config)])
        asyncio.run(recording(data, cameras, 60))
        all_recording_s = time.monotonic() - began
        time.sleep(warm_s)
        used, at, faults, threads = (
            cpu_s(recorder.pid),
            time.monotonic(),
            minor_faults(recorder.pid),
            by_thread(recorder.pid),
        )
        time.sleep(seconds)
        used, took = cpu_s(recorder.pid) - used, time.monotonic() - at
        faults = minor_faults(recorder.pid) - faults
        split = {
            name: [
                round((now - then) * 1000 / cameras / took, 3)
                for now, then in zip(pair, threads.get(name, (0, 0)), strict=True)
            ]
            for name, pair in by_thread(recorder.pid).items()
        }
        answer = asyncio.run(status(data))
        size = sum(path.stat().st_size for path in data.rglob("*.mp4"))
        resident = resident_bytes(recorder.pid)
        asked = time.monotonic()
        recorder.send_signal(signal.SIGTERM)
        code = recorder.wait(10)
        return {
            "cameras": cameras,
            "cpu_ms_per_camera_second": round(used * 1000 / cameras / took, 3),
            "user_and_system_by_thread": {name: pair for name, pair in split.items() if sum(pair) > 0.005},
            "page_faults_per_camera_second": round(faults / cameras / took, 1),
            "core_percent": round(100 * used / took, 1),
            "resident_mib": round(resident / 2**20, 1),
            "resident_mib_per_camera": round(resident / 2**20 / cameras, 2),
            "all_recording_s": round(all_recording_s, 2),
            "slowest_tick_ms": answer["ticks"]["slowest_us"] / 1000,
            "last_tick_ms": answer["ticks"]["last_us"] / 1000,
            "mbit_per_camera": round(size * 8 / 1e6 / cameras / (took + warm_s), 2),
            "stop_s": round(time.monotonic() - asked, 2),
            "exit": code,
        }
    finally:
        for process in (recorder, load):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--profile")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(arguments.cameras, arguments.seconds, Path(folder), arguments.profile), indent=1))


if __name__ == "__main__":
    main()
