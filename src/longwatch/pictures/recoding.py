"""A child that decodes and encodes, seen from the process that started it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from longwatch.base.errors import LongwatchError
from longwatch.model.areas import Area
from longwatch.pictures.limits import plain_environment
from longwatch.wire.frames import Decoder, Frame, check_hello, encode, hello

CHILD = (sys.executable, "-m", "longwatch.pictures.child")
_READ_BYTES = 1 << 18
_MOST_WAITING = 8 << 20


def job_frame(outputs: Sequence[Mapping[str, Any]], areas: Sequence[Area] = ()) -> bytes:
    """What begins a piece of work. outputs: {name, max_height | size | form and kept_90k, preset, crf, bits_a_pixel}; areas: what is painted over."""
    told = {area.name: [list(point) for point in area.points] for area in areas}
    return encode({"type": "job", "outputs": [dict(output) for output in outputs], "areas": told})


def child_for(output: Mapping[str, Any]) -> tuple[str, ...]:
    """The command of a child that has this one piece of work from its start."""
    return (*CHILD, json.dumps({"outputs": [output]}, separators=(",", ":")))


class Recoding:
    """One child. Owner of the process, on the loop that started it; `aclose` ends it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._decoder = Decoder()
        self._frames: deque[Frame] = deque()
        self._greeted = False

    @classmethod
    async def start(cls, command: Sequence[str] = CHILD) -> Recoding:
        """Raises LongwatchError where it cannot be started."""
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, env=plain_environment(),
            )  # fmt: skip
        except OSError as error:
            raise LongwatchError("the decoder could not be started", why=error.strerror or str(error)) from error
        recoding = cls(process)
        recoding.push(hello("server"))
        return recoding

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def push(self, data: bytes) -> bool:
        """Send encoded frames without waiting; False, and nothing is sent, where too much waits or the child is gone."""
        transport = self._stdin.transport
        if transport.is_closing() or transport.get_write_buffer_size() > _MOST_WAITING:
            return False
        self._stdin.write(data)
        return True

    async def send(self, data: bytes) -> None:
        """Send encoded frames. Raises LongwatchError where the child is gone."""
        try:
            self._stdin.write(data)
            await self._stdin.drain()
        except OSError as error:
            raise LongwatchError("the decoder ended") from error

    async def next(self) -> Frame:
        """The next frame that it says. Raises LongwatchError where it ended, or cannot be understood."""
        while not self._frames:
            data = await self._stdout.read(_READ_BYTES)
            if not data:
                raise LongwatchError("the decoder ended", why=f"code {self._process.returncode}")
            for frame in self._decoder.feed(data):
                if self._greeted:
                    self._frames.append(frame)
                else:
                    check_hello(frame)
                    self._greeted = True
        return self._frames.popleft()

    async def until_done(self) -> AsyncIterator[Frame]:
        """What it makes of the piece of work at hand, `done` last."""
        while True:
            frame = await self.next()
            yield frame
            if frame.type == "done":
                return

    async def aclose(self) -> None:
        """End it, at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._stdin.close()
        await self._process.wait()
