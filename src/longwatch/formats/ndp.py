"""Neighbour Discovery for IPv6 (RFC 4861): the solicitation and the advertisement, as they stand in ICMPv6 (type first).

The checksum is left to the kernel, which knows both addresses.
"""

from __future__ import annotations

import ipaddress
import struct

SOLICITATION, ADVERTISEMENT = 135, 136
HOP_LIMIT = 255
"""Section 7.1: a message with any other came through a router, and is not of this link."""
_HEAD = struct.Struct("!BBHI16s")
_SOURCE_LINK_ADDRESS = 1


def solicitation(target: ipaddress.IPv6Address, source_link: bytes) -> bytes:
    """The question for `target` (section 4.3), with our own link address (section 4.6.1). Raises ValueError where that is not Ethernet's."""
    if len(source_link) != 6:
        raise ValueError(f"a link address of {len(source_link)} bytes is not Ethernet's")
    return _HEAD.pack(SOLICITATION, 0, 0, 0, target.packed) + bytes((_SOURCE_LINK_ADDRESS, 1)) + source_link


def advertised(data: bytes) -> ipaddress.IPv6Address | None:
    """Whose address an advertisement tells of (section 4.4); None for anything else."""
    if len(data) < _HEAD.size:
        return None
    kind, code, _, _, target = _HEAD.unpack_from(data)
    if (kind, code) != (ADVERTISEMENT, 0):
        return None
    address = ipaddress.IPv6Address(target)
    return None if address.is_multicast else address


def solicited_node(target: ipaddress.IPv6Address) -> ipaddress.IPv6Address:
    """The multicast address that a node with `target` listens on (RFC 4291, section 2.7.1)."""
    return ipaddress.IPv6Address(bytes.fromhex("ff0200000000000000000001ff") + target.packed[-3:])
