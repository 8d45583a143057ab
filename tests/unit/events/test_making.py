"""Sightings become events: what is one, when it begins and ends, what a restart does."""

from __future__ import annotations

import pytest

from longwatch.events import Level, Maker, Options, level_of
from longwatch.events.making import MOST_OPEN
from longwatch.model.events import KINDS, LONGEST_US, Event, EventChange, Phase, Sighting

S = 1_000_000
T0 = 1_800_000_000 * S


def seen(at_s: float, kind: str = "motion", **more: object) -> Sighting:
    return Sighting("gate", kind, T0 + round(at_s * S), **more)  # type: ignore[arg-type]  # a test's shorthand


def lived(maker: Maker, *sightings: Sighting, until_s: float | None = None) -> list[EventChange]:
    said = [change for each in sightings for change in maker.sighting(each)]
    return said if until_s is None else said + maker.idle(T0 + round(until_s * S))


def told(changes: list[EventChange]) -> list[tuple[str, float, float | None]]:
    return [
        (str(c.phase), (c.event.from_us - T0) / S, None if c.event.to_us is None else (c.event.to_us - T0) / S)
        for c in changes
    ]


def test_motion_begins_at_its_first_sighting_and_ends_at_its_last():
    said = lived(Maker("gate"), seen(0), seen(1), seen(2), until_s=8)
    assert told(said) == [("new", 0, None), ("end", 0, 2)]
    assert said[-1].event.count == 3


def test_within_the_hold_time_it_is_the_same_and_after_it_another():
    said = lived(Maker("gate"), seen(0), seen(4), seen(10), until_s=16)
    assert told(said) == [("new", 0, None), ("end", 0, 4), ("new", 10, None), ("end", 10, 10)]
    assert said[0].event.id < said[2].event.id


def test_nothing_ends_while_nobody_looks_and_lost_ends_it_when_it_was_last_seen():
    maker = Maker("gate")
    lived(maker, seen(0), seen(1))
    assert maker.idle(T0 + 2 * S) == []
    assert told(maker.lost("nobody looks")) == [("end", 0, 1)]
    assert maker.open == []


def test_a_change_is_told_once_in_five_seconds_and_only_where_there_is_news():
    maker = Maker("gate")
    sightings = [seen(n / 2, score=0.5 + n / 100, zones=("road",) if n > 15 else ()) for n in range(24)]
    said = lived(maker, *sightings, until_s=30)
    assert [str(c.phase) for c in said] == ["new", "update", "update", "end"]
    assert said[-1].event.zones == ("road",)
    assert said[-1].event.best_us == T0 + round(11.5 * S)


def test_each_track_of_an_object_and_each_line_is_an_event_of_its_own():
    maker = Maker("gate")
    said = lived(
        maker, seen(0, "object.person", track=1), seen(0, "object.person", track=2), seen(1, "motion.line", zones=("fence",), track=1),
        seen(1, "motion.line", zones=("gate",), track=1), seen(1, "motion"),
    )  # fmt: skip
    assert [str(c.phase) for c in said] == ["new"] * 5
    assert len({c.event.id for c in said}) == 5


def test_a_hidden_view_lasts_until_its_end_is_said():
    maker = Maker("gate")
    said = lived(maker, seen(0, "tamper.covered"), seen(9, "tamper.covered"), until_s=30)
    assert told(said) == [("new", 0, None)]
    assert told(lived(maker, seen(31, "tamper.covered", on=False))) == [("end", 0, 31)]
    assert lived(maker, seen(32, "tamper.covered", on=False)) == []


def test_that_motion_is_over_waits_for_the_hold_time():
    maker = Maker("gate")
    said = lived(maker, seen(0), seen(1, on=False), seen(3), until_s=20)
    assert told(said) == [("new", 0, None), ("end", 0, 3)]


def test_what_is_too_short_or_too_weak_is_none():
    maker = Maker("gate", Options(least_us={"motion": S}, least_score={"motion": 0.4}))
    assert lived(maker, seen(0, score=0.9), until_s=10) == []
    assert lived(maker, seen(20, score=0.1), seen(22, score=0.2), until_s=40) == []
    assert told(lived(maker, seen(50, score=0.5), seen(51, score=0.5), until_s=60)) == [
        ("new", 50, None),
        ("end", 50, 51),
    ]


def test_what_moves_for_an_hour_is_the_next_event_and_a_hidden_view_is_not():
    maker = Maker("gate")
    hour = LONGEST_US // S
    said = lived(maker, *[seen(n * 4, kind) for n in range(hour // 4 + 10) for kind in ("motion", "tamper.turned")])
    assert [str(c.phase) for c in said if c.event.kind == "motion" and c.phase is not Phase.UPDATE] == [
        "new",
        "end",
        "new",
    ]
    assert [str(c.phase) for c in said if c.event.kind == "tamper.turned" and c.phase is not Phase.UPDATE] == ["new"]


def test_what_goes_on_is_told_twice_a_minute_so_that_a_cut_takes_no_more_of_it():
    said = lived(Maker("gate"), *[seen(n, "tamper.turned") for n in range(100)])
    assert [(str(c.phase), (c.event.last_us - T0) // S) for c in said] == [
        ("new", 0),
        ("update", 30),
        ("update", 60),
        ("update", 90),
    ]


def test_a_restart_goes_on_or_ends_it_where_it_was_last_seen():
    maker = Maker("gate")
    lived(maker, seen(0, "object.person", track=7), seen(1, "object.person", track=7))
    (going,) = maker.open
    after = Maker("gate", open_events=[going])
    assert lived(after, seen(3, "object.person", track=1)) == []
    assert [event.id for event in after.open] == [going.id]
    assert told(Maker("gate", open_events=[going]).idle(T0 + 60 * S)) == [("end", 0, 1)]


def test_of_one_thing_a_restart_leaves_one():
    two = [Event(f"{n:014x}aaaaaaaa", "gate", "motion", T0 + n, None, T0 + n) for n in range(2)]
    maker = Maker("gate", open_events=two)
    assert [c.event.id for c in maker.idle(T0 + S)] == [two[1].id]
    assert [event.id for event in maker.open] == [two[0].id]


def test_a_clock_that_goes_back_ends_what_lies_ahead():
    maker = Maker("gate")
    said = lived(maker, seen(100), seen(101), seen(0))
    assert told(said) == [("new", 100, None), ("end", 100, 101), ("new", 0, None)]


def test_a_crowd_is_bounded():
    maker = Maker("gate")
    said = lived(maker, *[seen(n / 100, "object.person", track=n) for n in range(500)])
    assert sum(c.phase is Phase.NEW for c in said) == MOST_OPEN + 1


def test_it_takes_sightings_of_its_own_camera_alone():
    with pytest.raises(ValueError, match="yard"):
        Maker("gate").sighting(Sighting("yard", "motion", T0))


def test_every_kind_has_a_level():
    assert {level_of(kind) for kind in KINDS} == set(Level)
    assert level_of("tamper.covered") is level_of("object.fire") is Level.ALERT
    assert level_of("object.person") is level_of("motion.line") is Level.DETECTION
