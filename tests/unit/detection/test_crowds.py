"""Where much passes: what is worth a closer look, and who is told among it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.unit.detection.drawn import START_US, ground, kinds, learnt, looked, noisy
from tests.unit.detection.drawn import boxed as boxed_picture
from tests.unit.detection.test_ghosts import SIZE, START, boxed, looked_at

from longwatch.detection.curiosity import Curiosity
from longwatch.detection.looker import Looker
from longwatch.detection.motion import Blob
from longwatch.detection.pictures import Picture
from longwatch.detection.tracking import Tracker
from longwatch.model.events import Watched

GROUND = ground()
FLAKES = 8


def tracker() -> Tracker:
    made = Tracker(SIZE[0])
    made.height = SIZE[1]
    return made


def snowing(number: int, flakes: int = FLAKES) -> Picture:
    """A look at snow: flakes of 3 x 4 cells, elsewhere in each."""
    drawn = np.random.default_rng(number)
    picture = GROUND.copy()
    for left, top in drawn.integers((4, 4), (300, 160), (flakes, 2)):
        picture[top : top + 8, left : left + 6] += 70
    return Picture(noisy(np.clip(picture, 0, 255), drawn), START + number * 200_000, number % 10 == 0)


@pytest.mark.parametrize(("crowd", "small"), [(1.5, True), (5.0, False)])
def test_among_many_flakes_only_what_is_larger_deserves_a_closer_look(crowd: float, small: bool):
    made = tracker()
    made.follow([boxed(20, 20, 3, 3), boxed(90, 40, 6, 8)], START, 0.2)
    made.crowd, made.crowd_cells = crowd, 9.0
    assert [made.outdoes(track, young=False) for track in made.tracks] == [small, True]


@pytest.mark.parametrize(("flakes", "small"), [(0, True), (6, False)])
def test_one_that_knows_little_learns_from_its_first_looks_what_passes(flakes: int, small: bool):
    made = tracker()
    drawn = np.random.default_rng(4)
    for number in range(4):
        passing = [boxed(*drawn.uniform((5, 5), (140, 70)), 3, 4) for _ in range(flakes)]
        made.follow(passing, START + number * 200_000, 0.2)
    made.drop()
    made.follow([boxed(20, 20, 3, 4), boxed(90, 40, 6, 8)], START + 800_000, 0.2)
    assert [made.outdoes(track, young=True) for track in made.tracks] == [small, True]
    assert made.crowd < 2.5


@pytest.mark.parametrize(("still", "crowd"), [(0, 0.5), (1, 2.4)])
def test_key_frames_in_which_nothing_passes_end_a_crowd(still: int, crowd: float):
    made = tracker()
    made.crowd, made.crowd_cells = 2.4, 20.0
    drawn = np.random.default_rng(1)
    for number in range(12):
        passing = [boxed(*drawn.uniform((5, 5), (140, 70)), 3, 4) for _ in range(still)]
        made.follow(passing, START + number * 4_000_000, 4.0)
    assert made.crowd == pytest.approx(crowd) if still else made.crowd < crowd


def test_who_comes_straight_on_is_told_though_his_middle_stays():
    looks = [boxed(70 - 0.5 * n, 40 - 0.5 * n, 8 + n, 8 + n) for n in range(30)]
    made = looked_at(*looks)
    one = made.tracks[0]
    assert one.confirmed
    assert one.last_us - one.moved_us <= 1_000_000
    stays = looked_at(*looks, *[looks[-1]] * 30)
    assert stays.tracks[0].last_us - stays.tracks[0].moved_us > 3_000_000


def test_who_comes_nearer_and_stands_is_known_by_how_he_grew_while_the_gate_was_shut():
    """A key frame had confirmed him, and he did not go on: what he did before counts all the same."""
    made, last = tracker(), -0.2
    for at in [*(0.2 * n for n in range(10)), 4.0, 6.0, 8.0, *(8.2 + 0.2 * n for n in range(12))]:
        went = min(at, 8.0)
        side, x = 8 * 1.094**went, 60 + 0.9 * went
        made.follow([boxed(x - side / 2, 40 - side / 2, round(side), round(side))], START + round(at * 1e6), at - last)
        last = at
        if at == 8.0:
            assert made.tracks[0].unsure is not None
    assert made.tracks[0].sure


def test_a_looker_that_begins_in_snow_is_soon_curious_no_more():
    looker = Looker(Watched("snow"))
    curious = []
    for number in range(40):
        looker.look(snowing(number))
        curious.append(looker.curious)
    assert any(curious[:5])
    assert sum(curious[10:]) < 6


def test_whoever_comes_into_that_snow_makes_it_curious():
    looker = Looker(Watched("snow"))
    for number in range(40):
        looker.look(snowing(number))
    picture = snowing(40)
    picture.luma[60:110, 100:124] = 235
    looker.look(picture)
    assert looker.curious


def test_who_was_gone_for_two_looks_is_not_taken_for_a_flake_that_falls_later():
    made = looked_at(*[boxed(30 - 3 * n, 40, 5, 8) for n in range(10)])
    one = made.tracks[0]
    assert one.confirmed
    gone_us = one.last_us
    made.follow([], gone_us + 200_000, 0.2)
    made.follow([], gone_us + 1_000_000, 0.8)
    assert made.tracks == [one], "two looks, but no two seconds"
    seen, over = made.follow([boxed(4, 30, 2, 3)], gone_us + 6_000_000, 5.0)
    assert (seen, over) == ([], [one])


def after_key_frames(*looks: Blob, step_us: int = 200_000) -> Tracker:
    """What two key frames saw of one on his way, and looks after that."""
    made = tracker()
    made.crowd, made.crowd_cells = 2.0, 6.0
    key_frames = [boxed(64, 54, 7, 7), boxed(70, 54, 7, 7)]
    for number, each in enumerate(key_frames):
        made.follow([each], START + number * 4_000_000, 4.0)
    for number, each in enumerate(looks, 1):
        made.follow([each], START + 4_000_000 + number * step_us, step_us / 1e6)
    return made


def test_whom_key_frames_alone_confirmed_is_not_told_where_he_stays():
    stays = [boxed(70, 54, 7, 7), boxed(70, 56, 7, 5)] * 8
    for looks in range(len(stays)):
        one = after_key_frames(*stays[:looks]).tracks[0]
        assert not one.sure
        assert one.confirmed is (looks < 8)


def test_he_is_told_as_soon_as_a_look_sees_him_go_on():
    assert after_key_frames().tracks[0].confirmed
    assert not after_key_frames(boxed(70, 54, 7, 7)).tracks[0].sure
    assert after_key_frames(boxed(70, 54, 7, 7), boxed(71, 54, 7, 7)).tracks[0].sure
    assert after_key_frames(boxed(76, 54, 7, 7), step_us=4_000_000).tracks[0].sure


def test_what_is_suddenly_much_larger_has_not_gone_on():
    assert not after_key_frames(boxed(70, 54, 12, 12)).tracks[0].sure
    assert after_key_frames(boxed(70, 54, 12, 12), boxed(71, 54, 12, 12)).tracks[0].sure


def test_one_that_is_not_sure_makes_curious_until_he_is():
    made, curiosity = after_key_frames(boxed(70, 54, 7, 7), boxed(70, 54, 7, 7)), Curiosity()
    assert curiosity.look(made.tracks, [], (SIZE[1], SIZE[0]), 0.2, learns=False)
    made.follow([boxed(72, 54, 7, 7)], START + 5_000_000, 0.2)
    assert made.tracks[0].sure
    assert not curiosity.look(made.tracks, [], (SIZE[1], SIZE[0]), 0.2, learns=False)


def test_not_being_sure_survives_a_restart():
    made, again = after_key_frames(boxed(70, 54, 7, 7)), tracker()
    again.restore(json.loads(json.dumps(made.saved())))
    assert again.tracks == made.tracks
    assert not again.tracks[0].sure


def test_a_looker_does_not_tell_whom_it_saw_twice_in_a_line_and_then_stand():
    def shown(at: float, going: float) -> list[Picture]:
        """Key frames 2 s apart, then a look each 0.2 s, of a thing that leaps and then goes so many pixels a second."""
        drawn, made = np.random.default_rng(3), []
        for second in (0.0, 2.0, *(2.0 + 0.2 * n for n in range(1, 16))):
            left = round(60 + min(second, 2.0) * 12 + max(second - 2.0, 0.0) * going)
            picture = boxed_picture(GROUND, left, 90)
            made.append(Picture(noisy(picture, drawn), START_US + round((at + second) * 1e6), second <= 2.0))
        return made

    assert not kinds(looked(learnt(), iter(shown(20, 0.0))))
    assert "motion" in kinds(looked(learnt(), iter(shown(20, 12.0))))


def in_snow(way: int, size: int = 14, *, restart: bool = False) -> tuple[list[str], bool]:
    """What is said, and whether anything made curious, of a figure that goes so many pixels from key frame to key frame, after a while of snow."""
    looker = Looker(Watched("snow"))
    said, curious = [], False
    for number in range(100):
        looker.look(snowing(number, 5))
    for number in range(10):
        drawn = snowing(100 + number, 5)
        left = 40 + way * number
        drawn.luma[90 : 90 + size, left : left + size // 2 + 1] = 235
        said += kinds(looker.look(Picture(drawn.luma, START + 20_000_000 + number * 2_000_000, key=True)))
        curious |= looker.curious
        if restart and number == 5:
            looker = Looker.restored(looker.watched, looker.saved())
    return said, curious


def test_whoever_goes_on_a_line_in_snow_is_told_from_key_frames_alone():
    said, curious = in_snow(16)
    assert "motion" in said
    assert in_snow(16, restart=True) == (said, curious)


def test_what_stands_in_snow_is_not_told():
    assert "motion" not in in_snow(0)[0]


def test_whoever_may_go_on_a_line_is_worth_a_closer_look(monkeypatch: pytest.MonkeyPatch):
    """He is no larger than a flake, which makes nobody curious."""
    monkeypatch.setattr("longwatch.detection.looker.SURELY", 1e9)
    assert in_snow(16, 8) == ([], True)
    monkeypatch.setattr(Looker, "_on_lines", lambda *_: [])
    assert in_snow(16, 8) == ([], False)
