"""Parts of the week in local time, as rules and quiet hours have them. Pure."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass

_MINUTE_US = 60_000_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def local(at_us: int, timezone: str) -> dt.datetime:
    """That moment by the clock on the wall; UTC where the host does not know the zone."""
    moment = _EPOCH + dt.timedelta(microseconds=at_us)
    try:
        return moment.astimezone(zoneinfo.ZoneInfo(timezone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return moment


@dataclass(frozen=True, slots=True)
class Hours:
    """On `days` (0 is Monday) from from_minute to to_minute, half-open. Where `to` is not after `from` it reaches into the next day and belongs
    to the day it began on; equal minutes are a whole day.
    """

    days: frozenset[int]
    from_minute: int
    to_minute: int

    def hold(self, at: dt.datetime) -> bool:
        """Whether a local moment lies in them."""
        day, minute = at.weekday(), at.hour * 60 + at.minute
        if self.from_minute < self.to_minute:
            return day in self.days and self.from_minute <= minute < self.to_minute
        begun = day in self.days and minute >= self.from_minute
        return begun or ((day - 1) % 7 in self.days and minute < self.to_minute)


def within(hours: tuple[Hours, ...], at_us: int, timezone: str) -> bool:
    """Whether the moment lies in any of them."""
    if not hours:
        return False
    at = local(at_us, timezone)
    return any(part.hold(at) for part in hours)
