"""The alarms, on a clock moved by hand: what is raised when, what goes on, what is said again, and what bounds it."""

from __future__ import annotations

import itertools

import pytest

from longwatch.accounting.alarms import Alarms, Seen, Subject, Trouble
from longwatch.archive.ops import Act, AlarmEnd, AlarmRaise, AlarmRefine, AlarmRepeat, GapClose, GapOpen, GapRefine
from longwatch.base.clock import ManualClock
from longwatch.model.alarms import Acknowledgement, Alarm, AlarmKind
from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
GATE = Subject(AlarmKind.CAMERA_SILENT, "gate")
DISK = Subject(AlarmKind.STORAGE, "disk")
UNREACHABLE = str(Cause.CAMERA_UNREACHABLE)


class Post:
    """A recorder's second: `silent`, `back`, `rests`, ... say what is seen; each looks once a second for a while."""

    def __init__(
        self, standing: list[Alarm] | None = None, *, cut: bool = False, clock: ManualClock | None = None
    ) -> None:
        self.clock = clock or ManualClock()
        first = 1 + max((alarm.id for alarm in standing or []), default=0)
        self.alarms = Alarms(standing or [], first, self.clock.wall_us(), self.clock.boottime_us(), after_power_cut=cut)
        self.done: list[tuple[int, Act]] = []
        self.began_us = self.clock.boottime_us()
        self._since: dict[Subject, int] = {}

    def look(self, seen: Seen, seconds: int = 1, step_s: int = 1) -> list[Act]:
        said: list[Act] = []
        for _ in range(0, seconds, step_s):
            self.clock.tick(step_s * SECOND)
            done = self.alarms.look(seen, self.clock.boottime_us(), self.clock.wall_us())
            self.note(done)
            said += done
        return said

    def note(self, said: list[Act]) -> None:
        self.done += [((self.clock.boottime_us() - self.began_us) // SECOND, op) for op in said]

    def silent(self, seconds: int = 1, cause: str = UNREACHABLE, subject: Subject = GATE, step_s: int = 1) -> list[Act]:
        since_us = self._since.setdefault(subject, self.clock.wall_us())
        camera = subject.name if subject.kind is AlarmKind.CAMERA_SILENT else ""
        return self.look(Seen([Trouble(subject, since_us, camera, cause, {"fault": "x"})]), seconds, step_s)

    def back(self, seconds: int = 1, subject: Subject = GATE) -> list[Act]:
        self._since.pop(subject, None)
        return self.look(Seen(well=frozenset({subject})), seconds)

    def rests(self, seconds: int = 1) -> list[Act]:
        self._since.pop(GATE, None)
        return self.look(Seen(resting={GATE: "recording is not wanted now: not_scheduled"}), seconds)

    def nothing(self, seconds: int = 1) -> list[Act]:
        return self.look(Seen(unclear=frozenset({GATE})), seconds)

    def gap(self, *said: GapOpen | GapRefine | GapClose, camera: str = "gate") -> list[Act]:
        done = self.alarms.gap_told(camera, said, self.clock.boottime_us(), self.clock.wall_us())
        self.note(done)
        return done

    def kinds(self) -> list[str]:
        return [type(op).__name__.removeprefix("Alarm").lower() for _, op in self.done]


@pytest.fixture
def post() -> Post:
    return Post()


def kept(alarm: AlarmRaise, *, repeats: int = 0, cause: str = "", acknowledged: bool = False) -> Alarm:
    """The row of an alarm as the archive gives it to the next start."""
    body = {**alarm.facts, "subject": alarm.subject, "cause": cause or alarm.cause, "evidence": dict(alarm.evidence)}
    by = Acknowledgement(9, alarm.raised_us + 1, "ada", "known") if acknowledged else None
    return Alarm(alarm.id, alarm.kind, alarm.camera, alarm.raised_us, None, repeats, body, by)


def raised(said: list[Act]) -> AlarmRaise:
    (op,) = [op for op in said if isinstance(op, AlarmRaise)]
    return op


# ---- a camera that is silent -----------------------------------------------------------------------------------------


def test_a_camera_silent_for_ten_seconds_is_raised_with_its_cause_and_since_when(post: Post) -> None:
    since_us = post.clock.wall_us()
    assert post.silent(9) == []
    alarm = raised(post.silent(2))
    assert (alarm.kind, alarm.camera, alarm.cause, alarm.since_us) == (
        AlarmKind.CAMERA_SILENT,
        "gate",
        UNREACHABLE,
        since_us,
    )
    assert alarm.evidence == {"fault": "x"}
    assert 10 * SECOND <= alarm.raised_us - since_us <= 11 * SECOND


@pytest.mark.parametrize(
    "story",
    [
        ["silent 9", "back 1", "silent 9", "back 1", "silent 9"],
        ["rests 100"],
        ["rests 100", "silent 9", "rests 100"],
        ["back 100"],
        ["nothing 1000"],
        ["silent 5", "nothing 1", "rests 1", "silent 9"],
        ["silent 9", "gone 1", "silent 9"],
    ],
)
def test_what_is_no_alarm(post: Post, story: list[str]) -> None:
    post.back(20)
    for step in story:
        what, seconds = step.split()
        if what == "gone":
            post.look(Seen(), int(seconds))
            post._since.clear()
        else:
            getattr(post, what)(int(seconds))
    assert post.done == []


def test_a_gap_that_is_older_than_the_first_look_counts_from_where_the_recorder_began_to_look(post: Post) -> None:
    post._since[GATE] = post.clock.wall_us() - HOUR
    assert post.silent(9) == []
    assert raised(post.silent(2)).since_us == post._since[GATE]


def test_what_is_told_late_counts_from_where_the_silence_began(post: Post) -> None:
    post.back(60)
    post._since[GATE] = post.clock.wall_us() - 4 * SECOND
    assert post.silent(5) == []
    assert raised(post.silent(2))


def test_a_while_in_which_the_recorder_stood_still_is_no_silence_of_a_camera(post: Post) -> None:
    post.back(60)
    gap_us = post.clock.wall_us()
    post.clock.tick(60 * SECOND)
    post._since[GATE] = gap_us
    assert post.silent(9) == []
    post.back(5)
    post.silent(5)
    post.clock.tick(60 * SECOND)
    assert post.silent(4) == [], "five seconds of silence, and a minute nobody saw"
    assert raised(post.silent(3))


def test_after_a_power_cut_cameras_have_time_to_come_up_too() -> None:
    post = Post(cut=True)
    assert post.silent(89) == []
    post.back(30)
    assert post.done == []
    post = Post(cut=True)
    post.silent(89)
    assert raised(post.silent(2))


def test_it_stays_until_the_camera_is_back_for_a_while_and_then_ends_by_itself(post: Post) -> None:
    alarm = raised(post.silent(11))
    assert post.back(5) == []
    (end,) = post.back(2)
    assert isinstance(end, AlarmEnd)
    assert (end.id, end.why) == (alarm.id, "it is back")
    assert post.back(100) == []
    assert raised(post.silent(11)).id == alarm.id + 1


def test_what_is_unclear_neither_raises_nor_ends(post: Post) -> None:
    raised(post.silent(11))
    assert post.nothing(40) == []
    assert [type(op) for op in post.nothing(40)] == [AlarmRepeat]


def test_a_planned_rest_ends_it_and_says_so(post: Post) -> None:
    raised(post.silent(11))
    (end,) = post.rests(1)
    assert isinstance(end, AlarmEnd)
    assert "not_scheduled" in end.why


def test_a_camera_taken_out_of_the_settings_ends_it(post: Post) -> None:
    raised(post.silent(11))
    (end,) = post.look(Seen())
    assert isinstance(end, AlarmEnd)


def test_the_cause_follows_its_refinement_and_a_cause_that_goes_to_and_fro_is_bounded(post: Post) -> None:
    raised(post.silent(11))
    (refined,) = post.silent(1, str(Cause.CAMERA_SWITCHED_OFF))
    assert isinstance(refined, AlarmRefine)
    assert refined.cause == Cause.CAMERA_SWITCHED_OFF
    post.done.clear()
    for n in range(DAY // SECOND // 2):
        post.silent(2, (UNREACHABLE, str(Cause.STREAM_STALLED))[n % 2], step_s=2)
    assert post.kinds().count("refine") <= 31


# ---- said again ------------------------------------------------------------------------------------------------------


def test_a_week_of_silence_is_said_after_a_minute_an_hour_a_day_and_daily(post: Post) -> None:
    post.silent(20)
    post.silent(7 * DAY // SECOND, step_s=5)
    raised_s = next(at for at, op in post.done if isinstance(op, AlarmRaise))
    said = [at - raised_s for at, op in post.done if isinstance(op, AlarmRepeat)]
    wanted = [60, 3600, *(n * 86_400 for n in range(1, 7 + 1))][: len(said)]
    assert len(said) == 9
    for at, due in itertools.zip_longest(said, wanted):
        assert due <= at <= due + 10
    assert [op.repeats for _, op in post.done if isinstance(op, AlarmRepeat)] == list(range(1, 10))
    assert post.kinds().count("raise") == 1


def test_once_acknowledged_it_is_not_said_again_and_still_ends(post: Post) -> None:
    alarm = raised(post.silent(11))
    post.alarms.acknowledged(alarm.id)
    assert post.silent(2 * DAY // SECOND, step_s=10) == []
    (end,) = post.back(10)
    assert isinstance(end, AlarmEnd)
    assert raised(post.silent(11)).id == alarm.id + 1, "acknowledged was that silence, not every later one"


# ---- flapping --------------------------------------------------------------------------------------------------------


def test_a_flapping_camera_is_a_dozen_alarms_in_an_hour_at_most(post: Post) -> None:
    for _ in range(6 * 3600 // 20):
        post.silent(12)
        post.back(8)
    assert post.kinds().count("raise") <= 12
    assert len(post.done) <= 4 * 12


def test_one_that_is_seldom_back_is_one_alarm_that_counts_its_returns(post: Post) -> None:
    for _ in range(100):
        post.silent(30)
        post.back(3)
    assert post.kinds().count("raise") == 1
    assert post.kinds().count("end") == 0
    (end,) = post.back(20)
    assert isinstance(end, AlarmEnd)
    assert end.facts["returns"] >= 99


def test_a_worst_case_flapper_is_bounded_in_a_day(post: Post) -> None:
    """As soon as the alarm ended the camera is silent again."""
    for _ in range(DAY // SECOND // 30):
        if GATE in post.alarms.standing:
            post.back(30)
        else:
            post.silent(30)
    assert post.kinds().count("raise") <= 24 * 12


def test_volumes_that_flap_are_bounded_too(post: Post) -> None:
    for _ in range(1000):
        post.silent(1, str(Cause.STORAGE_FAILED), DISK)
        post.back(2, DISK)
    assert post.kinds().count("raise") == 1


def test_a_failed_volume_is_raised_at_once(post: Post) -> None:
    assert raised(post.silent(1, str(Cause.STORAGE_FULL), DISK)).camera == ""


# ---- over restarts ---------------------------------------------------------------------------------------------------


def test_the_same_alarm_goes_on_after_a_restart(post: Post) -> None:
    alarm = raised(post.silent(30))
    again = Post([kept(alarm)], clock=post.clock)
    post.clock.tick(20 * SECOND)
    said = again.silent(60)
    assert [type(op) for op in said] == [AlarmRepeat]
    assert said[0].id == alarm.id
    (end,) = again.back(10)
    assert end.id == alarm.id


def test_what_was_due_while_the_post_was_away_is_said_once(post: Post) -> None:
    alarm = raised(post.silent(30))
    post.clock.tick(3 * DAY)
    again = Post([kept(alarm)], clock=post.clock)
    assert [type(op) for op in again.silent(30 * 60)] == [AlarmRepeat]


@pytest.mark.parametrize("years", [-56, -2, 10])
def test_a_clock_that_was_set_meanwhile_moves_no_repetition_far(post: Post, years: int) -> None:
    alarm = raised(post.silent(30))
    post.clock.step_wall(years * 365 * DAY)
    again = Post([kept(alarm)], clock=post.clock)
    said = again.silent(120)
    assert [type(op) for op in said] == [AlarmRepeat]


def test_an_acknowledged_one_stays_so_over_a_restart(post: Post) -> None:
    alarm = raised(post.silent(30))
    again = Post([kept(alarm, acknowledged=True)], clock=post.clock)
    assert again.silent(2 * 3600) == []


def test_steps_of_the_clock_change_nothing_while_it_runs(post: Post) -> None:
    post.silent(5)
    post.clock.step_wall(10 * 365 * DAY)
    post.silent(4)
    assert post.done == []
    post.silent(3)
    assert post.kinds() == ["raise"]
    post.clock.step_wall(-20 * 365 * DAY)
    assert post.silent(40) == []


# ---- what cannot be explained ----------------------------------------------------------------------------------------


def opened(token: int, cause: Cause, at_us: int, **evidence: object) -> GapOpen:
    return GapOpen(token, StreamKey("gate", "main"), at_us, cause, evidence)


def test_a_gap_that_ends_unexplained_is_an_alarm_that_stands_and_counts(post: Post) -> None:
    at_us = post.clock.wall_us()
    assert post.gap(opened(1, Cause.UNKNOWN, at_us)) == []
    alarm = raised(post.gap(GapClose(1, at_us + 3 * SECOND)))
    assert (alarm.kind, alarm.camera, alarm.facts) == (
        AlarmKind.UNKNOWN_CAUSE,
        "gate",
        {"gaps": 1, "missing_us": 3 * SECOND},
    )
    for token in range(2, 1000):
        assert post.gap(opened(token, Cause.UNKNOWN, at_us), GapClose(token, at_us + SECOND)) == []
    (again,) = post.look(Seen(), 61)
    assert isinstance(again, AlarmRepeat)
    assert again.facts == {"gaps": 999, "missing_us": 1001 * SECOND}
    post.alarms.acknowledged(alarm.id)
    assert raised(post.gap(opened(2000, Cause.UNKNOWN, at_us), GapClose(2000, at_us + SECOND))).id == alarm.id + 1


def test_what_stays_unexplained_for_ten_seconds_is_raised_while_it_lasts_and_ends_when_it_is_explained(
    post: Post,
) -> None:
    at_us = post.clock.wall_us()
    post.gap(opened(1, Cause.UNKNOWN, at_us))
    assert post.look(Seen(), 9) == []
    alarm = raised(post.look(Seen(), 2))
    (end,) = post.gap(GapRefine(1, Cause.RECORDER_FAILED, {}))
    assert isinstance(end, AlarmEnd)
    assert end.id == alarm.id


def test_one_that_was_acknowledged_while_it_lasted_is_not_raised_again_at_its_end(post: Post) -> None:
    at_us = post.clock.wall_us()
    post.gap(opened(1, Cause.UNKNOWN, at_us))
    alarm = raised(post.look(Seen(), 11))
    post.alarms.acknowledged(alarm.id)
    assert post.look(Seen(), 20) == []
    assert post.gap(GapClose(1, at_us + 60 * SECOND)) == []
    other = raised(post.gap(opened(2, Cause.UNKNOWN, at_us), GapClose(2, at_us + SECOND)))
    assert post.gap(GapRefine(1, Cause.RECORDER_FAILED, {})) == [], "it was of the other alarm"
    assert post.alarms.subject_of(other.id) is not None


def test_what_is_explained_after_its_end_counts_no_more(post: Post) -> None:
    at_us = post.clock.wall_us()
    for token in (1, 2):
        post.gap(opened(token, Cause.UNKNOWN, at_us), GapClose(token, at_us + token * SECOND))
    assert post.gap(GapRefine(1, Cause.RECORDER_FAILED, {})) == []
    (again,) = post.look(Seen(), 61)
    assert isinstance(again, AlarmRepeat)
    assert again.facts == {"gaps": 1, "missing_us": 2 * SECOND}
    (end,) = post.gap(GapRefine(2, Cause.RECORDER_FAILED, {}))
    assert isinstance(end, AlarmEnd)
    assert post.gap(GapRefine(2, Cause.CAMERA_REFUSED, {})) == []


@pytest.mark.parametrize(
    "said",
    [
        lambda at: [opened(1, Cause.CAMERA_REFUSED, at), GapClose(1, at + SECOND)],
        lambda at: [opened(1, Cause.UNKNOWN, at), GapRefine(1, Cause.RECORDER_FAILED, {}), GapClose(1, at + SECOND)],
        lambda at: [opened(1, Cause.UNKNOWN, at), GapClose(1, at)],  # it never was
        lambda at: [opened(1, Cause.UNKNOWN, at, clock_step_us=5), GapClose(1, at + SECOND)],  # a second that never was
        lambda at: [GapClose(7, at)],
    ],
)
def test_what_is_explained_is_no_alarm(post: Post, said) -> None:
    assert post.gap(*said(post.clock.wall_us())) == []
    assert post.look(Seen(), 20) == []


# ---- what was done or lost -------------------------------------------------------------------------------------------


def test_what_was_done_stands_until_somebody_acknowledges_it(post: Post) -> None:
    stop = Trouble(Subject(AlarmKind.ACCOUNTING_REDUCED, "stop"), post.clock.wall_us())
    alarm = raised(post.alarms.told(stop, post.clock.boottime_us(), post.clock.wall_us()))
    assert post.alarms.told(stop, post.clock.boottime_us(), post.clock.wall_us()) == []
    assert [type(op) for op in post.look(Seen(), 2 * 3600)] == [AlarmRepeat, AlarmRepeat]
    post.alarms.acknowledged(alarm.id)
    assert post.look(Seen(), 3 * 86_400, step_s=60) == []
    assert raised(post.alarms.told(stop, post.clock.boottime_us(), post.clock.wall_us()))


def test_removal_for_lack_of_room_is_one_alarm_until_a_day_without_it(post: Post) -> None:
    room = Trouble(Subject(AlarmKind.UNCONFIRMED_REMOVED, "retention"), post.clock.wall_us())
    first = raised(post.alarms.told(room, post.clock.boottime_us(), post.clock.wall_us()))
    post.alarms.acknowledged(first.id)
    for _ in range(3 * 24):
        assert post.alarms.told(room, post.clock.boottime_us(), post.clock.wall_us()) == []
        assert post.look(Seen(), 3600, step_s=60) == []
    (end,) = post.look(Seen(), 25 * 3600, step_s=60)
    assert isinstance(end, AlarmEnd)
