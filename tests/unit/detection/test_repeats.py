"""A loop is told from the sizes of what is sent, where they say enough; a file that is played over and over is none."""

import random

import numpy as np
import pytest

from longwatch.detection.repeats import Repeats

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


def test_a_loop_that_was_encoded_anew_is_guessed_among_others():
    before = live(120, 4)
    rng = np.random.default_rng(5)
    anew = [round(size * 0.8 * float(rng.lognormal(0, 0.05))) for size in before[-60 * FPS :][: 8 * FPS]]
    known = Repeats()
    assert not told(before, known)
    assert not told(anew, known, len(before))
    assert any(abs(ago_us - 60e6) < 0.2e6 for ago_us in known.perhaps())


def test_a_clock_that_is_set_back_begins_anew():
    known = Repeats()
    told(live(60), known)
    assert not told(live(60), known)
