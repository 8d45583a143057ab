"""When a version on trial has shown that it is good."""

from __future__ import annotations

from typing import Any

import pytest

from longwatch.node.upgrade.state import Trial
from longwatch.node.upgrade.trial import NO_HUB, Proof, Seen, missing, recording

NAME = "0.9.0-00112233"
HOUR_US = 3_600_000_000


def stream(
    camera: str, *, cause: str | None = None, planned: bool = True, pause: Any = None, name: str = "main"
) -> dict[str, Any]:
    recorded = cause is None and planned and pause is None
    return {"camera": camera, "stream": name, "recording": recorded, "planned": planned, "pause": pause, "cause": cause}


GOOD = [stream("gate"), stream("yard"), stream("yard", name="sub", cause="stream_stalled")]


def lacks(streams: list[dict[str, Any]], *, recorder: str | None = NAME, reached: bool = True, hub: bool = True) -> str:
    trial = Trial("hand/1", None, "a", HOUR_US, HOUR_US, hub, ("gate", "yard"))
    return missing(trial, NAME, Seen(recorder, streams, frozenset({"gate", "yard"}), reached))


def test_all_of_it_is_good():
    assert lacks(GOOD) == ""
    assert recording(GOOD) == ("gate", "yard")


@pytest.mark.parametrize(
    "cause",
    ["not_scheduled", "power_plan", "paused_by_operator", "privacy_pause", "camera_switched_off", "camera_unreachable"],
)
def test_a_camera_may_be_absent_for_what_no_version_does(cause: str):
    assert lacks([stream("gate"), stream("yard", cause=cause)]) == ""


@pytest.mark.parametrize(
    ("streams", "word"),
    [
        ([stream("gate"), stream("yard", cause="recorder_failed")], "yard"),
        ([stream("gate"), stream("yard", cause="camera_refused")], "yard"),
        ([stream("gate"), stream("yard", cause="stream_stalled")], "yard"),
        ([stream("gate"), {**stream("yard"), "recording": False}], "yard"),
        (
            [stream("gate", cause="camera_unreachable"), stream("yard", cause="camera_unreachable")],
            "no camera is recorded",
        ),
        ([stream("gate")], "does not know yard"),
        ([], "does not know gate"),
    ],
)
def test_what_may_be_its_own_fault_is_missing(streams: list[dict[str, Any]], word: str):
    assert word in lacks(streams)


def test_at_night_by_plan_nothing_has_to_be_recorded():
    assert lacks([stream("gate", planned=False), stream("yard", pause={"kind": "paused_by_operator"})]) == ""


def test_hub_and_recorder():
    assert "hub" in lacks(GOOD, reached=False)
    assert lacks(GOOD, reached=False, hub=False) == ""
    assert "answer" in lacks(GOOD, recorder=None)
    assert "not been started" in lacks(GOOD, recorder="")


def test_a_camera_that_was_taken_out_of_the_settings_is_not_waited_for():
    trial = Trial("hand/1", None, "a", 0, 0, hub=False, cameras=("gate", "gone"))
    assert missing(trial, NAME, Seen(NAME, [stream("gate")], frozenset({"gate"}), reached=False)) == ""


def test_it_has_to_be_good_for_a_while_without_a_break():
    proof = Proof(900_000_000)
    assert not proof.done(0, "")
    assert not proof.done(179_999_999, "")
    assert not proof.done(180_000_000, "the recorder does not answer")
    assert not proof.done(181_000_000, "")
    assert proof.done(361_000_000, "")
    short = Proof(30_000_000)
    assert not short.done(0, "")
    assert short.done(6_000_000, "")


def test_what_does_not_record_is_given_up_before_the_trial_is_over_and_a_link_that_is_down_is_not():
    proof = Proof(900_000_000)
    for now_us in (0, 299_999_999):
        assert not proof.done(now_us, "not recorded again: gate")
        assert not proof.hopeless(now_us)
    proof.done(300_000_000, "not recorded again: gate")
    assert proof.hopeless(300_000_000)
    proof.done(300_000_001, NO_HUB)
    assert not proof.hopeless(10**12)
