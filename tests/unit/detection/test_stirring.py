"""How much goes on, told from motion vectors: noise and what sways are learnt, what goes by stands out, and a camera that shakes does not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from longwatch.detection.stirring import Stirring

ROWS, COLUMNS = 23, 40
F32 = NDArray[np.float32]


class Scene:
    """Vectors of noise, one in five blocks without any; where things are put into it."""

    def __init__(self, seed: int = 1, noise: float = 1.0) -> None:
        self.chance = np.random.default_rng(seed)
        self.noise = noise
        self.stirring = Stirring()

    def field(self) -> tuple[F32, F32]:
        sums = self.chance.normal(0, self.noise, (2, ROWS, COLUMNS)).astype(np.float32)
        counts = (self.chance.random((ROWS, COLUMNS)) > 0.2).astype(np.float32)
        return sums * counts, counts

    def look(self, sums: F32, counts: F32) -> float:
        return self.stirring.look(sums, counts)

    def quiet(self, looks: int) -> list[float]:
        return [self.look(*self.field()) for _ in range(looks)]


def put(field: tuple[F32, F32], rows: slice, columns: slice, across: float, down: float = 0.0) -> tuple[F32, F32]:
    sums, counts = field
    counts[rows, columns] = 1
    sums[0, rows, columns], sums[1, rows, columns] = across, down
    return sums, counts


@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("size", [2, 3, 5])
def test_what_goes_one_way_stands_out_of_noise_of_any_strength(noise: float, size: int):
    scene = Scene(noise=noise)
    usual = scene.quiet(60)[20:]
    seen = scene.look(*put(scene.field(), slice(9, 9 + size), slice(20, 20 + size), 8 * max(noise, 1.0)))
    assert seen > (1.5 if size > 2 else 1.2) * max(usual)


def test_as_many_vectors_each_another_way_do_not():
    scene = Scene()
    usual = scene.quiet(60)[20:]
    sums, counts = scene.field()
    turned = scene.chance.uniform(0, 2 * np.pi, (3, 3))
    one_way = scene.look(*put((sums.copy(), counts.copy()), slice(9, 12), slice(20, 23), 8.0))
    sums[:, 9:12, 20:23] = 8 * np.stack([np.cos(turned), np.sin(turned)])
    counts[9:12, 20:23] = 1
    each_another = scene.look(sums, counts)
    assert each_another < 0.6 * one_way
    assert max(usual) < one_way


def test_what_builds_on_nothing_where_all_else_does_stands_out():
    scene = Scene()
    usual = scene.quiet(60)[20:]
    sums, counts = scene.field()
    counts[9:13, 20:24] = 0
    sums[:, 9:13, 20:24] = 0
    assert scene.look(sums, counts) > 1.2 * max(usual)


def test_a_picture_that_builds_on_nothing_anywhere_is_no_thing():
    scene = Scene()
    usual = scene.quiet(60)[20:]
    none = np.zeros((ROWS, COLUMNS), np.float32)
    assert scene.look(np.zeros((2, ROWS, COLUMNS), np.float32), none) < 1.2 * max(usual)


def test_what_sways_all_the_time_is_learnt_and_hides_nothing_elsewhere():
    scene = Scene()
    tree = slice(2, 8), slice(3, 9)

    def swaying() -> tuple[F32, F32]:
        return put(scene.field(), *tree, float(scene.chance.normal(0, 6)), float(scene.chance.normal(0, 3)))

    scene.quiet(60)
    first = scene.look(*put(scene.field(), *tree, 6.0))
    late = [scene.look(*swaying()) for _ in range(120)][80:]
    assert np.median(late) < 0.5 * first
    there = scene.look(*put(swaying(), slice(14, 17), slice(30, 33), 8.0))
    assert there > 1.5 * np.median(late)


def test_who_goes_by_for_long_is_hardly_learnt():
    scene = Scene()
    scene.quiet(60)
    seen = [scene.look(*put(scene.field(), slice(9, 12), slice(20, 23), 8.0)) for _ in range(8)]
    assert seen[-1] > 0.4 * seen[0]


def test_a_mast_that_shakes_moves_all_vectors_and_that_is_no_thing():
    scene = Scene(noise=0.5)
    usual = scene.quiet(60)[20:]
    sums, counts = scene.field()
    shaken = np.stack([sums[0] + 6 * counts, sums[1] - 3 * counts])
    assert scene.look(shaken, counts) < 1.3 * max(usual)
    sums, counts = put(scene.field(), slice(9, 12), slice(20, 23), 8.0)
    shaken = np.stack([sums[0] + 6 * counts, sums[1] - 3 * counts])
    assert scene.look(shaken, counts) > 1.5 * max(usual), "and who goes by is seen nevertheless"


def test_a_stream_of_another_size_is_learnt_anew():
    scene = Scene()
    scene.quiet(30)
    counts = np.ones((9, 16), np.float32)
    assert np.isfinite(scene.look(np.zeros((2, 9, 16), np.float32), counts))
    assert np.isfinite(scene.look(np.zeros((2, 1, 1), np.float32), np.ones((1, 1), np.float32)))


def test_nothing_that_a_stream_can_say_makes_it_deaf_for_ever():
    scene = Scene()
    scene.quiet(30)
    wild = np.full((2, ROWS, COLUMNS), 1e9, np.float32)
    for _ in range(5):
        assert np.isfinite(
            scene.look(wild * scene.chance.choice([-1, 1], wild.shape), np.full((ROWS, COLUMNS), 256, np.float32))
        )
    usual = scene.quiet(200)[150:]
    assert scene.look(*put(scene.field(), slice(9, 13), slice(20, 24), 8.0)) > 1.3 * max(usual)
