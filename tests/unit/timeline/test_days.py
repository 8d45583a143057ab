"""Days of tiles: as bytes and back, and laid one after another."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.model.causes import Cause
from longwatch.model.stores import GapSpan, Held, Provenance, RecordedSpan
from longwatch.timeline import Tile, Tiling, days, tile
from longwatch.timeline.wide import DAY_US

T0 = 20_000 * DAY_US
HOUR = DAY_US // 24
WHOLE = 4

moments = st.integers(0, WHOLE * 24).map(lambda n: T0 + n * HOUR)
lengths = st.integers(1, 30 * HOUR)
spans = st.builds(
    lambda at, length, run, provenance, held: RecordedSpan(at, at + length, run, provenance, *held),
    moments,
    lengths,
    st.integers(0, 4),
    st.sampled_from(Provenance),
    st.sampled_from([(Held.HERE, None), (Held.GONE, True), (Held.GONE, False), (Held.POST, None)]),
)
evidence = st.dictionaries(
    st.sampled_from(["detail", "packets"]), st.one_of(st.text(max_size=4), st.integers(), st.none()), max_size=2
)
gaps = st.builds(
    lambda at, length, cause, told, number: GapSpan(at, None if length is None else at + length, cause, told, number),
    moments,
    st.one_of(st.none(), lengths),
    st.sampled_from(list(Cause)),
    evidence,
    st.one_of(st.none(), st.integers(0, 9)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(spans, max_size=8), st.lists(gaps, max_size=6), moments, moments, st.integers(1, WHOLE * 24))
def test_days_that_were_packed_are_the_tiling_of_the_whole(
    spans: list[RecordedSpan], gaps: list[GapSpan], set_up_us: int, from_us: int, hours: int
) -> None:
    until_us = T0 + WHOLE * DAY_US
    packed = [
        (day_us, days.pack(tile(spans, gaps, day_us, day_us + DAY_US, until_us, set_up_us)))
        for day_us in range(T0, until_us, DAY_US)
    ]
    whole = tile(spans, gaps, T0, until_us, until_us, set_up_us)
    assert days.unpack(packed) == whole
    assert Tiling.joined(days.unpack([day]) for day in packed) == whole
    to_us = min(until_us, from_us + hours * HOUR)
    assert Tiling.of(whole).clipped(from_us, to_us) == tile(spans, gaps, from_us, to_us, until_us, set_up_us)


def test_a_day_of_very_many_tiles_is_left_to_its_rows() -> None:
    step = DAY_US // (days.MOST_TILES + 1)
    spans = [RecordedSpan(T0 + n * step, T0 + (n + 1) * step, n, Provenance.NTP) for n in range(days.MOST_TILES + 1)]
    most = tile(spans[:-1], [], T0, T0 + (days.MOST_TILES) * step, T0 + DAY_US, 0)
    assert days.pack(most)[0] in days.READABLE
    blob = days.pack(tile(spans, [], T0, T0 + (days.MOST_TILES + 1) * step, T0 + DAY_US, 0))
    assert blob[0] not in days.READABLE
    with pytest.raises(ValueError, match="no tiles"):
        days.unpack([(T0, blob)])


@given(st.binary(max_size=60))
def test_what_was_not_packed_is_refused_or_read_as_tiles(blob: bytes) -> None:
    try:
        found = list(days.unpack([(T0, blob)]))
    except ValueError:
        return
    assert all(isinstance(item, Tile) for item in found)


def test_equal_tilings_give_equal_bytes_and_words_stand_there_once() -> None:
    told = {"detail": "refused " * 9}
    gaps = [GapSpan(T0 + n * HOUR, T0 + n * HOUR + 5, Cause.CAMERA_REFUSED, dict(told), n) for n in range(20)]
    tiles = tile([], gaps, T0, T0 + DAY_US, T0 + DAY_US, 0)
    assert days.pack(tiles) == days.pack(tile([], gaps[::-1], T0, T0 + DAY_US, T0 + DAY_US, 0))
    assert days.pack(tiles).count(b"refused refused") <= 5
    assert days.unpack([(T0, days.pack(tiles))]) == tiles
