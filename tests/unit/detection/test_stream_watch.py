"""What becomes of samples on their way to be looked at: jobs, bounds, holes, and what is done after a child ended."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.detection.gate import Gate, GateOptions, Why
from longwatch.detection.scheduling import Level
from longwatch.detection.stream_watch import MOST_SPANS, MOST_WAITING_BYTES, Job, Spans, StreamWatch
from longwatch.wire.looking import Row

OFFSET_US = 1_800_000_000_000_000
EACH_US = 200_000
GROUP = 10


class Camera:
    """Sends samples at five a second, with a sync sample each `every`; bytes of a sample are its number."""

    def __init__(self, watch: StreamWatch, every: int = GROUP) -> None:
        self.watch = watch
        self.every = every
        self.number = 0
        self.group: list[Row] = []
        self.missed = 0

    def rows(self, count: int, *, whole: bool | None = None) -> list[Row]:
        made = []
        for _ in range(count):
            sync = self.number % self.every == 0
            given = (self.watch.wants_whole if whole is None else whole) or sync
            row = Row(
                self.number * EACH_US + EACH_US,
                self.number * 18_000,
                0,
                20_000 if sync else 900,
                8 if given else 0,
                int(sync),
            )
            self.group = [row._replace(given=8)] if sync else [*self.group, row._replace(given=8)]
            made.append(row)
            self.number += 1
        return made

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            wanted = self.watch.wants_whole
            rows = self.rows(1)
            self.watch.batch(rows, bytes_of(rows), 0, self.missed, OFFSET_US)
            if self.watch.wants_whole and not wanted:
                self.watch.group(self.group, bytes_of(self.group), 0, OFFSET_US)

    def now_us(self) -> int:
        return self.number * EACH_US


def bytes_of(rows: list[Row]) -> bytes:
    return b"".join((row.dts // 18_000).to_bytes(8) for row in rows if row.given)


def numbers(job: Job) -> list[int]:
    return [int.from_bytes(job.data[at : at + 8]) for at in range(0, len(job.data), 8)]


def do(watch: StreamWatch, *, something: bool = False, sure: bool = False, follows: bool = False) -> list[Job]:
    """All the work there is."""
    jobs = []
    while (job := watch.next_job()) is not None:
        jobs.append(job)
        watch.done(
            pictures=1, decoded=len(job.rows), failed=0, cpu_us=1_000, something=something, sure=sure, follows=follows
        )
    return jobs


def test_a_quiet_scene_gives_one_sync_sample_in_four_seconds_alone():
    camera = Camera(StreamWatch(5.0))
    camera.send(301)
    jobs = do(camera.watch)
    assert [numbers(job) for job in jobs] == [[n] for n in range(0, 301, 20)]
    assert all(job.fresh and job.single for job in jobs)
    [(from_us, to_us)] = camera.watch.spans.all()
    assert to_us == OFFSET_US + 301 * EACH_US
    assert 10 <= (from_us - OFFSET_US) / 1e6 <= 12, "before the gate knows what is usual, quiet means nothing"
    assert camera.watch.counts.skipped == 0


def test_what_a_look_finds_has_all_decoded_from_the_last_sync_sample_on():
    camera = Camera(StreamWatch(5.0))
    camera.send(105)
    do(camera.watch)
    camera.watch.gate.found(OFFSET_US + camera.now_us(), something=True)
    assert camera.watch.wants_whole
    camera.watch.group(camera.group, bytes_of(camera.group), 0, OFFSET_US)
    camera.send(3)
    (job,) = do(camera.watch)
    assert numbers(job) == [100, 101, 102, 103, 104, 105, 106, 107]
    assert job.fresh
    assert not job.single
    camera.send(2)
    (job,) = do(camera.watch)
    assert (numbers(job), job.fresh) == ([108, 109], False)


def test_a_stream_that_begins_anew_is_looked_at_closely_for_a_while_and_its_jobs_say_so():
    camera = Camera(StreamWatch(5.0))
    camera.send(205)
    assert not any(job.anew for job in do(camera.watch))
    camera.number += GROUP - 5  # the group breaks off after five pictures
    camera.send(1)
    assert camera.watch.wants_whole
    camera.send(56)
    jobs = do(camera.watch)
    assert all(job.anew for job in jobs)
    assert [number for job in jobs for number in numbers(job)][-57:] == list(range(210, 267))
    camera.send(60)
    assert not camera.watch.wants_whole
    assert not do(camera.watch)[-1].anew


def test_a_sync_sample_of_another_make_up_is_where_a_stream_begins_anew_though_no_group_breaks_off():
    camera = Camera(StreamWatch(5.0))
    camera.send(210)
    assert not any(job.anew for job in do(camera.watch))
    (row,) = camera.rows(1)
    rows = [row._replace(flags=row.flags | 8 << 2)]
    assert (rows[0].sync, rows[0].damaged, rows[0].makeup) == (True, False, 8)
    camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US)
    assert camera.watch.wants_whole
    assert [job.anew for job in do(camera.watch)] == [True]


def test_a_clock_that_is_set_back_holds_no_gate_open_for_as_long_as_it_was_set_back_by():
    """Of a stream of whole pictures alone: none of another kind tells that it begins anew."""
    watch, back_us = StreamWatch(5.0), 3_600_000_000
    for n in range(600):
        if n == 200:
            watch.began()
        row = Row((n + 1) * EACH_US, n * 18_000, 0, 20_000, 8, 1)
        watch.batch([row], bytes_of([row]), 0, 0, OFFSET_US - (back_us if n > 210 else 0))
        jobs = do(watch)
        assert watch.gate.is_open or n <= 200 or n > 210, n
    assert not watch.gate.is_open
    assert not any(job.anew for job in jobs)


def test_a_session_that_begins_is_looked_at_closely_but_not_the_first():
    camera = Camera(StreamWatch(5.0))
    camera.watch.began()
    camera.send(200)
    assert not camera.watch.wants_whole
    camera.watch.began()
    camera.send(1)
    assert camera.watch.wants_whole


def followed(camera: Camera, samples: int, *, sure: bool = True, follows: bool = True) -> list[int]:
    """The numbers of what is looked at of so many more samples, each as soon as it is there."""
    looked: list[int] = []
    for _ in range(samples):
        camera.send()
        for job in do(camera.watch, something=True, sure=sure, follows=follows):
            looked += numbers(job)
    return looked


def open_at_the_group_of_100(camera: Camera) -> None:
    camera.send(100)
    do(camera.watch)
    camera.watch.gate.found(OFFSET_US + camera.now_us(), something=True)


def test_while_what_moves_is_only_followed_the_end_of_each_group_is_left_out_and_is_no_hole():
    camera = Camera(StreamWatch(5.0))
    open_at_the_group_of_100(camera)
    spans = len(camera.watch.spans.all())
    assert followed(camera, 30) == [*range(100, 104), *range(110, 114), *range(120, 124)]
    assert camera.watch.counts.skipped == 0
    assert len(camera.watch.spans.all()) == spans
    assert camera.watch.spans.all()[-1][1] == OFFSET_US + camera.now_us()


@pytest.mark.parametrize(("group", "seconds"), [(5, 0.0), (10, 0.6), (20, 2.6)])
def test_of_short_groups_all_but_the_sync_sample_is_left_out_and_of_long_ones_never_so_much_that_looks_are_far_apart(
    group: int, seconds: float
):
    camera = Camera(StreamWatch(5.0), group)
    open_at_the_group_of_100(camera)
    each = [*range(int(seconds * 5) + 1)]
    assert followed(camera, 3 * group) == [100 + group * number + at for number in range(3) for at in each]
    assert camera.watch.counts.skipped == 0


def test_nothing_is_left_out_where_something_else_is_new_or_what_is_followed_is_told_no_more():
    for sure, follows in ((True, False), (False, True)):
        camera = Camera(StreamWatch(5.0))
        open_at_the_group_of_100(camera)
        assert followed(camera, 20, sure=sure, follows=follows) == [*range(100, 120)]


def test_what_was_left_out_of_a_group_is_looked_at_in_the_next_where_something_is_new():
    camera = Camera(StreamWatch(5.0))
    open_at_the_group_of_100(camera)
    assert followed(camera, 8) == [*range(100, 104)]
    assert followed(camera, 22, follows=False) == [*range(110, 130)]
    assert camera.watch.counts.skipped == 0


def test_groups_of_uneven_length_are_followed_to_their_ends():
    camera = Camera(StreamWatch(5.0))
    open_at_the_group_of_100(camera)
    looked = followed(camera, 20)
    camera.number = 125  # the next group begins after five samples more, in place of ten
    camera.watch.batch([Row(camera.now_us() + EACH_US, 125 * 18_000, 0, 20_000, 8, 1)], bytes(8), 0, 0, OFFSET_US)
    do(camera.watch, something=True, sure=True, follows=True)
    camera.number = 126
    rows = camera.rows(4, whole=True)
    camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US)
    assert looked == [*range(100, 104), *range(110, 114)]
    assert [numbers(job) for job in do(camera.watch, sure=True, follows=True)] == [[126, 127, 128, 129]]


def opened_over(camera: Camera, first: int, last: int) -> list[Row]:
    """The rows first..last with their bytes, as the recorder gives them; the gate is open from now on."""
    camera.watch.gate.found(camera.now_us() + OFFSET_US, something=True)
    return [
        Row(n * EACH_US + EACH_US, n * 18_000, 0, 20_000 if n % GROUP == 0 else 900, 8, int(n % GROUP == 0))
        for n in range(first, last + 1)
    ]


def test_what_opens_the_gate_at_the_begin_of_a_group_may_lie_in_the_one_before():
    camera = Camera(StreamWatch(5.0))
    camera.send(32)
    do(camera.watch)
    given = opened_over(camera, 20, 32)
    camera.watch.batch(camera.rows(1, whole=False), b"", 0, 0, OFFSET_US)
    camera.watch.group(given, bytes_of(given), 0, OFFSET_US)
    [job] = do(camera.watch)
    assert numbers(job) == [*range(20, 33)]
    assert job.from_us == camera.watch.gate.opened_us - OFFSET_US - 2_000_000
    assert job.rows[0].arrival_us < job.from_us < job.rows[-1].arrival_us


def test_the_group_before_is_left_out_where_nothing_in_it_is_of_use():
    camera = Camera(StreamWatch(5.0))
    camera.send(37)
    do(camera.watch)
    given = opened_over(camera, 20, 37)
    camera.watch.batch(camera.rows(1, whole=False), b"", 0, 0, OFFSET_US)
    camera.watch.group(given, bytes_of(given), 0, OFFSET_US)
    assert [numbers(job) for job in do(camera.watch)] == [[*range(30, 38)]]


def test_what_comes_later_waits_for_the_group_in_which_the_gate_opened():
    camera = Camera(StreamWatch(5.0))
    camera.send(39)
    do(camera.watch)
    given = opened_over(camera, 30, 40)
    rows = camera.rows(2, whole=False)
    camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US)
    assert not camera.watch.has_work, "the sync sample is here, and what came before it is on its way"
    assert camera.watch.next_job() is None
    camera.watch.group(given, bytes_of(given), 0, OFFSET_US)
    assert [numbers(job) for job in do(camera.watch)] == [[*range(30, 41)]]
    assert camera.watch.waiting_bytes == 0


def test_a_group_is_as_old_as_it_is_long_when_it_comes_and_nobody_is_late_for_that():
    camera = Camera(StreamWatch(5.0))
    camera.send(65)
    opened(camera)
    now_us = camera.now_us()
    watch = camera.watch
    assert watch.behind_us(now_us) >= 4 * EACH_US, "the oldest picture that waits"
    assert watch.late_us(now_us) <= EACH_US, "but it has only just come"
    assert watch.late_us(now_us + 5_000_000) >= 5_000_000
    job = watch.next_job()
    assert job is not None
    assert watch.late_us(now_us + 5_000_000) >= 5_000_000, "it is not done yet"
    watch.died(by_it=False)
    assert watch.late_us(now_us + 5_000_000) >= 5_000_000, "nor after a child's death"
    while watch.next_job() is not None:
        watch.done(pictures=1, decoded=1, failed=0, cpu_us=1, something=False)
    assert watch.late_us(now_us + 5_000_000) == 0


def test_up_to_when_it_was_looked_at_never_passes_what_waits():
    camera = Camera(StreamWatch(5.0))
    camera.send(100)
    do(camera.watch)
    camera.send(3)
    until_us = camera.watch.spans.until_us
    camera.send(6)
    assert camera.watch.has_work
    assert camera.watch.spans.until_us == OFFSET_US + 101 * EACH_US == until_us
    assert camera.watch.behind_us(camera.now_us()) == 8 * EACH_US
    do(camera.watch)
    assert camera.watch.behind_us(camera.now_us()) == 0
    assert camera.watch.spans.until_us == OFFSET_US + camera.now_us()


def test_what_was_lost_on_the_way_is_a_hole_and_nothing_that_builds_on_it_is_decoded():
    camera = Camera(StreamWatch(5.0))
    camera.send(101)
    do(camera.watch)
    camera.watch.gate.found(OFFSET_US + camera.now_us(), something=True, sure=True)
    camera.watch.group(camera.group, bytes_of(camera.group), 0, OFFSET_US)
    camera.send(2)
    do(camera.watch)
    camera.number += 3
    camera.missed = 3
    camera.send(2)
    assert do(camera.watch) == []
    camera.send(3)
    assert [numbers(job) for job in do(camera.watch)] == [[110]]
    assert camera.watch.counts.missed == 3
    assert len(camera.watch.spans.all()) == 2
    assert camera.watch.spans.all()[0][1] <= OFFSET_US + 103 * EACH_US


def opened(camera: Camera) -> None:
    """With the gate open, and something to do."""
    camera.send(101)
    do(camera.watch)
    camera.watch.gate.found(OFFSET_US + camera.now_us(), something=True, sure=True)
    camera.watch.group(camera.group, bytes_of(camera.group), 0, OFFSET_US)


def test_the_camera_whose_job_killed_a_child_loses_that_job_and_goes_on_with_the_next_sync_sample():
    camera = Camera(StreamWatch(5.0))
    opened(camera)
    camera.send(2)
    assert camera.watch.next_job() is not None
    camera.send(2)
    assert not camera.watch.died(by_it=True)
    assert do(camera.watch) == []
    camera.send(7)
    assert [numbers(job)[0] for job in do(camera.watch)] == [110]
    assert camera.watch.counts.deaths == 1
    assert len(camera.watch.spans.all()) == 2, "the stretch of that job is a hole"


def test_another_camera_has_its_open_group_once_more_and_no_hole():
    camera = Camera(StreamWatch(5.0))
    opened(camera)
    do(camera.watch)
    camera.send(2)
    assert camera.watch.next_job() is not None
    assert camera.watch.died(by_it=False), "the open group is to be asked for"
    until_us = camera.watch.spans.until_us
    camera.watch.group(camera.group, bytes_of(camera.group), 0, OFFSET_US)
    camera.send(2)
    assert [numbers(job) for job in do(camera.watch)] == [list(range(100, 105))]
    assert len(camera.watch.spans.all()) == 1
    assert camera.watch.spans.until_us > until_us


def test_a_camera_that_kills_children_again_and_again_is_left_alone_longer_each_time():
    camera = Camera(StreamWatch(5.0, options=GateOptions(key_us=2_000_000)))
    times = []
    for _ in range(3_000):
        camera.send()
        if camera.watch.next_job() is not None:
            camera.watch.died(by_it=True)
            times.append(camera.number * EACH_US / 1e6)
    apart = [b - a for a, b in itertools.pairwise(times)]
    assert apart[0] <= 2.1, "at first it is tried with the next sync sample"
    assert apart[-1] >= 299
    assert apart == sorted(apart)
    assert camera.watch.counts.deaths == len(times) <= 7
    assert camera.watch.counts.skipped > 0


def test_less_closely_means_half_of_each_group_then_sync_samples_then_every_other():
    taken = {}
    for level in Level:
        camera = Camera(StreamWatch(5.0))
        opened(camera)
        do(camera.watch)
        camera.watch.level = level
        got = []
        for _ in range(40):
            camera.send()
            camera.watch.gate.found(OFFSET_US + camera.now_us(), something=True)
            got += [n for job in do(camera.watch) for n in numbers(job) if n >= 110]
        taken[level] = len(set(got))
        if level is Level.FEWER:
            assert all(n % GROUP <= GROUP // 2 for n in got)
        if level >= Level.KEYS:
            assert all(n % GROUP == 0 for n in got)
            assert camera.watch.counts.skipped > 0
        if level >= Level.KEYS:
            ends = [to_us for from_us, to_us in camera.watch.spans.all() if to_us - from_us > EACH_US]
            assert max(ends) <= OFFSET_US + 112 * EACH_US, "what was not looked at is no part of what was"
    assert taken[Level.ALL] > taken[Level.FEWER] > taken[Level.KEYS] > taken[Level.TURNS] > 0


def test_what_waits_is_bounded_and_what_was_dropped_is_a_hole():
    watch = StreamWatch(5.0)
    for number in range(200):
        row = Row(number * 4_000_000, 0, 0, 1_000_000, 1_000_000, 1)
        watch.batch([row], bytes(1_000_000), 0, 0, OFFSET_US)
    assert watch.waiting_bytes <= MOST_WAITING_BYTES
    assert watch.counts.skipped == 200 - MOST_WAITING_BYTES // 1_000_000
    jobs = do(watch)
    assert jobs[-1].rows[0].arrival_us == 199 * 4_000_000


def test_spans_are_bounded_and_a_clock_that_is_set_back_begins_another():
    spans = Spans()
    for number in range(200):
        spans.reach(number * 10)
        spans.reach(number * 10 + 5)
        spans.hole(number * 10 + 8)
    assert len(spans.all()) <= MOST_SPANS + 1
    spans = Spans()
    spans.reach(10_000_000)
    spans.reach(20_000_000)
    spans.anew(1_000_000)
    spans.reach(2_000_000)
    spans.hole(1_500_000)
    spans.reach(1_900_000)
    assert spans.all() == ((10_000_000, 20_000_000), (1_000_000, 2_000_000))


def reached_s(camera: Camera) -> float:
    return (max(to_us for _, to_us in camera.watch.spans.all()) - OFFSET_US) / EACH_US


def test_a_damaged_picture_in_a_group_that_never_ends_is_not_called_looked_at():
    camera = Camera(StreamWatch(5.0))
    opened(camera)
    do(camera.watch)
    for number in range(400):
        camera.watch.gate.found(OFFSET_US + camera.now_us(), something=True)
        row = Row(camera.now_us() + EACH_US, 0, 0, 900, 8, 2 if number == 0 else 0)
        camera.number += 1
        camera.watch.batch([row], bytes(8), 0, 0, OFFSET_US)
        do(camera.watch)
    assert reached_s(camera) <= 101


def test_pictures_of_which_nothing_came_are_not_called_looked_at():
    camera = Camera(StreamWatch(5.0))
    camera.send(101)
    do(camera.watch)
    before = reached_s(camera)
    camera.send(200)
    while camera.watch.next_job() is not None:
        camera.watch.done(pictures=0, decoded=1, failed=0, cpu_us=1, something=False, blind=True)
    assert all(to_us - from_us <= 20 * EACH_US for from_us, to_us in camera.watch.spans.all()[1:])
    assert reached_s(camera) >= before


def test_sizes_alone_are_believed_for_a_minute():
    camera = Camera(StreamWatch(5.0))
    camera.send(101)
    do(camera.watch)
    for _ in range(1000):
        row = Row(camera.now_us() + EACH_US, 0, 0, 900, 0, 0)
        camera.number += 1
        camera.watch.batch([row], b"", 0, 0, OFFSET_US)
    assert reached_s(camera) <= 101 + 301


def test_what_the_recorder_did_not_tell_while_it_was_away_is_a_hole():
    camera = Camera(StreamWatch(5.0))
    camera.send(101)
    do(camera.watch)
    camera.watch.began()
    camera.watch.reconnected()
    camera.number += 1000
    camera.send(101)
    do(camera.watch)
    first, second = camera.watch.spans.all()
    assert first[1] <= OFFSET_US + 101 * EACH_US
    assert second[0] >= OFFSET_US + 1101 * EACH_US


def test_nothing_reaches_over_a_step_of_the_wall_clock():
    for step_us in (3_600_000_000, -3_600_000_000, 1_000_000):
        camera = Camera(StreamWatch(5.0))
        camera.send(101)
        do(camera.watch)
        rows = camera.rows(1)
        camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US + step_us)
        for _ in range(100):
            rows = camera.rows(1)
            camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US + step_us)
            do(camera.watch)
        first, second = camera.watch.spans.all()
        assert first[1] <= OFFSET_US + 101 * EACH_US
        assert OFFSET_US + step_us + 101 * EACH_US <= second[0] < second[1]


def test_a_group_that_never_comes_is_a_hole_once_the_gate_closes():
    camera = Camera(StreamWatch(5.0))
    camera.send(101)
    do(camera.watch)
    camera.watch.gate.found(OFFSET_US + camera.now_us(), something=True)
    for _ in range(40):
        row = Row(camera.now_us() + EACH_US, 0, 0, 900, 0, 0)
        camera.number += 1
        camera.watch.batch([row], b"", 0, 0, OFFSET_US)
    assert not camera.watch.gate.is_open
    spans = camera.watch.spans.all()
    assert not any(from_us < OFFSET_US + 105 * EACH_US < to_us for from_us, to_us in spans)


def test_a_backlog_does_not_open_a_hole_again():
    camera = Camera(StreamWatch(5.0))
    opened(camera)
    do(camera.watch)
    for _ in range(40):
        camera.watch.gate.found(OFFSET_US + camera.now_us(), something=True)
        camera.send()
    lost_us = camera.now_us()
    camera.number += 50
    camera.group, camera.missed = [], 50
    camera.send(60)
    do(camera.watch)
    middle_us = OFFSET_US + lost_us + 25 * EACH_US
    assert not any(from_us < middle_us < to_us for from_us, to_us in camera.watch.spans.all())


acts = st.lists(
    st.tuples(st.sampled_from(["send", "do", "died", "died by it", "found", "missed", "again", "level", "group", "batch"]), st.integers(1, 30)),
    max_size=60,
)  # fmt: skip


@given(acts, st.integers(0, 2**32))
def test_whatever_happens_jobs_are_decodable_and_what_was_not_looked_at_is_never_called_so(
    done: list[tuple[str, int]], seed: int
):
    chance = random.Random(seed)
    watch = StreamWatch(5.0, Gate(GateOptions(learn_us=2_000_000)))
    camera = Camera(watch)
    decoded: int | None = None
    at_work = False
    for act, count in done:
        if act == "send":
            camera.send(count)
        elif act == "batch":
            rows = camera.rows(count)
            watch.batch(rows, bytes_of(rows), 0, camera.missed, OFFSET_US)
        elif act == "do":
            job = None if at_work else watch.next_job()
            if job is not None:
                got = numbers(job)
                assert got == list(range(got[0], got[0] + len(got)))
                assert job.fresh == (got[0] % GROUP == 0) or not job.fresh
                if not job.fresh:
                    assert decoded is not None
                    assert got[0] == decoded + 1, "nothing is decoded that builds on what was not"
                decoded, at_work = got[-1], True
            elif at_work:
                watch.done(pictures=1, decoded=1, failed=0, cpu_us=1, something=chance.random() < 0.3)
                at_work = False
        elif act.startswith("died"):
            if watch.died(by_it=act != "died"):
                watch.group(camera.group, bytes_of(camera.group), 0, OFFSET_US)
            decoded, at_work = None, False
        elif act == "found":
            watch.gate.found(OFFSET_US + camera.now_us(), something=True)
        elif act == "missed":
            camera.number += count
            camera.group = []
            camera.missed += count
        elif act == "again":
            watch.began()
        elif act == "level":
            watch.level = Level(count % 4)
        elif act == "group" and camera.group and watch.wants_whole:
            watch.group(camera.group, bytes_of(camera.group), 0, OFFSET_US)
        assert watch.waiting_bytes == sum(len(piece.data) for piece in watch._queue)
        for from_us, to_us in watch.spans.all():
            assert from_us < to_us <= OFFSET_US + watch.told_us
    assert watch.gate.why in set(Why)


def test_a_glance_is_asked_for_after_the_sizes_that_told_it_and_ends_by_itself():
    """Sizes come two seconds at a time while all is calm; the gate is opened in the midst of them for half a second."""
    camera = Camera(StreamWatch(5.0))
    camera.send(180)
    camera.watch.gate.found(OFFSET_US + camera.now_us(), something=True, sure=True)
    camera.watch.group(camera.group, bytes_of(camera.group), 0, OFFSET_US)
    camera.send(80)
    do(camera.watch)
    assert not camera.watch.wants_whole
    rows = [row if row.sync else row._replace(size=930) for row in camera.rows(9)]
    camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US)
    assert camera.watch.gate.glances == 1
    assert camera.watch.wants_whole
    camera.watch.group(camera.group, bytes_of(camera.group), 0, OFFSET_US)
    jobs = do(camera.watch)
    looked = jobs[-1]
    assert numbers(looked)[-1] == camera.number - 1
    opened_us = camera.watch.gate.opened_us - OFFSET_US
    assert opened_us - 1_000_000 <= looked.from_us < opened_us, "what is older is decoded, and not looked at"
    camera.send(10)
    assert not camera.watch.wants_whole
    assert camera.watch.counts.skipped == 0


def test_a_peek_decodes_what_a_long_group_holds_and_looks_at_its_end_alone():
    camera = Camera(StreamWatch(5.0), 20)
    camera.send(200)
    do(camera.watch)
    gate = camera.watch.gate
    gate.found(OFFSET_US + camera.now_us(), something=True, sure=True)
    camera.watch.group(camera.group, bytes_of(camera.group), 0, OFFSET_US)
    camera.send(100)
    do(camera.watch)
    chance = random.Random(5)
    gate._stray[:] = [0.1, 0.1]  # sizes are full of noise
    rows = [row if row.sync else row._replace(size=row.size + chance.randrange(60)) for row in camera.rows(12)]
    camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US)
    assert gate.peeks == 1
    assert gate.peeks_now
    assert camera.watch.wants_whole
    camera.watch.group(camera.group, bytes_of(camera.group), 0, OFFSET_US)
    looked = do(camera.watch)[-1]
    assert numbers(looked) == [*range(300, 312)], "what it builds on comes along"
    assert looked.from_us == gate.opened_us - OFFSET_US == 311 * EACH_US
    camera.send(2)
    assert not camera.watch.wants_whole
    assert camera.watch.counts.skipped == 0


@pytest.mark.parametrize(("every", "exact"), [(5, False), (10, False), (20, True)])
def test_long_groups_are_decoded_exactly_and_single_pictures_never(every: int, exact: bool):
    camera = Camera(StreamWatch(5.0), every)
    camera.send(100)
    assert {(job.single, job.exact) for job in do(camera.watch)} == {(True, False)}
    camera.watch.gate.found(OFFSET_US + camera.now_us(), something=True)
    camera.send(2 * every)
    jobs = do(camera.watch)
    assert {job.exact for job in jobs if not job.single} == {exact}
    assert not any(job.exact for job in jobs if job.single)


def test_what_is_held_against_kept_sync_samples_is_decoded_as_they_were():
    camera = Camera(StreamWatch(5.0), 20)
    camera.send(405)
    do(camera.watch)
    camera.number = 420  # the group breaks off after five pictures
    camera.send(50)
    jobs = do(camera.watch)
    assert any(job.anew and not job.single for job in jobs)
    assert not any(job.exact for job in jobs)


def deaf(every: int = 20) -> Camera:
    """Watched for twenty seconds; its sizes would tell nothing."""
    camera = Camera(StreamWatch(5.0, options=GateOptions(deaf=-1.0)), every)
    camera.watch.has_vectors = True
    camera.send(100)
    do(camera.watch)
    return camera


def asking(camera: Camera) -> list[Job]:
    """With bytes of each second picture between, as the recorder gives them: all jobs of vectors of thirty seconds."""
    jobs = []
    for _ in range(150):
        rows = camera.rows(1)
        rows = [row._replace(given=8) if camera.number % 2 else row for row in rows]
        camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US)
        jobs += [job for job in do(camera.watch) if job.vectors]
    return jobs


def test_pictures_between_key_frames_are_asked_for_their_vectors_one_by_one_and_are_no_looks():
    camera = deaf()
    spans, looked = len(camera.watch.spans.all()), camera.watch.counts.pictures
    jobs = asking(camera)
    assert 7 <= len(jobs) <= 15
    assert all(not job.rows[0].sync and len(job.rows) == 1 for job in jobs)
    assert camera.watch.counts.vectors_asked == len(jobs)
    assert camera.watch.counts.pictures - looked in {7, 8}, "key frames"
    assert len(camera.watch.spans.all()) == spans, "and no hole"
    assert camera.watch.waiting_bytes == 0


def test_of_a_stream_without_vectors_none_are_asked():
    camera = deaf()
    camera.watch.has_vectors = False
    assert asking(camera) == []


def test_those_that_wait_are_asked_in_one_job_and_what_each_says_is_of_its_own_time():
    camera = deaf(30)
    camera.send(20)
    do(camera.watch)
    rows = [row if row.sync else row._replace(given=8) for row in camera.rows(30, whole=False)]
    camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US)
    key, vectors = camera.watch.next_job(), None
    assert key is not None
    camera.watch.done(pictures=1, decoded=1, failed=0, cpu_us=1, something=False)
    vectors = camera.watch.next_job()
    assert vectors is not None
    assert vectors.vectors
    assert len(vectors.rows) >= 2
    heard: list[tuple[float, int]] = []
    camera.watch.gate.stirs = lambda much, wall_us: heard.append((much, wall_us))  # type: ignore[method-assign]
    camera.watch.done(pictures=0, decoded=0, failed=0, cpu_us=7, something=False, stirs=[0.25, 0.5])
    assert heard == [(0.25, vectors.rows[0].arrival_us + OFFSET_US), (0.5, vectors.rows[1].arrival_us + OFFSET_US)]


def test_what_stirs_has_the_open_group_looked_at():
    camera = deaf()
    for _ in range(10):
        camera.watch.gate.stirs(0.5, camera.now_us() + OFFSET_US)
    camera.send((20 - camera.number) % 20)
    do(camera.watch)
    rows = [row._replace(given=8) for row in camera.rows(15)]
    camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US)
    key, job = camera.watch.next_job(), None
    assert key is not None
    camera.watch.done(pictures=1, decoded=1, failed=0, cpu_us=1, something=False)
    job = camera.watch.next_job()
    assert job is not None
    assert job.vectors
    camera.watch.done(pictures=0, decoded=0, failed=0, cpu_us=1, something=False, stirs=[20.0] * len(job.rows))
    assert camera.watch.gate.why is Why.STIRS
    assert camera.watch.wants_whole
    camera.watch.group(camera.group, bytes_of(camera.group), 0, OFFSET_US)
    assert any(len(job.rows) > 5 and not job.vectors for job in do(camera.watch))


def test_what_stirred_in_a_group_that_is_over_has_that_group_looked_at():
    """The answer comes after the pictures that follow: of short groups after the next has begun."""
    camera = deaf(10)
    for _ in range(10):
        camera.watch.gate.stirs(0.5, camera.now_us() + OFFSET_US)
    camera.send(camera.number % 10)
    do(camera.watch)
    first = camera.number
    rows = [
        row._replace(given=8) for row in camera.rows(23)
    ]  # of a second look, in which something stirs, and of the begin of the group after it
    camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US)
    stirred = None
    while (job := camera.watch.next_job()) is not None:
        stirs = [20.0 if job.vectors and stirred is None else 0.5] * len(job.rows)
        stirred = job.rows[0].arrival_us if job.vectors and stirred is None else stirred
        camera.watch.done(pictures=1, decoded=1, failed=0, cpu_us=1, something=False, stirs=stirs)
        if camera.watch.wants_whole:
            break
    assert stirred is not None
    assert (first + 10) * EACH_US < stirred < (first + 20) * EACH_US
    both = [Row(n * EACH_US + EACH_US, n * 18_000, 0, 900, 8, int(n % 10 == 0)) for n in range(first + 10, first + 23)]
    camera.watch.group(both, bytes_of(both), 0, OFFSET_US)
    looked = [number for job in do(camera.watch) if not job.vectors for number in numbers(job)]
    assert looked == [*range(first + 10, first + 23)]


def test_a_child_that_dies_over_vectors_costs_these_and_no_chain():
    for by_it in (True, False):
        camera = deaf()
        job = None
        while job is None or not job.vectors:
            rows = [row if row.sync else row._replace(given=8) for row in camera.rows(1)]
            camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US)
            job = camera.watch.next_job()
            if job is not None and not job.vectors:
                camera.watch.done(pictures=1, decoded=1, failed=0, cpu_us=1, something=False)
        assert camera.watch.died(by_it=by_it) is False
        assert camera.watch.next_job() is None
        assert camera.watch.counts.deaths == int(by_it)
        camera.send(60)
        assert any(job.rows[0].sync for job in do(camera.watch))


def test_who_is_behind_asks_for_no_vectors():
    camera = deaf()
    camera.watch.level = Level.KEYS
    assert asking(camera) == []


def vectors_asked_of(camera: Camera) -> Job:
    """The next job of vectors, in the midst of a look."""
    while True:
        rows = [row if row.sync else row._replace(given=8) for row in camera.rows(1)]
        camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US)
        job = camera.watch.next_job()
        if job is not None and job.vectors:
            return job
        if job is not None:
            camera.watch.done(pictures=1, decoded=1, failed=0, cpu_us=1, something=False)


def test_where_vectors_kill_children_they_are_asked_no_more_until_it_begins_anew_and_the_rest_is_looked_at():
    camera = deaf()
    vectors_asked_of(camera)
    camera.watch.died(by_it=True)
    asked = camera.watch.counts.vectors_asked
    assert asking(camera) == []
    assert camera.watch.counts.vectors_asked == asked
    assert not camera.watch.resting
    assert not camera.watch.has_vectors
    # where another camera's job killed it, nothing is known against them
    camera = deaf()
    vectors_asked_of(camera)
    camera.watch.died(by_it=False)
    assert camera.watch.has_vectors


def test_a_gate_that_hears_no_vectors_is_not_told_that_nothing_stirs():
    camera = deaf()
    heard: list[float] = []
    camera.watch.gate.stirs = lambda much, wall_us: bool(heard.append(much))  # type: ignore[method-assign, func-returns-value]
    job = vectors_asked_of(camera)
    camera.watch.done(pictures=0, decoded=0, failed=0, cpu_us=1, something=False, stirs=[None] * len(job.rows))
    assert heard == []


@pytest.mark.parametrize("vectors", [False, True])
def test_what_was_asked_before_the_clock_was_set_back_holds_no_gate_open_until_it_is_there_again(vectors: bool):
    camera, back_us = deaf(), 86_400_000_000
    for _ in range(10):
        camera.watch.gate.stirs(0.5, camera.now_us() + OFFSET_US)
    if vectors:
        job = vectors_asked_of(camera)
    else:
        camera.send((-camera.number) % 20 + 1)
        found = camera.watch.next_job()
        assert found is not None
        job = found
    assert job.vectors is vectors

    def on(count: int) -> None:
        for _ in range(count):
            rows = camera.rows(1, whole=False)
            camera.watch.batch(rows, bytes_of(rows), 0, 0, OFFSET_US - back_us)

    on(2)
    camera.watch.done(
        pictures=1, decoded=1, failed=0, cpu_us=1, something=not vectors, sure=not vectors, stirs=[20.0] * vectors
    )
    assert camera.watch.gate.is_open
    on(100)
    assert not camera.watch.gate.is_open
