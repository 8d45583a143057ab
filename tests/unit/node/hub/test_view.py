"""What a hub shows of its posts, made of what posts told: their words are read, and never believed to have a form."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.fleet_case import Hub, Ledger

import longwatch.node.hub.view
from longwatch.base.clock import ManualClock
from longwatch.fleet.standing import PostNow, standing
from longwatch.health import Snapshot
from longwatch.model.sessions import StreamKey
from longwatch.node.hub.silence import HubSilence
from longwatch.node.hub.view import HubView
from longwatch.web import Site
from longwatch.web.models_posts import Post

SITE: dict[str, Any] = {
    "id": "ridge", "name": "North ridge", "timezone": "Europe/Oslo", "place": {"lat": 60.5, "lon": 8},
    "cameras": [
        {"id": "gate", "name": "Gate", "kind": "thermal", "record": "continuous", "streams": ["main", "sub"], "audio": False, "max_age_s": 86400},
        {"id": "yard", "name": "Yard", "record": "never", "streams": {"main": 1}},
        {"id": "../x"}, 7,
    ],
}  # fmt: skip
STATUS: dict[str, Any] = {
    "accounted_until_us": 1_767_225_600_000_000, "recording": 1, "backlog": {"ledger": 10, "clip": 5}, "power": {"mains": "on", "battery_percent": 80},
    "link": {"bits_per_s": 1000, "rate": 64000}, "budget": [{"span": "day", "used": 1, "limit": 2}],
    "waits": {"class": "clip", "bytes": 5, "why": "window", "until_us": 1_767_225_600_000_000}, "problems": [{"what": "w", "why": "y", "remedy": "r"}],
    "alarms": [{"alarm": 1}], "version": "1",
}  # fmt: skip


class Case:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.hub = Hub(folder / "fleet.db", folder, self.clock.wall_us)
        self.connected: set[str] = set()
        silence = HubSilence(self.hub.fleet, self.clock, lambda _: 3600)
        self.view = HubView(
            self.hub.fleet, self.clock, lambda: Site("hq", "Headquarters", "UTC"), self.connected.__contains__, silence
        )
        self.ledger = Ledger()
        self.ledger.enrol(self.hub.fleet)

    async def told(self, site: dict[str, Any] | None = None, status: dict[str, Any] | None = None) -> dict[str, Any]:
        if site is not None:
            self.hub.fleet.take_site("ridge", site)
        if status is not None:
            self.hub.fleet.take_status("ridge", status, self.clock.wall_us())
        await self.view.refresh()
        found = self.view.item("ridge")
        assert found is not None
        Post.model_validate(found)
        return found


@pytest.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    made = Case(tmp_path)
    yield made
    made.hub.close()


async def test_what_a_post_told_is_shown(case: Case) -> None:
    found = await case.told(SITE, STATUS)
    assert (found["name"], found["timezone"], found["place"]) == (
        "North ridge",
        "Europe/Oslo",
        {"lat": 60.5, "lon": 8.0},
    )
    assert (found["cameras"], found["recording"], found["alarms"]) == (2, 1, 1)
    assert found["backlog"] == {"ledger": 10, "picture": 0, "strip": 0, "clip": 5, "asked": 0, "bulk": 0}
    assert found["waits"]["until"] == "2026-01-01T00:00:00Z"
    assert found["accounted_until"] == "2026-01-01T00:00:00Z"
    cameras = case.view.site().cameras
    assert [(c.id, c.kind, c.record, c.streams, c.audio) for c in cameras] == [
        ("ridge.gate", "thermal", "continuous", ("main", "sub"), False), ("ridge.yard", "visible", "never", ("main",), True),
    ]  # fmt: skip


async def test_how_a_posts_streams_look_is_shown_as_it_told_it(case: Case) -> None:
    looks = {"codec": "avc1.64001f", "width": 1280, "height": 720, "fps": 15.0, "bitrate": 1_200_000}
    camera = {"id": "gate", "streams": ["main", "sub"], "formats": {"main": looks, "sub": "untrue", "other": looks}}
    await case.told({"cameras": [camera, {"id": "yard", "formats": [looks]}]})
    by_key = case.view.snapshot(Snapshot(case.clock.wall_us(), running=True)).by_key
    [track] = by_key[StreamKey("ridge.gate", "main")].tracks
    assert (track.codec, track.width, track.height, track.fps) == ("avc1.64001f", 1280, 720, 15.0)
    assert track.bitrate is None, "nobody says that it is recorded now"
    assert by_key[StreamKey("ridge.gate", "sub")].tracks == ()
    assert by_key[StreamKey("ridge.yard", "main")].tracks == ()


async def test_the_states_of_a_post(case: Case) -> None:
    assert (await case.told())["state"] == "never"
    contact = case.hub.fleet.contact_begun("ridge", "10.0.0.1")
    assert (await case.told())["state"] == "connected"
    await case.clock.advance(200)  # whoever held the connection says nothing any more
    assert (await case.told())["state"] == "silent"
    case.connected.add("ridge")
    assert (await case.told())["state"] == "connected"
    case.connected.clear()
    case.hub.fleet.contact_seen(contact, ended=True)
    silent = await case.told()
    assert (silent["state"], silent["since"]) == ("silent", silent["last_contact"])
    case.hub.fleet.revoke("ridge", "stolen")
    revoked = await case.told()
    assert (revoked["state"], revoked["revoked"]["reason"]) == ("revoked", "stolen")


async def test_a_camera_of_a_silent_post_is_said_to_record_by_nobody(case: Case) -> None:
    await case.told(SITE, STATUS)
    own = Snapshot(case.clock.wall_us(), running=False, why_not="away")
    gate = case.view.snapshot(own).by_key[StreamKey("ridge.gate", "main")]
    assert not gate.recording
    assert "last in touch" in gate.detail
    case.connected.add("ridge")
    await case.told()
    gate = case.view.snapshot(own).by_key[StreamKey("ridge.gate", "main")]
    assert not gate.recording
    assert "told nothing of it" in gate.detail


async def test_a_code_that_waits_is_listed(case: Case) -> None:
    case.hub.fleet.invite(b"s" * 32, "swamp", case.clock.wall_us() + 86_400_000_000, "ada")
    await case.view.refresh()
    found = case.view.item("swamp")
    assert found is not None
    assert (found["state"], found["invited_until"]) == ("never", "2026-01-02T00:00:00Z")
    Post.model_validate(found)


async def test_a_head_that_was_verified_is_shown(case: Case) -> None:
    assert (await case.told())["checkpoint"] is None
    assert case.view.checkpoint("ridge") is None
    case.ledger.add("log_begun", {})
    case.ledger.tell(case.hub.fleet)
    assert (await case.told())["checkpoint"]["size"] == 1
    assert case.view.checkpoint("ridge") == case.ledger.note() + "\u2014 hub 1\n"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
KEYS = st.sampled_from([*SITE, *STATUS])


@pytest.mark.slow
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(KEYS, JSON, max_size=6))
async def test_whatever_a_post_says_is_shown_without_a_fault(case: Case, said: dict[str, Any]) -> None:
    json.dumps(said)
    found = await case.told(said, said)
    json.dumps(found)
    case.view.site()


async def test_what_cannot_be_made_out_ends_nothing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await case.told(SITE, STATUS)

    def fails(*_: Any) -> Any:
        raise OverflowError("a post found a way")

    with monkeypatch.context() as patch:
        patch.setattr("longwatch.node.hub.view.standing", fails)
        await case.view.refresh()
        assert case.view.item("ridge") == before
    await case.view.refresh()


async def test_a_post_that_cannot_be_made_out_hides_no_other(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Ledger(post="valley")
    other.enrol(case.hub.fleet)
    case.hub.fleet.take_status("valley", STATUS, case.clock.wall_us())
    real = longwatch.node.hub.view.shown

    def fails(post: PostNow, **more: Any) -> Any:
        if post.row.id == "ridge" and post.row.status:
            raise OverflowError("a post found a way")
        return real(post, **more)

    monkeypatch.setattr("longwatch.node.hub.view.shown", fails)
    found = await case.told(SITE, STATUS)
    assert "cannot be made out" in found["problems"][0]["what"]
    assert found["state"] == "silent"
    valley = case.view.item("valley")
    assert valley is not None
    assert valley["recording"] == 1
    said = await case.view.seen()
    assert said is not None
    assert {*said["unclear"]} == {"ridge", "valley"}, "the silence of both is looked after"


async def test_what_changed_is_read_again_and_nothing_else(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    await case.told(SITE, STATUS)
    other = Ledger(post="valley")
    other.enrol(case.hub.fleet)
    await case.view.refresh()
    asked: list[set[str]] = []

    def seen(fleet: Any, only: Any = None) -> Any:
        asked.append(set(only))
        return standing(fleet, only)

    monkeypatch.setattr("longwatch.node.hub.view.standing", seen)
    items, cursor, whole = case.view.changes("")
    assert whole
    assert [item["id"] for item in items] == ["ridge", "valley"]
    await case.view.step()
    assert asked == [], "nothing was taken: nothing is read"
    site = case.view.site()
    case.hub.fleet.take_status("ridge", STATUS | {"recording": 2}, case.clock.wall_us())
    case.view.changed(["ridge"])
    await case.view.step()
    assert asked == [{"ridge"}]
    items, newer, whole = case.view.changes(cursor)
    assert not whole
    assert [(item["id"], item["recording"]) for item in items] == [("ridge", 2)]
    assert case.view.changes(newer)[0] == []
    assert case.view.changes("other-3")[2], "the cursor of before a restart: all of them"
    assert case.view.changes(f"{newer}x")[2]
    assert case.view.site().cameras is site.cameras, "nobody makes a thousand posts' cameras anew for a number"
    case.connected.add("valley")
    await case.clock.advance(3)
    await case.view.step()
    assert [item["state"] for item in case.view.changes(newer)[0]] == ["connected"]


async def test_what_other_processes_of_the_hub_took_is_found_in_the_database(case: Case) -> None:
    view = HubView(
        case.hub.fleet, case.clock, lambda: Site("hq", "Headquarters", "UTC"), case.connected.__contains__,
        HubSilence(case.hub.fleet, case.clock, lambda _: 3600), alone=False,
    )  # fmt: skip
    await view.refresh()
    await case.clock.advance(5)
    await view.step()
    case.hub.fleet.take_status("ridge", STATUS, case.clock.wall_us())
    await case.clock.advance(1)
    await view.step()
    found = view.item("ridge")
    assert found is not None
    assert found["recording"] == 1
    case.ledger.add("recorder_started", {})
    case.ledger.tell(case.hub.fleet)
    await case.clock.advance(1)
    await view.step()
    assert view.checkpoint("ridge") is not None
