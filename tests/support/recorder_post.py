"""One recorder as a process: a settings file, its data folder, and what may be asked of it over its socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.sooner import environment
from tests.support.wait import until

from longwatch.archive import ArchiveReader
from longwatch.base.errors import LongwatchError
from longwatch.model.sessions import StreamKey
from longwatch.node.link import LinkClient, socket_path
from longwatch.timeline import Tile, tile

GATE = StreamKey("gate", "main")
STARTING = "recording of this stream was being started"
"""What a gap says of the moment it took to begin."""
_PATIENCE_S = 180.0
"""For an answer: on a machine that does much besides, settings alone take long to read."""


class Post:
    """A settings file, its data folder and the recorder's process. sooner: what it waits less for (tests/support/sooner.py)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "longwatch.yml"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "log"
        self.sooner: dict[str, str] = {}

    def settings(self, cameras: dict[str, str], extra: str = "") -> None:
        lines = ["post: {id: post, name: Post, timezone: Europe/Rome}", f"data: {self.data}", "cameras:"]
        lines += [f"  {name}: {{name: {name}, streams: {{main: '{url}'}}{extra}}}" for name, url in cameras.items()]
        self.config.write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "longwatch.node.recorder", "--config", str(self.config)],
                stderr=log, env=environment(self.sooner),
            )  # fmt: skip

    def signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    async def ended(self, seconds: float = 180) -> int:
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, seconds)

    async def ask(self, kind: str, /, **fields: Any) -> dict[str, Any]:
        client = LinkClient(socket_path(self.data, "recorder"), "verb")
        await client.connect()
        try:
            return await client.request(kind, timeout_s=_PATIENCE_S, **fields)
        finally:
            await client.aclose()

    async def stream(self, camera: str = "gate") -> dict[str, Any]:
        with contextlib.suppress(LongwatchError):
            status = await self.ask("status")
            for stream in status["streams"]:
                if stream["camera"] == camera:
                    return stream
        return {}

    async def recording(self, camera: str = "gate") -> None:
        async def records() -> bool:
            return bool((await self.stream(camera)).get("recording"))

        await until(records, f"{camera} is recorded")

    def read(self, look: Callable[[ArchiveReader], Any]) -> Any:
        reader = ArchiveReader([self.data])
        try:
            return look(reader)
        finally:
            reader.close()

    def tiles(self, key: StreamKey = GATE) -> list[Tile]:
        def look(reader: ArchiveReader) -> list[Tile]:
            (set_up_us,) = [row.set_up_us for row in reader.cameras() if (row.camera, row.stream) == key]
            until_us = reader.accounted_until_us()
            gaps = [gap for owner, gap in reader.gaps(key.camera, set_up_us, until_us) if owner == key]
            return tile(reader.recorded_spans(key, set_up_us, until_us), gaps, set_up_us, until_us, until_us, set_up_us)

        return self.read(look)

    def kinds(self) -> list[str]:
        return [json.loads(row.entry)["kind"] for row in self.read(lambda reader: reader.entries(0, 10_000))]

    def entries(self, *kinds: str) -> list[dict[str, Any]]:
        """The ledger's entries of these kinds (all, where none is named), in order."""
        found = [json.loads(row.entry) for row in self.read(lambda reader: reader.entries(0, 10_000))]
        return [entry for entry in found if not kinds or entry["kind"] in kinds]

    def gap_seconds(self, key: StreamKey = GATE) -> dict[str, float]:
        """Seconds of gap by cause."""
        seconds: dict[str, float] = {}
        for piece in self.tiles(key):
            if piece.cause is not None:
                seconds[str(piece.cause)] = seconds.get(str(piece.cause), 0.0) + (piece.to_us - piece.from_us) / 1e6
        return seconds
