"""Settings of telling people: what is wrong is said with its place, and nothing of a secret is."""

from __future__ import annotations

from pathlib import Path

import pytest

from longwatch.accounting.settings_change import SECRET, Settings, change, flatten
from longwatch.archive.ops import SECRET_CHANGED
from longwatch.base.secrets import scrub
from longwatch.config import SettingsError, compose, resolved
from longwatch.config.hiding import hidden, restored
from longwatch.node.server.notify_options import mqtt_of, options_of

HEAD = """post: {id: ridge, timezone: Europe/Oslo}
data: /var/lib/longwatch
cameras:
  gate: {streams: {main: 'rtsp://10.0.0.5/1'}}
"""
RIGHT = (
    HEAD
    + """notify:
  address: https://ridge.lan/
  channels:
    mail: {kind: apprise, url: 'mailto://ada:${MAIL}@mail.example.org?to=ada@example.org'}
    hook: {kind: webhook, url: '${WHOLE}', secret: '${HOOK}'}
  people:
    ada: {channels: [mail, push], user: ada, quiet: [{days: mon-fri, from: '22:00', to: '06:00'}]}
  rules:
    out: {kinds: [not_recording, object.person], to: [ada], hours: [{from: '20:00', to: '06:00'}], escalate: [{after: 10m, to: [hook]}], repeat: 1h}
mqtt: {host: 10.0.0.2, user: a, password: '${BROKER}', tls: true, commands: true}
"""
)
NAMES = {
    "MAIL": "p@ss/word:1",
    "HOOK": "a-secret-of-a-receiver",
    "BROKER": "broker-secret",
    "WHOLE": "https://hooks.example.org/t0ken?a=b",
}


def read(text: str, names: dict[str, str] | None = None, folder: Path = Path("/etc/longwatch")):
    return compose(Path("longwatch.yml"), text, NAMES if names is None else names, folder)


def test_settings_become_what_the_room_wants_to_know() -> None:
    settings = read(RIGHT)
    options = options_of(settings)
    (rule,) = options.rules
    assert (rule.name, rule.to, rule.kinds, rule.repeat_us) == (
        "out",
        ("ada",),
        ("not_recording", "object.person"),
        3_600_000_000,
    )
    assert (rule.escalate[0].after_us, rule.escalate[0].to, rule.hours[0].from_minute) == (600_000_000, ("hook",), 1200)
    assert options.address == "https://ridge.lan"
    mail, hook = options.channels[1:]
    assert (
        mail.url == "mailto://ada:p%40ss%2Fword%3A1@mail.example.org?to=ada@example.org"
    )  # a password may hold anything
    assert hook.url == NAMES["WHOLE"]
    broker = mqtt_of(settings)
    assert broker is not None
    assert (broker.port, broker.password, broker.commands) == (8883, "broker-secret", True)
    for secret in ("p@ss/word:1", "broker-secret", "a-secret-of-a-receiver", NAMES["WHOLE"]):
        assert secret not in repr(options) + repr(broker)
        assert secret not in scrub(f"it said {secret}")


def test_without_rules_every_alarm_goes_to_browsers() -> None:
    (rule,) = options_of(read(HEAD)).rules
    assert (rule.to, rule.kinds) == (("push",), ("alarm",))
    assert options_of(read(HEAD + "notify: {rules: {}}\n")).rules == ()
    assert mqtt_of(read(HEAD)) is None


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("kinds: [not_recording,", "kinds: [not_recordin,", "rules.out.kinds.0", "'not_recordin' is nothing that is told"),
        ("to: [ada],", "to: [ben],", "rules.out.to.0", "no person or channel 'ben'"),
        ("to: [hook]}]", "to: [nobody]}]", "rules.out.escalate.0.to.0", "no person or channel 'nobody'"),
        ("channels: [mail, push]", "channels: [maul]", "people.ada.channels.0", "no channel 'maul'"),
        ("url: 'mailto:", "url: 'nosuch:", "channels.mail.url", "Apprise does not take this address of nosuch://"),
        ("url: '${WHOLE}'", "url: 'ftp://x/y'", "channels.hook.url", "http or https"),
        (", secret: '${HOOK}'", "", "channels.hook", "a webhook is signed"),
        ("    hook:", "    ada:", "channels.ada", "ada is a person or `push` already"),
        ("address: https://ridge.lan/", "address: ridge", "notify.address", "not the address of the console"),
        ("{host: 10.0.0.2", "{cert: c.pem, host: 10.0.0.2", "mqtt", "go together"),
        ("tls: true", "tls: false, ca: x.pem", "mqtt", "certificates are for TLS"),
        ("to: [ada],", "to: [ada], cameras: [gat],", "rules.out.cameras.0", "no camera 'gat'"),
        ("${MAIL}", "${MALE}", "channels.mail.url", "${MALE} is not set"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, place: str, says: str) -> None:
    assert old in RIGHT
    with pytest.raises(SettingsError) as caught:
        read(RIGHT.replace(old, new, 1))
    found = [(problem.line, problem.where, problem.what) for problem in caught.value.problems]
    assert any(key.endswith(place) and says in what and line > 4 for line, key, what in found), found


