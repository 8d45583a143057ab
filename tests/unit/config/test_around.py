"""Settings of switches, relays, meters and the UPS: what is taken, what is refused and where, and what is a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from longwatch.base import secrets
from longwatch.config import SettingsError, compose, resolved
from longwatch.node.recorder.surroundings_options import decode
from longwatch.surroundings import HttpAddress, Meter, Options, Place, Relay, Snmp, SwitchPort, Ups

HEAD = "post: {id: t}\ndata: d\n"
GATE = "cameras:\n  gate:\n    streams: {main: 'rtsp://10.0.0.5/x'}\n"
HUT = "switches:\n  hut: {snmp: {address: 10.0.0.2}}\n"


@pytest.fixture(autouse=True)
def own_secrets(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Passwords made up here must not stay registered."""
    seen: list[str] = []
    monkeypatch.setattr(secrets, "register", seen.append)
    return seen


def options(text: str) -> Options:
    """As the recorder gets them: through JSON."""
    settings = compose(Path("x.yml"), HEAD + text, {"P": "p@ss/w:rd"}, Path("/nowhere"))
    return decode(json.loads(json.dumps(resolved(settings))))


def test_all_of_it() -> None:
    text = """
switches:
  hut: {snmp: {address: 10.0.0.2, community: "${P}"}}
  tower: {snmp: {address: "[fd00::2]:1161", version: 3, user: lw, auth: sha256, auth_password: "${P}", privacy: aes, privacy_password: "${P}"}}
  shed: {}
ups: {nut: ups@nas, user: lw, password: "${P}"}
cameras:
  gate:
    streams: {main: 'rtsp://10.0.0.5:8554/x', sub: 'rtsp://10.0.0.5/y'}
    behind: hut
    port: 3
    relay: {url: 'http://admin:${P}@10.0.0.9/rpc/Switch.GetStatus?id=0', field: output, on: true}
  mast:
    streams: {main: 'rtsps://[fd00::5]/x'}
    behind: tower
    port: {poe: 3, interface: 10103, group: 2}
    meter: {url: 'http://10.0.0.9:81/cm?cmnd=Status%208', field: StatusSNS.ENERGY.Power, watts_above: 1.5}
"""
    secret = "p@ss/w:rd"
    assert options(text) == Options(
        places=(
            Place(
                "gate", "10.0.0.5", 8554, "hut", SwitchPort(3, 3),
                Relay(HttpAddress("http", "10.0.0.9", 80, "/rpc/Switch.GetStatus?id=0", "admin", secret), "output", True),
            ),
            Place(
                "mast", "fd00::5", 322, "tower", SwitchPort(3, 10103, 2),
                meter=Meter(HttpAddress("http", "10.0.0.9", 81, "/cm?cmnd=Status%208"), "StatusSNS.ENERGY.Power", 1.5),
            ),
        ),
        switches={
            "hut": Snmp("10.0.0.2", 161, "2c", secret),
            "tower": Snmp("fd00::2", 1161, "3", "public", "lw", "sha256", secret, "aes", secret),
            "shed": None,
        },
        ups=Ups("ups", "nas", 3493, "lw", secret),
    )  # fmt: skip


