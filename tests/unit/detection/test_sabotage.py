"""What hides the view is said within some seconds, by its name, and is over when the view is back; light, night and passers-by are none of it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.unit.detection.drawn import F32, START_US, boxed, ground, kinds, learnt, looked, noisy, pictures

from longwatch.detection import planes, tamper
from longwatch.detection.blindness import Blindness
from longwatch.detection.looker import Looker
from longwatch.detection.pictures import Picture
from longwatch.detection.tracking import Track, Tracker
from longwatch.detection.view import Likeness, View
from longwatch.model.events import Watched

PLACE = ground()
OTHER = ground(77)


def fogged(place):
    soft = cv2.GaussianBlur(place, (0, 0), 2)
    return soft * np.float32(0.2) + np.float32(0.8 * 160)


def sprayed(place):
    made = place.copy()
    for x, y in ((60, 40), (150, 60), (240, 50), (90, 120), (190, 130), (270, 110), (30, 90)):
        cv2.circle(made, (x, y), 46, 25.0, -1)
    return made


def blinded(place):
    xs, ys = np.meshgrid(np.arange(320, dtype=np.float32), np.arange(180, dtype=np.float32))
    return place * np.float32(0.3) + 900 * np.exp(-(((xs - 170) / 70) ** 2) - ((ys - 80) / 60) ** 2)


ATTACKS = {
    "covered": lambda place: np.full_like(place, 22),
    "sprayed": sprayed,
    "turned": lambda _: OTHER,
    "moved": lambda place: np.roll(place, (9, -22), (0, 1)),
    "defocused": lambda place: cv2.GaussianBlur(place, (0, 0), 5),
    "fogged": fogged,
    "blinded": blinded,
}
LIGHTS = {"day": 1.0, "night": 0.45}


@pytest.mark.slow
@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("kind", ATTACKS)
def test_each_is_said_in_time_by_its_name_and_is_over_when_the_view_is_back(kind: str, light: str):
    place = PLACE * np.float32(LIGHTS[light])
    looker = learnt(base=place, sigma=2.0)
    attacked = ATTACKS[kind](place)
    said = looked(looker, pictures(lambda _: attacked, 8, from_s=20, step_s=0.5, sigma=2.0))
    tampers = [each for each in said if each.kind.startswith("tamper")]
    assert {each.kind for each in tampers} == {f"tamper.{kind}"}
    assert tampers[0].at_us - START_US - 20e6 < 6e6
    back = looked(looker, pictures(lambda _: place, 6, from_s=28, step_s=0.5, sigma=2.0))
    assert f"tamper.{kind}" in kinds(back, on=False)
    assert not looked(looker, pictures(lambda _: place, 2, from_s=34, step_s=0.5, sigma=2.0))


def test_a_covered_thermal_camera():
    cold = cv2.GaussianBlur(ground(4, 6.0), (0, 0), 2)
    looker = learnt(Watched("mast", thermal=True), base=cold, sigma=1.5)
    said = looked(looker, pictures(lambda _: np.full_like(cold, 120), 8, from_s=20, step_s=0.5, sigma=1.5))
    assert kinds(said) == {"tamper.covered"}


SOFT = cv2.GaussianBlur(ground(4), (0, 0), 2)
"""A place as a thermal camera shows it: nothing in it is sharp, so a lens out of focus takes little."""


def test_a_soft_picture_out_of_focus():
    looker = learnt(Watched("mast", thermal=True), base=SOFT, sigma=1.0)
    blurred = cv2.GaussianBlur(SOFT, (0, 0), 2.5)
    said = looked(looker, pictures(lambda _: blurred, 10, from_s=20, step_s=0.5, sigma=1.0))
    assert kinds(said) == {"tamper.defocused"}
    back = looked(looker, pictures(lambda _: SOFT, 6, from_s=30, step_s=0.5, sigma=1.0))
    assert "tamper.defocused" in kinds(back, on=False)


@pytest.mark.parametrize(
    ("fine", "sharp", "raised", "said"),
    [(0.74, 0.62, 0.0, "defocused"), (0.74, 0.97, 0.0, ""), (0.74, 0.62, -12.0, ""), (0.93, 0.9, 0.0, "")],
)
def test_little_is_lost_where_nothing_else_changed_but_not_by_a_shift_or_another_light(
    fine: float, sharp: float, raised: float, said: str
):
    seen = Likeness(120, 1.0, 0.0, 0.0, fine, 1.0, 1.0, raised, 0.0, 0.0, 0.0, 32.0, 32.0, 92.0, sharp)
    assert tamper.judged(seen, 0.0) == said


def lit(kept: float, fine: float, broad: float, calm: float, glare: float = 0.0) -> Likeness:
    return Likeness(
        144, kept, 1 - kept, 0.0, fine, broad, 0.98 if fine > 0.9 else 0.5, 0.0, glare, glare, 0.0, calm, 25.0, 110.0
    )


BURNT, DIMMED, LAMP, BACK = lit(0.5, 0.3, 1.1, 50, 0.6), lit(0.73, 0.31, 1.1, 56), lit(0.72, 0.23, 0.85, 42), lit(1, 1, 1, 25)  # fmt: skip


def test_a_lamp_that_exposure_answers_is_one_until_it_is_gone(monkeypatch: pytest.MonkeyPatch):
    """Directions of edges are kept while exposure closes, their strength is not."""
    shown = iter([BURNT] * 8 + [DIMMED] * 5 + [LAMP] * 30 + [BACK] * 6)
    monkeypatch.setattr(View, "likeness", lambda *_: next(shown))
    blind, cells = Blindness((90, 160)), np.zeros((90, 160), np.float32)
    said = [blind.look(np.zeros((180, 320), np.uint8), cells, START_US + n * 1_000_000) for n in range(4)]
    said = [blind.look(np.zeros((180, 320), np.uint8), cells, START_US + n * 400_000) for n in range(12, 61)]
    assert set(said[12:43]) == {"blinded"}
    assert said[-1] == ""


def test_what_a_torch_leaves_when_exposure_has_answered_it_is_not_the_view_again():
    """Neither burnt out any more nor quite gone: washed out, and lifted."""
    left = Likeness(144, 0.66, 0.22, 0.12, 0.28, 0.58, 0.46, 64.0, 0.01, 0.01, 0.0, 54.0, 42.0, 123.0, 0.21)
    assert tamper.judged(left, 0.0) == "blinded"
    for other in ({"sharp": 0.6}, {"fine": 0.5}, {"raised": 10.0}, {"broad": 0.9}):
        assert tamper.judged(replace(left, **other), 0.0) == ""
    blind = Blindness((90, 160))
    blind._standing.doubt = "blinded"
    assert not blind._is_back(left)
    assert blind._is_back(replace(left, sharp=0.6, fine=0.5))


def test_headlights_that_leave_the_edges_their_strength_are_none():
    assert tamper.judged(lit(0.86, 0.98, 1.1, 82), 0.0) == ""
    assert tamper.judged(DIMMED, 0.0) == "blinded"


def test_a_light_that_is_thrown_on_a_view_leaves_it_its_edges():
    """Headlights into a room at dusk, and a lamp that burns a quarter of it: next to it all is as it was, and the pool has edges of its own."""
    thrown = Likeness(113, 0.4, 0.16, 0.44, 0.37, 1.46, 0.18, -19.0, 0.21, 0.21, 0.0, 87.0, 11.0, 119.0, 2.95)
    assert tamper.judged(thrown, 0.0) == ""
    assert tamper.judged(thrown, 3.0) == "", "noise feigns shifts"
    assert tamper.judged(replace(thrown, sharp=0.9), 0.0) == "blinded", "a torch washes edges out"
    assert tamper.judged(replace(thrown, fine=0.1), 0.0) == "blinded", "or hides them"
    assert tamper.judged(replace(thrown, kept=0.1, flat=0.88, strange=0.02), 0.0) == "blinded", "or burns all"
    assert tamper.judged(thrown, 0.0, beside=True) == "blinded", "beside a thing too little is known of it"
    dark = replace(thrown, more_glare=0.0, calm=12.0)
    assert tamper.judged(dark, 0.0) == "turned", "without a light it is another view"


def test_by_looks_at_key_frames_alone_it_takes_two():
    looker = learnt()
    said = looked(looker, pictures(lambda _: np.full_like(PLACE, 20), 12, from_s=20, step_s=4))
    assert said[0].at_us - START_US == 24e6


def test_what_is_over_in_two_seconds_is_not_said():
    looker = learnt()
    assert "tamper" not in {
        each.kind[:6] for each in looked(looker, pictures(lambda _: OTHER, 2, from_s=20, step_s=0.5))
    }
    assert "tamper" not in {
        each.kind[:6] for each in looked(looker, pictures(lambda _: PLACE, 8, from_s=22, step_s=0.5))
    }


def test_fog_that_comes_slowly_is_not_followed_as_a_light():
    """A veil weakens contrast and lifts what is dark; an exposure lifts all or nothing."""

    def veiled(at: float):
        share = np.float32(min(0.75, (at - 20) / 50))
        return PLACE * (1 - share) + 150 * share

    looker = learnt()
    said = looked(looker, pictures(veiled, 60, from_s=20, step_s=2))
    assert kinds(said) == {"tamper.fogged"}
    assert (said[0].at_us - START_US) / 1e6 < 20 + 0.65 * 50, "two thirds of what it becomes"


def test_a_light_that_fades_as_slowly_is_followed():
    looker = learnt()
    assert not looked(
        looker, pictures(lambda at: PLACE * np.float32(max(0.3, 1 - (at - 20) / 60)), 60, from_s=20, step_s=2)
    )


def beside(strange: float, fine: float) -> Likeness:
    return Likeness(48, 0.67, 0.1, strange, fine, 0.6, 0.47, 46.0, 0.0, 0.0, 0.0, 30.0, 26.0, 100.0, 0.8)


def test_what_is_beside_a_thing_is_as_before_or_it_is_no_thing():
    assert tamper.judged(beside(0.23, 0.12), 0.0, beside=True) == "turned"
    assert tamper.judged(beside(0.23, 0.12), 0.0) == ""
    assert tamper.judged(beside(0.12, 0.12), 0.0, beside=True) == ""
    assert tamper.judged(beside(0.23, 0.4), 0.0, beside=True) == ""


def test_beside_a_thing_the_shades_are_the_things_and_say_little_of_the_edges_there():
    def left(fine: float) -> Likeness:
        return Likeness(58, 0.5, 0.08, 0.42, fine, 0.26, 0.38, 75.0, 0.0, 0.0, 0.0, 27.0, 39.0, 101.0, 0.75)

    assert tamper.judged(left(0.14), 0.0, beside=True) == "turned"
    assert tamper.judged(left(0.3), 0.0, beside=True) == "", "a lorry that exposure answers"


@pytest.mark.parametrize(("part", "asked"), [(0.4, True), (0.65, False)])
def test_where_a_thing_hides_most_of_the_view_no_shift_is_asked_for(part: float, *, asked: bool, monkeypatch):
    view = Blindness((90, 160))
    cells = PLACE[::2, ::2].copy()
    for n in range(1, 8):
        view.look(PLACE.astype(np.uint8), cells, START_US + n * 1_000_000)
    shifts: list[float] = []
    monkeypatch.setattr(Blindness, "_moved", lambda *_: shifts.append(0.0) or 0.0)
    hidden = np.zeros((90, 160), np.uint8)
    hidden[:, : round(160 * part)] = 1
    view.look(OTHER.astype(np.uint8), OTHER[::2, ::2].copy(), START_US + 9_000_000, hidden)
    assert bool(shifts) is asked


@pytest.mark.parametrize(("broad", "said"), [(1.0, "defocused"), (1.09, "")])
def test_a_blur_makes_no_shades_stronger(broad: float, said: str):
    seen = Likeness(144, 0.99, 0.01, 0.0, 0.7, broad, 0.96, -8.0, 0.0, 0.0, 0.0, 45.0, 42.0, 100.0, 0.67)
    assert tamper.judged(seen, 0.0) == said


FIELD = cv2.GaussianBlur(ground(9, 3.0), (0, 0), 6)
"""Broad shades and hardly an edge: a field, as a thermal camera shows it."""


def test_a_soft_view_that_is_shifted_a_little():
    looker = learnt(Watched("mast", thermal=True), base=FIELD, sigma=1.0)
    said = looked(looker, pictures(lambda _: np.roll(FIELD, (6, 18), (0, 1)), 8, from_s=20, step_s=0.5, sigma=1.0))
    assert kinds(said) == {"tamper.moved"}


def soft(kept: float, strange: float, fine: float) -> Likeness:
    return Likeness(
        64, kept, 1 - kept - strange, strange, fine, 1.02, 0.94, -2.0, 0.0, 0.0, 0.0, 18.0, 16.0, 164.0, 1.0
    )


def test_of_a_soft_view_less_need_be_strange_where_its_shift_is_clear():
    assert tamper.judged(soft(0.67, 0.2, 0.7), 5.5) == "moved"
    assert tamper.judged(soft(0.67, 0.2, 0.7), 0.0) == ""
    assert tamper.judged(soft(0.85, 0.15, 0.7), 5.5) == ""
    assert tamper.judged(soft(0.67, 0.2, 0.95), 5.5) == ""


@pytest.mark.parametrize(("kept", "said"), [(0.99, "defocused"), (0.96, "defocused"), (0.94, "")])
def test_a_soft_view_whose_edges_lose_strength_where_they_are_is_out_of_focus_though_a_few_are_lost_in_noise(
    kept: float, said: str
):
    """A thermal view, of whose edges a blur takes those that stood least out of noise: from look to look 0.96 to 0.99 of them were where they had been."""
    seen = Likeness(140, kept, 1 - kept, 0.0, 0.74, 0.99, 0.996, 0.0, 0.0, 0.0, 0.0, 18.0, 18.0, 100.0, 0.65)
    assert tamper.judged(seen, 0.0) == said


@pytest.mark.parametrize(("raised", "said"), [(54.0, "fogged"), (15.0, "")])
def test_the_same_shades_but_weak_are_fog_where_they_are_lifted_and_else_a_room_whose_lamp_went_out(
    raised: float, said: str
):
    seen = Likeness(73, 0.3, 0.6, 0.1, 0.4, 0.27, 0.83, raised, 0.0, 0.0, 0.0, 15.0, 17.0, 40.0, 0.2)
    assert tamper.judged(seen, 0.0) == said


def test_a_view_that_is_another_is_said_sooner_than_what_a_lorry_may_hide():
    for kind, least_s in (("moved", tamper.SAY_VIEW_S), ("defocused", tamper.SAY_VIEW_S), ("covered", tamper.SAY_S)):
        standing = tamper.Standing()
        said = [standing.next(kind, START_US + n * 400_000, 0.4, well=False) for n in range(20)]
        assert said.index(kind) == -(-least_s // 0.4)
    mixed = tamper.Standing()
    words = ["covered", *["moved"] * 19]
    said = [mixed.next(word, START_US + n * 400_000, 0.4, well=False) for n, word in enumerate(words)]
    assert next(n for n, word in enumerate(said) if word) * 0.4 >= tamper.SAY_S


def test_a_view_that_went_elsewhere_is_nothing_that_came_and_stands(monkeypatch: pytest.MonkeyPatch):
    """Taken for something that came between two looks, half of it would hide the rest from being judged."""
    asked = []
    monkeypatch.setattr(Tracker, "arrived", lambda *_, **__: asked.append(looker._blindness.is_of_the_view) or [])
    looker = learnt(base=PLACE, sigma=2.0)
    moved = ATTACKS["moved"](PLACE)
    said = looked(looker, pictures(lambda at: moved if at >= 21 else PLACE, 6, from_s=20, step_s=0.2, sigma=2.0))
    assert kinds(said) == {"tamper.moved"}
    assert asked
    assert not any(asked)


def test_nothing_is_said_in_a_look_in_which_the_view_comes_back():
    standing = tamper.Standing()
    times = [START_US + n * 400_000 for n in range(15)]
    said = [standing.next("sprayed", at, 0.4, well=False) for at in times]
    due = said.index("sprayed")
    other = tamper.Standing()
    said = [other.next("sprayed", at, 0.4, well=False, returns=n == due) for n, at in enumerate(times)]
    assert said.index("sprayed") == due + 1


@pytest.mark.parametrize(("leaves", "said"), [(True, ""), (False, "covered")])
def test_a_lorry_that_nobody_saw_come_is_no_cover_while_it_drives_off(leaves: bool, said: str):
    """It stands before the lens until that look in which it would be said, and is half gone in it."""
    blindness = Blindness((90, 160))
    rng = np.random.default_rng(4)

    def look(picture: F32, at_s: float) -> str:
        luma = noisy(picture, rng)
        return blindness.look(luma, planes.shrunk(luma, 160, 90), START_US + round(at_s * 1e6))

    for n in range(10):
        look(PLACE, float(n))
    before = [boxed(PLACE, 0, 0, 320, 180, 90.0)] * 11
    driving = [boxed(PLACE, x, 0, 320, 180, 90.0) for x in (180, 260, 320, 320)] if leaves else before[:4]
    told = [look(picture, 10.0 + 0.4 * n) for n, picture in enumerate(before + driving)]
    assert not any(told[:11])
    assert told[11] == said
    assert told[-1] == said


def test_dusk_and_the_switch_to_infra_red_are_none():
    looker = learnt()
    dusk = looked(
        looker, pictures(lambda at: PLACE * np.float32(max(0.35, 1 - (at - 20) / 60)), 60, from_s=20, step_s=2)
    )
    infra = PLACE * np.float32(0.5) + cv2.GaussianBlur(PLACE, (0, 0), 30) * np.float32(0.35)
    night = looked(looker, pictures(lambda _: infra, 20, from_s=80, step_s=1))
    assert not kinds(dusk)
    assert not kinds(night)


def test_without_the_setting_nothing_is_said():
    looker = learnt(Watched("yard", tamper=False))
    assert not {
        kind
        for kind in kinds(looked(looker, pictures(lambda _: OTHER, 8, from_s=20, step_s=0.5)))
        if kind.startswith("tamper")
    }


def test_a_turned_camera_that_stays_so_is_the_view_after_half_an_hour():
    looker = learnt()
    looked(looker, pictures(lambda _: OTHER, 8, from_s=20, step_s=1))
    said = looked(looker, pictures(lambda _: OTHER, 1900, from_s=28, step_s=50))
    assert ("tamper.turned", False) in {(each.kind, each.on) for each in said}
    assert not kinds(looked(looker, pictures(lambda _: OTHER, 20, from_s=1930, step_s=4)))


def frozen(from_s: float, seconds: float, step_s: float):
    held = noisy(PLACE, np.random.default_rng(5), 3.0)
    return (Picture(held, START_US + round((from_s + n * step_s) * 1e6)) for n in range(round(seconds / step_s)))


def test_a_frozen_picture_is_said_and_is_over_when_it_lives():
    looker = learnt(seconds=40, step_s=4)
    said = looked(looker, frozen(40, 12, 4))
    assert said[0].kind == "tamper.frozen"
    assert said[0].at_us - START_US <= 44e6
    back = looked(looker, pictures(lambda _: PLACE, 12, from_s=52, step_s=4))
    assert kinds(back, on=False) == {"tamper.frozen"}


def test_a_shutter_that_closes_for_a_second_is_not_frozen():
    looker = learnt(seconds=40, step_s=2)
    assert not looked(looker, frozen(40, 1.5, 0.25))
    assert not looked(looker, pictures(lambda _: PLACE, 5, from_s=41.5, step_s=0.5))


def test_a_picture_without_noise_is_never_called_frozen():
    looker = Looker(Watched("yard"))
    still = PLACE.astype(np.uint8)
    assert not [s for n in range(20) for s in looker.look(Picture(still, START_US + n * 4_000_000))]


@pytest.mark.parametrize("trace", [0.0, 1.0])
def test_a_loop_is_said_within_three_key_frames(trace: float):
    """trace: of noise that a converter adds."""
    looker = Looker(Watched("yard"))
    live = list(pictures(lambda _: PLACE, 120, step_s=4))
    assert not looked(looker, iter(live))
    rng = np.random.default_rng(8)
    fed = [
        Picture(noisy(each.luma.astype(np.float32), rng, trace), START_US + (120 + 4 * n) * 1_000_000)
        for n, each in enumerate(live[8:20])
    ]
    said = looked(looker, iter(fed[:3]))
    assert kinds(said) == {"tamper.replayed"}
    assert said[0].at_us - START_US <= 128e6
    looked(looker, iter(fed[3:]))
    after = looked(looker, pictures(lambda _: PLACE, 40, from_s=170, step_s=4))
    assert kinds(after, on=False) == {"tamper.replayed"}


def coded(picture, step: float):
    """As an encoder smooths it: blocks of 8 x 8 whose frequencies are rounded. What it leaves is structure and no noise."""
    made = np.zeros((184, 320), np.float32)
    padded = np.pad(picture, ((0, 4), (0, 0)), mode="edge").astype(np.float32)
    for y in range(0, 184, 8):
        for x in range(0, 320, 8):
            made[y : y + 8, x : x + 8] = cv2.idct(np.rint(cv2.dct(padded[y : y + 8, x : x + 8]) / step) * step)
    return np.clip(np.rint(made[:180]), 0, 255).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize(("sigma", "step"), [(0.2, 6), (0.2, 16), (0.6, 16)])
def test_a_clean_smoothly_encoded_room_whose_light_comes_back_is_no_loop(sigma: float, step: float):
    looker, rng = Looker(Watched("room")), np.random.default_rng(2)
    for n in range(45):
        lit = PLACE * np.float32(1 + 0.03 * np.sin(2 * np.pi * n / 11) + 0.02 * np.sin(2 * np.pi * n / 5.5 + 1))
        shown = Picture(coded(lit + sigma * rng.standard_normal(PLACE.shape), step), START_US + n * 4_000_000)
        assert "tamper.replayed" not in {each.kind for each in looker.look(shown)}


def test_what_is_said_of_the_view_outlives_the_process():
    looker = learnt()
    looked(looker, pictures(lambda _: OTHER, 8, from_s=20, step_s=0.5))
    other = Looker.restored(Watched("yard"), looker.saved())
    assert kinds(looked(other, pictures(lambda _: OTHER, 2, from_s=28, step_s=0.5))) == {"tamper.turned"}
    assert kinds(looked(other, pictures(lambda _: PLACE, 5, from_s=30, step_s=0.5)), on=False) == {"tamper.turned"}


STROKES = [(int(x), int(y)) for x, y in np.random.default_rng(3).uniform((0, 0), (320, 180), (90, 2))]


def painted(level: float, from_s: float, last_s: float):
    """Strokes of paint that hide all in so many seconds."""

    def draw(at: float):
        made = PLACE.copy()
        for x, y in STROKES[: round(len(STROKES) * min(1.0, max(0.0, (at - from_s) / last_s)))]:
            cv2.circle(made, (x, y), 40, level, -1)
        return made

    return draw


@pytest.mark.slow
@pytest.mark.parametrize(("last_s", "kind"), [(6.0, "sprayed"), (0.8, "covered")])
@pytest.mark.parametrize("level", [25.0, 200.0])
def test_paint_comes_stroke_by_stroke_and_a_cover_at_once(last_s: float, kind: str, level: float):
    looker = learnt(base=PLACE, sigma=2.0)
    said = looked(looker, pictures(painted(level, 21.0, last_s), 40, from_s=20, step_s=0.4, sigma=2.0))
    assert next(each.kind for each in said if each.kind.startswith("tamper.")) == f"tamper.{kind}"
    assert "tamper.covered" not in kinds(said) - {f"tamper.{kind}"}, "nor is paint called a cover once all is hidden"


def faded(*looks: tuple[float, float], step_s: float = 0.4) -> bool:
    """Whether a view of whose structure and shades so much was kept look by look went little by little."""
    creeping = tamper.Creeping()
    for n, (kept, alike) in enumerate([(1.0, 1.0)] * 3 + list(looks)):
        seen = Likeness(144, kept, 1 - kept, 0.0, kept, 0.5, alike, 0.0, 0.0, 0.0, 0.0, 20.0, 25.0, 100.0)
        creeping.look(seen, START_US + round(n * step_s * 1e6))
    return creeping.crept


PAINT = [(0.9, 0.7), (0.7, 0.5), (0.6, 0.4), (0.5, 0.3), (0.4, 0.2), (0.1, 0.1), (0.1, 0.1)]


def test_what_creeps_is_kept_in_part_for_a_while_under_other_shades():
    assert faded(*PAINT)
    assert not faded(*[(kept, 0.95) for kept, _ in PAINT]), "fog, whose shades stay alike"
    assert not faded(PAINT[0], *PAINT[-2:] * 8), "a hand"
    assert not faded((0.3, 0.1), *[(0.2, 0.0), (0.3, 0.1)] * 8), "a hand under which some blocks are alike by chance"
    assert not faded(*PAINT, step_s=4.0), "nobody saw it come"


def test_paint_that_hides_all_in_the_end_is_still_paint():
    standing = tamper.Standing("sprayed")
    assert {standing.next("covered", START_US + n * 1_000_000, 1.0, well=False) for n in range(20)} == {"sprayed"}
    assert "turned" in {standing.next("turned", START_US + n * 1_000_000, 1.0, well=False) for n in range(20, 40)}


@pytest.mark.parametrize(
    ("sharp", "alike", "said"), [(0.3, 0.0, "covered"), (0.8, 0.1, "turned"), (0.4, 0.6, "turned")]
)
def test_the_folds_of_a_cover_are_no_other_view(sharp: float, alike: float, said: str):
    seen = Likeness(144, 0.25, 0.3, 0.45, 0.1, 0.0, alike, 40.0, 0.0, 0.0, 0.0, 29.0, 42.0, 100.0, sharp)
    assert tamper.judged(seen, 0.0) == said


DUSK = Likeness(141, 0.67, 0.3, 0.03, 0.66, 1.37, 0.7, -26.0, 0.2, 0.15, 0.02, 83.0, 43.0, 100.0, 0.84)
"""A lamp at dusk burns a part of the picture; exposure has closed, and the rest is getting dark."""


def lamps(*looks: Likeness, step_s: float = 2.0) -> list[str]:
    """What is said of each look, of a camera whose great light is like this."""
    lamp, said = tamper.Lamp(), []
    for n, seen in enumerate(looks):
        is_one = lamp.is_one(seen, START_US + round(n * step_s * 1e6))
        said.append(tamper.judged(seen, 0.0, lamp=is_one))
        if said[-1] == "blinded":
            lamp.dazzles()
    return said


def test_a_lamp_that_burnt_for_a_while_before_anything_was_lost_is_no_torch():
    early = replace(DUSK, kept=0.85)
    assert lamps(early, early, early, DUSK, DUSK) == [""] * 5
    assert lamps(*[DUSK] * 8) == ["blinded"] * 8, "a torch dazzles at once"
    assert lamps(early, DUSK, DUSK, DUSK)[1:] == ["blinded"] * 3, "or as soon as it is held straight"
    assert lamps(DUSK, *[early] * 4, DUSK)[5] == "blinded", "and is one for as long as it is lit"
    for stronger in (replace(DUSK, calm=100.0), replace(DUSK, more_glare=0.25)):
        assert lamps(early, early, early, stronger, stronger)[3:] == ["blinded"] * 2
    assert lamps(early, early, early, replace(BACK, more_glare=0.0), DUSK)[4] == "blinded", "another one"
    assert lamps(early, early, early, replace(DUSK, kept=0.1, flat=0.9))[3], "nor does it excuse that all is gone"


UNLIT = Likeness(119, 0.5, 0.1, 0.4, 0.5, 0.25, 0.68, 24.0, 0.0, 0.0, 0.0, 5.3, 14.8, 48.0, 0.36)
"""A field by night whose lamp went out: the mean was 98, exposure has opened as far as it can, and noise lies over what is left."""


GONE = replace(UNLIT, kept=0.02, flat=0.9, alike=0.1, calm=2.0, broad=0.05, raised=2.0, mean=16.0)


def test_a_place_whose_light_went_out_is_dark_and_weak_at_once_and_still_there():
    assert tamper.judged(UNLIT, 0.0) == "fogged"
    unlit = tamper.Unlit(mean=98.0)
    assert unlit.is_so(UNLIT)
    assert not tamper.Unlit(mean=55.0).is_so(UNLIT), "it was as dark before: fog, which comes slowly"
    assert not unlit.is_so(replace(UNLIT, mean=70.0)), "exposure has answered what veils it"
    assert not unlit.is_so(replace(UNLIT, calm=12.0)), "a part is hidden, and the rest as strong as it was"
    assert not unlit.is_so(replace(UNLIT, kept=0.1)), "next to nothing is left"
    assert not unlit.is_so(replace(UNLIT, alike=0.1)), "another view, or folds"


@pytest.mark.parametrize(
    ("goes_out", "then", "said"), [(True, UNLIT, ""), (False, UNLIT, "fogged"), (True, GONE, "covered")]
)
def test_a_light_that_goes_out_hides_nothing_and_what_hides_the_dark_place_is_told(
    monkeypatch: pytest.MonkeyPatch, goes_out: bool, then: Likeness, said: str
):
    """goes_out: else the same came slowly, and the picture was as dark when the last look found nothing."""
    before = replace(BACK, mean=98.0 if goes_out else 50.0)
    shown = iter([BACK] * 4 + [before] * 2 + [UNLIT] * 4 + [then] * 40)
    monkeypatch.setattr(View, "likeness", lambda *_: next(shown))
    blind, cells = Blindness((90, 160)), np.zeros((90, 160), np.float32)
    dark = np.zeros((180, 320), np.uint8)
    assert {blind.look(dark, cells, START_US + n * 1_000_000) for n in range(7)} == {""}
    for n in range(30):
        kind = blind.look(dark, cells, START_US + 7_000_000 + n * 500_000)
    assert kind == said


SINCE_US = START_US + 30_000_000


@pytest.mark.parametrize(
    ("doubt", "first_s", "confirmed_s", "hides"),
    [
        ("blinded", 0.0, 2.0, False),
        ("blinded", 0.0, 0.8, True),
        ("blinded", -1.0, 2.0, True),
        ("covered", 0.0, 2.0, True),
        ("moved", 0.0, 0.8, False),
        ("moved", -1.0, 2.0, True),
    ],
)
def test_what_began_with_a_light_that_blinds_and_went_nowhere_at_first_is_its_glow(
    doubt: str, first_s: float, confirmed_s: float, hides: bool
):
    looker = learnt()
    standing = tamper.Standing(doubt=doubt, since_us=SINCE_US, looks=2, names={doubt: 2})
    looker._blindness._standing = standing
    track = Track(
        1, SINCE_US + round(first_s * 1e6), SINCE_US, (90, 5, 60, 80), 120, 45, 4000, 40, (90, 5, 60, 80), 120, 45, 4000
    )
    looker._tracker.tracks = [track]
    for now_us in range(SINCE_US, SINCE_US + 4_000_000, 400_000):
        if now_us >= SINCE_US + confirmed_s * 1e6:
            if not track.confirmed:
                track.confirm(now_us)
            track.moved_us = now_us
        mask = looker._before_view(now_us)
    assert (mask is not None) is hides
    standing.kind, standing.doubt, standing.names = doubt, "", {}
    assert (looker._before_view(now_us) is not None) is hides, "nor once it is said"
    looker._blindness._standing = tamper.Standing()
    assert looker._before_view(now_us) is not None, "when the light is gone it is a thing like others"


@pytest.mark.parametrize(
    ("sharp", "calm", "said"),
    [
        (0.3, 30.0, "defocused"),
        (0.45, 30.0, "defocused"),
        (0.9, 30.0, "moved"),
        (0.9, 43.0, ""),
        (0.3, 43.0, "defocused"),
    ],
)
def test_a_lens_out_of_focus_takes_the_energy_of_edges_and_a_shift_does_not(sharp: float, calm: float, said: str):
    """calm: how far shades stray, usually 28; a lorry's headlights that come slowly are no shift."""
    seen = Likeness(90, 0.56, 0.2, 0.24, 0.425, 1.0, 0.92, 2.0, 0.0, 0.0, 0.0, calm, 28.0, 100.0, sharp)
    assert tamper.judged(seen, 0.0) == said


