"""The settings file: what is taken, what is refused, and that every refusal names its place and its remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.base import secrets
from longwatch.base.errors import UsageError
from longwatch.config import SettingsError, compose, find, folder_problems, load, resolved, values
from longwatch.config.expand import Names, url
from longwatch.config.problems import Wrong
from longwatch.model.events import OBJECTS

CONTRACT = """\
post: {id: north-ridge, name: North ridge lookout, timezone: Europe/Oslo}
data: /var/lib/longwatch            # one volume, or a list of them
web: {listen: 127.0.0.1:8460, name: north-ridge.lan, tls: self-signed}
secrets: secrets.env                # 0600, NAME=value
cameras:
  gate:
    name: Gate
    streams:
      main: rtsp://user:${GATE_PASSWORD}@10.0.0.5/stream1
      sub: rtsp://user:${GATE_PASSWORD}@10.0.0.5/stream2
    transport: tcp                  # or udp
    record: continuous
    schedule: [{days: mon-fri, from: '06:00', to: '09:00'}]
    audio: false
    detect: false
    kind: visible                   # or thermal
defaults: {}
retention: {max_age: 14d, max_size: 500GB, keep_free: 5%}
"""


def of(text: str, **environ: str):
    return compose(Path("longwatch.yml"), text, environ, Path("/etc/longwatch"))


def problems(text: str, **environ: str):
    with pytest.raises(SettingsError) as caught:
        of(text, **environ)
    assert caught.value.exit_code == 2
    return caught.value.problems


def minimal(more: str = "", camera: str = "") -> str:
    return f"post: {{id: a}}\ndata: /d\n{more}\ncameras:\n  gate:\n    streams: {{main: rtsp://h/s}}\n{camera}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "longwatch.yml").write_text(CONTRACT)
    secret = tmp_path / "secrets.env"
    secret.write_text('# a comment\n\nGATE_PASSWORD=p@"s: #%41/${x} \n')
    secret.chmod(0o600)
    return tmp_path


def test_the_settings_of_the_contract_are_taken(folder: Path):
    found = load(folder / "longwatch.yml", {})
    assert found.post.timezone == "Europe/Oslo"
    assert [str(v) for v in found.volumes] == ["/var/lib/longwatch"]
    gate = found.cameras["gate"]
    assert (gate.id, gate.name, gate.audio, gate.transport) == ("gate", "Gate", False, "tcp")
    assert unquote(urlsplit(gate.streams.main).password) == 'p@"s: #%41/${x} '
    assert (found.retention.max_age, found.retention.max_size) == (14 * 86400, 500 * 10**9)
    assert found.retention.keep_free.fraction == 0.05
    assert str(found.web.listen) == "127.0.0.1:8460"


def test_what_is_left_out_has_its_default():
    found = of(minimal())
    assert found.post.name == "a"
    assert found.post.timezone == "UTC"
    assert found.cameras["gate"].name == "Gate"
    assert found.retention.max_age == 30 * 86400
    assert found.retention.max_size is None
    assert found.web.tls == "off"


def test_a_post_without_cameras_is_a_post():
    assert of("post: {id: a}\ndata: d\n").cameras == {}
    assert of("post: {id: a}\ndata: d\ncameras:\n").volumes == [Path("/etc/longwatch/d")]


def test_the_resolved_form_is_what_the_recorder_reads(folder: Path):
    answer = resolved(load(folder / "longwatch.yml", {}))
    (camera,) = answer["cameras"]
    assert camera["schedule"] == [{"days": [0, 1, 2, 3, 4], "from_minute": 360, "to_minute": 540}]
    assert answer["retention"] == {
        "max_age_s": 14 * 86400, "max_size_bytes": 500 * 10**9, "keep_free_bytes": None, "keep_free_fraction": 0.05,
        "personal_s": 180 * 86400,
        "cameras": {},
    }  # fmt: skip
    assert 'p@"s: #%41/${x} ' in answer["secrets"]
    assert json.loads(json.dumps(answer)) == answer


def test_a_window_past_midnight_becomes_two():
    camera = "    schedule: [{days: [fri, sun], from: '22:00', to: '06:00'}, {from: '12:00', to: '24:00'}]\n"
    parts = resolved(of(minimal(camera=camera)))["cameras"][0]["schedule"]
    assert parts == [
        {"days": [4, 6], "from_minute": 1320, "to_minute": 1440},
        {"days": [0, 5], "from_minute": 0, "to_minute": 360},
        {"days": [0, 1, 2, 3, 4, 5, 6], "from_minute": 720, "to_minute": 1440},
    ]


def test_defaults_are_of_all_cameras_and_give_way_to_their_own():
    text = minimal(
        "defaults: {audio: false, retention: {max_age: 7d, max_size: 1GB}}", "    retention: {max_age: 1d}\n"
    )
    text += "  yard:\n    streams: {main: rtsp://h/y}\n    audio: true\n"
    found = of(text)
    assert (found.cameras["gate"].audio, found.cameras["yard"].audio) == (False, True)
    assert resolved(found)["retention"]["cameras"] == {
        "gate": {"max_age_s": 86400, "max_size_bytes": 10**9},
        "yard": {"max_age_s": 7 * 86400, "max_size_bytes": 10**9},
    }


# (what is put in, line, column, key, part of what is said, part of the remedy)
WRONG = [
    ("post: {id: North}\ndata: d\n", 1, 12, "post.id", "cannot be an id", "a-z"),
    ("post: {id: a, timezone: Europe/Olso}\ndata: d\n", 1, 25, "post.timezone", "not a time zone", "Europe/Oslo"),
    ("post: {id: 12}\ndata: d\n", 1, 12, "post.id", "12 is not text", "quotes"),
    ("post: {id: a}\n", 1, 1, "", "data is missing", "add `data:`"),
    ("post: {id: a}\ndata: []\n", 2, 7, "data", "empty", "at least one"),
    ("post: {id: a}\ndata: [d, d]\n", 2, 11, "data.1", "twice", "once"),
    ("post: {id: a}\ndata: d\ndatta: x\n", 3, 1, "datta", "no such key", "`data`"),
    ("post: {id: a}\ndata: d\nhub: {id: x}\n", 3, 1, "hub", "a post's or a hub's, not both", "data folder of its own"),
    ("post: {id: a}\ndata: d\nbroker: nats://x\n", 3, 1, "broker", "of no use to a post", "take the key out"),
    ("data: d\n", 1, 1, "", "post is missing", "hub:"),
    ("hub: {id: hq}\ndata: d\n", 1, 1, "", "where posts dial in", "uplink: {listen"),
    ("hub: {id: hq}\ndata: d\nuplink: {listen: '0.0.0.0:8461'}\n", 3, 9, "uplink", "cannot dial", "`address`"),
    ("hub: {id: hq}\ndata: d\nuplink: {listen: '127.0.0.1:8461', address: here}\n", 3, 45, "uplink.address", "not an address", "8461"),
    ("hub: {id: hq}\ndata: d\nuplink: {listen: '127.0.0.1:1'}\ncameras: {a: {streams: {main: rtsp://h/}}}\n", 4, 1, "cameras", "no cameras", "let it join"),
    ("hub: {id: hq}\ndata: d\nuplink: {listen: '127.0.0.1:1'}\ndatabase: mysql://u:p@h/d\n", 4, 11, "database", "not an address that is taken", "postgresql://"),
    ("post: {id: a}\ndata: d\nuplink: {listen: '127.0.0.1:1'}\n", 3, 10, "uplink.listen", "nobody dials in", "take it out"),
    ("post: {id: a, place: {lat: 91, lon: 0}}\ndata: d\n", 1, 28, "post.place.lat", "90", ""),
    ("post: {id: a}\ndata: d\nweb: {listen: 0.0.0.0:8460}\n", 3, 15, "web.listen", "in the clear", "tls: self-signed"),
    ("post: {id: a}\ndata: d\nweb: {listen: here}\n", 3, 15, "web.listen", "not an address", "127.0.0.1:8460"),
    ("post: {id: a}\ndata: d\nweb: {tls: {cert: c}}\n", 3, 12, "web.tls", "key is missing", "key"),
    ("post: {id: a}\ndata: d\nweb: {tls: maybe}\n", 3, 12, "web.tls", "'maybe' is not possible", "self-signed"),
    ("post: {id: a}\ndata: d\nretention: {max_age: 14}\n", 3, 22, "retention.max_age", "not a duration", "14d"),
    ("post: {id: a}\ndata: d\nretention: {max_size: lots}\n", 3, 23, "retention.max_size", "not a size", "500GB"),
    ("post: {id: a}\ndata: d\nretention: {keep_free: 99%}\n", 3, 24, "retention.keep_free", "leaves nothing", "5%"),
    (minimal(camera="    record: event\n"), 7, 13, "cameras.gate.record", "'event' is not possible", "'events'"),
    (minimal(camera="    record: events\n    detect: false\n"), 7, 13, "cameras.gate.record", "`detect` is false", "leave `detect` out"),
    (minimal(camera="    around_events: {before: 1h}\n"), 7, 29, "cameras.gate.around_events.before", "less than or equal", ""),
    (minimal(camera="    detect: maybe\n"), 7, 13, "cameras.gate.detect", "not yes or no", "true or false"),
    (minimal(camera="    detect: {stream: sub}\n"), 7, 22, "cameras.gate.detect.stream", "no stream `sub`", "auto"),
    (minimal(camera="    detect: {sensitivity: 2}\n"), 7, 27, "cameras.gate.detect.sensitivity", "less than or equal", ""),
    (minimal(camera="    detect: {fsp: 2}\n"), 7, 14, "cameras.gate.detect.fsp", "no such key", "`fps`"),
    (minimal(camera="    zones: [{name: road, polygon: [[0, 0], [1, 0], [1, 1]], kinds: [bird]}]\n"), 7, 69, "cameras.gate.zones.0.kinds.0", "nothing that is looked for", "animal"),
    (minimal(camera="    zones: [{name: road, polygon: [[0, 0], [1, 0]]}]\n"), 7, 35, "cameras.gate.zones.0.polygon", "3 to 32 points", "[[0.1"),
    (minimal(camera="    lines: [{name: a, from: [0, 2], to: [1, 1]}]\n"), 7, 29, "cameras.gate.lines.0.from", "outside the picture", "from 0 to 1"),
    (minimal(camera="    lines: [{name: a, from: [1, 1], to: [1, 1]}]\n"), 7, 13, "cameras.gate.lines.0", "the same point", "longer"),
    (minimal(camera="    lines: [{name: a, from: [0, 1], to: [1, 1]}, {name: a, from: [0, 0], to: [1, 1]}]\n"), 7, 57, "cameras.gate.lines.1.name", "another zone or line", "its own"),
    (minimal("detection: {cores: 0}"), 3, 20, "detection.cores", "too small", ""),
    (minimal(camera="    twin: gaet\n"), 7, 11, "cameras.gate.twin", "no camera 'gaet'", "mean gate"),
    (minimal(camera="    twin: gate\n"), 7, 11, "cameras.gate.twin", "both visible", "kind: thermal"),
    (minimal(camera="    twin: a\n  a: {kind: thermal, streams: {main: rtsp://h/a}, twin: b}\n  b: {streams: {main: rtsp://h/b}}\n"), 8, 57, "cameras.a.twin", "a is the twin of gate already", "one twin"),
    (minimal(camera="    twin: a\n  a: {kind: thermal, streams: {main: rtsp://h/a}}\n  b: {streams: {main: rtsp://h/b}, twin: a}\n"), 9, 42, "cameras.b.twin", "a is the twin of gate already", "one twin"),
    (minimal("defaults: {twin: gate}"), 3, 12, "defaults.twin", "belongs to one camera", "move it"),
    (minimal(camera="    radiometry: {alarms: [{name: a}]}\n"), 7, 27, "cameras.gate.radiometry.alarms.0", "no temperature", "above: 80"),
    (minimal(camera="    radiometry: {alarms: [{name: a, above: hot}]}\n"), 7, 44, "cameras.gate.radiometry.alarms.0.above", "no temperature", "as 80"),
    (minimal(camera="    radiometry: {alarms: [{name: a, above: 1, below: 2}]}\n"), 7, 54, "cameras.gate.radiometry.alarms.0.below", "not under", "all is well"),
    (minimal(camera="    radiometry: {alarms: [{name: a, above: 1}, {name: a, above: 1}]}\n"), 7, 55, "cameras.gate.radiometry.alarms.1.name", "there twice", "its own"),
    (minimal(camera="    radiometry: {}\n    masks: [{name: x, polygon: [[0, 0], [1, 0], [1, 1]]}]\n"), 7, 17, "cameras.gate.radiometry", "masked camera", "leave one"),
    (minimal(camera="    radiometry: {stills: {every: 10s}}\n"), 7, 26, "cameras.gate.radiometry.stills", "url is missing", "add `url:`"),
    (minimal(camera="    radiometry: {stills: {url: 'ftp://h/a'}}\n"), 7, 32, "cameras.gate.radiometry.stills.url", "'ftp' is not taken", "http"),
    (minimal(camera="    radiometry: {stills: {url: 'http://u:${NOPE}@h/a'}}\n"), 7, 32, "cameras.gate.radiometry.stills.url", "${NOPE} is not set", "set NOPE"),
    (minimal(camera="    radiometry: {stills: {url: 'http://h/a', every: 0s}}\n"), 7, 53, "cameras.gate.radiometry.stills.every", "", ""),
    (minimal(camera="    radiometry: {stills: {url: 'http://h/a', gain: 0}}\n"), 7, 52, "cameras.gate.radiometry.stills.gain", "the same temperature", "leave it out"),
    (minimal(camera="    radiometry: {stills: {url: 'http://h/a', offset: 3}}\n"), 7, 54, "cameras.gate.radiometry.stills.offset", "says nothing", "add `gain`"),
    (minimal(camera="    radiometry: {stills: {url: 'http://h/a', spots: [{name: a, at: [0, 2]}]}}\n"), 7, 68, "cameras.gate.radiometry.stills.spots.0.at", "outside", "from 0 to 1"),
    (minimal(camera="    radiometry: {stills: {url: 'http://h/a', spots: [{name: picture, at: [0, 1]}]}}\n"), 7, 61, "cameras.gate.radiometry.stills.spots.0.name", "the whole still", "its own"),
    (minimal(camera="    radiometry: {stills: {url: 'http://h/a', spots: [{name: a, at: [0, 1]}, {name: a, at: [1, 1]}]}}\n"), 7, 84, "cameras.gate.radiometry.stills.spots.1.name", "there twice", "its own"),
    (minimal("defaults: {zones: []}"), 3, 12, "defaults.zones", "belongs to one camera", "move it"),
    (minimal(camera="    power_windows: []\n"), 7, 20, "cameras.gate.power_windows", "never has power", "leave it out"),
    (minimal(camera="    power_windows: [{from: '1:00', to: '1:00'}]\n"), 7, 21, "cameras.gate.power_windows.0", "the same", "whole day"),
    (minimal(camera="    transprot: tcp\n"), 7, 5, "cameras.gate.transprot", "no such key", "`transport`"),
    (minimal(camera="    transport: sctp\n"), 7, 16, "cameras.gate.transport", "'sctp'", "'tcp' or 'udp'"),
    (minimal(camera="    audio: 'no'\n"), 7, 12, "cameras.gate.audio", "not yes or no", "true or false"),
    (minimal(camera="    schedule: []\n"), 7, 15, "cameras.gate.schedule", "never records", "record: never"),
    (minimal(camera="    schedule: [{days: mon-fry, from: '1:00', to: '2:00'}]\n"), 7, 23, "cameras.gate.schedule.0.days", "not a day", "mon-fri"),
    (minimal(camera="    schedule: [{from: '1:00', to: '25:00'}]\n"), 7, 35, "cameras.gate.schedule.0.to", "not a time of day", "'06:00'"),
    (minimal(camera="    schedule: [{from: '1:00', to: '1:00'}]\n"), 7, 16, "cameras.gate.schedule.0", "the same", "24:00"),
    (minimal("defaults: {colour: red}"), 3, 12, "defaults.colour", "no such key", "transport"),
    (minimal("retention: {max_size: 500}"), 3, 23, "retention.max_size", "has no unit", "500GB"),
    (minimal("retention: {keep_free: 5}"), 3, 24, "retention.keep_free", "has no unit", "5GB"),
    (minimal("defaults: {name: x}"), 3, 12, "defaults.name", "belongs to one camera", "move it"),
    (minimal("defaults: {audio: maybe}"), 3, 19, "defaults.audio", "not yes or no", "true or false"),
    ("post: {id: a}\ndata: d\ncameras: {Gate: {streams: {main: rtsp://h/}}}\n", 3, 11, "cameras.Gate", "cannot be an id", "a-z"),
    ("post: {id: a}\ndata: d\ncameras: {g: 5}\n", 3, 14, "cameras.g", "keys with values", "key: value"),
    ("post: {id: a}\ndata: d\ncameras: {g: {streams: {main: 'http://h/'}}}\n", 3, 31, "cameras.g.streams.main", "'http' is not taken", "rtsps"),
    ("post: {id: a}\ndata: d\ncameras: {g: {streams: {main: '${NOPE}'}}}\n", 3, 31, "cameras.g.streams.main", "not a URL", "rtsp://user"),
    ("post: {id: a}\ndata: d\ncameras: {g: {streams: {main: 'rtsp://u:${NOPE}@h/'}}}\n", 3, 31, "cameras.g.streams.main", "${NOPE} is not set", "set NOPE"),
    ("post: {id: a\ndata: x: y\n", 2, 5, "", "not valid YAML", "colons"),
    ("post: {id: a}\npost: {id: b}\n", 2, 1, "", "not valid YAML", "once"),
    ("- a\n- b\n", 1, 1, "", "holds no settings", "post"),
    ("", 1, 1, "", "holds no settings", "post"),
    ("post: {id: a}\ndata: d\nsecrets: nowhere.env\n", 3, 10, "secrets", "cannot read", "0600"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "column", "key", "what", "remedy"), WRONG, ids=[w[3] + ":" + w[4] for w in WRONG]
)
def test_every_problem_says_where_what_and_what_is_right(text, line, column, key, what, remedy):
    (problem,) = problems(text)
    assert (problem.line, problem.column, problem.where) == (line, column, key), str(problem)
    assert what in problem.what
    assert remedy in problem.remedy


def test_all_problems_are_named_at_once_in_the_order_of_the_file():
    found = problems("post: {id: A}\ndata: d\nweb: {listen: x}\nretention: {max_age: 1}\n")
    assert [p.where for p in found] == ["post.id", "web.listen", "retention.max_age"]


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "[::1]:1", "localhost:1", "127.5.5.5:0"])
def test_loopback_needs_no_tls(listen):
    assert of(f"post: {{id: a}}\ndata: d\nweb: {{listen: '{listen}'}}\n").web.listen.is_loopback


@pytest.mark.parametrize("way", ["tls: self-signed", "tls: {cert: c.pem, key: k.pem}", "behind_proxy: [10.0.0.0/8]"])
def test_beyond_loopback_needs_tls_or_a_proxy(way):
    found = of(f"post: {{id: a}}\ndata: d\nweb: {{listen: '0.0.0.0:8460', {way}}}\n")
    assert not found.web.listen.is_loopback


# secrets


def test_a_secret_never_stands_in_what_is_said(tmp_path: Path):
    text = "post: {id: a}\ndata: d\ncameras:\n  g: {streams: {main: 'rtsp://u:hunter2zz@h:99999/'}}\n  x: 5\n"
    said = "\n".join(str(p) for p in problems(text)) + json.dumps([p.as_json() for p in problems(text)])
    assert "hunter2zz" not in said
    found = of("post: {id: a}\ndata: d\ncameras: {g: {streams: {main: 'rtsp://u:hunter2zz@h/'}}}\n")
    assert "hunter2zz" not in repr(found)
    assert "hunter2zz" not in secrets.scrub(str(found.cameras["g"].streams.main))


def test_a_name_that_is_not_set_sends_to_the_secrets_file_where_that_is_what_is_wrong():
    found = problems(
        "post: {id: a}\ndata: d\ncameras: {g: {streams: {main: 'rtsp://u:${NOPE}@h/'}}}\nsecrets: nowhere.env\n"
    )
    assert [(p.where, "mend `secrets` first" in p.remedy) for p in found] == [
        ("cameras.g.streams.main", True),
        ("secrets", False),
    ]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_secrets_file_that_others_can_read_is_refused(folder: Path, mode: int):
    (folder / "secrets.env").chmod(mode)
    with pytest.raises(SettingsError) as caught:
        load(folder / "longwatch.yml", {})
    assert any("chmod 600" in p.remedy and p.line == 4 for p in caught.value.problems)


@pytest.mark.parametrize(
    "camera", ["    streams: {main: rtsp://u:c4n4ry@h/t}\n", "  gate: {streams: {main: rtsp://u:c4n4ry@h/t}}\n"]
)
def test_a_key_that_stands_twice_is_named_without_its_value(camera: str):
    (problem,) = problems(minimal(camera=camera))
    assert "duplicate key" in problem.what
    assert "c4n4ry" not in problem.what
    assert (problem.remedy, problem.line) == ("each key may stand once", 7)


def test_the_environment_comes_before_the_secrets_file(folder: Path):
    found = load(folder / "longwatch.yml", {"GATE_PASSWORD": "other"})
    assert urlsplit(found.cameras["gate"].streams.main).password == "other"


def test_a_dollar_may_be_literal():
    found = of(minimal().replace("id: a", "id: a, name: 'costs $${5} $5'"))
    assert found.post.name == "costs ${5} $5"
    assert unquote(urlsplit(url("rtsp://u:$${x}@h/", Names({}, {}))).password) == "${x}"


def _of_a_broker(password: str, url: str = "rtsp://10.0.0.5/1") -> str:
    streams = f"cameras: {{gate: {{streams: {{main: '{url}'}}}}}}\n"
    return f"post: {{id: a}}\ndata: d\nmqtt: {{host: h, password: '{password}'}}\n{streams}"


@pytest.mark.parametrize("typed", ["${HOOK", "x${HOOK", "${HOOK ${OTHER}"])
def test_a_name_that_is_never_closed_is_said_where_it_stands(typed: str):
    with pytest.raises(SettingsError) as caught:
        compose(Path("x.yml"), _of_a_broker(typed), {"HOOK": "s3cret", "OTHER": "o"}, Path("/etc"))
    (problem,) = caught.value.problems
    assert (problem.line, problem.where) == (3, "mqtt.password")
    assert "never closed" in problem.what or "is not a name" in problem.what
    with pytest.raises(SettingsError, match=r"line 4.*cameras.gate.streams.main: `\${` is never closed"):
        compose(Path("x.yml"), _of_a_broker("p", "rtsp://u:${HOOK@h/1"), {"HOOK": "s3cret"}, Path("/etc"))
    found = compose(Path("x.yml"), _of_a_broker("$${HOOK"), {"HOOK": "s3cret"}, Path("/etc"))
    assert (found.mqtt.password, found.doubts) == ("${HOOK", [])


@pytest.mark.parametrize("typed", ["$HOOK", "$HOOK}", "$(HOOK)", "{HOOK}", "HOOK}"])
def test_a_name_that_is_set_is_never_sent_as_a_password(typed: str):
    """A camera would be sent `$HOOK`, refuse it, and lock the post out after some tries."""
    for text in (
        _of_a_broker(typed),
        _of_a_broker("p", f"rtsp://u:{typed}@h/1"),
        _of_a_broker("p", f"rtsp://h/1?user=u&password={typed}"),
    ):
        with pytest.raises(SettingsError, match=r"HOOK is a name that is set. A name is written \${NAME}"):
            compose(Path("x.yml"), text, {"HOOK": "s3cret"}, Path("/etc"))
        (doubt,) = compose(Path("x.yml"), text, {}, Path("/etc")).doubts
        assert doubt.where in {"mqtt.password", "cameras.gate.streams.main"}
        assert "HOOK" not in str(doubt), "it may be the password"


@pytest.mark.parametrize("typed", ["pa$$word", "$ecret", "a{b}", "$5", "x$HOOK", "HOOK", "$$HOOK", "{}", "}"])
def test_a_password_may_hold_a_dollar_and_braces(typed: str):
    found = compose(Path("x.yml"), _of_a_broker(typed), {"HOOK": "s3cret"}, Path("/etc"))
    assert (found.mqtt.password, found.doubts) == (typed, [])


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=40))
@settings(max_examples=150, deadline=None)
def test_a_secret_may_hold_any_character(secret: str):
    names = Names({"S": secret}, {})
    made = urlsplit(url("rtsp://user:${S}@10.0.0.5:554/stream1?x=1", names))
    assert (unquote(made.username), unquote(made.password)) == ("user", secret)
    assert (made.hostname, made.port, made.path, made.query) == ("10.0.0.5", 554, "/stream1", "x=1")
    within = urlsplit(url("rtsp://10.0.0.5/a?key=${S}&b=2", names))
    assert unquote(within.query) == f"key={secret}&b=2"


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_as_url_is_taken_or_refused_in_words(text: str):
    try:
        made = url(text, Names({}, {}))
    except Wrong:
        return
    assert made.startswith(("rtsp://", "rtsps://"))
    assert not any(c in made for c in "\r\n \t")


@pytest.mark.parametrize("raw", ["rtsp://user:p@ss@10.0.0.5/x", "rtsp://user:p%40ss@10.0.0.5/x"])
def test_a_literal_password_may_be_percent_encoded_or_hold_an_at(raw: str):
    made = urlsplit(url(raw, Names({}, {})))
    assert (unquote(made.password), made.hostname) == ("p@ss", "10.0.0.5")


# the file


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("longwatch.config.finding.SEARCH", (Path("longwatch.yml"), tmp_path / "etc.yml"))
    with pytest.raises(UsageError, match="--config"):
        find(None)
    (tmp_path / "etc.yml").write_text("")
    assert find(None) == tmp_path / "etc.yml"
    (tmp_path / "longwatch.yml").write_text("")
    assert find(None) == Path("longwatch.yml")
    assert find(Path("x")) == Path("x")


def test_bytes_that_are_no_text_are_named_with_their_place(tmp_path: Path):
    path = tmp_path / "longwatch.yml"
    path.write_bytes(b"post: {id: a}\ndata: \xff\n")
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    assert (caught.value.problems[0].line, caught.value.problems[0].column) == (2, 7)


@given(st.text(alphabet="abc:-[]{}&*!|>'\"#%@`\n ,?0123456789$", max_size=80))
@settings(max_examples=120, deadline=None)
def test_any_text_as_a_file_is_refused_in_words(text: str):
    with pytest.raises(SettingsError):
        of(text)


def test_a_file_that_holds_itself_is_refused():
    assert problems("post: &a {id: a, name: *a}\ndata: d\n")


# python -m longwatch.config


def resolve(*arguments: str | Path, **environ: str):
    done = subprocess.run(
        [sys.executable, "-m", "longwatch.config", "resolve", *map(str, arguments)],
        capture_output=True, env=os.environ | environ, timeout=30, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout), done.stderr.decode()


@pytest.mark.slow
def test_resolve_prints_what_the_recorder_needs(folder: Path):
    code, answer, _ = resolve(folder / "longwatch.yml")
    assert code == 0
    assert answer["post"] == {"id": "north-ridge", "name": "North ridge lookout", "timezone": "Europe/Oslo"}


@pytest.mark.slow
def test_a_slip_in_the_file_keeps_the_last_good_settings(folder: Path):
    path, good = folder / "longwatch.yml", folder / "last-good"
    assert resolve(path, "--last-good", good)[0] == 0
    assert good.stat().st_mode & 0o777 == 0o600
    assert "p@" not in good.read_text()  # names, never what they stand for
    path.write_text(CONTRACT.replace("transport: tcp", "transport: sctp"))
    code, answer, said = resolve(path)
    assert (code, answer["errors"][0]["line"]) == (2, 11)
    assert "line 11, column 16" in said
    code, answer, _ = resolve(path, "--last-good", good)
    assert code == 0
    assert answer["cameras"][0]["transport"] == "tcp"
    assert answer["errors"][0]["key"] == "cameras.gate.transport"


@pytest.mark.slow
def test_five_hundred_cameras_are_read_in_a_moment(monkeypatch: pytest.MonkeyPatch):
    """Each with its own password: what is done per camera must not grow with their number."""
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.setattr(secrets, "_registered", {})
    monkeypatch.setattr(secrets, "_ordered", ())
    text = "post: {id: a}\ndata: d\ndefaults: {audio: false, retention: {max_age: 3d}}\ncameras:\n"
    for n in range(500):
        text += (
            f"  cam-{n}:\n    streams: {{main: 'rtsp://u:password-{n}@h/{n}', sub: 'rtsp://u:password-{n}@h/s{n}'}}\n"
        )
    began = time.process_time()
    found = of(text)
    assert secrets.scrub(f"u:password-499@ {found.cameras['cam-7'].streams.main}").count("password") == 0
    assert time.process_time() - began < 8, "about half a second; it was minutes once"


def test_a_data_folder_that_cannot_be_made_is_a_problem_at_its_place_and_only_where_it_is_asked(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    path = tmp_path / "longwatch.yml"
    path.write_text(
        f"post: {{id: ridge, name: Ridge, timezone: UTC}}\ndata: [./data, {blocked}/second]\ncameras: {{}}\n"
    )
    (problem,) = folder_problems(load(path))
    assert (problem.line, problem.column, problem.where) == (2, 16, "data.1")
    assert problem.what == f"{blocked} is not a folder, so {blocked}/second cannot be made"
    assert "./data" in problem.remedy
    path.write_text("post: {id: ridge, name: Ridge, timezone: UTC}\ndata: ./data\ncameras: {}\n")
    assert folder_problems(load(path)) == []
    assert not (tmp_path / "data").exists(), "nothing is made"


MASK = "    masks: [{name: window, polygon: [[0.1, 0.1], [0.4, 0.1], [0.4, 0.50004]]}]\n"


def test_masks_and_shades_are_taken_rounded_and_resolved_by_name() -> None:
    told = resolved(of(minimal(camera=MASK + MASK.replace("masks", "shades"))))["cameras"][0]
    assert told["masks"] == {"window": [[0.1, 0.1], [0.4, 0.1], [0.4, 0.5]]} == told["shades"]
    assert "masks" not in resolved(of(minimal()))["cameras"][0], "a camera without any is as before"


@pytest.mark.parametrize(
    ("polygon", "said"),
    [
        ("[[0, 0], [1, 1]]", "3 to 32 points"),
        ("[[0, 0], [1, 1], [1, 0], [0, 1]]", "cross each other"),
        ("[[0, 0], [2, 0], [1, 1]]", "outside the picture"),
        ("[[0, 0], [1, 0, 3], [1, 1]]", "two numbers"),
        ("[[0, 0], [yes, 0], [1, 1]]", "two numbers"),
        ("[[0, 0], [.nan, 0], [1, 1]]", "outside the picture"),
        ("all of it", "a list of points"),
    ],
)
def test_a_polygon_that_hides_nothing_clear_is_refused_with_what_would_be_right(polygon: str, said: str) -> None:
    (problem,) = problems(minimal(camera=f"    masks: [{{name: a, polygon: {polygon}}}]\n"))
    assert said in problem.what
    assert problem.line == 7


def test_two_masks_of_one_name_and_masks_for_all_cameras_are_refused() -> None:
    twice = MASK.replace("]}]", "]}, {name: window, polygon: [[0, 0], [1, 0], [1, 1]]}]")
    assert any("same name" in problem.what for problem in problems(minimal(camera=twice)))
    everywhere = "defaults: {masks: [{name: a, polygon: [[0, 0], [1, 0], [1, 1]]}]}"
    assert any("belongs to one camera" in problem.what for problem in problems(minimal(everywhere)))


HUB = """hub: {id: hq, timezone: Europe/Oslo, place: {lat: 59.9, lon: 10.7}}
data: d
uplink: {listen: '127.0.0.1:8461'}
"""


def test_a_hubs_file_is_read_as_a_posts_is():
    found = of(HUB)
    assert (found.role, found.post.id, found.post.name, found.post.timezone) == ("hub", "hq", "hq", "Europe/Oslo")
    assert found.post.place is not None
    assert (found.uplink.address, found.cameras) == ("127.0.0.1:8461", {})
    assert (found.database, found.media) == (None, None)
    assert resolved(found)["post"] == {"id": "hq", "name": "hq", "timezone": "Europe/Oslo"}
    assert resolved(found)["cameras"] == []


SHARED = "database: postgresql://db/lw\nmedia: s3://media\n"


def test_several_processes_need_a_database_and_a_store_that_all_of_them_reach(tmp_path):
    path = tmp_path / "longwatch.yml"
    path.write_text(HUB + "broker: nats://n:4222\n")
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    (problem,) = caught.value.problems
    assert (problem.where, "`database` and `media`" in problem.remedy) == ("broker", True)
    path.write_text(HUB + SHARED + "broker: nats://lw:${B}@n:4222,m:4222\n")
    found = load(path, {"B": "a@,b"})
    assert (found.broker, found.door) == ("nats://lw:a%40%2Cb@n:4222,m:4222", "")
    path.write_text(HUB + SHARED + "broker: http://n\n")
    with pytest.raises(SettingsError, match="not an address that is taken here"):
        load(path, {})


def test_a_door_has_a_name_a_broker_and_no_console(tmp_path):
    path = tmp_path / "longwatch.yml"
    door = "hub: {id: hq, door: %s}\ndata: d\nuplink: {listen: '127.0.0.1:8461'}\n" + SHARED
    path.write_text(door % "east" + "broker: nats://n\n")
    found = load(path, {})
    assert (found.door, found.role, resolved(found)["door"]) == ("east", "hub", "east")
    for name, more, where in (
        ("east", "", "hub.door"),
        ("console", "broker: nats://n\n", "hub.door"),
        ("east", "broker: nats://n\nweb: {listen: '127.0.0.1:1'}\n", "web"),
    ):
        path.write_text(door % name + more)
        with pytest.raises(SettingsError) as caught:
            load(path, {})
        assert [problem.where for problem in caught.value.problems] == [where]


def test_a_password_of_the_database_may_hold_any_character(tmp_path):
    path = tmp_path / "longwatch.yml"
    path.write_text(HUB + "database: postgresql://lw:${DB}@db/lw\nmedia: s3://${KEY}:${DB}@media\n")
    found = load(path, {"DB": "a@b/c:d", "KEY": "k"})
    assert found.database == "postgresql://lw:a%40b%2Fc%3Ad@db/lw"
    assert found.media == "s3://k:a%40b%2Fc%3Ad@media"
    assert "a@b/c:d" not in secrets.scrub(f"{found.database} a@b/c:d")


def test_a_post_is_a_post():
    assert of(minimal()).role == "post"


def test_a_camera_is_looked_at_unless_it_says_otherwise():
    both = "    streams: {main: rtsp://h/s, sub: rtsp://h/t}\n"
    text = "post: {id: a}\ndata: /d\ncameras:\n  plain:\n    streams: {main: rtsp://h/s}\n  two:\n" + both
    text += "  off:\n    detect: false\n" + both + "  own:\n    detect: {stream: main, fps: 2, tamper: false}\n" + both
    found = of(text).cameras
    assert [camera.looked_at_stream for camera in found.values()] == ["main", "sub", "sub", "main"]
    assert found["off"].looked_at is None
    assert found["plain"].looked_at is not None
    assert (found["own"].looked_at.fps, found["own"].looked_at.tamper) == (2, False)
    assert of(text.replace("cameras:", "defaults: {detect: false}\ncameras:")).cameras["plain"].looked_at is None
    told = {camera["id"]: camera["tamper"] for camera in resolved(of(text))["cameras"]}
    assert told == {"plain": True, "two": True, "off": False, "own": False}, "what takes that away asks for a reason"


def test_a_short_name_of_a_class_is_taken_in_a_zone():
    zone = "    zones: [{name: Road, polygon: [[0, 0], [1, 0], [1, 1]], kinds: [person, motion.dwell], dwell: 30s}]\n"
    made = of(minimal(camera=zone)).cameras["gate"].zones[0]
    assert (made.kinds, made.dwell, made.ignored) == (["object.person", "motion.dwell"], 30, False)


def test_classes_are_asked_for_by_word_by_list_or_by_nothing_and_need_a_model():
    model = "detection: {model: models/a}\n"
    for said, expected in (("true", OBJECTS), ("false", ()), ("[person, person, boat]", ("person", "boat"))):
        zone = f"    zones: [{{name: Road, polygon: [[0, 0], [1, 0], [1, 1]], objects: {said}}}]\n"
        made = of(model + minimal(camera=f"    detect: {{objects: {said}}}\n{zone}"))
        assert made.detection.model == Path("/etc/longwatch/models/a")
        assert (made.cameras["gate"].detect.objects, made.cameras["gate"].zones[0].objects) == (expected, expected)
    assert of(model + minimal()).cameras["gate"].looked_at.objects is None
    for said, remedy in (("[cow]", "one of person"), ("person", "write true, false, or a list")):
        with pytest.raises(SettingsError) as raised:
            of(model + minimal(camera=f"    detect: {{objects: {said}}}\n"))
        assert remedy in str(raised.value.problems[0]).lower()
    with pytest.raises(SettingsError) as raised:
        of(minimal(camera="    detect: {objects: [person]}\n"))
    assert "there is no model" in str(raised.value.problems[0])
    assert of(minimal(camera="    detect: {objects: false}\n")).cameras["gate"].detect.objects == ()


@pytest.mark.parametrize("name", ["a\x85b", "a\u2028b", "gate\u202etxt", "\ud800", "a\x1bb", "\u2066x"])
def test_a_name_that_no_message_could_carry_is_refused(name: str) -> None:
    with pytest.raises(Wrong, match="one line"):
        values.label(name)


@pytest.mark.parametrize("name", ["Gate <b>", "Portail n° 2", "دروازه‌ی شمال", "东门", "a\u00a0b"])
def test_a_name_of_any_language_is_taken(name: str) -> None:
    assert values.label(name) == name
