"""The account of one stream, operation by operation."""

from dataclasses import dataclass

import pytest

from longwatch.accounting import StreamAccount, Tail
from longwatch.archive.ops import GapClose, GapOpen, GapRefine, IndexOp, SpanExtend, StreamSetUp
from longwatch.causes import Evidence, Restart
from longwatch.model.causes import Cause
from longwatch.model.sessions import Activity, Fault, StreamKey, StreamStatus
from longwatch.model.stores import Provenance

KEY = StreamKey("gate", "main")
SECOND = 1_000_000


@dataclass
class Stretch:
    run: int
    from_us: int
    to_us: int
    begins: bool = False
    before: Evidence | None = None
    provenance: Provenance = Provenance.NTP


def said(ops: list[IndexOp]) -> list[object]:
    lines: list[object] = []
    for op in ops:
        if isinstance(op, SpanExtend):
            lines.append(("span", op.run, op.from_us, op.to_us))
        elif isinstance(op, GapOpen):
            lines.append(("open", op.from_us, str(op.cause)))
        elif isinstance(op, GapRefine):
            lines.append(("refine", str(op.cause)))
        elif isinstance(op, GapClose):
            lines.append(("close", op.to_us))
        elif isinstance(op, StreamSetUp):
            lines.append(("set up", op.at_us))
    return lines


def waiting(fault: Fault, attempt: int = 1) -> StreamStatus:
    return StreamStatus(Activity.WAITING, 0, fault, "why", attempt=attempt)


def new() -> StreamAccount:
    return StreamAccount(KEY, Tail(1000), None, 1000)


def test_a_span_grows() -> None:
    account = new()
    assert said(account.tick(2000, [Stretch(1, 1000, 2000, True)], None, None, "")) == [("span", 1, 1000, 2000)]
    assert said(account.tick(3000, [Stretch(1, 1000, 3000)], None, None, "")) == [("span", 1, 1000, 3000)]
    assert account.accounted_until_us == 3000
    assert account.gap is None


def test_a_gap_opens_where_the_span_ended_and_closes_where_the_next_begins() -> None:
    account = new()
    account.tick(2000, [Stretch(1, 1000, 2000, True)], None, None, "")
    lost = Evidence(fault=Fault.SILENT)
    assert said(account.tick(9000, [], lost, None, "")) == [("open", 2000, "stream_stalled")]
    assert account.accounted_until_us == 9000
    assert account.gap == (Cause.STREAM_STALLED, 2000)
    assert said(account.tick(12_000, [Stretch(2, 10_000, 12_000, True)], None, None, "")) == [
        ("close", 10_000),
        ("span", 2, 10_000, 12_000),
    ]


def test_a_seam_within_a_run_is_no_row_of_its_own() -> None:
    account = new()
    parts = [Stretch(1, 1000 + n * 5000, 5000 + n * 5000, True, Evidence(lost_packets=1)) for n in range(200)]
    lines = said(account.tick(2 * SECOND, parts, None, None, ""))
    assert {line[:3] for line in lines if isinstance(line, tuple)} == {("span", 1, 1000)}
    assert lines[-1] == ("span", 1, 1000, 1_000_000)


def test_a_seam_between_two_runs_is_joined_and_each_keeps_its_row() -> None:
    account = new()
    account.tick(50_000, [Stretch(1, 1000, 50_000, True)], None, None, "")
    assert said(account.tick(90_000, [Stretch(2, 60_000, 90_000, True)], None, None, "")) == [
        ("span", 1, 1000, 60_000),
        ("span", 2, 60_000, 90_000),
    ]


def test_a_gap_between_two_stretches_of_one_tick_is_opened_and_closed_at_once() -> None:
    account = new()
    parts = [Stretch(1, 1000, 2000, True), Stretch(1, 50_000, 60_000, True, Evidence(lost_packets=2))]
    assert said(account.tick(60_000, parts, None, None, "")) == [
        ("span", 1, 1000, 2000), ("open", 2000, "packets_lost"), ("close", 50_000), ("span", 1, 50_000, 60_000),
    ]  # fmt: skip


