"""What comes down the link to a post in quantity: a bundle of a release, asked for by the post, part by part. docs/design/upgrades.md.

    fetch = Fetch(sha256, size, have)
    body = fetch.next(now_us, quantum, most)                  # to be said as BULK, or nothing now
    fresh = fetch.take(offset, data, now_us)                  # bytes that are new, to be put behind what is there

The post asks, so its windows and budgets hold for what comes as for what goes. It asks for as much as keeps the way full and the queue before it short, so
that a command of the hub waits for less than a second. `answer` is the hub's side, without state: a part of a file. Pure; time is CLOCK_BOOTTIME. What comes is foreign: nothing counts before the whole has its hash.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from longwatch.wire.uplink import Body, LinkError

MIN_PART, MAX_PART = 1 << 10, 16 << 10
MOST_ASKED = 128 << 10
MOST_AT_ONCE = 64 << 10
"""Bytes of one `fetch`."""
QUEUE_US = 400_000
SAMPLE_US = 1_000_000
_SAMPLES = 6
PATIENCE_US = 60_000_000
"""So long nothing comes, and it is asked for again."""


class Fetch:
    """One object on its way down, over any number of connections. have: bytes that are there and durable enough to go on behind."""

    def __init__(self, sha256: str, size: int, have: int = 0) -> None:
        self.sha256 = sha256
        self.size = size
        self.have = have
        self._asked_to = have
        self._asked: deque[tuple[int, int]] = deque()  # of each `fetch`: where it begins, and when it was said
        self._quickest_us: int | None = None
        self._rates: deque[int] = deque(maxlen=_SAMPLES)
        self._counted: tuple[int, int] | None = None  # bytes that were here, and when
        self._heard_us = 0

    @property
    def whole(self) -> bool:
        """Whether all bytes are here; nothing is said of their hash."""
        return self.have >= self.size

    @property
    def look_us(self) -> int:
        """When to ask `next` again, if nothing comes before."""
        return self._heard_us + PATIENCE_US

    def begin(self, now_us: int) -> None:
        """A new connection: what was asked for on the one before does not come any more."""
        self._again(now_us)
        self._quickest_us = None
        self._rates.clear()

    def anew(self, now_us: int) -> None:
        """What came was not it: from the beginning."""
        self.have = 0
        self._again(now_us)

    def _again(self, now_us: int) -> None:
        self._asked_to = self.have
        self._asked.clear()
        self._counted = None
        self._heard_us = now_us

    def next(self, now_us: int, quantum: int, most: int | None = None) -> dict[str, int | str] | None:
        """The body of the `fetch` that is to be said now, if any. quantum: bytes of a part, about. most: that may be asked for at once, from a rate cap."""
        most = max(MIN_PART, MOST_ASKED if most is None else most)
        part = max(MIN_PART, min(MAX_PART, quantum, most))
        if self._asked_to > self.have and now_us - self._heard_us >= PATIENCE_US:
            self._again(now_us)
        room = min(self._window(part), most) - (self._asked_to - self.have)
        if self._asked_to >= self.size or (room < part and self._asked_to > self.have):
            return None
        if self._asked_to == self.have:
            self._heard_us = now_us
            self._counted = None
        begin, end = self._asked_to, min(self.size, self._asked_to + max(part, min(room // part * part, MOST_AT_ONCE)))
        self._asked_to = end
        self._asked.append((begin, now_us))
        return {"bytes": end - begin, "offset": begin, "part": part, "sha256": self.sha256, "size": self.size}

    def _window(self, part: int) -> int:
        """What the way holds at the rate that came, and QUEUE_US more: while the way is not full it grows by itself. Two parts: one comes while one is asked for."""
        if self._quickest_us is None or not self._rates:
            return 2 * part
        return 2 * part + max(self._rates) * (self._quickest_us + QUEUE_US) // 1_000_000

    def take(self, offset: int, data: bytes, now_us: int) -> bytes:
        """The bytes of a part that are new; none of one that came before, or that leaves a hole. Raises LinkError where it is more than there is."""
        end = offset + len(data)
        if end > self.size:
            raise LinkError("the hub sends more bytes than the bundle has")
        if end <= self.have:
            return b""
        if offset > self.have:  # one between was lost on the way: the hub had no room for it
            self._again(now_us)
            return b""
        fresh = data[self.have - offset :]
        self._measure(now_us, len(fresh))
        self.have = end
        self._asked_to = max(self._asked_to, end)
        self._heard_us = now_us
        return fresh

    def _measure(self, now_us: int, size: int) -> None:
        while self._asked and self._asked[0][0] < self.have + size:
            begin, asked_us = self._asked.popleft()
            took_us = now_us - asked_us
            if begin == self.have and (self._quickest_us is None or took_us < self._quickest_us):
                self._quickest_us = took_us
        if self._counted is None:
            self._counted = (self.have + size, now_us)  # the first of a burst says when it began, and not how fast
            return
        elapsed_us = now_us - self._counted[1]
        if elapsed_us >= SAMPLE_US:
            self._rates.append((self.have + size - self._counted[0]) * 1_000_000 // elapsed_us)
            self._counted = (self.have + size, now_us)


def answer(body: Mapping[str, Any], read: Callable[[str, int, int], bytes]) -> Iterator[Body]:
    """What a hub says to a `fetch`. read: sha256, offset, size to bytes. Raises LinkError for what is no fetch, LongwatchError where it cannot be read."""
    sha256, offset, size, part = (body.get(name) for name in ("sha256", "offset", "bytes", "part"))
    if not isinstance(sha256, str) or type(offset) is not int or type(size) is not int or type(part) is not int:
        raise LinkError("a fetch that cannot be read")
    if offset < 0 or not 0 < size <= MOST_AT_ONCE or not MIN_PART <= part <= MAX_PART:
        raise LinkError("a fetch that cannot be")
    end = offset + size
    while offset < end:
        data = read(sha256, offset, min(part, end - offset))
        if not data:
            return
        yield Body("part", {"offset": offset, "of": sha256[:16]}, data)
        offset += len(data)
