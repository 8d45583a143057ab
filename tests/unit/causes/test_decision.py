"""One test per row of docs/design/causes.md."""

import re
from pathlib import Path

import pytest

from longwatch.causes import CAUSE_OF_FAULT, Evidence, Restart, decide
from longwatch.ledger import canonical
from longwatch.model.causes import Cause
from longwatch.model.sessions import Fault

CUT = Restart(orderly=False, same_boot=False, last_heartbeat_wall_us=123)
CRASH = Restart(orderly=False, same_boot=True, last_heartbeat_wall_us=123)
STOP = Restart(orderly=True, same_boot=False, last_heartbeat_wall_us=123)
NOBODY_KNOWS = Restart(orderly=False, same_boot=False, last_heartbeat_wall_us=None)

ROWS = {
    1: (
        Evidence(not_planned="outside the schedule", storage=Cause.STORAGE_FULL, fault=Fault.SILENT),
        Cause.NOT_SCHEDULED,
    ),
    2: (Evidence(storage=Cause.STORAGE_FULL, storage_detail="no space", fault=Fault.UNREACHABLE), Cause.STORAGE_FULL),
    3: (Evidence(storage=Cause.STORAGE_FAILED, storage_detail="EIO", dropped_bytes=5), Cause.STORAGE_FAILED),
    4: (Evidence(dropped_bytes=5, fault=Fault.SILENT), Cause.STORAGE_FAILED),
    5: (Evidence(fault=Fault.UNREACHABLE, detail="no route", attempts=3, restart=CUT), Cause.CAMERA_UNREACHABLE),
    6: (Evidence(fault=Fault.DISCONNECTED, lost_packets=3), Cause.CAMERA_UNREACHABLE),
    7: (Evidence(fault=Fault.LOGIN_REFUSED), Cause.CAMERA_REFUSED),
    8: (Evidence(fault=Fault.REFUSED), Cause.CAMERA_REFUSED),
    9: (Evidence(fault=Fault.PROTOCOL_ERROR), Cause.CAMERA_REFUSED),
    10: (Evidence(fault=Fault.TIMED_OUT), Cause.STREAM_STALLED),
    11: (Evidence(fault=Fault.SILENT), Cause.STREAM_STALLED),
    12: (Evidence(fault=Fault.AUDIO_ONLY), Cause.STREAM_STALLED),
    13: (Evidence(fault=Fault.FROZEN), Cause.STREAM_STALLED),
    14: (Evidence(fault=Fault.UNUSABLE), Cause.STREAM_STALLED),
    15: (Evidence(lost_packets=4, restart=CRASH), Cause.PACKETS_LOST),
    16: (Evidence(restart=NOBODY_KNOWS, starting=True), Cause.UNKNOWN),
    17: (Evidence(restart=STOP), Cause.POST_STOPPED),
    18: (Evidence(restart=CRASH, starting=True), Cause.RECORDER_FAILED),
    19: (Evidence(restart=CUT, starting=True), Cause.POST_POWER_LOST),
    20: (Evidence(ended_by_us="its settings changed"), Cause.POST_STOPPED),
    21: (Evidence(starting=True), Cause.POST_STOPPED),
    22: (Evidence(timestamps="media time ran away"), Cause.STREAM_STALLED),
    23: (Evidence(clock_step_us=3_600_000_000), Cause.UNKNOWN),
    24: (Evidence(failure="struct.error"), Cause.RECORDER_FAILED),
    25: (Evidence(), Cause.UNKNOWN),
}


@pytest.mark.parametrize("row", ROWS)
def test_row(row: int) -> None:
    evidence, cause = ROWS[row]
    verdict = decide(evidence)
    assert verdict.cause is cause
    assert canonical(verdict.evidence)  # fit for the ledger
    assert bool(verdict.evidence) == (row != 25)


def test_the_table_of_the_design_page_has_these_rows_and_causes() -> None:
    page = (Path(__file__).parents[3] / "docs/design/causes.md").read_text(encoding="utf-8")
    listed = {int(n): cause for n, cause in re.findall(r"^\| (\d+) \|.*?\| `([a-z_]+)` \|", page, re.M)}
    assert listed == {row: str(cause) for row, (_, cause) in ROWS.items()}


def test_what_cannot_be_told_apart_is_listed_and_not_claimed() -> None:
    assert decide(ROWS[19][0]).evidence["cannot_tell_apart"] == ["power lost", "host reset", "host crashed"]
    assert "camera without power" in decide(ROWS[5][0]).evidence["cannot_tell_apart"]
    assert "cannot_tell_apart" not in decide(ROWS[18][0]).evidence


def test_every_fault_has_a_cause() -> None:
    assert set(CAUSE_OF_FAULT) == set(Fault)


def test_evidence_is_for_people_its_times_are_written_out() -> None:
    assert decide(Evidence(restart=CRASH)).evidence["last_heartbeat"] == "1970-01-01T00:00:00.000123Z"
    assert "last_heartbeat" not in decide(Evidence(restart=NOBODY_KNOWS)).evidence
