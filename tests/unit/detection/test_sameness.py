"""A picture that stands still: at once where an encoder leaves it alone, and soon where it still refines it. Live pictures are none, however much noise they lose."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.detection.drawn import START_US, boxed, ground, noisy

from longwatch.detection.sameness import REFINED_S, Sameness

PLACE = ground()
LIVE, REFINED = 3.0, 1.0
"""Noise of a camera; and by how much the sync samples of what stands still differ while an encoder refines them."""


class Camera:
    """Sync samples for one `Sameness`, each some seconds after the last."""

    def __init__(self) -> None:
        self.same = Sameness()
        self.at_s = 0.0
        self.rng = np.random.default_rng(3)
        self.held = noisy(PLACE, self.rng, LIVE).astype(np.float32)

    def look(self, picture: np.ndarray, *, step_s: float = 2.0, key: bool = True, less: bool = False) -> bool:
        self.at_s += step_s
        return self.same.look(picture, START_US + round(self.at_s * 1e6), key=key, less=less)

    def live(self, many: int, sigma: float = LIVE, place: np.ndarray = PLACE) -> list[bool]:
        return [self.look(noisy(place, self.rng, sigma)) for _ in range(many)]

    def refined(self, many: int, sigma: float = REFINED, *, less: bool = False) -> list[bool]:
        return [self.look(noisy(self.held, self.rng, sigma), less=less) for _ in range(many)]


def test_what_an_encoder_still_refines_is_frozen_when_its_noise_is_gone_twice():
    camera = Camera()
    assert not any(camera.live(12))
    said = camera.refined(6)
    assert said.index(True) <= 4, "two comparisons, each against the picture 3.4 s before"
    assert all(said[said.index(True) :])
    assert not any(camera.live(6)[2:]), "and over when it lives"


def test_one_such_comparison_makes_doubt_and_no_more():
    camera = Camera()
    camera.live(12)
    said = camera.refined(6)
    first = said.index(True)
    other = Camera()
    other.live(12)
    assert not any(other.refined(first))
    assert other.same.doubts
    assert not any(other.live(6))
    assert not other.same.doubts


@pytest.mark.parametrize(
    ("sigmas", "frozen"), [((2.3, 2.3, 1.5), True), ((2.3, 2.3, 2.3), False), ((1.8, 1.8, 2.7), True)]
)
def test_of_two_such_comparisons_one_may_be_a_little_less_of_a_collapse(sigmas: tuple[float, ...], frozen: bool):
    """Of the noise of a live camera 0.77 is left and then 0.65, or 0.77 again, or 0.6 and then 0.77."""
    camera = Camera()
    camera.live(12)
    said = [camera.look(noisy(camera.held, camera.rng, sigma), step_s=4.0) for sigma in sigmas]
    assert said == [False, False, frozen]


def test_noise_that_is_nearly_gone_for_some_seconds_and_no_more_than_nearly_is_live():
    """Of a frozen picture it goes on going, and at once."""
    camera = Camera()
    camera.live(12)
    assert not any(camera.refined(7, 2.3))
    assert not any(camera.refined(4, 2.0)), "0.67 of the noise of before"
    other = Camera()
    other.live(12)
    other.refined(3, 2.3)
    assert any(other.refined(4, 2.0))


def test_where_the_sizes_say_so_too_once_is_enough():
    camera, alone, little = Camera(), Camera(), Camera()
    for each in (camera, alone, little):
        each.live(12)
    assert camera.refined(6, 2.0, less=True).index(True) < alone.refined(6, 2.0).index(True)
    assert not any(little.refined(6, 2.3, less=True)), "of what may be gone, and is not surely"


def test_much_noise_is_nothing_that_moves():
    """Blocks of it differ by more than four levels on average; what moves stands out of it."""
    camera = Camera()
    assert not any(camera.live(12, 6.0))
    assert True in camera.refined(6, 2.4)


def test_what_a_first_smaller_comparison_left_is_still_held_against_the_noise_of_before():
    """An encoder refines a frozen picture step by step: 0.78 of its noise, 0.77, 0.57; what each step left is not learnt before the next."""
    camera = Camera()
    camera.live(12)
    said = [camera.look(noisy(camera.held, camera.rng, sigma), step_s=4.0) for sigma in (2.35, 2.3, 2.3, 1.0)]
    assert said == [False, False, False, True]


def test_where_the_sizes_say_so_it_may_have_been_restless_before():
    for less in (True, False):
        camera = Camera()
        camera.live(10)
        camera.live(1, 9.0)
        assert (True in camera.refined(4, less=less)) is less


def test_who_walked_there_leaves_no_noise_that_could_be_gone():
    camera = Camera()
    for n in range(8):
        camera.look(noisy(boxed(PLACE, 30.0 * n, 40, 90, 120), camera.rng, LIVE))
    assert not any(camera.live(8, 1.2))


def test_a_lamp_that_goes_out_takes_the_noise_along_and_freezes_nothing():
    camera = Camera()
    camera.live(12)
    assert not any(camera.live(8, 1.2, PLACE * np.float32(0.6)))


INFRA = (255 - PLACE) * np.float32(0.7)
"""The same place by infra-red, which turns shades round."""


def test_what_was_known_of_another_light_is_not_held_against_the_noise_of_this_one():
    """A switch to infra-red: its noise is less, and so are the sizes."""
    camera = Camera()
    camera.live(12)
    assert not any(camera.look(noisy(INFRA, camera.rng, 1.2), less=n < 4) for n in range(12))


def test_the_noise_of_a_light_that_comes_back_is_still_known():
    """Headlights go over the yard; then the picture is frozen."""
    camera = Camera()
    camera.live(12)
    camera.live(2, LIVE, INFRA)
    camera.live(2)
    assert True in camera.refined(6)


def test_in_a_new_light_it_can_be_frozen_once_its_noise_is_known():
    camera = Camera()
    camera.live(12)
    camera.held = noisy(INFRA, camera.rng, LIVE).astype(np.float32)
    assert not any(camera.live(8, LIVE, INFRA))
    assert True in camera.refined(6)


def test_who_moves_is_not_frozen():
    camera = Camera()
    camera.live(12)
    for n in range(6):
        assert not camera.look(noisy(boxed(camera.held, 40.0 * n, 40, 60, 90), camera.rng, REFINED))


def test_noise_that_is_less_for_good_is_believed_after_some_seconds():
    """A camera that was told to smooth its pictures: called frozen for some seconds at most, and never again."""
    camera = Camera()
    camera.live(12)
    said = camera.live(40, REFINED)
    assert said.count(True) * 2 <= REFINED_S + 6
    assert not any(said[20:])


@pytest.mark.parametrize("sigma", [0.2, 0.4])
def test_a_camera_without_noise_has_none_to_lose(sigma: float):
    camera = Camera()
    camera.live(12, sigma)
    assert not camera.same.doubts


def test_pictures_between_sync_samples_are_not_held_against_their_noise():
    """An encoder that has nothing to say of a group of pictures repeats itself."""
    camera = Camera()
    camera.live(12)
    for n in range(10):
        shown = noisy(camera.held, camera.rng, REFINED) if n % 3 else noisy(PLACE, camera.rng, LIVE)
        assert not camera.look(shown, key=n % 3 == 0)
        assert not camera.same.doubts


@pytest.mark.parametrize(("syncs", "less"), [(False, False), (True, False), (False, True)])
def test_pictures_of_one_group_that_are_alike_are_no_frozen_picture(syncs: bool, less: bool):
    """Of a clean room an encoder says nothing between two sync samples: that is no evidence until the next one says the same, or sizes became far smaller."""
    camera = Camera()
    camera.live(12)
    shown = noisy(PLACE, camera.rng, LIVE)
    camera.look(shown)
    said = [camera.look(shown, step_s=0.9, key=syncs and n % 3 == 2, less=less) for n in range(9)]
    assert any(said) is (syncs or less)


@pytest.mark.parametrize(("swings", "frozen"), [(0.0, True), (0.25, False)], ids=["noise", "rain"])
def test_where_noise_comes_and_goes_by_itself_less_of_it_must_be_left(swings: float, *, frozen: bool):
    """0.69 is left of the least, both times. Rain's noise swings by a third, though never within a dozen seconds."""
    camera = Camera()
    for n in range(30):
        camera.live(1, LIVE * (1 + swings * np.cos((n - 29) / 5)))
    least = LIVE * (1 - swings)
    assert any(camera.refined(4, 0.69 * least)) is frozen
