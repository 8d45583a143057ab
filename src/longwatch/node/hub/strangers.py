"""Who stands at a hub's door without a certificate: how many at a time, and who has to go where there are too many. Pure.

Somebody who joins says so in one message, at once. Whoever opens a connection and says nothing, or a letter at a time, is silent, and makes way: of the address that
has the most, the one that has stood longest. So silence from a few addresses keeps nobody out, and somebody whose code is being looked at is never sent away.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Generic, TypeVar

MOST_TOGETHER = 32
MOST_OF_ONE = 8
"""Of one address: posts behind one router may join together."""
_One = TypeVar("_One")


@dataclass(slots=True)
class _Standing:
    address: str
    is_served: bool = False


class Strangers(Generic[_One]):
    """most: of all; most_of_one: of an address. What stands is known by whatever names a connection. Owner: the event loop."""

    def __init__(self, most: int = MOST_TOGETHER, most_of_one: int = MOST_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._standing: dict[_One, _Standing] = {}  # in the order in which they came

    def __len__(self) -> int:
        return len(self._standing)

    def may(self, address: str) -> bool:
        """Whether one more of that address would find room: where all that would have to go are being served, it would not."""
        of_it = [one for one in self._standing.values() if one.address == address]
        if len(of_it) >= self._most_of_one:
            return any(not one.is_served for one in of_it)
        return len(self._standing) < self._most or any(not one.is_served for one in self._standing.values())

    def enter(self, one: _One, address: str) -> _One | None:
        """It stands here from now on. Who has to go for it, and stands here no more; itself, where there is no room."""
        if not self.may(address):
            return one
        self._standing[one] = _Standing(address)
        counts = Counter(each.address for each in self._standing.values())
        if counts[address] > self._most_of_one:
            return self._dismiss({address}, one)
        if len(self._standing) <= self._most:
            return None
        silent = {name: each for name, each in self._standing.items() if not each.is_served and name != one}
        most = max(counts[each.address] for each in silent.values())
        return self._dismiss({each.address for each in silent.values() if counts[each.address] == most}, one)

    def _dismiss(self, addresses: set[str], but: _One) -> _One | None:
        for name, each in self._standing.items():
            if name != but and not each.is_served and each.address in addresses:
                del self._standing[name]
                return name
        return None

    def serve(self, one: _One, *, served: bool) -> None:
        """It said what it wants, and that is being done; or was done."""
        if one in self._standing:
            self._standing[one].is_served = served

    def leave(self, one: _One) -> None:
        """Its connection is over."""
        self._standing.pop(one, None)
