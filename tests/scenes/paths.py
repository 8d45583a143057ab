"""Where a thing is when: ways over the ground, entering and leaving as things do, never appearing in the open."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.scenes.textures import Rng

HOWS = (
    "crossing",
    "crossing",
    "crossing",
    "far",
    "far",
    "approaching",
    "leaving",
    "crawling",
    "stopping",
    "running",
    "looking in",
    "low contrast",
)
METRES_TALL = 1.75
_SPEEDS = {"person": (0.8, 1.9), "vehicle": (3.0, 14.0), "animal": (0.5, 3.0)}


@dataclass(frozen=True, slots=True)
class Place:
    """x: pixels from the picture's left edge; y: pixels of the foot from its top; near: 1 at the lower edge, 0 at the horizon; gone: metres; left, toward: how it faces."""

    x: float
    y: float
    near: float
    gone: float
    left: bool
    toward: bool


@dataclass(frozen=True, slots=True)
class Way:
    """Corners (x, near) with the seconds at which they are reached. pixels_a_metre: at the lower edge."""

    corners: tuple[tuple[float, float, float], ...]
    horizon: float
    height: int
    pixels_a_metre: float

    @property
    def begin_s(self) -> float:
        """When it sets out, mostly outside the picture."""
        return self.corners[0][0]

    @property
    def end_s(self) -> float:
        """When it is gone."""
        return self.corners[-1][0]

    def at(self, now_s: float) -> Place | None:
        """Where it is, or None if it is nowhere."""
        gone = 0.0
        for (t0, x0, n0), (t1, x1, n1) in zip(self.corners, self.corners[1:], strict=False):
            share = min(1.0, (now_s - t0) / max(1e-6, t1 - t0))
            if share < 0:
                return None
            x, near = x0 + share * (x1 - x0), 1 / (1 / n0 + share * (1 / n1 - 1 / n0))
            dx, dz = (x - x0) / (self.pixels_a_metre * near), (1 / near - 1 / n0) * 6
            gone += math.hypot(dx, dz)
            if now_s <= t1:
                y = self.horizon + near * (self.height - self.horizon)
                toward = abs(n1 - n0) * self.height > abs(x1 - x0)
                return Place(x, y, near, gone, x1 < x0, toward)
        return None


class Walks:
    """Draws ways in one picture. Speeds are those of the real thing at its distance."""

    def __init__(self, rng: Rng, width: int, height: int, horizon: float, tall: float) -> None:
        self.rng, self.width, self.height, self.horizon = rng, width, height, horizon
        self.metre = tall / METRES_TALL
        self.tall = tall

    def draw(
        self, kind: str, how: str, begin_s: float, own_tall: float, own_wide: float, longest_s: float = 45.0
    ) -> Way:
        """A way of this sort. own_tall: height in heights of a person; own_wide: in its own heights."""
        rng = self.rng
        slow, fast = _SPEEDS[kind]
        speed = float(rng.uniform(slow, fast))
        least = 9.0 / (self.tall * own_tall)  # smaller than nine pixels nobody asks for
        near = float(rng.uniform(max(0.18, least * 2.2), 0.9))
        if how == "far":
            near = float(rng.uniform(least * 1.5, max(least * 2.6, 0.2)))
        if how == "crawling":
            speed = float(rng.uniform(0.15, 0.4))
        if how == "running":
            speed = 2.4 * fast if kind != "vehicle" else fast * 1.6
        near = min(0.95, near)
        if how in {"approaching", "leaving"}:
            return self._deep(how, begin_s, speed, least, longest_s)
        return self._across(how, begin_s, speed, near, own_tall * own_wide, longest_s)

    def _deep(self, how: str, begin_s: float, speed: float, least: float, longest_s: float) -> Way:
        rng = self.rng
        far, close = max(0.03, least * 0.5), float(rng.uniform(max(0.35, least * 2.5), 1.35))
        x0, x1 = float(rng.uniform(0.25, 0.75)) * self.width, float(rng.uniform(0.05, 0.95)) * self.width
        last = min(longest_s, max(6.0, (1 / far - 1 / close) * 6 / speed))
        end = (begin_s + last, x1, close)
        if how == "leaving":
            return self._way(((begin_s, x1, 1.7), (begin_s + last, x0, far)))
        side = -0.6 * self.width if x1 < self.width / 2 else 1.6 * self.width
        out = abs(side - x1) / (self.metre * close * max(speed, 1.0))
        return self._way(((begin_s, x0, far), end, (end[0] + min(out, 20.0), side, close)))

    def _across(self, how: str, begin_s: float, speed: float, near: float, reach: float, longest_s: float) -> Way:
        rng = self.rng
        outside = reach * self.tall * near * 0.55 + 4
        left = bool(rng.random() < 0.5)
        a, b = (-outside, self.width + outside) if left else (self.width + outside, -outside)
        across = abs(b - a) / (self.metre * near * speed)
        drift = near * float(rng.uniform(0.8, 1.25))
        if how == "stopping":
            at, wait = float(rng.uniform(0.25, 0.75)), float(rng.uniform(3, 12))
            x = a + (b - a) * at
            across = min(across, longest_s)
            return self._way(
                (
                    (begin_s, a, near),
                    (begin_s + across * at, x, drift),
                    (begin_s + across * at + wait, x, drift),
                    (begin_s + across + wait, b, near),
                )
            )
        if how == "looking in" or across > longest_s:
            last = min(across * 0.5, longest_s * 0.5)
            deep = a + (b - a) * min(1.0, last / across)
            pause = float(rng.uniform(0.5, 3))
            return self._way(
                (
                    (begin_s, a, near),
                    (begin_s + last, deep, drift),
                    (begin_s + last + pause, deep, drift),
                    (begin_s + 2 * last + pause, a, near),
                )
            )
        return self._way(((begin_s, a, near), (begin_s + across, b, drift)))

    def _way(self, corners: tuple[tuple[float, float, float], ...]) -> Way:
        return Way(corners, self.horizon, self.height, self.metre)
