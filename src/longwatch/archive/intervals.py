"""Half-open intervals in microseconds: union and difference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Interval(NamedTuple):
    """[from_us, to_us)."""

    from_us: int
    to_us: int


def union(intervals: Iterable[Interval], joined_us: int = 0) -> list[Interval]:
    """In order, without overlap; those nearer than joined_us become one."""
    merged: list[Interval] = []
    for interval in sorted(i for i in intervals if i.from_us < i.to_us):
        if merged and interval.from_us <= merged[-1].to_us + joined_us:
            merged[-1] = Interval(merged[-1].from_us, max(merged[-1].to_us, interval.to_us))
        else:
            merged.append(interval)
    return merged


def without(interval: Interval, taken: Iterable[Interval]) -> list[Interval]:
    """What is left of an interval."""
    left = []
    at_us = interval.from_us
    for from_us, to_us in union(taken):
        if to_us <= at_us:
            continue
        if from_us >= interval.to_us:
            break
        if from_us > at_us:
            left.append(Interval(at_us, from_us))
        at_us = to_us
    if at_us < interval.to_us:
        left.append(Interval(at_us, interval.to_us))
    return left
