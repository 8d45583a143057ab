"""The UPS: what its words mean, what is an entry, and a server that fails."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.upsd import SimulatedUpsd
from tests.support.wait import until

from longwatch.archive.ops import Entry
from longwatch.base.clock import ManualClock, SystemClock
from longwatch.ledger import canonical
from longwatch.model.surroundings import MainsState, Power
from longwatch.surroundings import ups as ups_module
from longwatch.surroundings.device import DeviceError
from longwatch.surroundings.mains import Mains, body
from longwatch.surroundings.options import Ups
from longwatch.surroundings.ups import UpsDevice, quoted, read

ON, OFF, UNKNOWN = Power.ON, Power.OFF, Power.UNKNOWN


@pytest.mark.parametrize(
    ("status", "mains", "low", "forced"),
    [
        ("OL", ON, False, False),
        ("OL CHRG", ON, False, False),
        ("OB DISCHRG", OFF, False, False),
        ("OB LB", OFF, True, False),
        ("FSD OB LB", OFF, True, True),
        ("OL LB", ON, True, False),
        ("OL OB", OFF, False, False),  # a driver that says both is on its way down
        ("OFF", UNKNOWN, False, False),
        ("BYPASS", UNKNOWN, False, False),
    ],
)
def test_what_its_status_means(status: str, mains: Power, low: bool, forced: bool) -> None:
    state, said = read({"ups.status": status, "battery.charge": "7.9", "battery.runtime": "61"}, "nut")
    assert (state.mains, state.low_battery, state.forced_shutdown, said) == (mains, low, forced, status)
    assert (state.battery_percent, state.runtime_s) == (7, 61)


@pytest.mark.parametrize("status", ["", "WAIT", "WAIT OL"])
def test_a_driver_that_is_starting_knows_nothing(status: str) -> None:
    with pytest.raises(DeviceError):
        read({"ups.status": status}, "nut")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("100", 100), ("101", 100), ("", None), ("-1", None), ("x", None), ("9" * 40, None), ("7.0", 7)],
)
def test_a_charge_that_is_none_is_not_invented(text: str, expected: int | None) -> None:
    assert read({"ups.status": "OL", "battery.charge": text}, "nut")[0].battery_percent == expected


@pytest.mark.parametrize(
    ("word", "sent"),
    [("secret", "secret"), ("a b", '"a b"'), ('a"b\\', '"a\\"b\\\\"'), ("#x", '"#x"'), ("a=b", '"a=b"')],
)
def test_words_as_upsd_reads_them(word: str, sent: str) -> None:
    assert quoted(word) == sent


def device(upsd: SimulatedUpsd, **login: str) -> UpsDevice:
    return UpsDevice(Ups("ups", "127.0.0.1", upsd.port, **login), SystemClock())


async def test_one_connection_is_kept_and_logs_in_once() -> None:
    async with SimulatedUpsd() as upsd:
        asked = device(upsd, user="watch", password="a b")
        for _ in range(3):
            await asked.run_once()
        assert asked.state.mains is ON
        assert upsd.connections == 1
        assert upsd.lines == ["USERNAME watch", 'PASSWORD "a b"', *["LIST VAR ups"] * 3]
        asked.close()


@pytest.mark.parametrize("fault", ["stale", "hang", "garbage", "close", "half"])
async def test_a_server_that_fails_is_a_device_that_does_not_answer_and_is_found_again(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ups_module, "_PATIENCE_S", 0.2)
    async with SimulatedUpsd() as upsd:
        asked = device(upsd, user="watch", password="canary")
        await asked.run_once()
        upsd.fault = fault
        with pytest.raises(DeviceError) as caught:
            await asked.run_once()
        assert "canary" not in str(caught.value)
        upsd.fault = ""
        upsd.variables["ups.status"] = "OB"
        await asked.run_once()
        assert asked.state.mains is OFF
        asked.close()


async def test_a_login_that_hangs_leaves_no_connection_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ups_module, "_PATIENCE_S", 0.05)
    async with SimulatedUpsd() as upsd:
        upsd.fault = "hang"
        asked = device(upsd, user="watch", password="x")
        open_before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            with pytest.raises(DeviceError):
                await asked.run_once()
        await until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= open_before)


async def test_a_server_that_is_away_and_one_that_knows_no_such_ups() -> None:
    async with SimulatedUpsd() as upsd:
        other = UpsDevice(Ups("other", "127.0.0.1", upsd.port), SystemClock())
        with pytest.raises(DeviceError, match="UNKNOWN-UPS"):
            await other.run_once()
        other.close()
    with pytest.raises(DeviceError):
        await device(upsd).run_once()


class Said:
    """A UPS of a test."""

    def __init__(self) -> None:
        self.state = MainsState()
        self.status = "x"
        self.asked_boot_us = 1


class Post:
    """Mains over time, and the entries of it."""

    def __init__(self, told: MainsState | None = None) -> None:
        self.clock = ManualClock()
        self.entries: list[Entry] = []
        self.mains = Mains(self.clock, self.clock.wall_us, self.entries.append, told)
        self.ups = Said()
        self.mains.use(self.ups)

    def says(self, mains: Power, percent: int | None = 100, *, low: bool = False, after_s: int = 2) -> None:
        self.clock.tick(after_s * 1_000_000)
        self.ups.state = MainsState(mains, percent, 600, "nut ups@h", low_battery=low)
        self.mains.took()
        self.mains.beat()

    def told(self) -> list[tuple[object, ...]]:
        told = [(e.body["mains"], e.body["battery_percent"], e.body["low_battery"]) for e in self.entries]
        self.entries.clear()
        return told


def test_the_first_word_is_told_and_then_only_what_changes() -> None:
    post = Post()
    post.says(ON)
    assert post.told() == [("on", 100, False)]
    post.says(ON, 99)
    post.says(ON, 50)
    assert post.told() == []
    post.says(OFF, 99)
    assert post.told() == [("off", 99, False)]


def test_on_battery_each_five_percent_and_its_end_are_told() -> None:
    post = Post(MainsState(ON, 100, 600, "x", 5))
    for percent in range(100, 4, -1):
        post.says(OFF, percent, low=percent <= 7, after_s=60)
    told = post.told()
    assert [t[1] for t in told] == [*range(100, 9, -5), 7]
    assert told[-1] == ("off", 7, True)


def test_since_when_the_mains_are_off_is_kept() -> None:
    post = Post(MainsState(ON, 100, 600, "x", 5))
    post.says(ON)
    assert post.mains.state.since_wall_us == 5
    post.says(OFF, 90)
    since_us = post.mains.state.since_wall_us
    assert since_us == post.clock.wall_us()
    post.says(OFF, 80)
    assert post.mains.state.since_wall_us == since_us
    assert post.entries[-1].body["since_us"] == since_us


def test_a_ups_that_says_nothing_for_a_minute_is_told_and_so_is_its_return() -> None:
    post = Post(MainsState(OFF, 80, 600, "x", 5))
    post.says(OFF, 80)
    assert post.told() == []
    post.says(UNKNOWN, None)
    assert post.mains.state.mains is UNKNOWN
    post.clock.tick(59_000_000)
    post.mains.beat()
    assert post.told() == []
    post.clock.tick(2_000_000)
    post.mains.beat()
    post.mains.beat()
    assert post.told() == [("unknown", None, False)]
    post.says(OFF, 70)
    assert post.told() == [("off", 70, False)]


def test_a_ups_that_was_never_heard_of_is_no_entry() -> None:
    post = Post()
    post.says(UNKNOWN, None)
    post.says(UNKNOWN, None, after_s=120)
    assert post.told() == []


def test_a_supply_that_flickers_does_not_fill_the_ledger_and_its_last_word_comes_through() -> None:
    post = Post()
    for n in range(500):
        post.says(OFF if n % 2 else ON, 100)
    assert len(post.told()) <= 24
    post.says(OFF, 100, after_s=400)
    post.says(OFF, 100, after_s=400)
    assert post.mains.state.mains is OFF
    assert post.told()[-1:] in ([("off", 100, False)], [])


def test_an_issue_only_where_recording_will_end() -> None:
    post = Post()
    post.says(OFF, 50)
    assert post.mains.issues() == []
    post.says(OFF, 7, low=True)
    assert "battery ends soon" in post.mains.issues()[0]["what"]
    post.ups.state = replace(post.ups.state, forced_shutdown=True)
    post.mains.took()
    assert "told to cut" in post.mains.issues()[0]["what"]
    post.says(ON, 8, low=True)
    assert post.mains.issues() == []


def test_no_ups_in_the_settings_is_no_state() -> None:
    post = Post()
    post.says(ON)
    post.mains.use(None)
    assert post.mains.state.mains is UNKNOWN
    assert post.mains.describe() is None
    post.mains.beat()


def test_the_body_is_canonical() -> None:
    canonical(body(MainsState(OFF, 7, 60, "nut ups@127.0.0.1:3493", 5, low_battery=True), "OB LB"))


async def test_a_password_never_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    async with SimulatedUpsd() as upsd:
        with caplog.at_level("DEBUG"), caplog.at_level("DEBUG", logger="aionut"):
            asked = device(upsd, user="watch", password="canary")
            await asked.run_once()
            asked.close()
            await asyncio.sleep(0)
    assert "canary" not in caplog.text
