"""What goes somewhere is told from what only changes its shape; names of sabotage from what was said on the way."""

import numpy as np
import pytest
from tests.unit.detection.drawn import ground

from longwatch.detection import going, motion, tamper
from longwatch.detection.going import Step
from longwatch.detection.motion import Blob
from longwatch.detection.pace import Pace
from longwatch.detection.tracking import Tracker
from longwatch.detection.view import Likeness

SIZE = 160, 90
START = 1_700_000_000_000_000
CELLS = ground()[::2, ::2].copy()


def steps(*boxes: tuple[float, float, float, float], step_s: float = 0.2) -> list[Step]:
    """Of boxes: left, top, right, bottom."""
    return [
        (START + round(n * step_s * 1e6), (left + right) / 2, bottom, (top + bottom) / 2, left, right, top)
        for n, (left, top, right, bottom) in enumerate(boxes)
    ]


def test_who_walks_goes_and_so_does_who_enters_at_the_border():
    assert going.goes(steps(*[(40 + n, 30, 46 + n, 50) for n in range(8)]), 4, SIZE)
    assert going.goes(steps(*[(0, 30, 2 + 2 * n, 50) for n in range(8)]), 4, SIZE)


@pytest.mark.parametrize(
    "boxes",
    [
        [(40, 30, 60 + 2 * n, 50) for n in range(8)],
        [(0, 0, 133, 88)] + [(6, 0, 125, 64)] * 7,
        [(0, 0, 160, 40 + (n % 2)) for n in range(8)],
        [(96, 69, 98, 79 - 0.8 * n) for n in range(9)],
    ],
    ids=["one side stays", "a jump", "all across", "uncovered from below"],
)
def test_what_changes_its_shape_goes_nowhere(boxes: list[tuple[float, float, float, float]]):
    assert not going.goes(steps(*boxes), 4, SIZE)


def test_who_comes_nearer_with_his_head_where_it_was_goes():
    assert going.goes(steps(*[(60 - 0.2 * n, 30, 64 + 0.2 * n, 40 + 0.8 * n) for n in range(9)]), 4, SIZE)


def test_who_comes_nearer_grows_in_both_ways_and_what_fades_from_one_end_does_not():
    assert going.grows(steps(*[(50 - 0.2 * n, 20, 56 + 0.2 * n, 34 + 1.2 * n) for n in range(14)]))
    assert not going.grows(steps(*[(22, 25, 24, 41 - n) for n in range(12)]))


def test_a_glow_that_shrank_and_stays_has_not_gone_away():
    shrinking = [8, 7.2, 6.5, 5.8, 5.2, 4.6, 4.1, 3.6]
    assert going.grows(steps(*[(50, 40 - each, 50 + each, 40) for each in [*shrinking, 3.3, 3, 2.7, 2.4]]))
    assert not going.grows(steps(*[(50, 40 - each, 50 + each, 40) for each in [*shrinking, *[3.6] * 8]]))


def test_a_side_that_flickers_is_not_elsewhere():
    was = (40.0, 20.0, 10.0, 10.0)
    assert not going.is_elsewhere((40.0, 20.0, 16.0, 10.0), was, (3.0, 0.0), SIZE)
    assert going.is_elsewhere((46.0, 20.0, 10.0, 10.0), was, (6.0, 0.0), SIZE)


def blob(x: float, y: float, width: int = 3, height: int = 4, **more: float) -> Blob:
    """Around x, y."""
    told = {"contrast": 30.0, "edge": 1.0, "texture": 0.1, "before": 2.0, "after": 8.0} | more
    return Blob(round(x) - 1, round(y) - 2, width, height, x, y, width * height, **told)  # type: ignore[arg-type]  # numbers all


def followed(way: list[tuple[float, float]], crowd: float, flakes: float = 40.0) -> bool:
    """Whether a small thing on this way, among a crowd of larger ones, is known for one."""
    tracker = Tracker(160)
    tracker.crowd, tracker.crowd_cells = crowd, flakes
    for n, (x, y) in enumerate(way):
        tracker.crowd = crowd
        tracker.follow([blob(x, y)], START + n * 200_000, 0.2)
    return any(track.confirmed for track in tracker.tracks)


