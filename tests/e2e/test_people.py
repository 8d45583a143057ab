"""People and a whole post of real processes: killed servers and recorders lose no entry and make none twice; erased is erased."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import sqlite3
import subprocess
from pathlib import Path

import httpx
import pytest
from tests.e2e.post import Cameras
from tests.support.post import Post, running_post
from tests.support.wait import until_now

from longwatch.archive import ArchiveReader
from longwatch.archive.published import PublishedLog
from longwatch.base.rfc3339 import format_us, parse_us
from longwatch.ledger import kinds, people
from longwatch.ledger.checkpoint import open_note
from longwatch.node.server.commands import ask
from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = pytest.mark.slow
AGENT = "CANARY-AGENT/1.0"
PASSWORD = "correct horse battery"


@pytest.fixture
def post(tmp_path: Path):
    made = Cameras()
    gate = made.add("gate", lambda: SimulatedCamera(LOT))
    with running_post(tmp_path, {"gate": gate.url}) as running:
        yield running
    made.close()


def client(post: Post, role: str) -> httpx.Client:
    token = ask(post.data, "token_add", name=f"of-{role}-{random.randrange(1 << 40)}", role=role)["token"]
    headers = {"Authorization": f"Bearer {token}", "User-Agent": AGENT}
    return httpx.Client(base_url=post.base, headers=headers, timeout=60)


def entries(post: Post) -> list[dict]:
    reader = ArchiveReader([post.data])
    try:
        return [json.loads(row.entry) for row in reader.entries(0, 1_000_000)]
    finally:
        reader.close()


def of_kind(post: Post, kind: str) -> list[dict]:
    return [entry for entry in entries(post) if entry["kind"] == kind]


def test_whoever_is_killed_each_act_is_entered_once(post: Post) -> None:
    """Each answered question about the audit has one entry, though server and recorder are killed under it again and again."""
    random.seed(7)
    answered: list[int] = []
    asked = itertools.count(1_700_000_000_000_000, 1_000_000)

    def answers() -> bool:
        """Whether one more question is answered; then it has to be entered too."""
        at_us = next(asked)
        with contextlib.suppress(httpx.HTTPError):
            span = {"from": format_us(at_us), "to": format_us(at_us + 1)}
            if inspector.get("/api/v1/audit", params=span).status_code == 200:
                answered.append(at_us)
                return True
        return False

    with client(post, "inspector") as inspector:
        for turn in range(4):
            # Who only waits for the server may ask all of a turn while the recorder, which enters it, is still away.
            until_now(answers, "it is answered again", every_s=0.1)
            for n in range(12):
                answers()
                if n == 6:
                    victims = [post.recorder_pid, post.server_pid, post.recorder_pid][turn % 3 : turn % 3 + 2]
                    for pid in {pid for pid in victims[: 1 + turn % 2] if pid is not None}:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
    assert len(answered) > 20

    def told() -> list[int]:
        with contextlib.suppress(Exception):  # the recorder is just making its index good
            return [entry["body"]["from_us"] for entry in of_kind(post, kinds.AUDIT_READ)]
        return []

    until_now(lambda: set(told()) >= set(answered), "all that was answered is entered")
    seen = told()
    assert len(seen) == len(set(seen))
    assert [at for at in seen if at in set(answered)] == answered  # and in order


def test_what_was_seen_by_whom_stands_there_and_is_erased_on_demand(post: Post, tmp_path: Path) -> None:
    until = post.recorded_until("gate")
    with (
        client(post, "inspector") as inspector,
        client(post, "viewer") as viewer,
        httpx.Client(base_url=post.base) as nobody,
    ):
        ask(post.data, "user_add", name="kari", password=PASSWORD, role="viewer")
        headers = {"User-Agent": AGENT}
        assert (
            nobody.post("/api/v1/login", json={"name": "kari", "password": PASSWORD}, headers=headers).status_code
            == 200
        )
        begin = format_us(parse_us(until) - 3_000_000)
        span = {"from": begin, "to": until}
        assert (
            nobody.get(
                "/api/v1/cameras/gate/video.mp4", params=span, headers={**headers, "Range": "bytes=0-99"}
            ).status_code
            == 206
        )
        assert nobody.get("/api/v1/cameras/gate/still.jpg", headers=headers).status_code == 200
        assert viewer.get("/api/v1/cameras/gate/video.mp4", params=span).status_code == 200
        until_now(lambda: of_kind(post, kinds.VIEWING) and of_kind(post, kinds.EXPORT_BEGUN), "it is entered")
        [export] = of_kind(post, kinds.EXPORT_BEGUN)
        viewing = of_kind(post, kinds.VIEWING)[0]  # the still beside it waits for a minute, or until somebody is erased
        subject = viewing["body"]["person"]["subject"]
        asked = {"from": "2020-01-01T00:00:00Z", "to": "2999-01-01T00:00:00Z", "kind": "viewing"}
        answer = inspector.get("/api/v1/audit", params=asked)
        assert answer.status_code == 200, answer.text
        told = answer.json()["items"]
        her = {"user": "kari", "address": "127.0.0.1", "agent": AGENT}
        assert [item["person"] for item in told] == [her] * len(told) != []
        hers = nobody.get("/api/v1/audit", params=asked).json()["items"]
        assert all(item in hers for item in told)
        assert viewer.get("/api/v1/audit", params=asked).json()["items"] == []  # not a colleague's
        db = sqlite3.connect(f"file:{post.data}/index.db?mode=ro", uri=True)
        salt, text = db.execute("SELECT salt, text FROM personal WHERE seq = ?", (viewing["seq"],)).fetchone()
        db.close()
        assert people.commitment(salt, text).hex() == viewing["body"]["person"]["commitment"]

        answer = inspector.post(
            "/api/v1/audit/erase", json={"subject": subject, "reason": "asked by the person"}
        ).json()
        assert (answer["gone_from_file"], answer["left_behind"]) == (True, [])
        assert answer["entries"] >= 2
        answer = inspector.get("/api/v1/audit", params=asked)
        assert answer.status_code == 200, answer.text
        assert [(item["person"], item["erased"]) for item in answer.json()["items"]] == [
            (None, True)
        ] * 2  # the still too
        assert export["body"]["person"]["subject"] != subject
        # the others' traces hold the same words: once those are gone too, no file of the folder holds them
        other = {"subject": export["body"]["person"]["subject"], "reason": "test"}
        assert inspector.post("/api/v1/audit/erase", json=other).status_code == 200
        own = next(row for row in ask(post.data, "accounts")["items"] if row["name"].startswith("of-inspector"))[
            "subject"
        ]
    subprocess.run(
        ["longwatch", "erase", "--config", post.config, "--subject", str(own), "--reason", "test"], check=True, capture_output=True,
        env={**os.environ, "PATH": f"{Path(os.sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    holders = [str(file) for file in post.data.rglob("*") if file.is_file() and b"CANARY-AGENT" in file.read_bytes()]
    assert holders == []
    log = PublishedLog([post.data])
    head = log.head()
    assert head is not None
    assert open_note(head.text, head.key).size >= 1
    with httpx.Client(base_url=post.base, headers={"Authorization": f"Bearer {post.token}"}) as admin:
        assert admin.get("/api/v1/ledger/checkpoint").text.startswith("longwatch/ridge/")
        assert "PUBLIC KEY" in admin.get("/api/v1/ledger/key").text
        assert admin.get("/api/v1/ledger/tile/entries/000.p/1").status_code == 200
