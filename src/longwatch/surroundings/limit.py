"""How often the ledger is told: a relay that chatters must not fill it."""

from __future__ import annotations

from collections import deque

_MOST = 20
_WITHIN_US = 3_600_000_000
_THEN_EVERY_US = 300_000_000


class EntryLimit:
    """Twenty entries an hour at once, then one every five minutes. Pure: time comes in. left_out: refused since the last one taken."""

    __slots__ = ("_taken", "left_out")

    def __init__(self) -> None:
        self._taken: deque[int] = deque(maxlen=_MOST)
        self.left_out = 0

    def take(self, now_us: int) -> bool:
        """Whether one more may be told now."""
        taken = self._taken
        if len(taken) == _MOST and now_us - taken[0] < _WITHIN_US and now_us - taken[-1] < _THEN_EVERY_US:
            self.left_out += 1
            return False
        taken.append(now_us)
        return True

    def told(self) -> int:
        """How many were left out since this was asked last."""
        left_out, self.left_out = self.left_out, 0
        return left_out
