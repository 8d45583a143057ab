"""What is read of a thermal still: parts of it with names, and what was measured there."""

from __future__ import annotations

from dataclasses import dataclass

WHOLE = "picture"
"""The item that is the whole still."""
_Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class HeatPart:
    """A spot (one point) or an area (a polygon), in parts of the still's width and height."""

    name: str
    points: tuple[_Point, ...]


@dataclass(frozen=True, slots=True)
class HeatScale:
    """What the settings say of a still that says nothing itself: degrees Celsius are value x gain + offset; without a gain values are no temperatures."""

    gain: float | None = None
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class HeatRead:
    """What was measured in a part: degrees Celsius where the still has a scale, else its values. hottest: where the highest is, as a point."""

    name: str
    highest: float
    lowest: float
    mean: float
    hottest: _Point


@dataclass(frozen=True, slots=True)
class StillOptions:
    """Of one camera's stills. parts: what is read of each."""

    scale: HeatScale = HeatScale()
    parts: tuple[HeatPart, ...] = ()
    every_us: int = 10_000_000


@dataclass(frozen=True, slots=True)
class StillNews:
    """The newest still of a camera. at_us: wall time; None where none came since the start. trouble: why it could not be read, or that none comes; "" where
    all is well. hottest: of each item, where its highest is.
    """

    at_us: int | None
    trouble: str
    hottest: dict[str, _Point]


@dataclass(frozen=True, slots=True)
class StillTrouble:
    """A camera that is to give stills, and none comes, or none can be read. why: in words."""

    camera: str
    why: str
