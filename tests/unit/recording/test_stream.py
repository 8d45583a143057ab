"""One stream: what is cut where, what covers what, and what becomes of everything that can go wrong with it."""

import pytest
from tests.support.recording import ENTRY, SECOND, WALL_0, Studio

from longwatch.accounting import Tail
from longwatch.causes import Restart
from longwatch.formats.media import Codec, Kind, Sample, SenderReport, TrackFormat
from longwatch.model.causes import Cause
from longwatch.model.sessions import Activity, Fault
from longwatch.model.stores import Provenance
from longwatch.timeline import State


def test_a_plain_hour_is_one_run_in_segments_of_a_minute() -> None:
    studio = Studio(segment_us=60 * SECOND)
    studio.open()
    studio.play(600)
    assert len(studio.index.runs) == 1
    assert len(studio.index.sealed) == 9
    assert len(studio.index.opened) == 10
    for token, opened in studio.index.opened.items():
        assert opened.sequence == token - min(studio.index.opened)
    starts = [opened.start_90k / 90_000 for opened in studio.index.opened.values()]
    assert starts == pytest.approx([60 * n for n in range(10)], abs=1.01)
    assert studio.causes() == []
    assert studio.unexplained_us() == 0
    assert studio.worst_lag_us < 2 * SECOND
    assert studio.budget.used_bytes < 200


def test_fragments_are_closed_by_the_tick_and_every_sample_is_in_one() -> None:
    studio = Studio()
    studio.open()
    studio.play(60)
    studio.tick(final=True)
    assert studio.stored_samples() == len(studio.sent)
    spans = [row.row.end_90k - row.row.start_90k for rows in studio.index.fragments.values() for row in rows]
    assert max(spans) <= 0.9 * 90_000
    assert set(studio.index.sealed) == set(studio.index.opened)


def test_silence_opens_a_gap_after_a_second_and_three_ticks_later_at_most() -> None:
    studio = Studio()
    studio.open()
    studio.play(20)
    studio.play(1.0, silent=True)
    assert studio.account.gap is None
    studio.play(1.5, silent=True)
    assert studio.account.gap is not None
    assert studio.account.gap[0] is Cause.STREAM_STALLED
    studio.play(5, silent=True)
    studio.close(Fault.SILENT, "no packet for 10 s")
    studio.play(2)
    studio.open()
    studio.play(10)
    assert [cause for cause, _ in studio.causes()] == ["stream_stalled"]
    assert studio.causes()[0][1] == pytest.approx(9.5 - 1.0, abs=0.4)
    assert studio.worst_lag_us < 2 * SECOND
    assert studio.unexplained_us() == 0


def test_late_but_whole_footage_closes_the_gap_as_if_it_never_was() -> None:
    """A burst after the network held everything back: media time is contiguous, so nothing was missing."""
    studio = Studio(jitter_us=0)
    studio.open()
    studio.play(10)
    held: list[Sample] = []
    real = studio.recorder.samples
    studio.recorder.samples = lambda batch: held.extend(batch)  # type: ignore[method-assign]
    studio.play(3)
    assert studio.account.gap is not None
    studio.recorder.samples = real  # type: ignore[method-assign]
    for sample in held:
        sample.arrival_boot_us = studio.boot_us
    studio.recorder.samples(held)
    studio.play(5)
    assert studio.causes() == []
    assert studio.index.never_were == 1
    assert studio.unexplained_us() == 0


def test_lost_packets_are_a_gap_and_what_follows_is_damaged_up_to_the_sync_sample() -> None:
    studio = Studio(gop=10)
    studio.open()
    studio.play(10.3)
    studio.lose(2)
    studio.play(10)
    assert studio.causes() == [("packets_lost", 0.4)]
    damaged = [row for rows in studio.index.fragments.values() for row in rows if row.damaged]
    assert 1 <= len(damaged) <= 4
    assert studio.unexplained_us() == 0


def test_loss_in_the_first_moments_of_a_run_is_a_gap_too() -> None:
    studio = Studio()
    studio.open()
    studio.play(0.1)
    studio.lose(1)
    studio.play(10)
    assert ("packets_lost", 0.2) in studio.causes()


def test_a_session_that_ends_and_comes_back_is_a_second_run() -> None:
    studio = Studio()
    studio.open()
    studio.play(10)
    studio.close(Fault.DISCONNECTED, "reset")
    studio.play(1)
    studio.say(Activity.WAITING, Fault.UNREACHABLE, "no route", attempt=1)
    studio.play(20)
    studio.open()
    studio.play(10)
    assert len(studio.index.runs) == 2
    assert studio.causes() == [("camera_unreachable", pytest.approx(21.0, abs=0.4))]
    (gap,) = [gap for gap in studio.index.missing() if gap.cause is Cause.CAMERA_UNREACHABLE]
    assert gap.evidence["detail"] == "no route"
    assert studio.unexplained_us() == 0


