"""Sockets that are read on a beat, all together, instead of whenever a packet comes.

A camera that spreads its packets would wake the loop 360 times a second, at 10 us each; read every 20 ms it costs a
third of that, whatever its habits, for 10 ms more of latency on average. While a session is being set up, its socket is
read at once. The beat is the loop's own timer: it paces I/O and means nothing, so it is not on `Clock`.
"""

from __future__ import annotations

import asyncio
import socket
import time
import weakref
from typing import Any

BEAT_S = 0.02
_READS_PER_BEAT = 4
_SHARE_NS = 4_000_000
_LEAST_READ_BYTES = 4096
"""What a camera sends in a beat takes some 30 us to take apart. One that sends nothing but packets of a byte could keep the
one thread busy for a quarter of a second with each read; it is read in smaller pieces, and the rest waits at its end.
"""


class Poller:
    """Reads all settled sockets of one event loop on a beat. Owner of the state: the loop's thread."""

    __slots__ = ("__weakref__", "_loop", "_sockets", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sockets: set[PolledSocket] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, polled: PolledSocket) -> None:
        """Read it from the next beat on."""
        self._sockets.add(polled)
        if self._timer is None:
            self._timer = self._loop.call_later(BEAT_S, self._beat)

    def discard(self, polled: PolledSocket) -> None:
        """Read it no more."""
        self._sockets.discard(polled)

    def _beat(self) -> None:
        self._timer = self._loop.call_later(BEAT_S, self._beat) if self._sockets else None
        for polled in tuple(self._sockets):
            polled.read()


_pollers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Poller] = weakref.WeakKeyDictionary()


def poller_of(loop: asyncio.AbstractEventLoop) -> Poller:
    """The poller of this loop; one per loop, for as long as the loop lives."""
    poller = _pollers.get(loop)
    if poller is None:
        poller = _pollers[loop] = Poller(loop)
    return poller


class PolledSocket:
    """A connected, non-blocking socket in the part of an asyncio transport, for a `BufferedProtocol`. Owns the socket."""

    def __init__(self, sock: socket.socket, protocol: asyncio.BufferedProtocol) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._protocol = protocol
        self._poller = poller_of(self._loop)
        self._unsent = bytearray()
        self._settled = False
        self._closed = False
        self._most_bytes = 1 << 20
        self._loop.add_reader(sock.fileno(), self.read)

    def settle(self) -> None:
        """From now on read on the beat."""
        if not self._settled and not self._closed:
            self._settled = True
            self._loop.remove_reader(self._socket.fileno())
            self._poller.add(self)

    def read(self) -> None:
        """Read what is there, as far as its share of the thread's time goes. The end and errors reach the protocol as
        `connection_lost`.
        """
        protocol = self._protocol
        receive = self._socket.recv_into
        began_ns = time.thread_time_ns()
        for _ in range(_READS_PER_BEAT):
            if self._closed:
                return
            room = protocol.get_buffer(-1)
            wanted = min(len(room), self._most_bytes)  # type: ignore[arg-type]  # asyncio says Buffer, and means one with a length
            try:
                count = receive(room, wanted)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._lost(error)
                return
            if count == 0:
                self._lost(None)
                return
            try:
                protocol.buffer_updated(count)
            except Exception as error:  # noqa: BLE001  named boundary: one camera's trouble ends its own session alone
                self._lost(error)
                return
            if self._too_dear(time.thread_time_ns() - began_ns, count) or count < wanted:
                return

    def _too_dear(self, spent_ns: int, count: int) -> bool:
        """Whether this beat's share is used up; then the next reads are smaller."""
        if spent_ns > _SHARE_NS:
            self._most_bytes = max(_LEAST_READ_BYTES, min(self._most_bytes, count) * _SHARE_NS // spent_ns)
            return True
        self._most_bytes = min(self._most_bytes * 2, 1 << 20)
        return False

    def write(self, data: bytes) -> None:
        """Send now what the camera takes, the rest as soon as it takes more."""
        if self._closed:
            return
        if not self._unsent:
            try:
                data = data[self._socket.send(data) :]
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                self._loop.call_soon(self._lost, error)
                return
            if data:
                self._loop.add_writer(self._socket.fileno(), self._flush)
        self._unsent += data

    def _flush(self) -> None:
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lost(error)
            return
        if not self._unsent:
            self._loop.remove_writer(self._socket.fileno())

    def get_write_buffer_size(self) -> int:
        """Bytes that the camera has not taken yet."""
        return len(self._unsent)

    def is_closing(self) -> bool:
        return self._closed

    def get_extra_info(self, name: str) -> Any:
        """`sockname` and `peername`."""
        return self._socket.getsockname() if name == "sockname" else self._socket.getpeername()

    def close(self) -> None:
        """Close at once; what was sent goes out."""
        if self._closed:
            return
        self._closed = True
        self._poller.discard(self)
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()

    abort = close

    def _lost(self, error: Exception | None) -> None:
        if not self._closed:
            self.close()
            self._protocol.connection_lost(error)
