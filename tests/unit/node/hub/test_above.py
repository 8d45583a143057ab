"""What a hub says of its posts to the hub above it: each change once, the rest seldom; and what is made of it there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.fleet_case import Hub, Ledger

from longwatch.base.clock import ManualClock
from longwatch.fleet import PostRow
from longwatch.node.hub.above import Below, TellingAbove, told_of
from longwatch.node.hub.silence import HubSilence
from longwatch.node.hub.view import HubView
from longwatch.web import Site

SECOND = 1_000_000
ROW = PostRow(1, "ridge", "Ridge", "", "o", b"k" * 32, (), 1, 0, None, "", {"name": "Ridge"}, {"recording": 2}, 1, 0)


class Above:
    """The link to the hub above, in memory. room: messages that it takes."""

    def __init__(self) -> None:
        self.connected = True
        self.room = 1_000
        self.said: list[tuple[str, dict[str, Any]]] = []

    def say(self, message: Any, cls: Any = None) -> bool:
        self.room -= 1
        if self.room >= 0:
            self.said.append((message.kind, dict(message.body)))
        return self.room >= 0

    async def arrived(self) -> bool:
        return True

    def kinds(self) -> list[str]:
        """Since the last time."""
        kinds, self.said = [kind for kind, _ in self.said], []
        return kinds


async def test_each_change_is_told_once_and_the_rest_once_a_minute() -> None:
    clock, above = ManualClock(), Above()
    post = Below(ROW, True, clock.wall_us(), clock.wall_us() - 5 * SECOND)
    posts = [post]
    telling = TellingAbove(above, lambda: posts, clock)
    await telling.look()
    assert above.said[1][1] == {
        "post": "ridge", "recording": 2, "told": {"connected": True, "heard_ago_us": 0, "since_ago_us": 5 * SECOND},
    }  # fmt: skip
    assert above.kinds() == ["site", "status"]
    await telling.look()
    assert above.kinds() == []
    posts[0] = replace(post, connected=False)
    await telling.look()
    assert above.kinds() == ["status"]
    posts[0] = replace(post, connected=False, row=replace(ROW, site={"name": "Top"}))
    await telling.look()
    assert above.kinds() == ["site"]
    clock.tick(60 * SECOND)
    await telling.look()
    assert above.kinds() == ["status"]


async def test_what_found_no_room_is_told_at_the_next_look() -> None:
    clock, above = ManualClock(), Above()
    posts = [Below(replace(ROW, id=name), True, None, None) for name in ("a", "b", "c")]
    telling = TellingAbove(above, lambda: posts, clock)
    above.room = 3
    await telling.look()
    assert above.kinds() == ["site", "status", "site"]
    above.room = 100
    await telling.look()
    assert above.kinds() == ["status", "site", "status"]


@pytest.mark.parametrize(
    "told",
    [None, 5, [], {}, {"connected": "yes", "heard_ago_us": True}, {"heard_ago_us": -1}, {"heard_ago_us": 1 << 60}],
)
def test_nothing_of_what_is_told_is_believed_to_have_its_form(told: object) -> None:
    found = told_of(replace(ROW, via=("valley",), status={"told": told}, status_us=1_000))
    assert found is None or (found.connected, found.heard_us) == (False, None)
    assert (
        told_of(replace(ROW, status={"told": {"connected": True}}, status_us=1_000)) is None
    )  # a post speaks of itself so in vain


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[tuple[Hub, ManualClock]]:
    clock = ManualClock()
    made = Hub(tmp_path / "fleet.db", tmp_path, clock.wall_us)
    yield made, clock
    made.close()


async def test_a_post_behind_a_station_stands_as_the_station_says(hub: tuple[Hub, ManualClock]) -> None:
    made, clock = hub
    fleet, station = made.fleet, {"ridge", "valley"}
    ledger = Ledger()
    ledger.enrol(fleet)
    fleet.add_post("ridge", "Ridge", "", ledger.origin, ledger.public, ("valley",))
    silence = HubSilence(fleet, clock, lambda _: 3600)
    view = HubView(fleet, clock, lambda: Site("hq", "HQ", "UTC"), station.__contains__, silence)

    async def stands(told: dict[str, Any] | None) -> dict[str, Any]:
        if told is not None:
            fleet.take_status("ridge", {"told": told}, clock.wall_us())
        await view.refresh()
        found = view.item("ridge")
        assert found is not None
        return found

    began_us = clock.wall_us()
    await clock.advance(100)
    found = await stands({"connected": True, "heard_ago_us": 0, "since_ago_us": 100 * SECOND})
    assert (found["state"], found["via"], found["silence"]) == ("connected", ["valley"], None)
    assert [below.since_us for below in view.below()] == [began_us]
    await clock.advance(100)
    found = await stands({"connected": False, "heard_ago_us": 30 * SECOND, "since_ago_us": 30 * SECOND})
    assert (found["state"], found["silence"]["state"]) == ("silent", "unknown")
    assert found["last_contact"] == found["since"] == "2026-01-01T00:02:50Z"
    await stands({"connected": True, "heard_ago_us": 0, "since_ago_us": 0})
    station.clear()  # the link to the station is cut: what it said last is old
    found = await stands(None)
    assert (found["state"], found["last_contact"]) == ("silent", "2026-01-01T00:03:20Z")
