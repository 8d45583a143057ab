"""The post's own supply over time: what changes is an entry, so that the next start knows how this one ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from longwatch.archive.ops import Entry
from longwatch.base.clock import Clock
from longwatch.ledger import kinds
from longwatch.model.surroundings import Learnt, MainsState, Power
from longwatch.surroundings.limit import EntryLimit

_LOST_US = 60_000_000
_STEP_PERCENT = 5


class SaysMains(Protocol):
    """A UPS as far as this module knows one."""

    @property
    def state(self) -> MainsState: ...
    @property
    def status(self) -> str: ...
    @property
    def asked_boot_us(self) -> int: ...


class Mains:
    """Owner of its state: the watch's loop. told: what the newest entry says."""

    def __init__(
        self,
        clock: Clock,
        wall_us: Callable[[], int],
        enter: Callable[[Entry], None],
        told: MainsState | None,
    ) -> None:
        self.state = MainsState()
        self._clock = clock
        self._wall_us = wall_us
        self._enter = enter
        self._told = told
        self._since_boot_us = 0
        self._unknown_since_us: int | None = None
        self._device: SaysMains | None = None
        self._limit = EntryLimit()

    @property
    def learnt(self) -> Learnt:
        """Where it came from and when."""
        asked_us = 0 if self._device is None else self._device.asked_boot_us
        return Learnt(self.state.by, self._since_boot_us, asked_us)

    def use(self, device: SaysMains | None) -> None:
        """From now on this UPS, or none."""
        if device is not self._device:
            self._device = device
            self.state = MainsState()
            self._since_boot_us = 0
            self._unknown_since_us = None

    def took(self) -> None:
        """The UPS answered, or what it said was forgotten."""
        if self._device is None:
            return
        now_us = self._clock.boottime_us()
        new = self._device.state
        if new.mains is not self.state.mains or not self._since_boot_us:
            self._since_boot_us = now_us
        before = self.state if self.state.mains is not Power.UNKNOWN else self._told
        self.state = placed(new, before, self._wall_us())
        if new.mains is not Power.UNKNOWN:
            self._unknown_since_us = None
            self._tell(now_us)
        elif self._unknown_since_us is None:
            self._unknown_since_us = now_us

    def beat(self) -> None:
        """A UPS that has said nothing for a minute is an entry too: from here on nobody knows."""
        now_us = self._clock.boottime_us()
        since_us = self._unknown_since_us
        if since_us is not None and now_us - since_us > _LOST_US and self._told is not None:
            self._tell(now_us)

    def _tell(self, now_us: int) -> None:
        if same_news(self.state, self._told) or not self._limit.take(now_us):
            return
        self._told = self.state
        status = "" if self._device is None else self._device.status
        self._enter(Entry(kinds.POWER_CHANGED, body(self.state, status)))

    def describe(self) -> dict[str, Any] | None:
        """For `status`; None where there is no UPS in the settings."""
        if self._device is None:
            return None
        state = self.state
        return {**body(state, self._device.status), "asked_boot_us": self._device.asked_boot_us}

    def issues(self) -> list[dict[str, str]]:
        """A battery that ends soon will end the recording."""
        state = self.state
        if state.mains is not Power.OFF or not (state.low_battery or state.forced_shutdown):
            return []
        left = "" if state.battery_percent is None else f"{state.battery_percent} %"
        what = (
            "the UPS was told to cut the power"
            if state.forced_shutdown
            else "the mains failed and the battery ends soon"
        )
        return [{"what": what, "why": f"{state.by} {left}".strip()}]


def body(state: MainsState, status: str) -> dict[str, object]:
    """The body of `power_changed` (docs/ref/ledger-format.md)."""
    return {
        "mains": str(state.mains), "battery_percent": state.battery_percent, "runtime_s": state.runtime_s, "by": state.by,
        "since_us": state.since_wall_us, "low_battery": state.low_battery, "forced_shutdown": state.forced_shutdown,
        "status": status,
    }  # fmt: skip


def same_news(state: MainsState, told: MainsState | None) -> bool:
    """Whether an entry about `told` still says what is so: the same supply, and on battery within 5 % of the same charge."""
    if told is None:
        return False
    flags = (state.mains, state.low_battery, state.forced_shutdown)
    if flags != (told.mains, told.low_battery, told.forced_shutdown):
        return False
    if state.mains is not Power.OFF or state.battery_percent is None or told.battery_percent is None:
        return True
    return abs(state.battery_percent - told.battery_percent) < _STEP_PERCENT


def placed(state: MainsState, before: MainsState | None, wall_us: int) -> MainsState:
    """`state` with the time since when its mains are so."""
    if before is not None and before.mains is state.mains and before.since_wall_us:
        return replace(state, since_wall_us=before.since_wall_us)
    return replace(state, since_wall_us=wall_us)
