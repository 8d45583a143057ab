"""What may go now, and why something waits: pure, with its policy from the settings.

Budgets count every byte of the link, both ways, live views too, by hours, days and months of local time. The ledger is counted and never withheld;
it may take a budget beyond its end, and what follows waits the longer. Bulk goes in its windows alone. A metered link carries no strips and no
bulk. A rate cap holds the average: the ledger may run a second ahead of it, and what follows pays for that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from longwatch.model.uplink import Class, Waiting

_DAY_MINUTES = 1440
_US = 1_000_000
SPANS = ("hour", "day", "month")
_METERED_OUT = frozenset({Class.STRIP, Class.BULK})


@dataclass(frozen=True, slots=True)
class Window:
    """When bulk may go: on `days` (0 is Monday), from one minute of the local day to another; over midnight where `to` is not after `from`."""

    days: frozenset[int]
    from_minute: int
    to_minute: int

    def holds(self, local: dt.datetime) -> bool:
        """Whether this moment is in it. A window over midnight belongs to the day it begins on."""
        minute = local.hour * 60 + local.minute
        if self.from_minute < self.to_minute:
            return local.weekday() in self.days and self.from_minute <= minute < self.to_minute
        before = (local.weekday() - 1) % 7
        return (local.weekday() in self.days and minute >= self.from_minute) or (
            before in self.days and minute < self.to_minute
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """rate_bytes_s: the cap; None: what the link carries. budget: bytes by `hour`, `day`, `month`, each where there is one. windows: of bulk; none:
    always. timezone: of budgets and windows.
    """

    rate_bytes_s: int | None = None
    budget: Mapping[str, int] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    metered: bool = False
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Decision:
    """allowed: classes that may go now, in order. waiting: the others of which something waits, and why. until_us: wall time by which to look again."""

    allowed: tuple[Class, ...]
    waiting: Mapping[Class, Waiting]
    until_us: int | None


class Spent:
    """Bytes spent in this hour, day and month of local time. Owner: the budget of one uplink. A clock that is set back opens no new period
    that has been counted before: the counters stay until the period they belong to is over, or the clock is before its beginning.
    """

    def __init__(self, timezone: str, kept: Mapping[str, tuple[int, int]] | None = None) -> None:
        """kept: by span, when it began (wall time in microseconds) and what was spent in it."""
        self._zone = ZoneInfo(timezone)
        self._begun: dict[str, int] = {}
        self._spent: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        for span, (begun_us, spent) in (kept or {}).items():
            if span in SPANS:
                self._open(span, begun_us, spent)

    def _open(self, span: str, at_us: int, spent: int = 0) -> None:
        begin, end = _bounds(span, dt.datetime.fromtimestamp(at_us / _US, self._zone))
        self._begun[span], self._ends[span], self._spent[span] = begin, end, spent

    def roll(self, now_us: int) -> None:
        """Begin what is due."""
        for span in SPANS:
            if not self._begun.get(span, now_us + 1) <= now_us < self._ends.get(span, 0):
                self._open(span, now_us)

    def add(self, size: int, now_us: int) -> None:
        """So many bytes went or came."""
        self.roll(now_us)
        for span in SPANS:
            self._spent[span] += size

    def of(self, span: str) -> int:
        """Bytes."""
        return self._spent.get(span, 0)

    def ends_us(self, span: str) -> int:
        """When the span is over."""
        return self._ends.get(span, 0)

    def kept(self) -> dict[str, tuple[int, int]]:
        """What to keep over a restart: as the constructor takes it."""
        return {span: (self._begun[span], self._spent[span]) for span in self._begun}


def _bounds(span: str, local: dt.datetime) -> tuple[int, int]:
    if span == "hour":
        begin = local.replace(minute=0, second=0, microsecond=0)
        end = dt.datetime.fromtimestamp(begin.timestamp() + 3600, local.tzinfo)
    elif span == "day":
        begin = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        end = begin + dt.timedelta(days=1)
    else:
        begin = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
        end = (begin + dt.timedelta(days=32)).replace(day=1)
    return int(begin.timestamp()) * _US, int(end.timestamp()) * _US


def decide(wanting: Collection[Class], spent: Spent, policy: Policy, now_us: int, *, paid_us: int = 0) -> Decision:
    """wanting: classes of which something waits. now_us: wall time. paid_us: wall time at which the rate cap lets something go again."""
    spent.roll(now_us)
    over = [span for span in SPANS if span in policy.budget and spent.of(span) >= policy.budget[span]]
    waiting: dict[Class, Waiting] = {}
    allowed = []
    for cls in sorted(wanting):
        why = None if cls is Class.LEDGER else _withheld(cls, spent, policy, now_us, over, paid_us)
        if why is None:
            allowed.append(cls)
        else:
            waiting[cls] = why
    times = [why.until_us for why in waiting.values() if why.until_us is not None]
    return Decision(tuple(allowed), waiting, min(times, default=None))


def _withheld(
    cls: Class, spent: Spent, policy: Policy, now_us: int, over: Collection[str], paid_us: int
) -> Waiting | None:
    if policy.metered and cls in _METERED_OUT:
        return Waiting("metered")
    if cls is Class.BULK and policy.windows:
        opens = opens_us(policy.windows, policy.timezone, now_us)
        if opens is None or opens > now_us:
            return Waiting("window", opens)
    if over:
        longest = max(over, key=spent.ends_us)
        return Waiting(f"budget_{longest}", spent.ends_us(longest))
    if paid_us > now_us:
        return Waiting("rate", paid_us)
    return None


def opens_us(windows: Collection[Window], timezone: str, now_us: int) -> int | None:
    """When a window is open, from now on: now_us where one is, None where none ever is. To the minute."""
    zone = ZoneInfo(timezone)
    local = dt.datetime.fromtimestamp(now_us / _US, zone)
    if any(window.holds(local) for window in windows):
        return now_us
    begins = [_next_begin(window, local) for window in windows if window.days]
    return min(begins, default=None)


def _next_begin(window: Window, local: dt.datetime) -> int:
    at_minute = {"hour": window.from_minute // 60, "minute": window.from_minute % 60, "second": 0, "microsecond": 0}
    for ahead in range(9):
        begin = (local + dt.timedelta(days=ahead)).replace(**at_minute, fold=0)  # type: ignore[arg-type]  # names of `replace`
        if begin > local and begin.weekday() in window.days:
            return int(begin.timestamp()) * _US
    raise AssertionError("a window with days begins within nine of them")


@dataclass(slots=True)
class Bucket:
    """A rate cap. Times are CLOCK_BOOTTIME. free_us: from when on something may go. burst_us: how much of silence may be made up for."""

    rate_bytes_s: int | None = None
    burst_us: int = 250_000
    free_us: int = 0
    most_debt_us: int = 60 * _US

    def spend(self, size: int, boot_us: int) -> None:
        """So many bytes went, whoever sent them."""
        if self.rate_bytes_s:
            owed = max(self.free_us, boot_us - self.burst_us) + size * _US // self.rate_bytes_s
            self.free_us = min(owed, boot_us + self.most_debt_us)
