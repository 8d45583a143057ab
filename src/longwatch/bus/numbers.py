"""Whether a message is the next of its sender, by the sender's own numbers: a broker drops in silence what a receiver does not take. Pure."""

from __future__ import annotations

import enum
from collections import OrderedDict

_MOST = 256


class Taken(enum.Enum):
    """What a number says."""

    NEXT = "next"
    MISSED = "missed"
    """Something before it did not come, or this sender is new here: look into the database."""
    OLD = "old"
    """It was taken already, or its sender has begun anew since: pass it over."""


class Numbers:
    """Owner of the last number of each sender, bounded: one that is forgotten is as one that is new."""

    def __init__(self, *, first_is_next: bool = False) -> None:
        """first_is_next: where nothing of a sender's life before matters."""
        self._first_is_next = first_is_next
        self._last: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def take(self, sender: str, life: int, number: int) -> Taken:
        """A message came."""
        known = self._last.get(sender)
        if known is not None and (life, number) <= known:
            return Taken.OLD
        self._last[sender] = (life, number)
        self._last.move_to_end(sender)
        while len(self._last) > _MOST:
            self._last.popitem(last=False)
        follows = known == (life, number - 1) or (number == 1 and self._first_is_next)
        return Taken.NEXT if follows else Taken.MISSED
