"""What one camera may cost, over all its sessions. Pure: times come in, answers go out.

A camera that is broken or hostile can send a million pictures of three bytes, new parameter sets with each picture, or
begin and end sessions all day. Each would become rows, files and ledger entries, and take the recorder's one thread from
its neighbours. No limit here is near what a camera does that works: 240 pictures and 400 packets of audio a second, a change
of parameters now and then, a link that breaks twice a minute.
"""

from __future__ import annotations


class ExcessError(Exception):
    """The camera sends more than any camera does; the text says of what."""


class Allowance:
    """So many at once, and so many a second on average (a token bucket). Owner of its state: one stream's source."""

    __slots__ = ("_a_second", "_at_us", "_burst", "_left")

    def __init__(self, burst: float, a_second: float) -> None:
        self._burst = self._left = burst
        self._a_second = a_second
        self._at_us: int | None = None

    def take(self, count: int, now_us: int) -> bool:
        """Take `count`; False, and nothing is taken, where that is more than is left."""
        self._earn(now_us)
        if count > self._left:
            return False
        self._left -= count
        return True

    def take_one_s(self, now_us: int) -> float:
        """Take one, on credit where none is left, and give the seconds until it is earned; 0 where one was there."""
        self._earn(now_us)
        self._left = max(self._left - 1, -1.0)
        return max(0.0, -self._left) / self._a_second

    def _earn(self, now_us: int) -> None:
        if self._at_us is not None:
            earned = max(0, now_us - self._at_us) / 1e6 * self._a_second
            self._left = min(self._burst, self._left + earned)
        self._at_us = now_us


SHORT_SESSION_US = 6_000_000


class Bounds:
    """items: samples, losses and reports. formats: changes of parameters within a session, each of which begins a file.
    restarts: sessions that are over as soon as they streamed, and attempts that fail otherwise than the one before; each
    makes a file, or a gap.
    """

    __slots__ = ("formats", "items", "restarts")

    def __init__(self) -> None:
        self.items = Allowance(10_000, 2_000)
        self.formats = Allowance(30, 0.2)
        self.restarts = Allowance(30, 0.2)
