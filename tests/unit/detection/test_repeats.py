"""A loop is told from the sizes of what is sent, where they say enough; a file that is played over and over is none."""

import random

import pytest

from longwatch.detection.repeats import ANEW_EACH_US, ANEW_US, Repeats

FPS, GROUP = 8, 16


def live(seconds: float, seed: int = 1, spread: float = 0.15) -> list[int]:
    """Sizes of a noisy camera: large ones that begin a group, others that differ by their noise."""
    rng = random.Random(seed)
    return [round(20_000 * rng.lognormvariate(0, 0.03)) if n % GROUP == 0 else round(3000 * rng.lognormvariate(0, spread)) for n in range(round(seconds * FPS))]  # fmt: skip


def told(sizes: list[int], repeats: Repeats | None = None, begin: int = 0) -> list[float]:
    """Seconds at which it is called a loop."""
    known = repeats or Repeats()
    return [
        n / FPS
        for n, size in enumerate(sizes, begin)
        if known.sample(size, 1_700_000_000_000_000 + round(n / FPS * 1e6), sync=n % GROUP == 0)
    ]


@pytest.mark.parametrize("loop_s", [10, 30, 60])
def test_a_loop_of_the_very_bytes_is_told_three_seconds_after_it_begins_and_is_over_when_the_camera_is_back(
    loop_s: int,
):
    before = live(100)
    loop = before[-loop_s * FPS :]
    seen = told(before + loop * 2 + live(30, 2))
    assert 100 < seen[0] < 103.5
    assert 100 + 2 * loop_s + 3 < seen[-1] < 100 + 2 * loop_s + 7


def test_live_sizes_are_no_loop_nor_are_few_sizes_that_say_nothing():
    assert not told(live(600))
    assert not told([30 + n % 3 for n in range(2000)])
    assert not told([1200] * 2000)


def test_a_file_that_was_played_over_and_over_from_the_beginning_is_a_file():
    assert not told(live(24) * 12)


def begun_s(groups: list[int]) -> list[float]:
    """When a stream of groups of so many pictures seems to begin anew."""
    known, made, n = Repeats(), [], 0
    for pictures in groups:
        for place in range(pictures):
            wall_us, before_us = round(n / FPS * 1e6), known.anew_until_us
            known.sample(20_000 if not place else 3000 + n % 7, wall_us, sync=not place)
            if known.anew_until_us != before_us:
                assert known.anew_until_us == wall_us + ANEW_US
                made.append(n / FPS)
            n += 1
    return made


def test_a_group_that_breaks_off_is_a_stream_that_begins_anew():
    assert begun_s([GROUP] * 12 + [5] + [GROUP] * 12) == [(12 * GROUP + 5) / FPS]
    assert not begun_s([GROUP] * 40)
    assert not begun_s([GROUP] * 12 + [20] + [GROUP] * 12), "a longer one breaks nothing off"
    assert not begun_s([GROUP, GROUP, 5] * 20), "this one begins when it likes"


def test_a_sync_sample_that_is_made_of_other_units_than_all_before_is_a_stream_that_begins_anew():
    """Many an encoder says who it is before its first picture."""

    def begun(makeups: list[int]) -> list[int]:
        known, made = Repeats(), []
        for group, makeup in enumerate(makeups):
            for place in range(GROUP):
                wall_us, before_us = round((group * GROUP + place) / FPS * 1e6), known.anew_until_us
                known.sample(20_000 if not place else 3000 + group % 7, wall_us, sync=not place, makeup=makeup)
                if known.anew_until_us != before_us:
                    assert not place
                    made.append(group)
        return made

    assert begun([8, *[5] * 12, 8, *[5] * 12]) == [13]
    assert not begun([5] * 40)
    assert not begun([5, 5, 8] * 20), "this one says it now and then"


def test_a_stream_that_begins_anew_again_and_again_is_believed_once_in_ten_minutes():
    broken = [GROUP] * 12 + [5]
    begun = begun_s(broken * 40)
    assert len(begun) == 2
    assert begun[1] - begun[0] >= ANEW_EACH_US / 1e6


def test_a_camera_whose_times_go_back_is_not_looked_at_closely_all_the_time():
    known, begun, n = Repeats(), 0, 0
    for _ in range(12):
        for pictures in [GROUP] * 12 + [5, GROUP]:
            for place in range(pictures):
                before_us = known.anew_until_us
                known.sample(3000 + n % 7, round(n / FPS * 1e6), sync=not place)
                begun += known.anew_until_us != before_us
                n += 1
        known.sample(3000, round((n - 2) / FPS * 1e6))
    assert begun == 1


def test_a_clock_that_is_set_back_begins_anew():
    known = Repeats()
    told(live(60), known)
    assert not told(live(60), known)
