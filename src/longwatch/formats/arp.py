"""ARP for IPv4 over Ethernet (RFC 826; the numbers of RFC 5494)."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

_LAYOUT = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET, _IPV4 = 1, 0x0800
_REQUEST = 1
ETHERTYPE = 0x0806
BROADCAST = b"\xff" * 6


@dataclass(frozen=True, slots=True)
class Arp:
    """Who sent it, by both addresses. A request names its sender as surely as an answer does."""

    sender_link: bytes
    sender: ipaddress.IPv4Address
    target: ipaddress.IPv4Address


def who_has(target: ipaddress.IPv4Address, sender: ipaddress.IPv4Address, sender_link: bytes) -> bytes:
    """The question for `target`, 28 bytes. Raises ValueError where the link's address is not of Ethernet."""
    if len(sender_link) != 6:
        raise ValueError(f"a link address of {len(sender_link)} bytes is not Ethernet's")
    return _LAYOUT.pack(
        _ETHERNET, _IPV4, 6, 4, _REQUEST, sender_link, sender.packed, bytes(6), target.packed
    )  # fmt: skip


def parse(data: bytes) -> Arp | None:
    """None for what is not ARP for IPv4 over Ethernet. Padding behind it is let be."""
    if len(data) < _LAYOUT.size:
        return None
    hardware, protocol, hardware_bytes, protocol_bytes, _, link, sender, _, target = _LAYOUT.unpack_from(data)
    if (hardware, protocol, hardware_bytes, protocol_bytes) != (_ETHERNET, _IPV4, 6, 4):
        return None
    return Arp(link, ipaddress.IPv4Address(sender), ipaddress.IPv4Address(target))
