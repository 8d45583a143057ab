"""Questions of our own: only where the process may, and never anything but the answer."""

from __future__ import annotations

import ipaddress
import socket
import struct

import pytest

from longwatch.base.clock import SystemClock
from longwatch.formats import ndp
from longwatch.formats.rtnetlink import Kind, Route
from longwatch.surroundings import link_sockets
from longwatch.surroundings.link_sockets import ArpSockets, LinkSockets, NdpSockets, _all_but

V4, V6 = ipaddress.IPv4Address("127.0.0.2"), ipaddress.IPv6Address("::2")
LOOPBACK = Route(Kind.UNICAST, 1, gateway=False, source=ipaddress.IPv4Address("127.0.0.1"))
BOTH = pytest.mark.parametrize(("kind", "address"), [(ArpSockets, V4), (NdpSockets, V6)])


@BOTH
@pytest.mark.parametrize("error", [PermissionError(1, "no"), OSError(97, "family")])
async def test_a_process_that_may_not_says_so_once_and_for_all(
    kind: type[LinkSockets], address: ipaddress.IPv4Address, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def refused(name: str) -> tuple[int, bytes]:
        tried.append(name)
        raise error

    monkeypatch.setattr(link_sockets, "_link_address", refused)
    sockets = kind(SystemClock())
    assert await sockets.ask(address, LOOPBACK) is None
    assert await sockets.ask(address, LOOPBACK) is None
    assert tried == [socket.if_indextoname(1)]


@BOTH
async def test_where_there_is_no_ethernet_there_is_no_such_question(
    kind: type[LinkSockets], address: ipaddress.IPv4Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_sockets, "_link_address", lambda _: (772, bytes(6)))  # ARPHRD_LOOPBACK
    assert await kind(SystemClock()).ask(address, LOOPBACK) is None


@BOTH
async def test_an_interface_that_is_gone_is_an_error_of_the_question(
    kind: type[LinkSockets], address: ipaddress.IPv4Address
) -> None:
    with pytest.raises(OSError, match="No such device"):
        await kind(SystemClock()).ask(address, Route(Kind.UNICAST, 2**30, gateway=False, source=None))


def test_the_filter_lets_advertisements_through_and_nothing_else() -> None:
    words = struct.unpack("=8I", _all_but(ndp.ADVERTISEMENT))
    through = [kind for kind in range(256) if not words[kind >> 5] >> (kind & 31) & 1]
    assert through == [ndp.ADVERTISEMENT]
