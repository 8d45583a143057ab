"""Events as they are kept and asked for, at a post and at a hub alike: what a row says beside the event itself, and how rows are looked for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from longwatch.model.events import Box, Event

EVENT_ID = "[0-9a-f]{22}"
MOST_ZONES = 50
MOST_WORDS = 1_000
_MOST_NAME = 80
_KIND = re.compile("[a-z_]{1,20}([.][a-z_]{1,19})?")
_SLUG = re.compile("[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_MOST_US = 1 << 53

NO_PICTURE = -1
"""As the moment that a picture shows: none can be made."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A row. pictured_us: the moment that its picture shows; None where there is none to be had here. reviewed_by: "" where nobody did here, or was erased.

    away: of a picture that is not here: `gone` (there is none to be had), at a hub `post` (it lies there) or `asked` (somebody asked for it); else "".
    """

    event: Event
    level: int
    pictured_us: int | None = None
    reviewed_us: int | None = None
    reviewed_by: str = ""
    away: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for: events that reach into [from_us, to_us). cameras: None for all. kinds: a kind or its group. zones: ids.
    reviewed: None for both. before: only those with a begin and an id below these.
    """

    from_us: int
    to_us: int
    cameras: Sequence[str] | None = None
    kinds: Sequence[str] = ()
    zones: Sequence[str] = ()
    reviewed: bool | None = None
    before: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Crowd:
    """Events of one camera and level that begin in the same step. to_us: when the last of them ends, None where one goes on."""

    camera: str
    level: int
    step: int
    count: int
    from_us: int
    to_us: int | None


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """An event as a post tells its hub. pictured_us: the moment that the post's picture of it shows, NO_PICTURE for none ever, None for none yet.
    reviewed_us: when somebody at the post marked it; None for nobody. No name of a person leaves the post.
    """

    event: Event
    pictured_us: int | None = None
    reviewed_us: int | None = None

    def as_json(self) -> dict[str, object]:
        """As it goes over the link (docs/ref/uplink.md): times beside `f` are counted from it, and what is empty is left out."""
        event = self.event
        begin = event.from_us
        said: dict[str, object] = {
            "i": event.id, "c": event.camera, "k": event.kind, "f": begin, "l": event.last_us - begin, "s": round(event.score * 1000),
            "z": list(event.zones), "b": event.best_us - begin, "n": event.count, "d": event.detail, "w": event.twin, "r": self.reviewed_us,
        }  # fmt: skip
        if event.best_box is not None:
            said["x"] = [round(part * 10_000) for part in event.best_box]
        said = {name: value for name, value in said.items() if value}
        if event.to_us is not None:
            said["t"] = event.to_us - begin
        if self.pictured_us is not None:
            said["p"] = None if self.pictured_us == NO_PICTURE else self.pictured_us - begin
        return said

    @staticmethod
    def from_json(value: object) -> ToldEvent:
        """The reverse. Raises ValueError for what is no event: foreign bytes are read here."""
        if not isinstance(value, dict):
            raise ValueError("no event")  # noqa: TRY004 - whatever is no event is one error to who reads it
        begin = _whole(value, "f", 0, _MOST_US)
        to_us = begin + _whole(value, "t", 0) if "t" in value else None
        pictured = None
        if "p" in value:
            pictured = NO_PICTURE if value["p"] is None else _moment(begin + _whole(value, "p"))
        event = Event(
            _named(value, "i", re.compile(EVENT_ID)), _named(value, "c", _SLUG), _named(value, "k", _KIND), begin,
            None if to_us is None else _moment(to_us), _moment(begin + _whole(value, "l", 0)), _whole(value, "s", 0, 1000) / 1000, _zones(value),
            _moment(begin + _whole(value, "b")), _box(value), _whole(value, "n", 0), _words(value, "d", MOST_WORDS),
            _named(value, "w", re.compile(f"({EVENT_ID})?")),
        )  # fmt: skip
        return ToldEvent(event, pictured, _whole(value, "r", 0) or None)


def _whole(value: Mapping[str, Any], name: str, least: int = -_MOST_US, most: int = _MOST_US) -> int:
    number = value.get(name, 0)
    if type(number) is not int or not least <= number <= most:
        raise ValueError(f"no number as `{name}`")
    return number


def _moment(at_us: int) -> int:
    if not 0 <= at_us < _MOST_US:
        raise ValueError("a moment that cannot be")
    return at_us


def _words(value: Mapping[str, Any], name: str, most: int) -> str:
    text = value.get(name, "")
    if not isinstance(text, str) or len(text) > most or not text.isprintable():
        raise ValueError(f"no text as `{name}`")
    return text


def _named(value: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    text = _words(value, name, _MOST_NAME)
    if not pattern.fullmatch(text):
        raise ValueError(f"no name as `{name}`")
    return text


def _zones(value: Mapping[str, Any]) -> tuple[str, ...]:
    zones = value.get("z", [])
    if not isinstance(zones, list) or len(zones) > MOST_ZONES:
        raise ValueError("zones that cannot be")
    return tuple(_words({"z": zone}, "z", _MOST_NAME) for zone in zones)


def _box(value: Mapping[str, Any]) -> Box | None:
    parts = value.get("x")
    if parts is None:
        return None
    if not isinstance(parts, list) or len(parts) != 4:
        raise ValueError("a box that cannot be")
    left, top, right, bottom = (_whole({"x": part}, "x", 0, 10_000) / 10_000 for part in parts)
    return left, top, right, bottom