def test_a_post_without_any_of_it_still_asks_its_cameras() -> None:
    assert options(GATE) == Options((Place("gate", "10.0.0.5", 554),))


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("false", False), ("1", 1), ("0", 0), ("closed", "closed"), ("'on'", "on")]
)
def test_what_a_relay_says_while_it_is_on(value: str, expected: Any) -> None:
    found = options(GATE + f"    relay: {{url: 'http://h/x', field: f, on: {value}}}\n").places[0].relay
    assert found is not None
    assert (found.on, type(found.on)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        (GATE + "    behind: hut\n", "cameras.gate.behind", "no switch 'hut'"),
        (HUT + GATE + "    behind: hat\n", "cameras.gate.behind", "Did you mean hut"),
        (GATE + "    port: 3\n", "cameras.gate.port", "of which switch"),
        (HUT + GATE + "    behind: hut\n    port: three\n", "cameras.gate.port", "not a port"),
        (HUT + GATE + "    behind: hut\n    port: 0\n", "cameras.gate.port", "too small"),
        (HUT + GATE + "    behind: hut\n    port: true\n", "cameras.gate.port", "not a port"),
        (HUT + GATE + "    behind: hut\n    port: {poe: 1}\n", "cameras.gate.port", "interface is missing"),
        (HUT + GATE + "    behind: hut\n    port: 3\n  mast:\n    streams: {main: 'rtsp://h/x'}\n    behind: hut\n    port: 3\n",
         "cameras.mast.port", "gate stands at this port"),
        (GATE + "    relay: {url: 'ftp://h/x', field: f}\n", "cameras.gate.relay.url", "is not taken"),
        (GATE + "    relay: {url: 'http:///x', field: f}\n", "cameras.gate.relay.url", "host"),
        (GATE + "    relay: {url: 'http://h/x'}\n", "cameras.gate.relay", "field is missing"),
        (GATE + "    relay: {url: 'http://u:${NONE}@h/x', field: f}\n", "cameras.gate.relay.url", "NONE"),
        (GATE + "    meter: {url: 'http://h/x', field: f}\n", "cameras.gate.meter", "watts_above is missing"),
        (GATE + "    meter: {url: 'http://h/x', field: f, watts_above: -1}\n", "cameras.gate.meter.watts_above", "too small"),
        (GATE + "    meter: {url: 'http://h/x', field: f, watts_above: .nan}\n", "cameras.gate.meter.watts_above", ""),
        ("switches: {hut: {snmp: {address: 'a b'}}}\n", "switches.hut.snmp.address", "not the address"),
        ("switches: {hut: {snmp: {address: 'h:0'}}}\n", "switches.hut.snmp.address", "not the address"),
        ("switches: {hut: {snmp: {address: '[fd00::zz]'}}}\n", "switches.hut.snmp.address", "not the address"),
        ("switches: {hut: {snmp: {address: h, version: 4}}}\n", "switches.hut.snmp.version", "not possible here"),
        ("switches: {hut: {snmp: {address: h, version: 3}}}\n", "switches.hut.snmp", "asks for a user"),
        ("switches: {hut: {snmp: {address: h, user: x}}}\n", "switches.hut.snmp.user", "knows no users"),
        ("switches: {hut: {snmp: {address: h, version: 3, user: x, auth: sha}}}\n", "switches.hut.snmp", "go together"),
        ("switches: {hut: {snmp: {address: h, version: 3, user: x, community: c}}}\n", "switches.hut.snmp.community", "no community"),
        ("switches: {hut: {snmp: {address: h, version: 3, user: x, privacy: aes, privacy_password: '12345678'}}}\n",
         "switches.hut.snmp.privacy", "Add `auth:`"),
        ("switches: {hut: {snmp: {address: h, comunity: c}}}\n", "switches.hut.snmp.comunity", "Did you mean `community`"),
        ("switches: {HUT: {}}\n", "switches.HUT", "cannot be an id"),
        ("ups: {nut: localhost}\n", "ups.nut", "does not name a UPS"),
        ("ups: {nut: 'u ps@h'}\n", "ups.nut", "does not name a UPS"),
        ("ups: {nut: 'ups@h:99999'}\n", "ups.nut", "not the address"),
        ("ups: {nut: 'ups@h', password: \"a\\nLIST UPS\"}\n", "ups.password", "in one line"),
        ("ups: {nut: 'ups@h', user: \"a\\nLIST UPS\"}\n", "ups.user", ""),
        ("defaults: {relay: {url: 'http://h/x', field: f}}\n" + GATE, "defaults.relay", "belongs to one camera"),
    ],
)  # fmt: skip
def test_what_is_refused_says_where_and_what_is_right(text: str, where: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        options(text)
    problems = caught.value.problems
    assert [p.where for p in problems] == [where], problems
    assert says in str(problems[0])
    assert problems[0].line > 2
    assert problems[0].column >= 1


def test_passwords_are_secrets_and_what_every_switch_knows_is_none(own_secrets: list[str]) -> None:
    options(
        "switches:\n  a: {snmp: {address: h, community: public}}\n  b: {snmp: {address: h, community: hidden}}\n"
        "ups: {nut: ups@h, password: battery}\n" + GATE + "    relay: {url: 'http://u:relayed@h/x', field: f}\n"
    )
    assert {"hidden", "battery", "relayed"} <= set(own_secrets)
    assert "public" not in own_secrets


def test_passwords_show_in_no_repr() -> None:
    found = options(
        "switches: {b: {snmp: {address: h, community: canary}}}\nups: {nut: ups@h, password: canary}\n"
        + GATE + "    relay: {url: 'http://u:canary@h/x?password=canary', field: f}\n"
    )  # fmt: skip
    assert "canary" not in repr(found)
