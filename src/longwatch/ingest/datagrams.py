"""A pair of UDP ports for one track: RTP on the even one, RTCP on the odd one above (RFC 3550, 11).

What does not come from the camera's own address is dropped and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket

from longwatch.base.clock import Clock
from longwatch.ingest.connection import PacketHandler
from longwatch.ingest.polling import BEAT_S

_RECEIVE_BUFFER_BYTES = 1 << 20
_MAX_WAITING_BYTES = 256 << 10
_TRIES = 32


class _Port(asyncio.DatagramProtocol):
    """One port. What came since the last beat is handed on together: the receivers are cheap in bulk. At most
    _MAX_WAITING_BYTES wait, then they are handed on at once.
    """

    def __init__(self, clock: Clock, peer: str) -> None:
        self.handler: PacketHandler | None = None
        self.foreign = 0
        self._clock = clock
        self._peer = peer
        self.held: list[bytes] = []
        self._waiting_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        if addr[0] != self._peer:
            self.foreign += 1
            return
        self.held.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _MAX_WAITING_BYTES:
            self.hand_on()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BEAT_S, self.hand_on)

    def hand_on(self) -> None:
        """What waits goes to the handler now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self.held, self._waiting_bytes = self.held, [], 0
        if self.handler is None or not waiting:
            return
        spans = []
        at = 0
        for data in waiting:
            spans.append((at, at + len(data)))
            at += len(data)
        self.handler(b"".join(waiting), spans, self._clock.boottime_us())

    def error_received(self, exc: Exception) -> None:
        """An ICMP answer to a report of ours: the camera does not want reports."""
        del exc


class DatagramPair:
    """Two bound ports. ports: (RTP, RTCP)."""

    def __init__(
        self, transports: tuple[asyncio.DatagramTransport, asyncio.DatagramTransport], protocols: tuple[_Port, _Port]
    ) -> None:
        self._transports = transports
        self._protocols = protocols
        self._peer: tuple[str, int] | None = None
        names = [transport.get_extra_info("sockname") for transport in transports]
        self.ports: tuple[int, int] = (names[0][1], names[1][1])

    @property
    def foreign(self) -> int:
        """Packets from elsewhere than the camera."""
        return sum(protocol.foreign for protocol in self._protocols)

    @property
    def waiting(self) -> int:
        """Packets that wait for the next beat."""
        return sum(len(protocol.held) for protocol in self._protocols)

    def listen(self, packets: PacketHandler, reports: PacketHandler) -> None:
        """Hand packets on from now on."""
        self._protocols[0].handler = packets
        self._protocols[1].handler = reports

    def report_to(self, host: str, port: int) -> None:
        """Where receiver reports go: the camera's own address."""
        self._peer = (host, port)

    def send_report(self, data: bytes) -> None:
        """Send RTCP; nowhere where the camera named no port."""
        if self._peer is not None:
            with contextlib.suppress(OSError):
                self._transports[1].sendto(data, self._peer)

    def close(self) -> None:
        """Hand on what waits, and give both ports back."""
        for protocol in self._protocols:
            protocol.hand_on()
            protocol.handler = None
        for transport in self._transports:
            transport.close()


async def open_pair(clock: Clock, local: str, peer: str) -> DatagramPair:
    """Bind a pair on `local`, the address by which the camera is reached. Raises OSError where no pair is free."""
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    loop = asyncio.get_running_loop()
    for _ in range(_TRIES):
        sockets = _bind(family, local)
        if sockets is None:
            continue
        pairs = [await loop.create_datagram_endpoint(lambda: _Port(clock, peer), sock=bound) for bound in sockets]
        return DatagramPair((pairs[0][0], pairs[1][0]), (pairs[0][1], pairs[1][1]))
    raise OSError(errno.EADDRINUSE, "no pair of UDP ports is free")


def _bind(family: socket.AddressFamily, local: str) -> tuple[socket.socket, socket.socket] | None:
    first = socket.socket(family, socket.SOCK_DGRAM)
    second = socket.socket(family, socket.SOCK_DGRAM)
    try:
        first.bind((local, 0))
        port = first.getsockname()[1]
        if port % 2:
            raise OSError(errno.EADDRINUSE, "an odd port")
        second.bind((local, port + 1))
    except OSError as error:
        first.close()
        second.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    for bound in (first, second):
        bound.setblocking(False)
    first.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    return first, second
