"""What moved where, by hours: added, read for a span, kept and brought back, and bounded whatever a child says."""

from __future__ import annotations

import json
import random
from array import array

import pytest

from longwatch.detection.heat_hours import CELLS, HOUR_US, HOURS, MOST_BYTES, HeatHours

NOON_US = 500_000 * HOUR_US


def grid(*tenths: int) -> bytes:
    return array("H", [*tenths, *[0] * (CELLS - len(tenths))]).tobytes()


def test_a_span_has_its_hours_and_no_others():
    kept = HeatHours()
    for hour in range(30):
        kept.add(NOON_US + hour * HOUR_US, 18_000, grid(100, 4) if hour % 2 else b"")
    now_us = NOON_US + 29 * HOUR_US + 1
    day, three, none = (kept.within(now_us, hours) for hours in (24, 3, 1000))
    assert (day.looked_hours, day.looked_s, day.seconds[:3], day.hours[:3]) == (
        24,
        24 * 1800,
        (120, 4.8, 0),
        (12, 0, 0),
    )
    assert (three.looked_hours, three.seconds[0], three.hours[0]) == (3, 20, 2)
    assert none.looked_hours == 30
    again = HeatHours.restored(kept.saved())
    assert again.within(now_us, 24) == day


def test_no_hour_has_more_than_an_hour_and_no_week_more_than_a_week():
    kept, chance = HeatHours(), random.Random(1)
    for hour in range(HOURS + 20):
        for _ in range(3):
            kept.add(
                NOON_US + hour * HOUR_US,
                60_000,
                array("H", [chance.randrange(65_536) for _ in range(CELLS)]).tobytes()
                if hour > HOURS + 15
                else grid(65_535),
            )
    told = kept.within(NOON_US + (HOURS + 19) * HOUR_US, HOURS)
    assert (told.looked_s, told.looked_hours, told.seconds[0] <= HOURS * 3600) == (HOURS * 3600, HOURS, True)
    saved = kept.saved()
    assert len(json.loads(saved)["hours"]) == HOURS
    assert len(saved) < MOST_BYTES


def test_a_clock_that_begins_in_1970_takes_no_week_with_it():
    kept = HeatHours()
    for hour in range(HOURS):
        kept.add(NOON_US + hour * HOUR_US, 36_000, grid(100))
    for hour in range(3):  # a post without a clock of its own, until something sets it
        kept.add(hour * HOUR_US, 36_000, grid(9))
    assert kept.within(2 * HOUR_US, HOURS).seconds[0] == pytest.approx(2.7), "nothing of what lies ahead"
    now_us = NOON_US + HOURS * HOUR_US
    for hour in range(3):
        kept.add(now_us + hour * HOUR_US, 36_000, grid(100))
    told = kept.within(now_us + 2 * HOUR_US, HOURS)
    assert told.looked_hours >= HOURS - 3
    assert len(json.loads(kept.saved())["hours"]) == HOURS


def test_a_clock_that_ran_ahead_for_a_while_takes_nothing_for_long():
    kept = HeatHours()
    kept.add(NOON_US + 9_000 * HOUR_US, 100, grid(5))
    for hour in range(HOURS):
        kept.add(NOON_US + hour * HOUR_US, 100, grid(7))
    assert kept.within(NOON_US, 1).seconds[0] == 0.7
    told = kept.within(NOON_US + (HOURS - 1) * HOUR_US, HOURS)
    assert told.looked_hours == HOURS


@pytest.mark.parametrize("cells", [b"x", bytes(2 * CELLS - 2), bytes(2 * CELLS + 2)])
def test_what_is_no_grid_is_refused(cells: bytes):
    kept = HeatHours()
    with pytest.raises(ValueError, match="size"):
        kept.add(NOON_US, 1, cells)
    assert kept.within(NOON_US, 1).looked_hours == 0


def test_a_file_that_is_damaged_is_refused_and_never_more_than_that():
    kept, chance = HeatHours(), random.Random(4)
    kept.add(NOON_US, 100, grid(5, 6, 7))
    whole = kept.saved()
    for _ in range(300):
        data = bytearray(whole)
        data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            told = HeatHours.restored(bytes(data)).within(NOON_US, HOURS)
        except ValueError:
            continue
        assert len(told.seconds) == CELLS
