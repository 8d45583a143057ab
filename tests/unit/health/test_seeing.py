"""What was seen, as Prometheus counts it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longwatch.health import seeing
from longwatch.health.detecting import detection_exposition
from longwatch.health.seeing import Tally
from longwatch.model.events import Event, EventChange, Phase

CAR = Event("e1", "gate", "object.vehicle", 1, last_us=1)
COVERED = Event("e2", "yard", "tamper.covered", 1, last_us=1)


def told(tally: Tally, watched: tuple[str, ...] = ("gate", "yard"), allowed: frozenset[str] | None = None) -> set[str]:
    text = detection_exposition([], None, tally.families(watched, allowed)).decode()
    return {line for line in text.splitlines() if not line.startswith("#") and "_created" not in line}


def test_a_camera_has_a_sample_before_its_first_event() -> None:
    assert told(Tally(), ("gate",)) == {
        'longwatch_events_total{camera="gate",kind="motion"} 0.0',
        'longwatch_events_lasting{camera="gate",kind="motion"} 0.0',
        'longwatch_view_hidden{camera="gate"} 0.0',
    }
    assert told(Tally(), ()) == set()


def test_an_event_is_counted_once_and_lasts_until_its_end() -> None:
    tally = Tally()
    for phase in (Phase.NEW, Phase.UPDATE, Phase.UPDATE):
        tally.take(EventChange(phase, CAR))
    counted = 'longwatch_events_total{camera="gate",kind="object.vehicle"} 1.0'
    lasts = 'longwatch_events_lasting{camera="gate",kind="object.vehicle"} '
    assert {counted, lasts + "1.0"} <= told(tally)
    tally.take(EventChange(Phase.END, replace(CAR, to_us=2)))
    assert {counted, lasts + "0.0"} <= told(tally)


def test_a_view_is_hidden_for_as_long_as_its_event_lasts() -> None:
    tally = Tally()
    tally.take(EventChange(Phase.UPDATE, COVERED))  # it began before the server did
    assert {'longwatch_view_hidden{camera="yard"} 1.0', 'longwatch_view_hidden{camera="gate"} 0.0'} <= told(tally)
    assert 'longwatch_view_hidden{camera="yard"} 1.0' in told(tally, ()), "at a hub, which looks at nothing itself"
    tally.take(EventChange(Phase.END, replace(COVERED, to_us=2)))
    assert 'longwatch_view_hidden{camera="yard"} 0.0' in told(tally)


def test_of_other_cameras_nobody_hears() -> None:
    tally = Tally()
    for event in (CAR, COVERED):
        tally.take(EventChange(Phase.NEW, event))
    assert not [line for line in told(tally, allowed=frozenset({"gate"})) if "yard" in line]


def test_what_it_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "MOST", 3)
    tally = Tally()
    for number in range(10):
        tally.take(EventChange(Phase.NEW, replace(CAR, id=f"e{number}", camera=f"c{number}")))
    assert len([line for line in told(tally, ()) if line.startswith("longwatch_events_total")]) == 3


def test_a_post_that_makes_up_kinds_does_not_use_up_what_others_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "MOST_OF_POST", 3)
    tally = Tally()
    for number in range(50):
        tally.take(
            EventChange(Phase.NEW, replace(CAR, id=f"bad.e{number}", camera="bad.gate", kind=f"made.up{number}"))
        )
    tally.take(EventChange(Phase.NEW, replace(CAR, id="good.e", camera="good.gate")))
    lines = told(tally, ())
    assert 'longwatch_events_total{camera="good.gate",kind="object.vehicle"} 1.0' in lines
    assert 'longwatch_events_lasting{camera="good.gate",kind="object.vehicle"} 1.0' in lines
    assert len([line for line in lines if line.startswith("longwatch_events_total") and "bad.gate" in line]) == 3
    for number in range(50):
        tally.take(EventChange(Phase.END, replace(CAR, id=f"bad.e{number}", camera="bad.gate", to_us=2)))
    tally.take(EventChange(Phase.NEW, replace(CAR, id="bad.more", camera="bad.gate", kind="made.up0")))
    assert 'longwatch_events_lasting{camera="bad.gate",kind="made.up0"} 1.0' in told(tally, ())
