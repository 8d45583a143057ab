"""What was asked of a browser and not answered yet: bounded, each for one answer, each for a few minutes. Pure but for its clock."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Generic, TypeVar

from longwatch.base.clock import Clock

_T = TypeVar("_T")


class Pending(Generic[_T]):
    """At most `most` at once: the oldest goes. Owner of the state: the server's loop."""

    def __init__(self, clock: Clock, most: int, for_s: float) -> None:
        self._clock = clock
        self._most = most
        self._for_us = int(for_s * 1e6)
        self._waiting: OrderedDict[str, tuple[int, _T]] = OrderedDict()

    def put(self, what: _T) -> str:
        """A name for it that nobody can guess: 256 random bits."""
        now_us = self._clock.boottime_us()
        while self._waiting and (len(self._waiting) >= self._most or next(iter(self._waiting.values()))[0] <= now_us):
            self._waiting.popitem(last=False)
        name = secrets.token_urlsafe(32)
        self._waiting[name] = (now_us + self._for_us, what)
        return name

    def take(self, name: str) -> _T | None:
        """Once; None where it is not there, or over."""
        until_us, what = self._waiting.pop(name, (0, None))
        return what if self._clock.boottime_us() < until_us else None

    def __len__(self) -> int:
        return len(self._waiting)
