"""The masking child of one camera: `python -m longwatch.node.children.masking`, started by the recorder alone (docs/design/masks.md).

It is told on its standard input where the camera is, never by an argument or its environment; it takes the stream in by the same RTSP client as the
recorder, hides what is to be hidden, and hands on what is left by its standard output. It has limits on memory and
descriptors, writes no file and starts no process. It ends when its input does. What it may connect to is not limited: it needs the camera.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import av
import uvloop

from longwatch.base import log, secrets
from longwatch.base.clock import Clock, SystemClock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.ingest import CameraUrl, Options, RtspSource
from longwatch.masking.relay import Relay
from longwatch.model.areas import areas_of
from longwatch.pictures.limits import confine
from longwatch.wire.frames import Decoder, Frame, check_hello, hello

_MEMORY_BYTES = 3 << 30
_DESCRIPTORS = 64
_BEAT_S = 0.5
_LAST_WORDS_S = 0.4


class Child:
    """Everything of one child. Owner of its state: its loop; the thread of the relay only calls `fail`."""

    def __init__(self, clock: Clock, out: BinaryIO) -> None:
        self._clock = clock
        self._out = out
        self._loop = asyncio.get_running_loop()
        self._tasks = Tasks("masking")
        self._source: RtspSource | None = None
        self._relay: Relay | None = None
        self._over: asyncio.Future[str] = self._loop.create_future()
        self._decoder = Decoder()
        self._greeted = False
        self._hurried = False

    async def run(self, pipe: asyncio.StreamReader) -> int:
        """Until the input ends, or it cannot go on. The exit code."""
        self._out.write(hello("masking"))
        self._out.flush()
        reading = self._tasks.start("commands", self._commands(pipe))
        ending = self._tasks.start("over", self._ends())
        await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_COMPLETED)
        why = self._over.result() if self._over.done() else ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._tasks.aclose()
        if why and self._relay is not None:
            self._relay.last_words(secrets.scrub(why))
        return 1 if why else 0

    async def _ends(self) -> None:
        await asyncio.shield(self._over)

    def fail(self, why: str) -> None:
        """It cannot go on. From any thread."""
        self._loop.call_soon_threadsafe(self._end, why)

    def _end(self, why: str) -> None:
        if not self._over.done():
            self._over.set_result(why)

    async def _commands(self, pipe: asyncio.StreamReader) -> None:
        while data := await pipe.read(1 << 16):
            try:
                for frame in self._decoder.feed(data):
                    self._take(frame)
            except (LongwatchError, KeyError, TypeError, ValueError) as error:
                self._end(f"the recorder cannot be understood: {type(error).__name__}")
                return

    def _take(self, frame: Frame) -> None:
        if not self._greeted:
            check_hello(frame)
            self._greeted = True
        elif frame.type == "job" and self._source is None:
            self._begin(frame.header)
        elif frame.type == "try_now" and self._source is not None:
            self._source.try_now()
        elif frame.type == "hurry":
            self._hurried = bool(frame.header.get("on"))
            if self._source is not None:
                self._source.hurry(self._hurried)

    def _begin(self, job: dict[str, Any]) -> None:
        url = CameraUrl.parse(str(job["url"]))
        areas = areas_of(job["areas"])
        streams = [str(name) for name in job["streams"]]
        options = Options(**{str(name): value for name, value in job["ingest"].items()})
        relay = self._relay = Relay(areas, streams, self._out, failed=self.fail, now_us=self._clock.boottime_us())
        relay.start()
        confine(memory_bytes=_MEMORY_BYTES, descriptors=_DESCRIPTORS, cpu_seconds=None, parent=_PARENT)
        source = self._source = RtspSource(url, options, self._clock)
        source.hurry(self._hurried)
        self._tasks.start("camera", source.run(relay))
        self._tasks.start("beats", self._beats(relay))

    async def _beats(self, relay: Relay) -> None:
        while True:
            relay.beat()
            await self._clock.sleep(_BEAT_S)


_PARENT = os.getppid()


async def _main() -> int:
    loop = asyncio.get_running_loop()
    resolver = concurrent.futures.ThreadPoolExecutor(1, "names")  # the limits allow no thread later
    await loop.run_in_executor(resolver, int)
    loop.set_default_executor(resolver)
    out = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever prints does not speak for us
    pipe = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(pipe), sys.stdin.buffer)
    return await Child(SystemClock(), out).run(pipe)


def main() -> None:
    """Never returns: a thread that hangs in a decoder keeps no process alive."""
    av.logging.set_level(av.logging.PANIC)
    os.chdir(Path("/"))
    log.configure(json=True)
    code = 1
    try:
        code = uvloop.run(_main())
    except (OSError, LongwatchError) as error:
        sys.stderr.write(secrets.scrub(f"masking child: {error}\n"))
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
