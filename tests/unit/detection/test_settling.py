"""Exposure that is on its way: nothing is told from it, and nothing learnt; a thing that passes is none of it."""

import numpy as np
import pytest
from tests.unit.detection.drawn import HEIGHT, START_US, WIDTH, boxed, ground, kinds, learnt, looked, noisy

from longwatch.detection.blindness import BLACK_S
from longwatch.detection.looker import Looker
from longwatch.detection.pictures import Picture
from longwatch.detection.settling import FILTER_S, MOST_S, STEADY_S, Settling
from longwatch.detection.tamper import SAY_S

PLACE = ground()
FROM_S = 20.0


def cells(level: float):
    return np.full((90, 160), level, np.float32)


def seen(settling: Settling, levels: list[float], *, step_s: float = 0.2, from_s: float = 1.0, turned: int = -1):
    usual = cells(100)
    return [
        settling.look(cells(level), usual, round((from_s + n * step_s) * 1e6), turned=n == turned)
        for n, level in enumerate(levels)
    ]


def test_a_picture_that_stays_as_it_is_is_settled_and_so_is_dusk():
    assert not any(seen(Settling(), [100.0] * 20))
    assert not any(seen(Settling(), [100.0 * 0.99**n for n in range(200)]))


@pytest.mark.parametrize("turned", [True, False])
def test_burnt_white_it_is_on_its_way_until_it_has_stood_still(turned: bool):
    down = [100 + 150 * 0.85**n for n in range(40)]
    on = seen(Settling(), [100.0, 100.0, *down, *([100.0] * 20)], turned=2 if turned else -1)
    assert on[:2] == [False, False]
    assert all(on[2:18])
    rest = on.index(False, 2)
    assert not any(on[rest:])
    assert (rest - 2) * 0.2 >= STEADY_S


def test_the_filter_turns_without_a_change_of_light():
    on = seen(Settling(), [100.0] * 20, turned=3)
    assert on[3]
    assert not on[3 + round(STEADY_S / 0.2) + 2]


def test_a_filter_excuses_what_is_burnt_for_some_seconds_and_a_light_that_stays_no_longer():
    settling = Settling()
    seen(settling, [100.0, 100.0, *([230.0] * 6)], turned=2)
    began_us = round(1.4e6)
    assert settling.excuses(began_us + round((FILTER_S - 0.1) * 1e6))
    assert not settling.excuses(began_us + round(FILTER_S * 1e6))
    lamp = Settling()
    seen(lamp, [100.0, 100.0, *([230.0] * 6)])
    assert not lamp.excuses(began_us + 1), "no filter moved"


def test_a_light_that_pulses_does_not_hide_all_for_ever():
    on = seen(Settling(), [100.0, *([220.0, 60.0] * 60)])
    assert False in on[: round(MOST_S / 0.2) + 3][2:]


def burnt(at: float):
    """What infra-red does to a picture at dusk: black while the filter moves, white, and down to what it aims at."""
    past = at - FROM_S
    gain = 0.15 if past < 0.4 else 1 + 9 * np.exp(-(past - 0.4) / 1.4)
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    lamp = 0.3 + 0.9 * np.exp(-(((xs - 150) / 90) ** 2) - ((ys - 130) / 60) ** 2)
    return np.clip(PLACE * lamp.astype(np.float32) * np.float32(gain), 0, 252)


def switch(looker: Looker, drawn, seconds: float, from_s: float = FROM_S, colour: int = 128):
    rng = np.random.default_rng(4)
    grey = np.full((2, HEIGHT // 2, WIDTH // 2), colour, np.uint8)
    shown = []
    for n in range(round(seconds * 5)):
        at = from_s + n / 5
        shown.append(Picture(noisy(drawn(at), rng), START_US + round(at * 1e6), key=n % 10 == 0, chroma=grey))
    return looked(looker, iter(shown))


def test_a_switch_to_infra_red_is_nothing_and_leaves_no_ghosts():
    looker = learnt()
    assert not kinds(switch(looker, burnt, 20))
    assert not kinds(switch(looker, burnt, 30, from_s=FROM_S + 20))


def test_who_comes_after_the_switch_is_seen():
    looker = learnt()
    switch(looker, burnt, 14)
    said = switch(looker, lambda at: boxed(burnt(at), (at - FROM_S - 14) * 30, 100, level=200.0), 7, from_s=FROM_S + 14)
    assert "motion" in kinds(said)


def test_a_large_thing_that_passes_does_not_count_as_light():
    looker = learnt()
    said = switch(looker, lambda at: boxed(PLACE, (at - FROM_S) * 60 - 120, 40, 120, 110, level=20.0), 6)
    assert "motion" in kinds(said)


def test_no_sabotage_is_doubted_while_the_filter_moves():
    """Dusk softens a picture; then infra-red burns it white for some seconds: neither is fog, nor a torch."""
    looker = learnt()
    switch(looker, lambda _: PLACE * np.float32(0.2) + np.float32(60), 2, colour=100)
    assert looker.curious

    def white(at: float):
        return np.full_like(PLACE, 250) if at < FROM_S + 8 else burnt(at - 7)

    said = switch(looker, white, 18, from_s=FROM_S + 2)
    assert not [each for each in said if each.kind.startswith("tamper.")]


def told_s(said: list) -> float | None:
    """Seconds from FROM_S + 2 to the first word of sabotage."""
    return min(((each.at_us - START_US) / 1e6 - FROM_S - 2 for each in said if each.kind[:6] == "tamper"), default=None)


def by_day(looker: Looker):
    """Two seconds in colour, so that it is known when colours go."""
    return switch(looker, lambda _: PLACE, 2, colour=100)


@pytest.mark.parametrize(("tone", "within_s"), [(90.0, SAY_S + 1), (8.0, 1.5 + BLACK_S + SAY_S + 0.5)])
def test_what_covers_the_lens_takes_the_colours_as_a_filter_does_and_is_said_all_the_same(tone: float, within_s: float):
    """A hand that exposure lifts; and black tape, as black as a filter that moves for a moment: colours are asked each 1.5 s."""
    looker = learnt()
    by_day(looker)
    told = told_s(switch(looker, lambda _: np.full_like(PLACE, tone), 10, from_s=FROM_S + 2))
    assert told is not None
    assert told < within_s


def test_a_filter_that_softens_what_is_kept_is_excused_for_its_time_only():
    looker = learnt()
    by_day(looker)
    pale = PLACE * np.float32(0.5) + np.float32(70)
    said = switch(looker, lambda at: pale if at < FROM_S + 6 else PLACE, 12, from_s=FROM_S + 2)
    assert told_s(said) is None
