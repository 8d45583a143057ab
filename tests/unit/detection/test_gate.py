"""The gate: what sizes say, what looks say, what it costs on a quiet scene, and what it keeps over a restart."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.detection.gate import Gate, GateOptions, Why
from longwatch.model.watching import Attention

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
    odd = 6  # of a hundred seconds one sync sample is odd by chance
    assert 130 <= len(alone) <= 151 + odd
    assert len(opened) <= 0.03 * 600 * fps
    assert gate.in_vain - before <= 4


@pytest.mark.parametrize(
    ("noise", "attends", "least", "most"), [(0.03, True, 13, 16), (0.4, True, 26, 31), (0.4, False, 13, 17)]
)
def test_who_is_attentive_asks_twice_as_often_where_sizes_stray_so_far_that_they_hide_who_passes(
    noise: float, attends: bool, least: int, most: int
):
    gate = Gate(GateOptions(keen=(1e6, 1e6)))
    for sample in stream(90, 5, noise=noise):
        gate.sample(*sample)
        if attends and sample[2] == BEGIN_US + 80_000_000:
            gate.found(sample[2], something=True, sure=True)
    alone, _ = run(gate, stream(60, 5, noise=noise, seed=2, from_us=BEGIN_US + 90_000_000))
    assert gate.is_deaf is (noise > 0.1)
    assert least <= len(alone) <= most


@pytest.mark.parametrize(
    ("attends", "sure", "least_us", "most_us"),
    [(False, False, 1_000_000, 1_300_000), (True, False, 2_300_000, 2_600_000), (False, True, 2_300_000, 2_600_000)],
)
def test_what_may_be_nothing_holds_it_open_for_a_moment_but_not_while_it_is_attentive(
    attends: bool, sure: bool, least_us: int, most_us: int
):
    gate = attentive(300, 20) if attends else Gate()
    if not attends:
        run(gate, stream(300))
    found_us = BEGIN_US + 300_000_000
    gate.found(found_us, something=True, sure=sure)
    _, opened = run(gate, stream(4, noise=0.02, seed=7, from_us=found_us + 80_000))
    assert least_us <= opened[-1][2] - found_us <= most_us


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
    assert json.loads(again.saved()) == json.loads(gate.saved())


@pytest.mark.slow
@given(st.integers(0, 1000), st.sampled_from([5.0, 12.5, 25.0]), st.sampled_from([1.0, 2.0, 4.0]))
def test_it_is_never_without_a_look_for_longer_than_two_groups_or_six_seconds(seed: int, fps: float, gop_s: float):
    gate, looked_us = Gate(), BEGIN_US
    for sample in stream(40, fps, gop_s, 0.4, ((10, 12, 3.0), (20, 30, 0.1)), seed=seed):
        if gate.sample(*sample).decode:
            looked_us = sample[2]
        assert sample[2] - looked_us <= 6_000_000


def test_what_a_step_of_the_quantizer_does_to_sizes_is_learnt_and_hides_nobody():
    """Seen in a thermal stream: what is coded one step more coarsely is twice as large, and who crosses makes both larger by half. As sizes alone stray, nobody sees him."""
    chance = random.Random(4)

    def sizes(seconds: float, from_s: float, larger: float) -> Iterator[tuple[int, bool, int, int]]:
        for number in range(int(seconds * 8)):
            coarse = chance.choice((19, 20))
            size = (3_000 if coarse == 19 else 6_000) * larger * math.exp(chance.gauss(0, 0.08))
            sync = number % 32 == 0
            yield 14_000 if sync else round(size), sync, BEGIN_US + round((from_s + number / 8) * 1e6), coarse

    gate = Gate()
    for size, sync, wall_us, coarse in sizes(240, 0, 1.0):
        gate.sample(size, sync, wall_us, coarse=None if sync else coarse)
    assert not gate.is_open
    before = gate.opened
    for size, sync, wall_us, coarse in sizes(2, 240, 1.5):
        gate.sample(size, sync, wall_us, coarse=None if sync else coarse)
    assert gate.opened == before + 1
    assert gate.why is Why.MORE


def attentive(at_s: int, keen_in: float, *, noise: float = 0.08, gop_s: float = 2.0) -> Gate:
    """A gate that has watched for so many seconds, and something was surely found keen_in seconds before that."""
    gate = Gate()
    for sample in stream(at_s, noise=noise, gop_s=gop_s):
        gate.sample(*sample)
        if sample[2] == BEGIN_US + round((at_s - keen_in) * 1e6):
            gate.found(sample[2], something=True, sure=True)
    assert not gate.is_open
    return gate


def faint(at_s: int, seconds: float = 1.2) -> Iterator[Sample]:
    """Sizes that are larger by a twentieth: less than opens it."""
    return stream(seconds + 2, noise=0.08, bumps=((0, seconds, 1.055),), seed=3, from_us=BEGIN_US + at_s * 1_000_000)


def test_who_is_attentive_glances_at_less_and_who_is_not_does_not():
    calm, keen, late = Gate(), attentive(300, 20), attentive(300, 260)
    run(calm, stream(300, noise=0.08))
    for gate in (calm, late):
        before = gate.glances
        assert not run(gate, faint(300))[1]
        assert gate.glances == before
    before = keen.glances
    for sample in faint(300):
        if keen.sample(*sample).decode and keen.glances_now:
            break
    assert keen.glances == before + 1
    _, opened = run(keen, stream(4, noise=0.02, seed=7, from_us=sample[2] + 80_000))
    assert opened[-1][2] - sample[2] <= 600_000, "for a moment"
    assert not keen.is_open


def test_close_attention_glances_though_nothing_was_ever_found_and_what_is_found_makes_it_no_shorter():
    gate = Gate()
    gate.attend(Attention.CLOSE)
    run(gate, stream(300, noise=0.08))
    gate.found(BEGIN_US + 300_000_000, something=True, sure=True)
    run(gate, stream(600, noise=0.08, from_us=BEGIN_US + 300_000_000))
    before = gate.glances
    for sample in faint(900):
        if gate.sample(*sample).decode and gate.glances_now:
            break
    assert gate.glances == before + 1
    gate.attend(Attention.SPARING)
    run(gate, stream(10, noise=0.02, from_us=BEGIN_US + 910_000_000))
    before = gate.glances
    run(gate, faint(920))
    assert gate.glances == before


@pytest.mark.parametrize("quantum", [1, 4000], ids=["sizes tell", "padded"])
def test_full_attention_decodes_all_from_the_first_on_whatever_the_clock_does_and_ends_when_it_is_told(quantum: int):
    gate = Gate()
    gate.attend(Attention.FULL)
    for from_us in (BEGIN_US, BEGIN_US + 900_000_000, BEGIN_US - 7_200_000_000):
        samples = list(stream(120, bumps=((40, 50, 0.1), (70, 80, 3.0)), from_us=from_us, quantum=quantum))
        alone, opened = run(gate, iter(samples))
        assert (alone, opened) == ([], samples)
        assert gate.why is Why.FULL
    gate.attend(Attention.SPARING)
    after = stream(60, noise=0.02, from_us=BEGIN_US - 7_000_000_000)
    assert len(run(gate, after)[1]) <= 2 * 12.5 + 1 or quantum > 1, (
        "what was padded is another stream, and learnt first"
    )


def test_a_glance_that_finds_something_goes_on_as_any_opening_and_makes_it_attentive_anew():
    gate = attentive(300, 20)
    for sample in faint(300):
        if gate.sample(*sample).decode and gate.is_open and gate.glances_now:
            gate.found(sample[2], something=True, sure=True)
            assert not gate.glances_now
            found_us = sample[2]
            break
    _, opened = run(gate, stream(4, noise=0.08, seed=9, from_us=found_us + 80_000))
    assert opened[-1][2] - found_us > 2_000_000


def test_what_opens_it_far_enough_while_it_glances_is_no_glance_any_more():
    gate = attentive(300, 20)
    loud = stream(5, noise=0.08, bumps=((0, 1.2, 1.055), (1.2, 2.5, 3.0)), seed=3, from_us=BEGIN_US + 300_000_000)
    _, opened = run(gate, loud)
    assert opened[-1][2] - opened[0][2] > 2_000_000
    assert not gate.glances_now


def test_a_glance_lasts_until_the_recorder_can_be_asked():
    """Sizes come some at a time: what opened for half a second in the midst of two was shut again before anybody knew."""
    gate = attentive(300, 20)
    gate.told_until_us = BEGIN_US + 302_000_000
    _, opened = run(gate, faint(300))
    assert opened[-1][2] >= BEGIN_US + 302_000_000


@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_attention_costs_no_more_than_some_glances_a_minute_and_fades(noise: float):
    gate = attentive(300, 1, noise=noise)
    _, opened = run(gate, stream(240, noise=noise, seed=5, from_us=BEGIN_US + 300_000_000))
    assert gate.glances <= 4 * 240 / 15
    assert len(opened) <= 0.15 * 240 * 12.5
    glances = gate.glances
    run(gate, stream(300, noise=noise, seed=6, from_us=BEGIN_US + 540_000_000))
    assert gate.glances <= glances + 1, "nothing was found meanwhile"


def test_of_short_groups_a_sync_sample_of_an_odd_size_is_looked_at():
    """A vehicle that crosses between noise of constant rate: the pictures that build on others are as large as ever, the whole one is not."""
    gate = Gate()
    samples = list(stream(121, gop_s=1.0, noise=0.01))
    run(gate, iter(samples[: 118 * 12]))
    syncs = [number for number, sample in enumerate(samples) if sample[1] and number >= 118 * 12]
    looked = []
    for number, (size, sync, wall_us) in enumerate(samples[118 * 12 :], 118 * 12):
        larger = 1.15 if number == syncs[1] else 1.0
        if gate.sample(round(size * larger), sync, wall_us).reason is Why.KEY:
            looked.append(number)
    assert syncs[1] in looked


def test_an_odd_sync_sample_that_is_not_at_hand_is_asked_for_by_who_is_attentive():
    for sure in (True, False):
        gate = Gate()
        run(gate, stream(60, gop_s=1.0, noise=0.01))
        gate.found(BEGIN_US + 60_000_000, something=True, sure=sure)
        run(gate, stream(12, gop_s=1.0, noise=0.01, seed=2, from_us=BEGIN_US + 60_080_000))
        assert not gate.is_open
        before = gate.glances
        asked = gate.sample(26_000, True, BEGIN_US + 72_080_000, here=False).decode
        assert (asked, gate.glances - before) == ((True, 1) if sure else (False, 0))


def test_sync_samples_that_are_always_odd_are_not_looked_at_all_the_time():
    gate, chance = Gate(), random.Random(8)
    looked = 0
    for size, sync, wall_us in stream(600, gop_s=1.0, noise=0.02):
        odd = sync and chance.random() < 0.3
        looked += gate.sample(size * (2 if odd else 1), sync, wall_us).reason is Why.KEY
    assert looked <= 150 + 600 / 10


@pytest.mark.parametrize(
    ("noise", "gop_s", "keen_in", "peeks"),
    [(0.3, 4.0, 20, True), (0.3, 2.0, 20, False), (0.05, 4.0, 20, False), (0.3, 4.0, 260, False)],
    ids=["noise in long groups", "short groups", "sizes tell", "nothing was found lately"],
)
def test_who_is_attentive_and_deaf_looks_into_long_groups_once_they_are_half_over(
    noise: float, gop_s: float, keen_in: float, peeks: bool
):
    gate = attentive(300, keen_in, noise=noise, gop_s=gop_s)
    before, sync_us, at = gate.peeks, 0, []
    samples = [*stream(40, noise=noise, gop_s=gop_s, seed=11, from_us=BEGIN_US + 300_000_000)]
    for size, sync, wall_us in samples:
        sync_us = wall_us if sync else sync_us
        known = gate.peeks
        gate.sample(size, sync, wall_us)
        if gate.peeks > known:
            assert gate.peeks_now
            at.append((wall_us - sync_us) / 1e6)
    assert bool(at) is peeks
    assert all(2.0 <= each <= 2.1 for each in at), "in the middle, and not once more"
    assert gate.peeks - before == len(at) <= 10
    if peeks:
        assert len(at) >= 5, "those groups are left out in which sizes opened it or had it glance"


def test_a_peek_lasts_a_moment_and_makes_it_no_less_keen():
    gate = attentive(300, 20, noise=0.3, gop_s=4.0)
    samples = iter([*stream(40, noise=0.02, gop_s=4.0, seed=11, from_us=BEGIN_US + 300_000_000)])
    peeked_us = next(sample[2] for sample in samples if gate.sample(*sample).decode and gate.peeks_now)
    keen = gate._keen
    shut_us = next(sample[2] for sample in samples if not gate.sample(*sample).decode)
    assert 300_000 <= shut_us - peeked_us <= 400_000
    assert not gate.peeks_now
    assert gate._keen <= keen


def test_what_a_peek_finds_keeps_it_open():
    gate = attentive(300, 20, noise=0.3, gop_s=4.0)
    samples = iter([*stream(40, noise=0.02, gop_s=4.0, seed=11, from_us=BEGIN_US + 300_000_000)])
    peeked_us = next(sample[2] for sample in samples if gate.sample(*sample).decode and gate.peeks_now)
    gate.found(peeked_us, something=True, sure=True)
    assert not gate.peeks_now
    shut_us = next(sample[2] for sample in samples if not gate.sample(*sample).decode)
    assert shut_us - peeked_us >= 2_000_000


def test_a_clock_that_is_set_back_makes_nobody_attentive_for_years():
    gate = attentive(300, 20, noise=0.3, gop_s=4.0)
    year_us = 365 * 86_400 * 1_000_000
    back_us = BEGIN_US + 300_000_000 - 10 * year_us
    for sample in stream(600, noise=0.3, gop_s=4.0, seed=11, from_us=back_us):
        gate.sample(*sample)
    assert not gate._attends(back_us + 600_000_000)


def test_a_clock_that_is_set_back_keeps_nobody_from_a_peek():
    gate = attentive(300, 20, noise=0.3, gop_s=4.0)
    for sample in stream(40, noise=0.3, gop_s=4.0, seed=11, from_us=BEGIN_US + 300_000_000):
        gate.sample(*sample)
    back_us, before = BEGIN_US - 300_000_000, gate.peeks
    for sample in stream(40, noise=0.3, gop_s=4.0, seed=11, from_us=back_us):
        gate.sample(*sample)
    assert gate.peeks - before >= 3


def hears(gate: Gate, samples: Iterator[Sample], much: float = 0.5) -> list[int]:
    """Of which pictures vectors are asked, from the last sample but one on; each says so much."""
    asked = []
    for sample in samples:
        verdict = gate.sample(*sample)
        if not verdict.decode and not sample[1] and gate.asks(sample[2]):
            gate.asked(sample[2])
            gate.stirs(much, sample[2])
            asked.append(sample[2])
    return asked


def test_a_picture_between_key_frames_is_asked_for_its_vectors_where_noise_hides_it_and_four_times_as_many_where_something_was():
    calm, deaf, keen = Gate(), Gate(), attentive(300, 20, noise=0.03)
    run(calm, stream(300, noise=0.03))
    run(deaf, stream(300, noise=0.4))
    assert (calm.is_deaf, deaf.is_deaf) == (False, True)
    each = {}
    for name, gate in (("calm", calm), ("deaf", deaf), ("keen", keen)):
        samples = stream(60, noise=0.001, gop_s=4.0, seed=5, from_us=BEGIN_US + 300_000_000)
        each[name] = hears(gate, samples)
    assert not each["calm"], "sizes would say it"
    assert 10 <= len(each["deaf"]) <= 16, "one half way between two key frames four seconds apart"
    assert 65 <= len(each["keen"]) <= 80
    steps = [b - a for a, b in itertools.pairwise(each["keen"])]
    assert min(steps) >= 640_000


def test_where_sizes_say_a_little_vectors_are_asked_more_often():
    gate = Gate()
    run(gate, stream(300, noise=0.08))
    assert not gate.is_deaf
    before = len(hears(gate, stream(6, noise=0.001, gop_s=6.0, from_us=BEGIN_US + 300_000_000)))
    raised = len(hears(gate, stream(6, noise=0.001, gop_s=6.0, bumps=((0.0, 6.0, 1.035),), from_us=BEGIN_US + 306_000_000)))  # fmt: skip
    assert raised >= before + 2
    assert gate.opened == 0, "it is less than opens it"


def test_what_stirs_opens_it_for_a_moment_and_what_is_found_then_for_longer():
    for finds, least, most in ((False, 400_000, 700_000), (True, 2_300_000, 2_700_000)):
        gate = Gate()
        run(gate, stream(60, noise=0.05))
        hears(gate, stream(40, noise=0.05, from_us=BEGIN_US + 60_000_000))
        at_us = BEGIN_US + 100_000_000
        gate.told_until_us = at_us + 700_000  # sizes came at once up to then
        gate.stirs(9.0, at_us)
        assert (gate.why, gate.stirred, gate.opened_us) == (Why.STIRS, 1, at_us)
        assert not gate.asks(at_us + 80_000), "what is looked at need not be asked"
        if finds:
            gate.found(gate.told_until_us, something=True, sure=True)
        last_us = 0
        for sample in stream(6, noise=0.001, from_us=at_us + 80_000):
            if gate.sample(*sample).decode and gate.is_open:
                last_us = sample[2]
        assert least <= last_us - gate.told_until_us <= most


def test_what_stirs_for_nothing_again_and_again_is_heeded_seldom():
    gate = Gate()
    opened, asked = [], 0
    for minute in range(12):
        from_us = BEGIN_US + minute * 60_000_000
        before = gate.stirred
        asked += len(hears(gate, stream(60, noise=0.05, seed=minute, from_us=from_us), much=2.5))
        opened.append(gate.stirred - before)
    assert opened[0] >= 2
    assert 4 <= sum(opened[1:]) <= 0.06 * asked
    assert not gate.missed


def test_while_vectors_answer_it_does_not_grope_and_where_they_end_it_does_again():
    """Glances, peeks, odd sync samples and those twice as often are for who has nothing better."""
    deaf = attentive(300, 20, noise=0.4, gop_s=4.0)
    blind = attentive(300, 20, noise=0.4, gop_s=4.0)
    before = deaf.glances + deaf.peeks
    hears(deaf, stream(60, noise=0.4, gop_s=4.0, seed=2, from_us=BEGIN_US + 300_000_000))
    run(blind, stream(60, noise=0.4, gop_s=4.0, seed=2, from_us=BEGIN_US + 300_000_000))
    heard, unheard = (gate.glances + gate.peeks for gate in (deaf, blind))
    assert heard == before < unheard - 3
    run(deaf, stream(120, noise=0.4, gop_s=4.0, seed=3, from_us=BEGIN_US + 360_000_000))
    assert deaf.glances + deaf.peeks > heard + 1, "they have not answered for a minute"


@pytest.mark.parametrize("step_s", [-3_600, 3_600])
def test_a_clock_that_is_set_leaves_vectors_asked(step_s: int):
    gate = Gate()
    run(gate, stream(60, noise=0.05))
    hears(gate, stream(20, noise=0.05, from_us=BEGIN_US + 60_000_000))
    asked = hears(gate, stream(20, noise=0.05, from_us=BEGIN_US + (80 + step_s) * 1_000_000))
    assert len(asked) >= 4


def test_no_vectors_are_asked_before_anything_is_known_nor_of_one_that_is_looked_at_all_the_time():
    gate = Gate()
    assert not gate.asks(BEGIN_US)
    run(gate, stream(60, noise=0.05))
    gate.attend(Attention.FULL)
    assert hears(gate, stream(20, noise=0.05, from_us=BEGIN_US + 60_000_000)) == []
