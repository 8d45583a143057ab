"""Names that stand for no secret cost what needs them, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from longwatch.config import Settings, SettingsError, load, load_kept, load_lacking, resolved
from longwatch.config.trying import tried

ALL = """\
post: {id: a}
data: d
secrets: secrets.env
web: {oidc: {issuer: 'https://login.example.org', client_id: post, client_secret: '${OIDC}'}}
cameras:
  gate: {streams: {main: 'rtsp://u:${GATE}@10.0.0.5/1', sub: 'rtsp://u:${GATE_SUB}@10.0.0.5/2'}, behind: hut, port: 3}
  yard:
    streams: {main: 'rtsp://u:${YARD}@10.0.0.6/1'}
    relay: {url: 'http://u:${RELAY}@10.0.0.9/rpc', field: output}
    meter: {url: 'http://u:${METER}@10.0.0.9/rpc', field: apower, watts_above: 1}
    radiometry: {stills: {url: 'http://u:${STILLS}@10.0.0.6/still', areas: [{name: oven, polygon: [[0, 0], [1, 0], [1, 1]]}]}}
switches: {hut: {snmp: {address: 10.0.0.2, community: '${SNMP}'}}}
ups: {nut: ups@127.0.0.1, user: watcher, password: '${UPS}'}
mqtt: {host: broker.lan, user: '${MQTT_USER}', password: '${MQTT}'}
notify:
  channels:
    hook: {kind: webhook, url: 'https://example.org/${HOOK}', secret: '${HOOK_SECRET}'}
    mail: {kind: apprise, url: '${MAIL}'}
  people: {ada: {channels: [hook, mail]}}
  rules: {all: {to: [ada, hook]}}
