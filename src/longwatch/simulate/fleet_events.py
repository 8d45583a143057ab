"""What a post that is not there saw: one event for each of its pictures (`model.uplink.EventSource`). In memory, the newest alone; for one thread."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence

from longwatch.model.event_rows import ToldEvent
from longwatch.model.events import Event
from longwatch.model.uplink import Position

MOST = 5_000
"""Rows that are kept: a hub that was away for longer hears of the newest."""
_US = 1_000_000
_KINDS = (
    "motion",
    "motion",
    "motion",
    "motion.line",
    "object.person",
    "object.vehicle",
    "object.animal",
    "tamper.covered",
)


class FleetEvents:
    """seed: of what the events are, and of the numbers' life."""

    def __init__(self, post: str, seed: object) -> None:
        self._post = post
        self._draw = random.Random(f"{seed}/{post}/events")  # noqa: S311 - a life that can be had again
        self._life = self._draw.randrange(1, 1 << 52)
        self._rows: deque[ToldEvent] = deque(maxlen=MOST)
        self._rev = 0

    def saw(self, camera: str, at_us: int) -> None:
        """Something, best at that moment; it is over, and has its picture."""
        lasted_us = self._draw.randrange(2 * _US, 60 * _US)
        begin_us = max(0, at_us - self._draw.randrange(lasted_us))
        left, top = self._draw.uniform(0, 0.7), self._draw.uniform(0, 0.7)
        event = Event(
            f"{begin_us:014x}{self._draw.getrandbits(32):08x}", camera, self._draw.choice(_KINDS), begin_us, begin_us + lasted_us, begin_us + lasted_us,
            round(self._draw.uniform(0.3, 1), 3), (), at_us, (round(left, 4), round(top, 4), round(left + 0.2, 4), round(top + 0.3, 4)), 5,
        )  # fmt: skip
        self._rows.append(ToldEvent(event, at_us))
        self._rev += 1

    def posts(self) -> Sequence[str]:
        """The post itself."""
        return [self._post]

    def end(self, post: str) -> Position:
        """See EventSource."""
        return Position(self._life, self._rev) if post == self._post else Position()

    def fits(self, post: str, position: Position) -> bool:
        """See EventSource."""
        return post == self._post and position.life == self._life and position.rev <= self._rev

    def anew(self, post: str) -> None:
        """See EventSource."""
        if post == self._post:
            self._life = self._draw.randrange(1, 1 << 52)

    def after(self, post: str, position: Position, limit: int) -> tuple[Sequence[ToldEvent], Position]:
        """See EventSource. A row is told once: nothing of it changes."""
        if post != self._post:
            return [], Position()
        first = max(position.rev, self._rev - len(self._rows))
        start = first - (self._rev - len(self._rows))
        rows = [self._rows[n] for n in range(start, min(len(self._rows), start + limit))]
        return rows, Position(self._life, first + len(rows))
