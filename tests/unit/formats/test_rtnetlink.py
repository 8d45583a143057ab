"""What the kernel says of routes and neighbours. The captures are of Linux 6.1 on x86-64."""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys

import pytest

from longwatch.formats import rtnetlink
from longwatch.formats.rtnetlink import Kind, Neighbour, Nud, Refusal, Route

V4, V6 = ipaddress.ip_address("10.0.0.5"), ipaddress.ip_address("fd00::5")
little = pytest.mark.skipif(sys.byteorder != "little", reason="captured on a little-endian machine")


def neighbour(state: int, *, confirmed: int = 12, address: bytes = V4.packed) -> bytes:
    attributes = struct.pack("=HH", 4 + len(address), 1) + address
    attributes += struct.pack("=HH6sxx", 10, 2, b"\x02\x00\x00\x00\x00\x05")
    attributes += struct.pack("=HHIIII", 20, 3, confirmed, 3, 4, 1)
    body = struct.pack("=BxxxiHBB", 2, 7, state, 0, 1) + attributes
    return struct.pack("=IHHII", 16 + len(body), 28, 0, 9, 0) + body


@pytest.mark.parametrize("state", [Nud.REACHABLE, Nud.STALE, Nud.DELAY, Nud.PROBE, Nud.FAILED, Nud.INCOMPLETE])
def test_a_neighbour_with_its_state(state: Nud) -> None:
    assert rtnetlink.parse(neighbour(state)) == [(9, Neighbour(V4, 7, state, b"\x02\0\0\0\0\x05", 12))]


def test_several_messages_follow_each_other_and_unknown_ones_are_left_out() -> None:
    done = struct.pack("=IHHII", 20, 3, 2, 9, 0) + bytes(4)
    refused = struct.pack("=IHHIIi", 20, 2, 0, 4, 0, -2)
    assert rtnetlink.parse(neighbour(2) + done + refused) == [
        (9, Neighbour(V4, 7, Nud.REACHABLE, b"\x02\0\0\0\0\x05", 12)), (4, Refusal(2)),
    ]  # fmt: skip


@little
def test_a_route_through_a_gateway() -> None:
    captured = bytes.fromhex(
        "7400000018000000070000000a0b0c0d0220000000000001000000000800"
        "0f00fe000000080001000808080808000400040000000800070005050505"
        "080010000000000008000500c0000201240011000000000000000000000000000000000000000000000000000000000000000000"
    )
    captured = struct.pack("=I", len(captured)) + captured[4:]
    route = Route(Kind.UNICAST, 4, gateway=True, source=ipaddress.ip_address("5.5.5.5"))
    assert rtnetlink.parse(captured)[0][1] == route


@pytest.mark.parametrize("address", [V4, V6])
def test_questions_carry_the_address_once(address: rtnetlink.IpAddress) -> None:
    route, table = rtnetlink.get_route(address, 3), rtnetlink.get_neighbour(address, 7, 4)
    for question in (route, table):
        assert struct.unpack_from("=I", question)[0] == len(question)
        assert question.count(address.packed) == 1
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    assert route[16] == table[16] == family


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("=IHHII", 8, 28, 0, 1, 0),  # shorter than its header
        struct.pack("=IHHII", 999, 28, 0, 1, 0),  # longer than what came
        struct.pack("=IHHII", 18, 28, 0, 1, 0) + b"\0\0",  # no room for a neighbour
        struct.pack("=IHHII", 18, 24, 0, 1, 0) + b"\0\0",  # no room for a route
        neighbour(2)[:28] + struct.pack("=HH", 2, 1) + neighbour(2)[32:],  # an attribute of two bytes
    ],
)
def test_lengths_that_cannot_be_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes|shorter"):
        rtnetlink.parse(data)


def test_the_kernel_of_this_machine_answers() -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.settimeout(5)
        sock.bind((0, 0))
        sock.send(rtnetlink.get_route(ipaddress.ip_address("127.0.0.1"), 5))
        [(sequence, route)] = rtnetlink.parse(sock.recv(rtnetlink.MAX_BYTES))
        assert (sequence, route.kind, route.gateway) == (5, Kind.LOCAL, False)  # type: ignore[union-attr]  # that is the test
        sock.send(rtnetlink.get_neighbour(ipaddress.ip_address("127.9.9.9"), 1, 6))
        assert rtnetlink.parse(sock.recv(rtnetlink.MAX_BYTES)) == [(6, Refusal(2))]
