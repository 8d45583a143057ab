"""Each row of the table of docs/design/silence.md, and what a plan means about its edges."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.model.silence import EDGE_US, Known, PowerWindow, Silence, Stop, judge

MIN = 60_000_000
HOUR = 60 * MIN
DAY = 24 * HOUR
WORK = (PowerWindow(frozenset(range(7)), 8 * 60, 18 * 60),)
ALLOWED = 15 * MIN


def at(hour: int, minute: int = 0, day: int = 10) -> int:
    """UTC; a Tuesday."""
    return int(dt.datetime(2026, 3, day, hour, minute, tzinfo=dt.UTC).timestamp()) * 1_000_000


def known(heard_us: int, **more: Any) -> Known:
    return Known(heard_us, more.pop("listening_us", 0), more.pop("allowed_us", ALLOWED), **more)


ROWS: dict[str, tuple[Known, int, Silence]] = {
    "rest": (known(at(18, 1), windows=WORK), at(22), Silence.PLAN),
    "rest, stopped before": (known(at(17, 50), windows=WORK, stop=Stop.ASKED), at(22), Silence.PLAN),
    "long before the rest": (known(at(10), windows=WORK), at(22), Silence.UNKNOWN),
    "stopped by a person": (known(at(10), stop=Stop.ASKED, mains="off"), at(11), Silence.HAND),
    "host shut down": (known(at(10), stop=Stop.HOST), at(11), Silence.HAND),
    "ended by a signal": (known(at(10), stop=Stop.SIGNAL), at(11), Silence.HAND),
    "certificate refused": (known(at(10), refused="expired", mains="off"), at(11), Silence.LINK),
    "on its battery": (known(at(10), mains="off", battery_percent=8, through="station"), at(11), Silence.POWER),
    "hub between": (known(at(10), through="station"), at(11), Silence.LINK),
    "mains were on": (known(at(10), mains="on"), at(11), Silence.LINK),
    "nothing known": (known(at(10)), at(11), Silence.UNKNOWN),
}


@pytest.mark.parametrize("row", ROWS)
def test_row(row: str) -> None:
    case, now_us, silence = ROWS[row]
    judged = judge(case, now_us)
    assert judged.silence is silence
    assert judged.since_us == case.heard_us


def test_the_page_has_each_row_and_no_other() -> None:
    page = Path("docs/design/silence.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|.*\| `(\w+)` \|$", page, re.MULTILINE)
    assert rows == [(name, str(silence)) for name, (_, _, silence) in ROWS.items()]


def test_alarm_after_the_time_of_its_own_from_when_it_should_have_spoken() -> None:
    judged = judge(known(at(10)), at(10, 14))
    assert not judged.is_overdue(at(10, 14))
    assert judge(known(at(10)), at(10, 15)).is_overdue(at(10, 15))
    assert not judge(known(at(10), allowed_us=2 * HOUR), at(11)).is_overdue(at(11))


def test_no_alarm_in_its_rest_and_not_until_it_has_had_time_to_come_up() -> None:
    case = known(at(18, 1), windows=WORK)
    night = judge(case, at(23))
    assert night.resting
    assert night.alarm_us is None
    assert night.expected_us == at(8, day=11) + EDGE_US
    morning = judge(case, at(8, 10, day=11))
    assert not morning.resting
    assert morning.expected_us == at(8, day=11) + EDGE_US
    assert not morning.is_overdue(at(8, 10, day=11))
    assert morning.is_overdue(at(8, 18, day=11))


def test_a_hub_that_was_off_does_not_accuse() -> None:
    case = known(at(10), listening_us=at(14))
    assert not judge(case, at(14, 10)).is_overdue(at(14, 10))
    assert judge(case, at(14, 16)).is_overdue(at(14, 16))


def test_a_plan_without_power_is_a_rest_without_end() -> None:
    judged = judge(known(at(10), windows=()), at(23))
    assert (judged.silence, judged.resting, judged.expected_us) == (Silence.PLAN, True, None)


def test_windows_are_of_the_posts_own_clock_and_pass_midnight() -> None:
    night = (PowerWindow(frozenset({1}), 22 * 60, 4 * 60),)  # Tuesday night, in Oslo: 21:00 to 03:00 UTC
    case = known(at(20), timezone="Europe/Oslo", windows=night)
    assert judge(case, at(20, 59)).resting
    assert not judge(case, at(21, 3)).resting
    assert not judge(case, at(2, 57, day=11)).resting
    assert judge(case, at(2, 59, day=11)).resting


@given(
    st.integers(at(0), at(0) + 3 * DAY), st.integers(0, 3 * DAY), st.integers(0, 3 * DAY), st.sampled_from(Stop),
    st.sampled_from(["", "on", "off"]), st.sampled_from([None, (), WORK]),
)  # fmt: skip
def test_never_an_alarm_before_its_time_nor_in_a_rest(
    heard_us: int, listening: int, later: int, stop: Stop, mains: str, windows: tuple[PowerWindow, ...] | None
) -> None:
    case = known(heard_us, listening_us=at(0) + listening, stop=stop, mains=mains, windows=windows)
    now_us = heard_us + later
    judged = judge(case, now_us)
    if judged.is_overdue(now_us):
        assert not judged.resting
        assert now_us >= max(case.heard_us, case.listening_us) + ALLOWED
    if windows is WORK:
        assert judged.resting == (not 8 * 60 + 2 <= (now_us // MIN) % 1440 + (now_us % MIN) / MIN < 18 * 60 - 2)