def test_who_is_followed_for_long_is_none_of_the_crowd_but_a_flake_is():
    aside = [(30 + n, 50.0) for n in range(14)]
    falling = [(30 + 0.2 * n, 5 + 3.0 * n) for n in range(14)]
    assert followed(aside, 1.0)
    assert followed(aside[:6], 1.0)
    assert not followed(aside[:5], 1.0)
    assert not followed(falling, 1.0)
    assert not followed(aside, 8.0)


def test_among_very_many_he_is_half_as_large_as_it_takes_to_be_none_of_them():
    aside = [(30 + n, 50.0) for n in range(7)]
    assert followed(aside, 8.0, flakes=14.0)
    assert not followed(aside[:5], 8.0, flakes=14.0)
    assert not followed(aside, 8.0, flakes=30.0)
    assert not followed([(30 + 0.2 * n, 5 + 3.0 * n) for n in range(14)], 8.0, flakes=14.0)


@pytest.mark.parametrize(("stray", "known"), [(0.2, True), (9.0, False)], ids=["on his way", "to and fro"])
def test_who_is_far_off_on_one_line_in_many_key_frames_is_no_flake(stray: float, known: bool):
    """Here and there on a way, as chance has it of many flakes, is no line."""
    tracker = Tracker(160)
    tracker.crowd, tracker.crowd_cells = 1.1, 19.0
    for n in range(12):
        tracker.follow([blob(30 + 5.5 * n, 30 + stray * (n % 3 - 1))], START + n * 2_000_000, 2.0)
        assert n >= 8 or not any(track.confirmed for track in tracker.tracks)
    assert any(track.confirmed for track in tracker.tracks) is known


def test_a_lorry_that_crosses_in_a_second_is_no_flake():
    tracker = Tracker(160)
    for n in range(4):
        tracker.crowd, tracker.crowd_cells = 1.8, 24.0
        tracker.follow([blob(30 + 30 * n, 50, 40, 20, edge=2.0)], START + n * 250_000, 0.25)
    assert tracker.tracks[0].confirmed


def test_light_that_swallows_what_flickered_in_its_place_is_not_the_same_thing():
    tracker = Tracker(160)
    for n in range(3):
        tracker.follow([blob(103, 24, 2, 2)], START + n * 250_000, 0.25)
    tracker.follow([blob(80, 20, 160, 40)], START + 750_000, 0.25)
    assert sorted(track.hits for track in tracker.tracks) == [1, 3]


@pytest.mark.parametrize(("away", "tracks"), [(22, 2), (4, 1)], ids=["a drop far off", "he sets out"])
def test_who_stood_for_long_is_not_what_shows_up_far_off(away: int, tracks: int):
    tracker = Tracker(160)
    for n in range(60):
        tracker.follow([blob(76 + min(n, 8), 20, 3, 3)], START + n * 200_000, 0.2)
    tracker.follow([blob(84 + away, 20, 7, 3)], START + 59 * 200_000 + 1_280_000, 0.48)
    assert len(tracker.tracks) == tracks


