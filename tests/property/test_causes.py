"""Whatever is known: one cause, small evidence, and no hand that nothing speaks for."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.causes import DARK, Evidence, Restart, decide, restarted, takes_back, went_on
from longwatch.ledger import canonical
from longwatch.model.causes import Cause, Pause
from longwatch.model.sessions import Fault
from longwatch.model.surroundings import Answer, Learnt, MainsState, Power, Surroundings

times = st.integers(0, 2_000_000_000)
learnt = st.builds(Learnt, st.sampled_from(["", "arp", "ndp", "tcp 554", "snmp hut port 3", "stream"]), times, times)
powers = st.sampled_from(list(Power))
ids = st.lists(st.sampled_from(["yard", "barn", "mast"]), max_size=2).map(tuple)
surroundings = st.builds(
    Surroundings,
    address=st.sampled_from(list(Answer)), address_learnt=learnt, switch=st.sampled_from(["", "hut"]),
    neighbours_answer=ids, neighbours_silent=ids, neighbours_unknown=st.integers(0, 2), port_power=powers,
    port_link=powers, port_learnt=learnt, port_ordered=st.booleans(), port_detail=st.text(max_size=200),
    switch_started_boot_us=st.none() | times, mains=powers, mains_learnt=learnt,
    battery_percent=st.none() | st.integers(0, 100),
)  # fmt: skip
restarts = st.builds(
    Restart, st.booleans(), st.booleans(), st.none() | times,
    st.none() | st.builds(MainsState, powers, st.none() | st.integers(0, 100), st.none(), st.just("nut"), times),
    st.none() | st.integers(0, 99),
)  # fmt: skip
evidence = st.builds(
    Evidence,
    not_planned=st.sampled_from(["", "", "outside the schedule"]), storage=st.sampled_from([None, None, Cause.STORAGE_FULL]),
    dropped_bytes=st.sampled_from([0, 0, 7]), lost_packets=st.sampled_from([0, 0, 3]),
    fault=st.none() | st.sampled_from(list(Fault)), detail=st.text(max_size=900), attempts=st.integers(0, 9),
    restart=st.none() | restarts, starting=st.booleans(), clock_step_us=st.sampled_from([0, 5]),
    pause=st.none() | st.builds(Pause, st.sampled_from([Cause.PRIVACY_PAUSE, Cause.PAUSED_BY_OPERATOR]), times, st.none() | times, st.integers(0, 9)),
    power_plan=st.sampled_from(["", "", "outside its power windows"]), around=surroundings, dark_boot_us=times,
    wall_minus_boot_us=times, learnt_us=times, durable_us=st.none() | times,
    heard=st.lists(st.tuples(times, st.sampled_from(list(Fault))), max_size=6).map(tuple),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(evidence)
def test_one_cause_with_evidence_that_the_ledger_takes(known: Evidence) -> None:
    verdict = decide(known)
    assert verdict == decide(known)
    assert len(canonical(verdict.evidence)) < 2048
    if verdict.cause is Cause.UNKNOWN:
        assert known.fault is None
        assert verdict.evidence or known.restart is None


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(evidence)
def test_a_camera_is_switched_off_only_on_evidence(known: Evidence) -> None:
    verdict, around = decide(known), known.around
    if verdict.cause is not Cause.CAMERA_SWITCHED_OFF:
        return
    assert known.fault in DARK
    wanted = known.pause, known.not_planned, known.power_plan
    assert not any(wanted)
    if "inferred" not in verdict.evidence:
        assert around.port_power is Power.OFF
        return
    assert around.address is Answer.SILENT
    assert around.address_learnt.by in {"arp", "ndp"}
    assert around.address_learnt.asked_boot_us >= known.dark_boot_us
    assert around.switch
    assert around.neighbours_answer
    assert "cannot_tell_apart" in verdict.evidence
    mains_on = replace(around, mains=Power.OFF, mains_learnt=Learnt("nut", 0, 0))
    assert decide(replace(known, around=mains_on)).cause is not Cause.CAMERA_SWITCHED_OFF


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(evidence, evidence, st.integers(-5_000_000, 200_000_000))
def test_later_evidence_never_makes_a_hand_of_what_was_none(first: Evidence, later: Evidence, dark_us: int) -> None:
    cause, facts = decide(first)
    for verdict in (restarted(cause, facts, dark_us), went_on(cause, facts)):
        if verdict is not None:
            assert verdict.cause is Cause.CAMERA_UNREACHABLE
            assert "inferred" not in verdict.evidence
            assert cause is Cause.CAMERA_UNREACHABLE or "inferred" in facts
            assert len(canonical(verdict.evidence)) < 2048
    takes_back(facts, later, max(0, dark_us))
