"""Asking one address whether it answers: by ARP or NDP on the same link, at its RTSP port through a router.

Nothing is ever sent to another address than the camera's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from dataclasses import dataclass

from longwatch.base.clock import Clock
from longwatch.formats.rtnetlink import IpAddress, Kind, Neighbour, Nud, Route
from longwatch.model.surroundings import Answer
from longwatch.surroundings.kernel import Kernel
from longwatch.surroundings.link_sockets import ArpSockets, LinkSockets, NdpSockets

CONNECT_S = 2.5
"""Two SYN packets: at once, and after a second."""
_KERNEL_S = 3.4
"""The kernel asks for a new neighbour three times, a second apart."""
_LOOK_EVERY_S = 0.4
_RESOLVE_S = 2.0
_AT_ONCE = 256
_US_PER_TICK = 10_000
_ANSWERED = frozenset({errno.ECONNREFUSED, errno.ECONNRESET})
_OF_LINK = {4: "arp", 6: "ndp"}
_CONNECTED = _ANSWERED | {0, errno.EISCONN}
_SAID_DEAD = frozenset({errno.EHOSTUNREACH, errno.EHOSTDOWN})


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of it. by: "arp", "ndp", "udp 554" or "tcp 554"; "" where nobody could be asked. why: for UNKNOWN, in words."""

    answer: Answer
    by: str = ""
    why: str = ""


class Asker:
    """Asks. Owner of its sockets: the loop. raw: whether ARP and NDP questions of our own may be used where the process may send them."""

    def __init__(self, clock: Clock, *, raw: bool = True) -> None:
        self._clock = clock
        self._kernel = Kernel()
        self._links: dict[int, LinkSockets] = {4: ArpSockets(clock), 6: NdpSockets(clock)} if raw else {}
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._resolving = asyncio.Semaphore(4)
        self._known: dict[str, IpAddress] = {}

    async def ask(self, host: str, port: int) -> Heard:
        """Once, within four seconds of its turn. Raises nothing but cancellation."""
        address = await self._address(host)
        if address is None:
            return Heard(Answer.UNKNOWN, "", f"the name {host} has no address")
        async with self._turn:
            try:
                return await self._ask(address, port)
            except OSError as error:
                return Heard(Answer.UNKNOWN, "", f"cannot ask: {error.strerror or error}")

    def tidy(self) -> None:
        """Close what nobody uses."""
        for sockets in self._links.values():
            sockets.tidy()

    def close(self) -> None:
        """Let go of every socket."""
        self._kernel.close()
        for sockets in self._links.values():
            sockets.close()

    async def _ask(self, address: IpAddress, port: int) -> Heard:
        route = self._kernel.route(address)
        if route is None or route.kind is Kind.NONE:
            return Heard(Answer.UNKNOWN, "", "there is no route to it")
        if route.kind is Kind.LOCAL or route.gateway:
            return await knock(address, port)
        sockets = self._links.get(address.version)
        answered = None if sockets is None else await sockets.ask(address, route)
        if answered is not None:
            return Heard(Answer.ANSWERS if answered else Answer.SILENT, _OF_LINK[address.version])
        return await self._by_kernel(address, port, route)

    async def _by_kernel(self, address: IpAddress, port: int, route: Route) -> Heard:
        """Make the kernel ask, and read its neighbour table until it says. An answer of any port says it sooner; none says nothing."""
        began_us = self._clock.boottime_us()
        by = _OF_LINK[address.version]
        with _datagram(address, port, route) as datagram, _connecting(address, port, route) as connection:
            while True:
                await self._clock.sleep(_LOOK_EVERY_S)
                spent_us = self._clock.boottime_us() - began_us
                entry = self._kernel.neighbour(address, route.interface)
                if entry is not None and entry.state & (Nud.NOARP | Nud.PERMANENT):
                    return await knock(address, port)
                answer = verdict(entry, spent_us)
                if answer is not Answer.UNKNOWN:
                    return Heard(answer, by)
                if datagram.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED:
                    return Heard(Answer.ANSWERS, f"udp {port}")  # ICMP: port unreachable, so there is somebody
                if connection.connect_ex(_place(address, port, route)) in _CONNECTED:
                    return Heard(Answer.ANSWERS, f"tcp {port}")
                if spent_us > _KERNEL_S * 1e6:
                    return Heard(Answer.UNKNOWN, "", "the kernel's neighbour table does not say yet")

    async def _address(self, host: str) -> IpAddress | None:
        """A literal needs no resolver. A name is asked for each time; where that fails, what it was last is good enough."""
        try:
            return ipaddress.ip_address(host)
        except ValueError:
            pass
        loop = asyncio.get_running_loop()
        async with self._resolving:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_RESOLVE_S):
                    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                    addresses = [ipaddress.ip_address(str(item[4][0])) for item in found[:8]]
                    self._known[host] = min(addresses, key=lambda address: address.version)
        return self._known.get(host)


def verdict(entry: Neighbour | None, spent_us: int) -> Answer:
    """What an entry of the neighbour table says of a question that was put spent_us ago. Pure.

    FAILED is an answer that did not come. REACHABLE counts only where it was confirmed after the question; STALE, DELAY, PROBE,
    INCOMPLETE and an older REACHABLE say nothing yet.
    """
    if entry is None:
        return Answer.UNKNOWN
    if entry.state & Nud.FAILED:
        return Answer.SILENT
    confirmed = entry.confirmed_ticks
    if entry.state & Nud.REACHABLE and confirmed is not None and confirmed * _US_PER_TICK < spent_us:
        return Answer.ANSWERS
    return Answer.UNKNOWN


def _datagram(address: IpAddress, port: int, route: Route) -> socket.socket:
    """An empty datagram to the camera itself: whatever it does with it, the kernel has to find the neighbour first."""
    sock = _socket(address, socket.SOCK_DGRAM)
    try:
        sock.connect(_place(address, port, route))
        sock.send(b"")
    except BlockingIOError:
        pass
    except OSError as error:
        if error.errno not in _ANSWERED | _SAID_DEAD:
            sock.close()
            raise
    return sock


def _connecting(address: IpAddress, port: int, route: Route) -> socket.socket:
    """A connection to its RTSP port, begun."""
    sock = _socket(address, socket.SOCK_STREAM)
    sock.connect_ex(_place(address, port, route))
    return sock


def _socket(address: IpAddress, kind: int) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


def _place(address: IpAddress, port: int, route: Route) -> tuple[str, int] | tuple[str, int, int, int]:
    """As the socket calls take it; a link-local address is one of an interface."""
    if address.version == 4:
        return (str(address), port)
    return (str(address).partition("%")[0], port, 0, route.interface if address.is_link_local else 0)


async def knock(address: IpAddress, port: int) -> Heard:
    """Connect to the RTSP port and hang up: accepted and refused both are answers. Raises OSError where nothing could be sent."""
    sock = _socket(address, socket.SOCK_STREAM)
    by = f"tcp {port}"
    try:
        async with asyncio.timeout(CONNECT_S):
            await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
    except TimeoutError:
        return Heard(Answer.SILENT, by)
    except OSError as error:
        if error.errno in _ANSWERED:
            return Heard(Answer.ANSWERS, by)
        if error.errno in _SAID_DEAD:
            return Heard(Answer.SILENT, by)
        raise
    finally:
        sock.close()
    return Heard(Answer.ANSWERS, by)
