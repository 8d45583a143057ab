"""What stands around the cameras, as gauges: what is not known is not there."""

from __future__ import annotations

from typing import Any

from longwatch.health import Snapshot, exposition

NOW_US = 1_767_225_600_000_000
AROUND: dict[str, Any] = {
    "mains": {"mains": "off", "battery_percent": 42, "runtime_s": 600},
    "devices": [{"by": "snmp hut", "answers": True}, {"by": "nut ups@h", "answers": False}],
    "cameras": [
        {"camera": "gate", "address": "silent", "port_power": "off", "port_link": "unknown"},
        {"camera": "mast", "address": "answers", "port_power": "on", "port_link": "on"},
        {"camera": "yard", "address": "unknown", "port_power": "unknown", "port_link": "unknown"},
    ],
}


def lines(snapshot: Snapshot) -> set[str]:
    text = exposition(snapshot, [], [], [], []).decode()
    return {line for line in text.splitlines() if not line.startswith("#")}


def of(around: Any) -> Snapshot:
    return Snapshot.read(NOW_US, {"streams": [], "volumes": [], "surroundings": around})


def test_what_is_known_is_a_gauge_and_what_is_not_is_absent() -> None:
    ours = tuple(f"longwatch_{name}" for name in ("mains ", "ups_", "device_", "address_", "port_"))
    said = {line for line in lines(of(AROUND)) if line.startswith(ours)}
    assert said == {
        "longwatch_mains 0.0", "longwatch_ups_battery_percent 42.0", "longwatch_ups_runtime_seconds 600.0",
        'longwatch_device_answers{device="snmp hut"} 1.0', 'longwatch_device_answers{device="nut ups@h"} 0.0',
        'longwatch_address_answers{camera="gate"} 0.0', 'longwatch_address_answers{camera="mast"} 1.0',
        'longwatch_port_power{camera="gate"} 0.0', 'longwatch_port_power{camera="mast"} 1.0',
        'longwatch_port_link{camera="mast"} 1.0',
    }  # fmt: skip


def test_mains_that_are_not_known_are_not_off() -> None:
    said = lines(of({**AROUND, "mains": {"mains": "unknown", "battery_percent": None, "runtime_s": None}}))
    assert not any(line.startswith(("longwatch_mains", "longwatch_ups")) for line in said)


def test_an_older_recorder_says_nothing_of_it() -> None:
    for around in (None, {}, {"mains": None, "devices": [], "cameras": []}):
        assert not any("mains" in line or "address" in line for line in lines(of(around)))


def test_who_may_see_one_camera_sees_its_surroundings_and_no_device() -> None:
    around = of(AROUND).only(frozenset({"mast"})).around
    assert [item.camera for item in around.cameras] == ["mast"]
    assert around.devices == ()
