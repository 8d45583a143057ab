"""Two recordings in one run, then ten thousand, with skewed clocks, losses and everything else: every second is accounted for.

The invariant of the product: recorded spans and gaps with a row tile all time from set-up to `accounted_until`, which is never
older than two seconds, and what was sent is where its span says.
"""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.recording import SECOND, Studio

from longwatch.model.sessions import Activity, Fault
from longwatch.model.surroundings import Answer, Learnt, Power, Surroundings
from longwatch.timeline import State

YEAR = 365 * 86_400 * SECOND


def holds(studio: Studio) -> None:
    """The invariant, and that spans of one run do not overlap each other."""
    assert studio.unexplained_us() == 0
    tiles = studio.tiles()
    assert not tiles or (tiles[0].from_us, tiles[-1].to_us) == (studio.set_up_us, studio.account.accounted_until_us)
    by_run: dict[int, list[tuple[int, int]]] = {}
    for span in studio.index.recorded():
        by_run.setdefault(span.run, []).append((span.from_us, span.to_us))
    for spans in by_run.values():
        spans.sort()
        for (_, end_us), (from_us, _) in itertools.pairwise(spans):
            assert end_us <= from_us


def test_two_segments() -> None:
    studio = Studio(segment_us=2 * SECOND, ppm=500)
    studio.open()
    studio.play(4.5)
    studio.tick(final=True)
    assert 2 <= len(studio.index.sealed) <= 3
    assert studio.stored_samples() == len(studio.sent)
    holds(studio)


