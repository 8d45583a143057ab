"""The model for objects as the watcher sees it: which folder, whether children may be told of it, how many crops they may ask it about.

A model that ends a child, while it is opened or while it is asked, is left alone for longer each time, and motion is looked at without it meanwhile: no camera pays for
the model twice. Owner of its state.
"""

from __future__ import annotations

from typing import Any

import structlog

from longwatch.detection.asking import Asks
from longwatch.detection.scheduling import Level

REST_US = (5_000_000, 30_000_000, 300_000_000, 3_600_000_000)
LATE_US = 6_000_000
"""A camera that is so far behind asks about nothing: motion goes first. What comes late by nature, a group of pictures since its sync sample as the gate opens, is less old."""
_SOUND_AFTER_US = 600_000_000
_log = structlog.get_logger(__name__)


class ModelKept:
    """See the module. Times are of CLOCK_BOOTTIME."""

    def __init__(self, now_us: int) -> None:
        self.folder = ""
        self._mark = ""
        self._asks = Asks(2.0, now_us)
        self._told: dict[str, Any] = {}
        self._failures = 0
        self._deaths = 0
        self._failed_us = 0
        self._rest_until_us = 0
        self._unopened = False

    def use(self, folder: str, mark: str, rate: float, now_us: int) -> bool:
        """What the settings say. Gives whether the model is another one, so that children are to be replaced."""
        self._asks.rate = rate
        if (folder, mark) == (self.folder, self._mark):
            return False
        self.folder, self._mark = folder, mark
        self._told, self._failures, self._rest_until_us, self._unopened = {}, 0, now_us, False
        return True

    @property
    def for_children(self) -> str:
        """The folder that a child which starts now is told; "" for none."""
        return "" if self._unopened else self.folder

    def came(self, told: dict[str, Any]) -> None:
        """What a child says of it."""
        self._told = {name: told.get(name, "") for name in ("doing", "why", "name", "version", "licence")}
        self._told["doing"] = "ready" if told.get("doing") == "ready" else "failing"
        finds, ask_us = told.get("finds"), told.get("ask_us")
        self._told["finds"] = finds if isinstance(finds, list) else []
        self._told["ask_us"] = ask_us if type(ask_us) is int else 0

    def ended(self, now_us: int, *, asked: bool) -> None:
        """A child ended over it. asked: while it was asked, else while it was opened."""
        if now_us - self._failed_us > _SOUND_AFTER_US:
            self._failures = 0
        rest_us = REST_US[min(self._failures, len(REST_US) - 1)]
        self._failures += 1
        self._deaths += 1
        self._failed_us, self._rest_until_us = now_us, now_us + rest_us
        self._unopened = not asked
        _log.warning("the model for objects ended a child", asked=asked, rest_s=rest_us // 1_000_000)

    def over(self, now_us: int) -> bool:
        """Whether children without it are to be replaced, since it has rested."""
        if self._unopened and now_us >= self._rest_until_us:
            self._unopened = False
            return True
        return False

    def grant(self, camera: str, wants: bool, level: Level, behind_us: int, now_us: int) -> int:
        """How many crops a camera's next job may ask about."""
        ready = self._told.get("doing") == "ready" and now_us >= self._rest_until_us
        if not wants or not ready or level > Level.ALL or behind_us > LATE_US:
            return 0
        return self._asks.grant(camera, now_us)

    def used(self, camera: str, granted: int, told: dict[str, Any], now_us: int) -> tuple[int, int]:
        """(crops asked about, crops that were due and not asked about) of a job, as far as that can be believed."""
        asked, passed = told.get("asked", 0), told.get("passed", 0)
        asked = min(max(asked, 0), granted) if type(asked) is int else granted
        passed = min(max(passed, 0), 10_000) if type(passed) is int else 0
        self._asks.used(camera, granted, asked, passed, now_us)
        why = told.get("model_why")
        if isinstance(why, str) and why and self._told.get("doing") == "ready":
            self._told["why"] = why[:300]
        return asked, passed

    def forget(self, camera: str) -> None:
        """It is not looked at any more."""
        self._asks.forget(camera)

    def state(self, now_us: int) -> dict[str, Any]:
        """As `model.watching.model_of` takes it."""
        blank: dict[str, Any] = {"doing": "opening" if self.folder else "none", "why": "", "name": "", "version": "", "licence": "", "finds": [], "ask_us": 0}  # fmt: skip
        told = blank | (self._told if self.folder else {}) | {"deaths": self._deaths}
        if self.folder and now_us < self._rest_until_us:
            told |= {
                "doing": "resting",
                "why": "it ended a process while it was " + ("opened" if self._unopened else "asked"),
            }
        return told
