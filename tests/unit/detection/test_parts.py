"""The smaller parts of looking, each by itself."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.detection.drawn import ground, learnt, looked, pictures

from longwatch.detection import light, motion, planes, steadiness, zones
from longwatch.detection.background import Background
from longwatch.detection.heat import Heat
from longwatch.detection.motion import Blob
from longwatch.detection.replay import GROUND_S, RESTLESS, Replay, fingerprint, ground_of
from longwatch.detection.state import StateError, packed, unpacked
from longwatch.detection.tracking import Tracker
from longwatch.detection.view import View
from longwatch.model.events import Line, Watched, Zone

CELLS = ground()[::2, ::2].copy()


@settings(max_examples=25, deadline=None)
@given(gain=st.floats(0.5, 1.8), offset=st.floats(-20, 30), seed=st.integers(0, 99))
def test_light_is_undone_whatever_stands_in_a_third_of_the_picture(gain: float, offset: float, seed: int):
    rng = np.random.default_rng(seed)
    seen = CELLS * np.float32(gain) + np.float32(offset)
    x = int(rng.integers(0, 110))
    seen[10:80, x : x + 50] = rng.uniform(0, 250)
    found = light.between(CELLS, seen)
    assert found.gain == pytest.approx(gain, abs=0.08)
    left = np.abs(found.undone(seen) - CELLS)
    assert float(np.median(left)) < 3


@settings(max_examples=25, deadline=None)
@given(dx=st.integers(-5, 5), dy=st.integers(-4, 4), gain=st.floats(0.6, 1.5))
def test_a_shift_is_found_in_any_light_and_undone(dx: int, dy: int, gain: float):
    moved = np.roll(CELLS, (dy, dx), (0, 1)) * np.float32(gain)
    shift = steadiness.between(steadiness.edges(CELLS), steadiness.edges(moved))
    assert shift.clear > steadiness.CLEAR
    assert (shift.dx * 160, shift.dy * 90) == (pytest.approx(dx, abs=0.7), pytest.approx(dy, abs=0.7))
    inner = np.abs(steadiness.steadied(moved, steadiness.Shift(dx / 160, dy / 88)) - CELLS * np.float32(gain))[
        8:-8, 8:-8
    ]
    assert float(inner.max()) < 0.01


def test_what_lies_outside_of_a_picture_shifted_back_was_not_seen():
    unseen = steadiness.unseen((90, 160), steadiness.Shift(3 / 160, -5 / 88, 1.0))
    assert unseen[:5].all()
    assert unseen[:, -3:].all()
    assert not unseen[5:, :-3].any()
    assert not steadiness.unseen((90, 160), steadiness.Shift(0.4 / 160, 0.0, 1.0)).any(), "half of it was"


def test_what_all_shifts_have_in_common_is_left_in_the_pictures():
    swing = steadiness.Swing()
    left = [swing.about(steadiness.Shift(0.01, 0.02 * (-1) ** n, 0.5), 2.0) for n in range(600)]
    assert left[0].dx == pytest.approx(0.01, rel=0.02)
    assert abs(left[-1].dx) < 0.001
    assert abs(left[-1].dy) == pytest.approx(0.02, rel=0.05), "it swings"
    faint = steadiness.Shift(0.03, 0.0, 0.2)
    assert swing.about(faint, 4.0) is faint, "its peak does not stand out, and teaches nothing"
    assert steadiness.Swing().about(steadiness.Shift(0.03, 0.0, 0.5), 3600.0).dx > 0.02, "nobody asked for an hour"


def test_no_shift_is_no_shake_nor_is_one_that_a_lamp_feigns():
    assert not steadiness.is_shake(steadiness.between(steadiness.edges(CELLS), steadiness.edges(CELLS)))
    assert steadiness.is_shake(steadiness.Shift(0.02, 0.0, 0.4))
    assert not steadiness.is_shake(steadiness.Shift(0.02, 0.0, 0.2)), "its peak does not stand out"


def test_a_background_knows_several_states_of_a_cell_and_forgets_what_was_there_for_a_moment():
    known = Background(CELLS.shape)
    known.begin(CELLS)
    other = CELLS + 60
    for n in range(120):
        shown = other if n % 3 == 0 else CELLS
        known.learn(shown, known.compare(shown), 1.0, None)
    assert not known.compare(CELLS).any()
    assert known.compare(other).mean() < 0.01
    assert known.compare(CELLS - 60).mean() > 0.99
    assert float(known.spread.mean()) < 2


def test_nothing_is_learnt_where_something_is_followed():
    known = Background(CELLS.shape)
    known.begin(CELLS)
    held = np.zeros(CELLS.shape, np.uint8)
    held[:, :80] = 1
    for _ in range(60):
        shown = CELLS + 50
        known.learn(shown, known.compare(shown), 1.0, held)
    new = known.compare(CELLS + 50)
    assert new[:, :80].all()
    assert not new[:, 80:].any()


def test_a_background_goes_through_bytes():
    known = Background(CELLS.shape)
    known.begin(CELLS)
    rng = np.random.default_rng(2)
    for _ in range(10):
        shown = CELLS + rng.normal(0, 2, CELLS.shape).astype(np.float32)
        known.learn(shown, known.compare(shown), 0.5, None)
    again = Background.of(known.arrays(), known.looks)
    assert float(np.abs(again.usual - known.usual).max()) < 0.1
    assert float(np.abs(again.spread - known.spread).max()) <= 0.051
    with pytest.raises(ValueError, match="size"):
        Background.of(known.arrays() | {"mean0": np.zeros((2, 2), np.float16)}, 3)


def test_blobs_have_sizes_by_where_they_stand_and_lone_cells_are_none():
    new = np.zeros((90, 160), np.uint8)
    new[5:7, 20:22] = new[84:86, 60:62] = new[40:50, 100:106] = 1
    new[60, 30] = 1
    seen = CELLS.copy()
    seen[new > 0] = 10
    found = motion.blobs(motion.cleaned(new), seen, CELLS, 0.5)
    assert (found[0].left, found[0].top, found[0].width, found[0].height) == (100, 40, 6, 10)
    assert len(found) == 2  # of the two small ones that near the upper edge: there things are far
    assert found[1].top == 5
    assert motion.least_cells(1.0, 0.0) > motion.least_cells(0.0, 1.0)


def blob(x: float, y: float = 40.0, size: int = 6, texture: float = 0.0) -> Blob:
    half = size // 2
    return Blob(round(x) - half, round(y) - half, size, size, x, y, size * size, 40.0, 1.0, texture, 3.0, 10.0)


def follow(xs: list[float], texture: float = 0.0, size: int = 6) -> Tracker:
    tracker = Tracker(160)
    for n, x in enumerate(xs):
        tracker.follow([blob(x, size=size, texture=texture)], n * 200_000, 0.2)
    return tracker


def test_a_track_is_confirmed_by_going_somewhere():
    assert follow([20, 22, 24, 26, 28]).tracks[0].confirmed
    assert not follow([20, 22, 20, 22, 20, 22, 20, 22]).tracks[0].confirmed
    assert not follow([20] * 12).tracks[0].confirmed
    assert not follow([20, 22, 24, 26, 28], texture=0.9).tracks[0].confirmed, "the ground is as it was: light"
    assert not any(track.confirmed for track in follow([20, 46, 72, 98, 124], size=4).tracks), "an insect"


def test_two_things_keep_their_numbers_when_they_pass_each_other():
    tracker = Tracker(160)
    for n in range(12):
        tracker.follow([blob(20 + 4 * n, 40), blob(64 - 4 * n, 48)], n * 200_000, 0.2)
    assert sorted((track.number, round(track.x)) for track in tracker.tracks) == [(1, 64), (2, 20)]


def test_a_track_that_is_not_seen_is_over():
    tracker = follow([20, 22, 24, 26])
    assert tracker.follow([], 1_000_000, 0.2)[1] == []
    assert [track.number for track in tracker.follow([], 4_000_000, 3.0)[1]] == [1]


def test_a_tracker_goes_through_json():
    tracker = follow([20, 22, 24, 26])
    again = Tracker(160)
    again.restore(tracker.saved())
    assert again.saved() == tracker.saved()


@pytest.mark.parametrize(
    ("direction", "before", "after", "said"),
    [
        ("both", (0.2, 0.5), (0.4, 0.5), zones.RIGHT), ("both", (0.4, 0.5), (0.2, 0.5), zones.LEFT),
        ("left_to_right", (0.2, 0.5), (0.4, 0.5), zones.RIGHT), ("left_to_right", (0.4, 0.5), (0.2, 0.5), ""),
        ("both", (0.2, 0.1), (0.4, 0.1), ""), ("both", (0.1, 0.5), (0.2, 0.5), ""),
    ],
)  # fmt: skip
def test_lines(direction: str, before, after, said: str):
    assert zones.crossed(Line("l", ((0.3, 0.9), (0.3, 0.3)), direction), before, after) == said


def test_a_zone_counts_for_its_kinds():
    zone = Zone("z", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), kinds=("object",))
    assert zones.zones_at([zone], (0.2, 0.2), "object.person") == (zone,)
    assert zones.zones_at([zone], (0.2, 0.2), "motion") == () == zones.zones_at([zone], (0.7, 0.2), "object.person")


def test_heat_is_told_in_tenths_and_what_is_less_waits():
    heat = Heat()
    moving = np.zeros((90, 160), np.uint8)
    moving[:45] = 1
    for _ in range(3):
        heat.add(moving, 0.25)
    heat.add(None, 7000.0)
    looked, cells = heat.told()
    told = np.frombuffer(cells, "<u2").reshape(36, 64)
    assert (looked, set(told[:18].flat), set(told[18:].flat)) == (65_535, {7}, {0})
    heat.add(moving, 60.0)
    looked, cells = heat.told()
    assert np.frombuffer(cells, "<u2")[0] == 50, "nobody saw what was between two looks"
    assert looked == 5_072
    assert heat.told() == (0, b"")


def test_fingerprints_of_live_pictures_differ_in_half_of_their_bits():
    rng = np.random.default_rng(3)
    spread = np.ones(CELLS.shape, np.float32)
    below = ground_of(CELLS, spread)
    a, b = (fingerprint(rng.normal(0, 1, CELLS.shape).astype(np.float32), below) for _ in range(2))
    assert a is not None
    assert b is not None
    assert 440 < int(np.bitwise_count(a ^ b).sum()) < 584
    assert fingerprint(np.zeros(CELLS.shape, np.float32), below) is None


def test_a_copy_is_known_though_the_background_was_asked_anew_meanwhile():
    rng = np.random.default_rng(5)
    noise = [rng.normal(0, 1, CELLS.shape).astype(np.float32) for _ in range(60)]
    spread, replay, found = np.ones(CELLS.shape, np.float32), Replay(), []
    for number, shown in enumerate([*noise, *noise[20:25]]):
        usual = CELLS * np.float32(1 + number / 1000)  # the light rises while it goes on
        found.append(replay.look(usual + shown, usual, spread, number * 4_000_000))
    assert not any(found[:60])
    assert found[63]


def fed(
    copies: list[np.ndarray],
    live: list[np.ndarray],
    new: np.ndarray | None = None,
    *,
    key: bool = True,
    anew: bool = False,
) -> tuple[list[bool], Replay]:
    """What is said of each of the copies, after pictures of a live camera; one comes each four seconds."""
    spread, replay = np.ones(CELLS.shape, np.float32), Replay()
    for number, shown in enumerate(live):
        assert not replay.look(CELLS + shown, CELLS, spread, number * 4_000_000, new)
    begin = len(live)
    said = [
        replay.look(CELLS + shown, CELLS, spread, (begin + number) * 4_000_000, new, key=key, anew=anew)
        for number, shown in enumerate(copies)
    ]
    return said, replay


def noise_of(seed: int, many: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 1, CELLS.shape).astype(np.float32) for _ in range(many)]


@pytest.mark.parametrize("trace", [0.0, 1.7])
def test_two_pictures_that_were_there_before_equally_long_ago_are_a_loop_and_one_is_none(trace: float):
    """trace: what a converter adds."""
    live = noise_of(7, 40)
    copies = [each + np.float32(trace) * more for each, more in zip(live[20:22], noise_of(8, 2), strict=True)]
    assert fed(copies, live)[0] == [False, True]
    assert fed([copies[0], *noise_of(9, 1)], live)[0] == [False, False]
    assert fed([copies[0], live[30]], live)[0] == [False, False], "not equally long ago"


def test_a_picture_that_matches_for_longer_than_a_group_is_no_witness():
    live = noise_of(7, 40)
    said, _ = fed([live[20], live[20], live[22], live[23]], live)
    assert said == [False, False, False, True], "the first and the third were equally long ago"


def test_what_is_there_again_with_another_picture_in_between_is_no_loop():
    live = noise_of(7, 40)
    assert fed([live[20], *noise_of(9, 1), live[22]], live)[0] == [False, False, False]


def test_who_walks_there_again_is_no_loop():
    live, again = noise_of(7, 40), noise_of(8, 2)
    new = np.zeros(CELLS.shape, np.uint8)
    new[30:60, 40:80] = 1
    for number, shape in enumerate(noise_of(9, 2)):
        live[20 + number] = live[20 + number] + 20 * shape * new
        again[number] = again[number] + 20 * shape * new
    assert fed(again, live, new)[0] == [False, False]
    assert fed(again, live)[0] == [False, True], "by what is new alone it would be one"


def test_where_something_is_new_three_pictures_are_needed():
    live, new = noise_of(7, 40), np.zeros(CELLS.shape, np.uint8)
    new[30:40, 40:50] = 1
    assert fed(live[20:23], live, new)[0] == [False, False, True]
    assert fed(live[20:22], live, new, anew=True)[0] == [False, True], "it has another witness"


def swaying() -> list[np.ndarray]:
    """Threads that sway to and fro: live pictures often find their like, but each at another time."""
    sways = noise_of(11, 8)
    order = np.random.default_rng(12).integers(0, len(sways), 40)
    return [noise + np.float32(0.65) * sways[k] for noise, k in zip(noise_of(7, 40), order, strict=True)]


def test_of_a_restless_camera_three_in_a_row_from_one_distance_are_a_loop_however_alike():
    live, trace = swaying(), noise_of(8, 4)
    copies = [each + np.float32(1.2) * more for each, more in zip(live[20:24], trace, strict=True)]
    said, replay = fed(copies[:3], live)
    assert replay._usual > RESTLESS
    assert said == [False, False, True]
    assert not any(fed([copies[0], copies[1], live[30]], live)[0])
    assert not any(fed([copies[0], noise_of(9, 1)[0], copies[2], copies[3]], live)[0]), "not in a row"
    still, _ = fed([live[20]] * 4, [*live[:20], *[live[20]] * 4, *live[24:]])
    assert not any(still), "nor what is the same from look to look"


def test_of_a_restless_camera_what_was_twice_as_long_ago_is_known_or_it_began_anew():
    live = swaying()
    assert fed(live[20:23], live)[0] == [False, False, True]
    assert not any(fed(live[15:18], live)[0]), "nobody was looking then"
    assert fed(live[15:18], live, anew=True)[0] == [False, False, True]


def test_pictures_of_which_no_copy_was_looked_at_say_nothing_of_a_loop():
    """Sync samples come more often than they were looked at."""
    spread, live, between, said = np.ones(CELLS.shape, np.float32), swaying(), noise_of(8, 3), []
    replay = fed([], live)[1]
    for number in range(6):
        shown = between[number // 2] if number % 2 else live[20 + number // 2]
        said.append(replay.look(CELLS + shown, CELLS, spread, 160_000_000 + number * 2_000_000))
    assert replay._usual > RESTLESS
    assert said == [False, False, False, False, True, True]


def test_pictures_between_sync_samples_are_compared_and_not_kept():
    live = noise_of(7, 40)
    said, replay = fed(live[20:22], live, key=False)
    assert said == [False, True]
    assert replay.arrays()["print_times"].size == 40


def test_what_was_asked_of_a_background_is_not_believed_for_another_view():
    spread, replay = np.ones(CELLS.shape, np.float32), Replay()
    rng = np.random.default_rng(6)
    other = np.ascontiguousarray(CELLS[:, ::-1])
    prints = []
    for usual, now_s in ((CELLS, 0), (other, GROUND_S + 1)):
        replay.look(usual + rng.normal(0, 1, CELLS.shape).astype(np.float32), usual, spread, round(now_s * 1e6))
        prints.append(replay._ground)
    assert prints[1] is not None
    assert (prints[1].weight == ground_of(other, spread).weight).all()


def test_the_edges_of_the_view_follow_what_it_has_learnt():
    view, other = View(CELLS.shape), np.ascontiguousarray(CELLS[::-1])
    for _ in range(12):
        view.learn(CELLS, 0.0, 4.0)
    assert view.likeness(CELLS, 0.0, 0.0).kept == 1
    for _ in range(300):
        view.learn(other, 0.0, 4.0)
        seen = view.likeness(other, 0.0, 0.0)
    assert seen.kept == 1
    assert seen.fine == pytest.approx(1, abs=0.05)
    view.replace(CELLS, 0.0)
    assert view.likeness(CELLS, 0.0, 0.0).fine == pytest.approx(1, abs=1e-3)
    view.relight(0.5, 10.0)
    assert view.likeness(CELLS, 0.0, 0.0).fine == pytest.approx(2, abs=1e-2)


def test_state_goes_through_bytes_and_nothing_foreign_is_believed():
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(4, dtype=np.uint8)}
    head, back = unpacked(packed({"n": 1}, arrays))
    assert head == {"n": 1}
    assert all((back[name] == array).all() for name, array in arrays.items())
    with pytest.raises(TypeError):
        packed({}, {"o": np.array(["x"])})


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=120), st.integers(0, 200))
def test_any_bytes_are_refused_with_one_error(noise: bytes, at: int):
    whole = packed({"n": 1}, {"a": np.zeros((3, 3), np.float32)})
    for data in (noise, whole[: at % len(whole)] + noise):
        if data == whole:
            continue
        with contextlib.suppress(StateError):
            unpacked(data)


def test_light_that_is_as_it_was_is_left_as_it_is():
    usual = ground(0)
    noisy = usual + np.random.default_rng(1).normal(0.3, 2.0, usual.shape).astype(np.float32)
    found = light.between(usual, noisy, noisy - usual)
    assert (found.gain, found.offset, found.explained) == (1.0, 0.0, 1.0)
    assert found.undone(noisy) is noisy
    noisy[:, : usual.shape[1] // 3] += 60  # something large stands there
    assert not light.between(usual, noisy).changed
    assert light.between(usual, noisy).explained < 0.8


def test_lengths_of_vectors_lie_where_their_last_bits_are_the_same():
    rng = np.random.default_rng(0)
    x, y = (rng.normal(0, 3, (44, 80)).round(1).astype(np.float32) for _ in range(2))
    taken = [planes.magnitude(x, y) for _ in range(24)]
    assert all(each.ctypes.data % 64 == 0 for each in taken)
    assert all(np.array_equal(each, taken[0]) for each in taken)
    assert np.allclose(taken[0], np.hypot(x, y))


@pytest.mark.parametrize(
    ("what", "rim", "bends", "cells", "sharp", "glows"),
    [
        ("a glow with drops on it", 0.3, 0.3, 100, 0.9, (True, False)),
        ("a spider's legs", 0.3, 0.3, 100, 0.37, (True, True)),
        ("a person in infra-red", 0.7, 0.4, 100, 0.37, (False, False)),
        ("a car in its own light", 0.3, 0.5, 150, 0.9, (False, False)),
        ("a lorry before the lens", 0.1, 0.1, 3000, 0.37, (False, False)),
        ("three drops", 0.3, 0.3, 20, 0.9, (False, False)),
    ],
)
def test_what_is_sharp_here_and_there_is_a_glow_behind_drops(
    what: str, rim: float, bends: float, cells: int, sharp: float, glows: tuple[bool, bool]
):
    """glows: where many fall, and where nothing does."""
    blob = Blob(
        10, 10, 12, 12, 16, 16, cells, 30.0, 1.0, 0.1, 2.0, 8.0, sharp=sharp, bends=bends, rim=rim, brighter=1.0
    )
    assert (blob.is_wet_glow(dense=True), blob.is_wet_glow(dense=False)) == glows, what


@pytest.mark.parametrize(
    ("what", "part", "sharp", "edge", "brighter", "beams"),
    [
        ("headlights that come in", 0.12, 0.07, 1.8, 1.0, True),
        ("their first glow", 0.04, 0.18, 0.6, 1.0, True),
        ("headlights that fill a room", 0.34, 0.25, 0.8, 1.0, True),
        ("the same, less of it", 0.12, 0.25, 0.8, 1.0, False),
        ("a white lorry", 0.24, 0.19, 3.3, 1.0, False),
        ("a car in white, sharp all around", 0.12, 0.3, 2.0, 1.0, False),
        ("a shadow that comes in", 0.12, 0.07, 1.8, 0.0, False),
        ("somebody far in a white shirt", 0.01, 0.07, 1.8, 1.0, False),
    ],
)
def test_a_pool_of_light_that_comes_in_is_told_from_what_is_white(
    what: str, part: float, sharp: float, edge: float, brighter: float, *, beams: bool
):
    cells = round(part * 14_400)
    blob = Blob(0, 9, 46, 50, 23, 34, cells, 60.0, edge, 0.1, 2.0, 2.0, sharp=sharp, brighter=brighter)
    assert blob.is_pool(14_400) is beams, what


@pytest.mark.parametrize("asked", [True, False])
def test_a_soft_pool_that_grows_in_from_the_side_by_day_is_followed_by_nobody(
    monkeypatch: pytest.MonkeyPatch, *, asked: bool
):
    """As headlights do in a lit street. Without the question it would be."""
    place, away = ground() + 40, np.hypot(*np.meshgrid(np.arange(320), np.arange(180) * 1.6))

    def shown(at: float) -> planes.F32:
        pool = 90 / (1 + np.exp((away - 60 - 60 * (at - 20)) / 8))
        return np.clip(place + (pool if at >= 20 else 0), 0, 255).astype(np.float32)

    if not asked:
        monkeypatch.setattr(Blob, "is_pool", lambda *_: False)
    looker = learnt(Watched("street"), base=place)
    taken: list[int] = []
    follow = looker._tracker.follow

    def told(found: list[Blob], now_us: int, passed_s: float) -> object:
        taken.extend(blob.cells for blob in found)
        return follow(found, now_us, passed_s)

    monkeypatch.setattr(looker._tracker, "follow", told)
    looked(looker, pictures(shown, 1.5, step_s=0.2, from_s=20.0))
    assert any(cells > 0.03 * 14_400 for cells in taken) is not asked


@pytest.mark.parametrize(
    ("what", "part", "brighter", "burnt", "dazzles"),
    [
        ("a headlight's pool on a wall", 0.25, 1.0, 0.4, True),
        ("one that is small", 0.1, 1.0, 0.4, False),
        ("a car in its own light", 0.25, 0.9, 0.4, False),
        ("a white van", 0.25, 1.0, 0.1, False),
    ],
)
def test_what_is_large_brighter_everywhere_and_burnt_out_is_light(
    what: str, part: float, brighter: float, burnt: float, *, dazzles: bool
):
    blob = Blob(10, 10, 60, 50, 40, 35, round(part * 14_400), 110.0, 3.0, 0.1, 2.0, 0.5, brighter=brighter, burnt=burnt)
    assert blob.is_pool(14_400) is dazzles, what


def test_drops_before_a_glow_make_neither_it_nor_its_rim_sharp():
    xs, ys = np.meshgrid(np.arange(160, dtype=np.float32), np.arange(90, dtype=np.float32))
    usual = np.full((90, 160), 40, np.float32)
    seen = usual + 60 * np.exp(-(((xs - 80) / 7) ** 2) - ((ys - 45) / 6) ** 2)
    for x, y in ((78, 43), (83, 47), (80, 38)):
        seen[y : y + 3, x] += 45
    dark = seen.copy()
    dark[35:56, 73:87] = 90
    (glow,) = motion.blobs((seen - usual > 8).astype(np.uint8), seen, usual, 0.5)
    (thing,) = motion.blobs((dark - usual > 40).astype(np.uint8), np.where(dark - usual > 40, dark, usual), usual, 0.5)
    assert glow.sharp > motion.SOFT
    assert not glow.is_glow
    assert glow.is_wet_glow(dense=True)
    assert not thing.is_wet_glow(dense=True)
    assert thing.rim > 0.9
