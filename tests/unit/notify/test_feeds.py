"""Happenings made of alarms, events and what is wrong: every step once, also over restarts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from longwatch.base.rfc3339 import format_us
from longwatch.model.alarms import Acknowledgement, Alarm, AlarmKind
from longwatch.model.events import KINDS, Event, EventChange
from longwatch.model.events import Phase as EventPhase
from longwatch.model.said import in_words
from longwatch.notify import Happening, Phase
from longwatch.notify.feeds import LASTS_US, AlarmFeed, ConditionFeed, Wrong, of_event
from longwatch.notify.happening import ALARM_WORDS, WORDS

NOW = 1_767_268_800_000_000
SILENT = Alarm(7, AlarmKind.CAMERA_SILENT, "gate", NOW, None, 0, {"cause": "camera_unreachable"})


def feed() -> AlarmFeed:
    return AlarmFeed(lambda alarm: f"{alarm.kind} {alarm.camera}")


def steps(found: list[Happening]) -> list[tuple[str, str]]:
    return [(one.id, str(one.phase)) for one in found]


def test_an_alarm_begins_goes_on_ends_and_is_settled_each_once() -> None:
    one = feed()
    assert one.look([], NOW) == []
    assert steps(one.look([SILENT], NOW)) == [("alarm/7", "began")]
    assert steps(one.look([SILENT], NOW)) == [("alarm/7", "went_on")]
    over = replace(SILENT, ended_us=NOW + 5)
    assert steps(one.look([over], NOW)) == [("alarm/7", "ended")]
    assert one.look([over], NOW) == []
    assert steps(one.look([], NOW)) == [("alarm/7", "settled")]
    assert one.look([], NOW) == []


def test_acknowledged_while_it_lasts_it_is_settled_and_ends_in_silence() -> None:
    one = feed()
    one.look([SILENT], NOW)
    seen = replace(SILENT, acknowledged=Acknowledgement(9, NOW, "ada", "on my way"))
    assert steps(one.look([seen], NOW)) == [("alarm/7", "settled")]
    assert steps(one.look([], NOW)) == [("alarm/7", "ended"), ("alarm/7", "settled")]


def test_what_was_raised_and_over_while_nobody_looked_is_told() -> None:
    one = feed()
    one.look([SILENT], NOW)
    later = feed()
    later.restore(json.loads(json.dumps(one.saved())))
    away = replace(SILENT, id=8, ended_us=NOW + 5)
    assert steps(later.look([away, SILENT], NOW)) == [
        ("alarm/7", "went_on"),
        ("alarm/8", "began"),
        ("alarm/8", "ended"),
    ]


def test_a_first_look_tells_what_stands_and_nothing_of_old() -> None:
    old = replace(SILENT, id=3, ended_us=NOW - 5)
    dealt = replace(SILENT, id=4, acknowledged=Acknowledgement(9, NOW, "ada", "known"))
    assert steps(feed().look([SILENT, dealt, old], NOW)) == [("alarm/7", "began")]


def test_a_list_that_was_cut_ends_nothing_beyond_the_cut() -> None:
    one, old = feed(), replace(SILENT, id=1)
    one.look([SILENT, old], NOW)
    assert steps(one.look([SILENT], NOW, whole=False)) == [("alarm/7", "went_on")]


def test_every_kind_of_alarm_has_a_word_and_switched_off_is_not_recording_too() -> None:
    for number, kind in enumerate(AlarmKind):
        (found,) = feed().look([replace(SILENT, id=number + 1, kind=kind)], NOW)
        assert set(found.words) <= WORDS
        assert found.words[0] in {*ALARM_WORDS, "blind"}, f"{kind} has no word that a rule could name"
    (off,) = feed().look([replace(SILENT, body={"cause": "camera_switched_off"})], NOW)
    assert off.words == ("switched_off", "not_recording", "alarm")


def test_every_kind_of_event_is_told_in_words() -> None:
    for kind in KINDS:
        event = Event("e", "gate", kind, NOW, zones=("yard",))
        found = of_event(EventChange(EventPhase.NEW, event), "Main gate")
        assert (found.phase, found.words[0], found.zones) == (Phase.BEGAN, kind, ("yard",))
        assert "Main gate" in in_words(found.says)
        assert found.link == f"review/{format_us(NOW - 5_000_000)}?camera=gate&event=e"


def test_what_is_wrong_is_told_once_it_lasts_and_over_once_it_is_well() -> None:
    one, wrong = ConditionFeed(), [Wrong("mains/", ("power",), "The mains are off.")]
    assert one.look(wrong, NOW) == []
    assert one.look([], NOW + 1) == []  # a moment
    assert one.look(wrong, NOW + 2) == []
    assert steps(one.look(wrong, NOW + 2 + LASTS_US)) == [("condition/mains/", "began")]
    again: Any = ConditionFeed()
    again.restore(json.loads(json.dumps(one.saved())))
    assert again.look(wrong, NOW + 3 * LASTS_US) == []
    assert again.look([], NOW + 4 * LASTS_US) == []
    assert steps(again.look([], NOW + 5 * LASTS_US)) == [("condition/mains/", "ended")]
