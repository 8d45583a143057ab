"""Which stretch of the footage shows an event."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from longwatch.model.clips import LONGEST_US, clip_of
from longwatch.model.events import Event

S = 1_000_000
T = 1_000 * S
EVENT = Event("x", "gate", "motion", T, T + 4 * S, T + 4 * S, best_us=T + 2 * S)


def test_a_short_event_has_five_seconds_on_either_side() -> None:
    assert clip_of(EVENT) == (T - 5 * S, T + 9 * S)


def test_of_what_goes_on_it_reaches_to_where_that_was_last_seen() -> None:
    assert clip_of(replace(EVENT, to_us=None, last_us=T + 8 * S)) == (T - 5 * S, T + 13 * S)
    assert clip_of(replace(EVENT, to_us=None, last_us=0)) == (T - 5 * S, T + 5 * S)


def test_of_a_long_one_the_begin_is_shown() -> None:
    long = replace(EVENT, to_us=T + 600 * S)
    assert clip_of(long) == (T - 5 * S, T + 25 * S)


def test_or_where_it_is_seen_best_later() -> None:
    long = replace(EVENT, to_us=T + 600 * S, best_us=T + 100 * S)
    assert clip_of(long) == (T + 85 * S, T + 115 * S)
    assert clip_of(replace(long, best_us=T + 599 * S)) == (T + 575 * S, T + 605 * S)


@given(st.integers(0, 4_000), st.integers(0, 4_000))
def test_it_is_never_long_and_has_what_is_seen_best(lasts_s: int, best_s: int) -> None:
    event = replace(EVENT, to_us=T + lasts_s * S, best_us=T + min(best_s, lasts_s) * S)
    from_us, to_us = clip_of(event)
    assert 0 < to_us - from_us <= LONGEST_US
    assert from_us <= event.best_us <= to_us
    assert event.from_us - 5 * S <= from_us
    assert to_us <= (event.to_us or 0) + 5 * S
