"""What is worth a closer look, and what came to nothing too often for that."""

from __future__ import annotations

import pytest

from longwatch.detection.curiosity import COLUMNS, ROWS, Curiosity
from longwatch.detection.planes import F32
from longwatch.detection.tracking import Track

SHAPE = (90, 160)
STEP_S = 0.2


def track(
    number: int, x: float = 40.0, cells: float = 30.0, texture: float = 0.1, *, confirmed: bool = False, hits: int = 1
) -> Track:
    box = (x, 40.0, 6.0, 5.0)
    return Track(
        number, 0, 0, box, x + 3, 42.5, cells, 20.0, box, x + 3, 42.5, cells,
        texture=texture, confirmed=confirmed, hits=hits,
    )  # fmt: skip


def in_vain(curiosity: Curiosity, times: int, *, first: int = 1, x: float = 40.0, cells: float = 30.0) -> None:
    """So often something is looked at closely for a while, and is gone."""
    for number in range(first, first + times):
        seen = track(number, x, cells)
        for _ in range(5):
            curiosity.look([seen], [], SHAPE, STEP_S, learns=True)
        curiosity.look([], [seen], SHAPE, STEP_S, learns=True)
        curiosity.look([], [], SHAPE, 4.0, learns=True)


def wonders(curiosity: Curiosity, one: Track) -> bool:
    return curiosity.look([one], [], SHAPE, 4.0, learns=True)


def test_what_is_new_is_worth_a_look_and_what_lies_as_the_ground_does_is_not():
    curiosity = Curiosity()
    assert wonders(curiosity, track(1))
    assert not wonders(curiosity, track(2, texture=0.9))
    assert not wonders(curiosity, track(3, confirmed=True, hits=3))


def test_a_branch_makes_curious_no_more_while_whoever_is_larger_or_elsewhere_does():
    curiosity = Curiosity()
    in_vain(curiosity, 6)
    assert not wonders(curiosity, track(90))
    assert wonders(curiosity, track(91, cells=60.0))
    assert wonders(curiosity, track(92, x=120.0))


def test_of_flakes_that_fall_together_the_largest_says_what_is_usual():
    """Each look shows a dozen of them, and it is the largest that makes curious: of small ones that were over just before it nothing would be learnt."""
    curiosity = Curiosity()
    for number in range(0, 60, 6):
        small = [track(number + k, 11.0 * (number % 12) + k, 5.0) for k in range(5)]
        large = track(number + 5, 11.0 * (number % 12), 11.0)
        for _ in range(5):
            curiosity.look([*small, large], [], SHAPE, STEP_S, learns=True)
        curiosity.look([large], small, SHAPE, STEP_S, learns=True)
        curiosity.look([], [large], SHAPE, STEP_S, learns=True)
        curiosity.look([], [], SHAPE, 2.8, learns=True)
    assert curiosity.everywhere > 9
    assert not wonders(curiosity, track(900, 150.0, cells=11.0))
    assert wonders(curiosity, track(901, 150.0, cells=30.0))


def test_what_came_to_nothing_once_is_looked_at_again():
    curiosity = Curiosity()
    in_vain(curiosity, 1)
    assert wonders(curiosity, track(90))


def test_snow_makes_flakes_usual_everywhere_but_nobody_of_size():
    curiosity = Curiosity()
    for number in range(12):
        in_vain(curiosity, 1, first=number, x=11.0 * number, cells=9.0)
    assert not wonders(curiosity, track(90, x=140.0, cells=9.0))
    assert wonders(curiosity, track(91, x=140.0, cells=24.0))


def test_it_fades_and_is_kept_as_it_is():
    curiosity = Curiosity()
    in_vain(curiosity, 6)
    again = Curiosity(curiosity.here.copy(), curiosity.everywhere, curiosity.often)
    assert not wonders(again, track(90))
    curiosity.look([], [], SHAPE, 3600.0, learns=True)
    assert wonders(curiosity, track(90))


def test_a_young_background_teaches_nothing_nor_does_a_light_that_fills_the_picture():
    curiosity = Curiosity()
    in_vain(curiosity, 8, cells=2000.0)
    assert wonders(curiosity, track(90))
    for number in range(8):
        curiosity.look([], [track(number)], SHAPE, STEP_S, learns=False)
    assert wonders(curiosity, track(91))


def test_a_grid_of_another_size_is_refused():
    empty: F32 = Curiosity().here[:-1]
    with pytest.raises(ValueError, match="another size"):
        Curiosity(empty)
    assert Curiosity().here.shape == (ROWS, COLUMNS)
