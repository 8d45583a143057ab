"""The verbs, as a person meets them: words, JSON, exit codes, no tracebacks, no secrets."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.archive_case import opened, record, stream
from tests.support.measured import within

from longwatch.base.clock import ManualClock
from longwatch.base.rfc3339 import parse_us
from longwatch.cli import main

START = "2026-01-01T00:00:00Z"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "longwatch.yml"
    path.write_text(
        "post: {id: ridge}\ndata: data\ncameras:\n  gate:\n    streams: {main: 'rtsp://u:hunter2zz@127.0.0.1:1/s'}\n"
    )
    return path


@pytest.fixture
def recorded(config: Path) -> Path:
    """Ten seconds after it was set up the camera was recorded for four."""
    clock = ManualClock()

    async def make() -> None:
        async with opened([config.parent / "data"], clock=clock) as (archive, _):
            await archive.camera_set_up("gate", "Gate", ["main"], clock.wall_us())
            clock.tick(10_000_000)
            await record(archive, stream(archive), segments=2)

    asyncio.run(make())
    return config


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """`longwatch ...` in this process: exit code, what it said, and what it complained of."""

    def call(*words: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["longwatch", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert "hunter2zz" not in out + err
        return code, out, err

    return call


@pytest.mark.slow
def test_help_is_quick_and_complete():
    with within(3, "usually 0.2 s;"):
        done = subprocess.run(
            [sys.executable, "-m", "longwatch.cli", "--help"], capture_output=True, check=True, timeout=60
        )
    for word in (b"demo", b"run", b"settings", b"camera", b"user", b"token", b"gaps", b"export", b"check", b"simulate"):
        assert word in done.stdout


def test_help_loads_no_heavy_library():
    heavy = "{'pydantic', 'fastapi', 'sqlalchemy', 'av', 'uvloop', 'cryptography'}"
    code = f"import sys, longwatch.cli.app; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30)
    assert done.stdout.strip() == b"[]"


@pytest.mark.parametrize(
    "words", [["nonsense"], ["export"], ["gaps", "--nonsense"], ["user", "add", "x", "--role", "king"]]
)
def test_wrong_use_is_2(run, words):
    assert run(*words)[0] == 2


def test_no_settings_is_2_and_says_where_it_looked(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("longwatch.config.finding.SEARCH", (Path("longwatch.yml"), tmp_path / "nowhere.yml"))
    code, _, said = run("gaps")
    assert code == 2
    assert "longwatch.yml" in said
    assert "--config" in said


def test_settings_check_says_that_a_data_folder_cannot_be_made(run, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    config = tmp_path / "other.yml"
    config.write_text(f"post: {{id: ridge, name: Ridge, timezone: UTC}}\ndata: {blocked}/data\ncameras: {{}}\n")
    code, out, said = run("settings", "check", "--config", config)
    assert (code, out) == (2, "")
    assert "line 2, column 7: data:" in said
    assert "is not a folder" in said
    assert "./data" in said
    code, out, _ = run("settings", "check", "--config", config, "--json")
    assert (code, json.loads(out)["ok"], json.loads(out)["problems"][0]["key"]) == (2, False, "data")


def test_settings_check_says_what_looks_like_a_name_and_is_none(run, config, monkeypatch):
    monkeypatch.delenv("BROKER_PASSWORD", raising=False)
    config.write_text(config.read_text() + "mqtt: {host: broker.lan, password: $BROKER_PASSWORD}\n")
    code, out, said = run("settings", "check", "--config", config)
    assert (code, "the settings are right" in out) == (0, True)
    assert "not sure: line" in said
    assert "mqtt.password: this looks like a name, and is taken as it stands. A name is written ${NAME}" in said
    (doubt,) = json.loads(run("settings", "check", "--config", config, "--json")[1])["doubts"]
    assert doubt["key"] == "mqtt.password"
    monkeypatch.setenv("BROKER_PASSWORD", "x" * 9)
    code, _, said = run("settings", "check", "--config", config)
    assert (code, "BROKER_PASSWORD is a name that is set" in said) == (2, True)


def test_settings_check(run, config):
    assert run("settings", "check", "--config", config)[:2] == (
        0,
        f"{config}: the settings are right: post ridge, 1 camera\n",
    )
    assert json.loads(run("settings", "check", "--config", config, "--json")[1])["ok"] is True
    config.write_text(config.read_text().replace("main:", "mian:"))
    code, out, said = run("settings", "check", "--config", config)
    assert (code, out) == (2, "")
    assert f"{config}: line 5, column 15: cameras.gate.streams.mian: there is no such key. Did you mean `main`?" in said
    code, out, _ = run("settings", "check", "--config", config, "--json")
    problems = json.loads(out)["problems"]
    assert code == 2
    assert {"line": 5, "column": 15, "key": "cameras.gate.streams.mian", "what": "there is no such key", "remedy": "Did you mean `main`?"} in problems  # fmt: skip


@pytest.mark.parametrize("verb", [["run"], ["gaps"], ["check"], ["token", "add", "t", "--role", "viewer"]])
def test_wrong_settings_are_2_for_every_verb(run, config, verb):
    config.write_text("post: {id: A}\ndata: d\n")
    code, _, said = run(*verb, "--config", config)
    assert code == 2
    assert "line 1, column 12: post.id: 'A' cannot be an id" in said


@pytest.mark.slow
def test_a_user_is_added_with_a_password_from_standard_input(run, config):
    words = ("user", "add", "kari", "--role", "operator", "--config", config)
    code, out, _ = run(*words, "--password-stdin", stdin=b"correct horse battery\nmore\n")
    assert (code, out) == (0, "kari may sign in as operator\n")
    code, _, said = run(*words, "--password-stdin", stdin=b"correct horse battery\n")
    assert code != 0
    assert "kari" in said
    code, _, said = run(
        "user", "add", "ola", "--role", "viewer", "--config", config, "--password-stdin", stdin=b"short\n"
    )
    assert (code, "the password is too short" in said) == (2, True)
    assert run(*words, stdin=b"x")[0] == 2  # nobody to ask
    assert run(*words, "--password-stdin")[0] == 2  # nothing came
    assert run("user", "add", "ola", "--role", "viewer", "--camera", "nope", "--password-stdin", "--config", config, stdin=b"correct horse\n")[0] == 2  # fmt: skip


@pytest.mark.slow
def test_users_are_listed_changed_disabled_reset_and_removed(run, config):
    def user(*words: str) -> tuple[int, str, str]:
        return run("user", *words, "--config", config)

    for name in ("kari", "ola"):
        run(
            "user",
            "add",
            name,
            "--role",
            "admin",
            "--password-stdin",
            "--config",
            config,
            stdin=b"correct horse battery\n",
        )
    assert user("set-role", "kari", "--role", "viewer", "--camera", "gate", "--reason", "less to do")[:2] == (
        0, "kari is viewer now, of gate\n",
    )  # fmt: skip
    assert user("list")[1] == "kari  viewer, gate\nola  admin, all cameras\n"
    assert user("disable", "kari")[:2] == (0, "kari is let in no more\n")
    [kari, _] = json.loads(user("list", "--json")[1])["items"]
    assert (kari["name"], kari["disabled"], kari["cameras"]) == ("kari", True, ["gate"])
    assert user("enable", "kari")[0] == 0
    code = json.loads(user("reset", "kari", "--json")[1])["code"]
    assert len(code) == 23
    for words in (("disable", "ola"), ("remove", "ola"), ("reset", "ola"), ("set-role", "ola", "--role", "viewer")):
        exit_code, _, said = user(*words)
        assert (exit_code, "nobody would be left" in said) == (2, True), words
    assert user("set-role", "eve", "--role", "viewer")[0] == 2
    assert user("remove", "kari", "--reason", "left")[:2] == (0, "kari is removed\n")
    assert user("list")[1] == "ola  admin, all cameras\n"


def test_tokens_are_listed_and_revoked(run, config):
    assert run("token", "list", "--config", config)[1] == "there is no token yet\n"
    run("token", "add", "grafana", "--role", "viewer", "--days", "30", "--config", config)
    assert "grafana  viewer, all cameras, until " in run("token", "list", "--config", config)[1]
    assert run("token", "revoke", "grafana", "--config", config)[0] == 0
    assert run("token", "revoke", "grafana", "--config", config)[0] == 2


@pytest.mark.slow
def test_a_token_is_the_last_word_and_is_shown_once(run, config):
    code, out, _ = run("token", "add", "grafana", "--role", "viewer", "--config", config)
    token = out.split()[-1]
    assert code == 0
    assert len(token) > 30
    for file in (config.parent / "data").rglob("*"):
        if file.is_file():
            assert token.encode() not in file.read_bytes()
    code, out, _ = run("token", "add", "other", "--role", "admin", "--camera", "gate", "--json", "--config", config)
    found = json.loads(out)
    assert (code, found["name"], found["cameras"]) == (0, "other", ["gate"])


def test_gaps_have_a_cause_each(run, recorded):
    words = ("gaps", "--config", recorded, "--from", "2025-12-31T23:59:50Z", "--to", "2026-01-01T00:00:12Z")
    code, out, _ = run(*words, "--json")
    assert code == 0
    assert [(g["from"], g["to"], g["cause"]) for g in json.loads(out)["items"]] == [
        ("2025-12-31T23:59:50Z", START, "never_recorded"),
        (START, "2026-01-01T00:00:10Z", "unknown"),
    ]
    code, out, _ = run(*words)
    assert len(out.splitlines()) == 3
    assert out.splitlines()[0].split() == ["FROM", "TO", "LASTED", "CAMERA", "STREAM", "CAUSE", "EVIDENCE"]
    assert run(*words, "--camera", "gate")[0] == 0
    assert run(*words, "--camera", "nope")[0] == 2
    late = ("gaps", "--config", recorded, "--from", "2026-01-01T00:00:11Z", "--to", "2026-01-01T00:00:12Z")
    assert run(*late)[1].startswith("no gaps")


def test_by_default_gaps_begin_where_each_camera_was_set_up(run, recorded):
    async def another() -> None:
        async with opened([recorded.parent / "data"], clock=ManualClock()) as (archive, _):
            await archive.camera_set_up("yard", "Yard", ["main"], parse_us("2026-01-01T00:00:11Z"))

    asyncio.run(another())
    until = ("gaps", "--json", "--config", recorded, "--to", "2026-01-01T00:00:12Z")
    found = [(g["camera"], g["cause"]) for g in json.loads(run(*until)[1])["items"]]
    assert found == [("gate", "unknown"), ("yard", "unknown")]
    asked = json.loads(run(*until, "--from", START)[1])["items"]
    assert ("yard", "never_recorded") in [(g["camera"], g["cause"]) for g in asked]


def test_an_export_names_every_second_that_is_missing(run, recorded, tmp_path):
    span = ("--from", "2025-12-31T23:59:50Z", "--to", "2026-01-01T00:00:12Z")
    code, out, said = run("export", "gate", *span, "--out", tmp_path / "x.mp4", "--config", recorded, "--json")
    assert (code, said) == (0, "")
    gaps = [(gap["from"], gap["to"], gap["cause"]) for gap in json.loads(out)["gaps"]]
    assert gaps == [("2025-12-31T23:59:50Z", START, "never_recorded"), (START, "2026-01-01T00:00:10Z", "unknown")]


def test_an_export_takes_the_place_of_no_device(run, recorded, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    span = ("--from", "2025-12-31T23:59:50Z", "--to", "2026-01-01T00:00:12Z")
    for kind in ((), ("--evidence", "--reason", "so")):
        code, _, said = run("export", "gate", *span, "--out", pipe, *kind, "--config", recorded)
        assert (code, "no ordinary file" in said, pipe.is_fifo()) == (2, True, True)


@pytest.mark.parametrize(
    ("from_", "to"), [("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), ("yesterday", "2026-01-01T00:00:00Z")]
)
def test_times_that_cannot_be_are_2(run, recorded, from_, to):
    assert run("gaps", "--from", from_, "--to", to, "--config", recorded)[0] == 2
    assert run("export", "gate", "--from", from_, "--to", to, "--out", "x.mp4", "--config", recorded)[0] == 2


@pytest.mark.slow
def test_check_finds_what_is_wrong_and_mends_what_it_can(run, recorded):
    for mode in ("--size", "--hash", "--ledger"):
        code, out, _ = run("check", mode, "--json", "--config", recorded)
        assert (code, json.loads(out)["findings"]) == (0, []), mode
    assert run("check", "--size", "--hash", "--config", recorded)[0] == 2
    file = sorted((recorded.parent / "data" / "media").rglob("*.mp4"))[0]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert run("check", "--size", "--config", recorded)[0] == 0
    code, out, _ = run("check", "--hash", "--config", recorded)
    assert code == 1
    assert "gate" in out
    file.unlink()
    code, out, _ = run("check", "--config", recorded)
    assert code == 1
    assert file.name in out


def test_nothing_recorded_yet_is_said_without_a_traceback(run, config, tmp_path):
    for verb in (
        ["gaps"],
        ["check"],
        ["export", "gate", "--from", START, "--to", "2026-01-01T00:01:00Z", "--out", "x.mp4"],
    ):
        code, _, said = run(*verb, "--config", config)
        assert code in {1, 2}
        assert said.startswith("longwatch: ")


def test_probe_says_why_a_camera_would_not_be_recorded(run, config, monkeypatch):
    code, out, _ = run("camera", "probe", "gate", "--json", "--config", config)
    assert (code, json.loads(out)["fault"]) == (1, "unreachable")
    assert run("camera", "probe", "yard", "--config", config)[0] == 2
    assert run("camera", "probe", "http://127.0.0.1/", "--config", config)[0] == 2
    (config.parent / "probe.env").write_text("PROBE_PASSWORD=pw\n")
    (config.parent / "probe.env").chmod(0o600)
    config.write_text(config.read_text() + "secrets: probe.env\n")
    monkeypatch.chdir(config.parent)
    monkeypatch.setattr("longwatch.config.finding.SEARCH", (config,))
    assert run("camera", "probe", "rtsp://u:${PROBE_PASSWORD}@127.0.0.1:1/")[0] == 1, (
        "asked, with the secret of the settings"
    )
    assert run("camera", "probe", "rtsp://u:${NOT_SET_ANYWHERE}@127.0.0.1/", "--config", config)[0] == 2


def test_simulate_refuses_what_it_cannot_do(run, tmp_path):
    assert run("simulate", "camera", tmp_path / "no.mp4")[0] == 2
    from longwatch.simulate.camera import LOT

    code, _, said = run("simulate", "camera", LOT, "--fault", "explode@5")
    assert code == 2
    assert "stall" in said
    assert run("simulate", "camera", LOT, "--listen", "nonsense")[0] == 2


def test_demo_refuses_a_taken_port_with_the_remedy(run, monkeypatch, tmp_path):
    import socket

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, said = run("demo", "--listen", f"127.0.0.1:{port}")
    assert code == 2
    assert f"--listen 127.0.0.1:{port + 1}" in said
    assert run("demo", "--listen", "0.0.0.0:8460")[0] == 2
    assert os.listdir(tmp_path) == []


def test_the_key_is_shown_as_people_and_other_tools_take_it(recorded: Path, run):
    code, out, _ = run("key", "--config", recorded, "--json")
    assert code == 0
    told = json.loads(out)
    published = (recorded.parent / "data/ledger/1/key.pem").read_text()
    assert told["pem"] == published
    assert told["vkey"].startswith(told["origin"] + "+")
    code, out, _ = run("key", "--config", recorded)
    assert code == 0
    for part in ("fingerprint", "vkey", "origin"):
        assert told[part] in out
    assert published.strip() in out
    assert "PRIVATE" not in out


def test_before_the_first_start_there_is_no_key(config: Path, run):
    code, _, err = run("key", "--config", config)
    assert code != 0
    assert "Traceback" not in err


def test_a_missing_secret_keeps_no_verb_from_its_work_but_those_that_check(
    recorded: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.write_text(recorded.read_text().replace("hunter2zz", "${GATE}"))
    code, said, _ = run("gaps", "--from", START, "--to", "2026-01-01T00:01:00Z", "--json", "--config", recorded)
    assert code == 0
    assert json.loads(said)["items"]
    for verb in (["check"], ["settings", "check"]):
        code, said, complained = run(*verb, "--config", recorded)
        assert code == 2
        assert "${GATE} is not set" in said + complained
    begun: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _path, words: begun.append(words))
    code, _, complained = run("run", "--config", recorded)
    assert code == 0
    assert "line 5" in complained
    assert "cameras.gate.streams.main: ${GATE} is not set" in complained
    assert begun[0][2] == "longwatch.node.supervisor"
