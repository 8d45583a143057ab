"""Happenings made of what others say: events, alarms as the recorder keeps them, and what is wrong with this post. Pure; state is JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from longwatch.base.rfc3339 import format_us
from longwatch.model import events
from longwatch.model.alarms import Alarm, AlarmKind
from longwatch.model.causes import Cause
from longwatch.model.clips import clip_of
from longwatch.model.events import Event, EventChange
from longwatch.model.said import Said, Words, as_json, first_of, from_json
from longwatch.notify.happening import Happening, Phase

_ALARMS: Mapping[str, str] = {
    "camera_silent": "not_recording", "camera_blind": "blind", "storage": "disk", "post_silent": "post_silent",
    "unknown_cause": "unexplained", "accounting_reduced": "accounting", "ledger": "ledger", "hold": "hold",
    "unconfirmed_removed": "removed",
}  # fmt: skip
"""A kind that is not named here is told as `alarm`."""
_PHASES: Mapping[events.Phase, Phase] = {
    events.Phase.NEW: Phase.BEGAN, events.Phase.UPDATE: Phase.WENT_ON, events.Phase.END: Phase.ENDED,
}  # fmt: skip
_GRAVE = frozenset({"object.smoke", "object.fire", "thermal.hot", "thermal.cold"})
LASTS_US = 30_000_000
"""What is wrong for less is not told, and what is well for less is not over."""


def moment_link(camera: str, at_us: int) -> str:
    """Behind `#/`: the picture of that camera then; the page of health for what is about no camera."""
    return f"camera/{camera}/{format_us(at_us // 1000 * 1000)}" if camera else "health"


def event_link(event: Event) -> str:
    """Behind `#/`: the page for review, which plays it from a few seconds before, and where it is marked."""
    at = format_us(clip_of(event)[0] // 1000 * 1000)
    return f"review/{at}?{urlencode({'camera': event.camera, 'event': event.id})}"


def of_event(change: EventChange, name: str = "") -> Happening:
    """name: of the camera, for people."""
    event = change.event
    blind = events.group_of(event.kind) == "tamper"
    return Happening(
        f"event/{event.id}",
        (event.kind, "event"),
        _PHASES[change.phase],
        event.to_us or max(event.last_us, event.from_us),
        event.from_us,
        event.camera,
        event.zones,
        _event_says(event, name or event.camera),
        lasts=blind,
        grave=blind or event.kind in _GRAVE,
        link=event_link(event),
    )


_EVENTS: Mapping[str, str] = {
    "motion": "told.moves", "motion.line": "told.line", "motion.dwell": "told.dwell", "thermal.hot": "told.hot", "thermal.cold": "told.cold",
}  # fmt: skip


def _event_says(event: Event, name: str) -> Words:
    group, _, kind = event.kind.partition(".")
    if group == "tamper":
        return Said("alarms.blind", {"name": name, "how": Said(first_of(f"alarms.how.{kind}", "alarms.how.hidden"))})
    where = f"{name} ({', '.join(event.zones[:3])})" if event.zones else name
    if event.kind in _EVENTS:
        return Said(_EVENTS[event.kind], {"where": where})
    return Said("told.seen", {"where": where, "what": Said(f"events.kind.{event.kind.replace('.', '_')}")})


class AlarmFeed:
    """Steps of alarms, from lists of all that are not over or not acknowledged, the newest first."""

    def __init__(self, says: Callable[[Alarm], Words]) -> None:
        self._says = says
        self._known: dict[int, tuple[bool, bool]] | None = None  # ended, acknowledged
        self._last = 0

    def look(self, listed: Sequence[Alarm], now_us: int, *, whole: bool = True) -> list[Happening]:
        """What changed since the last look. whole: the list was not cut."""
        first = self._known is None
        known = self._known if self._known is not None else {}
        self._known, found = known, []
        for alarm in reversed(listed):
            found += self._one(alarm, known, now_us, first=first)
        there = {alarm.id for alarm in listed}
        oldest = min(there, default=0)
        for number in [n for n in known if n not in there and (whole or n > oldest)]:
            ended, _ = known.pop(number)
            if not ended:
                found.append(Happening(f"alarm/{number}", ("alarm",), Phase.ENDED, now_us, now_us))
            found.append(Happening(f"alarm/{number}", ("alarm",), Phase.SETTLED, now_us, now_us))
        self._last = max([self._last, *there])
        return found

    def _one(self, alarm: Alarm, known: dict[int, tuple[bool, bool]], now_us: int, *, first: bool) -> list[Happening]:
        before, now = known.get(alarm.id), (alarm.ended_us is not None, alarm.acknowledged is not None)
        known[alarm.id] = now
        found: list[Happening] = []
        if before is None:
            if alarm.stands if first or alarm.id <= self._last else not now[1]:
                found.append(self._said(alarm, Phase.BEGAN, now_us))
            before = (False, False)
            if not found:
                return []
        elif now == before and not now[0] and not now[1]:
            return [self._said(alarm, Phase.WENT_ON, now_us)]
        if now[0] and not before[0]:
            found.append(self._said(alarm, Phase.ENDED, now_us))
        if now[1] and not before[1]:
            found.append(self._said(alarm, Phase.SETTLED, now_us))
        return found

    def _said(self, alarm: Alarm, phase: Phase, now_us: int) -> Happening:
        word = _ALARMS.get(alarm.kind)
        words = ("alarm",) if word is None else (word, "alarm")
        if alarm.kind is AlarmKind.CAMERA_SILENT and alarm.cause == Cause.CAMERA_SWITCHED_OFF:
            words = ("switched_off", *words)
        at_us = alarm.ended_us if phase is Phase.ENDED and alarm.ended_us is not None else now_us
        return Happening(
            f"alarm/{alarm.id}", words, phase, max(at_us, alarm.raised_us), alarm.raised_us, alarm.camera, (), self._says(alarm),
            link=moment_link(alarm.camera, alarm.raised_us),
        )  # fmt: skip

    def saved(self) -> Any:
        """As JSON."""
        return {"last": self._last, "known": [[number, *state] for number, state in (self._known or {}).items()]}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from there. Raises KeyError, TypeError, ValueError."""
        self._last = int(saved["last"])
        self._known = {int(number): (bool(ended), bool(acked)) for number, ended, acked in saved["known"]}


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something is wrong with this post now. id: stable while it is."""

    id: str
    words: tuple[str, ...]
    says: Words
    camera: str = ""
    grave: bool = True


class ConditionFeed:
    """Steps of what is wrong, from looks at all of it. It begins once it has lasted `LASTS_US`, and is over once it is well for as long."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}
        self._told: dict[str, tuple[int, Wrong]] = {}
        self._well: dict[str, int] = {}

    def look(self, found: Sequence[Wrong], now_us: int) -> list[Happening]:
        """What began or ended by now."""
        steps: list[Happening] = []
        there = {wrong.id: wrong for wrong in found}
        for gone in [name for name in self._since if name not in there]:
            del self._since[gone]
        for name, wrong in there.items():
            self._well.pop(name, None)
            since_us = self._since.setdefault(name, now_us)
            if since_us > now_us:  # the clock was set back
                since_us = self._since[name] = now_us
            if name not in self._told and now_us - since_us >= LASTS_US:
                self._told[name] = (since_us, wrong)
                steps.append(_wrong(wrong, Phase.BEGAN, now_us, since_us))
        for name in [name for name in self._told if name not in there]:
            well_us = min(self._well.setdefault(name, now_us), now_us)
            if now_us - well_us >= LASTS_US:
                since_us, wrong = self._told.pop(name)
                del self._well[name]
                steps.append(_wrong(wrong, Phase.ENDED, now_us, since_us))
        return steps

    def saved(self) -> Any:
        """As JSON."""
        return [
            [name, since, list(one.words), as_json(one.says), one.camera, one.grave]
            for name, (since, one) in self._told.items()
        ]

    def restore(self, saved: Sequence[Any]) -> None:
        """Go on from there. Raises TypeError, ValueError."""
        self._told = {
            name: (int(since), Wrong(name, tuple(words), from_json(says), camera, bool(grave)))
            for name, since, words, says, camera, grave in saved
        }
        self._since = {name: since for name, (since, _) in self._told.items()}


def _wrong(wrong: Wrong, phase: Phase, now_us: int, since_us: int) -> Happening:
    return Happening(
        f"condition/{wrong.id}", (*wrong.words, "alarm"), phase, now_us, since_us, wrong.camera, (), wrong.says, grave=wrong.grave,
        link=moment_link(wrong.camera, since_us),
    )  # fmt: skip
