"""Days and weeks by the clock on the wall of the post: a day has 23 or 25 hours where summer time begins or ends. Pure."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_US = dt.timedelta(microseconds=1)
EARLIEST_US = 0
LATEST_US = 250_000_000_000_000_000  # in the year 9892: room for a zone and a week within what a date can be


@dataclass(frozen=True, slots=True)
class Period:
    """[from_us, to_us) of a day or a week, cut to what is reported. name: 2026-01-31, or 2026-W05 (ISO 8601). whole: not cut."""

    name: str
    from_us: int
    to_us: int
    whole: bool = True


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """The zone of a post; UTC where this host has no data on it."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def local(us: int, zone: dt.tzinfo) -> dt.datetime:
    """A moment by the clock of the post."""
    return (_EPOCH + us * _US).astimezone(zone)


def midnight_us(day: dt.date, zone: dt.tzinfo) -> int:
    """The first moment of a local day, also where the clock skips midnight."""
    return (dt.datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) // _US


def days(from_us: int, to_us: int, zone: dt.tzinfo) -> list[Period]:
    """The local days of [from_us, to_us), in order."""
    return _periods(from_us, to_us, zone, lambda day: day, dt.timedelta(days=1), "%Y-%m-%d")


def weeks(from_us: int, to_us: int, zone: dt.tzinfo) -> list[Period]:
    """The weeks of [from_us, to_us), Monday to Sunday, in order."""
    return _periods(
        from_us, to_us, zone, lambda day: day - dt.timedelta(days=day.weekday()), dt.timedelta(days=7), "%G-W%V"
    )


def _periods(
    from_us: int, to_us: int, zone: dt.tzinfo, first: Callable[[dt.date], dt.date], step: dt.timedelta, form: str
) -> list[Period]:
    """Raises ValueError where a moment lies outside of what a date can be."""
    if from_us < EARLIEST_US or to_us > LATEST_US:
        raise ValueError("a report reaches from 1970 to 9892")
    found: list[Period] = []
    day = first(local(from_us, zone).date())
    while (begin_us := midnight_us(day, zone)) < to_us:
        end_us = midnight_us(day + step, zone)
        cut = Period(
            day.strftime(form), max(begin_us, from_us), min(end_us, to_us), from_us <= begin_us and end_us <= to_us
        )
        if cut.from_us < cut.to_us:
            found.append(cut)
        day += step
    return found