@pytest.mark.parametrize(
    ("broad", "fine", "said"),
    [(1.0, 0.58, "defocused"), (1.2, 0.5, "defocused"), (1.2, 0.55, ""), (1.29, 0.5, ""), (1.35, 0.44, "defocused")],
)
def test_the_stronger_shades_have_become_the_less_of_the_edges_must_be_left(broad: float, fine: float, said: str):
    """Dusk in a room softens edges, little by little: no step in what is asked for may make it sabotage."""
    seen = Likeness(142, 1.0, 0.0, 0.0, fine, broad, 0.93, -29.6, 0.0, 0.0, 0.0, 22.8, 16.9, 100.0, 0.42)
    assert tamper.judged(seen, 0.0) == said


RELIT = Likeness(140, 0.43, 0.47, 0.1, 0.78, 0.5, 0.6, 5.0, 0.0, 0.0, 0.0, 20.0, 25.0, 100.0, 1.0)


class OtherView:
    """A view of which each look says the same, until it is replaced."""

    known, usual, replaced = True, np.zeros((90, 160), np.float32), 0

    def __init__(self, seen: Likeness) -> None:
        self.seen = seen

    def likeness(self, *_: object) -> Likeness:
        return replace(self.seen, kept=1.0, flat=0.0, fine=1.0, broad=1.0, alike=1.0) if self.replaced else self.seen

    def learn(self, *_: object) -> None: ...

    def relight(self, *_: object) -> None: ...

    def replace(self, *_: object) -> None:
        self.replaced += 1