def test_a_later_change_of_cause_splits_the_gap() -> None:
    studio = Studio()
    studio.open()
    studio.play(10)
    studio.close(Fault.SILENT)
    studio.play(1)
    studio.say(Activity.WAITING, Fault.UNREACHABLE, attempt=1)
    studio.play(30)
    studio.say(Activity.WAITING, Fault.LOGIN_REFUSED, "401", attempt=2)
    studio.play(30)
    assert [cause for cause, _ in studio.causes()] == ["camera_unreachable", "camera_refused"]
    assert studio.unexplained_us() == 0


@pytest.mark.parametrize(
    ("restart", "cause"),
    [
        (Restart(orderly=True, same_boot=True, last_heartbeat_wall_us=1), "post_stopped"),
        (Restart(orderly=False, same_boot=True, last_heartbeat_wall_us=1), "recorder_failed"),
        (Restart(orderly=False, same_boot=False, last_heartbeat_wall_us=1), "post_power_lost"),
    ],
)
def test_after_a_restart_the_gap_has_its_cause_until_the_first_picture(restart: Restart, cause: str) -> None:
    studio = Studio(restart=restart, tail=Tail(WALL_0 - 30 * SECOND))
    studio.play(1)
    studio.open()
    studio.play(10)
    assert studio.causes() == [(cause, 31.0)]
    assert studio.unexplained_us() == 0


def test_after_a_restart_an_absent_camera_has_a_gap_of_its_own_from_where_the_recorder_was_ready() -> None:
    restart = Restart(orderly=False, same_boot=False, last_heartbeat_wall_us=1)
    studio = Studio(restart=restart, tail=Tail(WALL_0 - 30 * SECOND))
    studio.play(1)
    studio.say(Activity.WAITING, Fault.UNREACHABLE, attempt=1)
    studio.play(30.2)
    assert [cause for cause, _ in studio.causes()] == ["post_power_lost", "camera_unreachable"]
    assert studio.causes()[0][1] == 30.0


def test_a_camera_absent_since_it_was_set_up_is_unreachable() -> None:
    studio = Studio()
    studio.play(1)
    studio.say(Activity.WAITING, Fault.UNREACHABLE, attempt=1)
    studio.play(30)
    assert [cause for cause, _ in studio.causes()] == ["camera_unreachable"]


def test_changed_parameters_begin_a_new_segment_of_the_same_run() -> None:
    studio = Studio(segment_us=3600 * SECOND, gop=5)
    studio.open()
    studio.play(10)
    bigger = TrackFormat(Kind.VIDEO, Codec.H264, 90_000, ENTRY + b"x", "avc1.640028", 1920, 1080, 5.0)
    while studio._frame % studio.gop:
        studio.play(0.2)
    studio.recorder.formats_changed((bigger,))
    studio.play(10)
    assert len(studio.index.runs) == 1
    assert len(studio.index.opened) == 2
    first, second = studio.index.opened.values()
    assert first.header != second.header
    assert studio.causes() == []


@pytest.mark.parametrize("ticks", [90_000 * 3600, -90_000 * 3600, (1 << 32), -1, -90_000])
def test_media_times_that_leap_are_bridged_and_nothing_is_lost(ticks: int) -> None:
    studio = Studio()
    studio.open()
    studio.play(10)
    studio.jump(ticks)
    studio.play(10)
    studio.tick(final=True)
    assert studio.stored_samples() == len(studio.sent)
    assert studio.unexplained_us() == 0
    assert sum(seconds for _, seconds in studio.causes()) < 0.3
    last = studio.tiles()[-1]
    assert last.to_us == pytest.approx(studio.wall_us, abs=SECOND)


def test_storage_that_fails_is_a_gap_from_where_it_was_durable() -> None:
    studio = Studio(segment_us=3600 * SECOND)
    studio.open()
    studio.play(10)
    studio.failing = (Cause.STORAGE_FULL, "no space left")
    studio.play(5)
    studio.failing = None
    studio.play(10)
    assert [cause for cause, _ in studio.causes()] == ["storage_full"]
    assert studio.causes()[0][1] == pytest.approx(5, abs=2)
    assert studio.unexplained_us() == 0
    assert studio.budget.used_bytes < 200


def test_what_the_buffer_cannot_hold_is_dropped_up_to_a_sync_sample_and_said() -> None:
    """A hung disk: no tick comes back, samples pile up to the limit, and recording resumes by itself."""
    studio = Studio(stream_buffer_bytes=600, fps=5, gop=5)
    studio.open()
    studio.play(5)
    real, studio.tick = studio.tick, lambda **_: None  # type: ignore[method-assign]
    studio.play(20)
    studio.tick = real  # type: ignore[method-assign]
    studio.play(20)
    assert [cause for cause, _ in studio.causes()] == ["storage_failed"]
    assert studio.recorder.dropped_bytes > 0
    (gap,) = [gap for gap in studio.index.missing() if gap.cause is Cause.STORAGE_FAILED]
    assert gap.evidence["dropped_bytes"] == 20
    assert studio.unexplained_us() == 0
    assert studio.tiles()[-1].state is State.RECORDED


