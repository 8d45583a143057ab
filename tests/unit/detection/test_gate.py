"""The gate: what sizes say, what looks say, what it costs on a quiet scene, and what it keeps over a restart."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.detection.gate import Gate, GateOptions, Why

BEGIN_US = 1_800_000_000_000_000
Sample = tuple[int, bool, int]


def stream(
    seconds: float,
    fps: float = 12.5,
    gop_s: float = 2.0,
    noise: float = 0.1,
    bumps: tuple[tuple[float, float, float], ...] = (),
    *,
    seed: int = 1,
    from_us: int = BEGIN_US,
    base: int = 900,
    quantum: int = 1,
) -> Iterator[Sample]:
    """Sizes as an encoder makes them. bumps: from, to, and by how much pictures are larger then."""
    chance = random.Random(seed)
    each = max(1, round(gop_s * fps))
    for number in range(int(seconds * fps)):
        at_s = number / fps
        sync = number % each == 0
        size = 20_000.0 if sync else base * (1.4 if number % each == 1 else 1.0)
        for begin_s, end_s, factor in bumps:
            if begin_s <= at_s < end_s and not sync:
                size *= factor
        size *= math.exp(chance.gauss(0, noise))
        yield max(1, round(size / quantum) * quantum), sync, from_us + round(at_s * 1e6)


def run(gate: Gate, samples: Iterator[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Sync samples decoded alone, and all samples decoded while it is open."""
    alone, opened = [], []
    for sample in samples:
        verdict = gate.sample(*sample)
        if verdict.decode:
            (alone if verdict.reason is Why.KEY else opened).append(sample)
    return alone, opened


@pytest.mark.slow
@pytest.mark.parametrize("fps", [25, 12.5, 5])
@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3])
def test_a_quiet_scene_is_decoded_by_a_key_frame_in_four_seconds_and_no_more(fps: float, noise: float):
    gate = Gate()
    run(gate, stream(300, fps, noise=noise))
    before = gate.in_vain
    alone, opened = run(gate, stream(600, fps, noise=noise, seed=2, from_us=BEGIN_US + 300_000_000))
    assert 130 <= len(alone) <= (301 if gate.is_deaf else 151)
    assert len(opened) <= 0.03 * 600 * fps
    assert gate.in_vain - before <= 4


@pytest.mark.parametrize(("noise", "least", "most"), [(0.03, 13, 16), (0.4, 26, 31)])
def test_where_sizes_stray_so_far_that_they_hide_who_passes_pictures_are_asked_twice_as_often(
    noise: float, least: int, most: int
):
    gate = Gate()
    run(gate, stream(90, 5, noise=noise))
    alone, _ = run(gate, stream(60, 5, noise=noise, seed=2, from_us=BEGIN_US + 90_000_000))
    assert gate.is_deaf is (noise > 0.1)
    assert least <= len(alone) <= most


@pytest.mark.parametrize("gop_s", [0.5, 1, 2, 3, 4, 5])
def test_sabotage_is_within_reach_for_every_usual_group_of_pictures(gop_s: float):
    gate = Gate()
    looked = [sample for sample in stream(300, gop_s=gop_s) if gate.sample(*sample).decode]
    assert max(b[2] - a[2] for a, b in itertools.pairwise(looked)) <= 5_100_000


@pytest.mark.parametrize("fps", [25, 12.5, 5])
@pytest.mark.parametrize("factor", [1.6, 3.0])
def test_something_that_moves_for_two_seconds_opens_it(fps: float, factor: float):
    gate = Gate()
    samples = list(stream(310, fps, noise=0.08, bumps=((300, 302, factor),)))
    run(gate, iter(samples[: int(300 * fps)]))
    assert not gate.is_open
    _, opened = run(gate, iter(samples[int(300 * fps) :]))
    assert opened
    assert opened[0][2] - BEGIN_US < 301_200_000
    assert not gate.is_open or gate.why is not Why.MORE, "it closes again"


def test_far_smaller_pictures_open_it_too():
    gate = Gate()
    samples = list(stream(304, noise=0.08, bumps=((300, 304, 0.05),)))
    run(gate, iter(samples[: int(300 * 12.5)]))
    _, opened = run(gate, iter(samples[int(300 * 12.5) :]))
    assert opened
    assert gate.why is Why.LESS


