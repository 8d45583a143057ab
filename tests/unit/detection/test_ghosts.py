"""What a sweep of headlights, an answering exposure, snow and lamps leave behind is nobody; and whoever passes among them is somebody."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.detection.drawn import ground

from longwatch.detection import going, light, tamper
from longwatch.detection.curiosity import Curiosity
from longwatch.detection.looker import MOST_COVERED, Looker
from longwatch.detection.motion import Blob
from longwatch.detection.pictures import Picture
from longwatch.detection.tracking import Track, Tracker
from longwatch.detection.view import Likeness
from longwatch.model.events import Watched

SIZE = 160, 90
START = 1_700_000_000_000_000
CELLS = ground()[::2, ::2].copy()


def boxed(left: float, top: float, width: int, height: int, cells: int | None = None, **more: float) -> Blob:
    told = {"contrast": 30.0, "edge": 1.0, "texture": 0.1, "before": 2.0, "after": 8.0} | more
    many = width * height if cells is None else cells
    return Blob(round(left), round(top), width, height, left + width / 2, top + height / 2, many, **told)  # type: ignore[arg-type]  # numbers all


def looked_at(
    *looks: Blob,
    step_us: int = 200_000,
    crowd: tuple[float, float] = (0.0, 0.0),
    unrest: bool = False,
    night: bool = False,
    silent: bool = False,
) -> Tracker:
    tracker = Tracker(SIZE[0])
    tracker.height, tracker.unrest, tracker.night, tracker.silent = SIZE[1], unrest, night, silent
    for n, each in enumerate(looks):
        if crowd[0]:
            tracker.crowd, tracker.crowd_cells = crowd
        tracker.follow([each], START + n * step_us, step_us / 1e6)
    return tracker


def known(tracker: Tracker) -> bool:
    return any(track.confirmed for track in tracker.tracks)


def test_a_flake_is_none_the_more_for_falling_in_a_long_line():
    falling = [boxed(60 + n, 5 + 8 * n, 5, 4) for n in range(8)]
    walking = [boxed(60 + 2 * n, 40, 5, 4) for n in range(8)]
    assert not known(looked_at(*falling, crowd=(6.0, 9.0)))
    assert known(looked_at(*walking, crowd=(6.0, 9.0)))
    large = [boxed(60 + n, 5 + 8 * n, 10, 12) for n in range(8)]
    assert known(looked_at(*large, crowd=(6.0, 9.0)))


CRUMBLES = (0, 19, 118, 62), (4, 19, 55, 57), (6, 30, 36, 18), (6, 30, 36, 17), (6, 30, 31, 17)


@pytest.mark.parametrize("pieces", [0, 6])
def test_what_crumbles_among_much_that_a_lamp_left_goes_nowhere(pieces: int):
    tracker = Tracker(SIZE[0])
    tracker.height = SIZE[1]
    left = [boxed(20 * n + 4, 84, 5, 4) for n in range(pieces)]
    for n, box in enumerate(CRUMBLES):
        tracker.follow([boxed(*box, edge=2.0), *left], START + n * 160_000, 0.16)
    assert known(tracker) is not bool(pieces)


def test_who_walks_before_what_a_lamp_left_is_known_once_it_stood_for_five_seconds():
    tracker = Tracker(SIZE[0])
    tracker.height = SIZE[1]
    left = [boxed(20 * n + 4, 84, 5, 4) for n in range(6)]
    told = []
    for n in range(40):
        tracker.follow([boxed(2 + 3 * n, 40, 6, 12), *left], START + n * 200_000, 0.2)
        told.append(known(tracker))
    assert 5.0 <= told.index(True) * 0.2 <= 5.4


@pytest.mark.parametrize(("cells_s", "told"), [(20, True), (58, False)])
def test_among_flakes_nobody_is_told_who_would_run_faster_than_anybody_runs(cells_s: float, told: bool):
    runs = [boxed(10 + 0.2 * cells_s * n, 40, 3, 5) for n in range(10)]
    assert known(looked_at(*runs, crowd=(2.0, 20.0))) is told


@pytest.mark.parametrize(("others", "told"), [(0, True), (9, False)])
def test_what_a_flash_left_all_over_the_view_has_not_passed(others: int, told: bool):
    tracker = Tracker(SIZE[0])
    tracker.height = SIZE[1]
    flash = [boxed(16 * n + 2, 82, 4, 4) for n in range(others)]
    tracker.follow([boxed(20, 30, 30, 14, edge=2.0), *flash], START, 0.2)
    tracker.follow([boxed(60, 31, 30, 14, edge=2.0)], START + 200_000, 0.2)
    tracker.follow([], START + 400_000, 0.2)
    assert bool(tracker.passed(300, START + 400_000)) is told


@pytest.mark.parametrize(("night", "sharp", "told"), [(True, 0.45, False), (True, 0.7, True), (False, 0.45, True)])
def test_a_glow_on_the_lens_is_one_by_all_its_looks_though_each_is_sharper(*, night: bool, sharp: float, told: bool):
    crawls = [boxed(20 + n, 30 + n, 14, 14, 120, brighter=1.0, edge=1.9, sharp=sharp) for n in range(10)]
    assert known(looked_at(*crawls, night=night)) is told


@pytest.mark.parametrize(
    ("edge", "brighter", "night", "told"),
    [(0.7, 1.0, True, False), (0.96, 1.0, True, True), (1.4, 1.0, True, True), (0.7, 0.6, True, True), (0.7, 1.0, False, True)],
)  # fmt: skip
def test_a_large_light_that_ends_softly_by_night_is_the_pool_of_headlights_and_a_white_van_is_none(
    edge: float, brighter: float, *, night: bool, told: bool
):
    pool = [boxed(10 + 12 * n, 50, 52, 25, 1000, edge=edge, brighter=brighter, sharp=0.6) for n in range(6)]
    assert known(looked_at(*pool, night=night)) is told


@pytest.mark.parametrize(("side", "step", "told"), [(5, 2, True), (5, 3, False), (8, 6, True)])
def test_where_drops_are_dense_nobody_as_small_runs_three_of_his_lengths_a_second(side: int, step: int, *, told: bool):
    runs = [boxed(10 + step * n, 40, side, side) for n in range(10)]
    assert known(looked_at(*runs, crowd=(4.0, 20.0))) is told


@pytest.mark.parametrize(("far", "told"), [(10, True), (32, False)])
def test_an_insect_that_two_looks_saw_has_not_passed(far: int, *, told: bool):
    tracker = looked_at(boxed(20, 30, 20, 14, edge=2.0), boxed(20 + far, 31, 20, 14, edge=2.0))
    tracker.follow([], START + 400_000, 0.2)
    assert bool(tracker.passed(300, START + 400_000)) is told


def test_while_nothing_is_said_nobody_is_known_or_what_has_gone_since_would_be_held():
    walks = [boxed(20 + 2 * n, 40, 8, 16) for n in range(8)]
    assert known(looked_at(*walks))
    assert not known(looked_at(*walks, silent=True))


def test_where_many_flakes_pass_it_takes_a_straighter_line():
    stray = (0, 2, -2, 2, -2, 1, -1, 1)
    zigzag = [boxed(60 + 0.7 * n, 40 + stray[n], 5, 4) for n in range(8)]
    assert not known(looked_at(*zigzag, crowd=(6.0, 9.0)))


def test_small_things_are_not_known_in_unrest_and_large_ones_are():
    small = [boxed(60 + 2 * n, 40, 5, 8) for n in range(6)]
    large = [boxed(20 + 4 * n, 20, 40, 30) for n in range(6)]
    assert known(looked_at(*small))
    assert not known(looked_at(*small, unrest=True))
    assert known(looked_at(*large, unrest=True))


@pytest.mark.parametrize(("brighter", "after"), [(0.6, True), (0.98, False)])
def test_a_pool_of_light_that_burns_the_ground_out_is_not_known_in_three_looks(brighter: float, *, after: bool):
    pool = [boxed(20 + 8 * n, 10, 80, 60, 3400, edge=2.6, texture=0.3, brighter=brighter, burnt=0.3) for n in range(4)]
    assert known(looked_at(*pool)) is after


def test_who_hides_the_ground_is_not_taken_for_a_branch_far_off():
    tracker = looked_at(*[boxed(27, 17, 6, 2, texture=0.98)] * 5)
    tracker.follow([boxed(63, 17, 4, 12, texture=0.0)], START + 2_000_000, 1.2)
    assert len(tracker.tracks) == 2
    assert min(track.texture for track in tracker.tracks) == pytest.approx(0.0)
    near = looked_at(*[boxed(27, 17, 6, 2, texture=0.98)] * 5)
    near.follow([boxed(28, 17, 6, 4, texture=0.0)], START + 1_200_000, 0.2)
    assert len(near.tracks) == 1, "what stands before the branch itself may be it"


def test_what_leapt_between_key_frames_and_stands_has_gone_nowhere():
    tracker = Tracker(SIZE[0])
    tracker.height = SIZE[1]
    at = [0.0, 2.8, *[4.0 + 0.2 * n for n in range(10)]]
    before = 0.0
    for n, each in enumerate(at):
        tracker.crowd, tracker.crowd_cells = 1.9, 5.5
        there = boxed(80, 45, 3, 4) if n == 0 else boxed(62 - min(n, 3), 17, 3, 4)
        tracker.follow([there], START + round(each * 1e6), each - before)
        before = each
    assert max(track.hits for track in tracker.tracks) == len(at), "it was taken for one"
    assert not known(tracker)


def test_what_jumped_once_to_another_size_does_not_come_nearer():
    def sized(heights: list[float]) -> list[going.Step]:
        return [(START + 200_000 * n, 60.0, 40.0, 40 - h / 2, 60 - h / 4, 60 + h / 4, 40 - h) for n, h in enumerate(heights)]  # fmt: skip

    assert going.grows(sized([6 * 1.06**n for n in range(12)]))
    assert not going.grows(sized([4.0] * 6 + [8.0] * 6))


def track(number: int, cells: float, texture: float, *, confirmed: bool = False, hits: int = 1) -> Track:
    box = (40.0, 40.0, 6.0, 5.0)
    return Track(number, 0, 0, box, 43, 42.5, cells, 20.0, box, 43, 42.5, cells, texture=texture, edge=0.9, confirmed=confirmed, hits=hits)  # fmt: skip


def test_branches_and_lamps_do_not_speak_for_who_hides_the_ground():
    curiosity = Curiosity()
    for number in range(8):
        for _ in range(14):
            curiosity.look([track(number, 40.0, 0.5)], [], (90, 160), 0.2, learns=True)
        curiosity.look([], [], (90, 160), 4.0, learns=True)
    assert not curiosity.is_worth(track(90, 30.0, 0.5), (90, 160))
    assert curiosity.is_worth(track(91, 30.0, 0.0), (90, 160))
    for number in range(8):
        for _ in range(14):
            curiosity.look([track(number, 40.0, 0.0)], [], (90, 160), 0.2, learns=True)
        curiosity.look([], [], (90, 160), 4.0, learns=True)
    assert not curiosity.is_worth(track(92, 30.0, 0.0), (90, 160)), "such as came to nothing too do"


def test_what_two_key_frames_confirmed_is_looked_at_at_once():
    curiosity = Curiosity()
    assert curiosity.look([track(1, 30.0, 0.1, confirmed=True, hits=2)], [], (90, 160), 4.0, learns=True)
    assert not curiosity.look([track(1, 30.0, 0.1, confirmed=True, hits=3)], [], (90, 160), 4.0, learns=True)


def test_the_light_is_told_from_what_a_large_thing_leaves_free():
    seen = CELLS * np.float32(1.5)
    hidden = np.zeros(CELLS.shape, np.uint8)
    hidden[10:80, 20:150] = 1
    seen[hidden > 0] = 20
    assert light.between(CELLS, seen, hidden=hidden).gain == pytest.approx(1.5, abs=0.08)
    assert light.between(CELLS, seen).gain != pytest.approx(1.5, abs=0.3), "it fills two thirds of the picture"


def test_a_dark_lorry_before_the_lens_does_not_blind():
    """It makes shades stray as a torch does; a torch takes edges, and the lorry brings its own."""
    lorry = Likeness(142, 0.55, 0.28, 0.17, 0.9, 1.4, 0.85, -44.0, 0.0, 0.0, 0.0, 67.0, 40.0, 95.0, 2.1)
    torch = Likeness(142, 0.55, 0.28, 0.17, 0.3, 1.4, 0.85, -44.0, 0.0, 0.0, 0.0, 67.0, 40.0, 95.0, 0.5)
    assert tamper.judged(lorry, 0.0) == ""
    assert tamper.judged(torch, 0.0) == "blinded"


@pytest.mark.parametrize(("share", "left_out"), [(0.6, True), (MOST_COVERED + 0.1, False)])
def test_a_view_is_judged_by_what_is_free_of_a_thing_that_came_on_its_own_feet(share: float, *, left_out: bool):
    looker = Looker(Watched("gate"))
    looker._shape = SIZE[1], SIZE[0]
    box = (0.0, 0.0, 160.0, 90.0)
    looker._tracker.tracks = [track(1, 9000.0, 0.1, confirmed=True, hits=9)]
    looker._tracker.tracks[0].box, looker._tracker.tracks[0].moved_us = box, START
    covered = np.zeros((90, 160), np.uint8)
    covered[:, : round(160 * share)] = 1
    looker._covered = covered
    mask = looker._before_view(START + 1_000_000)
    assert (mask is not None) is left_out
    if mask is not None:
        assert np.array_equal(mask, covered)


def test_what_made_the_gate_open_may_be_on_its_way():
    """Half as many pictures do where nothing is there, but not in the first seconds of close looking."""
    looker = Looker(Watched("gate"))
    luma = ground().astype(np.uint8)
    calm = {}
    at_us = START
    for each_us in [4_000_000] * 4 + [200_000] * 15:
        at_us += each_us
        looker.look(Picture(luma, at_us))
        calm[at_us - START] = looker.calm
    assert not calm[16_000_000 + 1_600_000]
    assert calm[16_000_000 + 2_600_000]


@pytest.mark.parametrize(("gap_s", "said"), [(0.2, True), (2.0, False)])
def test_among_flakes_what_key_frames_saw_does_not_count_for_close_looks(gap_s: float, *, said: bool):
    tracker = Tracker(SIZE[0])
    tracker.height = SIZE[1]
    at_us, before_us = START, START
    for n in range(7):
        tracker.crowd, tracker.crowd_cells = 2.0, 8.0
        tracker.follow([boxed(40 + 2 * n, 40, 3, 4)], at_us, (at_us - before_us) / 1e6)
        before_us = at_us
        at_us += round((gap_s if n < 3 else 0.2) * 1e6)
        if n == 5:
            assert any(track.confirmed for track in tracker.tracks if track.hits == 6) is said
