"""What posts saw, at their hub: taken in order, looked for, reviewed, and kept for a while."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
import sqlalchemy as sa
from tests.support.fleet_case import NOW_US, Hub, send

from longwatch.fleet import FleetRetention, HubKeeping
from longwatch.fleet.schema import streams
from longwatch.model.event_rows import NO_PICTURE, Asked, ToldEvent
from longwatch.model.events import Event
from longwatch.model.uplink import Confirmed, ObjectInfo, Position

US = 1_000_000
BEGIN = NOW_US - 3600 * US
EVER = Asked(BEGIN - US, NOW_US)


def seen(number: int, **more: object) -> Event:
    begin = BEGIN + number * US
    event = Event(
        f"{number:022x}",
        "gate",
        "motion",
        begin,
        begin + 4 * US,
        begin + 4 * US,
        0.5,
        ("yard",),
        begin + US,
        (0.1, 0.2, 0.3, 0.4),
        3,
    )
    return dataclasses.replace(event, **more)


@pytest.fixture
def posts(hub: Hub) -> Hub:
    for name in ("ridge", "dam"):
        hub.fleet.add_post(name, name.title(), "1", f"longwatch/{name}/data/1", bytes(32))
    return hub


def tell(hub: Hub, *told: ToldEvent, post: str = "ridge", life: int = 7) -> Position:
    here = hub.fleet.events_at(post)
    end = Position(life, here.rev + len(told))
    return hub.fleet.take_events(post, here if here.life else Position(), end, told, anew=not here.life)


def picture(hub: Hub, at_us: int, post: str = "ridge", camera: str = "gate") -> bytes:
    data = b"\xff\xd8\xff" + at_us.to_bytes(8, "big") + post.encode()
    info = ObjectInfo(hashlib.sha256(data).digest(), len(data), "picture", post, camera, "main", at_us=at_us)
    assert isinstance(send(hub.fleet, info, data), Confirmed)
    return info.sha256


def names(found):
    return [stored.event.id for stored in found]


def test_events_of_every_post_are_found_by_camera_kind_zone_and_time(posts: Hub) -> None:
    tell(
        posts,
        ToldEvent(seen(1)),
        ToldEvent(seen(2, kind="tamper.covered", zones=())),
        ToldEvent(seen(3, kind="object.person", to_us=None)),
    )
    tell(posts, ToldEvent(seen(1, zones=("Yard",))), ToldEvent(seen(4, kind="motion.line")), post="dam")
    events = posts.fleet.events

    def found(**more):
        return names(events.find(dataclasses.replace(EVER, **more), 100))

    one, two, three = (f"ridge.{n:022x}" for n in (1, 2, 3))
    assert set(found()) == {one, two, three, f"dam.{1:022x}", f"dam.{4:022x}"}
    assert found()[0] == f"dam.{4:022x}"
    assert set(found(cameras=["ridge.gate"])) == {one, two, three}
    assert found(cameras=[]) == []
    assert set(found(kinds=["motion"])) == {one, f"dam.{1:022x}", f"dam.{4:022x}"}
    assert found(kinds=["object"]) == [three]
    assert found(zones=["yard"]) == [three, one] or set(found(zones=["yard"])) == {one, three, f"dam.{4:022x}"}
    assert found(from_us=BEGIN + 30 * US) == [three]  # it goes on
    page = events.find(EVER, 2)
    last = page[-1].event
    assert not set(names(page)) & set(found(before=(last.from_us, last.id)))
    assert events.one(one).event.camera == "ridge.gate"
    assert events.one("ridge.nothing") is None
    assert [event.id for event in events.blind(EVER)] == [two]
    crowds = events.crowds(EVER, 60 * US)
    assert sum(crowd.count for crowd in crowds) == 4
    assert {crowd.camera for crowd in crowds} == {"ridge.gate", "dam.gate"}
    assert [event.id for event in events.since(BEGIN + 4 * US)] == [f"dam.{4:022x}"]


def test_what_comes_twice_or_does_not_follow_is_passed_over(posts: Hub) -> None:
    take = posts.fleet.take_events
    begin, first, second = Position(), Position(7, 3), Position(7, 5)
    assert posts.fleet.events_at("ridge") == begin
    assert take("ridge", begin, first, [ToldEvent(seen(1))], anew=True) == first
    assert (
        take("ridge", begin, first, [ToldEvent(seen(1, count=99))], anew=True) == first
    )  # late, and of a life that is known
    assert take("ridge", second, Position(7, 9), [ToldEvent(seen(1, count=99))], anew=False) == first  # a hole
    assert (
        take("ridge", first, second, [ToldEvent(seen(1, count=4)), ToldEvent(seen(1, count=5))], anew=False) == second
    )
    assert take("ridge", first, second, [ToldEvent(seen(1, count=77))], anew=False) == second
    assert [stored.event.count for stored in posts.fleet.events.find(EVER, 9)] == [5]
    posts.fleet.revoke("ridge", "stolen")
    take("ridge", second, Position(7, 6), [ToldEvent(seen(1, count=1))], anew=False)
    assert [stored.event.count for stored in posts.fleet.events.find(EVER, 9)] == [5]
    assert take("nobody", begin, first, [ToldEvent(seen(1))], anew=True) == first
    assert posts.fleet.events_at("nobody") == begin
    again = posts.again()
    assert again.fleet.events_at("ridge") == second
    assert [stored.event.count for stored in again.fleet.events.find(EVER, 9)] == [5]
    again.close()


def test_a_post_that_lost_its_table_leaves_nothing_open_and_loses_nothing(posts: Hub) -> None:
    events = posts.fleet.events
    tell(posts, ToldEvent(seen(1, to_us=None)), ToldEvent(seen(2, to_us=None)))
    before = events.newest()["ridge"]
    end = posts.fleet.take_events(
        "ridge", Position(), Position(9, 1), [ToldEvent(seen(2, to_us=None, count=8))], anew=True
    )
    assert end == Position(9, 1) == posts.fleet.events_at("ridge")
    two, one = events.find(EVER, 9)
    assert (one.event.to_us, one.event.detail) == (one.event.last_us, "its post lost what it knew of it")
    assert (two.event.to_us, two.event.count) == (None, 8)
    assert {change.stored.event.id for change in events.changed("ridge", before, 9)} == {one.event.id, two.event.id}
    assert (
        posts.fleet.take_events("ridge", Position(), Position(7, 2), [], anew=True) == end
    )  # of the life before: late


def test_who_follows_hears_of_each_change_once_and_of_what_is_the_same_not_at_all(posts: Hub) -> None:
    events = posts.fleet.events
    tell(posts, ToldEvent(seen(1)), ToldEvent(seen(2)))
    changes = events.changed("ridge", 0, 1) + events.changed("ridge", 1, 10)
    assert [(change.rev, change.is_new) for change in changes] == [(1, True), (2, True)]
    tell(posts, ToldEvent(seen(1)), ToldEvent(seen(2, count=8)))
    assert [(each.stored.event.id, each.is_new) for each in events.changed("ridge", 2, 10)] == [
        (f"ridge.{2:022x}", False)
    ]
    assert events.told("ridge", 2, 10) == [(3, ToldEvent(seen(2, count=8)))]
    assert events.newest() == {"ridge": 3}


def test_review_here_is_the_hubs_own_and_no_change_of_the_post_takes_it_back(posts: Hub) -> None:
    events = posts.fleet.events
    tell(posts, ToldEvent(seen(1, twin="f" * 22)), ToldEvent(seen(2), reviewed_us=NOW_US - 5))
    one, two = f"ridge.{1:022x}", f"ridge.{2:022x}"
    assert names(events.find(dataclasses.replace(EVER, reviewed=False), 9)) == [one]
    assert events.review(one, NOW_US, 4, "ada")
    tell(posts, ToldEvent(seen(1, count=9, twin="f" * 22)))
    stored = events.one(one)
    assert (stored.reviewed_us, stored.reviewed_by, stored.event.count, stored.event.twin) == (
        NOW_US,
        "ada",
        9,
        f"ridge.{'f' * 22}",
    )
    assert events.told("ridge", 3, 9)[0][1] == ToldEvent(seen(1, count=9, twin="f" * 22), reviewed_us=NOW_US)
    events.forget(4)
    assert events.one(one).reviewed_by == ""
    assert events.review(one, None, 4, "ada")
    assert events.review(two, None, 4, "ada")
    assert events.one(two).reviewed_us == NOW_US - 5  # somebody at the post did
    assert names(events.find(dataclasses.replace(EVER, reviewed=False), 9)) == [one]
    assert not events.review("ridge.none", NOW_US, 4, "ada")
    assert not events.review("none.none", NOW_US, 4, "ada")


def test_a_picture_is_here_at_the_post_asked_for_or_gone(posts: Hub) -> None:
    events = posts.fleet.events
    moment = BEGIN + 2 * US
    tell(
        posts,
        ToldEvent(seen(1), moment),
        ToldEvent(seen(2), NO_PICTURE),
        ToldEvent(seen(3)),
        ToldEvent(seen(4), moment),
    )
    tell(posts, ToldEvent(seen(1), moment), post="dam")
    one, two, three = (f"ridge.{n:022x}" for n in (1, 2, 3))

    def state(event):
        stored = events.one(event)
        return stored.pictured_us, stored.away

    assert (state(one), state(two), state(three)) == ((None, "post"), (None, ""), (None, ""))
    wanted = events.ask(one, NOW_US)
    assert (wanted.post, wanted.event, wanted.camera) == ("ridge", f"{1:022x}", "gate")
    assert state(one) == (None, "asked")
    assert [each.event for each in events.asked(["ridge", "dam"])] == [f"{1:022x}"]
    assert events.asked(["dam"]) == []
    sha256 = picture(posts, moment)
    assert state(one) == (moment, "")
    assert events.picture(one) == sha256
    assert events.picture(f"ridge.{4:022x}") == sha256  # the same moment of the same camera
    assert events.picture(f"dam.{1:022x}") is None
    assert events.asked(["ridge"]) == []
    events.ask(f"dam.{1:022x}", -1)
    assert state(f"dam.{1:022x}") == (None, "gone")
    assert events.ask("dam.none", NOW_US) is None


def test_pictures_go_at_the_age_of_footage_and_then_are_not_here(posts: Hub) -> None:
    moment = BEGIN + 2 * US
    tell(posts, ToldEvent(seen(1), moment))
    picture(posts, moment)
    row = {
        "post": 1,
        "camera": "gate",
        "name": "main",
        "until_us": 0,
        "sealed_seq": 0,
        "longest_us": 0,
        "segments_here": 0,
        "bytes_here": 0,
    }
    with posts.db.write() as db:
        db.execute(sa.insert(streams).values(**row))
    posts.fleet.take_site("ridge", {"cameras": [{"id": "gate", "max_age_s": 60}]})
    retention = FleetRetention(posts.db, posts.store, lambda: NOW_US)
    assert retention.run(HubKeeping(keep_free_fraction=0.0)).pictures == 1
    assert posts.fleet.events.one(f"ridge.{1:022x}").away == "post"


def test_events_go_at_the_hubs_own_age_and_the_oldest_of_too_many(posts: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    events = posts.fleet.events
    tell(posts, *(ToldEvent(seen(number)) for number in range(10)), ToldEvent(seen(0, id="a" * 22, to_us=None)))
    assert events.drop_before(BEGIN + 7 * US) == 3
    assert len(events.find(EVER, 99)) == 8
    monkeypatch.setattr("longwatch.fleet.events.MOST_OF_POST", 5)
    assert events.drop_too_many() == 3
    assert names(events.find(EVER, 99)) == [f"ridge.{n:022x}" for n in (9, 8, 7, 6, 5)]
    assert posts.fleet.events_at("ridge").rev == 11
