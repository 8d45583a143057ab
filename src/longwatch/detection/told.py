"""How a camera is looked at, and what was found, as JSON for our own pipes: values to dicts and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from longwatch.model.events import Line, Sighting, Watched, Zone

MOST_US = 1 << 53
MOST_TRACK = (1 << 63) - 1
MOST_ZONES, MOST_WORDS = 64, 200
_KIND = re.compile("[a-z_]{1,20}([.][a-z_]{1,19})?")


def told_watched(watched: Watched) -> dict[str, Any]:
    """For `watched_of`."""
    return {
        "camera": watched.camera,
        "thermal": watched.thermal,
        "sensitivity": watched.sensitivity,
        "night_sensitivity": watched.night_sensitivity,
        "zones": [
            [
                z.id,
                [list(p) for p in z.points],
                list(z.kinds),
                z.dwell_us,
                z.ignored,
                None if z.objects is None else list(z.objects),
            ]
            for z in watched.zones
        ],
        "lines": [[line.id, [list(p) for p in line.points], line.direction] for line in watched.lines],
        "ignored": [[list(p) for p in polygon] for polygon in watched.ignored],
        "tamper": watched.tamper,
        "objects": list(watched.objects),
    }


def watched_of(told: Mapping[str, Any]) -> Watched:
    """The reverse. Raises LookupError, TypeError or ValueError."""
    zones = tuple(
        Zone(
            str(name), _points(points), tuple(map(str, kinds)), int(dwell_us), bool(ignored),
            None if objects is None else tuple(map(str, objects)),
        )
        for name, points, kinds, dwell_us, ignored, objects in told["zones"]
    )  # fmt: skip
    lines = tuple(
        Line(str(name), (_point(first), _point(second)), str(direction))
        for name, (first, second), direction in told["lines"]
    )
    return Watched(
        str(told["camera"]), bool(told["thermal"]), float(told["sensitivity"]), float(told["night_sensitivity"]), zones,
        lines, tuple(_points(polygon) for polygon in told["ignored"]), bool(told["tamper"]),
        tuple(map(str, told["objects"])),
    )  # fmt: skip


def _point(told: Sequence[Any]) -> tuple[float, float]:
    x, y = told
    return float(x), float(y)


def _points(told: Sequence[Sequence[Any]]) -> tuple[tuple[float, float], ...]:
    return tuple(_point(point) for point in told)


def told_sighting(sighting: Sighting) -> dict[str, Any]:
    """For `sighting_of`. What is as usual is left out."""
    told: dict[str, Any] = {"kind": sighting.kind, "at": sighting.at_us, "score": round(float(sighting.score), 4)}
    if sighting.box is not None:
        told["box"] = [round(float(edge), 4) for edge in sighting.box]
    if sighting.track is not None:
        told["track"] = int(sighting.track)
    if sighting.zones:
        told["zones"] = list(sighting.zones)
    if not sighting.on:
        told["on"] = False
    if sighting.detail:
        told["detail"] = sighting.detail
    return told


def sighting_of(camera: str, told: Mapping[str, Any]) -> Sighting:
    """The reverse. A child that a camera took over may say anything: raises LookupError, TypeError or ValueError for what is none."""
    kind, box, track = told["kind"], told.get("box"), told.get("track")
    if not isinstance(kind, str) or _KIND.fullmatch(kind) is None:
        raise TypeError("no kind of a sighting")
    edges = None
    if box is not None:
        left, top, right, bottom = (_part(edge) for edge in box)
        edges = (left, top, right, bottom)
    return Sighting(
        camera, kind, _whole(told["at"], MOST_US), _part(told["score"]), edges, None if track is None else _whole(track, MOST_TRACK),
        tuple(_words(name) for name in told.get("zones", ())[:MOST_ZONES]), told.get("on", True) is True, _words(told.get("detail", "")),
    )  # fmt: skip


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("no number of a sighting")
    return value


def _part(value: object) -> float:
    """Between 0 and 1; NaN is 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("no number of a sighting")
    return float(min(1, max(0, value)))


def _words(value: object) -> str:
    """As they can be stored and shown."""
    if not isinstance(value, str):
        raise TypeError("no words of a sighting")
    return "".join(each if each.isprintable() else "?" for each in value[:MOST_WORDS])
