"""Bounded, named queues whose drops are counted. There is no other kind in this program."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

_T = TypeVar("_T")


class BoundedQueue(Generic[_T]):
    """A queue of at most `limit` units of cost for one reader on one event loop.

    `put` never waits: what does not fit is refused, counted in `dropped`, and the writer decides what that means.
    """

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self.dropped = 0
        self._items: deque[tuple[_T, int]] = deque()
        self._cost = 0
        self._wake = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def cost(self) -> int:
        """The sum of the costs of what waits."""
        return self._cost

    def first(self) -> _T | None:
        """What has waited longest; it stays."""
        return self._items[0][0] if self._items else None

    def put(self, item: _T, cost: int = 1) -> bool:
        """Add `item`; False, and counted, where it does not fit or the queue is closed."""
        if self._closed or (self._cost + cost > self.limit and self._items):
            self.dropped += 1
            return False
        self._items.append((item, cost))
        self._cost += cost
        self._wake.set()
        return True

    def clear(self) -> int:
        """Drop all that waits, counted; says how many."""
        count = len(self._items)
        self.dropped += count
        self._items.clear()
        self._cost = 0
        return count

    async def get(self) -> _T | None:
        """The next item; None once the queue is closed and empty."""
        while not self._items:
            if self._closed:
                return None
            self._wake.clear()
            await self._wake.wait()
        item, cost = self._items.popleft()
        self._cost -= cost
        return item

    def close(self) -> None:
        """No more comes in; the reader drains what is there and then gets None."""
        self._closed = True
        self._wake.set()
