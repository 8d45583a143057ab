"""What a hub sends to the hub above it (`model.uplink.LogSource`): its own published log, and the verified logs of its posts as they came.

The posts' heads are their own signatures with ours beside them, so the hub above takes nothing on this hub's word. The list is read anew every two
seconds. Calls block. For one thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.fleet import Fleet
from longwatch.model.uplink import LogHead, LogSource

_EVERY_US = 2_000_000


class FleetLog:
    """own: the hub's. site: its id."""

    def __init__(self, fleet: Fleet, own: LogSource, site: str, clock: Clock) -> None:
        self._fleet = fleet
        self._own = own
        self._site = site
        self._clock = clock
        self._heads: dict[str, list[LogHead]] = {}
        self._read_us: int | None = None

    def posts(self) -> Sequence[str]:
        """The hub itself first."""
        self._look()
        return [self._site, *self._heads]

    def logs(self, post: str) -> Sequence[LogHead]:
        """As of the last look."""
        if post == self._site:
            return self._own.logs(post)
        self._look()
        return self._heads.get(post, [])

    def entries(self, post: str, number: int, first: int, last: int) -> list[bytes]:
        """Verified ones alone."""
        source: LogSource | Fleet = self._own if post == self._site else self._fleet
        return source.entries(post, number, first, last)

    def _look(self) -> None:
        now_us = self._clock.boottime_us()
        if self._read_us is not None and now_us - self._read_us < _EVERY_US:
            return
        self._read_us = now_us
        heads: dict[str, list[LogHead]] = {}
        for row in self._fleet.posts():
            if row.revoked_us is not None or row.id == self._site:
                continue
            try:
                found = [head for head in self._fleet.logs(row.id) if head.size and head.note]
            except LongwatchError:
                found = self._heads.get(row.id, [])
            heads[row.id] = found
        self._heads = heads
