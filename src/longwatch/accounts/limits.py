"""How often something may be tried: a bucket per key that fills again with time."""

from __future__ import annotations

from collections import OrderedDict

from longwatch.base.clock import Clock

_MOST_KEYS = 10_000


class Limiter:
    """At most `burst` tries at once and one more each `refill_s`, for each key. At most 10,000 keys are remembered."""

    def __init__(self, clock: Clock, burst: int, refill_s: float) -> None:
        self._clock = clock
        self._burst = burst
        self._refill_us = int(refill_s * 1e6)
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, key: str) -> float:
        """Use up one try: 0 where that was allowed, else the seconds until it will be (nothing is used up then)."""
        tries, now_us = self._level(key)
        if tries < 1:
            return (1 - tries) * self._refill_us / 1e6
        self._set(key, tries - 1, now_us)
        return 0.0

    def give_back(self, key: str) -> None:
        """The try was an honest one."""
        tries, now_us = self._level(key)
        self._set(key, min(self._burst, tries + 1), now_us)

    def _level(self, key: str) -> tuple[float, int]:
        now_us = self._clock.boottime_us()
        tries, at_us = self._buckets.get(key, (float(self._burst), now_us))
        return min(self._burst, tries + (now_us - at_us) / self._refill_us), now_us

    def _set(self, key: str, tries: float, now_us: int) -> None:
        self._buckets[key] = (tries, now_us)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
