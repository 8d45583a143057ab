"""Parts of a picture that are not to be seen: as polygons in parts of its width and height. Pure.

A *mask* is burnt in before anything is written, shown or sent. A *shade* hides at viewing alone: the recording contains it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Point = tuple[float, float]
LEAST_POINTS, MOST_POINTS = 3, 32
MOST_AREAS = 16
LEAST_AREA = 0.0001
"""Of the picture: about a square of 19 x 19 pixels at 1080p; less is a slip of the hand."""
DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Area:
    """A polygon, closed by itself. points: (x, y), each in 0..1 from the top left."""

    name: str
    points: tuple[Point, ...]


def areas_of(named: Mapping[str, Iterable[Iterable[float]]]) -> tuple[Area, ...]:
    """Name to polygon, as it stands in the resolved settings. Raises TypeError or ValueError."""
    return tuple(Area(str(name), tuple((float(x), float(y)) for x, y in polygon)) for name, polygon in named.items())


def wrong_with(points: Sequence[Point]) -> str:
    """What is wrong with a polygon, in words; "" where nothing is."""
    if not LEAST_POINTS <= len(points) <= MOST_POINTS:
        return f"a polygon has {LEAST_POINTS} to {MOST_POINTS} points, and this one {len(points)}"
    if not all(0 <= value <= 1 for point in points for value in point):
        return "a point lies outside the picture: x and y are parts of its width and height, from 0 to 1"
    if len(set(points)) != len(points):
        return "two of its points are the same"
    if _crosses_itself(points):
        return "its edges cross each other: what is inside would not be clear"
    if area(points) < LEAST_AREA:
        return "it covers next to nothing"
    return ""


def area(points: Sequence[Point]) -> float:
    """The part of the picture that a polygon without crossings covers."""
    pairs = zip(points, [*points[1:], points[0]], strict=True)
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2


def _crosses_itself(points: Sequence[Point]) -> bool:
    edges = list(zip(points, [*points[1:], points[0]], strict=True))
    last = len(edges) - 1
    for i, (a, b) in enumerate(edges):
        for j in range(i + 1, len(edges)):
            c, d = edges[j]
            if j == i + 1:
                found = _folds_back(b, a, d)
            elif i == 0 and j == last:
                found = _folds_back(a, b, c)
            else:
                found = _meet(a, b, c, d)
            if found:
                return True
    return False


def _folds_back(corner: Point, a: Point, b: Point) -> bool:
    """Whether two edges that share a corner lie on each other."""
    same_way = (a[0] - corner[0]) * (b[0] - corner[0]) + (a[1] - corner[1]) * (b[1] - corner[1]) > 0
    return same_way and _turn(a, corner, b) == 0


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two edges without a common corner touch or cross."""
    abc, abd, cda, cdb = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if abc != abd and cda != cdb and 0 not in {abc, abd, cda, cdb}:
        return True
    return any(
        turn == 0 and _within(p, q, r)
        for turn, p, q, r in ((abc, a, b, c), (abd, a, b, d), (cda, c, d, a), (cdb, c, d, b))
    )


def _turn(a: Point, b: Point, c: Point) -> int:
    cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (cross > 1e-12) - (cross < -1e-12)


def _within(a: Point, b: Point, c: Point) -> bool:
    """Whether c, on the line through a and b, lies between them."""
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])
