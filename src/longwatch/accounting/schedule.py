"""When a camera is to be recorded: windows of local time, by the clock on the wall of the post, summer time included."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass

_MINUTE_US = 60_000_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
OUTSIDE = "outside the schedule"
NEVER = "record: never"
ASLEEP = "outside its power windows"
EDGE_US = 120_000_000
"""A camera's timer, and its start, may be off by so much from its power windows."""


@dataclass(frozen=True, slots=True)
class Window:
    """On `days` (0 is Monday) from from_minute to to_minute of the local day, half-open. Where to_minute <= from_minute it
    reaches into the next day and belongs to the day it began on; equal minutes are a whole day.
    """

    days: frozenset[int]
    from_minute: int
    to_minute: int

    def holds(self, day: int, minute: int) -> bool:
        """Whether a minute of the local clock lies in it."""
        if self.from_minute < self.to_minute:
            return day in self.days and self.from_minute <= minute < self.to_minute
        return (day in self.days and minute >= self.from_minute) or (
            (day - 1) % 7 in self.days and minute < self.to_minute
        )


class Schedule:
    """Answers for every moment. windows: None is always. An hour that the clock shows twice is planned twice, one it skips never.

    Raises nothing: the zone was checked with the settings; `zone` falls back to UTC only where the host has no zone data.
    """

    def __init__(self, windows: Sequence[Window] | None, timezone: str, *, never: bool = False) -> None:
        self._windows = windows
        self._never = never
        self._minute = -1
        self._answer = ""
        try:
            self._zone: dt.tzinfo = zoneinfo.ZoneInfo(timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            self._zone = dt.UTC

    def not_planned(self, wall_us: int) -> str:
        """Why recording is not wanted at that moment; "" where it is. Exact to the minute, worked out once a minute."""
        if self._never:
            return NEVER
        if self._windows is None:
            return ""
        minute = wall_us // _MINUTE_US
        if minute != self._minute:
            self._minute = minute
            local = (_EPOCH + dt.timedelta(minutes=minute)).astimezone(self._zone)
            day, at = local.weekday(), local.hour * 60 + local.minute
            self._answer = "" if any(window.holds(day, at) for window in self._windows) else OUTSIDE
        return self._answer


class PowerPlan:
    """When a camera has power, by its `power_windows`; None is always."""

    def __init__(self, windows: Sequence[Window] | None, timezone: str) -> None:
        self._before = Schedule(windows, timezone)
        self._after = Schedule(windows, timezone)

    def asleep(self, wall_us: int) -> str:
        """Why the camera need not have power at that moment; "" where it must: `EDGE_US` after a window began until as long before
        it ends.
        """
        awake = not self._before.not_planned(wall_us - EDGE_US) and not self._after.not_planned(wall_us + EDGE_US)
        return "" if awake else ASLEEP
