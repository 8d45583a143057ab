"""Who looks at what, folded into few entries without leaving anything out.

One entry for a person, camera and viewing, and it begins at once. What is looked at beyond what is entered waits, and is entered
together, at most once a minute for a person and camera; what only goes on (live pictures, a still of now again and again)
once an hour, and when it ends. Ten minutes without a look end a viewing: after that the same stretch is entered anew.

Whoever looks here and there, or under a hundred names of programs, makes no more entries by it, and hides nothing: stretches that are too
many to be told one by one are told as fewer that reach over them, and programs and addresses that are too many are left out before a
stretch ever is. How many were put together so is said (`others`).
Pure: time comes in, entries come out. Owner of the state: the server's loop.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from longwatch.accounts.outbox import Said
from longwatch.accounts.who import Who
from longwatch.ledger import kinds

EVERY_US = 60_000_000
GOING_ON_US = 3_600_000_000
OVER_US = 600_000_000
EDGE_US = 10_000_000
"""So far a part of a playlist may reach beyond what was asked for: it is whole groups of pictures."""
_MOST_WATCHES = 5_000
_MOST_PIECES = 200  # of what is entered, remembered for one stretch after another; and of what waits
_MOST_TOLD = 21  # stretches in one entry
_MOST_WAITING = 100  # persons' addresses and programs, streams and ways of looking, that wait at one camera
_MOST_AT_ONCE = 10  # entries of one person and camera in a minute: one for each address and program


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody sees. what: live, recorded, still, strip or playlist. signed: by a signed URL of theirs."""

    stream: str
    what: str
    from_us: int
    to_us: int
    signed: bool = False


_Key = tuple[Who, str, str, bool]


@dataclass(slots=True)
class _Watch:
    """One person and one camera. entered, waiting: stretches, by who exactly (address, program), stream and what."""

    seen_us: int
    said_us: int | None = None
    entered: dict[_Key, list[tuple[int, int]]] = field(default_factory=dict)
    waiting: dict[_Key, list[tuple[int, int]]] = field(default_factory=dict)
    fresh: bool = False  # something waits that is more than a going on
    others: int = 0

    def wait(self, key: _Key, stretch: tuple[int, int]) -> None:
        """To be said later. Where too many wait it is said of no program, or of no address, and it is said."""
        who = key[0]
        for less in (who, replace(who, agent=""), replace(who, agent="", address="")):
            key = (less, *key[1:])
            if key in self.waiting or len(self.waiting) < _MOST_WAITING:
                break
        self.others += key[0] != who
        merged = _merged([*self.waiting.get(key, []), stretch])
        self.waiting[key] = _fewer(merged, _MOST_PIECES)
        self.others += len(merged) - len(self.waiting[key])


