"""A workload of the rig: the real recorder process on a logged disk, with real (simulated) cameras over RTSP.

    python -m tests.rig.real_recorder VOLUME [--cameras 3] [--seconds 20]

Prints `ready` once every camera records, and `done` before it ends. The cameras live in this process, off the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from tests.support.wait import until

from longwatch.archive import ArchiveReader
from longwatch.base.errors import LongwatchError
from longwatch.model.sessions import StreamKey
from longwatch.simulate.camera import LOT, ROOM, SimulatedCamera


def say(word: str) -> None:
    """One line, at once."""
    os.write(1, f"{word}\n".encode())


async def work(volume: Path, cameras: int, seconds: float) -> None:
    """Record."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        names = [f"camera-{n}" for n in range(cameras)]
        started = [await stack.enter_async_context(SimulatedCamera(LOT if n % 2 else ROOM)) for n in range(cameras)]
        config = folder / "longwatch.yml"
        listed = "".join(f"  {n}: {{streams: {{main: '{c.url}'}}}}\n" for n, c in zip(names, started, strict=True))
        config.write_text(
            f"post: {{id: rig, timezone: UTC}}\ndata: {volume / 'data'}\nretention: {{keep_free: 0%}}\ncameras:\n{listed}"
        )
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "longwatch.node.recorder", "--config", str(config)], stderr=log
            )
        try:
            await until(lambda: _all_record(volume / "data", names), "every camera is recorded")
            say("ready")
            await asyncio.sleep(seconds)  # the span in which cuts are made, not a wait for something
            say("done")
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, 180)


def _all_record(data: Path, names: list[str]) -> bool:
    try:
        reader = ArchiveReader([data])
    except (OSError, LongwatchError):
        return False
    try:
        return all(reader.recorded_spans(StreamKey(name, "main"), 0, 1 << 60) for name in names)
    except (OSError, LongwatchError):
        return False
    finally:
        reader.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("volume", type=Path)
    parser.add_argument("--cameras", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    asyncio.run(work(given.volume, given.cameras, given.seconds))
