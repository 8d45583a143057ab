"""Windows of local time: days, midnight, and the two nights a year that are not 24 hours long."""

import pytest

from longwatch.accounting import Schedule, Window
from longwatch.accounting.schedule import NEVER, OUTSIDE
from longwatch.base.rfc3339 import parse_us

ALL = frozenset(range(7))
WEEKDAYS = frozenset(range(5))


def planned(schedule: Schedule, moment: str) -> bool:
    return not schedule.not_planned(parse_us(moment))


def test_always_and_never() -> None:
    assert planned(Schedule(None, "Europe/Rome"), "2026-05-05T03:00:00Z")
    assert Schedule(None, "Europe/Rome", never=True).not_planned(0) == NEVER
    assert Schedule([], "Europe/Rome").not_planned(0) == OUTSIDE


@pytest.mark.parametrize(("moment", "expected"), [
    ("2026-05-05T04:59:59.999999Z", False),  # a Tuesday, 06:59:59 in Rome
    ("2026-05-05T05:00:00Z", True),
    ("2026-05-05T06:59:59.999999Z", True),
    ("2026-05-05T07:00:00Z", False),
    ("2026-05-09T05:30:00Z", False),  # a Saturday
    ("2026-12-01T05:30:00Z", False),  # in winter it is 06:30
    ("2026-12-01T06:30:00Z", True),
])  # fmt: skip
def test_a_window_of_a_working_day_is_half_open_and_local(moment: str, expected: bool) -> None:
    assert planned(Schedule([Window(WEEKDAYS, 7 * 60, 9 * 60)], "Europe/Rome"), moment) is expected


@pytest.mark.parametrize(("moment", "expected"), [
    ("2026-05-08T22:00:00Z", True),  # Friday evening in UTC
    ("2026-05-09T01:59:00Z", True),  # belongs to Friday
    ("2026-05-09T02:00:00Z", False),
    ("2026-05-09T22:30:00Z", False),  # Saturday is not in it
    ("2026-05-04T01:00:00Z", False),  # Monday before dawn belongs to Sunday
])  # fmt: skip
def test_a_window_over_midnight_belongs_to_the_day_it_began_on(moment: str, expected: bool) -> None:
    assert planned(Schedule([Window(WEEKDAYS, 22 * 60, 2 * 60)], "UTC"), moment) is expected


def test_the_hour_that_the_clock_shows_twice_is_planned_twice() -> None:
    schedule = Schedule([Window(ALL, 2 * 60, 3 * 60)], "Europe/Rome")
    night = parse_us("2026-10-24T22:00:00Z")
    minutes = sum(not schedule.not_planned(night + n * 60_000_000) for n in range(8 * 60))
    assert minutes == 120


def test_the_hour_that_the_clock_skips_is_never_planned() -> None:
    schedule = Schedule([Window(ALL, 2 * 60, 3 * 60)], "Europe/Rome")
    night = parse_us("2026-03-28T22:00:00Z")
    assert all(schedule.not_planned(night + n * 60_000_000) for n in range(8 * 60))


def test_equal_minutes_are_a_whole_day() -> None:
    schedule = Schedule([Window(frozenset({1}), 0, 0)], "UTC")
    assert planned(schedule, "2026-05-05T00:00:00Z")
    assert planned(schedule, "2026-05-05T23:59:00Z")
    assert not planned(schedule, "2026-05-06T00:00:00Z")


def test_a_zone_that_this_host_does_not_have_is_taken_as_utc() -> None:
    assert planned(Schedule([Window(ALL, 0, 60)], "Mars/Olympus"), "2026-05-05T00:30:00Z")
