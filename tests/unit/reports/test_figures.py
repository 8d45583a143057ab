"""What a stretch of time comes to: every row balances, whatever the timeline is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.model.causes import Cause
from longwatch.model.stores import GapSpan, Held, Provenance, RecordedSpan
from longwatch.reports.days import Period, days, weeks, zone_of
from longwatch.reports.figures import NOT_PROMISED, apart, figures, total
from longwatch.timeline import State, tile

HOUR = 3_600_000_000
DAY = 24 * HOUR
T0 = 1_774_652_400_000_000  # 2026-03-27T23:00:00Z: midnight in Oslo, two days before summer time


def always(_from_us: int, _to_us: int) -> int:
    return 0


def nights(from_us: int, to_us: int) -> int:
    """Nothing is wanted from 18:00 to 06:00 UTC."""
    total_us, at_us = 0, from_us
    while at_us < to_us:
        end_us = min(to_us, (at_us // HOUR + 1) * HOUR)
        if not 6 <= at_us // HOUR % 24 < 18:
            total_us += end_us - at_us
        at_us = end_us
    return total_us


moments = st.integers(T0 - DAY, T0 + 5 * DAY)
lengths = st.integers(1, 30 * HOUR)
spans = st.lists(
    st.builds(
        lambda a, n, run, held: RecordedSpan(a, a + n, run, Provenance.NTP, held), moments, lengths, st.integers(1, 4),
        st.sampled_from([Held.HERE, Held.GONE]),
    ),
    max_size=8,
)  # fmt: skip
gaps = st.lists(
    st.builds(
        lambda a, n, cause, id_: GapSpan(a, None if n is None else a + n, cause, {}, id_), moments, lengths | st.none(),
        st.sampled_from(list(Cause)), st.integers(1, 99),
    ),
    max_size=8,
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    spans,
    gaps,
    moments | st.none(),
    moments | st.none(),
    st.sampled_from([always, nights]),
    st.sampled_from([days, weeks]),
)
def test_every_row_and_every_sum_balances_to_the_microsecond(
    recorded, missing, until_us, set_up_us, unwanted, make
) -> None:  # type: ignore[no-untyped-def]  # drawn
    from_us, to_us = T0 + HOUR // 3, T0 + 4 * DAY + 1234
    tiles = tile(recorded, missing, from_us, to_us, until_us, set_up_us)
    periods = make(from_us, to_us, zone_of("Europe/Oslo"))
    rows = figures(tiles, periods, unwanted)
    (whole,) = figures(tiles, [Period("", from_us, to_us)], unwanted)
    summed = total(rows)
    for row in (*rows, whole, summed):
        assert row.balances
        assert row.promised_us + row.not_promised_us + row.pending_us == row.wall_us
        assert row.missed_us >= 0
        assert row.not_promised_us >= 0
        assert row.excused_us >= 0
    assert summed.wall_us == to_us - from_us
    assert (summed.recorded_us, summed.pending_us, summed.gone_us, summed.unexplained_us, summed.excused_us) == (
        whole.recorded_us, whole.pending_us, whole.gone_us, whole.unexplained_us, whole.excused_us,
    )  # fmt: skip
    assert summed.gaps_us == whole.gaps_us
    assert whole.recorded_us == sum(t.to_us - t.from_us for t in tiles if t.state is State.RECORDED)
    for cause in Cause:
        said = sum(t.to_us - t.from_us for t in tiles if t.cause is cause)
        assert whole.gaps_us.get(cause, 0) == said
    derived = sum(t.to_us - t.from_us for t in tiles if t.cause is Cause.UNKNOWN and t.gap is None)
    assert whole.unexplained_us == derived
    unplanned = [t for t in tiles if t.state is State.GAP and t.cause not in NOT_PROMISED]
    assert whole.longest_us >= max((t.to_us - t.from_us for t in unplanned), default=0)
    assert bool(whole.interruptions) == bool(unplanned)
    assert whole.interruptions <= len(unplanned)


def test_a_night_without_power_is_not_missing_where_nights_are_not_promised() -> None:
    """The power went at 20:00 and came back at 08:00; the plan wants 06:00 to 18:00."""
    begin, end = T0 + 21 * HOUR, T0 + 33 * HOUR  # 20:00Z to 08:00Z
    spans_ = [
        RecordedSpan(T0 + 7 * HOUR, T0 + 19 * HOUR, 1, Provenance.NTP),
        RecordedSpan(end, end + HOUR, 2, Provenance.NTP),
    ]
    missing = [
        GapSpan(T0 + 19 * HOUR, begin, Cause.NOT_SCHEDULED, {}, 1),
        GapSpan(begin, end, Cause.POST_POWER_LOST, {}, 2),
    ]
    tiles = tile(spans_, missing, T0 + 7 * HOUR, end + HOUR, end + HOUR, T0)
    (row,) = figures(tiles, [Period("", T0 + 7 * HOUR, end + HOUR)], nights)
    assert row.excused_us == 10 * HOUR
    assert row.missed_us == 2 * HOUR
    assert row.promised_us == 15 * HOUR
    assert row.delivered_ppm == 866_666
    assert row.interruptions == 1
    assert row.longest_us == 12 * HOUR


def test_a_gap_over_midnight_counts_on_both_days_and_once_in_all() -> None:
    gap = [
        GapSpan(T0 + 23 * HOUR, T0 + 24 * HOUR, Cause.CAMERA_REFUSED, {}, 1),
        GapSpan(T0 + 24 * HOUR, T0 + 25 * HOUR, Cause.CAMERA_UNREACHABLE, {}, 2),
    ]
    span = [
        RecordedSpan(T0, T0 + 23 * HOUR, 1, Provenance.NTP),
        RecordedSpan(T0 + 25 * HOUR, T0 + 47 * HOUR, 2, Provenance.NTP),
    ]
    tiles = tile(span, gap, T0, T0 + 47 * HOUR, T0 + 47 * HOUR, T0)
    rows = figures(tiles, days(T0, T0 + 47 * HOUR, zone_of("Europe/Oslo")), always)
    assert [row.interruptions for row in rows] == [1, 1]
    assert [row.longest_us for row in rows] == [HOUR, HOUR]
    (whole,) = figures(tiles, [Period("", T0, T0 + 47 * HOUR)], always)
    assert (whole.interruptions, whole.longest_us) == (1, 2 * HOUR)


def test_hours_with_a_hidden_view_are_counted_once_and_only_where_something_was_recorded():
    """Two hours recorded, an hour missing, an hour recorded; blind from the first half hour on to the end but for ten minutes."""
    held = [
        RecordedSpan(T0, T0 + 2 * HOUR, 1, Provenance.NTP),
        RecordedSpan(T0 + 3 * HOUR, T0 + 4 * HOUR, 2, Provenance.NTP),
    ]
    missing = [GapSpan(T0 + 2 * HOUR, T0 + 3 * HOUR, Cause.CAMERA_UNREACHABLE, {}, 1)]
    tiles = tile(held, missing, T0, T0 + 4 * HOUR, T0 + 4 * HOUR, T0)
    blind = apart(
        [
            (T0 + HOUR // 2, T0 + HOUR),
            (T0 + HOUR // 2, T0 + HOUR),
            (T0 + HOUR + HOUR // 6, T0 + 9 * HOUR),
            (T0 + 9, T0 + 9),
        ]
    )
    assert len(blind) == 2
    halves = [Period("a", T0, T0 + HOUR), Period("b", T0 + HOUR, T0 + 4 * HOUR)]
    first, second = figures(tiles, halves, always, blind)
    assert first.blind_us == HOUR // 2
    assert second.blind_us == 2 * HOUR - HOUR // 6
    assert total([first, second]).blind_us == first.blind_us + second.blind_us <= first.recorded_us + second.recorded_us
