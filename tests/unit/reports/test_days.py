"""Days and weeks by the clock of the post."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.base.rfc3339 import parse_us
from longwatch.reports.days import days, weeks, zone_of

HOUR = 3_600_000_000
ZONES = (
    "Europe/Oslo",
    "UTC",
    "America/St_Johns",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Kathmandu",
)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Oslo", "2026-03-29", 23),
        ("Europe/Oslo", "2026-10-25", 25),
        ("Europe/Oslo", "2026-06-01", 24),
        ("Asia/Beirut", "2026-03-29", 23),  # the clock skips midnight
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
    ],
)
def test_a_day_is_as_long_as_it_is(zone: str, day: str, hours: float) -> None:
    around = parse_us(f"{day}T12:00:00Z")
    found = {p.name: p for p in days(around - 72 * HOUR, around + 72 * HOUR, zone_of(zone))}
    assert (found[day].to_us - found[day].from_us) / HOUR == hours


def test_weeks_begin_on_monday_and_say_when_they_are_cut() -> None:
    found = weeks(parse_us("2026-01-01T00:00:00Z"), parse_us("2026-01-19T00:00:00Z"), zone_of("UTC"))
    assert [(week.name, week.whole) for week in found] == [("2026-W01", False), ("2026-W02", True), ("2026-W03", True)]


@given(
    st.integers(0, 2_000_000_000_000_000),
    st.integers(1, 40 * 24 * HOUR),
    st.sampled_from(ZONES),
    st.sampled_from([days, weeks]),
)
def test_periods_tile_the_span(from_us: int, length_us: int, zone: str, make: object) -> None:
    assert callable(make)
    found = make(from_us, from_us + length_us, zone_of(zone))
    assert (found[0].from_us, found[-1].to_us) == (from_us, from_us + length_us)
    for one, two in itertools.pairwise(found):
        assert one.to_us == two.from_us
        assert one.name < two.name
    assert all(period.whole for period in found[1:-1])


def test_what_is_no_date_is_refused() -> None:
    with pytest.raises(ValueError, match="1970"):
        days(-1, HOUR, zone_of("UTC"))
    assert zone_of("Nowhere/At_All").key == "UTC"
