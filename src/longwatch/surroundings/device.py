"""Whom the post asks: a switch, a relay, a meter, the UPS. One is polled for ever, with back-off; a dead one is no error of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.secrets import scrub
from longwatch.base.tasks import Tasks
from longwatch.model.surroundings import Power

DEAD_US = 60_000_000
"""So long a device may stay silent before it is a health issue."""
_FORGET_AFTER = 2
"""Questions in a row without an answer, after which what it said last is no longer believed."""
_WHOLE_S = 60.0
"""No question takes longer, whatever its library does."""
_FAILED_S = (2.0, 4.0, 8.0, 15.0, 30.0)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Feed:
    """What a device says of one camera's power. detail: in words. ordered: it is off because the device was told so. started_boot_us:
    of a switch, when it started.
    """

    power: Power = Power.UNKNOWN
    link: Power = Power.UNKNOWN
    detail: str = ""
    started_boot_us: int | None = None
    ordered: bool = False


class DeviceError(LongwatchError):
    """A device did not answer, or not in words that we know."""


class Device(Protocol):
    """Something that can be asked. `by` names it for people, without secrets."""

    @property
    def by(self) -> str: ...

    async def run_once(self) -> None:
        """Ask once and keep what it says. Raises DeviceError, OSError or TimeoutError."""
        ...

    def by_of(self, camera: str) -> str:
        """Who says it of one camera: "snmp hut port 3"."""
        ...

    def feed(self, camera: str) -> Feed:
        """What it said last of one camera's power."""
        ...

    def forget(self) -> None:
        """What it said is too old to be believed."""
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...


class Poller:
    """Asks one device for ever. every_s: how long until the next question, as things stand. said: called after each answer, and
    after what was known is forgotten. Owner of its state: the loop.
    """

    def __init__(self, device: Device, clock: Clock, every_s: Callable[[], float], said: Callable[[], None]) -> None:
        self.device = device
        self.why = ""
        self.answered = False
        self.asked_boot_us = 0  # when it answered last
        self.questions = 0
        self._clock = clock
        self._every_s = every_s
        self._said = said
        self._failures = 0
        self._silent_since_us: int | None = clock.boottime_us()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """For ever. Ends only by cancellation."""
        try:
            while True:
                self._wake.clear()
                await self.run_once()
                await self._wait(self._pause_s())
        finally:
            self.device.close()

    async def run_once(self) -> None:
        """One question."""
        self.questions += 1
        try:
            async with asyncio.timeout(_WHOLE_S):
                await self.device.run_once()
        except (DeviceError, OSError, TimeoutError) as error:
            self._failed(scrub(str(error)) or type(error).__name__)
        else:
            if self._failures >= _FORGET_AFTER:
                _log.info("a device answers again", device=self.device.by)
            self.answered = True
            self.asked_boot_us = self._clock.boottime_us()
            self.why = ""
            self._failures = 0
            self._silent_since_us = None
            self._said()

    def hurry(self) -> None:
        """Something happened: ask now."""
        self._wake.set()

    def dead_for_us(self, now_us: int) -> int:
        """How long it has not answered; 0 while it does."""
        return 0 if self._silent_since_us is None else now_us - self._silent_since_us

    def _failed(self, why: str) -> None:
        self._failures += 1
        self.why = why
        if self._silent_since_us is None:
            self._silent_since_us = self._clock.boottime_us()
        if self._failures == _FORGET_AFTER:
            _log.warning("a device does not answer", device=self.device.by, why=why)
            self.answered = False
            self.device.forget()
            self._said()

    def _pause_s(self) -> float:
        if not self._failures:
            return self._every_s()
        return _FAILED_S[min(self._failures, len(_FAILED_S)) - 1]

    async def _wait(self, seconds: float) -> None:
        """Until it is time, or somebody is in a hurry."""
        tasks = Tasks("poller")
        try:
            waits = {tasks.start("wait", self._clock.sleep(seconds)), tasks.start("wake", self._wait_for_hurry())}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.aclose()

    async def _wait_for_hurry(self) -> None:
        await self._wake.wait()
