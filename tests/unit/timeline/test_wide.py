"""The wide view says of each step the worst of what lies in it, and hides no gap however narrow."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.model.causes import Cause
from longwatch.model.stores import GapSpan, Held, Provenance, RecordedSpan
from longwatch.timeline import State, Tile, tile
from longwatch.timeline.wide import (
    BADNESS,
    CAUSES,
    CODE_OF,
    CODES,
    DAY_US,
    GONE,
    MOST_PIECES,
    PENDING,
    POST,
    QUARTER_US,
    RECORDED,
    SHARES,
    STEPS_US,
    Piece,
    clipped,
    is_whole_quarters,
    on_grid,
    pack,
    pieces_of,
    quarters,
    reduce,
    share_of,
    step_for,
    summed,
    unpack,
)

S = 1_000_000
LOST, OFF, PLANNED = (CODE_OF[c] for c in (Cause.PACKETS_LOST, Cause.CAMERA_UNREACHABLE, Cause.NOT_SCHEDULED))


def code_of(item: Tile) -> int:
    if item.state is State.PENDING:
        return PENDING
    if item.state is State.RECORDED:
        return {Held.HERE: RECORDED, Held.GONE: GONE, Held.POST: POST}[item.held or Held.HERE]
    assert item.cause is not None
    return CODE_OF[item.cause]


def slowly(tiles: list[Tile], from_us: int, to_us: int, step_us: int) -> list[tuple[int, int]]:
    """The rule, a step at a time."""
    told = []
    for begin in range(from_us, to_us, step_us):
        inside = [(min(t.to_us, begin + step_us) - max(t.from_us, begin), code_of(t)) for t in tiles]
        inside = [(length, code) for length, code in inside if length > 0]
        worst = max((code for _, code in inside), key=lambda code: BADNESS[code])
        absent = sum(length for length, code in inside if code > POST or code == GONE)
        known = sum(length for length, code in inside if code != PENDING)
        share = 0 if absent in {0, known} else min([s for s in SHARES if 100 * absent <= s * known] or [SHARES[-1]])
        told.append((worst, share))
    return told


def spread(runs: list[tuple[int, ...]], steps: int) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    for run, after in zip(runs, [*[r[0] for r in runs[1:]], steps], strict=True):
        told += [(run[1], run[2] if len(run) == 3 else 0)] * (after - run[0])
    return told


moments = st.integers(0, 3_000)
spans = st.builds(
    lambda a, n, run, held: RecordedSpan(a, a + n, run, Provenance.NTP, held),
    moments, st.integers(1, 900), st.integers(1, 4), st.sampled_from([Held.HERE, Held.HERE, Held.GONE, Held.POST]),
)  # fmt: skip
gaps = st.builds(
    lambda a, n, cause: GapSpan(a, None if n > 390 else a + n, cause),
    moments, st.integers(1, 400), st.sampled_from(list(Cause)),
)  # fmt: skip


def viewed(pieces: list[Piece], from_us: int, to_us: int, step_us: int) -> list[tuple[int, ...]]:
    """(at, code) or (at, code, share) of each run."""
    runs = reduce(pieces, from_us, to_us, step_us)
    told = zip(runs.begins, runs.kinds, strict=True)
    return [(at, kind >> 8, kind & 0xFF) if kind & 0xFF else (at, kind >> 8) for at, kind in told]


@settings(deadline=None)
@given(
    st.lists(spans, max_size=12), st.lists(gaps, max_size=12), st.integers(0, 2_000), st.integers(1, 1_500), moments,
    moments, st.sampled_from([1, 2, 7, 60, 250]),
)  # fmt: skip
def test_any_step_is_the_exact_tiling_reduced(
    recorded: list[RecordedSpan], missing: list[GapSpan], begin: int, length: int, until: int, set_up: int, step: int
) -> None:
    begin, end = on_grid(begin, begin + length, step)
    tiles = tile(recorded, missing, begin, end, until, set_up)
    pieces = pieces_of(tiles)
    runs = viewed(pieces, begin, end, step)
    assert spread(runs, (end - begin) // step) == slowly(tiles, begin, end, step)
    assert runs[0][0] == 0
    assert all(a[1:] != b[1:] and a[0] < b[0] for a, b in itertools.pairwise(runs))
    absent = [t for t in tiles if t.state is State.GAP]
    told = spread(runs, (end - begin) // step)
    for gap in absent:
        assert all(told[(at - begin) // step][0] > POST for at in (gap.from_us, gap.to_us - 1))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 96 * 4), st.integers(1, 700), st.integers(0, len(CODES) - 1)), max_size=40))
def test_quarters_give_the_same_view_and_the_same_sums(drawn: list[tuple[int, int, int]]) -> None:
    at, pieces = 0, []
    for space, length, code in drawn:
        if code == RECORDED:
            continue
        begin = at + space * 1_000_000
        at = begin + length * 3_141_592
        if at <= DAY_US:
            pieces.append((begin, at, code))
    coarse = quarters(pieces)
    for step in (s for s in STEPS_US if s % QUARTER_US == 0):
        assert reduce(coarse, 0, DAY_US, step) == reduce(pieces, 0, DAY_US, step)
    edges = [0, QUARTER_US, 40 * QUARTER_US, DAY_US]
    assert summed(coarse, edges) == summed(pieces, edges)
    assert unpack(pack(pieces, 0), 0) == (True, pieces)


def test_a_day_of_very_many_gaps_is_kept_by_quarters_of_an_hour():
    pieces: list[Piece] = [(DAY_US + n * 100 * S, DAY_US + n * 100 * S + 5 * S, LOST) for n in range(MOST_PIECES + 1)]
    exact, found = unpack(pack(pieces, DAY_US), DAY_US)
    assert not exact
    assert sum(b - a for a, b, _ in found) == (MOST_PIECES + 1) * 5 * S
    assert len(pack(pieces, DAY_US)) < 96 * 16 + 2


@pytest.mark.parametrize("blob", [b"", b"\2", b"\0abc", b"\0" + bytes(8)])
def test_what_was_not_packed_here_is_refused(blob: bytes) -> None:
    with pytest.raises(ValueError, match="no pieces"):
        unpack(blob, 0)


def test_a_gap_of_a_microsecond_shows_in_a_day():
    assert viewed([(100, 101, LOST)], 0, DAY_US, DAY_US) == [(0, LOST, 1)]


def test_the_worst_wins_and_the_share_is_of_all_that_is_absent():
    pieces = [(0, 30 * S, PLANNED), (50 * S, 51 * S, OFF), (60 * S, 120 * S, PLANNED)]
    assert viewed(pieces, 0, 180 * S, 60 * S) == [(0, OFF, 75), (1, PLANNED), (2, RECORDED)]


def test_the_step_at_the_edge_of_what_is_known_tells_what_is_known():
    assert viewed([(90 * S, 180 * S, PENDING)], 0, 180 * S, 60 * S) == [(0, RECORDED), (2, PENDING)]
    assert viewed([(60 * S, 90 * S, OFF), (90 * S, 120 * S, PENDING)], 0, 120 * S, 60 * S) == [(0, RECORDED), (1, OFF)]


def test_steps_are_a_ladder_and_each_divides_a_day():
    assert all(DAY_US % step == 0 for step in STEPS_US)
    assert all(b % a == 0 for a, b in itertools.pairwise(STEPS_US))
    assert step_for(0, 30 * DAY_US, 1440) == 2 * QUARTER_US
    assert step_for(0, DAY_US, 1440) == 60 * S
    assert step_for(0, 5, 1440) == 1
    assert step_for(0, 3660 * DAY_US, 1) == DAY_US
    assert on_grid(61, 119, 60) == (60, 120)


def test_numbers_of_codes_are_for_ever():
    assert CODES[:8] == ("pending", "recorded", "gone", "post", "not_scheduled", "power_plan", "paused_by_operator",
                         "camera_switched_off")  # fmt: skip
    assert set(CAUSES) == set(Cause)
    assert len(set(BADNESS)) == len(CODES)


def test_shares_are_rounded_up_and_never_full():
    assert [share_of(a, 1000) for a in (0, 1, 10, 11, 500, 501, 999, 1000)] == [0, 1, 1, 10, 50, 75, 99, 0]


def test_what_lies_outside_is_cut_off():
    pieces = [(0, 10, OFF), (20, 30, OFF), (30, 40, LOST)]
    for first, last in itertools.combinations(range(-5, 50, 5), 2):
        inside = [(max(a, first), min(b, last), code) for a, b, code in pieces if b > first and a < last]
        assert clipped(pieces, first, last) == inside
    assert is_whole_quarters(0, QUARTER_US * 3)
    assert not is_whole_quarters(0, 60 * S)


def test_sums_by_day():
    day, night = summed([(5, 15, OFF), (15, 25, GONE), (30, 40, PENDING)], [0, 20, 40])
    assert (day.recorded_us, day.worst, day.by_code) == (5, Cause.CAMERA_UNREACHABLE, {OFF: 10, GONE: 5})
    assert (night.recorded_us, night.worst) == (5, None)
