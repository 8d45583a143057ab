"""One camera's looker: what moves is said, what only changes is not; rules; and what it has learnt outlives it."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.detection.drawn import START_US, boxed, ground, kinds, learnt, looked, noisy, pictures

from longwatch.detection.looker import Looker
from longwatch.detection.pictures import Picture, is_grey
from longwatch.detection.state import StateError, packed, unpacked
from longwatch.model.events import Line, Watched, Zone

PLACE = ground()


def walking(at: float, *, begin: float = 20.0, speed: float = 30.0):
    return boxed(PLACE, (at - begin) * speed, 100) if at >= begin else PLACE


def test_a_thing_that_crosses_is_one_track_with_boxes_about_it():
    looker = learnt()
    said = [each for each in looked(looker, pictures(walking, 7, from_s=20)) if each.kind == "motion" and each.on]
    assert len(said) >= 20
    assert len({each.track for each in said}) == 1
    for each in said:
        middle = ((each.at_us - START_US) / 1e6 - 20) * 30 + 7
        assert each.box is not None
        assert each.box[0] * 320 - 6 <= middle <= each.box[2] * 320 + 6
        assert each.box[1] <= 113 / 180 <= each.box[3]
    over = looked(looker, pictures(lambda _: PLACE, 6, from_s=40))
    assert ("motion", False) in {(each.kind, each.on) for each in over}


def test_noise_alone_is_nothing():
    assert not kinds(looked(learnt(sigma=6.0), pictures(lambda _: PLACE, 8, from_s=20, sigma=6.0)))


def test_rain_alone_is_nothing():
    rng = np.random.default_rng(3)

    def rain(_: float):
        over = np.zeros(PLACE.shape, np.uint8)
        for _drop in range(40):
            x, y = int(rng.integers(0, 320)), int(rng.integers(0, 180))
            cv2.line(over, (x, y), (x + 2, y + int(rng.integers(4, 14))), 60, 1)
        return PLACE + over

    looker = Looker(Watched("yard"))
    looked(looker, pictures(rain, 10))
    assert not kinds(looked(looker, pictures(rain, 8, from_s=10)))


@pytest.mark.parametrize(("gain", "offset"), [(1.5, 0.0), (0.6, 0.0), (1.0, 35.0), (0.8, -12.0)])
def test_a_step_of_light_is_nothing(gain: float, offset: float):
    looker = learnt()
    assert not kinds(looked(looker, pictures(lambda _: PLACE * np.float32(gain) + np.float32(offset), 5, from_s=20)))


def test_a_pool_of_light_that_passes_is_nothing():
    xs, ys = np.meshgrid(np.arange(320, dtype=np.float32), np.arange(180, dtype=np.float32))
    dark = PLACE * np.float32(0.35)

    def lit(at: float):
        return dark * (1 + np.float32(1.2) * np.exp(-(((xs - (at - 20) * 60) / 60) ** 2) - ((ys - 110) / 35) ** 2))

    assert not kinds(looked(learnt(base=dark), pictures(lit, 6, from_s=20)))


def test_a_thing_is_seen_through_a_change_of_light():
    looker = learnt()
    said = looked(looker, pictures(lambda at: walking(at) * np.float32(1.0 + 0.06 * (at - 20)), 8, from_s=20))
    assert "motion" in kinds(said)


def test_a_swaying_tree_is_nothing_once_it_is_known():
    tree = np.zeros(PLACE.shape, np.float32)
    rng = np.random.default_rng(5)
    for _ in range(90):
        cv2.circle(tree, (int(rng.integers(200, 280)), int(rng.integers(20, 90))), 5, float(rng.uniform(20, 80)), -1)
    shape = tree > 0

    def sway(at: float):
        dx = 3 * np.sin(at * 2.1) + 1.5 * np.sin(at * 5.3)
        move = np.array([[1, 0, dx], [0, 1, 0.3 * dx]], np.float32)
        moved, mask = (cv2.warpAffine(each, move, (320, 180)) for each in (tree, shape.astype(np.float32)))
        return PLACE * (1 - mask) + moved * mask

    looker = Looker(Watched("yard"))
    looked(looker, pictures(sway, 40, step_s=1.0))
    assert not kinds(looked(looker, pictures(sway, 8, from_s=40)))


def test_a_shaken_mast_is_nothing():
    def shaken(at: float):
        move = np.array([[1, 0, 1.5 * np.sin(at * 3)], [0, 1, np.sin(at * 4.1)]], np.float32)
        return cv2.warpAffine(PLACE, move, (320, 180), borderMode=cv2.BORDER_REFLECT)

    looker = Looker(Watched("yard"))
    looked(looker, pictures(shaken, 15, step_s=0.5))
    assert not kinds(looked(looker, pictures(shaken, 10, from_s=15)))


def test_what_lies_in_an_ignored_area_is_not_said():
    everything = ((0.0, 0.4), (1.0, 0.4), (1.0, 0.9), (0.0, 0.9))
    for watched in (
        Watched("yard", ignored=(everything,)),
        Watched("yard", zones=(Zone("road", everything, ignored=True),)),
    ):
        assert not kinds(looked(learnt(watched), pictures(walking, 7, from_s=20)))


def test_zones_lines_and_dwelling():
    left = Zone("left", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
    gate = Zone("gate", ((0.5, 0.5), (0.9, 0.5), (0.9, 1.0), (0.5, 1.0)), dwell_us=3_000_000)
    only_objects = Zone("objects", left.points, kinds=("object",))
    lines = (Line("fence", ((0.3, 1.0), (0.3, 0.0))), Line("back", ((0.3, 1.0), (0.3, 0.0)), "right_to_left"))
    looker = learnt(Watched("yard", zones=(left, gate, only_objects), lines=lines))

    def stops(at: float):
        return boxed(PLACE, min(at - 20, 7) * 30, 100) if at < 34 else PLACE

    said = looked(looker, pictures(stops, 14, from_s=20)) + looked(looker, pictures(stops, 8, from_s=34))
    assert {each.zones for each in said if each.kind == "motion" and each.on} == {("left",), ("gate",)}
    crossed = [each for each in said if each.kind == "motion.line"]
    assert [(each.zones, each.detail) for each in crossed] == [(("fence",), "left_to_right")]
    dwelt = [each for each in said if each.kind == "motion.dwell"]
    assert dwelt[0].on
    assert dwelt[0].zones == ("gate",)
    assert not dwelt[-1].on
    assert 27.5e6 < dwelt[0].at_us - START_US < 30e6  # it came into the zone at about 25 s


def test_a_thing_that_stands_is_no_motion_any_more():
    looker = learnt()
    looked(looker, pictures(walking, 5, from_s=20))
    still = looked(looker, pictures(lambda _: walking(24.75), 10, from_s=25))
    assert not [each for each in still if each.kind == "motion" and each.on and each.at_us > START_US + 30e6]


def test_sensitivity_by_day_and_by_night():
    dark = cv2.GaussianBlur(ground(4, 2.0), (0, 0), 6) * np.float32(0.1) + np.float32(30)

    def faint(at: float):
        return boxed(dark, (at - 20) * 30, 100, 10, 16, level=float(dark[100:116].mean()) + 9)

    found = {
        night: "motion"
        in kinds(
            looked(
                learnt(Watched("yard", sensitivity=1 - night, night_sensitivity=night), base=dark, sigma=1.0),
                pictures(faint, 5, from_s=20, sigma=1.0),
            )
        )
        for night in (0.0, 1.0)
    }
    assert found == {0.0: False, 1.0: True}


def test_the_heat_map_shows_where_things_move_and_is_told_once():
    looker = learnt()
    looker.heat()
    looked(looker, pictures(walking, 7, from_s=20))
    untold = Looker.restored(Watched("yard"), looker.saved())
    tenths, cells = looker.heat()
    assert 70 <= tenths <= 100
    heat = np.frombuffer(cells, "<u2").reshape(36, 64)
    assert heat[20:26].sum() > 0.9 * heat.sum() > 0
    assert looker.heat() == (0, b"")
    assert untold.heat() == (tenths, cells), "what nobody was told of is not lost with a child"


@pytest.mark.slow
@pytest.mark.parametrize("at", [5.0, 21.0, 23.5])
def test_saved_and_restored_it_says_the_same(at: float):
    looker = Looker(Watched("yard"))
    looked(looker, pictures(walking, at))
    other = Looker.restored(Watched("yard"), looker.saved())
    shown = list(pictures(walking, 30 - at, from_s=at))
    first, second = ([(each.kind, each.on, each.at_us) for each in looked(one, iter(shown))] for one in (looker, other))
    assert first == second
    assert ("motion", True) in {each[:2] for each in first}


def test_what_it_saves_is_small():
    looker = learnt(seconds=60, step_s=2)
    assert len(looker.saved()) < 256 * 1024
    tall = Looker(Watched("yard"))
    for n in range(3):
        tall.look(Picture(np.full((320, 180), 90 + n, np.uint8), START_US + n * 1_000_000))
    assert len(tall.saved()) < 256 * 1024


def test_nothing_learnt_is_saved_too():
    assert (
        Looker.restored(Watched("yard"), Looker(Watched("yard")).saved()).look(
            Picture(np.zeros((180, 320), np.uint8), 1)
        )
        == []
    )


@pytest.mark.parametrize("cut", [0, 7, 11, 40, 3_000, -1])
def test_damaged_bytes_are_refused(cut: int):
    whole = learnt(seconds=4).saved()
    with pytest.raises(StateError):
        Looker.restored(Watched("yard"), whole[:cut])


@pytest.mark.parametrize("said", ["any text", ["covered", "anything"], ["covered"] * 100_000])
def test_bytes_that_say_what_no_looker_says_are_refused(said: object):
    """Each of them would be told once: an answer without end, that nobody takes."""
    head, arrays = unpacked(learnt(seconds=4).saved())
    assert Looker.restored(Watched("yard"), packed(head | {"said": ["covered"]}, arrays))
    with pytest.raises(StateError):
        Looker.restored(Watched("yard"), packed(head | {"said": said}, arrays))


def test_hours_between_pictures_and_a_clock_set_back_end_what_was_followed():
    for jump_s in (7200.0, -600.0):
        looker = learnt()
        assert "motion" in kinds(looked(looker, pictures(walking, 5, from_s=20)))
        rng = np.random.default_rng(1)
        after = looker.look(Picture(noisy(PLACE, rng), START_US + round((25 + jump_s) * 1e6)))
        assert kinds(after, on=False) == {"motion"}


def test_a_picture_of_another_size_begins_anew_and_an_impossible_one_is_refused():
    looker = learnt()
    assert looker.look(Picture(np.full((240, 320), 80, np.uint8), START_US + 30_000_000)) == []
    for luma in (np.zeros((4, 4), np.uint8), np.zeros((180, 320), np.uint16), np.zeros((180, 320, 3), np.uint8)):
        with pytest.raises(ValueError, match="picture"):
            looker.look(Picture(luma, START_US))


def test_it_is_curious_of_what_it_cannot_say_yet():
    looker = learnt()
    assert not looker.curious
    shown = pictures(walking, 2, from_s=20.5)
    looker.look(next(shown))
    assert looker.curious


def test_a_warm_thing_before_a_thermal_camera():
    cold = cv2.GaussianBlur(ground(4, 4.0), (0, 0), 3)
    looker = learnt(Watched("mast", thermal=True), base=cold, sigma=1.5)
    said = looked(looker, pictures(lambda at: boxed(cold, (at - 20) * 25, 90, 8, 16, 210.0), 8, from_s=20, sigma=1.5))
    assert "motion" in kinds(said)


def test_sixteen_bits_of_a_thermal_camera_are_looked_at_as_they_are():
    cold = cv2.GaussianBlur(ground(4, 4.0), (0, 0), 3)
    rng = np.random.default_rng(6)

    def raw(at: float) -> Picture:
        kelvin = 20_000 + cold * 4 + (at - 20) * 3  # it warms up
        if at >= 20:
            kelvin = boxed(kelvin, (at - 20) * 25, 90, 8, 16, 20_900.0)
        counts = (kelvin + rng.normal(0, 5, kelvin.shape)).astype(np.uint16)
        return Picture((counts >> 8).astype(np.uint8), START_US + round(at * 1e6), raw=counts)

    looker = Looker(Watched("mast", thermal=True))
    assert not looked(looker, (raw(float(n)) for n in range(0, 20, 2)))
    looker = Looker.restored(looker.watched, looker.saved())
    assert kinds(looked(looker, (raw(20 + n / 4) for n in range(28)))) == {"motion"}
    shut = looked(
        looker,
        (
            Picture(
                np.full((180, 320), 78, np.uint8),
                START_US + (30 + n) * 1_000_000,
                raw=np.full((180, 320), 20_300, np.uint16),
            )
            for n in range(8)
        ),
    )
    assert "tamper.covered" in kinds(shut)


def test_a_picture_without_colours_is_night():
    grey, coloured = (np.full((2, 90, 160), level, np.uint8) for level in (128, 150))
    assert is_grey(Picture(np.zeros((180, 320), np.uint8), 0, chroma=grey))
    assert not is_grey(Picture(np.zeros((180, 320), np.uint8), 0, chroma=coloured))
    assert not is_grey(Picture(np.zeros((180, 320), np.uint8), 0))


def test_a_spider_on_the_lens_by_infra_red_is_nothing_and_a_person_there_is():
    dark = PLACE * np.float32(0.25) + np.float32(8)
    xs, ys = np.meshgrid(np.arange(320, dtype=np.float32), np.arange(180, dtype=np.float32))

    def spider(at: float):
        return dark + 90 * np.exp(-(((xs - 60 - (at - 20) * 12) / 9) ** 2) - ((ys - 80 + (at - 20) * 4) / 8) ** 2)

    def person(at: float):
        return boxed(dark, (at - 20) * 25, 100, 9, 22, 170.0)

    assert not kinds(looked(learnt(base=dark), pictures(spider, 8, from_s=20)))
    assert "motion" in kinds(looked(learnt(base=dark), pictures(person, 6, from_s=20)))


@pytest.mark.parametrize("level", [0.25, 1.0], ids=["night", "day"])
def test_who_judges_tracks_is_told_whether_it_is_night(level: float):
    looker = learnt(base=PLACE * np.float32(level))
    assert looker._tracker.night is (level < 1.0)


def test_nobody_is_known_while_nothing_is_said_and_who_still_walks_then_is_told():
    def walks(at: float) -> NDArray[np.float32]:
        return boxed(PLACE, 20 + 20 * at, 90)

    looker = Looker(Watched("yard"))
    early = looked(looker, pictures(walks, 3.5))
    assert not any(track.confirmed for track in looker._tracker.tracks)
    assert not early
    assert "motion" in kinds(looked(looker, pictures(walks, 4.0, from_s=3.5)))


@pytest.mark.parametrize(("drops", "told"), [(3, False), (60, True)])
def test_a_spider_behind_rain_is_nothing_though_each_drop_before_it_is_sharp(drops: int, *, told: bool):
    """drops: before its glow. As many as make it sharp all over are a thing."""
    dark = PLACE * np.float32(0.25) + np.float32(8)
    xs, ys = np.meshgrid(np.arange(320, dtype=np.float32), np.arange(180, dtype=np.float32))

    def drop(picture: NDArray[np.float32], x: int, y: int, side: int) -> None:
        picture[max(y, 0) : y + side, max(x, 0) : x + 2] += 70

    def rain(at: float):
        made, drawn = dark.copy(), np.random.default_rng(round(at * 100))
        for x, y in drawn.integers((150, 5), (310, 160), (8, 2)):
            drop(made, x, y, 9)
        return made

    def spider(at: float):
        x0, y0, drawn = 60 + (at - 30) * 12, 80 - (at - 30) * 4, np.random.default_rng(round(at * 100))
        made = rain(at) + 90 * np.exp(-(((xs - x0) / 9) ** 2) - ((ys - y0) / 8) ** 2)
        for x, y in drawn.normal((x0, y0), (6, 6), (drops, 2)).round().astype(int):
            drop(made, x, y, 6)
        return made

    looker = learnt(base=dark)
    looked(looker, pictures(rain, 10, from_s=20))
    moving = [each.box for each in looked(looker, pictures(spider, 7, from_s=30)) if each.kind == "motion"]
    assert any(box is not None and box[0] < 0.45 for box in moving) is told
