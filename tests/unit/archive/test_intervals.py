"""Half-open intervals, held against sets of moments."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from longwatch.archive.intervals import Interval, union, without

intervals = st.lists(st.builds(lambda a, n: Interval(a, a + n), st.integers(0, 40), st.integers(0, 12)), max_size=8)


def moments(some: list[Interval]) -> set[int]:
    return {at for a, b in some for at in range(a, b)}


@given(intervals)
def test_a_union_holds_the_same_moments_in_order_and_once(some: list[Interval]) -> None:
    joined = union(some)
    assert moments(joined) == moments(some)
    assert all(one.to_us < two.from_us for one, two in itertools.pairwise(joined))


@given(st.builds(lambda a, n: Interval(a, a + n), st.integers(0, 40), st.integers(1, 20)), intervals)
def test_what_is_left_is_what_was_not_taken(whole: Interval, taken: list[Interval]) -> None:
    assert moments(without(whole, taken)) == moments([whole]) - moments(taken)


def test_near_ones_are_joined_where_asked() -> None:
    assert union([Interval(0, 5), Interval(8, 9)], 3) == [Interval(0, 9)]
    assert union([Interval(0, 5), Interval(8, 9)], 2) == [Interval(0, 5), Interval(8, 9)]
