"""Objects that wait for the hub, by class and order: in memory. `outbox` keeps the same in `server.db`.

Bounded: beyond `most` nothing is taken, and whoever fills it comes again later; what a person asked for finds `for_asked` places more. What
changed stands in `changes` until it is written down. Losing the last changes harms nothing: the hub's word comes again.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from longwatch.model.uplink import Class, ObjectInfo

MOST = 20_000
FOR_ASKED = 4_000


@dataclass(slots=True)
class Item:
    """One object that waits. order: what goes first within its class; lower is sooner. request: the hub's number of a person's request, 0 for none.

    tries: how often the hub refused it for now. not_before_us: CLOCK_BOOTTIME.
    """

    info: ObjectInfo
    cls: Class
    order: int
    request: int = 0
    tries: int = 0
    not_before_us: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What became of an object. what: `added`, `moved` (to another class), `confirmed`, `refused`, `gone`, `dropped`."""

    what: str
    item: Item
    why: str = ""


class Queue:
    """For one thread. Owner: the uplink."""

    def __init__(self, items: Iterable[Item] = (), most: int = MOST, for_asked: int = FOR_ASKED) -> None:
        self._most = most
        self._for_asked = for_asked
        self._items: dict[bytes, Item] = {}
        self._fresh: dict[Class, list[tuple[int, bytes]]] = {cls: [] for cls in Class}
        self._bytes = dict.fromkeys(Class, 0)
        self.changes: list[Change] = []
        for item in items:
            self._put(item)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, sha256: bytes) -> bool:
        return sha256 in self._items

    def get(self, sha256: bytes) -> Item | None:
        """What waits under this hash."""
        return self._items.get(sha256)

    def items(self) -> list[Item]:
        """All of them."""
        return list(self._items.values())

    def room(self, cls: Class) -> int:
        """How many more are taken."""
        return self._most + (self._for_asked if cls is Class.ASKED else 0) - len(self._items)

    def backlog(self) -> dict[Class, int]:
        """Bytes by class."""
        return {cls: size for cls, size in self._bytes.items() if cls is not Class.LEDGER}

    def waits(self, cls: Class) -> bool:
        """Whether anything of it is here."""
        return self._bytes[cls] > 0

    def add(self, info: ObjectInfo, cls: Class, order: int, request: int = 0) -> bool:
        """False where it finds no room. What is here in a later class moves to this one."""
        known = self._items.get(info.sha256)
        if known is not None:
            if cls < known.cls or (request and not known.request):
                self._bytes[known.cls] -= known.info.size
                moved = Item(known.info, min(cls, known.cls), order, request or known.request, known.tries, 0)
                self._put(moved)
                self.changes.append(Change("moved", moved))
            return True
        if self.room(cls) <= 0:
            return False
        item = Item(info, cls, order, request)
        self._put(item)
        self.changes.append(Change("added", item))
        return True

    def _put(self, item: Item) -> None:
        self._items[item.info.sha256] = item
        self._bytes[item.cls] += item.info.size
        heapq.heappush(self._fresh[item.cls], (item.order, item.info.sha256))

    def take(self, cls: Class, boot_us: int, *, taken: Iterable[bytes] = ()) -> Item | None:
        """The next of a class that was not taken since `again`."""
        heap = self._fresh[cls]
        later = []
        found = None
        while heap and found is None:
            order, sha256 = heapq.heappop(heap)
            item = self._items.get(sha256)
            if item is None or item.cls is not cls or item.order != order or sha256 in taken:
                continue
            if item.not_before_us > boot_us:
                later.append((order, sha256))
                continue
            found = item
        for each in later:
            heapq.heappush(heap, each)
        return found

    def again(self) -> None:
        """A new connection: everything is to be offered again."""
        for cls in Class:
            self._fresh[cls] = [(i.order, i.info.sha256) for i in self._items.values() if i.cls is cls]
            heapq.heapify(self._fresh[cls])

    def soonest_us(self, cls: Class) -> int | None:
        """When something that was refused for now may be offered again, CLOCK_BOOTTIME; None where nothing is left to offer."""
        times = [self._items[sha].not_before_us for _, sha in self._fresh[cls] if sha in self._items]
        return min(times, default=None)

    def leave(self, sha256: bytes, what: str, why: str = "") -> Item | None:
        """It is `confirmed`, `refused` for good, `gone` here, or `dropped`: it waits no longer."""
        item = self._items.pop(sha256, None)
        if item is not None:
            self._bytes[item.cls] -= item.info.size
            self.changes.append(Change(what, item, why))
        return item

    def put_off(self, sha256: bytes, boot_us: int) -> None:
        """The hub cannot take it yet: again after 10 s, then longer, at most an hour."""
        item = self._items.get(sha256)
        if item is not None:
            item.tries += 1
            item.not_before_us = boot_us + min(3_600_000_000, 10_000_000 << min(item.tries - 1, 9))
            heapq.heappush(self._fresh[item.cls], (item.order, sha256))
