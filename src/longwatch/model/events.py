"""Something seen: sightings by a detector, and the events made of them. Pure.

A *sighting* is what one look at one picture found. An *event* is what a person is told and searches for: it begins (`new`), may change
(`update`) and ends (`end`), always under the same id. Kinds are words with dots, the group first: `motion`, `object.vehicle`, `tamper.covered`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from longwatch.model.areas import Point

MOTION = "motion"
HOT, COLD = "thermal.hot", "thermal.cold"
LONGEST_US = 3_600_000_000
"""What goes on for longer is the next event; but for what hides the view, or is hot."""
OBJECTS = ("person", "vehicle", "animal", "smoke", "fire", "boat", "other")
"""Classes of objects. A model's own class names are mapped to these; there is no finer one, and no identity."""
TAMPERS = ("covered", "sprayed", "turned", "moved", "defocused", "fogged", "blinded", "frozen", "replayed")
KINDS = (
    MOTION, "motion.line", "motion.dwell", *(f"object.{each}" for each in OBJECTS), *(f"tamper.{each}" for each in TAMPERS), HOT, COLD,
)  # fmt: skip

Box = tuple[float, float, float, float]
"""left, top, right, bottom in parts of the picture's width and height, 0..1."""


def group_of(kind: str) -> str:
    """`motion`, `object`, `tamper` or `thermal`."""
    return kind.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one look found. at_us: wall time of the picture. score: 0..1. track: the number of a moving thing within this camera and event, never
    carried to another camera. zones: ids of the zones or lines it lies in. on: False says that what was seen of this kind is over.
    """

    camera: str
    kind: str
    at_us: int
    score: float = 1.0
    box: Box | None = None
    track: int | None = None
    zones: tuple[str, ...] = ()
    on: bool = True
    detail: str = ""


class Phase(enum.StrEnum):
    """Where in its life an event is, as MQTT and webhooks say it."""

    NEW = "new"
    UPDATE = "update"
    END = "end"


@dataclass(frozen=True, slots=True)
class Event:
    """id: unique in the post, sorts by begin. to_us: None while it lasts. best_us, best_box: where it is seen best. count: sightings so far.
    kinds of `tamper` are spans of "recorded but blind".
    """

    id: str
    camera: str
    kind: str
    from_us: int
    to_us: int | None = None
    last_us: int = 0
    score: float = 0.0
    zones: tuple[str, ...] = ()
    best_us: int = 0
    best_box: Box | None = None
    count: int = 0
    detail: str = ""
    twin: str = ""
    """The other event of a pair: a thermal camera and its visible twin see the same."""


@dataclass(frozen=True, slots=True)
class EventChange:
    """One step in an event's life, to be stored and told."""

    phase: Phase
    event: Event


@dataclass(frozen=True, slots=True)
class Zone:
    """Part of a picture with rules of its own. kinds: prefixes of kinds that count in it; empty: all. dwell_us: how long something stays
    before `motion.dwell` is said; 0: never.
    """

    id: str
    points: tuple[Point, ...]
    kinds: tuple[str, ...] = ()
    dwell_us: int = 0
    ignored: bool = False
    """Nothing in it counts: a road, a flag, a tree."""
    objects: tuple[str, ...] | None = None
    """Classes (of OBJECTS) that are said of what stands in it; None: those of the camera."""


@dataclass(frozen=True, slots=True)
class Line:
    """Crossed from its left to its right (seen from first to second point), or the other way, or both."""

    id: str
    points: tuple[Point, Point]
    direction: str = "both"  # left_to_right | right_to_left | both


@dataclass(frozen=True, slots=True)
class Watched:
    """How one camera is looked at. sensitivity: 0..1 by day and by night. ignored: polygons (masks) where nothing is looked at. objects: classes that are said of it."""

    camera: str
    thermal: bool = False
    sensitivity: float = 0.5
    night_sensitivity: float = 0.5
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    ignored: tuple[tuple[Point, ...], ...] = field(default=())
    tamper: bool = True
    objects: tuple[str, ...] = ()
