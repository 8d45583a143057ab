"""Parts of the picture with rules: where nothing counts, in which zones a thing stands, how long, and which lines it has crossed. Pure.

A thing is where its foot is: the middle of the lower edge of its box.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from longwatch.detection import planes
from longwatch.detection.planes import U8
from longwatch.model.areas import Point
from longwatch.model.events import Line, Watched, Zone

RIGHT, LEFT = "left_to_right", "right_to_left"


def looked_at(watched: Watched, shape: tuple[int, int]) -> U8 | None:
    """1 where cells count, 0 in ignored areas; None where all count. shape: rows and columns of cells."""
    away = [*watched.ignored, *(zone.points for zone in watched.zones if zone.ignored)]
    if not away:
        return None
    mask = np.ones(shape, np.uint8)
    for points in away:
        corners = np.array([(x * shape[1] - 0.5, y * shape[0] - 0.5) for x, y in points])
        planes.filled(mask, np.rint(corners).astype(np.int32), 0)
    return mask


def within(point: Point, polygon: Sequence[Point]) -> bool:
    """Whether a point lies in a polygon (even-odd rule)."""
    x, y = point
    inside = False
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            inside = not inside
    return inside


def zones_at(zones: Iterable[Zone], point: Point, kind: str) -> tuple[Zone, ...]:
    """The zones that hold the point and in which the kind counts."""
    return tuple(zone for zone in zones if not zone.ignored and _counts(zone, kind) and within(point, zone.points))


def crossed(line: Line, before: Point, after: Point) -> str:
    """LEFT or RIGHT where the step from `before` to `after` crosses the line in a direction that it watches; else "".
    Left and right as one sees them who looks from the line's first to its second point (y grows downward).
    """
    (ax, ay), (bx, by) = line.points
    side_before = _side(line.points, before)
    side_after = _side(line.points, after)
    if (side_before > 0) == (side_after > 0):
        return ""
    part = side_before / (side_before - side_after)
    x, y = before[0] + part * (after[0] - before[0]), before[1] + part * (after[1] - before[1])
    length2 = (bx - ax) ** 2 + (by - ay) ** 2
    along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length2 if length2 else -1.0
    if not 0 <= along <= 1:
        return ""
    way = RIGHT if side_after > 0 else LEFT
    return way if line.direction in {"both", way} else ""


def _counts(zone: Zone, kind: str) -> bool:
    return not zone.kinds or any(kind == each or kind.startswith(f"{each}.") for each in zone.kinds)


def _side(line: tuple[Point, Point], point: Point) -> float:
    """Positive right of the line."""
    (ax, ay), (bx, by) = line
    return (bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax)