@pytest.mark.parametrize(
    ("seen", "filter_s", "hidden", "said"),
    [
        (RELIT, 1.0, False, ""),
        (RELIT, None, False, "sprayed"),  # no filter moved
        (RELIT, 1.0, True, "sprayed"),  # somebody stands before the lens all the while
        (replace(RELIT, fine=0.5), 1.0, False, "sprayed"),  # what is left has lost as much
        (replace(RELIT, strange=0.25, flat=0.32), 1.0, False, "sprayed"),  # something else came
        (replace(RELIT, sharp=0.5), 1.0, False, "sprayed"),  # paint has edges of its own, or takes those that were
    ],
)
def test_a_view_that_the_other_light_of_a_moved_filter_makes_another_is_the_view_from_then_on(
    seen: Likeness, filter_s: float | None, said: str, *, hidden: bool
):
    """A room at dawn: with infra-red went the shades of its lamps, more than half of all structure, and it was called sprayed for as long as the light lasted, and nobody in it was told."""
    made, view = Blindness((90, 160)), OtherView(seen)
    made._view = view  # type: ignore[assignment]
    luma, cells = np.full((180, 320), 100, np.uint8), np.full((90, 160), 100, np.float32)
    before = np.zeros((90, 160), np.uint8) if hidden else None
    kinds_said = []
    for n in range(40):
        moves = filter_s is not None and 2 <= n < 2 + filter_s / 0.4
        kinds_said.append(made.look(luma, cells, START_US + n * 400_000, before, filter_moves=moves))
    assert kinds_said[-1] == said
    assert view.replaced == int(not said)
    assert said or not any(kinds_said)