@pytest.mark.parametrize("after", [1.0, 1.6])
def test_a_lull_of_a_second_opens_nothing_and_the_next_sync_sample_is_looked_at(after: float) -> None:
    """A thermal camera that calibrates holds its picture for a second, and its encoder catches up afterwards."""
    gate = Gate()
    samples = list(stream(304, noise=0.02, gop_s=1.0, bumps=((300, 301, 0.1), (301, 301.4, after))))
    alone, opened = run(gate, iter(samples))
    assert not opened
    assert gate.opened == 0
    assert next(sample for sample in samples if sample[1] and sample[2] - BEGIN_US > 301_000_000) in alone


def test_what_goes_on_after_a_lull_opens_it():
    gate = Gate()
    _, opened = run(gate, stream(305, noise=0.02, gop_s=1.0, bumps=((300, 301, 0.1), (301, 305, 1.6))))
    assert opened
    assert opened[0][2] - BEGIN_US < 302_400_000


def test_a_lasting_change_in_which_nothing_is_found_becomes_what_is_usual():
    gate = Gate()
    _, opened = run(gate, stream(400, noise=0.08, bumps=((100, 400, 2.0),)))
    late = [sample for sample in opened if 130_000_000 < sample[2] - BEGIN_US < 190_000_000]
    assert opened
    assert not late
    assert gate.in_vain >= 1


def test_while_looks_find_something_it_stays_open_and_learns_hardly_anything():
    gate = Gate()
    for sample in stream(160, noise=0.08, bumps=((100, 160, 2.0),)):
        if gate.sample(*sample).decode and gate.is_open:
            gate.found(sample[2], something=True, sure=True)
    assert gate.is_open
    for sample in stream(10, noise=0.08, from_us=BEGIN_US + 160_000_000):
        gate.sample(*sample)
    assert not gate.is_open
    bump = stream(2, noise=0.08, bumps=((0, 2, 2.0),), from_us=BEGIN_US + 170_000_000)
    assert run(gate, bump)[1], "the level of before is still the usual one"


def test_what_a_look_at_a_key_frame_finds_opens_it_and_makes_it_wary():
    gate = Gate()
    run(gate, stream(60))
    before = gate.missed
    gate.found(BEGIN_US + 60_000_000, something=True)
    assert gate.is_open
    assert gate.why is Why.FOUND
    assert gate.missed == before, "it may be nothing"
    gate.found(BEGIN_US + 60_050_000, something=True, sure=True)
    assert gate.missed == before + 1
    gate.found(BEGIN_US + 60_100_000, something=False)
    assert gate.is_open


def test_sizes_that_are_all_alike_keep_it_open_and_that_is_said():
    gate = Gate()
    _, opened = run(gate, stream(180, noise=0.0005, quantum=1))
    assert not gate.tells
    assert gate.why is Why.UNTOLD
    assert len(opened) > 80 * 12.5
    run(gate, stream(120, noise=0.3, from_us=BEGIN_US + 180_000_000))
    assert gate.tells, "once sizes say something again it goes by them"
    assert gate.why is not Why.UNTOLD


def test_what_it_learnt_is_kept():
    gate = Gate()
    run(gate, stream(300, noise=0.08))
    saved = gate.saved()
    assert len(saved) < 4096
    again = Gate.restored(None, saved)
    from_us = BEGIN_US + 2 * 86_400_000_000
    quiet, opened = run(again, stream(20, noise=0.08, from_us=from_us))
    assert not opened
    assert len(quiet) == 5
    _, opened = run(again, stream(2, noise=0.08, bumps=((0, 2, 2.0),), from_us=from_us + 20_000_000))
    assert opened, "without learning anew"


def test_each_hour_of_the_day_has_its_own_level():
    gate = Gate()
    hour_us = 3_600_000_000
    noon_us = BEGIN_US - BEGIN_US % (24 * hour_us) + 12 * hour_us
    run(gate, stream(400, base=900, from_us=noon_us))
    run(gate, stream(400, base=4000, from_us=noon_us + 11 * hour_us))
    _, opened = run(gate, stream(60, base=900, from_us=noon_us + 24 * hour_us))
    assert not opened, "the noon of the day before is remembered"


