"""The watch as a whole: pollers, entries, issues, new settings; with simulated devices on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from tests.support.upsd import SimulatedUpsd
from tests.support.wait import until

from longwatch.archive.ops import Entry
from longwatch.base.clock import ManualClock, SystemClock
from longwatch.ledger import kinds
from longwatch.model.surroundings import UNKNOWN, Answer, Power
from longwatch.simulate.relay import SimulatedRelay
from longwatch.simulate.switch import SimulatedSwitch
from longwatch.surroundings import HttpAddress, Options, Place, Relay, Snmp, SwitchPort, Ups, Watch
from longwatch.surroundings.asking import Asker, Heard
from longwatch.surroundings.device import DeviceError, Feed, Poller


class Answers(Asker):
    """An asker of a test: who is in `dead` is silent."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.dead: set[str] = set()
        self.asked: list[str] = []

    async def ask(self, host: str, port: int) -> Heard:
        self.asked.append(host)
        return Heard(Answer.SILENT if host in self.dead else Answer.ANSWERS, "arp")


class Ahead(SystemClock):
    """The machine's clock, and as much ahead of it as a test says."""

    ahead_us = 0

    def boottime_us(self) -> int:
        return super().boottime_us() + self.ahead_us


class Post:
    """A watch, and the world it is told of."""

    def __init__(self, options: Options) -> None:
        self.clock = Ahead()
        self.alive = {place.camera for place in options.places}
        self.entries: list[Entry] = []
        self.deaths: list[str] = []
        self.asker = Answers()
        self._counts: dict[str, int] = {}
        self.watch = Watch(
            options, self.clock, heard=self._heard, wall_us=self.clock.wall_us, enter=self.entries.append,
            died=lambda name, _: self.deaths.append(name), asker=self.asker,
        )  # fmt: skip

    def _heard(self, camera: str) -> int:
        self._counts[camera] = self._counts.get(camera, 0) + (camera in self.alive)
        return self._counts[camera]


