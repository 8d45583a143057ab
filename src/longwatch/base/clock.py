"""Time as a parameter.

Identity and order rest on CLOCK_BOOTTIME (it goes on through suspend and is never set); wall time is only ever a
placement. Tests hand in a `ManualClock` and run a week in a second.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """What the program may know of time. All values are integers in microseconds."""

    def boottime_us(self) -> int:
        """CLOCK_BOOTTIME: since the machine started, never set, never back."""
        ...

    def wall_us(self) -> int:
        """CLOCK_REALTIME since 1970, which may step at any moment."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait on this clock."""
        ...


class SystemClock:
    """The machine's clocks."""

    def boottime_us(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def wall_us(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_REALTIME) // 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that a test moves by hand: `advance` wakes sleepers in order, `step_wall` sets the wall clock only."""

    def __init__(self, wall_us: int = 1_767_225_600_000_000, boottime_us: int = 1_000_000) -> None:
        self._boottime_us = boottime_us
        self._offset_us = wall_us - boottime_us
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def boottime_us(self) -> int:
        return self._boottime_us

    def wall_us(self) -> int:
        return self._boottime_us + self._offset_us

    def step_wall(self, by_us: int) -> None:
        """Set the wall clock; CLOCK_BOOTTIME does not notice."""
        self._offset_us += by_us

    def tick(self, us: int) -> None:
        """Let time pass without waking anybody (for code without an event loop)."""
        self._boottime_us += us

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._boottime_us + int(seconds * 1e6), next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass; everyone whose time has come runs at its own moment."""
        end_us = self._boottime_us + int(seconds * 1e6)
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= end_us:
            due_us, _, future = heapq.heappop(self._sleepers)
            self._boottime_us = max(self._boottime_us, due_us)
            if not future.done():
                future.set_result(None)
            await self._settle()
        self._boottime_us = end_us
        await self._settle()

    @staticmethod
    async def _settle() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
