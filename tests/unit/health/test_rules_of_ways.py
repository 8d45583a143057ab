"""Rules about what the server knows itself: ways to people, the broker, detection; and mains and space. Each clears itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from longwatch.health import BrokerState, ChannelState, DoorState, Snapshot, Telling, examine, exposition, is_ready
from longwatch.model.watching import DetectionState, Doing, ModelState

NOW_US = 1_767_225_600_000_000


def snapshot(**changes: Any) -> Snapshot:
    answer = {"volumes": [{"path": "/a", "state": "ok"}], "accounted_until_us": NOW_US, "health": [], **changes}
    return Snapshot.read(NOW_US, answer)


def found(one: Snapshot) -> list[tuple[str, str]]:
    issues = examine(one)
    assert is_ready(issues), "none of these keeps the post from recording"
    return [(issue.rule, issue.subject) for issue in issues]


def test_a_dead_channel_is_a_remark_until_something_arrives() -> None:
    dead = ChannelState("mail", "apprise", dead=True, failing=3, problem="refused")
    assert found(replace(snapshot(), telling=Telling((dead,)))) == [("channels", "mail")]
    assert found(replace(snapshot(), telling=Telling((replace(dead, dead=False, failing=2),)))) == []


def test_a_broker_is_missed_after_a_minute() -> None:
    for away_us, expected in ((59_000_000, []), (60_000_000, [("broker", "")])):
        broker = BrokerState(connected=False, problem="refused", since_us=NOW_US - away_us)
        assert found(replace(snapshot(), telling=Telling((), broker))) == expected
    assert found(replace(snapshot(), telling=Telling((), BrokerState(connected=True, since_us=1)))) == []


def test_detection_that_is_late_or_dead_is_told_by_camera() -> None:
    for state, expected in (
        (DetectionState("gate", Doing.LOOKING, behind_us=29_000_000), []),
        (DetectionState("gate", Doing.LOOKING, behind_us=31_000_000), [("detection", "gate")]),
        (DetectionState("gate", Doing.FAILING, why="not H.264"), [("detection", "gate")]),
        (DetectionState("gate", Doing.RESTING), [("detection", "gate")]),
        (DetectionState("gate", Doing.OFF), []),
        (DetectionState("gate", Doing.STARTING), []),
    ):
        assert found(replace(snapshot(), watching=(state,))) == expected, state
    assert (
        replace(snapshot(), watching=(DetectionState("gate", Doing.FAILING),)).only(frozenset({"yard"})).watching == ()
    )


def test_a_model_that_is_not_used_is_told_to_whom_the_post_is_theirs() -> None:
    for doing, expected in (
        ("none", []),
        ("opening", []),
        ("ready", []),
        ("failing", [("objects", "tiny")]),
        ("resting", [("objects", "tiny")]),
    ):
        state = replace(snapshot(), model=ModelState(doing, "why", "tiny"))
        assert found(state) == expected, doing
        assert found(state.only(frozenset({"yard"}))) == []


def test_a_door_that_fell_silent_is_a_remark_until_it_is_back_or_was_stopped_in_order() -> None:
    there = DoorState("east", "10.0.0.2:8443", "1.0", NOW_US - 9, NOW_US - 1, here=True, ended=False, connections=3)
    gone = replace(there, here=False)
    assert found(replace(snapshot(), doors=(there, replace(gone, name="west")))) == [("doors", "west")]
    assert found(replace(snapshot(), doors=(there, replace(gone, ended=True)))) == []
    assert replace(snapshot(), doors=(gone,)).only(frozenset({"yard"})).doors == ()
    told = exposition(replace(snapshot(), doors=(there, gone)), (), (), (), ()).decode()
    assert 'longwatch_hub_process_up{process="east"} 0.0' in told
    assert 'longwatch_hub_process_connections{process="east"} 3.0' in told


def test_mains_and_space() -> None:
    off = {"mains": {"mains": "off", "battery_percent": 40, "runtime_s": 600}}
    assert found(snapshot(surroundings=off)) == [("mains", "")]
    assert found(snapshot(surroundings={"mains": {"mains": "on"}})) == []
    little = [{"path": "/a", "state": "ok", "free_bytes": 1 << 20}]
    assert found(snapshot(volumes=little)) == [("space", "/a")]
    assert found(snapshot(volumes=[{"path": "/a", "state": "ok", "free_bytes": 1 << 33}])) == []