class Viewings:
    """See the module. boot_us is CLOCK_BOOTTIME, wall_us is wall time."""

    def __init__(self) -> None:
        self._watches: OrderedDict[tuple[int, str], _Watch] = OrderedDict()
        self._live: dict[int, tuple[Who, str, Look]] = {}
        self._numbers = itertools.count(1)

    def look(
        self,
        who: Who,
        camera: str,
        look: Look,
        boot_us: int,
        wall_us: int,
        *,
        goes_on: bool = False,
        part: bool = False,
    ) -> list[Said]:
        """Somebody looks. goes_on: where it follows what is entered, it is the same look, and may wait for an hour. part: of
        something larger; nothing new where it reaches into what was entered, and beyond it by EDGE_US at most.
        """
        said = []
        place = (who.subject, camera)
        watch = self._watches.get(place)
        if watch is not None and boot_us - watch.seen_us > OVER_US:
            said += self._said(place, boot_us, wall_us, everything=True)
            watch = None
        if watch is None:
            watch = self._watches[place] = _Watch(boot_us)
            if len(self._watches) > _MOST_WATCHES:
                said += self._forget(next(iter(self._watches)), boot_us, wall_us)
        watch.seen_us = boot_us
        self._watches.move_to_end(place)
        self._note(watch, who, look, goes_on=goes_on, part=part)
        if self._is_due(watch, boot_us):
            said += self._said(place, boot_us, wall_us)
        return said

    @staticmethod
    def _note(watch: _Watch, who: Who, look: Look, *, goes_on: bool, part: bool) -> None:
        key = (who, look.stream, look.what, look.signed)
        stretch = (look.from_us, max(look.from_us, look.to_us))
        entered, waiting = watch.entered.get(key, []), watch.waiting.get(key, [])
        if goes_on:
            last_us = max((end for _, end in [*entered, *waiting]), default=stretch[0])
            if 0 <= stretch[0] - last_us <= OVER_US:
                stretch = (last_us, stretch[1])
        if any(begin <= stretch[0] and stretch[1] <= end for begin, end in entered):
            return
        if part and _reaches_into(_merged([*entered, *waiting]), stretch):
            return
        follows = goes_on and any(begin <= stretch[0] <= end for begin, end in [*entered, *waiting])
        watch.wait(key, stretch)
        watch.fresh = watch.fresh or not follows

    def begin_live(self, who: Who, camera: str, stream: str, boot_us: int, wall_us: int) -> tuple[int, list[Said]]:
        """A live view begins. Its number for `end_live`, and what is to be said now."""
        number = next(self._numbers)
        look = Look(stream, "live", wall_us, wall_us)
        self._live[number] = (who, camera, look)
        return number, self.look(who, camera, look, boot_us, wall_us)

    def end_live(self, number: int, boot_us: int, wall_us: int) -> list[Said]:
        """It is over; the whole of it is said, now or when its minute is over."""
        who, camera, look = self._live.pop(number)
        return self.look(who, camera, replace(look, to_us=wall_us), boot_us, wall_us)

    def due(self, boot_us: int, wall_us: int) -> list[Said]:
        """What is to be said by now. Call every few seconds."""
        said = []
        for who, camera, look in list(self._live.values()):
            said += self.look(who, camera, replace(look, to_us=wall_us), boot_us, wall_us, goes_on=True)
        for place, watch in list(self._watches.items()):
            if boot_us - watch.seen_us > OVER_US:
                said += self._forget(place, boot_us, wall_us)
            elif self._is_due(watch, boot_us):
                said += self._said(place, boot_us, wall_us)
        return said

    def close(self, boot_us: int, wall_us: int) -> list[Said]:
        """The server ends: all that waits."""
        said = []
        for number in list(self._live):
            said += self.end_live(number, boot_us, wall_us)
        return said + self.flush(boot_us, wall_us)

    def flush(self, boot_us: int, wall_us: int) -> list[Said]:
        """All that waits, now; what goes on begins anew."""
        said = []
        for place in list(self._watches):
            said += self._forget(place, boot_us, wall_us)
        return said

    @staticmethod
    def _is_due(watch: _Watch, boot_us: int) -> bool:
        if not watch.waiting:
            return False
        return watch.said_us is None or boot_us - watch.said_us >= (EVERY_US if watch.fresh else GOING_ON_US)

    def _forget(self, place: tuple[int, str], boot_us: int, wall_us: int) -> list[Said]:
        said = self._said(place, boot_us, wall_us, everything=True)
        del self._watches[place]
        return said

    def _said(self, place: tuple[int, str], boot_us: int, wall_us: int, *, everything: bool = False) -> list[Said]:
        """One entry of each address and program that something waits of. everything: as many as it takes."""
        watch = self._watches[place]
        said: list[Said] = []
        while watch.waiting and (everything or len(said) < _MOST_AT_ONCE):
            who = next(iter(watch.waiting))[0]
            taken = {key: watch.waiting.pop(key) for key in [key for key in watch.waiting if key[0] == who]}
            told = _as_few(taken)
            others = watch.others + sum(map(len, taken.values())) - sum(map(len, told.values()))
            said.append(_entry(who, place[1], told, others, wall_us))
            for key, stretches in told.items():
                watch.entered[key] = _merged([*watch.entered.get(key, []), *stretches])[-_MOST_PIECES:]
            watch.others = 0
            watch.said_us = boot_us
        watch.fresh = bool(watch.waiting)
        return said


def _entry(who: Who, camera: str, told: Mapping[_Key, list[tuple[int, int]]], others: int, wall_us: int) -> Said:
    listed = [_told(key, stretch) for key, stretches in told.items() for stretch in stretches]
    body: dict[str, object] = {"camera": camera, "at_us": wall_us, **listed[0]}
    if next(iter(told))[3]:
        body["signed"] = True
    if listed[1:]:
        body["also"] = listed[1:]
    if others:
        body["others"] = others
    return Said(kinds.VIEWING, body, who.subject, who.text())


def _as_few(taken: Mapping[_Key, list[tuple[int, int]]]) -> dict[_Key, list[tuple[int, int]]]:
    """As many stretches as an entry tells: where there are more, fewer that reach over them. At least one of each key."""
    if sum(map(len, taken.values())) <= _MOST_TOLD:
        return dict(taken)
    each = max(1, _MOST_TOLD // len(taken))
    return {key: _fewer(stretches, each) for key, stretches in taken.items()}


def _fewer(stretches: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """At most so many, which hold all that these hold: those with the least between them are put together. In order, apart."""
    if len(stretches) <= most:
        return stretches
    between = sorted(range(1, len(stretches)), key=lambda n: stretches[n][0] - stretches[n - 1][1])
    kept = sorted(between[len(stretches) - most :])  # the widest stay open
    edges = [0, *kept, len(stretches)]
    return [(stretches[a][0], stretches[b - 1][1]) for a, b in pairwise(edges)]


def _reaches_into(stretches: list[tuple[int, int]], part: tuple[int, int]) -> bool:
    return any(
        begin < part[1] and part[0] < end and begin - EDGE_US <= part[0] and part[1] <= end + EDGE_US
        for begin, end in stretches
    )


def _told(key: _Key, stretch: tuple[int, int]) -> dict[str, object]:
    return {"stream": key[1], "what": key[2], "from_us": stretch[0], "to_us": stretch[1]}


def _merged(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that touch are one; by their begin."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(stretches):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged
