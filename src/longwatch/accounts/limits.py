"""How often something may be tried: a bucket per key that fills again with time."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError

_MOST_KEYS = 10_000


class ThrottledError(LongwatchError):
    """Too many tries (429). after_s: when to try again."""

    def __init__(self, after_s: float) -> None:
        super().__init__("too many tries", remedy=f"wait {max(1, round(after_s))} s and try again")
        self.after_s = after_s


def place_of(address: str) -> str:
    """What tries and connections are counted by: an IPv4 address; of IPv6 the network of 64 bits, since whoever has one address of it
    has all. Not of link-local ones: there everybody shares one network.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return address if found.is_link_local else str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))


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
