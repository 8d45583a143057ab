"""A link that can be made thin, slow, mute or cut while it is used: a relay between real sockets, with a switch.

What `tc tbf` and `netem` do, without root: each way is one pipe of a fixed rate for all its connections together; a piece of at most
1400 bytes goes when the pipe is free and arrives after the delay. A sender that is ahead is not read from: the relay holds little and asks
the kernel for small buffers, as a modem does. Cut, its connections end at once and none begins; mute, they stand and nothing passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import Self

_PIECE_BYTES = 1400
_HELD_PIECES = 24
_BUFFER_BYTES = 16 << 10
_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """bits_a_second: each way; None: as fast as it goes. delay_s: each way. cut: nobody comes through, and those who were through are
    thrown out. mute: connections stand, and nothing passes.
    """

    bits_a_second: float | None = None
    delay_s: float = 0.0
    cut: bool = False
    mute: bool = False


class _Pipe:
    """One way, for all connections. Owner of its state: the loop."""

    def __init__(self) -> None:
        self.carried_bytes = 0
        self._free_at = 0.0

    async def carry(self, size: int, bits_a_second: float | None) -> float:
        """Wait for the pipe; when the last bit has left, by the loop's clock."""
        now = asyncio.get_running_loop().time()
        self.carried_bytes += size
        if bits_a_second is None:
            self._free_at = now
            return now
        self._free_at = max(now, self._free_at) + size * 8 / bits_a_second
        await asyncio.sleep(self._free_at - now)
        return self._free_at


class SimulatedLink:
    """A relay from a port of its own to `to` (host, port). Its conditions may be changed at any time.

    Owner of the state: this object, on the event loop it was started on.
    """

    def __init__(
        self, to: tuple[str, int], *, host: str = "127.0.0.1", port: int = 0, conditions: Conditions | None = None
    ) -> None:
        self.host = host
        self.port = port
        self._to = to
        self._conditions = conditions or Conditions()
        self._open = asyncio.Event()
        self._up, self._down = _Pipe(), _Pipe()
        self._sockets: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.set(self._conditions)

    @property
    def address(self) -> str:
        """HOST:PORT where it is entered."""
        return f"{self.host}:{self.port}"

    @property
    def conditions(self) -> Conditions:
        """As they are now."""
        return self._conditions

    @property
    def carried(self) -> tuple[int, int]:
        """Bytes to `to`, and bytes back."""
        return self._up.carried_bytes, self._down.carried_bytes

    @property
    def connections(self) -> int:
        """How many are through now."""
        return len(self._tasks)

    def set(self, conditions: Conditions) -> None:
        """From now on."""
        self._conditions = conditions
        if conditions.mute or conditions.cut:
            self._open.clear()
        else:
            self._open.set()
        if conditions.cut:
            for writer in list(self._sockets):
                _reset(writer)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, self.host, self.port, limit=_BUFFER_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._conditions.cut:
            _reset(writer)
            return
        self._tasks.add(task)
        self._sockets.add(writer)
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
                await self._through(reader, writer)
        finally:
            self._tasks.discard(task)
            self._sockets.discard(writer)
            writer.close()

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * self._conditions.delay_s)  # the handshake goes there and back
        await self._open.wait()
        async with asyncio.timeout(_CONNECT_S):
            far_reader, far_writer = await asyncio.open_connection(sock=await self._dialled(), limit=_BUFFER_BYTES)
        self._sockets.add(far_writer)
        ways = [
            asyncio.create_task(self._pass(reader, far_writer, self._up)),
            asyncio.create_task(self._pass(far_reader, writer, self._down)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._sockets.discard(far_writer)
            far_writer.close()

    async def _dialled(self) -> socket.socket:
        raw = socket.socket()
        try:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            raw.setblocking(False)
            await asyncio.get_running_loop().sock_connect(raw, self._to)
        except BaseException:
            raw.close()
            raise
        return raw

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pipe: _Pipe) -> None:
        held: asyncio.Queue[tuple[bytes, float]] = asyncio.Queue(_HELD_PIECES)
        arriving = asyncio.create_task(self._arrive(held, writer))
        try:
            while piece := await reader.read(_PIECE_BYTES):
                await self._open.wait()
                left_at = await pipe.carry(len(piece), self._conditions.bits_a_second)
                await held.put((piece, left_at + self._conditions.delay_s))
            await held.put((b"", 0.0))
            await arriving
        finally:
            arriving.cancel()

    async def _arrive(self, held: asyncio.Queue[tuple[bytes, float]], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            piece, at = await held.get()
            if not piece:
                return
            if (wait := at - loop.time()) > 0:
                await asyncio.sleep(wait)
            await self._open.wait()
            writer.write(piece)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End it as a cable that is pulled ends it for whoever sends next: no farewell."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport = writer.transport
    transport.abort()
