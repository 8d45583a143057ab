"""A thin link as a relay: so many bits a second each way for all its connections together, and a delay; nothing is kept long.

What `tc tbf` and `netem` do, without root and on kernels that lack them. Each way is one pipe of a fixed rate; a piece of at
most 1400 bytes goes when the pipe is free and arrives after the delay. A sender that is ahead is not read from: the relay
holds at most 32 KiB a connection, and asks the kernel for small buffers, as a modem does.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from typing import Any

_PIECE_BYTES = 1400
_HELD_PIECES = 24
_BUFFER_BYTES = 16 << 10
_END_S = 60.0


class _Pipe:
    """One way. Owner of its state: the relay's loop."""

    def __init__(self, bits_a_second: float) -> None:
        self._rate = bits_a_second / 8
        self._free_at = 0.0
        self.carried_bytes = 0

    async def carry(self, size: int) -> float:
        """Wait for the pipe; when the last bit has left."""
        now = asyncio.get_running_loop().time()
        self._free_at = max(now, self._free_at) + size / self._rate
        self.carried_bytes += size
        await asyncio.sleep(self._free_at - now)
        return self._free_at


class ThinLink:
    """A relay to `port` of this machine, on a thread of its own; `address` is what a browser is given."""

    def __init__(self, port: int, *, bits_a_second: float, delay_s: float) -> None:
        """delay_s: each way."""
        self._to = port
        self._delay_s = delay_s
        self._down, self._up = _Pipe(bits_a_second), _Pipe(bits_a_second)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="thin-link", daemon=True)
        self._thread.start()
        self._server = self._call(self._listen())
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def down_bytes(self) -> int:
        """What it has carried to the browser."""
        return self._down.carried_bytes

    def close(self) -> None:
        """Every connection ends."""
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_END_S)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_END_S)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accepted, "127.0.0.1", 0, limit=_BUFFER_BYTES)

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.sleep(2 * self._delay_s)  # the handshake goes there and back
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            raw.setblocking(False)
            await self._loop.sock_connect(raw, ("127.0.0.1", self._to))
            far_reader, far_writer = await asyncio.open_connection(sock=raw, limit=_BUFFER_BYTES)
            up = asyncio.create_task(self._pass(reader, far_writer, self._up))
            down = asyncio.create_task(self._pass(far_reader, writer, self._down))
            try:
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                up.cancel()
                down.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
                far_writer.close()
        writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pipe: _Pipe) -> None:
        held: asyncio.Queue[tuple[bytes, float]] = asyncio.Queue(_HELD_PIECES)
        arriving = asyncio.create_task(self._arrive(held, writer))
        try:
            while piece := await reader.read(_PIECE_BYTES):
                left_at = await pipe.carry(len(piece))
                await held.put((piece, left_at + self._delay_s))
            await held.put((b"", 0.0))
            await arriving
        finally:
            arriving.cancel()

    async def _arrive(self, held: asyncio.Queue[tuple[bytes, float]], writer: asyncio.StreamWriter) -> None:
        while True:
            piece, at = await held.get()
            if not piece:
                return
            await asyncio.sleep(at - self._loop.time())
            writer.write(piece)
            await writer.drain()
