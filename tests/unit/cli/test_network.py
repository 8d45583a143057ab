"""`hub` and `join` as a person meets them, while nothing runs: words, JSON, exit codes."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.ports import free_port

from longwatch.cli import main
from longwatch.trust import Code, parse_code

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    path = tmp_path / "hub.yml"
    path.write_text(f"hub: {{id: hq, name: Headquarters}}\ndata: hub\nuplink: {{listen: '127.0.0.1:{free_port()}'}}\n")
    return path


@pytest.fixture
def post(tmp_path: Path) -> Path:
    path = tmp_path / "post.yml"
    path.write_text("post: {id: ridge}\ndata: post\n")
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(config: Path, *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["longwatch", *words, "--config", str(config)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_an_invite_ends_with_its_code(run: Run, hub: Path) -> None:
    code, out, _ = run(hub, "hub", "invite", "ridge", "--reason", "a tower")
    found = parse_code(out.split()[-1])
    assert (code, found.post) == (0, "ridge")
    assert found.address.startswith("127.0.0.1:")
    code, out, _ = run(hub, "hub", "invite", "ridge", "--json")
    said = json.loads(out)
    again = parse_code(said["code"])
    assert (code, again.fingerprint, said["post"]) == (0, found.fingerprint, "ridge")
    assert again.secret != found.secret
    assert found.secret.hex() not in out


def test_a_hub_says_of_nobody_that_nobody_joined(run: Run, hub: Path) -> None:
    code, out, _ = run(hub, "hub", "posts")
    assert code == 0
    assert "no post has joined yet" in out
    assert json.loads(run(hub, "hub", "posts", "--json")[1]) == {"items": []}
    code, _, err = run(hub, "hub", "revoke", "ridge", "--reason", "x")
    assert code == 2
    assert "there is no post 'ridge'" in err


@pytest.mark.parametrize("words", [("hub", "posts"), ("hub", "invite", "x"), ("hub", "revoke", "x", "--reason", "y")])
def test_at_a_post_there_is_no_hub(run: Run, post: Path, words: tuple[str, ...]) -> None:
    code, _, err = run(post, *words)
    assert code == 2
    assert "is a post's file" in err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hq", "North", "a.b", "x" * 41])
def test_who_cannot_be_invited(run: Run, hub: Path, name: str) -> None:
    code, _, err = run(hub, "hub", "invite", name)
    assert code == 2
    assert "cannot be the id of a post" in err


def test_wrong_words_are_told_apart(run: Run, post: Path) -> None:
    good = Code("127.0.0.1:9", "ab" * 32, "swamp", bytes(16)).text()
    for words, what in (
        ((), "this asks for a code"), (("hello",), "no code of a hub"), ((good[:-3],), "mistyped"), ((good,), "for the post 'swamp'"),
        (("--leave", "--reason", "x"), "has joined no hub"),
    ):  # fmt: skip
        code, _, err = run(post, "join", *words)
        assert code == 2, words
        assert what in err


def test_a_hub_that_is_not_there_is_said_so(run: Run, post: Path) -> None:
    code, _, err = run(post, "join", Code(f"127.0.0.1:{free_port()}", "ab" * 32, "ridge", bytes(16)).text())
    assert code == 1
    assert "cannot be reached" in err
    assert "firewall" in err


def test_a_hubs_settings_are_said_to_be_a_hubs(run: Run, hub: Path) -> None:
    code, out, _ = run(hub, "settings", "check")
    assert code == 0
    assert "hub hq; posts reach it at 127.0.0.1:" in out


def test_check_and_verify_at_a_hub_say_what_they_look_at(hub: Path, run: Run) -> None:
    assert run(hub, "hub", "invite", "ridge")[0] == 0  # makes its ledger
    data = hub.parent / "hub"
    code, out, _ = run(hub, "check", "--ledger")
    assert (code, "ledger entries of the hub's own" in out or "ledger entry of the hub's own" in out) == (0, True)
    assert "nothing yet of posts" in out
    lost = bytes(32)
    with sqlite3.connect(data / "fleet" / "fleet.db") as db:
        db.execute("INSERT INTO posts (number, id, name, serial, origin, key, via, era, enrolled_us, revoked_why, site, status, settings, told_us)"
                   " VALUES (1, 'ridge', 'Ridge', '', 'o/1', ?, '[]', 1, 1, '', '{}', '{}', '{}', 0)", (lost,))  # fmt: skip
        db.execute("INSERT INTO objects VALUES (1, ?, 'strip/1', 'strip', 5, 'gate', 'main', 1, 1)", (lost,))
    code, out, _ = run(hub, "check")
    assert code == 1
    assert "object_missing: ridge.gate" in out
    monkey = ["longwatch", "verify", str(data)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", monkey)
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code