@pytest.mark.parametrize(
    ("each_us", "a_second"),
    [(200_000, 5.0), (160_000, 5.0), (125_000, 5.0), (80_000, 5.0), (40_000, 5.0), (400_000, 2.5)],
)
def test_as_many_pictures_are_looked_at_as_are_asked_for_at_any_rate(each_us: int, a_second: float):
    pace, looks = Pace(), 0
    for n in range(20_000_000 // each_us):
        at = START + n * each_us
        if pace.is_due(at, 200_000):
            pace.looked(at, 200_000)
            looks += 1
    assert looks / 20 == pytest.approx(a_second, rel=0.06)
    assert pace.is_due(START, 200_000), "after the clock was set back"


def test_a_large_thing_gets_a_place_among_flakes():
    tracker = Tracker(160)
    tracker.follow([blob(4 + 7 * n, 10) for n in range(22)], START, 0.2)
    tracker.follow([blob(80, 60, 12, 30)], START + 200_000, 0.2)
    assert max(track.cells for track in tracker.tracks) == 360


@pytest.mark.parametrize(("edge", "count"), [(1.0, 1), (0.4, 0)], ids=["a car", "a shade"])
def test_what_was_there_in_one_look_alone_has_passed_if_it_ends_sharply(edge: float, count: int):
    tracker = Tracker(160)
    tracker.follow([blob(80, 50, 40, 30, edge=edge)], START, 0.2)
    tracker.follow([], START + 200_000, 0.2)
    assert len(tracker.passed(300, START + 200_000)) == count
    assert not tracker.passed(300, START + 200_000)


@pytest.mark.parametrize(
    ("what", "told", "came"),
    [
        ("a van", {}, True),
        ("a lamp", {"brighter": 1.0}, False),
        ("a lamp that went out", {"brighter": 0.0}, False),
        ("light, which ends softly", {"edge": 0.8}, False),
        ("a shadow, in which the ground is to be seen", {"texture": 0.6}, False),
        ("a van colder than the ground", {"brighter": 0.05}, True),
        ("a van in its own light", {"brighter": 0.97, "edge": 4.3, "burnt": 0.15, "texture": 0.42}, True),
        ("that light alone", {"brighter": 0.99, "edge": 4.3, "burnt": 0.15, "texture": 0.35}, False),
        ("light that burns the ground out", {"brighter": 0.97, "edge": 3.0, "burnt": 0.15, "texture": 0.35}, False),
    ],
)
def test_what_came_between_two_looks_and_stands_there_has_arrived(what: str, told: dict[str, float], *, came: bool):
    tracker = Tracker(160)
    tracker.follow([], START - 200_000, 0.2)
    stands = blob(60, 30, 60, 40, **({"edge": 3.0, "brighter": 0.4} | told))
    for n in range(5):
        assert not tracker.arrived(300, START), what
        tracker.follow([stands], START + n * 200_000, 0.2)
    assert len(tracker.arrived(300, START + 800_000)) == came, what
    assert not tracker.arrived(300, START + 800_000)
    assert tracker.tracks[0].confirmed is came


@pytest.mark.parametrize(
    ("left", "side", "count"), [(60, 40, 1), (90, 40, 1), (60, 8, 0)], ids=["stood", "came", "small"]
)
def test_what_a_key_frame_saw_before_close_looks_came_has_arrived_too(left: int, side: int, count: int):
    """It is new where it stands: whether the key frame saw it standing or on its way, it came since the one before."""
    tracker = Tracker(160)
    tracker.follow([boxed(left, 30, side, side, side * side, edge=3.0, brighter=0.4)], START, 4.0)
    for n in range(4):
        assert not tracker.arrived(300, START)
        tracker.follow(
            [boxed(60, 30, side, side, side * side, edge=3.0, brighter=0.4)], START + n * 200_000 + 300_000, 0.2
        )
    assert len(tracker.arrived(300, START + 900_000)) == count


@pytest.mark.parametrize(("burnt", "known"), [(0.0, True), (0.2, False)], ids=["a light-coloured van", "headlights"])
def test_what_is_lighter_everywhere_is_solid_where_nothing_is_burnt_out(burnt: float, known: bool):
    """Among flakes solid things are known after three looks."""
    tracker = Tracker(160)
    for n in range(4):
        tracker.crowd, tracker.crowd_cells = 1.2, 12.0
        tracker.follow(
            [blob(30 + 20 * n, 50, 30, 20, edge=1.8, texture=0.3, brighter=0.98, burnt=burnt)], START + n * 200_000, 0.2
        )
    assert tracker.tracks[0].solid is known
    assert tracker.tracks[0].confirmed is known


def test_what_was_large_before_it_left_has_passed():
    tracker = Tracker(160)
    tracker.follow([boxed(0, 27, 36, 14, 372, edge=2.8)], START, 2.2)
    tracker.follow([boxed(0, 28, 10, 13, 101, edge=1.7)], START + 320_000, 0.32)
    tracker.follow([], START + 480_000, 0.16)
    assert len(tracker.passed(300, START + 480_000)) == 1


def test_what_stood_for_seconds_does_not_leap_and_who_stood_may_go():
    tracker = Tracker(160)
    for n in range(10):
        tracker.follow([blob(22, 30, 2, 8)], START + n * 200_000, 0.2)
    tracker.follow([blob(22, 6, 9, 4)], START + 2_600_000, 0.2)
    assert [track.hits for track in tracker.tracks] == [10, 1]
    tracker.follow([blob(25, 30, 2, 8)], START + 2_800_000, 0.2)
    assert [track.hits for track in tracker.tracks] == [11, 1]


def test_what_fills_the_picture_is_the_light_and_no_thing():
    tracker = Tracker(160)
    tracker.height = 90
    for n in range(12):
        tracker.follow([blob(60 + 3 * n, 45, 130, 80, edge=5.0)], START + n * 200_000, 0.2)
    assert tracker.is_all(tracker.tracks[0])
    assert not tracker.tracks[0].confirmed


@pytest.mark.parametrize(("edge", "known"), [(2.5, True), (0.4, False)], ids=["a lorry", "light"])
def test_what_fills_the_picture_and_ends_sharply_is_known_as_soon_as_others(edge: float, known: bool):
    tracker = Tracker(160)
    tracker.height = 90
    for n in range(4):
        tracker.follow([blob(60 + 12 * n, 30, 80, 60, edge=edge)], START + n * 200_000, 0.2)
    assert tracker.tracks[0].confirmed is known
    assert blob(60, 30, 80, 60, edge=edge, sharp=0.1, brighter=1.0).is_pool(160 * 90) is not known


@pytest.mark.parametrize(
    ("way", "wide", "count"),
    [(40, 40, 1), (0, 40, 0), (20, 7, 1), (20, 4, 0)],
    ids=["a car", "a flash", "far", "an insect"],
)
def test_what_went_on_in_two_looks_has_passed_and_what_only_shone_has_not(way: int, wide: int, count: int):
    """Half as large as what one look alone saw, it is nobody no more."""
    tracker = Tracker(160)
    for n in range(2):
        tracker.follow([blob(60 + way * n, 50, wide, 30)], START + n * 200_000, 0.2)
    tracker.follow([], START + 400_000, 0.2)
    assert len(tracker.passed(300, START + 400_000)) == count


def test_who_passes_behind_a_fence_is_no_light_and_what_is_burnt_out_is():
    place = CELLS.copy()
    place[:, 44] = 250.0
    person = place.copy()
    person[30:50, 40:49] = np.where(np.arange(40, 49) == 44, 250.0, CELLS[30:50, 40:49].min() - 15)
    new = (np.abs(person - place) > 5).astype(np.uint8)
    [found] = motion.blobs(motion.cleaned(new), person, place, 0.5)
    assert not found.is_light
    lit = CELLS.copy()
    lit[20:60, 40:90] = 252.0
    [burnt] = motion.blobs((lit != CELLS).astype(np.uint8), lit, CELLS, 0.5, lit)
    assert burnt.is_light


def named(*said: str, crept: bool = False) -> str:
    """What is said in the end of looks that say this, four tenths of a second apart."""
    standing = tamper.Standing()
    for n in range(40):
        standing.next(said[min(n, len(said) - 1)], START + n * 400_000, 0.4, well=False, crept=crept)
        if standing.kind:
            break
    return standing.kind


def test_a_name_is_what_was_mostly_said_and_paint_is_no_cover():
    assert named(*["blinded"] * 9, "", "sprayed") == "blinded"
    assert named("sprayed", "covered") == "covered"
    for whole in ("covered", "fogged"):
        assert named("sprayed", whole, crept=True) == "sprayed"
    assert named("turned", crept=True) == "turned"


@pytest.mark.parametrize(
    ("fine", "broad", "said"), [(0.66, 1.48, ""), (0.5, 1.0, "defocused"), (0.4, 1.48, "defocused")]
)
def test_edges_that_dusk_softens_are_in_focus(fine: float, broad: float, said: str):
    seen = Likeness(142, 0.99, 0.01, 0.0, fine, broad, 0.93, -38.0, 0.0, 0.0, 0.0, 26.7, 16.8, 100.0, fine)
    assert tamper.judged(seen, 0.0) == said


def test_a_doubt_ends_when_the_view_is_back():
    standing = tamper.Standing()
    for n, said in enumerate(["turned"] * 8 + [""] + ["turned"] * 8):
        standing.next(said, START + n * 400_000, 0.4, well=not said)
    assert not standing.kind


def boxed(left: int, top: int, width: int, height: int, cells: int | None = None, **more: float) -> Blob:
    told = {"contrast": 30.0, "edge": 1.7, "texture": 0.1, "before": 2.0, "after": 8.0} | more
    many = width * height if cells is None else cells
    return Blob(left, top, width, height, left + width / 2, top + height / 2, many, **told)  # type: ignore[arg-type]  # numbers all


def looked_at(*looks: Blob, step_us: int = 200_000) -> Tracker:
    tracker = Tracker(SIZE[0])
    tracker.height = SIZE[1]
    for n, each in enumerate(looks):
        tracker.follow([each], START + n * step_us, step_us / 1e6)
    return tracker


def test_a_lorry_that_leaves_fast_is_small_at_last_and_no_insect():
    tracker = looked_at(boxed(0, 0, 160, 90, 5218), boxed(108, 22, 52, 32, 457), boxed(142, 22, 18, 6, 96))
    assert tracker.tracks[0].confirmed
    tracker = looked_at(boxed(20, 22, 18, 6, 96), boxed(70, 22, 18, 6, 96), boxed(120, 22, 18, 6, 96))
    assert not any(track.confirmed for track in tracker.tracks)


@pytest.mark.parametrize(("edge", "said"), [(7.0, True), (1.0, False)])
def test_a_lorry_that_stops_and_fills_half_of_the_picture_hides_little_of_a_plain_ground(edge: float, said: bool):
    widths = [42, 92, 160, 155, 155, 155]
    tracker = looked_at(*[boxed(0, 24, width, 60, width * 45, edge=edge, texture=0.48) for width in widths])
    assert tracker.tracks[0].confirmed is said


def test_what_was_first_seen_with_its_light_about_it_goes_on_from_there():
    first = boxed(20, 20, 137, 55, 1477)
    later = [boxed(88 - 8 * n, 54, 30, 16, 280) for n in range(6)]
    assert looked_at(first, *later).tracks[0].confirmed


def test_parts_of_a_lorry_do_not_teach_how_large_flakes_are():
    tracker = Tracker(SIZE[0])
    flakes = [[blob(20 + 30 * k + n % 7, (17 * n + 23 * k) % 80 + 4) for k in range(4)] for n in range(60)]
    for n, falling in enumerate(flakes):
        tracker.follow(falling, START + n * 200_000, 0.2)
    before = tracker.crowd_cells
    for n in range(60, 65):
        parts = [boxed(10 + 9 * (n - 60), 20, 24, 20), boxed(60 + 9 * (n - 60), 20, 24, 20)]
        tracker.follow([*parts, *flakes[n - 60]], START + n * 200_000, 0.2)
    assert tracker.crowd_cells < before + 30


@pytest.mark.parametrize(("missed", "said"), [(0, True), (3, False)])
def test_four_flakes_in_a_row_where_something_was_seen_before_are_nobody(missed: int, said: bool):
    tracker = Tracker(SIZE[0])
    looks = [boxed(20, 40, 4, 5)] * 2 + [None] * missed + [boxed(24 + 2 * n, 40, 4, 5) for n in range(4 - bool(missed))]
    for n, each in enumerate(looks):
        tracker.crowd, tracker.crowd_cells = 4.0, 10.0
        tracker.follow([] if each is None else [each], START + n * 200_000, 0.2)
    assert tracker.tracks[0].confirmed is said


@pytest.mark.parametrize(("side", "said"), [(5, False), (8, True)])
def test_among_many_flakes_two_in_a_line_seconds_apart_are_nobody(side: int, said: bool):
    tracker = Tracker(SIZE[0])
    for n in range(2):
        tracker.crowd, tracker.crowd_cells = 6.0, 12.0
        tracker.follow([boxed(30 + 12 * n, 40, side, side)], START + n * 2_000_000, 2.0)
    assert tracker.tracks[0].confirmed is said


def test_in_another_light_it_is_counted_anew_what_passes():
    rain = [[blob(10 + 24 * k + n % 5, (31 * n + 13 * k) % 80 + 4) for k in range(6)] for n in range(10)]
    crowds = []
    for anew in (False, True):
        tracker = Tracker(SIZE[0])
        if anew:
            tracker.count_anew()
        for n, falling in enumerate(rain):
            tracker.follow(falling, START + n * 200_000, 0.2)
        crowds.append(tracker.crowd)
    assert crowds[0] < 2.0
    assert crowds[1] == pytest.approx(6.0)


@pytest.mark.parametrize(("flakes", "side", "over"), [(True, 4, True), (False, 4, False), (True, 9, False)])
def test_whom_flakes_are_taken_for_is_over(flakes: bool, side: int, over: bool):
    """He left, and something lies near his place in every second look: only who is larger than it is believed to be there."""
    tracker = Tracker(SIZE[0])
    for n in range(24):
        tracker.crowd, tracker.crowd_cells = (4.0, 16.0) if flakes else (0.0, 0.0)
        shown = n < 10 or n % 2 == 0
        tracker.follow([boxed(20 + 2 * min(n, 10), 40, side, side)] if shown else [], START + n * 200_000, 0.2)
        if n == 9:
            assert tracker.tracks[0].confirmed
    assert any(track.confirmed for track in tracker.tracks) is not over


@pytest.mark.parametrize(("edge", "known"), [(0.9, True), (0.5, False)], ids=["somebody", "a cloud's shade"])
def test_what_ends_softly_all_the_time_goes_nowhere(edge: float, known: bool):
    tracker = Tracker(160)
    for n in range(6):
        tracker.follow([blob(40 + 6 * n, 50, 8, 12, edge=edge)], START + n * 200_000, 0.2)
    assert tracker.tracks[0].confirmed is known


@pytest.mark.parametrize("lamps", [True, False])
def test_what_is_warmer_everywhere_has_arrived_where_no_lamp_is_seen(lamps: bool):
    tracker = Tracker(160)
    for n in range(5):
        tracker.follow([blob(60, 30, 60, 40, edge=2.4, brighter=1.0)], START + n * 200_000, 0.2)
    assert len(tracker.arrived(300, START + 800_000, lamps=lamps)) == (not lamps)


@pytest.mark.parametrize(("shaded", "known"), [(1, True), (2, False)], ids=["with his shade", "shrank once"])
def test_who_goes_away_and_was_seen_with_his_shade_first_is_told(shaded: int, known: bool):
    """What makes most of the growth in one step is no growth; but where the first box alone is too large that is none of it."""
    tracker = Tracker(160)
    for n, height in enumerate([50] * shaded + [round(14 * 0.95**n) for n in range(13)]):
        wide = max(height // 2, 2)
        tracker.follow([boxed(80 - wide // 2, 50 - height // 2, wide, height)], START + n * 200_000, 0.2)
    assert any(track.confirmed for track in tracker.tracks) is known


@pytest.mark.parametrize("burnt", [0.05, 0.2])
def test_somebody_whom_infra_red_burns_out_a_little_is_solid(burnt: float):
    tracker = Tracker(160)
    tracker.follow([blob(40, 30, 10, 35, edge=2.2, texture=0.0, brighter=0.95, burnt=burnt)], START, 0.2)
    assert tracker.tracks[0].solid is (burnt < 0.1)


def test_what_filled_the_picture_and_crumbles_goes_nowhere():
    """Both its sides lay at the border for half of the time: they tell nothing."""
    crumbles = steps((0, 0, 160, 90), (0, 0, 160, 90), (40, 0, 140, 90), (64, 0, 136, 90), step_s=0.5)
    assert not going.goes(crumbles, 6.0, SIZE)
