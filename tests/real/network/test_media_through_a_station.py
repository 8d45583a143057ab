"""Headquarters above a station above a post: what is asked for at the top comes from the bottom, proven on the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from typing import Any

import httpx
import pytest
from tests.support.network import Hub, Post, Site, network
from tests.support.wait import until_now
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from longwatch.base.rfc3339 import format_us, parse_us

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("station")]
CAMERA = "ridge.gate"


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory):
    with network(tmp_path_factory.mktemp("station")) as net:
        hq, valley = net.hub("hq"), net.hub("valley")
        net.join(hq, valley)
        ridge = net.post("ridge", ["gate"])
        net.join(valley, ridge)
        until_now(lambda: recorded_s(ridge) > 4, "the post has recorded for four seconds", 180)
        os.kill(
            until_now(lambda: ridge.recorder_pid, "a recorder runs"), signal.SIGTERM
        )  # what was open is sealed by that
        yield hq, valley, ridge


def spans(site: Site, camera: str) -> list[dict[str, Any]]:
    now_us = time.time_ns() // 1000
    answer = site.request(
        "GET", f"/api/v1/cameras/{camera}/timeline", params={"from": format_us(now_us - 900_000_000), "to": format_us(now_us)}
    )  # fmt: skip
    items = answer.json().get("items", [])
    return [item for item in items if item["state"] == "recorded"]


def recorded_s(post: Post) -> float:
    return sum((parse_us(item["to"]) - parse_us(item["from"])) / 1e6 for item in spans(post, "gate"))


def test_a_stretch_comes_through_the_station_and_is_held_at_both(sites: tuple[Hub, Hub, Post]):
    hq, valley, _ = sites
    known = until_now(lambda: spans(hq, CAMERA), "headquarters is told of the first sealed minute", 240)
    assert {item["held"] for item in known} == {"post"}
    body = {"camera": CAMERA, "from": known[0]["from"], "to": known[-1]["to"], "reason": "smoke"}
    answer = hq.request("POST", "/api/v1/requests", json=body)
    assert answer.status_code == 201, answer.text
    number = answer.json()["id"]

    def state(site: Site) -> str:
        return next((one["state"] for one in site.get("/api/v1/requests")["items"]), "")

    until_now(lambda: state(hq) == "done", f"request {number} is done at headquarters; {state(hq)}", 180)
    until_now(lambda: state(valley) == "done", "and at the station", 180)
    for hub in (hq, valley):
        played = hub.request(
            "GET", f"/api/v1/cameras/{CAMERA}/video.mp4", params={"from": body["from"], "to": body["to"]}
        )
        assert played.status_code == 200
        assert len(played.content) > 10_000


def test_live_and_a_picture_of_now_pass_through(sites: tuple[Hub, Hub, Post]):
    hq, _, _ = sites

    def picture() -> httpx.Response:
        return hq.request("GET", f"/api/v1/cameras/{CAMERA}/still.jpg", params={"fresh": "1", "width": "320"})

    still = until_now(lambda: got if (got := picture()).status_code == 200 else None, "a picture of now", 180)
    assert still is not None
    assert still.content.startswith(b"\xff\xd8")

    async def watch() -> tuple[dict[str, Any], int, int | None]:
        url = f"ws://127.0.0.1:{hq.port}/api/v1/cameras/{CAMERA}/live?limit_s=5"
        async with connect(url, additional_headers={"Authorization": f"Bearer {hq.token}"}, max_size=None) as socket:
            first, count = json.loads(await socket.recv()), 0
            with contextlib.suppress(ConnectionClosedError):
                async for _ in socket:
                    count += 1
            return first, count, socket.close_code

    def seen_live() -> bool:
        """For the whole of the five seconds; a machine that is slow may need them to begin."""
        first, count, code = asyncio.run(watch())
        assert first["via"]["quality"] == "main"
        assert code == 4408
        return count > 10

    until_now(seen_live, "chunks come through the station", 180)
