"""Sightings become events with a beginning, changes and one end. Pure: time comes in with the pictures, changes come out.

One thing is one event: motion in a camera is one, wherever in the picture; what crosses a line is one for each line and thing; an object one for
each track of its tracker; a hidden view one for each way of hiding it. Sightings of one thing that follow each other within its hold time are
the same event. It begins at its first sighting and ends at its last: hold times, and the seconds before and after that a clip shows, are never part of it.

Time is the time of pictures that were *looked at*: an event ends once the camera was looked at for the hold time without seeing it. While nobody looks (the
camera is away, the watcher is down) nothing is said to be over; `lost` ends what is open at the last moment it was seen. A program that starts anew is
handed the events that were open, and goes on with them in just this way. Events of one thing never overlap; a clock that steps back ends them first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from longwatch.model.events import LONGEST_US, Event, EventChange, Phase, Sighting, group_of

SECOND_US = 1_000_000
"""What moves for longer is the next event; what hides the view is one for as long as it does."""
MOST_OPEN = 64
"""Of one camera at once. What more things there are count as one more of their kind."""
MOST_ZONES = 32
BETTER = 0.05
_HOLDS_US = MappingProxyType({
    "motion": 5 * SECOND_US, "motion.line": SECOND_US, "motion.dwell": 10 * SECOND_US, "object": 5 * SECOND_US, "tamper": 30 * SECOND_US,
    "thermal": 30 * SECOND_US,
})  # fmt: skip
_LATCHED = frozenset(
    {"tamper", "thermal"}
)  # said to be over by the detector itself; its hold is for where that word was lost


@dataclass(frozen=True, slots=True)
class Options:
    """holds_us: by kind, or by its group: how long it may be out of sight. least_us, least_score: what is shorter or weaker is none, by group.
    update_us: at most one change in so long, of an event that goes on; still_us: one at least, so that a power cut takes no more of it.
    """

    holds_us: Mapping[str, int] = field(default_factory=lambda: _HOLDS_US)
    least_us: Mapping[str, int] = field(default_factory=dict)
    least_score: Mapping[str, float] = field(default_factory=dict)
    update_us: int = 5 * SECOND_US
    still_us: int = 30 * SECOND_US

    def hold_us(self, kind: str) -> int:
        """Of a kind."""
        found = self.holds_us.get(kind)
        return self.holds_us.get(group_of(kind), 5 * SECOND_US) if found is None else found


@dataclass(slots=True)
class _Open:
    """What is going on. said: it was told as new. told: as it was told last. area: of the best picture's box. adrift: its tracker is gone."""

    event: Event
    said: bool
    told: Event
    area: float = 0.0
    adrift: bool = False


_Thing = tuple[str, str, int | None]


