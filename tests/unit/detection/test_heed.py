"""What of what stirs is heeded: a bound that follows what comes for nothing."""

from __future__ import annotations

import random

import pytest

from longwatch.detection.heed import Heed


def vain(heed: Heed, usual: float, pictures: int, *, attentive: bool, seed: int = 1) -> int:
    """How many of so many pictures of noise are looked at, each of which comes to nothing."""
    chance, looked = random.Random(seed), 0
    for _ in range(pictures):
        if heed.look(usual * chance.lognormvariate(0, 0.3), attentive=attentive):
            looked += 1
            heed.vain()
    return looked


@pytest.mark.parametrize("usual", [0.9, 2.0, 6.0])
def test_it_settles_where_few_pictures_are_looked_at_for_nothing_whatever_noise_there_is(usual: float):
    heed = Heed()
    vain(heed, usual, 400, attentive=False)
    calm = vain(heed, usual, 3_000, attentive=False, seed=2)
    vain(heed, usual, 400, attentive=True, seed=3)
    attentive = vain(heed, usual, 3_000, attentive=True, seed=4)
    assert 0.01 * 3_000 <= calm <= 0.035 * 3_000
    assert 0.09 * 3_000 <= attentive <= 0.22 * 3_000


def test_of_the_first_pictures_nothing_is_heeded_and_what_comes_then_is_though_it_stirred_before():
    heed = Heed()
    assert not any(heed.look(9.0, attentive=False) for _ in range(8))
    assert heed.look(9.0, attentive=False)


def test_a_quiet_camera_heeds_nothing_that_is_as_good_as_nothing():
    heed = Heed()
    assert not any(heed.look(0.5, attentive=True) for _ in range(10_000))
    assert heed.look(1.0, attentive=False)


def test_no_storm_makes_it_deaf_for_longer_than_some_minutes():
    heed = Heed()
    for _ in range(500):
        if heed.look(1e6, attentive=False):
            heed.vain()
    calm = 0
    while not heed.look(4.0, attentive=False):
        calm += 1
        heed.look(0.5, attentive=False)
    assert calm < 500
