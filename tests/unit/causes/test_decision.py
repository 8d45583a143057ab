"""One test per row of docs/design/causes.md."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from longwatch.causes import CAUSE_OF_FAULT, Evidence, Restart, decide, restarted
from longwatch.ledger import canonical
from longwatch.model.causes import Cause, Pause
from longwatch.model.sessions import Fault
from longwatch.model.surroundings import Answer, Learnt, MainsState, Power, Surroundings

SECOND = 1_000_000
DARK_US = 1000 * SECOND  # CLOCK_BOOTTIME at which the silence begins


def learnt(by: str, since_s: int, asked_s: int = 1010) -> Learnt:
    return Learnt(by, since_s * SECOND, asked_s * SECOND)


SILENT = Surroundings(address=Answer.SILENT, address_learnt=learnt("arp", 1003), switch="hut")
ONE_SILENT = replace(SILENT, neighbours_answer=("yard", "barn"))
ALL_SILENT = replace(SILENT, neighbours_silent=("yard", "barn"))
PORT_OFF = Surroundings(port_power=Power.OFF, port_link=Power.OFF, port_learnt=learnt("snmp hut port 3", 999))
NO_LINK = replace(PORT_OFF, port_power=Power.ON)
MAINS_OFF = Surroundings(mains=Power.OFF, mains_learnt=learnt("nut ups@host", 995), battery_percent=80)
ANSWERS = Surroundings(address=Answer.ANSWERS, address_learnt=learnt("arp", 10))
FAILED = MainsState(Power.OFF, 30, 900, "nut ups@host", 100)

CUT = Restart(orderly=False, same_boot=False, last_heartbeat_wall_us=123)
CRASH = Restart(orderly=False, same_boot=True, last_heartbeat_wall_us=123)
STOP = Restart(orderly=True, same_boot=False, last_heartbeat_wall_us=123)
NOBODY_KNOWS = Restart(orderly=False, same_boot=False, last_heartbeat_wall_us=None)


def dark(around: Surroundings, fault: Fault = Fault.UNREACHABLE, detail: str = "no route") -> Evidence:
    return Evidence(fault=fault, detail=detail, attempts=2, around=around, dark_boot_us=DARK_US, learnt_us=SECOND)


ROWS = {
    1: (
        Evidence(not_planned="outside the schedule", storage=Cause.STORAGE_FULL, fault=Fault.SILENT),
        Cause.NOT_SCHEDULED,
    ),
    2: (Evidence(pause=Pause(Cause.PRIVACY_PAUSE, 5, None, 7), fault=Fault.UNREACHABLE), Cause.PRIVACY_PAUSE),
    3: (Evidence(pause=Pause(Cause.PAUSED_BY_OPERATOR, 5, 9, 7), not_planned="paused"), Cause.PAUSED_BY_OPERATOR),
    4: (replace(dark(ONE_SILENT), power_plan="outside its power windows"), Cause.POWER_PLAN),
    5: (Evidence(storage=Cause.STORAGE_FULL, storage_detail="no space", fault=Fault.UNREACHABLE), Cause.STORAGE_FULL),
    6: (Evidence(storage=Cause.STORAGE_FAILED, storage_detail="EIO", dropped_bytes=5), Cause.STORAGE_FAILED),
    7: (Evidence(dropped_bytes=5, fault=Fault.SILENT), Cause.STORAGE_FAILED),
    8: (dark(PORT_OFF, Fault.SILENT), Cause.CAMERA_SWITCHED_OFF),
    9: (dark(replace(ONE_SILENT, mains=Power.OFF, mains_learnt=learnt("nut", 995))), Cause.CAMERA_UNREACHABLE),
    10: (dark(replace(ONE_SILENT, port_power=Power.ON, port_link=Power.OFF)), Cause.CAMERA_UNREACHABLE),
    11: (dark(ONE_SILENT), Cause.CAMERA_SWITCHED_OFF),
    12: (dark(ALL_SILENT), Cause.CAMERA_UNREACHABLE),
    13: (Evidence(fault=Fault.UNREACHABLE, detail="no route", attempts=3, restart=CUT), Cause.CAMERA_UNREACHABLE),
    14: (Evidence(fault=Fault.DISCONNECTED, lost_packets=3), Cause.CAMERA_UNREACHABLE),
    15: (Evidence(fault=Fault.LOGIN_REFUSED, around=PORT_OFF), Cause.CAMERA_REFUSED),
    16: (Evidence(fault=Fault.REFUSED), Cause.CAMERA_REFUSED),
    17: (Evidence(fault=Fault.PROTOCOL_ERROR), Cause.CAMERA_REFUSED),
    18: (Evidence(fault=Fault.TIMED_OUT), Cause.STREAM_STALLED),
    19: (Evidence(fault=Fault.SILENT), Cause.STREAM_STALLED),
    20: (Evidence(fault=Fault.AUDIO_ONLY), Cause.STREAM_STALLED),
    21: (Evidence(fault=Fault.FROZEN), Cause.STREAM_STALLED),
    22: (Evidence(fault=Fault.UNUSABLE), Cause.STREAM_STALLED),
    23: (
        Evidence(fault=Fault.MASKING, detail="the masking child was killed by signal 9", around=PORT_OFF, restart=CUT),
        Cause.RECORDER_FAILED,
    ),
    24: (
        Evidence(fault=Fault.NO_SECRET, detail="its secret GATE is missing", around=PORT_OFF, restart=CUT),
        Cause.RECORDER_FAILED,
    ),
    25: (Evidence(lost_packets=4, restart=CRASH), Cause.PACKETS_LOST),
    26: (Evidence(restart=NOBODY_KNOWS, starting=True), Cause.UNKNOWN),
    27: (Evidence(restart=replace(STOP, mains=FAILED)), Cause.POST_POWER_LOST),
    28: (Evidence(restart=replace(STOP, mains=FAILED, asked=12)), Cause.POST_STOPPED),
    29: (Evidence(restart=replace(CRASH, mains=FAILED), starting=True), Cause.RECORDER_FAILED),
    30: (Evidence(restart=replace(CUT, mains=FAILED), starting=True), Cause.POST_POWER_LOST),
    31: (Evidence(restart=CUT, starting=True), Cause.POST_POWER_LOST),
    32: (Evidence(ended_by_us="its settings changed"), Cause.POST_STOPPED),
    33: (Evidence(starting=True), Cause.POST_STOPPED),
    34: (Evidence(timestamps="media time ran away"), Cause.STREAM_STALLED),
    35: (Evidence(clock_step_us=3_600_000_000), Cause.UNKNOWN),
    36: (Evidence(failure="struct.error"), Cause.RECORDER_FAILED),
    37: (Evidence(), Cause.UNKNOWN),
}


def said(evidence: Evidence) -> dict[str, object]:
    return decide(evidence).evidence


@pytest.mark.parametrize("row", ROWS)
def test_row(row: int) -> None:
    evidence, cause = ROWS[row]
    verdict = decide(evidence)
    assert verdict.cause is cause
    assert canonical(verdict.evidence)  # fit for the ledger
    assert bool(verdict.evidence) == (row != 37)


def test_the_table_of_the_design_page_has_these_rows_and_causes() -> None:
    page = (Path(__file__).parents[3] / "docs/design/causes.md").read_text(encoding="utf-8")
    listed = {int(n): cause for n, cause in re.findall(r"^\| (\d+) \|.*?\| `([a-z_]+)` \|", page, re.M)}
    assert listed == {row: str(cause) for row, (_, cause) in ROWS.items()}


def test_what_cannot_be_told_apart_is_listed_and_not_claimed() -> None:
    assert said(ROWS[31][0])["cannot_tell_apart"] == ["power lost", "host reset", "host crashed"]
    assert "camera without power" in str(said(ROWS[13][0])["cannot_tell_apart"])
    assert "cannot_tell_apart" not in said(ROWS[29][0])
    assert "switched off" in str(said(ROWS[9][0])["cannot_tell_apart"])


def test_every_fault_has_a_cause() -> None:
    assert set(CAUSE_OF_FAULT) == set(Fault)


def test_evidence_is_for_people_its_times_are_written_out() -> None:
    assert said(Evidence(restart=CRASH))["last_heartbeat"] == "1970-01-01T00:00:00.000123Z"
    assert "last_heartbeat" not in said(Evidence(restart=NOBODY_KNOWS))
    facts = said(replace(dark(ONE_SILENT), heard=((1, Fault.SILENT),), durable_us=2 * SECOND))
    assert facts["learnt"] == "1970-01-01T00:00:01Z"
    assert facts["address_learnt"] == "1970-01-01T00:16:43Z"
    assert facts["durable_until"] == "1970-01-01T00:00:02Z"
    assert facts["heard"] == ["1970-01-01T00:00:00.000001Z silent"]


# ---- switched off by hand, and what only looks like it ------------------------------------------------------------------


def test_a_port_that_says_off_is_no_inference_and_a_neighbour_is() -> None:
    by_port, by_neighbour = said(dark(PORT_OFF)), said(dark(ONE_SILENT))
    assert "inferred" not in by_port
    assert by_port["port_by"] == "snmp hut port 3"
    assert "its own cable" in str(by_port["cannot_tell_apart"])
    assert "cannot_tell_apart" not in said(dark(replace(PORT_OFF, port_ordered=True)))
    assert by_neighbour["inferred"] is True
    assert by_neighbour["neighbours_answer"] == ["barn", "yard"]
    assert by_neighbour["cannot_tell_apart"] == ["switched off or unplugged", "its own cable", "camera failed"]


def test_without_a_switch_a_neighbour_proves_nothing() -> None:
    verdict = decide(dark(replace(ONE_SILENT, switch="")))
    assert verdict.cause is Cause.CAMERA_UNREACHABLE
    assert verdict.evidence["address"] == "silent"


@pytest.mark.parametrize(
    "fault", [Fault.LOGIN_REFUSED, Fault.REFUSED, Fault.PROTOCOL_ERROR, Fault.AUDIO_ONLY, Fault.FROZEN]
)
def test_a_camera_that_speaks_is_not_switched_off_whatever_the_port_says(fault: Fault) -> None:
    assert decide(dark(PORT_OFF, fault)).cause is CAUSE_OF_FAULT[fault]


@pytest.mark.parametrize("fault", list(Fault))
def test_an_address_that_still_answers_is_said_and_nothing_is_claimed(fault: Fault) -> None:
    verdict = decide(dark(replace(ANSWERS, switch="hut", neighbours_answer=("yard",)), fault))
    assert verdict.cause is CAUSE_OF_FAULT[fault]
    assert verdict.evidence["address"] == "answers"
    assert "camera without power" not in str(verdict.evidence)


def test_an_address_that_was_asked_only_before_the_silence_says_nothing() -> None:
    stale = replace(ANSWERS, address_learnt=learnt("arp", 10, asked_s=990))
    assert "address" not in said(dark(stale))


def test_the_last_bytes_of_a_stream_are_no_answer_and_another_stream_that_goes_on_is() -> None:
    for asked_s, answers in ((1001, False), (1003, True)):
        heard = replace(ANSWERS, address_learnt=learnt("stream", 10, asked_s=asked_s))
        assert ("address" in said(dark(heard))) is answers


def test_an_address_that_did_not_answer_while_the_stream_played_is_no_witness() -> None:
    mute = replace(ONE_SILENT, address_learnt=learnt("arp", 500))
    verdict = decide(dark(mute))
    assert verdict.cause is Cause.CAMERA_UNREACHABLE
    assert "address" not in verdict.evidence


def test_a_port_with_a_link_has_something_with_power_at_its_other_end() -> None:
    linked = replace(ONE_SILENT, port_power=Power.ON, port_link=Power.ON, port_learnt=learnt("snmp", 10))
    assert decide(dark(linked)).cause is Cause.CAMERA_UNREACHABLE


def test_a_port_that_says_off_while_the_address_goes_on_answering_feeds_another() -> None:
    fed_otherwise = replace(PORT_OFF, address=Answer.ANSWERS, address_learnt=learnt("arp", 10, asked_s=1100))
    assert decide(dark(fed_otherwise)).cause is Cause.CAMERA_UNREACHABLE
    not_asked_again = replace(PORT_OFF, address=Answer.ANSWERS, address_learnt=learnt("arp", 10, asked_s=1001))
    assert decide(dark(not_asked_again)).cause is Cause.CAMERA_SWITCHED_OFF


@pytest.mark.parametrize("around", [PORT_OFF, ONE_SILENT, Surroundings()])
def test_mains_that_failed_first_is_no_hand_and_mains_that_failed_long_after_changes_nothing(
    around: Surroundings,
) -> None:
    first = replace(around, mains=Power.OFF, mains_learnt=learnt("nut", 995), battery_percent=80)
    verdict = decide(dark(first))
    assert verdict.cause is Cause.CAMERA_UNREACHABLE
    assert verdict.evidence["mains"] == "off"
    assert verdict.evidence["battery_percent"] == 80
    assert verdict.evidence["cannot_tell_apart"] == ["fed by the mains that failed", "switched off"]
    later = replace(first, mains_learnt=learnt("nut", 2000))
    assert decide(dark(later)).cause is decide(dark(around)).cause


def test_an_order_at_the_switch_is_no_failure_of_the_mains() -> None:
    both = replace(PORT_OFF, port_ordered=True, mains=Power.OFF, mains_learnt=learnt("nut", 995))
    assert decide(dark(both)).cause is Cause.CAMERA_SWITCHED_OFF


def test_mains_that_failed_a_quarter_of_a_minute_later_did_not_do_it() -> None:
    later = replace(ONE_SILENT, mains=Power.OFF, mains_learnt=learnt("nut", 1018))
    assert decide(dark(later)).cause is Cause.CAMERA_SWITCHED_OFF


def test_of_a_camera_that_speaks_only_its_address_matters() -> None:
    facts = said(dark(replace(ONE_SILENT, address=Answer.ANSWERS, mains=Power.OFF), Fault.LOGIN_REFUSED))
    assert facts["address"] == "answers"
    assert not {"mains", "switch", "neighbours_answer"} & facts.keys()


def test_of_several_dark_cameras_it_is_said_that_they_are_dark_together() -> None:
    facts = said(dark(ALL_SILENT))
    assert facts["finding"] == "no camera behind hut answers"
    assert facts["neighbours_silent"] == ["barn", "yard"]
    not_asked_yet = replace(ALL_SILENT, neighbours_silent=("yard",), neighbours_unknown=1)
    assert "finding" not in said(dark(not_asked_yet))


@pytest.mark.parametrize("around", [PORT_OFF, ONE_SILENT, NO_LINK])
def test_a_switch_that_restarted_took_its_cameras_along(around: Surroundings) -> None:
    restarting = replace(around, switch="hut", switch_started_boot_us=1005 * SECOND)
    verdict = decide(dark(restarting))
    assert verdict.cause is Cause.CAMERA_UNREACHABLE
    assert verdict.evidence["finding"] == "hut itself restarted"
    assert decide(dark(replace(restarting, switch_started_boot_us=SECOND))) == decide(
        dark(replace(around, switch="hut"))
    )


def test_a_port_that_is_closed_is_not_an_address_that_is_gone() -> None:
    by_tcp = replace(ONE_SILENT, address_learnt=learnt("tcp 554", 1003))
    verdict = decide(dark(by_tcp))
    assert verdict.cause is Cause.CAMERA_UNREACHABLE
    assert verdict.evidence["address_by"] == "tcp 554"


def test_outside_of_its_power_windows_silence_is_planned_and_a_refusal_is_not() -> None:
    asleep = replace(dark(Surroundings()), power_plan="outside its power windows")
    assert decide(asleep).cause is Cause.POWER_PLAN
    assert decide(replace(asleep, fault=Fault.LOGIN_REFUSED)).cause is Cause.CAMERA_REFUSED


# ---- the post's power ----------------------------------------------------------------------------------------------------


def test_the_last_words_of_the_ups_leave_nothing_to_tell_apart() -> None:
    facts = said(ROWS[30][0])
    assert "cannot_tell_apart" not in facts
    assert facts["mains_learnt"] == "1970-01-01T00:00:00.000100Z"
    assert facts["battery_percent"] == 30
    healthy = said(Evidence(restart=replace(CUT, mains=replace(FAILED, mains=Power.ON))))
    assert healthy["mains"] == "on"
    assert "cannot_tell_apart" in healthy


def test_a_stop_that_somebody_asked_for_names_the_entry() -> None:
    assert said(ROWS[28][0])["asked"] == 12


# ---- back again ----------------------------------------------------------------------------------------------------------


def test_back_soon_with_a_fresh_session_is_a_restart_and_an_inference_is_taken_back() -> None:
    cause, facts = decide(dark(ONE_SILENT))
    verdict = restarted(cause, facts, 40 * SECOND)
    assert verdict is not None
    assert verdict.cause is Cause.CAMERA_UNREACHABLE
    assert verdict.evidence["restarted"] is True
    assert verdict.evidence["back_after_ms"] == 40_000
    assert "inferred" not in verdict.evidence
    assert verdict.evidence["neighbours_answer"] == ["barn", "yard"]  # what was known then stays said


@pytest.mark.parametrize(
    ("evidence", "dark_s"),
    [
        (dark(PORT_OFF), 40),
        (dark(ONE_SILENT), 91),
        (Evidence(fault=Fault.LOGIN_REFUSED), 5),
        (Evidence(fault=Fault.SILENT), 5),
    ],
)
def test_what_a_return_does_not_change(evidence: Evidence, dark_s: int) -> None:
    assert restarted(*decide(evidence), dark_s * SECOND) is None


def test_an_entry_stays_small_whatever_is_known() -> None:
    many = tuple(f"camera-with-a-rather-long-name-{n:09d}" for n in range(500))
    around = replace(
        ONE_SILENT, switch="s" * 40, neighbours_answer=many, neighbours_silent=many, port_power=Power.OFF,
        port_link=Power.OFF, port_learnt=learnt("x" * 900, 1000), address_learnt=learnt("y" * 900, 1001),
        mains=Power.ON, mains_learnt=learnt("z" * 900, 1), battery_percent=100,
    )  # fmt: skip
    evidence = replace(
        dark(around, detail="d" * 5000),
        durable_us=1,
        heard=tuple((n * 1_234_567, Fault.LOGIN_REFUSED) for n in range(6)),
    )
    for verdict in (decide(evidence), decide(replace(evidence, around=replace(around, port_power=Power.UNKNOWN)))):
        after = restarted(verdict.cause, verdict.evidence, SECOND) or verdict
        assert len(canonical(after.evidence)) < 2000