@pytest.mark.parametrize(
    "saved", [b"", b"{}", b"[]", b"\xff", b'{"v":2}', b'{"v":1,"level":1e999}', b'{"v":1,"level":null,"offsets":[1],"visits":[],"stray":0,"rough":0,"factor":1,"learnt_us":0,"hours":{}}']
)  # fmt: skip
def test_what_it_did_not_save_is_refused(saved: bytes):
    with pytest.raises(ValueError):
        Gate.restored(None, saved)


def test_a_sync_sample_whose_bytes_are_not_here_is_not_the_one_that_is_looked_at():
    gate = Gate()
    assert not gate.sample(20_000, True, BEGIN_US, here=False).decode
    assert gate.sample(20_000, True, BEGIN_US + 2_000_000).reason is Why.KEY


steps = st.lists(
    st.tuples(
        st.integers(0, 4_000_000), st.booleans(), st.sampled_from([40_000, 200_000, 2_000_000, 7_200_000_000, -3_600_000_000]),
        st.booleans(),
    ),
    max_size=200,
)  # fmt: skip


@given(steps)
def test_whatever_comes_it_decides_and_what_it_saves_can_be_restored(given_steps: list[tuple[int, bool, int, bool]]):
    gate, at_us = Gate(GateOptions(learn_us=1_000_000)), BEGIN_US
    for size, sync, step_us, something in given_steps:
        at_us += step_us
        verdict = gate.sample(size, sync, at_us)
        assert verdict.decode is (verdict.reason is not Why.QUIET)
        if verdict.decode:
            gate.found(at_us, something=something)
    again = Gate.restored(None, gate.saved())
    assert again.saved() == gate.saved() or again.saved()


@pytest.mark.slow
@given(st.integers(0, 1000), st.sampled_from([5.0, 12.5, 25.0]), st.sampled_from([1.0, 2.0, 4.0]))
def test_it_is_never_without_a_look_for_longer_than_two_groups_or_six_seconds(seed: int, fps: float, gop_s: float):
    gate, looked_us = Gate(), BEGIN_US
    for sample in stream(40, fps, gop_s, 0.4, ((10, 12, 3.0), (20, 30, 0.1)), seed=seed):
        if gate.sample(*sample).decode:
            looked_us = sample[2]
        assert sample[2] - looked_us <= 6_000_000


@given(
    st.integers(0, 1 << 20),
    st.sampled_from((0.02, 0.1, 0.3)),
    st.lists(st.tuples(st.floats(12, 90), st.floats(0.3, 6), st.sampled_from((0.05, 0.6, 1.3, 2.0))), max_size=4),
)
def test_what_quiet_samples_go_through_in_one_piece_says_and_learns_the_same(
    seed: int, noise: float, bumps: list[tuple[float, float, float]]
) -> None:
    """`between` is `sample` of a picture that builds on others, written in one piece: to the same bits, or what is kept over a restart would depend on how it came."""
    whole, pieces = Gate(), Gate()
    chance = random.Random(seed)
    spans = tuple((begin, begin + long, factor) for begin, long, factor in bumps)
    for size, sync, wall_us in stream(90, 6.0, noise=noise, bumps=spans, seed=seed):
        coarse = chance.choice((None, 24, 25))
        verdict = whole.sample(size, sync, wall_us, coarse=coarse)
        if sync:
            assert pieces.sample(size, sync, wall_us, coarse=coarse) == verdict
        else:
            assert pieces.between(size, wall_us, coarse) is verdict.decode
        if verdict.decode and chance.random() < 0.02:
            whole.found(wall_us, something=True, sure=True)
            pieces.found(wall_us, something=True, sure=True)
    kept = (
        "_level",
        "_offsets",
        "_visits",
        "_stray",
        "_rough",
        "_factor",
        "_learnt_us",
        "_smooth",
        "_why",
        "_until_us",
    )
    assert [getattr(pieces, name) for name in kept] == [getattr(whole, name) for name in kept]
