"""Polygons as rows of pixels. Pure.

Whatever a polygon touches counts as inside, and a border around it: a mask may hide a little more, never less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from longwatch.model.areas import Area, Point

BORDER_PIXELS = 2
"""Lines of pixels beside each polygon that are hidden too: a point drawn on a scaled picture is a pixel or two off."""
Row = tuple[int, int, int]
"""y, first x, and the x behind the last."""


def rows_of(areas: Iterable[Area], width: int, height: int, border: int = BORDER_PIXELS) -> list[Row]:
    """The pixels that the areas cover in a picture of this size, as rows that do not overlap, from the top left."""
    found: dict[int, list[tuple[int, int]]] = {}
    for area in areas:
        points = [(x * width, y * height) for x, y in area.points]
        for y, first, end in _polygon(points):
            for near in range(y - border, y + border + 1):
                left, right = max(0, first - border), min(width, end + border)
                if 0 <= near < height and left < right:
                    found.setdefault(near, []).append((left, right))
    return [(y, first, end) for y in sorted(found) for first, end in _joined(found[y])]


def halved(rows: Iterable[Row]) -> list[Row]:
    """The same in a plane of half the width and height (4:2:0): each pixel that is touched at all."""
    found: dict[int, list[tuple[int, int]]] = {}
    for y, first, end in rows:
        found.setdefault(y // 2, []).append((first // 2, (end + 1) // 2))
    return [(y, first, end) for y in sorted(found) for first, end in _joined(found[y])]


def _polygon(points: Sequence[Point]) -> list[Row]:
    """Each pixel that the polygon touches: between its edges by even and odd, and under each edge."""
    top = math.floor(min(y for _, y in points))
    bottom = math.ceil(max(y for _, y in points))
    edges = list(zip(points, [*points[1:], points[0]], strict=True))
    rows: list[Row] = []
    for y in range(top, bottom + 1):
        for line in (y, y + 0.5):
            crossings = sorted(
                x0 + (line - y0) * (x1 - x0) / (y1 - y0)
                for (x0, y0), (x1, y1) in edges
                if (y0 <= line < y1) or (y1 <= line < y0)
            )
            rows += [(y, math.floor(a), math.ceil(b)) for a, b in zip(crossings[::2], crossings[1::2], strict=True)]
        rows += [(y, *reach) for edge in edges if (reach := _under(edge, y)) is not None]
    return rows


def _under(edge: tuple[Point, Point], y: int) -> tuple[int, int] | None:
    """Which pixels of row y an edge touches."""
    (x0, y0), (x1, y1) = edge if edge[0][1] <= edge[1][1] else (edge[1], edge[0])
    if y1 < y or y0 > y + 1:
        return None
    if y0 == y1:
        return math.floor(min(x0, x1)), math.floor(max(x0, x1)) + 1
    slope = (x1 - x0) / (y1 - y0)
    a = x0 + (max(y0, y) - y0) * slope
    b = x0 + (min(y1, y + 1) - y0) * slope
    return math.floor(min(a, b)), math.floor(max(a, b)) + 1


def _joined(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, end in sorted(stretches):
        if joined and first <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((first, end))
    return joined


def fitted(width: int, height: int, max_height: int | None) -> tuple[int, int]:
    """Width and height, both even, of a picture that is to be at most so high (4:2:0 has no odd ones)."""
    if max_height is not None and height > max_height:
        width, height = round(width * max_height / height), max_height
    return max(2, width // 2 * 2), max(2, height // 2 * 2)