def test_the_editor_is_shown_no_address_of_a_channel_and_saves_it_as_it_was() -> None:
    text = HEAD + "notify: {channels: {chat: {kind: apprise, url: 'tgram://123456789:abcdefg_hijklmnop/12315544/'}}}\n"
    shown, held = hidden(text, b"key")
    assert "abcdefg" not in shown
    assert restored(shown, held) == text
    assert hidden(RIGHT, b"key")[0] == RIGHT  # names are no secrets


def test_an_address_with_a_blank_before_it_is_known_as_it_is_used() -> None:
    url = "https://hooks.example.org/another-t0ken"
    settings = read(RIGHT, NAMES | {"WHOLE": f" {url}"})
    assert settings.notify.channels["hook"].url == url
    assert scrub(f"POST {url} 200") == "POST *** 200"


def test_a_change_of_who_is_told_is_an_entry_that_names_nobody():
    def flat(text: str) -> Settings:
        said = resolved(read(text))
        return flatten({name: value for name, value in said.items() if name != "secrets"}, said["secrets"], b"salt")

    assert "notify" not in resolved(read(HEAD)), "where nothing is said of it all is as before"
    before, same = flat(RIGHT), flat(RIGHT)
    assert not change(before, same)
    told = {key: value for key, value in before.flat.items() if key.startswith("notify.")}
    assert told == {"notify.channels": 2, "notify.people": 1, "notify.rules": 1, "notify.said": SECRET}
    other = change(before, flat(RIGHT.replace("repeat: 1h", "repeat: 2h")))
    assert other.changed == {"notify.said": [SECRET, SECRET_CHANGED]}
    fewer = change(before, flat(RIGHT.partition("  rules:")[0] + RIGHT[RIGHT.index("mqtt:") :]))
    assert fewer.removed == {"notify.rules": 1}
    assert (other.reduces, other.interrupted()) == ((), set())


def test_a_change_of_the_broker_is_an_entry_that_says_no_login():
    def flat(text: str) -> Settings:
        said = resolved(read(text))
        return flatten({name: value for name, value in said.items() if name != "secrets"}, said["secrets"], b"salt")

    text = HEAD + "mqtt: {host: broker.lan, user: ridge, password: '${BROKER}'}\n"
    assert "mqtt" not in resolved(read(HEAD)), "where there is none all is as before"
    before = flat(text)
    assert not change(before, flat(text))
    told = {key: value for key, value in before.flat.items() if key.startswith("mqtt.")}
    assert told == {
        "mqtt.host": "broker.lan", "mqtt.port": None, "mqtt.tls": False, "mqtt.prefix": "longwatch", "mqtt.discovery": "homeassistant",
        "mqtt.commands": False, "mqtt.pictures": True, "mqtt.login": SECRET,
    }  # fmt: skip
    may_pause = change(before, flat(text.replace("host:", "commands: true, host:")))
    assert may_pause.changed == {"mqtt.commands": [False, True]}
    assert change(before, flat(text.replace("user: ridge", "user: yard"))).changed == {
        "mqtt.login": [SECRET, SECRET_CHANGED]
    }
    gone = change(before, flat(HEAD))
    assert set(gone.removed) == set(told)
    assert (gone.reduces, gone.interrupted()) == ((), set())
