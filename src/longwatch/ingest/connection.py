"""The connection to a camera: bytes in, taken apart in place and handed on; bytes out, with a limit.

Everything here runs in the loop's callbacks; nothing waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from longwatch.base.clock import Clock
from longwatch.formats.rtsp import Demultiplexer, Message, RtspError
from longwatch.ingest.arena import ReadArena
from longwatch.ingest.polling import PolledSocket

Spans = Sequence[tuple[int, int]]
PacketHandler = Callable[[bytes | bytearray, Spans, int], None]

MAX_UNSENT_BYTES = 64 << 10


class Listener(Protocol):
    """Who owns a connection."""

    def message(self, message: Message) -> None: ...

    def strays(self) -> None:
        """Packets came on a channel that was not opened."""
        ...

    def broken(self, error: RtspError) -> None:
        """What came is no RTSP."""
        ...

    def closed(self, error: Exception | None) -> None: ...


class Connection(asyncio.BufferedProtocol):
    """One TCP or TLS connection. bytes_in: read so far. over: nothing more is handed on."""

    def __init__(self, arena: ReadArena, clock: Clock, listener: Listener) -> None:
        self.bytes_in = 0
        self.over = False
        self.transport: asyncio.Transport | PolledSocket | None = None
        self._arena = arena
        self._clock = clock
        self._listener = listener
        self._demux = Demultiplexer()
        self._hurried = False
        self._lanes: list[tuple[list[tuple[int, int]], PacketHandler]] = []
        self._tail = b""
        self._strays = 0

    def open(self, channel: int, handler: PacketHandler) -> None:
        """Hand packets of this channel to `handler`. Raises RtspError where the channel is taken or none."""
        if channel in self._demux.lanes:
            raise RtspError(f"the camera put two tracks on channel {channel}")
        self._lanes.append((self._demux.open(channel), handler))

    def write(self, data: bytes) -> bool:
        """Send; False where the camera has stopped reading, or is gone."""
        if self.transport is None or self.transport.is_closing():
            return False
        if self.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            return False
        self.transport.write(data)
        return True

    def settle(self) -> None:
        """The conversation is done and packets come: read on the beat, where the transport can."""
        if isinstance(self.transport, PolledSocket):
            self.transport.hurry(self._hurried)
            self.transport.settle()

    def hurry(self, on: bool) -> None:
        """Whether somebody waits for what comes."""
        self._hurried = on
        if isinstance(self.transport, PolledSocket):
            self.transport.hurry(on)

    def close(self) -> None:
        """Close at once; what was written goes out where the camera takes it."""
        self.over = True
        if self.transport is None:
            return
        if self.transport.get_write_buffer_size() > 0:
            self.transport.abort()
        else:
            self.transport.close()

    # asyncio.BufferedProtocol

    def attach(self, polled: PolledSocket) -> None:
        """The plain connection stands."""
        self.transport = polled

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a Transport, which asyncio's types do not say

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        kept = len(self._tail)
        if kept:
            self._arena.buffer[:kept] = self._tail
        return self._arena.view[kept:]

    def buffer_updated(self, nbytes: int) -> None:
        self.bytes_in += nbytes
        if self.over:
            return
        try:
            self._take_apart(len(self._tail) + nbytes)
        except RtspError as error:
            self._listener.broken(error)

    def _take_apart(self, end: int) -> None:
        buffer = self._arena.buffer
        split = self._demux.split
        arrival_us = self._clock.boottime_us()
        at = 0
        while True:
            try:
                at, message = split(buffer, at, end)
            finally:  # what came whole before bytes that are no RTSP is handed on too
                for lane, handler in self._lanes:
                    if lane:
                        handler(buffer, lane, arrival_us)
                        lane.clear()
            if self._demux.strays != self._strays:
                self._strays = self._demux.strays
                self._listener.strays()
            if message is None or self.over:
                break
            self._listener.message(message)
        self._tail = bytes(self._arena.view[at:end]) if at < end else b""

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._tail = b""
        if not self.over:
            self._listener.closed(exc)
