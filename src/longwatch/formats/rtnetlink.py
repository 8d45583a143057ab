"""Routes and neighbours as the Linux kernel tells them (rtnetlink(7), RFC 3549; layouts of linux/netlink.h, rtnetlink.h, neighbour.h).

Only what is needed to learn whether an address answers on the same link: one route (RTM_GETROUTE) and one entry of the neighbour
table (RTM_GETNEIGH), asked for by address. Integers are in the host's byte order.
"""

from __future__ import annotations

import enum
import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NLMSG_ERROR = 2
_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26
_RTM_NEWNEIGH, _RTM_GETNEIGH = 28, 30
_NLM_F_REQUEST = 1
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_VIA = 1, 4, 5, 7, 18
_NDA_DST, _NDA_LLADDR, _NDA_CACHEINFO = 1, 2, 3
_AF_INET, _AF_INET6 = 2, 10
_HEADER = struct.Struct("=IHHII")  # nlmsg_len, type, flags, seq, pid
_RTMSG = struct.Struct("=BBBBBBBBI")  # family, dst_len, src_len, tos, table, protocol, scope, type, flags
_NDMSG = struct.Struct("=BxxxiHBB")  # family, ifindex, state, flags, type
_ATTRIBUTE = struct.Struct("=HH")
_SIGNED = struct.Struct("=i")
_UNSIGNED = struct.Struct("=I")
_NESTED = 0x3FFF  # the two highest bits of an attribute's type are flags
MAX_BYTES = 65_536


class Kind(enum.IntEnum):
    """What a route leads to (rtm_type): of the kernel's list those that matter here; all others are NONE."""

    NONE = 0
    UNICAST = 1
    LOCAL = 2


class Nud(enum.IntFlag):
    """The state of a neighbour (ndm_state; RFC 4861, section 7.3.2).

    REACHABLE: it was confirmed within the reachable time (15 to 45 s by default), so it says nothing of now. STALE: confirmed some time,
    unused. DELAY: used again, waiting 5 s for a sign before asking. PROBE: being asked. INCOMPLETE: being asked for the first
    time. FAILED: asked, and nobody answered. NOARP, PERMANENT: never asked.
    """

    NONE = 0
    INCOMPLETE = 0x01
    REACHABLE = 0x02
    STALE = 0x04
    DELAY = 0x08
    PROBE = 0x10
    FAILED = 0x20
    NOARP = 0x40
    PERMANENT = 0x80


@dataclass(frozen=True, slots=True)
class Route:
    """How the kernel would send to an address. gateway: None on the same link. source: the address it would send from."""

    kind: Kind
    interface: int
    gateway: bool
    source: IpAddress | None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One entry of the neighbour table. confirmed_ticks: since it was last confirmed, in 1/100 s (USER_HZ); None where not told."""

    address: IpAddress | None
    interface: int
    state: Nud
    link_address: bytes
    confirmed_ticks: int | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The kernel said no; errno is positive (2, ENOENT: there is no such entry). 0: it is done."""

    errno: int


Message = Route | Neighbour | Refusal


def get_route(address: IpAddress, sequence: int) -> bytes:
    """Ask how `address` would be reached."""
    bits = address.max_prefixlen
    body = _RTMSG.pack(_family(address), bits, 0, 0, 0, 0, 0, 0, 0) + _attribute(_RTA_DST, address.packed)
    return _request(_RTM_GETROUTE, sequence, body)


def get_neighbour(address: IpAddress, interface: int, sequence: int) -> bytes:
    """Ask for the entry of `address` on `interface` (Linux >= 5.0 finds one entry without a dump)."""
    body = _NDMSG.pack(_family(address), interface, 0, 0, 0) + _attribute(_NDA_DST, address.packed)
    return _request(_RTM_GETNEIGH, sequence, body)


def parse(data: bytes) -> list[tuple[int, Message]]:
    """(sequence, message) of each that is known, in order. Raises ValueError where a length cannot be."""
    found: list[tuple[int, Message]] = []
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, _, sequence, _ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            raise ValueError(f"a netlink message of {length} bytes in {len(data) - at}")
        message = _message(kind, data[at + _HEADER.size : at + length])
        if message is not None:
            found.append((sequence, message))
        at += (length + 3) & ~3
    return found


def _message(kind: int, body: bytes) -> Message | None:
    if kind == _NLMSG_ERROR:
        return Refusal(-_int(body[:4]))
    if kind == _RTM_NEWROUTE:
        return _route(body)
    if kind == _RTM_NEWNEIGH:
        return _neighbour(body)
    return None


def _route(body: bytes) -> Route:
    if len(body) < _RTMSG.size:
        raise ValueError("a route shorter than its header")
    kind = _RTMSG.unpack_from(body)[7]
    interface, gateway, source = 0, False, None
    for name, value in _attributes(body[_RTMSG.size :]):
        if name == _RTA_OIF:
            interface = _int(value)
        elif name in {_RTA_GATEWAY, _RTA_VIA}:
            gateway = True
        elif name == _RTA_PREFSRC:
            source = _address(value)
    return Route(Kind(kind) if kind in {1, 2} else Kind.NONE, interface, gateway, source)


def _neighbour(body: bytes) -> Neighbour:
    if len(body) < _NDMSG.size:
        raise ValueError("a neighbour shorter than its header")
    _, interface, state, _, _ = _NDMSG.unpack_from(body)
    address, link_address, confirmed = None, b"", None
    for name, value in _attributes(body[_NDMSG.size :]):
        if name == _NDA_DST:
            address = _address(value)
        elif name == _NDA_LLADDR:
            link_address = value
        elif name == _NDA_CACHEINFO and len(value) >= 4:  # nda_cacheinfo: confirmed, used, updated, refcnt
            confirmed = int(_UNSIGNED.unpack_from(value)[0])
    return Neighbour(address, interface, Nud(state & 0xFF), link_address, confirmed)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            raise ValueError(f"an attribute of {length} bytes in {len(data) - at}")
        yield kind & _NESTED, data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3


def _int(value: bytes) -> int:
    if len(value) != 4:
        raise ValueError(f"an integer of {len(value)} bytes")
    return int(_SIGNED.unpack(value)[0])


def _address(value: bytes) -> IpAddress | None:
    if len(value) == 4:
        return ipaddress.IPv4Address(value)
    return ipaddress.IPv6Address(value) if len(value) == 16 else None


def _family(address: IpAddress) -> int:
    return _AF_INET if address.version == 4 else _AF_INET6


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value  # addresses: multiples of four already


def _request(kind: int, sequence: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST, sequence, 0) + body