@pytest.mark.parametrize(
    ("ppm", "segments"),
    [
        (500, 300),
        (-500, 300),
        pytest.param(500, 10_000, marks=pytest.mark.slow),
        pytest.param(-500, 10_000, marks=pytest.mark.long),  # as many the other way; 300 of them are above
    ],
)
def test_many_segments_with_a_skewed_clock(ppm: int, segments: int) -> None:
    """Five and a half hours by the camera's own clock, which is ten seconds apart from ours at the end."""
    seconds = segments * 2 + 50
    studio = Studio(segment_us=19 * SECOND // 10, ppm=ppm, fps=2, gop=4, jitter_us=30_000)
    studio.open()
    studio.play(seconds)
    assert len(studio.index.sealed) >= segments
    assert len(studio.index.runs) == 1
    assert studio.causes() == []
    assert studio.worst_lag_us < 2 * SECOND
    (span,) = studio.index.recorded()
    assert abs(span.to_us - studio.wall_us) < SECOND
    assert abs((span.to_us - span.from_us) - seconds * SECOND) < SECOND
    studio.tick(final=True)
    assert studio.stored_samples() == len(studio.sent)
    holds(studio)


@pytest.mark.parametrize("segments", [300, pytest.param(10_000, marks=pytest.mark.long)])  # the same for longer
def test_many_segments_with_losses_outages_and_leaping_media_time(segments: int) -> None:
    rng = random.Random(11)
    studio = Studio(segment_us=2 * SECOND, ppm=300, fps=2, gop=4, jitter_us=50_000)
    studio.open()
    while len(studio.index.opened) < segments:
        studio.play(rng.uniform(1, 120))
        happens = rng.random()
        if happens < 0.5:
            studio.lose(rng.randint(1, 6))
        elif happens < 0.65:
            studio.play(rng.uniform(0.1, 8), silent=True)
        elif happens < 0.75:
            studio.jump(rng.choice([1, -1]) * rng.randrange(1, 1 << 33))
        elif happens < 0.9:
            studio.close(rng.choice(list(Fault)), "gone")
            studio.play(rng.uniform(0.1, 5))
            studio.say(Activity.WAITING, rng.choice(list(Fault)), "still", attempt=rng.randint(1, 9))
            studio.play(rng.uniform(0.1, 30))
            studio.open()
    assert studio.worst_lag_us < 2 * SECOND
    holds(studio)
    assert studio.recorded_us() > 0.6 * (studio.wall_us - studio.set_up_us)


@pytest.mark.parametrize("by_us", [-2 * YEAR, 10 * YEAR, 3600 * SECOND, -3600 * SECOND])
def test_a_step_of_the_hosts_clock_ends_the_run_and_loses_nothing(by_us: int) -> None:
    studio = Studio()
    studio.open()
    studio.play(60.3)
    studio.step_wall(by_us)
    studio.play(60)
    studio.tick(final=True)
    assert len(studio.steps) == 1
    assert len(studio.index.runs) == 2
    assert studio.stored_samples() == len(studio.sent), "none lost"
    one, two = sorted(studio.index.recorded(), key=lambda span: span.run)
    assert (two.to_us - two.from_us) == pytest.approx(59 * SECOND, abs=2 * SECOND)
    assert two.from_us - one.to_us == pytest.approx(by_us, abs=2 * SECOND)
    holds(studio)
    if by_us > 0:
        assert studio.causes() == [("unknown", pytest.approx(by_us / SECOND, abs=2))]
        (gap,) = [gap for gap in studio.index.missing() if "clock_step_us" in gap.evidence]
        assert gap.evidence["clock_step_us"] == pytest.approx(by_us, abs=2 * SECOND)


def test_a_clock_that_runs_ten_times_too_fast_makes_a_handful_of_runs_and_loses_nothing() -> None:
    studio = Studio()
    studio.open()
    studio.play(30)
    for _ in range(200):
        studio.play(0.6)
        studio.step_wall(9 * 600_000)
    studio.play(1)
    studio.tick(final=True)
    assert 1 <= len(studio.steps) <= 4
    assert len(studio.index.runs) <= 5
    assert studio.stored_samples() == len(studio.sent)
    holds(studio)


def test_a_host_that_boots_in_1970_and_learns_the_time_later() -> None:
    last_us = 1_767_225_600 * SECOND
    studio = Studio(synchronised=False, wall_us=60 * SECOND, last_known_us=last_us)
    studio.set_up_us = last_us
    studio.account.accounted_until_us = studio.account._end_us = last_us
    studio.open()
    studio.play(30)
    studio.synchronised = True
    studio.step_wall(last_us + 7200 * SECOND - studio.wall_us)
    studio.play(30)
    studio.tick(final=True)
    assert len(studio.index.runs) == 2
    assert studio.stored_samples() == len(studio.sent)
    assert [t.state for t in studio.tiles()].count(State.RECORDED) == 2
    holds(studio)


def around(n: int, boot_us: int) -> Surroundings:
    """Some state of the world around the camera, learnt just now."""
    powers, answers = list(Power), list(Answer)
    learnt = Learnt("arp", boot_us, boot_us + 3600 * SECOND)
    return Surroundings(
        address=answers[n % 3], address_learnt=learnt, switch="hut" if n % 5 else "",
        neighbours_answer=("yard",) if n % 2 else (), neighbours_silent=() if n % 2 else ("yard",),
        port_power=powers[n // 3 % 3], port_link=powers[n // 9 % 3], port_learnt=learnt, mains=powers[n // 27 % 3],
        mains_learnt=learnt,
    )  # fmt: skip


happenings = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "play",
                "silent",
                "lose",
                "jump",
                "close",
                "open",
                "step",
                "fail",
                "mend",
                "unplanned",
                "planned",
                "say",
                "around",
                "asleep",
            ]
        ),
        st.integers(1, 100),
    ),
    min_size=3,
    max_size=25,
)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(happenings, st.sampled_from([-500, 0, 500]), st.integers(0, 5))
def test_whatever_happens_every_second_is_accounted_for(story: list[tuple[str, int]], ppm: int, seed: int) -> None:
    from longwatch.model.causes import Cause

    studio = Studio(ppm=ppm, seed=seed, jitter_us=20_000)
    stepped_back = False
    playing = False
    for what, how_much in story:
        if what == "open" and not playing:
            studio.open()
            playing = True
        elif what == "close" and playing:
            studio.close(list(Fault)[how_much % len(Fault)] if how_much % 7 else None, "ended")
            playing = False
        elif what == "silent":
            studio.play(how_much / 10, silent=True)
        elif what == "lose" and playing:
            studio.lose(how_much % 7 + 1)
        elif what == "jump" and playing:
            studio.jump((how_much - 50) * 90_000 * 60)
        elif what == "step":
            studio.step_wall((how_much - 50) * 60 * SECOND)
            stepped_back = stepped_back or how_much < 50
        elif what == "fail":
            studio.failing = (Cause.STORAGE_FAILED, "EIO")
        elif what == "mend":
            studio.failing = None
        elif what == "unplanned":
            studio.not_planned = lambda _: "outside the schedule"
        elif what == "planned":
            studio.not_planned = lambda _: ""
        elif what == "around":
            studio.around = around(how_much, studio.boot_us)
        elif what == "asleep":
            studio.power_plan = "outside its power windows" if how_much % 2 else ""
        elif what == "say" and not playing:
            studio.say(Activity.WAITING, list(Fault)[how_much % len(Fault)], "no", attempt=how_much)
        studio.play(how_much / 10)
    studio.failing = None
    studio.play(3)
    if not stepped_back:
        holds(studio)
    studio.tick(final=True)
    assert studio.unexplained_us() == 0
    assert studio.budget.used_bytes >= 0
