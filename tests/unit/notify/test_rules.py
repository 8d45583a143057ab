"""Who is told what, and when: by example, and over drawn stories."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.notify import Happening, Message, Phase, Recipient, Rule, Rules, Step
from longwatch.notify.week import Hours

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
NOON = 1_767_268_800_000_000  # Thursday, 2026-01-01 12:00 UTC
ALL_WEEK = frozenset(range(7))


def happening(
    name: str, phase: Phase = Phase.BEGAN, at_us: int = NOON, *, words: tuple[str, ...] = ("motion", "event"), camera: str = "gate",
    zones: tuple[str, ...] = (), lasts: bool = False, grave: bool = False,
) -> Happening:  # fmt: skip
    return Happening(name, words, phase, at_us, at_us, camera, zones, f"{name} at {camera}", lasts, grave)


def rules(*given_: Rule, quiet: tuple[Hours, ...] = ()) -> Rules:
    return Rules(given_, {name: Recipient(name, ("mail",), quiet) for name in ("ada", "ben")}, "UTC")


def run(machine: Rules, from_us: int, to_us: int, step_us: int = SECOND) -> list[Message]:
    return [said for at_us in range(from_us, to_us + 1, step_us) for said in machine.due(at_us)]


def test_what_comes_together_is_one_message() -> None:
    machine = rules(Rule("r", ("ada",)))
    for n in range(5):
        machine.take(happening(f"event/{n}"), NOON + n * SECOND)
    (said,) = run(machine, NOON, NOON + MINUTE)
    assert (said.count, len(said.items), said.at_us, said.to) == (5, 5, NOON + 10 * SECOND, "ada")


def test_a_rule_means_a_kind_a_camera_a_zone_and_an_hour() -> None:
    night = (Hours(frozenset({3}), 22 * 60, 6 * 60),)
    machine = rules(Rule("r", ("ada",), ("object",), ("gate",), ("yard",), night))
    late = NOON + 11 * HOUR
    machine.take(happening("event/wrong-kind", at_us=late, zones=("yard",)), late)
    machine.take(
        happening("event/wrong-camera", at_us=late, words=("object.person",), camera="dam", zones=("yard",)), late
    )
    machine.take(happening("event/wrong-zone", at_us=late, words=("object.person",), zones=("road",)), late)
    machine.take(happening("event/wrong-hour", words=("object.person",), zones=("yard",)), late)
    machine.take(happening("event/right", at_us=late, words=("object.person", "event"), zones=("yard",)), late)
    machine.take(
        happening("event/next-day", at_us=late + 6 * HOUR, words=("object.person",), zones=("yard",)), late + SECOND
    )
    (said,) = run(machine, late, late + MINUTE)
    assert [item.thread for item in said.items] == ["event/right", "event/next-day"]


def test_alarms_are_told_just_as_movement_is() -> None:
    for word in ("not_recording", "switched_off", "blind", "disk", "power", "post_silent"):
        machine = rules(Rule("r", ("ada",), (word,)))
        machine.take(happening("alarm/1", words=(word, "alarm"), lasts=True), NOON)
        machine.take(happening("event/1"), NOON)
        (said,) = run(machine, NOON, NOON + MINUTE)
        assert [(item.word, item.thread) for item in said.items] == [(word, "alarm/1")]


def test_a_cause_that_is_found_later_is_told_by_the_rule_that_waits_for_it() -> None:
    machine = rules(Rule("off", ("ada",), ("switched_off",)))
    machine.take(happening("alarm/1", words=("not_recording", "alarm")), NOON)
    machine.take(happening("alarm/1", Phase.WENT_ON, words=("switched_off", "not_recording", "alarm")), NOON + SECOND)
    machine.take(happening("alarm/1", Phase.WENT_ON, words=("switched_off", "not_recording", "alarm")), NOON + MINUTE)
    assert [said.items[0].word for said in run(machine, NOON, NOON + HOUR)] == ["switched_off"]


def test_the_end_of_an_alarm_is_told_and_that_of_a_movement_is_not() -> None:
    machine = rules(Rule("r", ("ada",)))
    machine.take(happening("alarm/1", words=("disk", "alarm"), lasts=True), NOON)
    machine.take(happening("event/1"), NOON)
    run(machine, NOON, NOON + MINUTE)
    machine.take(happening("alarm/1", Phase.ENDED, words=("alarm",), lasts=True), NOON + HOUR)
    machine.take(happening("event/1", Phase.ENDED), NOON + HOUR)
    (said,) = run(machine, NOON + HOUR, NOON + HOUR + MINUTE)
    assert [(item.thread, item.over) for item in said.items] == [("alarm/1", True)]


def test_nothing_is_said_in_quiet_hours_and_all_of_it_after_them() -> None:
    quiet = (Hours(ALL_WEEK, 12 * 60, 13 * 60),)
    machine = rules(Rule("r", ("ada",)), Rule("u", ("ada",), ("disk",), urgent=True), quiet=quiet)
    for n in range(3):
        machine.take(happening(f"event/{n}"), NOON + n * 5 * MINUTE)
        assert run(machine, NOON + n * 5 * MINUTE, NOON + n * 5 * MINUTE + MINUTE) == []
    machine.take(happening("alarm/1", words=("disk", "alarm")), NOON + 30 * MINUTE)
    urgent = run(machine, NOON + 30 * MINUTE, NOON + 59 * MINUTE)
    assert [said.rule for said in urgent] == ["u"]
    (after,) = run(machine, NOON + 59 * MINUTE, NOON + 61 * MINUTE)
    assert (after.rule, after.why, after.count, after.held, after.at_us) == ("r", "held", 4, 4, NOON + HOUR)


def test_it_goes_to_the_next_until_somebody_acknowledges() -> None:
    steps = (Step(10 * MINUTE, ("ben",)),)
    for settled in (False, True):
        machine = rules(Rule("r", ("ada",), repeat_us=30 * MINUTE, escalate=steps))
        machine.take(happening("alarm/1", words=("disk", "alarm"), lasts=True), NOON)
        said = run(machine, NOON, NOON + 5 * MINUTE)
        if settled:
            machine.take(happening("alarm/1", Phase.SETTLED), NOON + 5 * MINUTE)
        said += run(machine, NOON + 5 * MINUTE + SECOND, NOON + 35 * MINUTE)
        told = [(one.to, one.why) for one in said]
        assert told == (
            [("ada", "new")] if settled else [("ada", "new"), ("ben", "escalated"), ("ada", "again"), ("ben", "again")]
        )


def test_ten_thousand_events_are_few_messages_and_none_is_uncounted() -> None:
    machine = rules(Rule("r", ("ada",), most=6))
    said: list[Message] = []
    for n in range(10_000):
        at_us = NOON + n * 360_000  # over an hour
        machine.take(happening(f"event/{n}", at_us=at_us, camera=f"camera-{n % 50}"), at_us)
        if n % 3 == 0:
            said += machine.due(at_us)
    said += run(machine, NOON + HOUR, NOON + 3 * HOUR)
    assert len(said) <= 3 * 6 + 1
    assert sum(one.count for one in said) == 10_000
    assert sum(one.held for one in said) == machine.held_back["r"]
    assert len(json.dumps(machine.saved())) < 300_000


def test_a_restart_in_the_midst_changes_nothing() -> None:
    one = Rule("r", ("ada", "ben"), repeat_us=20 * MINUTE, escalate=(Step(5 * MINUTE, ("ben",)),), most=2)
    whole, cut = rules(one), rules(one)
    heard: tuple[list[Message], list[Message]] = ([], [])
    for minute in range(60):
        at_us = NOON + minute * MINUTE
        fresh = rules(one)
        fresh.restore(json.loads(json.dumps(cut.saved())))
        cut = fresh
        for machine, said in zip((whole, cut), heard, strict=True):
            if minute % 7 == 0:
                machine.take(happening(f"alarm/{minute}", at_us=at_us, words=("disk", "alarm"), lasts=True), at_us)
            said += machine.due(at_us)
    assert heard[0] == heard[1]
    assert heard[0]


def test_a_clock_that_is_set_back_delays_nothing_for_long() -> None:
    machine = rules(Rule("r", ("ada",)))
    machine.take(happening("event/1"), NOON)
    back_us = NOON - 300 * HOUR
    assert len(run(machine, back_us, back_us + 11 * SECOND)) == 1


_STEPS = st.lists(
    st.tuples(
        st.integers(0, 400), st.sampled_from(["alarm/1", "alarm/2", "event/1", "event/2", "event/3"]), st.sampled_from(list(Phase)),
        st.booleans(),
    ),
    max_size=60,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(_STEPS, st.integers(1, 4), st.booleans())
def test_over_any_story_rates_hold_keys_differ_and_nothing_is_lost(
    steps: list[tuple[int, str, Phase, bool]], most: int, quiet: bool
) -> None:
    hours = (Hours(ALL_WEEK, 12 * 60 + 10, 12 * 60 + 40),) if quiet else ()
    one = Rule("r", ("ada", "ben"), most=most, per_us=HOUR)
    machine = rules(one, quiet=hours)
    said: list[Message] = []
    at_us, began = NOON, 0
    known: set[str] = set()
    for after_s, name, phase, restart in steps:
        at_us += after_s * SECOND
        if phase in {Phase.BEGAN, Phase.WENT_ON} and name not in known:
            began += 1
            known.add(name)
        elif phase in {Phase.ENDED, Phase.SETTLED}:
            known.discard(name)
        machine.take(happening(name, phase, at_us), at_us)
        said += machine.due(at_us)
        if restart:
            fresh = rules(one, quiet=hours)
            fresh.restore(json.loads(json.dumps(machine.saved())))
            machine = fresh
    said += run(machine, at_us, at_us + 3 * HOUR, MINUTE)
    assert len({one.key for one in said}) == len(said)
    for to in ("ada", "ben"):
        mine = [one for one in said if one.to == to]
        assert sum(one.count for one in mine) == began
        for first in mine:
            assert sum(1 for other in mine if first.at_us <= other.at_us < first.at_us + HOUR) <= most
            minute = first.at_us % (24 * HOUR) // MINUTE
            assert not (quiet and 12 * 60 + 10 <= minute < 12 * 60 + 40)
