"""A post from afar: its settings changed at its hub, its silence told apart and an alarm after its time, and what is left of it stated."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.network import Hub, Network, Post, network
from tests.support.wait import until_now

from longwatch.base.rfc3339 import parse_us

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("far")]

OPEN = {"waiting", "sent", "trial"}


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with network(tmp_path_factory.mktemp("far")) as made:
        yield made


@pytest.fixture(scope="module")
def hub(net: Network) -> Hub:
    made = net.hub("hq", start=False)
    made.settings["hub"]["silence"] = {"after": "1h", "posts": {"ridge": "30s"}}
    made.write()
    made.sooner |= {
        "longwatch.config.hub": "_of = AllowedSilence.of\nAllowedSilence.of = lambda silence, post: _of(silence, post) / 5"
    }
    made.start()
    return made


@pytest.fixture(scope="module")
def ridge(net: Network, hub: Hub) -> Post:
    post = net.post("ridge", ["gate"], start=False)
    net.join(hub, post)
    post.start()
    hub.until_post("ridge", 120, state="connected", cameras=1)
    return post


def over(hub: Hub, number: int) -> dict[str, Any]:
    """A command, once the post said what became of it."""

    def found() -> dict[str, Any]:
        items = hub.get("/api/v1/posts/ridge/commands")["items"]
        return next((item for item in items if item["id"] == number and item["state"] not in OPEN), {})

    return until_now(found, f"command {number} is over", 180)


def give(hub: Hub, **body: Any) -> int:
    answer = hub.request("POST", "/api/v1/posts/ridge/commands", json={"reason": "a better name", **body})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def test_settings_are_read_and_changed_at_the_hub(hub: Hub, ridge: Post) -> None:
    told = over(hub, give(hub, kind="settings_read"))
    assert told["state"] == "done", told
    text = told["answer"]["text"]
    changed = text.replace('"timezone": "Europe/Oslo"', '"timezone": "Europe/Oslo", "name": "Ridge of the north"')
    assert changed != text
    saved = over(hub, give(hub, kind="settings_save", text=changed, revision=told["answer"]["revision"]))
    assert saved["state"] == "done", saved
    assert "+" in saved["difference"]
    assert "Ridge of the north" in ridge.config.read_text()
    hub.until_post("ridge", name="Ridge of the north", state="connected")
    assert len(hub.entries("command_given")) == 2
    assert len(ridge.entries("command_taken")) == 2
    again = hub.request(
        "POST", "/api/v1/posts/ridge/commands",
        json={"kind": "settings_save", "text": text, "revision": "of nobody", "reason": "x"},
    )  # fmt: skip
    assert again.status_code == 422


def test_an_alarm_of_a_post_is_acknowledged_at_the_hub_and_stands_in_the_ledger_of_the_post(
    hub: Hub, ridge: Post
) -> None:
    settings = json.loads(ridge.config.read_text())
    settings["cameras"]["gate"]["audio"] = False  # by hand, and nobody says why
    ridge.config.write_text(json.dumps(settings, indent=1))
    assert ridge.recorder_pid is not None
    os.kill(ridge.recorder_pid, signal.SIGHUP)

    def raised(everything: str) -> list[dict[str, Any]]:
        return [
            one for one in hub.get("/api/v1/alarms", all=everything)["items"] if one["kind"] == "accounting_reduced"
        ]

    (alarm,) = until_now(lambda: raised("false"), "the hub hears of the alarm", 180)
    answer = hub.request("POST", f"/api/v1/alarms/{alarm['id']}/acknowledge", json={"reason": "agreed with the owner"})
    assert answer.status_code == 200, answer.text
    until_now(
        lambda: (now := raised("true")[0])["acknowledged"] and now["acknowledging"] is None,
        "the post entered it, and said so", 180,
    )  # fmt: skip
    [given] = [one for one in hub.entries("command_given") if one["body"]["kind"] == "alarm_acknowledge"]
    assert given["seq"] == answer.json()["entry"]
    assert [one["body"]["kind"] for one in ridge.entries("command_taken")][-1] == "alarm_acknowledge"
    assert len(ridge.entries("alarm_acknowledged")) == 1


def test_silence_by_hand_is_told_and_is_an_alarm_until_it_is_back(hub: Hub, ridge: Post) -> None:
    def alarms() -> dict[int, dict[str, Any]]:
        return {one["id"]: one for one in hub.get("/api/v1/alarms")["items"] if one["kind"] == "post_silent"}

    def standing() -> list[dict[str, Any]]:
        return [one for one in alarms().values() if one["ended"] is None]

    until_now(lambda: not standing(), "an alarm about how long its first start took is over", 180)
    ridge.stop()
    found = until_now(lambda: post if (post := hub.post("ridge"))["silence"] else {}, "the hub sees it is silent", 180)
    assert found["silence"]["state"] == "hand", found["silence"]  # it said so before it went
    alarm_us = parse_us(found["silence"]["alarm_at"])
    assert alarm_us - parse_us(found["silence"]["expected_at"]) == 6_000_000, "a fifth of what is set for this one post"
    (raised,) = until_now(standing, "the hub raises it", 180)
    assert time.time_ns() // 1000 >= alarm_us
    assert raised["evidence"]["post"] == "ridge"
    ridge.start()
    until_now(lambda: alarms()[raised["id"]]["ended"], "it is over when the post is back", 180)


def test_what_is_left_of_it_is_stated_and_proven(hub: Hub, ridge: Post) -> None:
    out = hub.folder / "ridge.zip"
    assert "what is left of ridge" in hub.verb(
        "hub", "statement", "ridge", "--out", str(out), "--reason", "a rehearsal"
    )
    assert "as it was made" in hub.verb("report", "--check", str(out))
    answer = hub.request("POST", "/api/v1/posts/ridge/statement", json={"reason": "a rehearsal"})
    assert (answer.status_code, answer.content[:2]) == (200, b"PK")