def test_outside_the_schedule_nothing_is_stored() -> None:
    studio = Studio()
    begins_us, ends_us = WALL_0 + 20 * SECOND, WALL_0 + 40 * SECOND
    studio.not_planned = lambda wall_us: "" if begins_us <= wall_us < ends_us else "outside the schedule"
    studio.open()
    studio.play(60)
    assert [cause for cause, _ in studio.causes()] == ["not_scheduled", "not_scheduled"]
    assert studio.recorded_us() == pytest.approx(20 * SECOND, abs=2 * SECOND)
    recorded = [t for t in studio.tiles() if t.state is State.RECORDED]
    assert recorded[0].from_us >= begins_us
    assert studio.unexplained_us() == 0


def test_audio_lies_beside_its_video() -> None:
    studio = Studio(audio=True)
    studio.open()
    dts = 77_000
    for _ in range(300):
        studio.play(0.064)
        studio.recorder.samples([Sample(1, dts, 0, True, b"aac", studio.boot_us)])
        dts += 1024
    studio.tick(final=True)
    from longwatch.formats.bmff import scan_fragments

    ends: list[tuple[float, float]] = []
    for rows in studio.index.fragments.values():
        for row in rows:
            data = b"".join(row.parts)
            for found in scan_fragments(lambda at, size, data=data: data[at : at + size], 0, len(data)):
                times = {run.track_index: (run.dts + sum(run.durations)) for run in found.runs}
                if 1 in times:
                    ends.append((times[0] / 90_000, times[1] / 16_000))
    assert len(ends) > 20
    assert max(abs(video - audio) for video, audio in ends) < 0.35


def test_slow_cameras_are_covered_between_their_pictures() -> None:
    """One picture in two seconds: a sample covers up to three times the median."""
    studio = Studio(fps=0.5, gop=1)
    studio.open()
    studio.play(120)
    assert studio.causes() == []
    assert studio.unexplained_us() == 0
    assert studio.worst_lag_us < 2 * SECOND


def test_a_stop_seals_and_leaves_nothing_open() -> None:
    studio = Studio()
    studio.open()
    studio.play(10.5)
    studio.tick(final=True)
    assert set(studio.index.sealed) == set(studio.index.opened)
    assert studio.index.ended == set(studio.index.runs)
    assert studio.account.gap is None


def test_a_camera_that_knows_the_time_better_than_a_host_without_ntp_is_believed_from_the_next_run_on() -> None:
    """The hour between the two clocks is no stall: no footage is missing."""
    studio = Studio(synchronised=False)
    studio.open()
    for _ in range(12):
        studio.play(5)
        media = studio.sent[-1][1]
        ntp_us = studio.sent[-1][0] + studio.offset_us + 3600 * SECOND
        studio.recorder.sender_report(SenderReport(0, media, ntp_us, studio.boot_us))
    studio.tick(final=True)
    assert studio.stored_samples() == len(studio.sent)
    assert [start.provenance for start in studio.index.runs.values()] == [Provenance.RTC, Provenance.RTCP]
    spans = sorted(studio.index.recorded(), key=lambda span: span.run)
    assert spans[1].from_us - spans[0].to_us == pytest.approx(3600 * SECOND, abs=SECOND)
    (gap,) = [gap for gap in studio.index.missing() if "clock_step_us" in gap.evidence]
    assert gap.cause is Cause.UNKNOWN
    assert studio.unexplained_us() == 0


def test_a_group_of_pictures_sent_in_one_burst_at_the_start_is_placed_before_the_session() -> None:
    """Proxies send what they hold since the last sync sample: it was seen then, not now."""
    studio = Studio(jitter_us=0)
    studio.play(10)
    studio.open()
    burst = [Sample(0, studio._dts + n * 18_000, 0, n == 0, b"x" * 9, studio.boot_us) for n in range(15)]
    studio.recorder.samples(burst)
    studio._dts += 15 * 18_000
    studio._next_frame_us += 200_000
    studio.play(10)
    (span,) = studio.index.recorded()
    assert span.from_us == WALL_0 + 10 * SECOND - 14 * 200_000
    assert studio.unexplained_us() == 0


def test_a_leap_in_the_first_moments_does_not_place_the_run_elsewhere() -> None:
    studio = Studio(jitter_us=0)
    studio.open()
    studio.play(0.1)
    studio.jump(90_000 * 3600)
    studio.play(10)
    assert min(span.from_us for span in studio.index.recorded()) >= WALL_0


def test_what_went_by_while_the_recorder_did_not_run_is_not_blamed_on_the_camera() -> None:
    studio = Studio()
    studio.open()
    studio.play(20)
    stalled_us = studio.boot_us
    studio._next_tick_us += 8 * SECOND
    studio.play(8, silent=True)
    studio.recorder.stalled = (stalled_us, studio.boot_us)
    studio.play(10)
    assert [cause for cause, _ in studio.causes()] == ["recorder_failed"]
    studio.play(5, silent=True)
    studio.play(10)
    assert [cause for cause, _ in studio.causes()] == ["recorder_failed", "stream_stalled"]
    assert studio.unexplained_us() == 0
