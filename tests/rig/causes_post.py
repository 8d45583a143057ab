"""A post for the rig of causes: the real recorder's process, its settings, its socket, and what its archive says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tests.support.accounted import tiles, unexplained_us
from tests.support.sooner import environment
from tests.support.wait import until

from longwatch.archive import ArchiveReader
from longwatch.base.errors import LongwatchError
from longwatch.model.sessions import StreamKey
from longwatch.node.link import LinkClient, socket_path
from longwatch.timeline import State, Tile

T = TypeVar("T")
STARTING = "recording of this stream was being started"
BOOT = "0123456789abcdef0123456789abcdef"


class RigPost:
    """inside: the words before the recorder's own, where it runs in a namespace. sooner: what it waits less (or more) for, tests/support/sooner.py. Owner of the process it started."""

    def __init__(self, folder: Path, inside: Sequence[str] = (), volumes: Sequence[Path] = ()) -> None:
        self.volumes = list(volumes) or [folder / "data"]
        self.config = folder / "longwatch.yml"
        self.log = folder / "log"
        self.rig = {"boot": BOOT, "clock_us": 0, "errno": 0, "where": "\0"}
        self._rig_file = folder / "rig.json"
        self._inside = list(inside)
        self.sooner: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def settings(self, cameras: Mapping[str, str], more: str = "") -> None:
        """cameras: id to the inner part of a YAML flow mapping."""
        listed = "".join(f"  {name}: {{{inner}}}\n" for name, inner in cameras.items())
        data = json.dumps([str(volume) for volume in self.volumes])
        self.config.write_text(
            f"post: {{id: rig, timezone: UTC}}\ndata: {data}\nretention: {{keep_free: 0%}}\n{more}cameras:\n{listed}"
        )

    # ---- the process ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.tell()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._inside, sys.executable, "-m", "tests.rig.rigged_recorder", str(self._rig_file), "--config",
                    str(self.config),
                ],
                stderr=log, env=environment(self.sooner),
            )  # fmt: skip

    def tell(self, **rig: Any) -> None:
        """What becomes of its host from now on."""
        self.rig.update(rig)
        self._rig_file.write_text(json.dumps(self.rig))
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGUSR1)

    def signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    async def end(self, number: int) -> int:
        """Signal it and wait for its end."""
        self.signal(number)
        return await self.ended()

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, 180)

    def kill(self) -> None:
        """Whatever is left of it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    async def ask(self, kind: str, /, **fields: Any) -> dict[str, Any]:
        client = LinkClient(socket_path(self.volumes[0], "recorder"), "verb")
        await client.connect()
        try:
            return await client.request(kind, **fields)
        finally:
            await client.aclose()

    async def streams(self) -> dict[str, dict[str, Any]]:
        """By camera; empty while nobody answers."""
        with contextlib.suppress(LongwatchError, OSError):
            return {stream["camera"]: stream for stream in (await self.ask("status"))["streams"]}
        return {}

    async def records(self, *cameras: str, seconds: float = 120) -> None:
        async def all_do() -> bool:
            streams = await self.streams()
            return all(streams.get(camera, {}).get("recording") for camera in cameras)

        await until(all_do, f"{cameras} are recorded", seconds)

    # ---- what it says ---------------------------------------------------------------------------------------------------

    def read(self, look: Callable[[ArchiveReader], T]) -> T:
        reader = ArchiveReader(self.volumes)
        try:
            return look(reader)
        finally:
            reader.close()

    def tiles(self, camera: str) -> list[Tile]:
        return self.read(lambda reader: tiles(reader, StreamKey(camera, "main")))

    def gaps(self, camera: str) -> list[Tile]:
        """Gaps of 50 ms and more, but for the moment it took to begin."""
        return [
            t
            for t in self.tiles(camera)
            if t.state is State.GAP and t.to_us - t.from_us > 50_000 and t.evidence.get("detail") != STARTING
        ]

    def causes(self, camera: str) -> list[str]:
        return [str(t.cause) for t in self.gaps(camera)]

    async def tells(self, camera: str, cause: str, seconds: float = 120, **evidence: object) -> Tile:
        """The gap of a camera once its cause is this one, with these facts beside it."""

        def look() -> Tile | None:
            for gap in reversed(self.gaps(camera)):
                if gap.cause == cause and all(gap.evidence.get(name) == fact for name, fact in evidence.items()):
                    return gap
            return None

        try:
            return await until(look, "", seconds)
        except AssertionError:
            said = [(str(t.cause), dict(t.evidence)) for t in self.gaps(camera)]
            raise AssertionError(f"{camera}: not {cause} {evidence} within {seconds} s; said {said}") from None

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(row.entry) for row in self.read(lambda reader: reader.entries(0, 100_000))]

    def unexplained_us(self) -> int:
        return self.read(unexplained_us)
