"""Why a post is not in touch, as far as its hub can tell, and when that is worth an alarm. docs/design/silence.md has the table; a test holds each row.

Pure: what is known comes in, what follows comes out. Times are microseconds of the hub's wall clock.
"""

from __future__ import annotations

import datetime as dt
import enum
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

EDGE_US = 120_000_000
"""A post's timer, and its start, may be off by so much from its power windows."""
_MINUTE_US = 60_000_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAYS_BACK, _DAYS_ON = 9, 9


class Silence(enum.StrEnum):
    """What keeps a post silent."""

    PLAN = "plan"  # it has no power now, and is to have none
    LINK = "link"  # it had power, and nobody stopped it
    POWER = "power"  # it ran on its battery when it was heard last
    HAND = "hand"  # it was stopped in order
    UNKNOWN = "unknown"


class Stop(enum.StrEnum):
    """What the last words in a post's ledger say of its end."""

    NONE = ""
    ASKED = "asked"  # a person stopped it, with a reason
    HOST = "host"  # its host was shutting down
    SIGNAL = "signal"  # it was ended in order, and nobody gave a reason


@dataclass(frozen=True, slots=True)
class PowerWindow:
    """On `days` (0 is Monday) from from_minute to to_minute of the post's local day; where `to` is not after `from`, up to the next day."""

    days: frozenset[int]
    from_minute: int
    to_minute: int


@dataclass(frozen=True, slots=True)
class Known:
    """What a hub knows of a post that is not in touch.

    heard_us: when it was heard last, or joined. listening_us: since when this hub has listened without a break. allowed_us: how long this post may be
    silent when it should speak. windows: when it has power, in its own time zone; None is always. mains, battery_percent: as it told last, "" and None
    where nothing there can tell. stop, stop_us: see Stop, by the post's clock. refused: why its certificate was not let in since, "" where it did not try.
    through: the hub between that is not in touch either, "" for none.
    """

    heard_us: int
    listening_us: int
    allowed_us: int
    timezone: str = "UTC"
    windows: Sequence[PowerWindow] | None = None
    mains: str = ""
    battery_percent: int | None = None
    stop: Stop = Stop.NONE
    stop_us: int | None = None
    refused: str = ""
    through: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """since_us: silent since then. expected_us: from when on it should speak; ahead while it rests; None where its plan holds no power at all.
    alarm_us: when that is an alarm; None while it rests. resting: it need not have power now.
    """

    silence: Silence
    since_us: int
    expected_us: int | None
    alarm_us: int | None
    resting: bool
    evidence: Mapping[str, object] = field(default_factory=dict)

    def is_overdue(self, now_us: int) -> bool:
        """Whether somebody should know."""
        return self.alarm_us is not None and now_us >= self.alarm_us


def judge(known: Known, now_us: int) -> Judged:
    """See the table."""
    rest = _rest(known, now_us)
    silence, evidence = _why(known, rest)
    if rest is not None:
        return Judged(silence, known.heard_us, rest.until_us, None, True, evidence)
    expected_us = max(known.heard_us, known.listening_us, _awake_since_us(known, now_us))
    return Judged(silence, known.heard_us, expected_us, expected_us + known.allowed_us, False, evidence)


def _why(known: Known, rest: _Rest | None) -> tuple[Silence, Mapping[str, object]]:
    """One row after another; the first that fits counts."""
    if rest is not None and rest.began_us - known.heard_us <= known.allowed_us:
        return Silence.PLAN, {"rests_since_us": rest.began_us}
    if known.stop is not Stop.NONE:
        said: dict[str, object] = {"stop": str(known.stop)}
        return Silence.HAND, said if known.stop_us is None else {**said, "stopped_us": known.stop_us}
    if known.refused:
        return Silence.LINK, {"refused": known.refused}
    if known.mains == "off":
        said = {"mains": "off"}
        return Silence.POWER, said if known.battery_percent is None else {
            **said,
            "battery_percent": known.battery_percent,
        }
    if known.through:
        return Silence.LINK, {"through": known.through}
    if known.mains == "on":
        return Silence.LINK, {"mains": "on"}
    return Silence.UNKNOWN, {}


@dataclass(frozen=True, slots=True)
class _Rest:
    """began_us, until_us: of the stretch without power; None: it has no end."""

    began_us: int
    until_us: int | None


def _rest(known: Known, now_us: int) -> _Rest | None:
    """The planned rest that `now_us` lies in, with its edges."""
    if known.windows is None:
        return None
    began_us = 0
    for from_us, to_us in _powered(known.windows, known.timezone, now_us):
        if now_us < from_us + EDGE_US:
            return _Rest(began_us, from_us + EDGE_US)
        if now_us < to_us - EDGE_US:
            return None
        began_us = to_us - EDGE_US
    return _Rest(began_us, None)


def _awake_since_us(known: Known, now_us: int) -> int:
    if known.windows is None:
        return 0
    begun = [
        from_us + EDGE_US
        for from_us, _ in _powered(known.windows, known.timezone, now_us)
        if from_us + EDGE_US <= now_us
    ]
    return max(begun, default=0)


def _powered(windows: Sequence[PowerWindow], timezone: str, now_us: int) -> list[tuple[int, int]]:
    """Stretches with power some days about a moment, in order, merged where they touch."""
    try:
        zone: dt.tzinfo = zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        zone = dt.UTC
    today = (_EPOCH + dt.timedelta(microseconds=now_us)).astimezone(zone).date()
    found = []
    for offset in range(-_DAYS_BACK, _DAYS_ON + 1):
        day = today + dt.timedelta(days=offset)
        for window in windows:
            if day.weekday() in window.days:
                next_day = window.to_minute <= window.from_minute
                to = day + dt.timedelta(days=1) if next_day else day
                found.append((_us(day, window.from_minute, zone), _us(to, window.to_minute, zone)))
    merged: list[tuple[int, int]] = []
    for from_us, to_us in sorted(found):
        if merged and from_us <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], to_us))
        else:
            merged.append((from_us, to_us))
    return merged


def _us(day: dt.date, minute: int, zone: dt.tzinfo) -> int:
    """A minute of a local day. An hour that is skipped counts from where the clock jumps."""
    local = dt.datetime.combine(day, dt.time(0), zone) + dt.timedelta(minutes=minute)
    return int((local - _EPOCH).total_seconds()) * 1_000_000
