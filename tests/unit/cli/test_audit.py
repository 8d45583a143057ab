"""`audit` and `erase` at the post: without a recorder under the folder's lock, with one through it."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path

import pytest
from tests.support.accounts import open_accounts
from tests.support.archive_case import opened

from longwatch.accounts import Who
from longwatch.archive.ops import Entry, Person
from longwatch.base.clock import SystemClock
from longwatch.cli import main
from longwatch.ledger import canonical, kinds
from longwatch.node.server.commands import ask
from longwatch.server_db import DataLock

PASSWORD = b"correct horse battery\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "longwatch.yml"
    path.write_text("post: {id: ridge}\ndata: data\ncameras:\n  gate:\n    streams: {main: 'rtsp://127.0.0.1:1/s'}\n")
    return path


@pytest.fixture
def recorded(config: Path) -> Path:
    async def make() -> None:
        async with opened([config.parent / "data"]):
            pass

    asyncio.run(make())
    return config


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Exit code, what it said, and what it complained of."""

    def call(*words: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["longwatch", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.mark.slow
def test_what_a_verb_changes_is_in_the_ledger_and_told(recorded: Path, run) -> None:
    assert (
        run("user", "add", "kari", "--role", "viewer", "--password-stdin", "--config", recorded, stdin=PASSWORD)[0] == 0
    )
    assert run("token", "add", "grafana", "--role", "viewer", "--config", recorded)[0] == 0
    assert run("audit", "--config", recorded)[0] == 0
    code, out, _ = run("audit", "--json", "--config", recorded)
    assert code == 0
    added, token, read = json.loads(out)["items"]  # and that it was read before
    assert [added["kind"], token["kind"], read["kind"]] == [kinds.ACCOUNT_CHANGED] * 2 + [kinds.AUDIT_READ]
    assert (added["body"]["account"]["kind"], token["body"]["account"]["kind"]) == ("user", "token")
    assert added["subject"] == read["subject"] == 0
    assert added["person"]["user"]
    assert run("audit", "--to", "8000-01-01T00:00:00Z", "--config", recorded)[0] == 0
    code, out, _ = run("audit", "--kind", "account_changed", "--config", recorded)
    lines = out.splitlines()
    assert lines[0].split() == ["ENTRY", "AT", "WHAT", "CAMERA", "WHO", "DETAIL"]
    assert len(lines) == 3
    assert "kari" not in out  # whose account it is stands there as a number


def test_nothing_that_a_terminal_would_obey_is_printed(recorded: Path, run) -> None:
    """What others entered is shown as it is kept: a reason may hold anything."""

    async def act() -> None:
        async with opened([recorded.parent / "data"], clock=SystemClock()) as (archive, _):
            person = Person(12, canonical({"user": "eve", "reason": "\x1b]0;owned\x07\r\nforged line"}).decode())
            await archive.enter(Entry("paused", {"camera": "gate"}, person))

    asyncio.run(act())
    _, out, _ = run("audit", "--config", recorded)
    assert "forged line" in out
    assert len(out.splitlines()) == 2
    assert out.replace("\n", "").isprintable()


@pytest.mark.slow
def test_before_there_is_an_archive_it_waits(config: Path, run) -> None:
    assert (
        run("user", "add", "kari", "--role", "viewer", "--password-stdin", "--config", config, stdin=PASSWORD)[0] == 0
    )
    assert not (config.parent / "data" / "index.db").exists()
    code, _, err = run("audit", "--config", config)
    assert code == 2
    assert "holds no recordings" in err

    async def make() -> None:
        async with opened([config.parent / "data"]):
            pass

    asyncio.run(make())
    assert run("token", "add", "t", "--role", "viewer", "--config", config)[0] == 0  # the next verb brings both
    assert len(json.loads(run("audit", "--json", "--config", config)[1])["items"]) == 2


@pytest.mark.slow
def test_erasing_at_the_post(recorded: Path, run) -> None:
    data = recorded.parent / "data"
    run("user", "add", "kari", "--role", "viewer", "--password-stdin", "--config", recorded, stdin=PASSWORD)

    async def look() -> None:
        accounts = open_accounts(data)
        await accounts.journal.say(kinds.LOGOUT, {}, Who(10, user="kari", address="CANARY-10.1.2.3"))
        await accounts.aclose()

    asyncio.run(look())
    ask(data, "accounts", [data])
    before = json.loads(run("audit", "--json", "--config", recorded)[1])["items"]
    assert [item["person"] for item in before if item["subject"] == 10] == [
        {"user": "kari", "address": "CANARY-10.1.2.3"}
    ]
    assert any(b"CANARY" in file.read_bytes() for file in data.glob("index.db*"))
    for wrong in (["--subject", "10"], ["--reason", "x"], ["--reason", "x", "--subject", "10", "--user", "kari"],
                  ["--reason", "x", "--user", "nobody"], ["--reason", " ", "--user", "kari"]):  # fmt: skip
        assert run("erase", "--config", recorded, *wrong)[0] == 2
    code, out, err = run("erase", "--config", recorded, "--user", "kari", "--reason", "she asked for it")
    assert (code, err) == (0, "")
    assert "behind 1 entry is erased" in out
    after = json.loads(run("audit", "--json", "--config", recorded)[1])["items"]
    assert [(item["person"], item["erased"]) for item in after if item["subject"] == 10] == [(None, True)]
    [told] = [item for item in after if item["kind"] == kinds.PERSONAL_ERASED]
    assert (told["subject"], told["person"]["reason"], told["body"]["why"]) == (0, "she asked for it", "asked")
    assert not [file.name for file in data.iterdir() if file.is_file() and b"CANARY" in file.read_bytes()]
    assert "#10 (erased)" in run("audit", "--config", recorded)[1]


def test_a_server_that_runs_alone_holds_its_data(recorded: Path, run) -> None:
    """Erasing asks the server where one runs; one that holds the lock and does not answer is not passed by."""
    with DataLock(recorded.parent / "data" / "server.lock"):
        code, _, err = run("erase", "--config", recorded, "--subject", "10", "--reason", "x")
    assert code == 1
    assert "another server" in err