class Maker:
    """Of one camera. Owner of what is open."""

    def __init__(self, camera: str, options: Options | None = None, open_events: Iterable[Event] = ()) -> None:
        """open_events: as they were stored, with no end yet."""
        self.camera = camera
        self._options = options or Options()
        self._open: dict[_Thing, _Open] = {}
        self._left: list[EventChange] = []
        for event in sorted(open_events, key=lambda event: event.id):
            self._resume(event)

    def _resume(self, event: Event) -> None:
        """Goes on. Tracks are of the tracker that is gone: it goes on as the thing of its kind that has none, and a second one is over."""
        thing: _Thing = (event.kind, event.zones[0] if _by_zone(event.kind) and event.zones else "", None)
        if thing in self._open or event.to_us is not None:
            self._left.append(EventChange(Phase.END, replace(event, to_us=event.last_us)))
        else:
            self._open[thing] = _Open(event, said=True, told=event, area=_area(event), adrift=True)

    @property
    def open(self) -> list[Event]:
        """What was told as new and is not over, the oldest first."""
        return sorted((one.event for one in self._open.values() if one.said), key=lambda event: event.id)

    @property
    def busy(self) -> bool:
        """Whether anything goes on, told or not."""
        return bool(self._open or self._left)

    def pair(self, event: str, twin: str) -> Event | None:
        """An event that goes on has a twin at another camera; as it is now, or None where it goes on no more."""
        for one in self._open.values():
            if one.event.id == event:
                one.event = replace(one.event, twin=twin)
                one.told = replace(one.told, twin=twin)
                return one.event
        return None

    def sighting(self, seen: Sighting) -> list[EventChange]:
        """One look found something, or says that it is over. Raises ValueError for another camera's."""
        if seen.camera != self.camera:
            raise ValueError(f"a sighting of {seen.camera} for {self.camera}")
        said = self._before(seen.at_us)
        thing = self._thing(seen)
        if not seen.on:
            return said + self._off(seen)
        one = self._open.get(thing)
        if one is not None and self._is_other(one.event, seen.at_us):
            said += self._end(thing)
            one = None
        if one is None:
            event = Event(
                event_id(self.camera, thing, seen.at_us), self.camera, seen.kind, seen.at_us, None, seen.at_us, seen.score, seen.zones[:MOST_ZONES],
                seen.at_us, seen.box, 1, seen.detail,
            )  # fmt: skip
            one = self._open[thing] = _Open(event, said=False, told=event, area=_area(event))
        else:
            self._grow(one, seen)
        return said + self._changed(one, seen.at_us)

    def idle(self, now_us: int) -> list[EventChange]:
        """The camera was looked at up to this moment: what has been out of sight for its hold time is over."""
        said = self._before(now_us)
        for thing in [thing for thing, one in self._open.items() if self._is_other(one.event, now_us)]:
            said += self._end(thing)
        return said

    def lost(self, why: str = "") -> list[EventChange]:
        """Nobody looks any more: what was open was last seen when it was last seen, and that is all that is known."""
        said, self._left = self._left, []
        for thing, one in list(self._open.items()):
            one.event = replace(one.event, detail=one.event.detail or why)
            said += self._end(thing)
        return said

    # -- how

    def _before(self, now_us: int) -> list[EventChange]:
        """What is to be said first: what a restart left over, and what a clock that went back leaves in the future."""
        said, self._left = self._left, []
        for thing, one in list(self._open.items()):
            if now_us < one.event.last_us - self._options.hold_us(one.event.kind):
                said += self._end(thing)
        return said

    def _thing(self, seen: Sighting) -> _Thing:
        zone = seen.zones[0] if _by_zone(seen.kind) and seen.zones else ""
        track = seen.track if group_of(seen.kind) == "object" or seen.kind == "motion.line" else None
        thing: _Thing = (seen.kind, zone, track)
        if track is None or thing in self._open:
            return thing
        plain: _Thing = (seen.kind, zone, None)
        resumed = self._open.get(plain)
        if resumed is not None and resumed.adrift and seen.kind != "motion.line" and self._follows(resumed.event, seen):
            resumed.adrift = False
            self._open[thing] = self._open.pop(plain)  # a tracker that began anew goes on with what it saw
            return thing
        return plain if len(self._open) >= MOST_OPEN else thing

    def _follows(self, event: Event, seen: Sighting) -> bool:
        return 0 <= seen.at_us - event.last_us <= self._options.hold_us(event.kind)

    def _is_other(self, event: Event, now_us: int) -> bool:
        """Whether what is seen now is another event than this."""
        if now_us - event.last_us > self._options.hold_us(event.kind):
            return True
        return group_of(event.kind) not in _LATCHED and now_us - event.from_us > LONGEST_US

    def _off(self, seen: Sighting) -> list[EventChange]:
        """It is over, says who looked: of a hidden view and of a temperature that is the end; of the rest the hold time decides, since it may come back."""
        said: list[EventChange] = []
        if group_of(seen.kind) not in _LATCHED:
            return said
        for thing, one in list(self._open.items()):
            if thing[0] == seen.kind and (not seen.zones or thing[1] in seen.zones):
                one.event = replace(one.event, last_us=max(one.event.last_us, seen.at_us))
                said += self._end(thing)
        return said

    def _grow(self, one: _Open, seen: Sighting) -> None:
        event = one.event
        area = _size(seen.box)
        better = seen.score > event.score + 1e-9 or (abs(seen.score - event.score) <= 1e-9 and area > one.area * 1.1)
        zones = tuple(dict.fromkeys([*event.zones, *seen.zones]))[:MOST_ZONES]
        one.event = replace(
            event, last_us=max(event.last_us, seen.at_us), score=max(event.score, seen.score), zones=zones, count=event.count + 1,
            best_us=seen.at_us if better else event.best_us, best_box=seen.box if better else event.best_box,
            detail=seen.detail or event.detail,
        )  # fmt: skip
        one.area = area if better else one.area

    def _changed(self, one: _Open, now_us: int) -> list[EventChange]:
        event, group = one.event, group_of(one.event.kind)
        if not one.said:
            if event.last_us - event.from_us < self._options.least_us.get(group, 0):
                return []
            if event.score < self._options.least_score.get(group, 0.0):
                return []
            one.said, one.told = True, event
            return [EventChange(Phase.NEW, event)]
        news = (
            event.zones != one.told.zones or event.score >= one.told.score + BETTER or event.best_us != one.told.best_us
        )
        since_us = now_us - one.told.last_us
        if since_us < (self._options.update_us if news else self._options.still_us):
            return []
        one.told = event
        return [EventChange(Phase.UPDATE, event)]

    def _end(self, thing: _Thing) -> list[EventChange]:
        one = self._open.pop(thing)
        if not one.said:
            return []
        return [EventChange(Phase.END, replace(one.event, to_us=one.event.last_us))]


def event_id(camera: str, thing: _Thing, from_us: int) -> str:
    """The same sighting makes the same id, however often it is told; it sorts by when it began, and is safe in a path and a topic."""
    said = "|".join((camera, thing[0], thing[1], "" if thing[2] is None else str(thing[2])))
    return f"{max(0, from_us):014x}{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def _by_zone(kind: str) -> bool:
    return kind in {"motion.line", "motion.dwell", "thermal.hot", "thermal.cold"}


def _size(box: tuple[float, float, float, float] | None) -> float:
    return 0.0 if box is None else max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _area(event: Event) -> float:
    return _size(event.best_box)
