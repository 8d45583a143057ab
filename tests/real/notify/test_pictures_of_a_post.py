"""A whole post that tells: what moves before its camera is a mail with the picture and a webhook with the film, and each is entered before it leaves."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from pathlib import Path

import av
import pytest
from aiosmtpd.controller import Controller
from tests.e2e.post import Cameras
from tests.support.ports import free_port
from tests.support.post import Post, rest
from tests.support.receivers import HttpReceiver, Mailbox, signed
from tests.support.wait import until_now

from longwatch.accounts.who import BY_MESSAGE
from longwatch.node.server.commands import ask
from longwatch.simulate.camera import LOT, SimulatedCamera

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("pictures-of-a-post")]
SECRET = "a-secret-of-a-receiver"
SOONER = {"longwatch.accounts.viewings": "EVERY_US = 2_000_000"}
"""What was looked at is entered every two seconds instead of every minute."""
ALWAYS = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z"}


def settings(mail_port: int, hook: str) -> str:
    url = f"mailto://127.0.0.1:{mail_port}?mode=insecure&from=post@example.org&to=ada@example.org"
    channels = {
        "mail": {"kind": "apprise", "url": url, "attach": "picture"},
        "hook": {"kind": "webhook", "url": hook, "secret": SECRET, "attach": "clip"},
    }
    rules = {"moves": {"kinds": ["motion"], "to": ["mail", "hook"], "group": "5s"}}
    return f"notify: {json.dumps({'address': 'https://ridge.lan', 'channels': channels, 'rules': rules})}\n"


def test_what_moves_is_a_mail_with_its_picture_and_a_webhook_with_its_film(tmp_path: Path) -> None:
    mailbox, mail_port = Mailbox(), free_port()
    sink = Controller(mailbox, hostname="127.0.0.1", port=mail_port)
    cameras = Cameras()
    sink.start()
    with contextlib.closing(cameras), HttpReceiver() as receiver:
        url = cameras.add("gate", lambda: SimulatedCamera(LOT)).url
        post = Post(tmp_path, {"gate": url}, settings(mail_port, f"{receiver.address}/hook"), SOONER)
        # A clip in a loop is a replayed picture, and rightly said to be.
        post.config.write_text(post.config.read_text().replace("detect: false", "detect: {tamper: false}"))
        try:
            post.start()
            until_now(lambda: mailbox.mails and receiver.taken, "both are told that something moves", 600)
            headers, body = receiver.taken[0]
            told = json.loads(body)["data"]
            event = told["about"][0].removeprefix("event/")
            carried = {one["kind"]: one for one in told["enclosed"]}
            mail = {part.get_content_type(): part.get_payload(decode=True) for part in mailbox.mails[0].walk()}
            picture = post.get(f"/api/v1/events/{event}/picture.jpg")
            post.token = ask(post.data, "token_add", name="who-audits", role="inspector")["token"]

            def entered() -> set[str]:
                """What left by messages, as the audit says."""
                rest(0.5)
                answer = post.get("/api/v1/audit", **ALWAYS, kind="viewing")
                assert answer.status_code in {200, 503}, answer.text
                items = [] if answer.status_code == 503 else answer.json()["items"]
                ours = [item["body"] for item in items if item["subject"] == BY_MESSAGE]
                return {look["what"] for one in ours for look in [one, *one.get("also", [])]}

            until_now(lambda: entered() == {"still", "recorded"}, "the ledger has that they left", 120)
        finally:
            post.stop()
            sink.stop()
    assert signed(SECRET, headers, body)
    assert told["link"].startswith("https://ridge.lan/#/review/")
    assert f"event={event}" in told["link"]
    assert told["events"][0]["clip"] == f"https://ridge.lan/api/v1/events/{event}/clip.mp4"
    assert mail["image/jpeg"][:3] == base64.b64decode(carried["picture"]["data"])[:3] == b"\xff\xd8\xff"
    assert picture.status_code == 200
    with av.open(io.BytesIO(base64.b64decode(carried["clip"]["data"])), "r") as film:
        assert sum(1 for _ in film.decode(video=0)) > 20