def test_runs_that_follow_each_other_closely_are_joined_and_never_overlap() -> None:
    account = new()
    account.tick(2000, [Stretch(1, 1000, 2000, True)], None, None, "")
    assert said(account.tick(9000, [Stretch(2, 2500, 9000, True)], None, None, "")) == [
        ("span", 1, 1000, 2500),
        ("span", 2, 2500, 9000),
    ]
    assert said(account.tick(19_000, [Stretch(3, 8000, 19_000, True)], None, None, "")) == [("span", 3, 9000, 19_000)]
    assert said(account.tick(29_000, [Stretch(3, 8000, 29_000)], None, None, "")) == [("span", 3, 9000, 29_000)]


def test_footage_that_comes_late_but_joins_on_says_that_the_gap_never_was() -> None:
    account = new()
    account.tick(2000, [Stretch(1, 1000, 2000, True)], None, None, "")
    account.tick(9000, [Stretch(1, 1000, 2000)], Evidence(fault=Fault.SILENT), None, "")
    assert said(account.tick(10_000, [Stretch(1, 1000, 10_000)], None, None, "")) == [
        ("close", 2000),
        ("span", 1, 1000, 10_000),
    ]


def test_the_first_attempt_after_a_session_refines_the_whole_and_a_later_one_splits() -> None:
    account = new()
    account.tick(2000, [Stretch(1, 1000, 2000, True)], None, None, "")
    silent = Evidence(fault=Fault.SILENT)
    account.tick(3000, [], silent, waiting(Fault.SILENT), "")
    assert said(account.tick(4000, [], silent, waiting(Fault.UNREACHABLE, 2), "")) == [("refine", "camera_unreachable")]
    assert said(account.tick(5000, [], silent, waiting(Fault.UNREACHABLE, 3), "")) == []
    assert said(account.tick(6000, [], silent, waiting(Fault.LOGIN_REFUSED, 4), "")) == [
        ("close", 6000),
        ("open", 6000, "camera_refused"),
    ]


def test_attempts_that_find_the_same_write_nothing() -> None:
    account = new()
    account.tick(2000, [], Evidence(), waiting(Fault.UNREACHABLE, 1), "")
    for attempt in range(2, 50):
        assert account.tick(2000 + attempt, [], Evidence(), waiting(Fault.UNREACHABLE, attempt), "") == []


@pytest.mark.parametrize("scheduled", [True, False])
def test_a_restart_has_its_gap_up_to_where_the_recorder_was_ready(scheduled: bool) -> None:
    restart = Restart(orderly=False, same_boot=True, last_heartbeat_wall_us=900)
    account = StreamAccount(KEY, Tail(1000), restart, 5000)
    ops = said(
        account.tick(6000, [], Evidence(), waiting(Fault.UNREACHABLE), "" if scheduled else "outside the schedule")
    )
    assert ops[:1] == [("open", 1000, "recorder_failed")]
    assert ("open", 5000, "camera_unreachable" if scheduled else "not_scheduled") in ops


def test_the_schedule_splits_a_gap_both_ways() -> None:
    account = new()
    account.tick(2000, [Stretch(1, 1000, 2000, True)], None, None, "")
    outside = Evidence(not_planned="outside the schedule")
    assert said(account.tick(3000, [], outside, None, "outside the schedule")) == [("open", 2000, "not_scheduled")]
    assert said(account.tick(9000, [], outside, None, "")) == []  # waiting for a picture that stands alone
    assert said(account.tick(10_000, [], outside, waiting(Fault.UNREACHABLE), "")) == [
        ("close", 10_000),
        ("open", 10_000, "camera_unreachable"),
    ]
    assert said(account.tick(11_000, [], outside, waiting(Fault.UNREACHABLE, 2), "outside the schedule")) == [
        ("close", 11_000), ("open", 11_000, "not_scheduled"),
    ]  # fmt: skip


def test_what_storage_did_not_keep_is_taken_back() -> None:
    account = new()
    account.tick(2000, [Stretch(1, 1000, 2000, True)], None, None, "")
    account.tick(4000, [Stretch(1, 1000, 4000)], None, None, "")
    account.storage_failed(Cause.STORAGE_FULL, "no space")
    assert account.accounted_until_us == 2000, "what the gap will say is not said yet"
    full = Evidence(storage=Cause.STORAGE_FULL, storage_detail="no space")
    assert said(account.tick(5000, [], full, None, "")) == [("open", 2000, "storage_full")]
    assert account.accounted_until_us == 5000