"""
NAMES = {
    "OIDC": "of the provider",
    "GATE": "of the gate",
    "GATE_SUB": "of its sub",
    "YARD": "of the yard",
    "RELAY": "of the relay",
    "METER": "of the meter",
    "STILLS": "of the stills",
    "SNMP": "of the switch",
    "UPS": "of the ups",
    "MQTT_USER": "longwatch",
    "MQTT": "of the broker",
    "HOOK": "of-the-hook",
    "HOOK_SECRET": "of the receiver # 1",
    "MAIL": "mailtos://a:b@example.org",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "longwatch.yml"
    file.write_text(ALL)
    return file


def without(path: Path, *missing: str) -> Settings:
    names = {name: value for name, value in NAMES.items() if name not in missing}
    secrets = path.with_name("secrets.env")
    secrets.write_text("".join(f"{name}={value}\n" for name, value in names.items()))
    secrets.chmod(0o600)
    return load_lacking(path)


def standing(settings: Settings) -> dict[str, bool]:
    """Each part that needs a secret, and whether it is there to be used."""
    gate, yard, ways = settings.cameras["gate"], settings.cameras["yard"], settings.notify.channels
    parts: dict[str, bool] = {
        "OIDC": settings.web.oidc is not None,
        "GATE": "main" not in gate.lacking,
        "GATE_SUB": "sub" not in gate.lacking,
        "YARD": "main" not in yard.lacking,
        "RELAY": yard.relay is not None,
        "METER": yard.meter is not None,
        "STILLS": "stills" not in yard.lacking,
        "SNMP": settings.switches["hut"].snmp is not None,
        "UPS": settings.ups is not None,
        "MQTT": settings.mqtt is not None,
        "HOOK": not ways["hook"].lacking,
        "MAIL": not ways["mail"].lacking,
    }
    return parts | {"MQTT_USER": parts["MQTT"], "HOOK_SECRET": parts["HOOK"]}


def test_with_every_secret_nothing_is_left_out(path: Path) -> None:
    settings = without(path)
    assert settings.lacking == []
    assert all(standing(settings).values())
    assert "lacking" not in resolved(settings)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_missing_secret_costs_what_needs_it_and_no_more(path: Path, name: str) -> None:
    settings = without(path, name)
    gone = {each for each, there in standing(settings).items() if not there}
    together = {"MQTT": {"MQTT", "MQTT_USER"}, "HOOK": {"HOOK", "HOOK_SECRET"}}
    assert gone == next((these for these in together.values() if name in these), {name})
    assert [problem.what for problem in settings.lacking] == [f"${{{name}}} is not set"]
    assert settings.lacking[0].line == next(n for n, line in enumerate(ALL.splitlines(), 1) if f"${{{name}}}" in line)
    assert list(settings.cameras) == ["gate", "yard"]
    assert settings.notify.rules is not None
    assert settings.notify.rules["all"].to == ["ada", "hook"]
    assert settings.notify.people["ada"].channels == ["hook", "mail"]
    with pytest.raises(SettingsError, match=f"{name}.* is not set. Set {name} in"):
        load(path)


def test_the_recorder_is_told_which_streams_lack_what(path: Path) -> None:
    told = resolved(without(path, "GATE", "STILLS"))
    gate, yard = told["cameras"]
    assert gate["lacking"] == {"main": ["GATE"]}
    assert gate["streams"]["main"] == "rtsp://u:@10.0.0.5/1", "where it is stays known"
    assert yard["lacking"] == {"stills": ["STILLS"]}
    assert "stills" not in yard
    assert {said["key"] for said in told["lacking"]} == {
        "cameras.gate.streams.main",
        "cameras.yard.radiometry.stills.url",
    }


def test_where_a_name_is_the_host_itself_nobody_is_asked(path: Path) -> None:
    path.write_text("post: {id: a}\ndata: d\ncameras: {gate: {streams: {main: 'rtsp://${HOST}:${PORT}/1'}}}\n")
    settings = load_lacking(path)
    assert settings.cameras["gate"].lacking == {"main": ("HOST", "PORT")}
    assert ".invalid" in settings.cameras["gate"].streams.main
    assert len(settings.lacking) == 2


def test_a_secrets_file_that_cannot_be_read_is_as_an_empty_one_and_is_told(path: Path) -> None:
    without(path)
    path.with_name("secrets.env").chmod(0o644)
    settings = load_lacking(path)
    assert not any(standing(settings).values())
    assert "can be read by others" in settings.lacking[0].what
    assert all("mend `secrets` first" in problem.remedy for problem in settings.lacking[1:])


def test_a_fifo_in_its_place_keeps_nobody_waiting_for_a_writer(path: Path) -> None:
    os.mkfifo(path.with_name("secrets.env"), 0o600)
    program = "import sys; from longwatch.config import load_lacking; print(load_lacking(__import__('pathlib').Path(sys.argv[1])).lacking[0].what)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert "is not a file" in done.stdout
    program = "import sys; from pathlib import Path; from longwatch.config.file import secrets_of; secrets_of(Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path.with_name("secrets.env"))],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "is not a file" in done.stderr


def test_of_one_that_is_too_large_no_part_of_a_password_is_taken(path: Path) -> None:
    secrets = path.with_name("secrets.env")
    secrets.write_text("#" * ((1 << 20) - 10) + "\nGATE=of the gate\n")
    secrets.chmod(0o600)
    settings = load_lacking(path)
    assert settings.cameras["gate"].lacking["main"] == ("GATE",)
    assert "larger than" in settings.lacking[0].what


def test_what_a_hub_keeps_everything_in_cannot_be_left_out(path: Path) -> None:
    path.write_text("hub: {id: hq}\ndata: d\ndatabase: 'postgresql://u:${DB}@db/x'\n")
    with pytest.raises(SettingsError, match="DB"):
        load_lacking(path)


def test_what_is_wrong_beside_is_as_wrong_as_ever(path: Path) -> None:
    without(path, "GATE")
    path.write_text(ALL.replace("kind: webhook", "kind: telegraph").replace("output}", "output, on: []}"))
    with pytest.raises(SettingsError) as caught:
        load_lacking(path)
    assert {problem.where for problem in caught.value.problems} >= {"notify.channels.hook.kind"}


def test_the_last_good_ones_too_are_used_without_what_is_missing(path: Path) -> None:
    last_good = path.with_name("last-good")
    without(path)
    assert load_kept(path, last_good)[1] == []
    without(path, "GATE", "MAIL")
    settings, wrong = load_kept(path, last_good)
    assert (wrong, settings.cameras["gate"].lacking) == ([], {"main": ("GATE",)}), "as they stand, not as they stood"
    path.write_text(ALL.replace("webhook", "telegraph"))
    settings, wrong = load_kept(path, last_good)
    assert [problem.where for problem in wrong] == ["notify.channels.hook.kind"]
    assert settings.cameras["gate"].lacking == {"main": ("GATE",)}
    with pytest.raises(SettingsError):
        load_kept(path)


def test_the_child_says_it_beside_what_can_be_used(path: Path) -> None:
    without(path, "GATE")
    done = subprocess.run(
        [sys.executable, "-m", "longwatch.config", "resolve", str(path)], capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    assert [said["what"] for said in answer["lacking"]] == ["${GATE} is not set"]
    assert "errors" not in answer
    assert "cameras.gate.streams.main: ${GATE} is not set" in done.stderr


def test_what_is_missing_already_keeps_nobody_from_changing_something_else(path: Path) -> None:
    path.parent.joinpath("d").mkdir()
    without(path, "GATE")
    assert tried(path, ALL.replace("post: {id: a}", "post: {id: a, name: New}"), {})["problems"] == []
    (problem,) = tried(path, ALL.replace("${YARD}", "${BARN}"), {})["problems"][:1]
    assert problem["what"] in {"${GATE} is not set", "${BARN} is not set"}
    assert tried(path, ALL, {"GATE": "typed anew"})["problems"] == []
    without(path)
    assert {each["what"] for each in tried(path, ALL.replace("${YARD}", "${BARN}"), {})["problems"]} == {
        "${BARN} is not set"
    }
