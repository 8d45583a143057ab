"""Much that is new at once: a light that sweeps, or what stands there already; and a shift that a light feigns."""

import numpy as np
import pytest
from tests.unit.detection.drawn import F32, START_US, boxed, ground, kinds, learnt, looked, noisy, pictures

from longwatch.detection import steadiness
from longwatch.detection.looker import Looker
from longwatch.detection.pictures import Picture
from longwatch.detection.steadiness import Shift
from longwatch.model.events import MOTION

PLACE = ground()
LORRY = (150, 20, 160, 140)
"""left, top, width, height: two fifths of the picture."""


def parked(at: float, *, walks_from: float = 60.0) -> F32:
    """A lorry comes in from the right within a second and stands; long after it somebody walks along the left."""
    left, top, width, height = LORRY
    made = boxed(PLACE, left + max(0.0, 21.0 - at) * 170, top, width, height, 35.0) if at >= 20.0 else PLACE
    return boxed(made, 8 + 28 * (at - walks_from), 120, 9, 24, 15.0) if walks_from <= at < walks_from + 4 else made


def test_who_walks_past_a_lorry_that_stands_is_told():
    looker = learnt()
    came = looked(looker, pictures(parked, 8.0, step_s=0.2, from_s=20.0))
    assert MOTION in kinds(came)
    quiet = looked(looker, pictures(parked, 14.0, step_s=2.0, from_s=28.0))
    assert MOTION not in kinds(quiet)
    walks = looked(looker, pictures(lambda at: parked(at, walks_from=43.0), 4.0, step_s=0.2, from_s=43.0))
    assert MOTION in kinds(walks)


def lit(at: float) -> F32:
    """Headlights: a pool with a sharp border over a third of the ground, for as long as it stands there."""
    made = PLACE.copy()
    if at >= 20.0:
        made[100:170, 40:300] += np.float32(70)
    return made


@pytest.mark.parametrize("shaking", [0.0, 1.0], ids=["a mast that stands", "a mast that shakes"])
def test_a_shift_that_a_light_feigns_is_not_taken_out(shaking: float, monkeypatch: pytest.MonkeyPatch):
    def fields(feigned: bool) -> int:
        looker: Looker = learnt()
        looker._shaking = shaking
        with monkeypatch.context() as patched:
            if feigned:
                patched.setattr(steadiness, "between", lambda *_: Shift(0.002, 0.02, 0.45))
            new: list[int] = []
            learn = looker._background.learn  # type: ignore[union-attr]

            def told(level: F32, changed: np.ndarray, *more: object) -> None:
                new.append(int(changed.sum()))
                learn(level, changed, *more)  # type: ignore[arg-type]

            patched.setattr(looker._background, "learn", told)
            looker.look(Picture(noisy(lit(20.0), np.random.default_rng(3)), START_US + 20_400_000))
        return new[0]

    there, feigned = fields(False), fields(True)
    assert there > 2_000
    assert feigned <= there


OTHER, THIRD = ground(11), ground(12)


@pytest.mark.parametrize(
    ("waits_s", "sways", "known"),
    [(0.0, False, True), (0.0, True, False), (12.0, False, False)],
    ids=["it leaves", "it sways", "something comes later"],
)
def test_what_stands_where_the_background_was_just_begun_is_the_background(waits_s: float, *, sways: bool, known: bool):
    """It was begun while a lorry filled the view. What that uncovers was held for a thing that stands, for a minute."""
    looker = learnt()
    looked(looker, pictures(lambda _: OTHER, 2.0 + waits_s, step_s=0.2, from_s=20.0))

    def shown(at: float) -> F32:
        made = OTHER.copy()
        left = 130 + (round(at * 5) % 2) * 60 * sways
        made[:, left : left + 130] = THIRD[:, left : left + 130]
        return made

    looked(looker, pictures(shown, 1.6, step_s=0.2, from_s=22.0 + waits_s))
    assert looker._background is not None
    usual = looker._background.usual
    there = shown(23.0 + waits_s)[::2, ::2]
    assert (float(np.median(np.abs(usual - there)[:, 100:125])) < 5) is known


def test_a_background_does_not_walk_off_by_what_each_shift_errs(monkeypatch: pytest.MonkeyPatch):
    between = steadiness.between

    def errs(reference: steadiness.Edges, current: steadiness.Edges) -> Shift:
        shift = between(reference, current)
        return Shift(shift.dx, shift.dy + 0.006, shift.clear)

    monkeypatch.setattr(steadiness, "between", errs)
    looker: Looker = learnt()
    looker._shaking = 1.0

    def shaken(at: float) -> F32:
        return np.roll(PLACE, round(5 * np.sin(at)), 0)

    said = looked(looker, pictures(shaken, 150.0, step_s=0.25, from_s=20.0))
    usual, cells = looker._background.usual, PLACE.reshape(90, 2, 160, 2).mean((1, 3))  # type: ignore[union-attr]
    apart = [np.abs(np.roll(usual, off, 0) - cells)[12:-12].mean() for off in range(-8, 9)]
    assert abs(int(np.argmin(apart)) - 8) <= 1
    assert MOTION not in kinds(said)


def test_nothing_is_new_nor_learnt_where_a_picture_shifted_back_shows_nothing(monkeypatch: pytest.MonkeyPatch):
    looker: Looker = learnt()
    looker._shaking = 1.0
    background = looker._background
    assert background is not None
    known = background.usual.copy()
    monkeypatch.setattr(steadiness, "between", lambda *_: Shift(0.0, -8 / 88, 0.9))
    monkeypatch.setattr(steadiness.Swing, "about", lambda _, shift, __: shift)
    new: list[np.ndarray] = []
    learn = background.learn

    def told(level: F32, changed: np.ndarray, *more: object) -> None:
        new.append(changed.copy())
        learn(level, changed, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(background, "learn", told)
    up = np.roll(PLACE, -16, 0)
    for n in range(60):
        looker.look(Picture(noisy(up, np.random.default_rng(n)), START_US + 20_000_000 + n * 1_000_000))
    assert not any(each[:8].any() for each in new)
    assert np.abs(background.usual - known)[:8].max() < 1e-3
