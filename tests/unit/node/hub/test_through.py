"""Posts that come through a hub below: who may speak for whom, and what is no greeting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.fleet_case import Hub, Ledger

from longwatch.fleet import Doubt
from longwatch.node.hub.through import Speaker, Through, told_above
from longwatch.wire.uplink import LinkError


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path / "fleet.db", tmp_path)
    yield made
    made.close()


def speaker(hub: Hub, site: str = "station", added: list[int] | None = None) -> Speaker:
    return Through(hub.fleet, "hq", lambda: None if added is None else added.append(1)).speaker(site)


def said(post: str = "ridge", via: list[str] | None = None, ledger: Ledger | None = None) -> dict[str, Any]:
    ledger = ledger or Ledger(post)
    return {"post": post, "name": post.title(), "via": via or [], "origin": ledger.origin, "key": ledger.public.hex()}


def test_a_post_speaks_for_itself_alone(hub: Hub) -> None:
    one = speaker(hub, "ridge")
    one.greeted({"site": "ridge"})
    assert one.may_speak("ridge")
    assert not one.may_speak("swamp")


def test_a_hub_below_speaks_for_its_posts_which_are_known_from_then_on(hub: Hub) -> None:
    added: list[int] = []
    one, ridge = speaker(hub, added=added), Ledger("ridge")
    one.greeted({"through": [said(ledger=ridge), said("far", via=["hut"])]})
    assert all(one.may_speak(post) for post in ("ridge", "far", "station"))
    assert [(row.id, row.via) for row in hub.fleet.posts()] == [("far", ("hut", "station")), ("ridge", ("station",))]
    assert added == [1, 1]
    speaker(hub, added=added).greeted({"through": [said(ledger=ridge)]})
    assert added == [1, 1]  # nothing new
    ridge.add("log_begun", {})
    ridge.tell(hub.fleet)
    assert told_above(hub.fleet)[1] == said(via=["station"], ledger=ridge)


def test_a_post_that_comes_by_two_ways_is_taken_by_the_first_alone(hub: Hub) -> None:
    Ledger("ridge").enrol(hub.fleet)  # it dials in here
    one = speaker(hub)
    one.greeted({"through": [said()]})
    assert not one.may_speak("ridge")
    two, three = speaker(hub, "north"), speaker(hub, "south")
    two.greeted({"through": [said("far")]})
    three.greeted({"through": [said("far")]})
    assert two.may_speak("far")
    assert not three.may_speak("far")


def test_hubs_in_a_ring_are_not_taken(hub: Hub) -> None:
    one = speaker(hub)
    one.greeted({"through": [said("hq"), said("ridge", via=["hq"])]})
    assert not one.may_speak("hq")
    assert not one.may_speak("ridge")
    assert hub.fleet.posts() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "through",
    [
        {}, "x", [1], [{}], [said() | {"key": "00"}], [said() | {"key": "zz" * 32}], [said() | {"post": "A B"}], [said() | {"via": ["../x"]}],
        [said() | {"via": ["a"] * 8}], [said() | {"name": 1}], [said() | {"origin": ""}], [said()] * 2001,
    ],
)  # fmt: skip
def test_what_is_no_greeting_ends_the_connection(hub: Hub, through: object) -> None:
    with pytest.raises(LinkError):
        speaker(hub).greeted({"through": through})


def test_a_hub_below_does_not_take_back_a_revocation(hub: Hub) -> None:
    speaker(hub).greeted({"through": [said("ridge")]})
    hub.fleet.revoke("ridge", "stolen")
    again = speaker(hub)
    again.greeted({"through": [said("ridge"), said("swamp")]})  # by another ledger: it would be enrolled anew
    assert not again.may_speak("ridge")
    assert again.may_speak("swamp")
    row = hub.fleet.post("ridge")
    assert row is not None
    assert row.revoked_us is not None


def test_a_site_names_no_more_posts_in_all_than_in_one_greeting(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longwatch.node.hub.through.MOST", 2)
    speaker(hub).greeted({"through": [said("one"), said("two")]})
    with pytest.raises(LinkError, match="more posts"):
        speaker(hub).greeted({"through": [said("three")]})
    assert speaker(hub, "south").greeted({"through": [said("four")]}) is None
    assert [row.id for row in hub.fleet.posts()] == ["four", "one", "two"]


def test_a_hub_below_that_names_another_ledger_is_taken_at_its_word_and_told(hub: Hub) -> None:
    ledger = Ledger("ridge")
    speaker(hub).greeted({"through": [said(ledger=ledger)]})
    speaker(hub).greeted({"through": [said(ledger=ledger)]})
    assert hub.fleet.evidence() == []
    speaker(hub).greeted({"through": [said(ledger=Ledger("ridge"))]})  # the same folder, another key
    (told,) = hub.fleet.evidence(untold=True)
    assert (told.post, told.doubt) == ("ridge", Doubt.KEY_CHANGED)
    assert "the hub station says" in told.why
