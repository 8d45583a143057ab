"""Sockets that are read on a beat, all together, instead of whenever a packet comes.

A camera that spreads its packets would wake the loop 360 times a second, at 10 us each. Nobody waits for what is only
recorded, so its socket has its turn every fourth beat, 11 times a second; while somebody watches, on every beat
(`PolledSocket.hurry`), for 12 ms more of latency on average. Turns are dealt out evenly, and a beat without anything to
read does not happen. A socket that brought so much that its buffer could be full by its next turn is read on the next beat
too: a camera whose bytes are not taken drops pictures. While a session is being set up, its socket is read at once.

No interval of pictures in use is a multiple of 23 or of 92 ms. So pictures drift through the beat, every few seconds one is
read the moment it came, and what placement takes of arrival times (the least delay) stays true to 4 ms at 25 a second.
The beat is the loop's own timer: it paces I/O and means nothing, so it is not on `Clock`.
"""

from __future__ import annotations

import asyncio
import socket
import time
import weakref
from typing import Any

BEAT_S = 0.023
CALM_BEATS = 4
_READS_PER_BEAT = 4
_SHARE_NS = 4_000_000
_LEAST_READ_BYTES = 4096
"""What a camera sends in a beat takes some 30 us to take apart. One that sends nothing but packets of a byte could keep the
one thread busy for a quarter of a second with each read; it is read in smaller pieces, and the rest waits at its end.
"""
_LEAST_PLENTY_BYTES = 32 << 10  # a quarter of the buffer that Linux begins with


class Poller:
    """Reads all settled sockets of one event loop on a beat. Owner of the state: the loop's thread.

    reads: how often a socket was read, for tests and benchmarks.
    """

    __slots__ = ("__weakref__", "_beat_s", "_hurried", "_loop", "_soon", "_timer", "_turn", "_turns", "reads")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._turns: tuple[set[PolledSocket], ...] = tuple(set() for _ in range(CALM_BEATS))
        self._turn = 0  # of the last beat
        self._beat_s = 0.0  # when that was
        self._hurried: set[PolledSocket] = set()
        self._soon: set[PolledSocket] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.reads = 0

    def add(self, polled: PolledSocket, *, hurried: bool) -> None:
        """Read it from now on: on its turns, or hurried on every beat."""
        if hurried:
            self._hurried.add(polled)
        else:
            min(self._turns, key=len).add(polled)
        self._wind()

    def discard(self, polled: PolledSocket) -> None:
        """Read it no more."""
        for sockets in (self._hurried, self._soon, *self._turns):
            sockets.discard(polled)
        self._wind()

    def _wind(self) -> None:
        """Set the timer to the next beat that has anything to read."""
        if self._timer is not None:
            self._timer.cancel()
        else:
            self._beat_s = self._loop.time()
        self._timer = None
        beats = range(1, CALM_BEATS + 1)
        ahead = 1 if self._hurried or self._soon else next((n for n in beats if self._sockets(n)), 0)
        if ahead:
            self._timer = self._loop.call_at(self._beat_s + ahead * BEAT_S, self._beat, ahead)

    def _sockets(self, ahead: int) -> set[PolledSocket]:
        return self._turns[(self._turn + ahead) % CALM_BEATS]

    def _beat(self, ahead: int) -> None:
        self._timer = None
        due = self._sockets(ahead) | self._hurried | self._soon
        self._turn = (self._turn + ahead) % CALM_BEATS
        self._soon = set()
        self.reads += len(due)
        for polled in due:
            polled.read()
            if polled.brought_plenty():
                self._soon.add(polled)
        self._wind()


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
        self._hurried = False
        self._closed = False
        self._most_bytes = 1 << 20
        self._brought = 0
        self._plenty_bytes = _LEAST_PLENTY_BYTES
        self._loop.add_reader(sock.fileno(), self.read)

    def settle(self) -> None:
        """From now on read on the beat."""
        if not self._settled and not self._closed:
            self._settled = True
            self._loop.remove_reader(self._socket.fileno())
            self._poller.add(self, hurried=self._hurried)

    def hurry(self, on: bool) -> None:
        """Whether somebody waits for what comes: then it is read on every beat."""
        if self._hurried != on:
            self._hurried = on
            if self._settled and not self._closed:
                self._poller.discard(self)
                self._poller.add(self, hurried=on)

    def brought_plenty(self) -> bool:
        """Whether the last read brought as much as half of what the kernel holds for a camera that is not read. It holds
        more as it learns how much comes between reads, so that is asked anew.
        """
        if self._closed or self._brought < self._plenty_bytes:
            return False
        held_bytes = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        self._plenty_bytes = max(_LEAST_PLENTY_BYTES, held_bytes // 4)  # half of it is the kernel's own
        return self._brought >= self._plenty_bytes

    def read(self) -> None:
        """Read what is there, as far as its share of the thread's time goes. The end and errors reach the protocol as
        `connection_lost`.
        """
        protocol = self._protocol
        receive = self._socket.recv_into
        began_ns = time.thread_time_ns()
        self._brought = 0
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
            self._brought += count
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
