"""Added live latency: from the moment a camera's packets arrive at this machine to the chunk at a WebSocket.

A reference client of the same camera notes when each access unit was whole at its socket; a viewer notes when the same access
unit came out of the WebSocket. Both are in this process, on one monotonic clock. The difference is what the post adds.
The reference reads its socket every millisecond, so a figure may be a millisecond too small. Every frame that comes out must have
been seen by the reference too, or the run is void: frames that only one side saw would be left out in silence.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import websockets

from benchmarks.cost import cameras
from benchmarks.post import Post, percentile, post, wait_until_recording
from longwatch.base.clock import SystemClock
from longwatch.formats.media import Loss, Sample, SenderReport, TrackFormat
from longwatch.ingest import CameraUrl, Options, RtspSource, polling
from longwatch.model.sessions import Fault, StreamStatus

SECONDS = 30.0


class Witness:
    """A sink that notes when each access unit was whole."""

    def __init__(self) -> None:
        self.seen: dict[bytes, list[float]] = defaultdict(list)

    def opened(self, tracks: tuple[TrackFormat, ...]) -> None:
        """Nothing to note."""

    def formats_changed(self, tracks: tuple[TrackFormat, ...]) -> None:
        """Nothing to note."""

    def samples(self, batch: Sequence[Sample]) -> None:
        now = time.monotonic()
        for sample in batch:
            self.seen[hashlib.sha256(sample.data).digest()].append(now)

    def lost(self, loss: Loss) -> None:
        """Nothing to note."""

    def sender_report(self, report: SenderReport) -> None:
        """Nothing to note."""

    def closed(self, fault: Fault | None, detail: str) -> None:
        """Nothing to note."""

    def status(self, status: StreamStatus) -> None:
        """Nothing to note."""


async def watch(running: Post, camera: str, seen: dict[bytes, list[float]], seconds: float) -> None:
    """One viewer: notes when each access unit came out."""
    url = running.base.replace("http", "ws", 1) + f"/api/v1/cameras/{camera}/live"
    headers = {"Authorization": f"Bearer {running.token}"}
    end = time.monotonic() + seconds
    async with websockets.connect(url, additional_headers=headers, max_size=None) as socket:
        start = json.loads(await socket.recv())
        assert "mime" in start, start
        await socket.recv()  # the init segment
        while time.monotonic() < end:
            chunk = await socket.recv()
            now = time.monotonic()
            if isinstance(chunk, bytes) and chunk[4:8] == b"moof":
                moof_bytes = int.from_bytes(chunk[:4], "big")
                seen[hashlib.sha256(chunk[moof_bytes + 8 :]).digest()].append(now)


def delays(arrived: dict[bytes, list[float]], left: dict[bytes, list[float]], start: float) -> list[float]:
    """Milliseconds, for each access unit that came out after `start` (before, the viewer was catching up)."""
    out = []
    for digest, times in left.items():
        for moment in times:
            if moment > start:
                near = [moment - t for t in arrived.get(digest, ()) if -1 < moment - t < 5]
                if not near:
                    raise LookupError("a frame came out that the reference never saw")
                out.append(1000 * min(near, key=abs))
    return out


async def run(counts: tuple[int, ...]) -> list[dict[str, object]]:
    """Rows of the table: with `count` cameras recorded, one of them watched by three viewers."""
    rows: list[dict[str, object]] = []
    for count in counts:
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        try:
            with cameras(count) as urls, post(folder, urls) as running:
                await asyncio.to_thread(wait_until_recording, running, count)
                witness = Witness()
                polling.BEAT_S = 0.001  # of this process, not of the post
                source = RtspSource(CameraUrl.parse(urls[0]), Options(), SystemClock())
                source.hurry(True)
                task = asyncio.create_task(source.run(witness))
                seen: list[dict[bytes, list[float]]] = [defaultdict(list) for _ in range(3)]
                start = time.monotonic() + 3
                await asyncio.gather(*(watch(running, "camera-0", s, SECONDS) for s in seen))
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                values = [d for s in seen for d in delays(witness.seen, s, start)]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        rows.append(
            {
                "streams": count, "frames": len(values), "median_ms": round(percentile(values, 0.5), 1),
                "p95_ms": round(percentile(values, 0.95), 1), "p99_ms": round(percentile(values, 0.99), 1),
            }
        )  # fmt: skip
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    asyncio.run(run(tuple(int(a) for a in sys.argv[1:]) or (1, 50)))
