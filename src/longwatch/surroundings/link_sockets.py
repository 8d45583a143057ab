"""ARP and NDP questions of our own, where the process may (CAP_NET_RAW): the kernel's table alone takes up to a minute to notice.

Why: an entry that was confirmed just before a camera fell silent stays REACHABLE for 15 to 45 s, then DELAY for 5 s, then PROBE
for 3 s, and nobody without privileges can shorten that. Three questions on the wire take two seconds. Only the camera's own
address is ever asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable

from longwatch.base.clock import Clock
from longwatch.formats import arp, ndp
from longwatch.formats.rtnetlink import IpAddress, Route

_TRIES = 3
_WAIT_S = 0.6
_IDLE_US = 60_000_000
_ETHERNET = 1  # ARPHRD_ETHER
_AT_ONCE = 256  # packets taken in before others have their turn
_ICMP6_FILTER = 1  # of level IPPROTO_ICMPV6 (linux/icmpv6.h); a set bit keeps that type away


class LinkSockets(ABC):
    """A socket per interface while somebody is asked there. Owner of its state: the loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sockets: dict[int, tuple[socket.socket, bytes]] = {}
        self._used_us: dict[int, int] = {}
        self._waiting: dict[tuple[int, IpAddress], asyncio.Event] = {}
        self._forbidden = False

    @abstractmethod
    def open(self, interface: str) -> socket.socket:
        """A socket that hears answers on that interface. Raises OSError."""

    @abstractmethod
    def question(
        self, sock: socket.socket, address: IpAddress, route: Route, link: bytes
    ) -> Callable[[], object] | None:
        """What puts the question on the wire; None where there is no such question for this route."""

    @abstractmethod
    def heard(self, sock: socket.socket) -> IpAddress | None:
        """Who spoke, of one packet that waits; None for any other packet. Raises OSError."""

    async def ask(self, address: IpAddress, route: Route) -> bool | None:
        """Whether `address` answers on the route's interface. None where we may not ask so, or it is no Ethernet. Raises OSError
        where the interface cannot send.
        """
        found = self._socket(route.interface)
        send = None if found is None else self.question(found[0], address, route, found[1])
        if send is None:
            return None
        key = (route.interface, address)
        answered = self._waiting.setdefault(key, asyncio.Event())
        try:
            for _ in range(_TRIES):
                send()
                if await self._within(answered):
                    return True
        finally:
            self._waiting.pop(key, None)
        return False

    async def _within(self, answered: asyncio.Event) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_WAIT_S):
                await answered.wait()
        return answered.is_set()

    def _socket(self, interface: int) -> tuple[socket.socket, bytes] | None:
        """The one of an interface of Ethernet, and that interface's link address; None where we may not, or it is none."""
        self._used_us[interface] = self._clock.boottime_us()
        found = self._sockets.get(interface)
        if found is not None or self._forbidden:
            return found
        name = socket.if_indextoname(interface)
        try:
            kind, link = _link_address(name)
        except OSError:  # EPERM; or EAFNOSUPPORT by systemd's RestrictAddressFamilies
            self._forbidden = True
            return None
        if kind != _ETHERNET:
            return None
        sock = self.open(name)
        self._sockets[interface] = (sock, link)
        asyncio.get_running_loop().add_reader(sock.fileno(), self._read, interface, sock)
        return sock, link

    def _read(self, interface: int, sock: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                address = self.heard(sock)
            except BlockingIOError:
                return
            except OSError:  # the interface went down or away
                self._drop(interface)
                return
            waiting = None if address is None else self._waiting.get((interface, address))
            if waiting is not None:
                waiting.set()

    def _drop(self, interface: int) -> None:
        found = self._sockets.pop(interface, None)
        if found is not None:
            asyncio.get_running_loop().remove_reader(found[0].fileno())
            found[0].close()

    def tidy(self) -> None:
        """Close what was not used for a minute, so that nobody else's packets wake us."""
        now_us = self._clock.boottime_us()
        busy = {interface for interface, _ in self._waiting}
        for interface in list(self._sockets):
            if interface not in busy and now_us - self._used_us[interface] > _IDLE_US:
                self._drop(interface)

    def close(self) -> None:
        """All of them."""
        for interface in list(self._sockets):
            self._drop(interface)


class ArpSockets(LinkSockets):
    """For IPv4: packet sockets that get ARP and nothing else."""

    def open(self, interface: str) -> socket.socket:
        """Bound to the interface and to ARP."""
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            sock.bind((interface, arp.ETHERTYPE))
        except OSError:
            sock.close()
            raise
        return sock

    def question(
        self, sock: socket.socket, address: IpAddress, route: Route, link: bytes
    ) -> Callable[[], object] | None:
        """Who has it, to everybody."""
        source = route.source
        if not isinstance(address, ipaddress.IPv4Address) or not isinstance(source, ipaddress.IPv4Address):
            return None
        packet = arp.who_has(address, source, link)
        place = (sock.getsockname()[0], arp.ETHERTYPE, 0, 0, arp.BROADCAST)
        return lambda: sock.sendto(packet, place)

    def heard(self, sock: socket.socket) -> IpAddress | None:
        """Whoever sent it: a question names its sender as surely as an answer."""
        said = arp.parse(sock.recv(256))
        return None if said is None else said.sender


class NdpSockets(LinkSockets):
    """For IPv6: raw sockets that get neighbour advertisements and nothing else."""

    def open(self, interface: str) -> socket.socket:
        """Bound to the interface; the kernel leaves every other type of ICMPv6 away."""
        flags = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW | flags, socket.IPPROTO_ICMPV6)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
            sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, _all_but(ndp.ADVERTISEMENT))
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ndp.HOP_LIMIT)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        except OSError:
            sock.close()
            raise
        return sock

    def question(
        self, sock: socket.socket, address: IpAddress, route: Route, link: bytes
    ) -> Callable[[], object] | None:
        """To the solicited-node address of the camera."""
        if not isinstance(address, ipaddress.IPv6Address):
            return None
        packet = ndp.solicitation(address, link)
        place = (str(ndp.solicited_node(address)), 0, 0, route.interface)
        return lambda: sock.sendto(packet, place)

    def heard(self, sock: socket.socket) -> IpAddress | None:
        """The target of an advertisement that was sent on this very link."""
        data, said, _, _ = sock.recvmsg(256, socket.CMSG_SPACE(4))
        hops = [value for level, kind, value in said if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)]
        if not hops or struct.unpack("=i", hops[0])[0] != ndp.HOP_LIMIT:
            return None
        return ndp.advertised(data)


def _all_but(kind: int) -> bytes:
    """An ICMPv6 filter (RFC 3542, section 3.2) that lets one type through."""
    words = [0xFFFFFFFF] * 8
    words[kind >> 5] &= ~(1 << (kind & 31)) & 0xFFFFFFFF
    return struct.pack("=8I", *words)


def _link_address(interface: str) -> tuple[int, bytes]:
    """The interface's kind (ARPHRD) and address. The socket gets no packet. Raises OSError where the process may not."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0) as sock:
        sock.bind((interface, 0))
        _, _, _, kind, link = sock.getsockname()
        return kind, link
