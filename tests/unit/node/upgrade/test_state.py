"""The steps of an upgrade as `upgrade.json` holds them: whatever comes in whatever order, there is a version to start, and one way on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.node.upgrade import state as upgrade_state
from longwatch.node.upgrade.state import (
    MOST_BOOTS,
    MOST_DEATHS,
    Release,
    State,
    back,
    died,
    kept,
    parse,
    returned,
    seen,
    switched,
    text,
    told,
    without,
)

NEW, OLD = Release("0.9.0-00112233", "0.9.0"), Release("0.8.0-44556677", "0.8.0")
MINUTE_US = 60_000_000
Step = Callable[[State], State]


def on_trial(was: Release | None = None) -> State:
    return switched(
        State("0.1.0", was), NEW, "hand/7", boot="a", now_us=0, length_us=15 * MINUTE_US, hub=True, cameras=("gate",)
    )


def test_a_trial_that_is_kept_stands():
    state = kept(on_trial(), "hand/7")
    assert (state.current, state.trial) == (NEW, None)
    assert state.ended is not None
    assert (state.ended.kept, state.ended.told) == (True, False)
    assert seen(told(state), "b", 10**15) == told(state), "no clock ends what is kept"


@pytest.mark.parametrize("was", [None, OLD])
def test_a_trial_that_is_over_goes_back(was: Release | None):
    assert seen(on_trial(was), "a", 15 * MINUTE_US - 1) == on_trial(was)
    late = seen(on_trial(was), "a", 15 * MINUTE_US)
    assert late.trial is not None
    assert late.trial.returning
    assert late.current == NEW, "until nothing of it runs any more"
    assert kept(late, "hand/7") == late, "it is too late"
    old = returned(late)
    assert (old.current, old.trial) == (was, None)
    assert old.ended is not None
    assert not old.ended.kept


def test_after_a_boot_the_whole_time_again_and_not_for_ever():
    state = on_trial()
    for boot in range(1, MOST_BOOTS):
        state = seen(state, f"boot {boot}", boot)
        assert state.trial is not None
        assert state.trial.until_us == boot + 15 * MINUTE_US
        assert not state.trial.returning
    state = seen(state, "one more", 5)
    assert state.trial is not None
    assert "host was started" in state.trial.returning


def test_three_quick_deaths_are_enough_and_those_of_another_release_do_not_count():
    state = on_trial()
    for _ in range(9):
        assert died(state, "", "the old one") == state
    for n in range(1, MOST_DEATHS + 1):
        state = died(state, NEW.name, "recorder, exit 1")
        assert state.trial is not None
        assert bool(state.trial.returning) is (n == MOST_DEATHS)
    assert "recorder, exit 1" in state.trial.returning


def test_another_is_not_switched_to_before_the_last_one_is_over_and_told():
    state = kept(on_trial(), "hand/7")
    again: Step = lambda state: switched(state, OLD, "hand/9", boot="a", now_us=0, length_us=1, hub=False, cameras=())  # noqa: E731 - one step, twice
    assert again(on_trial()) == on_trial()
    assert again(state) == state
    assert again(told(state)).current == OLD


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"format": 2}', b"\xff", text(on_trial()).replace(b'"boot": "a"', b'"boot": 1'),
    text(on_trial()).replace(NEW.name.encode(), b"../../bin"), b"[" * 100_000])  # fmt: skip
def test_what_is_no_state_is_refused(raw: bytes):
    with pytest.raises(ValueError, match=r".*"):
        parse(raw)


@pytest.mark.parametrize(
    "name", ["", "..", "0.9.0", "0.9.0-0011223", "../0.9.0-00112233", "0..9-00112233", "0.9.0-00112233/x", "-00112233"]
)
def test_what_names_no_folder(name: str):
    assert not upgrade_state.is_name(name)


STEPS: dict[str, Step] = {
    "switch": lambda state: switched(state, NEW, "hand/7", boot="a", now_us=0, length_us=100, hub=False, cameras=()),
    "keep": lambda state: kept(state, "hand/7"),
    "late": lambda state: seen(state, "a", 100),
    "boot": lambda state: seen(state, "b" if state.trial is None or state.trial.boot == "a" else "a", 0),
    "die": lambda state: died(state, NEW.name, "x"),
    "back": lambda state: back(state, "x"),
    "return": returned,
    "tell": told,
    "gone": lambda state: without(state, "gone"),
}


@settings(max_examples=60)
@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=30), st.sampled_from([None, OLD]))
def test_in_any_order_of_steps_there_is_one_way_on(steps: list[str], was: Release | None):
    state = State("0.1.0", was)
    for name in steps:
        before, state = state, STEPS[name](state)
        assert parse(text(state)) == state, "a power cut forgets nothing"
        if state.trial is not None:
            assert state.current == NEW
            assert state.ended is None
            assert state.trial.was in {None, OLD, NEW}
        if before.trial is not None and before.trial.returning:
            assert state == before or (name in {"return", "gone"} and state.ended is not None and not state.ended.kept)
        if before.trial is not None and state.trial is None:
            assert state.ended is not None
            assert state.ended.kept is (name == "keep")
            assert state.current == (NEW if name == "keep" else None if name == "gone" else before.trial.was)
        if before.ended is not None and not before.ended.told and name != "tell":
            assert replace(state, current=None) == replace(before, current=None), (
                "what is not told yet is not overwritten"
            )
