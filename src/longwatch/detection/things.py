"""Of what class is what moves: which crops are asked about, answers to things, votes to a word. Of one camera. Pure; time is that of the pictures.

A *thing* is what the model found where something moves, from look to look, by boxes alone: no feature of how it looks is kept or compared, and its number means nothing outside this camera
and this event. Between two answers its box goes with what moves. Each answer is a vote for a class; it is said once the votes are clear, and stays what it was called.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from longwatch.detection.crops import Crop, crop_of, holds
from longwatch.detection.layouts import Found, area, overlap_of, shared
from longwatch.detection.zones import within
from longwatch.model.events import MOTION, Box, Sighting, Watched, Zone

MOST_THINGS = 32
KEPT_US = 5_000_000
"""Not seen for so long, a thing is another one when it comes back."""
CLEAR, AHEAD = 0.9, 1.5
"""Sum of the scores for a class from which on it is said, and how many times that of any other class."""
SURE, SPARSE_US = 0.8, 1_500_000
"""One answer with this score is enough where looks are so far apart."""
_SOON_US, _LATER_US, _SELDOM_US, _AGAIN_US = 350_000, 1_000_000, 5_000_000, 4_000_000
_SOON, _LATER = 6, 12
_LARGER = 1.6
_COVERED, _MOSTLY, _SAME = 0.25, 0.5, 0.4
_ONE, _WITHIN, _FAINTER = 0.55, 0.75, 0.8
_STEP = 1.4


@dataclass(frozen=True, slots=True)
class Wanted:
    """A crop of the picture, and the numbers of what moves in it."""

    crop: Crop
    tracks: tuple[int, ...]


@dataclass(slots=True)
class _Mover:
    """What moves, as the looker numbers it. box: in the last look that had it. asked_area: of its box when it was asked about."""

    box: Box
    seen_us: int
    asked: int = 0
    asked_us: int = 0
    asked_area: float = 0.0


@dataclass(slots=True)
class _Thing:
    """carrier: the mover that it goes with. votes: by kind, the sum of scores. kind: what it is called, "" until that is clear."""

    number: int
    box: Box
    carrier: int
    last_us: int
    kind: str = ""
    votes: dict[str, float] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)


class Things:
    """Of one camera. Owner of its state, which lives in the child alone and is never stored."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._movers: dict[int, _Mover] = {}
        self._things: list[_Thing] = []
        self._next = 0
        self._apart_us = 0
        self._looked_us = 0

    def moved(self, seen: Sequence[Sighting], now_us: int) -> None:
        """What the looker saw in this picture: things go with what moves."""
        self._apart_us, self._looked_us = now_us - self._looked_us, now_us
        if not 0 < self._apart_us <= 60_000_000:
            self._apart_us = 0
            self._movers.clear()
            self._things.clear()
        moving = {
            each.track: each.box
            for each in seen
            if each.kind == MOTION and each.on and each.track is not None and each.box is not None
        }
        for number, box in moving.items():
            before = self._movers.get(number)
            if before is None:
                self._movers[number] = _Mover(box, now_us)
                continue
            for thing in self._things:
                if thing.carrier == number:
                    thing.box, thing.last_us = carried(thing.box, before.box, box), now_us
            before.box, before.seen_us = box, now_us
        self._movers = {number: each for number, each in self._movers.items() if now_us - each.seen_us <= KEPT_US}
        self._things = [each for each in self._things if now_us - each.last_us <= KEPT_US]

    def wanted(self, now_us: int, width: int, height: int) -> list[Wanted]:
        """Crops that are to be asked about now, the most urgent first. width, height: of the decoded picture."""
        due = {
            number: each
            for number, each in self._movers.items()
            if each.seen_us == now_us and self._is_due(number, each, now_us)
        }
        made: list[Wanted] = []
        while due:
            first = min(
                due, key=lambda number: (self._settled(number), due[number].asked, -area(due[number].box), number)
            )
            crop = crop_of(due[first].box, width, height)
            inside = [number for number, each in due.items() if number == first or holds(crop, each.box, width, height)]
            made.append(Wanted(crop, tuple(inside)))
            for number in inside:
                del due[number]
        return made

    def passed(self, wanted: Wanted, now_us: int) -> None:
        """It was not asked: there was no room for it now."""
        for number in wanted.tracks:
            self._movers[number].asked_us = now_us

    def answered(self, wanted: Wanted, found: Sequence[Found], now_us: int) -> None:
        """found: the best first, boxes in parts of the picture."""
        for number in wanted.tracks:
            mover = self._movers[number]
            mover.asked, mover.asked_us, mover.asked_area = mover.asked + 1, now_us, area(mover.box)
        taken: list[tuple[_Thing, Found]] = []
        for each in self._moving(found, now_us):
            carrier = self._carrier(each.box, now_us)
            if carrier is None or any(_is_part(each, of) for _, of in taken):
                continue
            same = next((one for one, of in taken if overlap_of(of.box, each.box) > _ONE), None)
            if same is not None:  # another name for what was named already: it counts against it
                _vote(same, each)
                continue
            thing = self._nearest(each, [one for one, _ in taken], now_us) or self._begun(carrier, now_us)
            if thing is not None:
                thing.box, thing.carrier, thing.last_us = each.box, carrier, now_us
                _vote(thing, each)
                taken.append((thing, each))
        for thing, _ in taken:
            thing.kind = thing.kind or self._clear(thing)

    def said(self, now_us: int) -> list[Sighting]:
        """What is there in this picture and has a class that this camera, and the zone in which it stands, is asked about."""
        made = []
        for thing in self._things:
            if not thing.kind or thing.last_us != now_us or thing.kind not in self._watched.objects:
                continue
            kind = f"object.{thing.kind}"
            zones = standing(self._watched.zones, thing.box)
            if any(zone.objects is not None and thing.kind not in zone.objects for zone in zones):
                continue
            names = tuple(zone.id for zone in zones if counts(zone, kind))
            score = thing.votes[thing.kind] / thing.answers[thing.kind]
            made.append(Sighting(self._watched.camera, kind, now_us, min(score, 1.0), thing.box, thing.number, names))
        return made

    # -- how

    def _is_due(self, number: int, mover: _Mover, now_us: int) -> bool:
        since_us = now_us - mover.asked_us
        if self._settled(number):
            return since_us >= _AGAIN_US or (since_us >= _LATER_US and area(mover.box) > _LARGER * mover.asked_area)
        wait_us = _SOON_US if mover.asked < _SOON else _LATER_US if mover.asked < _LATER else _SELDOM_US
        return since_us >= wait_us or (since_us >= _LATER_US and area(mover.box) > _LARGER * mover.asked_area)

    def _settled(self, number: int) -> bool:
        there = [thing for thing in self._things if thing.carrier == number]
        undecided = any(not thing.kind and sum(thing.answers.values()) < _SOON for thing in there)
        return any(thing.kind for thing in there) and not undecided

    def _here(self, now_us: int) -> Mapping[int, Box]:
        return {number: each.box for number, each in self._movers.items() if each.seen_us == now_us}

    def _moving(self, found: Sequence[Found], now_us: int) -> list[Found]:
        """Those that move. A car that is parked behind somebody who walks is found as well, and is none of it."""
        here = list(self._here(now_us).values())
        moving = []
        for each in found:
            for box in here:
                covered = shared(each.box, box) / max(area(each.box), 1e-9)
                better = any(overlap_of(other.box, box) > _SAME for other in found if other is not each)
                if covered >= (_MOSTLY if better else _COVERED):
                    moving.append(each)
                    break
        return moving

    def _carrier(self, box: Box, now_us: int) -> int | None:
        here = self._here(now_us)
        best = max(here, key=lambda number: shared(box, here[number]), default=None)
        return best if best is not None and shared(box, here[best]) > 0 else None

    def _nearest(self, found: Found, taken: Sequence[_Thing], now_us: int) -> _Thing | None:
        """The thing that it is, by place: they overlap, or their middles are less than half a length apart, more after a while without a look at it. What was out of sight
        and had another name is another one: a car follows where somebody has gone.
        """
        best, least, box = None, 1.0, found.box
        for thing in self._things:
            if any(thing is one for one in taken) or (thing.last_us != now_us and found.kind not in thing.votes):
                continue
            away = _apart(thing.box, box) / (0.5 * _length(thing.box, box) * (1 + (now_us - thing.last_us) / 1e6))
            cost = min(away, 1.2 - overlap_of(thing.box, box) if overlap_of(thing.box, box) > 0.2 else away)
            if cost < least:
                best, least = thing, cost
        return best

    def _begun(self, carrier: int, now_us: int) -> _Thing | None:
        if len(self._things) >= MOST_THINGS:
            return None
        # By the clock, so that a child that begins anew gives no number that is still in use.
        self._next = max(self._next + 1, now_us // 1_000_000)
        thing = _Thing(self._next, (0.0, 0.0, 0.0, 0.0), carrier, now_us)
        self._things.append(thing)
        return thing

    def _clear(self, thing: _Thing) -> str:
        first, *rest = sorted(thing.votes, key=lambda kind: (-thing.votes[kind], kind))
        most = thing.votes[first]
        if rest and most < AHEAD * thing.votes[rest[0]]:
            return ""
        return first if most >= CLEAR or (most >= SURE and self._apart_us >= SPARSE_US) else ""


def _vote(thing: _Thing, found: Found) -> None:
    thing.votes[found.kind] = thing.votes.get(found.kind, 0.0) + found.score
    thing.answers[found.kind] = thing.answers.get(found.kind, 0) + 1


def _is_part(found: Found, of: Found) -> bool:
    """Whether it is rather a part of another one than a thing of its own: it lies within, and is of its kind or much less sure."""
    within = shared(found.box, of.box) >= _WITHIN * area(found.box)
    return (
        within
        and overlap_of(found.box, of.box) <= _ONE
        and (found.kind == of.kind or found.score < _FAINTER * of.score)
    )


def carried(box: Box, before: Box, now: Box) -> Box:
    """Where a box is that goes with another one: moved as its middle has moved, and as much larger or smaller, by steps that are no jump."""
    grown_x = min(max((now[2] - now[0]) / max(before[2] - before[0], 1e-6), 1 / _STEP), _STEP)
    grown_y = min(max((now[3] - now[1]) / max(before[3] - before[1], 1e-6), 1 / _STEP), _STEP)
    x, y = (now[0] + now[2]) / 2, (now[1] + now[3]) / 2
    was_x, was_y = (before[0] + before[2]) / 2, (before[1] + before[3]) / 2
    made = (
        x + (box[0] - was_x) * grown_x,
        y + (box[1] - was_y) * grown_y,
        x + (box[2] - was_x) * grown_x,
        y + (box[3] - was_y) * grown_y,
    )
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in made)
    return left, top, right, bottom


def standing(zones: Sequence[Zone], box: Box) -> list[Zone]:
    """The zones in which a thing stands: where the middle of its lower edge is."""
    foot = (box[0] + box[2]) / 2, min(box[3], 0.999)
    return [zone for zone in zones if not zone.ignored and within(foot, zone.points)]


def counts(zone: Zone, kind: str) -> bool:
    """Whether a kind counts in a zone."""
    return not zone.kinds or any(kind == each or kind.startswith(f"{each}.") for each in zone.kinds)


def _apart(a: Box, b: Box) -> float:
    return math.hypot((a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2)


def _length(a: Box, b: Box) -> float:
    return max(a[2] - a[0], a[3] - a[1], b[2] - b[0], b[3] - b[1], 1e-6)
