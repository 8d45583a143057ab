"""What a switch's port means, and a switch that is asked by SNMP."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from typing import Any

import pytest
from tests.fuzz.campaign import mutate

from longwatch.base.clock import SystemClock
from longwatch.model.surroundings import Power
from longwatch.simulate.switch import SimulatedSwitch
from longwatch.surroundings.device import DeviceError
from longwatch.surroundings.options import Snmp, SwitchPort
from longwatch.surroundings.switch import PortState, SwitchDevice, feed_of

ON, OFF, UNKNOWN = Power.ON, Power.OFF, Power.UNKNOWN


@pytest.mark.parametrize(
    ("state", "delivered", "power", "link", "says"),
    [
        (PortState(1, 3, 1), False, ON, ON, "gives power"),
        (PortState(2, 1, 2), True, OFF, OFF, "its administrator"),
        (PortState(2, 3, 1), True, OFF, ON, "its administrator"),  # a switch that has not noticed yet
        (PortState(1, 1, 2), True, OFF, OFF, "disabled"),
        (PortState(1, 2, 2), True, OFF, OFF, "finds no device"),
        (PortState(1, 2, 1), False, UNKNOWN, ON, "never gave it power"),  # a camera with a supply of its own
        (PortState(1, 4, 2), True, OFF, OFF, "fault"),
        (PortState(1, 6, 7), True, OFF, OFF, "other fault"),
        (PortState(1, 5, 1), True, UNKNOWN, ON, ""),  # test
        (PortState(None, None, 1), False, UNKNOWN, ON, ""),  # a switch without PoE
        (PortState(None, None, 6), False, UNKNOWN, OFF, ""),
        (PortState(1, 3, 4), False, ON, UNKNOWN, "gives power"),
        (PortState(), False, UNKNOWN, UNKNOWN, "no such port"),
        (PortState(1, 99, 99), True, UNKNOWN, UNKNOWN, ""),
    ],
)
def test_what_a_port_means(state: PortState, delivered: bool, power: Power, link: Power, says: str) -> None:
    feed = feed_of(state, delivered=delivered)
    assert (feed.power, feed.link) == (power, link)
    assert says in feed.detail
    assert feed.ordered == (state.admin == 2 or state.detection == 1), "somebody told it so"


def device(switch: SimulatedSwitch, **login: str) -> SwitchDevice:
    ports = (("gate", SwitchPort(3, 3)), ("mast", SwitchPort(2, 2)), ("yard", SwitchPort(99, 99)))
    return SwitchDevice(
        "hut", Snmp(switch.host, switch.port, **(login or {"community": "public"})), ports, SystemClock()
    )


USER = {"version": "3", "user": "lw", "auth": "sha256", "auth_password": "12345678"}
PRIVATE = USER | {"privacy": "aes", "privacy_password": "abcdefgh"}


@pytest.mark.slow
@pytest.mark.parametrize("login", [{"community": "public"}, PRIVATE])
async def test_ports_that_are_switched_off_and_pulled(login: dict[str, str]) -> None:
    async with SimulatedSwitch(8, user="lw", auth_password="12345678", privacy_password="abcdefgh") as switch:
        asked = device(switch, **login)
        await asked.run_once()
        assert asked.feed("gate").power is asked.feed("mast").power is ON
        assert asked.feed("yard").power is UNKNOWN, "there is no such port"
        switch.ports.switch(3, on=False)
        switch.ports.plug(2, on=False)
        await asked.run_once()
        assert (asked.feed("gate").power, asked.feed("mast").power) == (OFF, OFF)
        assert "finds no device" in asked.feed("mast").detail
        assert asked.by_of("gate") == "snmp hut port 3"
        asked.close()


async def test_when_the_switch_started_is_told_by_its_uptime() -> None:
    clock = SystemClock()
    async with SimulatedSwitch(3) as switch:
        asked = device(switch)
        await asked.run_once()
        started_us = asked.feed("gate").started_boot_us
        assert started_us is not None
        assert 0 <= clock.boottime_us() - started_us < 10_000_000
        asked.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("login", "says"),
    [({"community": "other"}, "timeout"), (PRIVATE | {"auth_password": "87654321"}, "digest|Wrong|unknown")],
)
async def test_a_wrong_login_is_a_device_that_does_not_answer(
    login: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longwatch.surroundings.switch._TIMEOUT_S", 0.2)
    async with SimulatedSwitch(3, user="lw", auth_password="12345678", privacy_password="abcdefgh") as switch:
        asked = device(switch, **login)
        with pytest.raises(DeviceError, match=says) as caught:
            await asked.run_once()
        assert login.get("auth_password", login.get("community", "")) not in str(caught.value)
        asked.close()


@pytest.mark.slow
async def test_a_switch_that_restarts_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """With SNMPv3 its notion of time begins anew too."""
    monkeypatch.setattr("longwatch.surroundings.switch._TIMEOUT_S", 0.2)
    async with SimulatedSwitch(3, user="lw", auth_password="12345678", privacy_password="abcdefgh") as switch:
        for login in ({"community": "public"}, PRIVATE):
            asked = device(switch, **login)
            await asked.run_once()
            switch.stop()
            with pytest.raises(DeviceError):
                await asked.run_once()
            switch.start()
            await asked.run_once()
            assert asked.feed("gate").power is ON
            asked.close()


async def test_many_ports_are_asked_in_parts() -> None:
    async with SimulatedSwitch(48) as switch:
        ports = tuple((f"c{n}", SwitchPort(n, n)) for n in range(1, 49))
        asked = SwitchDevice("hut", Snmp(switch.host, switch.port, community="public"), ports, SystemClock())
        await asked.run_once()
        assert switch.requests == 8
        assert {asked.feed(camera).power for camera, _ in ports} == {ON}
        asked.close()


class Liar(asyncio.DatagramProtocol):
    """A switch whose answers are changed on their way."""

    def __init__(self, real: tuple[str, int], rng: random.Random) -> None:
        self._real, self._rng = real, rng

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(data, self._real)
            asyncio.get_running_loop().call_soon(self._later, addr)
        self._transport.sendto(mutate(data, self._rng), addr)

    def _later(self, addr: tuple[str | Any, int]) -> None:
        self._transport.sendto(self._rng.randbytes(60), addr)


@pytest.mark.slow
@pytest.mark.parametrize("login", [{"community": "public"}, PRIVATE], ids=["v2c", "v3"])
async def test_answers_that_are_garbage_cost_their_time_and_nothing_else(
    login: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longwatch.surroundings.switch._TIMEOUT_S", 0.05)
    loop = asyncio.get_running_loop()
    async with SimulatedSwitch(3) as switch:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Liar((switch.host, switch.port), random.Random(3)), ("127.0.0.1", 0)
        )
        port = transport.get_extra_info("sockname")[1]
        asked = SwitchDevice("hut", Snmp("127.0.0.1", port, **login), (("gate", SwitchPort(1, 1)),), SystemClock())
        for _ in range(6):
            began = time.monotonic()
            with pytest.raises(DeviceError):
                await asked.run_once()
            assert time.monotonic() - began < 5
            assert asked.feed("gate").power is UNKNOWN
        asked.close()
        transport.close()
