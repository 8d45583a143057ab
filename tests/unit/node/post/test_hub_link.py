"""What a post says of itself to its hub, and how the link stands on the page."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.uplink_memory import MemoryLog, MemoryObjects
from tests.support.uplink_pair import HubEndpoint, hub_keys, joined
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.base.tasks import Tasks
from longwatch.config import compose
from longwatch.health import Snapshot
from longwatch.health.uplink import link_gauges
from longwatch.model.alarms import Alarm, AlarmKind
from longwatch.model.uplink import Class
from longwatch.node.post.hub_link import PostLink, policy_of
from longwatch.replication import Window
from longwatch.server_db import ServerDb
from longwatch.web.models_link import OwnLink

WALL_US = 1_767_225_600_000_000
TEXT = """
post: {id: north, name: North ridge, timezone: Europe/Oslo, place: {lat: 60.5, lon: 8.25}}
data: DATA
cameras:
  gate: {streams: {main: 'rtsp://user:${PASSWORD}@10.0.0.5/1', sub: 'rtsp://user:${PASSWORD}@10.0.0.5/2'}}
  attic: {streams: {main: 'rtsp://10.0.0.6/1'}, retention: {max_age: 2d}}
uplink: {rate: 64kbit, budget: {day: 50MB}, windows: [{from: '23:00', to: '05:00'}], withhold: [attic]}
"""


def settings_of(folder: Path):
    return compose(Path("x.yml"), TEXT.replace("DATA", str(folder)), {"PASSWORD": "canary-7391"}, folder)


@pytest.fixture
async def hub(tmp_path):
    endpoint = HubEndpoint(hub_keys(tmp_path / "hq"))
    await endpoint.start()
    yield endpoint
    await endpoint.aclose()


@pytest.fixture
async def post(tmp_path, hub):
    """A post that joined, with a recorder that says one alarm stands."""
    data = tmp_path / "north"
    joined(data, hub.authority, "north", f"127.0.0.1:{hub.port}")
    settings = settings_of(data)
    log = MemoryLog()
    log.write("log_begun", WALL_US)
    log.publish()
    db = ServerDb(data / "server.db")
    alarms = [
        Alarm(
            4, AlarmKind.CAMERA_SILENT, "gate", WALL_US, None, 0, {"cause": "camera_unreachable", "since_us": WALL_US}
        )
    ]

    async def snapshot():
        tracks = [
            {"codec": "avc1.64001f", "kind": "video", "width": 1280, "height": 720, "fps": 15.0, "bitrate": 1_234_567}
        ]
        streams = [{"camera": "gate", "stream": "main", "recording": True, "tracks": tracks}]
        return Snapshot.read(WALL_US, {"accounted_until_us": WALL_US, "provenance": "ntp", "streams": streams})

    async def standing():
        return alarms

    link = PostLink(lambda: settings, log, db, SystemClock(), snapshot, standing, version="0.1")
    tasks = Tasks("test")
    link.start(tasks)
    yield link
    await tasks.aclose()
    db.close()


def test_the_settings_make_the_policy(tmp_path):
    policy = policy_of(settings_of(tmp_path))
    assert policy.rate_bytes_s == 8000
    assert policy.budget == {"day": 50_000_000}
    assert policy.windows == (Window(frozenset(range(7)), 23 * 60, 5 * 60),)
    assert policy.timezone == "Europe/Oslo"


async def test_the_hub_is_told_what_the_post_is_and_how_it_is_and_no_secret(hub, post):
    await until(lambda: "north" in hub.store.status)
    site, status = hub.store.sites["north"], hub.store.status["north"]
    assert site["name"] == "North ridge"
    assert site["place"] == {"lat": 60.5, "lon": 8.25}
    assert [(c["id"], c["streams"], c["withheld"], c["max_age_s"]) for c in site["cameras"]] == [
        ("gate", ["main", "sub"], False, 30 * 86_400), ("attic", ["main"], True, 2 * 86_400),
    ]  # fmt: skip
    looks = {"codec": "avc1.64001f", "width": 1280, "height": 720, "fps": 15.0, "bitrate": 1_200_000}
    assert [camera["formats"] for camera in site["cameras"]] == [{"main": looks}, {}]
    assert "10.0.0.5" not in str(site)
    assert "canary" not in str(site)
    assert (status["cameras"], status["recording"], status["provenance"]) == (1, 1, "ntp")
    assert status["alarms"][0] == {
        "alarm": 4,
        "camera": "gate",
        "cause": "camera_unreachable",
        "kind": "camera_silent",
        "since_us": WALL_US,
    }
    assert status["budget"][0]["span"] == "day"
    assert status["link"]["rate"] == 64_000


async def test_what_was_being_told_when_the_post_said_farewell_does_not_take_it_back(hub, post, monkeypatch):
    await until(lambda: "north" in hub.store.status)
    asked, answer = asyncio.Event(), asyncio.Event()

    async def none_stands() -> list[Alarm]:
        asked.set()
        await answer.wait()
        return []

    async def signal() -> str:
        return "signal"

    monkeypatch.setattr(post, "_alarms", none_stands)
    post._connected({})  # tells anew
    await until(asked.is_set)
    await post.farewell(signal)
    await until(lambda: "stopping" in hub.store.status["north"])
    answer.set()
    await until(lambda: not post._fresh.is_set() and asked.is_set())
    await post._tell()
    await post.uplink.arrived()
    assert hub.store.status["north"]["stopping"]["why"] == "signal"


async def test_the_page_is_told_how_the_link_stands(hub, post):
    assert OwnLink.model_validate(post.describe())
    await until(lambda: post.describe()["countersigned"] == 1)
    said = post.describe()
    assert OwnLink.model_validate(said)
    assert (said["joined"], said["state"], said["hub"]["id"], said["post"]) == (True, "connected", "hq", "north")
    assert said["windows"] == [{"days": "mon, tue, wed, thu, fri, sat, sun", "from": "23:00", "to": "05:00"}]
    gauges = {metric.name: metric for metric in link_gauges(said)}
    assert gauges["longwatch_uplink_connected"].samples[0].value == 1
    assert link_gauges(None) == []


async def test_what_waits_says_why_and_until_when(hub, post):
    media = MemoryObjects()
    post.uplink.sources["piece"] = media
    await until(lambda: post.uplink.connected)
    assert post.uplink.queue_add(media.put(b"x" * 400_000, "piece"), Class.CLIP, 1)
    waits = await until(lambda: post.describe()["waits"], "the rate cap of 64 kbit/s makes it wait")
    assert (waits["class"], waits["why"]) == ("clip", "rate")
    assert waits["until"].endswith("Z")
    assert OwnLink.model_validate(post.describe())
