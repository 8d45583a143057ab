"""Post, hub, database, broker and a device of the store, killed in mid-flow and in each other's way: in the end the hub has what the post has, by hash.

The very same over one process with SQLite and a folder, and over several with PostgreSQL, Swift's S3 and three nodes of NATS.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.arrangement import Arrangement, arrangement
from tests.support.network import Door, Post, rest
from tests.support.postgres import absent
from tests.support.wait import until_now
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from longwatch.base.rfc3339 import format_us
from longwatch.fleet import Processes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("arrangements")]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arrangement]:
    """Of several processes."""
    if absent():
        pytest.skip(absent())  # without PostgreSQL there is no database that several processes could share
    with arrangement("shared", Path(tmp_path_factory.mktemp("shared"))) as made:
        yield made


@pytest.fixture(scope="module")
def ridge(hub: Arrangement) -> Post:
    return joined(hub)


def joined(hub: Arrangement) -> Post:
    """A post that sends all its footage."""
    post = hub.net.post("ridge", ["gate"], uplink={"bulk": True, "rate": "8Mbit", "strips": "off", "clips": "off"})
    hub.net.join(hub.hub, post)
    hub.hub.until_post("ridge", state="connected")
    return post


def rows(post: Post, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{post.data}/index.db?mode=ro", uri=True)) as db:
        return list(db.execute(query))


def ledger(post: Post) -> list[bytes]:
    return [bytes(entry) for (entry,) in rows(post, "SELECT entry FROM ledger ORDER BY seq")]  # type: ignore[arg-type]  # a BLOB


def sealed(post: Post, confirmed: int = 0) -> int:
    [(count,)] = rows(post, f"SELECT count(*) FROM segment WHERE flags & 1 AND confirmed >= {confirmed}")
    rest(0.2)  # asked again and again, beside all that is to work
    return int(str(count))


def recording(post: Post) -> bool:
    rest(0.2)
    return [camera["state"] for camera in post.get("/api/v1/cameras")["items"]] == ["recording"]


@pytest.mark.long  # `make test` holds it in test_uplink_killed (one process), and with more to be killed in the next one
def test_one_process_over_a_file_and_a_folder(tmp_path: Path) -> None:
    with arrangement("embedded", tmp_path) as hub:
        equals_the_post(hub, joined(hub))


def test_several_over_a_database_a_store_and_a_broker(hub: Arrangement, ridge: Post) -> None:
    equals_the_post(hub, ridge)


def equals_the_post(hub: Arrangement, ridge: Post) -> None:
    """Everything that can be is killed while footage flows; in the end the hub has what the post has."""
    before = sealed(ridge)
    until_now(lambda: recording(ridge), "the camera is recorded", 180)
    rest(2)  # so much footage is to be on its way when it is cut
    recorder = until_now(lambda: ridge.recorder_pid, "a recorder runs")
    os.kill(recorder, signal.SIGTERM)  # what is open is sealed by that, and begins to flow
    until_now(lambda: sealed(ridge) > before, "one more segment is sealed", 180)
    order = [*hub.faults(), ("post", ridge.kill_server, lambda: None)]
    random.Random(hub.name).shuffle(order)
    mends = []
    for _, kill, mend in order:
        kill()
        mends.append(mend)
        rest(0.4)
        if len(mends) > 2:  # at most three things are away at one time
            mends.pop(0)()
    for mend in mends:
        mend()
    wanted = sealed(ridge)
    until_now(
        lambda: sealed(ridge, 1) >= wanted, f"{[name for name, *_ in order]}: the post knows that all is there", 240
    )
    size = len(ledger(ridge))

    def held() -> int:
        rest(0.2)
        return int((hub.hub.post("ridge").get("checkpoint") or {}).get("size") or 0)

    until_now(lambda: held() >= size, f"the hub has verified {size} entries", 180)
    theirs, ours = hub.entries("ridge"), ledger(ridge)
    assert sorted(theirs) == list(range(len(theirs)))
    assert [theirs[number] for number in sorted(theirs)] == ours[: len(theirs)]
    assert len(hub.whole_segments("ridge")) >= wanted
    assert hub.doubted() == [], "a cut is no fork"


# -- several processes


def at_the_door(hub: Arrangement, post: str = "ridge") -> bool:
    """Whether its connection is the door's."""
    rest(0.5)
    with hub.held() as (db, _):
        reached = Processes(db, lambda: time.time_ns() // 1000).reached()
    return post in reached and reached[post].process == "east"


@pytest.fixture
def door(hub: Arrangement, ridge: Post) -> Door:
    """Ridge has dialled in there. Where it has before, its connection stays: each that is cut young is dialled anew after a longer wait."""
    hub.wire.to = [hub.doors[0].address, hub.hub.address]
    if not at_the_door(hub):
        hub.wire.cut()
        hub.wire.mend()
    until_now(lambda: at_the_door(hub), "the post has dialled in at the door", 180)
    return hub.doors[0]


async def watched(hub: Arrangement) -> tuple[str, int]:
    """What the live view says first, and how many chunks came until its end."""
    url = f"ws://127.0.0.1:{hub.hub.port}/api/v1/cameras/ridge.gate/live?limit_s=5"
    mime, count = "", 0
    async with connect(url, additional_headers={"Authorization": f"Bearer {hub.hub.token}"}, max_size=None) as socket:
        with suppress(ConnectionClosedError):
            mime = str(json.loads(await socket.recv()).get("mime"))
            async for _ in socket:
                count += 1
    return mime, count


def test_a_post_at_a_door_is_seen_watched_and_asked_from_the_console(hub: Arrangement, ridge: Post, door: Door) -> None:
    hub.hub.until_post("ridge", state="connected")

    def listed() -> dict[str, tuple[str, int]]:
        found = json.loads(hub.hub.verb("hub", "doors", "--json"))["items"]
        return {item["name"]: (item["state"], item["connections"]) for item in found}

    until_now(lambda: listed() == {"console": ("here", 0), "east": ("here", 1)}, "each says what it has", 180)
    metric = 'longwatch_hub_process_up{process="east"} 1.0'
    until_now(lambda: metric in hub.hub.request("GET", "/metrics").text, "the door is in the metrics", 180)
    until_now(lambda: recording(ridge), "the camera is recorded", 180)

    def live() -> bool:
        mime, count = asyncio.run(watched(hub))
        return mime.startswith("video/mp4") and count > 10

    until_now(live, "live chunks come through the door", 180)
    fresh = hub.hub.request("GET", "/api/v1/cameras/ridge.gate/still.jpg", params={"fresh": "1"})
    assert (fresh.status_code, fresh.content[:3]) == (200, b"\xff\xd8\xff")
    now_us = time.time_ns() // 1000
    body = {
        "camera": "ridge.gate",
        "from": format_us(now_us - 4_000_000),
        "to": format_us(now_us),
        "reason": "what was that",
    }
    number = hub.hub.request("POST", "/api/v1/requests", json=body).json()["id"]

    def heard() -> bool:
        items = hub.hub.get("/api/v1/requests")["items"]
        return next(item["state"] for item in items if item["id"] == number) in {"queued", "coming", "done"}

    until_now(heard, "the post has heard of it and its answer came to the console", 180)


def test_who_joins_at_a_door_stands_in_the_ledger_of_the_console(hub: Arrangement, door: Door) -> None:
    lake = hub.net.post("lake", start=False)
    code = hub.hub.request("POST", "/api/v1/posts/lake/invite", json={"reason": "a new tower"}).json()["code"]
    lake.verb("join", code)

    def told() -> list[dict[str, Any]]:
        return [entry for entry in hub.hub.entries("post_joined") if entry["body"]["post"] == "lake"]

    [joined] = until_now(told, "it is entered", 180)
    assert joined["body"]["again"] is False


def test_what_is_revoked_at_the_console_is_cut_at_the_door(hub: Arrangement, ridge: Post, door: Door) -> None:
    hub.hub.request("DELETE", "/api/v1/posts/ridge", json={"reason": "stolen"})
    until_now(lambda: not at_the_door(hub), "its connection has ended", 180)
    until_now(lambda: ridge.get("/api/v1/link")["state"] == "revoked", "it is not let in again", 240)