def test_what_storage_did_not_keep_before_a_gap_of_the_same_tick_is_a_gap_of_its_own() -> None:
    account = new()
    account.tick(2000, [Stretch(1, 1000, 2000, True)], None, None, "")
    outside = Evidence(not_planned="outside the schedule")
    account.tick(4000, [Stretch(1, 1000, 3000)], outside, None, "outside the schedule")
    account.storage_failed(Cause.STORAGE_FAILED, "EIO")
    assert said(account.tick(5000, [], outside, None, "outside the schedule")) == [
        ("open", 2000, "storage_failed"),
        ("close", 3000),
    ]


def test_a_clock_set_back_ends_an_open_gap_by_the_old_clock_and_goes_on_by_the_new() -> None:
    account = new()
    account.tick(2000, [Stretch(1, 1000, 2000, True)], None, None, "")
    account.tick(50 * SECOND, [], Evidence(fault=Fault.SILENT), None, "")
    assert said(account.clock_stepped(60 * SECOND, 10 * SECOND)) == [
        ("close", 60 * SECOND),
        ("open", 10 * SECOND, "stream_stalled"),
    ]
    assert said(account.clock_stepped(20 * SECOND, 90 * SECOND)) == []


def unheard() -> StreamAccount:
    """A stream that the archive has no word of."""
    return StreamAccount(KEY, Tail(1000), None, 1000, set_up=False)


def test_a_new_stream_that_comes_at_once_is_set_up_with_its_first_picture_and_has_no_gap() -> None:
    account = unheard()
    assert said(account.tick(1000, [], Evidence(), None, "")) == []
    assert account.accounted_until_us == 1000  # what comes after is pending
    assert account.gap is None
    assert said(account.tick(601_000, [Stretch(1, 50_000, 600_000, True)], None, None, "")) == [
        ("set up", 50_000), ("span", 1, 50_000, 600_000),
    ]  # fmt: skip
    assert said(account.tick(1_201_000, [Stretch(1, 50_000, 1_200_000)], None, None, "")) == [
        ("span", 1, 50_000, 1_200_000)
    ]


@pytest.mark.parametrize(
    ("status", "not_planned", "cause"),
    [
        (waiting(Fault.UNREACHABLE), "", "camera_unreachable"),
        (waiting(Fault.LOGIN_REFUSED), "", "camera_refused"),
        (None, "record: never", "not_scheduled"),
    ],
)
def test_a_new_stream_that_does_not_come_has_its_gap_from_where_the_recorder_was_ready(
    status: StreamStatus | None, not_planned: str, cause: str
) -> None:
    account = unheard()
    assert said(account.tick(1000, [], Evidence(), None, "")) == []
    assert said(account.tick(601_000, [], Evidence(), status, not_planned)) == [
        ("set up", 1000), ("open", 1000, cause),
    ]  # fmt: skip
    assert account.accounted_until_us == 601_000


def test_a_new_stream_whose_first_session_takes_its_time_is_not_pending_for_long() -> None:
    account = unheard()
    account.tick(1000, [], Evidence(), None, "")
    assert said(account.tick(1_001_000, [], Evidence(), None, "")) == [("set up", 1000), ("open", 1000, "post_stopped")]
    assert said(account.tick(5_000_000, [], Evidence(), waiting(Fault.UNREACHABLE), "")) == [
        ("refine", "camera_unreachable")
    ]


def test_a_new_stream_whose_first_media_storage_refused_is_set_up_and_its_gap_closes() -> None:
    account = unheard()
    account.tick(1000, [], Evidence(), None, "")
    account.storage_failed(Cause.STORAGE_FULL, "no space")
    assert said(account.tick(601_000, [Stretch(1, 500_000, 600_000, True)], None, None, "")) == [
        ("set up", 1000), ("open", 1000, "storage_full"), ("close", 500_000), ("span", 1, 500_000, 600_000),
    ]  # fmt: skip
