"""How numbers read, and that a plot says without colour what it says."""

from __future__ import annotations

import re

from tests.support.reported import CHECKPOINT, month

from longwatch.ledger.checkpoint import find_notes
from longwatch.reports import page
from longwatch.reports.drawing import MISSED, coarse, missed_by_group
from longwatch.reports.page import hours, missing, number, percent, seconds, size


def test_numbers_read_the_same_everywhere() -> None:
    assert number(1_234_567) == "1\u202f234\u202f567"
    assert hours(3_599_999_999) == "0.99"
    assert hours(8_576 * 3_600_000_000) == "8\u202f576.00"
    assert seconds(0) == "0.000 s"
    assert seconds(1) == "0.001 s", "what is left is never cut to nothing"
    assert percent(1_000_000) == "100\u202f%"
    assert percent(999_999) == "99.999\u202f%", "100 % is every second"
    assert percent(None) == "nothing promised"
    assert missing(0) == seconds(0), "the same nothing in every column"
    assert missing(50_000) == "0.050 s"
    assert size(1_640_000_000_000) == "1.6\u202fTB"
    assert size(999) == "999\u202fB"


def test_each_group_of_causes_has_a_hatching_of_its_own() -> None:
    assert len({group.paint for group in MISSED}) == len(MISSED)
    assert all(group.paint.startswith("url(#") for group in MISSED)
    text = page(month(3)).decode()
    for group in MISSED:
        assert f'id="{group.paint[5:-1]}"' in text
        assert group.name in text


def test_what_is_drawn_is_what_is_missing() -> None:
    report = month(4)
    for row in (report.total, *report.day_totals, *report.week_totals):
        assert sum(us for _, us in missed_by_group(row)) == row.missed_us
        assert all(us >= 0 for _, us in missed_by_group(row))


def test_long_spans_are_drawn_week_by_week() -> None:
    short, long = month(1, 31), month(1, 120)
    assert not coarse(short.days, short.weeks)
    assert coarse(long.days, long.weeks)
    assert "Week by week" in page(long).decode()


def test_the_checkpoint_can_be_read_off_the_page() -> None:
    text = page(month(1)).decode()
    assert CHECKPOINT.replace("\n", "") in re.sub(r"\n", "", text)
    assert find_notes(text) is not None
