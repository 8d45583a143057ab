"""Fuzz targets around the cameras: what the kernel, a neighbour, a relay, a meter and a UPS may say."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

import httptools

from longwatch.formats import arp, ndp, rtnetlink
from longwatch.ledger import canonical
from longwatch.surroundings.device import DeviceError
from longwatch.surroundings.http_get import MAX_BODY, Reading, digest
from longwatch.surroundings.mains import body
from longwatch.surroundings.options import HttpAddress, Meter, Relay
from longwatch.surroundings.relay import MeterDevice, RelayDevice, field_of
from longwatch.surroundings.ups import read

_ADDRESS = HttpAddress("http", "10.0.0.9", 80, "/", "user", "password")


def kernel(data: bytes) -> None:
    """Any bytes are messages, or are refused as a whole."""
    try:
        found = rtnetlink.parse(data)
    except ValueError:
        return
    assert len(found) <= len(data) // 16


def neighbour(data: bytes) -> None:
    """Any packet is ARP, or none; and an advertisement, or none."""
    assert arp.parse(data) is None or len(data) >= 28
    address = ndp.advertised(data)
    assert address is None or address.packed == data[8:24]


def relay(data: bytes) -> None:
    """Any answer is one within its bounds, or an error that says so; and any JSON says on, off, watts, or nothing."""
    reading = Reading()
    try:
        for part in (data[:9], data[9:], b""):
            if not reading.whole:
                reading.take(part)
        answer = reading.answer()
    except (ValueError, httptools.HttpParserError):
        return
    assert len(answer.body) <= MAX_BODY
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return
    for device in (RelayDevice("gate", Relay(_ADDRESS, "a.0.b")), MeterDevice("gate", Meter(_ADDRESS, "a.0.b", 1.0))):
        try:
            device.read(said)
            device.read(field_of(said, "a.0.b", "x"))
        except DeviceError:
            pass


def challenge(data: bytes) -> None:
    """Any challenge is answered in one line of header, or refused."""
    try:
        answer = digest(_ADDRESS, data.decode("latin-1"), "c")
    except ValueError:
        return
    assert "password" not in answer.replace('username="user"', "")


def ups(data: bytes) -> None:
    """Any variables are a state that the ledger takes, or nothing."""
    status, _, rest = data.decode("utf-8", "replace").partition("\n")
    charge, _, runtime = rest.partition("\n")
    try:
        state, said = read({"ups.status": status, "battery.charge": charge, "battery.runtime": runtime}, "nut")
    except DeviceError:
        return
    assert state.battery_percent is None or 0 <= state.battery_percent <= 100
    try:
        canonical(body(state, said))
    except ValueError as error:
        raise AssertionError(said) from error


_NEIGHBOUR = (
    struct.pack("=IHHII", 40, 28, 0, 9, 0)
    + struct.pack("=BxxxiHBB", 2, 7, 2, 0, 1)
    + struct.pack("=HH4s", 8, 1, b"\n\0\0\5")
)
_OK = b'HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n{"a": [{"b": true, "c": 1.5}]}'
SEEDS = {
    "kernel": [_NEIGHBOUR, _NEIGHBOUR * 3],
    "neighbour": [
        bytes.fromhex("00010800060400020200000000050a0000050200000000010a000001"),
        bytes.fromhex("8800000060000000fd000000000000000000000000123456"),
    ],
    "relay": [_OK, b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n0\r\n\r\n'],
    "challenge": [b'realm="r", nonce="n", qop="auth", algorithm=SHA-256, opaque="o"'],
    "ups": [b"OB LB DISCHRG\n7.5\n61", b"OL\n100\n"],
}
TARGETS: dict[str, Callable[[bytes], None]] = {
    "kernel": kernel, "neighbour": neighbour, "relay": relay, "challenge": challenge, "ups": ups,
}  # fmt: skip