@contextlib.asynccontextmanager
async def running(options: Options) -> AsyncIterator[Post]:
    post = Post(options)
    task = asyncio.ensure_future(post.watch.run())
    try:
        yield post
        assert not post.deaths
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same intervals, a tenth as long."""
    for module, name, seconds in (
        ("watch", "BEAT_S", 0.05), ("watch", "EAGER_S", 0.2), ("watch", "UPS_S", 0.1), ("device", "_FAILED_S", (0.1, 0.2)),
        ("switch", "_TIMEOUT_S", 0.2), ("addresses", "SILENT_US", 150_000),
    ):  # fmt: skip
        monkeypatch.setattr(f"longwatch.surroundings.{module}.{name}", seconds)
    return


async def test_a_port_that_is_switched_off_is_known_at_once_and_an_entry() -> None:
    async with SimulatedSwitch(4) as switch:
        places = tuple(
            Place(name, f"10.0.0.{n}", 554, "hut", SwitchPort(n, n)) for n, name in ((1, "gate"), (2, "mast"))
        )  # fmt: skip
        options = Options(places, {"hut": Snmp("127.0.0.1", switch.port, community="public")})
        async with running(options) as post:
            await until(lambda: post.watch.of("gate").port_power is Power.ON)
            calm = switch.requests
            await asyncio.sleep(0.5)
            assert switch.requests == calm, "while all deliver it is asked once a minute"
            switch.ports.switch(1, on=False)
            post.alive.discard("gate")
            post.asker.dead.add("10.0.0.1")
            await until(lambda: post.watch.of("gate").port_power is Power.OFF)
            await until(lambda: post.watch.of("gate").address is Answer.SILENT)
            known = post.watch.of("gate")
            assert known.port_learnt.by == "snmp hut port 1"
            await until(lambda: post.watch.of("gate").neighbours_answer == ("mast",), "its neighbour goes on")
            assert known.switch_started_boot_us is not None
            [entry] = post.entries
            assert entry.kind == kinds.PORT_CHANGED
            assert (entry.body["camera"], entry.body["power"]) == ("gate", "off")
            switch.ports.switch(1, on=True)
            await until(lambda: len(post.entries) == 2)
            assert post.entries[1].body["power"] == "on"


async def test_a_relay_and_a_ups_are_kept_up_to_date() -> None:
    async with SimulatedRelay() as relay, SimulatedUpsd() as upsd:
        place = Place(
            "gate", "10.0.0.1", 554, relay=Relay(HttpAddress("http", "127.0.0.1", relay.port, "/relay/0"), "ison")
        )  # fmt: skip
        async with running(Options((place,), {}, Ups("ups", "127.0.0.1", upsd.port))) as post:
            await until(lambda: post.watch.of("gate").mains is Power.ON)
            upsd.variables |= {"ups.status": "OB", "battery.charge": "42"}
            await until(lambda: post.watch.of("gate").mains is Power.OFF)
            assert post.watch.of("gate").battery_percent == 42
            relay.on = False
            post.alive.clear()
            await until(lambda: post.watch.of("gate").port_power is Power.OFF)
            assert [e.kind for e in post.entries] == [kinds.POWER_CHANGED] * 2 + [kinds.PORT_CHANGED]
            mains = post.watch.status()["mains"]
            assert (mains["mains"], mains["battery_percent"]) == ("off", 42)


@pytest.mark.slow
async def test_new_settings_do_not_forget_that_a_port_gave_power() -> None:
    """Else a pulled plug would be "never gave it power" after the next reload."""
    async with SimulatedSwitch(4) as switch:
        hut = {"hut": Snmp("127.0.0.1", switch.port, community="public")}
        gate = Place("gate", "10.0.0.1", 554, "hut", SwitchPort(1, 1))
        async with running(Options((gate,), hut)) as post:
            await until(lambda: post.watch.of("gate").port_power is Power.ON)
            switch.ports.plug(1, on=False)
            post.alive |= {"mast"}
            post.watch.apply(Options((gate, Place("mast", "10.0.0.2", 554, "hut", SwitchPort(2, 2))), hut))
            await until(lambda: post.watch.of("mast").port_power is Power.ON)
            known = post.watch.of("gate")
            assert (known.port_power, known.port_ordered) == (Power.OFF, False)
            assert "finds no device" in known.port_detail
            assert len(post.entries) == 1


async def test_a_dead_device_is_unknown_then_an_issue_and_never_an_error() -> None:
    async with SimulatedUpsd() as upsd:
        place = Place("gate", "10.0.0.1", 554, "hut", SwitchPort(1, 1))
        options = Options(
            (place,), {"hut": Snmp("127.0.0.1", 9, community="canary")}, Ups("ups", "127.0.0.1", upsd.port)
        )
        async with running(options) as post:
            await until(lambda: post.watch.of("gate").mains is Power.ON)
            await upsd.stop()
            await until(lambda: post.watch.of("gate").mains is Power.UNKNOWN)
            assert post.watch.issues() == [], "not yet a minute"
            post.clock.ahead_us = 61_000_000
            assert {issue["what"] for issue in post.watch.issues()} == {
                "snmp hut does not answer", f"nut ups@127.0.0.1:{upsd.port} does not answer",
            }  # fmt: skip
            assert {device["by"]: device["answers"] for device in post.watch.status()["devices"]} == {
                "snmp hut": False, "nut ups@127.0.0.1:" + str(upsd.port): False,
            }  # fmt: skip
            assert "canary" not in str(post.watch.status())
            await upsd.start()
            await until(lambda: post.watch.of("gate").mains is Power.ON)
            assert [issue["what"] for issue in post.watch.issues()] == ["snmp hut does not answer"], (
                "the other mended itself"
            )


async def test_new_settings_interrupt_nothing_that_did_not_change() -> None:
    async with SimulatedUpsd() as upsd, SimulatedRelay() as relay:
        address = HttpAddress("http", "127.0.0.1", relay.port, "/relay/0")
        gate = Place("gate", "10.0.0.1", 554, relay=Relay(address, "ison"))
        ups = Ups("ups", "127.0.0.1", upsd.port)
        async with running(Options((gate,), {}, ups)) as post:
            await until(lambda: post.watch.of("gate").port_power is Power.ON)
            await until(lambda: post.watch.of("gate").mains is Power.ON)
            mast = Place("mast", "10.0.0.2", 554, behind="hut")
            post.alive.add("mast")
            post.watch.apply(Options((replace(gate, behind="hut"), mast), {"hut": None}, ups))
            assert post.watch.of("gate").port_power is Power.ON
            await until(lambda: post.watch.of("gate").neighbours_answer == ("mast",))
            assert upsd.connections == 1
            post.watch.apply(Options((replace(gate, relay=None),), {}, None))
            assert post.watch.of("gate").port_power is post.watch.of("gate").mains is Power.UNKNOWN
            assert post.watch.of("mast") == UNKNOWN
            assert post.watch.status()["devices"] == []
            post.watch.apply(Options((gate,), {}, ups))
            await until(lambda: post.watch.of("gate").mains is Power.ON)


async def test_an_error_in_the_asking_does_not_end_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    post = Post(Options((Place("gate", "10.0.0.1", 554),)))

    async def breaks(*_: object) -> Heard:
        raise RuntimeError("a bug")

    monkeypatch.setattr(post.asker, "ask", breaks)
    post.alive.clear()
    task = asyncio.ensure_future(post.watch.run())
    await until(lambda: post.deaths)
    assert not task.done()
    assert post.watch.of("gate").address is Answer.UNKNOWN
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Flaky:
    """A device of a test, which answers while `well`."""

    by = "test"

    def __init__(self) -> None:
        self.well = True
        self.forgotten = 0

    async def run_once(self) -> None:
        if not self.well:
            raise DeviceError("test does not answer")

    def by_of(self, camera: str) -> str:
        return self.by

    def feed(self, camera: str) -> Feed:
        return Feed()

    def forget(self) -> None:
        self.forgotten += 1

    def close(self) -> None:
        """Nothing."""


async def test_one_lost_answer_is_not_yet_a_dead_device() -> None:
    clock, device, said = ManualClock(), Flaky(), []
    poller = Poller(device, clock, lambda: 2.0, lambda: said.append(1))
    await poller.run_once()
    assert (poller.answered, len(said)) == (True, 1)
    device.well = False
    await poller.run_once()
    assert (poller.answered, device.forgotten, len(said)) == (True, 0, 1)
    clock.tick(5_000_000)
    await poller.run_once()
    await poller.run_once()
    assert (poller.answered, device.forgotten, len(said)) == (False, 1, 2)
    assert poller.dead_for_us(clock.boottime_us()) == 5_000_000
    device.well = True
    await poller.run_once()
    assert (poller.answered, poller.why, poller.dead_for_us(clock.boottime_us())) == (True, "", 0)
