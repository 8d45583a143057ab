"""Who is looked at next, and how closely, where the cores do not do for all. Pure; times are of a clock that never goes back.

Fair: each camera has an account of processor time, and the one that used least goes first; a camera that was quiet gets no credit for it. So one that is always
busy falls behind by itself, and is then looked at less closely, step by step, while the others go on as they were. What it misses is said, and it is tried again,
later each time that fails.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Level(enum.IntEnum):
    """How closely a camera is looked at. Each is cheaper than the one before."""

    ALL = 0
    FEWER = 1
    """Half of the pictures a second, from the first half of each group of pictures: what follows in it is not decoded."""
    KEYS = 2
    """Sync samples alone."""
    TURNS = 3
    """Sync samples, every other of them."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """cores: that may be used together. late_us: so far behind, a camera is looked at less closely. calm_us: so long in time, it is tried more
    closely again; doubled up to most_calm_us each time that fails.
    """

    cores: float = 0.5
    late_us: int = 3_000_000
    step_us: int = 2_000_000
    calm_us: int = 15_000_000
    most_calm_us: int = 300_000_000
    burst_us: int = 1_000_000


@dataclass(slots=True)
class _Account:
    used_us: float = 0.0
    level: Level = Level.ALL
    since_us: int = 0
    calm_since_us: int | None = None
    calm_us: int = 0


class Scheduler:
    """Owner of its state."""

    def __init__(self, allowance: Allowance, now_us: int) -> None:
        self._allowance = allowance
        self._accounts: dict[str, _Account] = {}
        self._credit_us = float(allowance.burst_us) * allowance.cores
        self._at_us = now_us

    def use(self, allowance: Allowance) -> None:
        """Other settings, from now on."""
        self._allowance = allowance

    def forget(self, camera: str) -> None:
        """It is not looked at any more."""
        self._accounts.pop(camera, None)

    def level(self, camera: str) -> Level:
        """How closely it is looked at now."""
        account = self._accounts.get(camera)
        return Level.ALL if account is None else account.level

    def spent(self, camera: str, cpu_us: int) -> None:
        """Processor time that was used for it."""
        self._account(camera).used_us += cpu_us
        self._credit_us -= cpu_us

    def behind(self, camera: str, behind_us: int, now_us: int) -> Level:
        """How old the oldest is that it waits with, 0 where nothing waits. Gives how closely it is looked at from now on."""
        account, allowance = self._account(camera), self._allowance
        if behind_us > allowance.late_us:
            account.calm_since_us = None
            if account.level < Level.TURNS and now_us - account.since_us >= allowance.step_us:
                soon = now_us - account.since_us < 2 * allowance.calm_us
                account.calm_us = (
                    min(allowance.most_calm_us, 2 * account.calm_us) if soon and account.calm_us else allowance.calm_us
                )
                account.level = Level(account.level + 1)
                account.since_us = now_us
        elif account.level > Level.ALL:
            if behind_us > allowance.late_us // 3:
                account.calm_since_us = None
            elif account.calm_since_us is None:
                account.calm_since_us = now_us
            elif now_us - account.calm_since_us >= account.calm_us:
                account.level = Level(account.level - 1)
                account.since_us = now_us
                account.calm_since_us = None
        return account.level

    def next(self, waiting: Iterable[str], now_us: int) -> str | None:
        """Of those that have work, who is next; None where none has, or the processor time is used up for now."""
        self._earn(now_us)
        if self._credit_us <= 0:
            return None
        named = list(waiting)
        if not named:
            return None
        first = min(named, key=lambda camera: (self._account(camera).used_us, camera))
        self._level_out(self._accounts[first].used_us, named)
        return first

    def wait_us(self, now_us: int) -> int:
        """How long until there is processor time again; 0 where there is."""
        self._earn(now_us)
        return 0 if self._credit_us > 0 else round(-self._credit_us / self._allowance.cores) + 1_000

    def _earn(self, now_us: int) -> None:
        passed_us = max(0, now_us - self._at_us)
        self._at_us = now_us
        most = self._allowance.burst_us * self._allowance.cores
        self._credit_us = min(most, self._credit_us + passed_us * self._allowance.cores)

    def _account(self, camera: str) -> _Account:
        account = self._accounts.get(camera)
        if account is None:
            least = min((each.used_us for each in self._accounts.values()), default=0.0)
            account = self._accounts[camera] = _Account(used_us=least)
        return account

    def _level_out(self, least_us: float, waiting: list[str]) -> None:
        """Who has nothing to do saves nothing up: otherwise a camera that was quiet all night would have all cores for minutes."""
        busy = set(waiting)
        for camera, account in self._accounts.items():
            if camera not in busy and account.used_us < least_us:
                account.used_us = least_us
