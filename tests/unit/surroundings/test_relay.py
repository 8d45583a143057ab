"""Relays and meters over HTTP, with what a broken or hostile one may answer."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from longwatch.model.surroundings import Power
from longwatch.simulate.relay import SimulatedRelay
from longwatch.surroundings import http_get
from longwatch.surroundings.device import DeviceError
from longwatch.surroundings.http_get import MAX_BODY, digest, get_json
from longwatch.surroundings.options import HttpAddress, Meter, Relay
from longwatch.surroundings.relay import MeterDevice, RelayDevice, field_of

GEN2 = "/rpc/Switch.GetStatus?id=0"


def at(relay: SimulatedRelay, path: str, user: str = "", password: str = "") -> HttpAddress:
    return HttpAddress("http", "127.0.0.1", relay.port, path, user, password)


@pytest.mark.parametrize(
    ("path", "key", "on"),
    [(GEN2, "output", True), ("/relay/0", "ison", True), ("/cm?cmnd=Power", "POWER", "on")],
)
async def test_a_relay_of_three_makes(path: str, key: str, on: bool | str) -> None:
    async with SimulatedRelay() as relay:
        device = RelayDevice("gate", Relay(at(relay, path), key, on))
        await device.run_once()
        assert device.feed("gate").power is Power.ON
        relay.on = False
        await device.run_once()
        assert device.feed("gate").power is Power.OFF
        assert relay.requests[-1] == f"GET {path}"
        device.forget()
        assert device.feed("gate").power is Power.UNKNOWN


@pytest.mark.parametrize(
    ("path", "key"), [(GEN2, "apower"), ("/meter/0", "power"), ("/cm?cmnd=Status%208", "StatusSNS.ENERGY.Power")]
)
async def test_a_meter_of_three_makes(path: str, key: str) -> None:
    async with SimulatedRelay(watts=6.2) as relay:
        device = MeterDevice("gate", Meter(at(relay, path), key, 1.5))
        await device.run_once()
        assert (device.feed("gate").power, device.feed("gate").detail) == (Power.ON, "6.2 W")
        relay.watts = 1.5
        await device.run_once()
        assert device.feed("gate").power is Power.OFF


@pytest.mark.parametrize("login", ["basic", "digest"])
async def test_a_login(login: str) -> None:
    async with SimulatedRelay(user="admin", password='p"@:/ß', login=login) as relay:
        assert (await get_json(at(relay, GEN2, "admin", 'p"@:/ß')))["output"] is True
        with pytest.raises(DeviceError, match="401"):
            await get_json(at(relay, GEN2, "admin", "wrong"))
        with pytest.raises(DeviceError, match="401"):
            await get_json(at(relay, GEN2))


def test_digest_as_the_standard_shows_it() -> None:
    """RFC 7616, section 3.9.1, both algorithms."""
    address = HttpAddress("http", "h", 80, "/dir/index.html", "Mufasa", "Circle of Life")
    challenge = 'realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="x"'
    nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert 'response="8ca523f5e9506fed4657c9700eebdbec"' in digest(address, challenge.format("MD5"), nonce)
    sha = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    assert f'response="{sha}"' in digest(address, challenge.format("SHA-256"), nonce)


@pytest.mark.parametrize(
    "challenge", ['realm="x"', 'nonce="a", algorithm=SHA-512', 'nonce="a", qop="auth-int"', "", 'nonce="']
)
def test_a_challenge_that_cannot_be_answered(challenge: str) -> None:
    with pytest.raises(ValueError, match="login"):
        digest(HttpAddress("http", "h", 80, "/", "u", "p"), challenge, "c")


def ok(body: bytes, head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + (head or b"Content-Length: %d\r\n" % len(body)) + b"\r\n" + body


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "hung up"),
        (b"\xff\x00garbage\r\n\r\n", "did not answer"),
        (b"RTSP/1.0 200 OK\r\n\r\n", "did not answer"),
        (ok(b"{}")[:-1], "in the midst"),  # cut off
        (ok(b"<html>"), "in JSON"),
        (ok(b"[" * 50_000), "in JSON"),
        (ok(b"x" * (MAX_BODY + 1)), "more than"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: " + b"x" * 200_000 + b"\r\n\r\n", "did not answer"),
        (ok(b"", b"Content-Length: -5\r\n"), "did not answer"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n", "redirect is not followed"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "status 500"),
    ],
)
async def test_what_is_no_answer(answer: bytes, says: str) -> None:
    async with SimulatedRelay() as relay:
        relay.answer = answer
        with pytest.raises(DeviceError, match=says):
            await get_json(at(relay, GEN2))


@pytest.mark.parametrize(
    "answer",
    [
        ok(b'{"output": true}', b"Connection: close\r\n"),
        ok(b'4\r\n{"ou\r\nc\r\ntput": true}\r\n0\r\n\r\n', b"Transfer-Encoding: chunked\r\n"),
    ],
)
async def test_answers_without_a_length(answer: bytes) -> None:
    async with SimulatedRelay() as relay:
        relay.answer = answer
        assert await get_json(at(relay, GEN2)) == {"output": True}


async def test_a_device_that_hangs_costs_no_more_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_get, "WITHIN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as sock, pytest.raises(DeviceError, match="did not answer"):
        await get_json(HttpAddress("http", "127.0.0.1", sock.getsockname()[1], "/"))


async def test_an_error_shows_neither_path_nor_login() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    with pytest.raises(DeviceError) as caught:
        await get_json(HttpAddress("http", "127.0.0.1", port, "/cm?password=canary", "u", "canary"))
    assert "canary" not in str(caught.value) + repr(caught.value.__cause__)


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with SimulatedRelay() as relay:
        assert await get_json(at(relay, "/relay/0")) == {"ison": True, "has_timer": False}


@pytest.mark.parametrize(
    ("said", "key", "expected"),
    [
        ({"a": {"b": [1, {"c": True}]}}, "a.b.1.c", True), ({"relays": [{"ison": False}]}, "relays.0.ison", False),
        ({"a": 0}, "a", 0),
    ],
)  # fmt: skip
def test_a_field_within_the_answer(said: Any, key: str, expected: object) -> None:
    assert field_of(said, key, "relay") == expected


@pytest.mark.parametrize(
    ("said", "key"), [({}, "a"), ([], "0"), ([1], "-1"), ([1], "²"), ("text", "0"), (None, "a"), ({"a": 1}, "a.b")]
)
def test_a_field_that_is_not_there(said: Any, key: str) -> None:
    with pytest.raises(DeviceError, match="there is no"):
        field_of(said, key, "relay")


@pytest.mark.parametrize("value", [None, {}, [], [True]])
def test_a_relay_that_says_no_single_value_is_not_off(value: Any) -> None:
    with pytest.raises(DeviceError):
        RelayDevice("gate", Relay(HttpAddress("http", "h", 80, "/"), "x")).read(value)


@pytest.mark.parametrize("value", [None, {}, True, "x", "nan", "inf", float("nan")])
def test_a_meter_that_says_no_number_is_not_off(value: Any) -> None:
    with pytest.raises(DeviceError):
        MeterDevice("gate", Meter(HttpAddress("http", "h", 80, "/"), "x", 1)).read(value)


@pytest.mark.parametrize(
    ("on", "value", "power"),
    [(True, True, Power.ON), (True, 1, Power.ON), (True, 0, Power.OFF), (1, True, Power.ON), (True, "on", Power.OFF),
     ("ON", "on", Power.ON), ("closed", "open", Power.OFF), (0, 0, Power.ON)],
)  # fmt: skip
def test_what_is_on(on: Any, value: Any, power: Power) -> None:
    device = RelayDevice("gate", Relay(HttpAddress("http", "h", 80, "/"), "x", on))
    assert device.read(json.loads(json.dumps(value))).power is power


async def test_one_connection_and_one_request_a_question() -> None:
    async with SimulatedRelay() as relay:
        await asyncio.gather(*(get_json(at(relay, "/relay/0")) for _ in range(3)))
        assert relay.requests == ["GET /relay/0"] * 3
