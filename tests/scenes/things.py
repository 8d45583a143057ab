"""What moves on purpose: people with a gait, vehicles that roll, animals with four legs. Painted small, with an alpha, at any size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from tests.scenes.textures import Rng

_FINE = 4  # bits behind the point in what OpenCV draws


@dataclass(frozen=True, slots=True)
class Sprite:
    """colours: H x W x 4 (luma, u, v, heat), alpha: H x W, 0..1. The foot's middle lies at the middle of the lower edge."""

    colours: np.ndarray
    alpha: np.ndarray


class _Sheet:
    """A small canvas in units of the thing's height: x from -reach to +reach, y from 0 (foot) to 1 (head)."""

    def __init__(self, pixels: float, reach: float, fraction: tuple[float, float]) -> None:
        self.scale = pixels
        self.w, self.h = max(3, math.ceil(2 * reach * pixels) + 4), max(3, math.ceil(pixels * 1.05) + 3)
        self.colours = np.zeros((self.h, self.w, 4), np.uint8)
        self.alpha = np.zeros((self.h, self.w), np.uint8)
        self.fraction = fraction

    def _at(self, x: float, y: float) -> tuple[int, int]:
        px = self.w / 2 + x * self.scale + self.fraction[0]
        py = self.h - 1 - y * self.scale + self.fraction[1]
        return round(px * (1 << _FINE)), round(py * (1 << _FINE))

    def polygon(self, points: list[tuple[float, float]], colour: tuple[float, ...]) -> None:
        shape = np.array([self._at(x, y) for x, y in points], np.int32)
        cv2.fillPoly(self.colours, [shape], colour, cv2.LINE_8, _FINE)
        cv2.fillPoly(self.alpha, [shape], 255, cv2.LINE_AA, _FINE)

    def limb(self, a: tuple[float, float], b: tuple[float, float], thick: float, colour: tuple[float, ...]) -> None:
        """A line with width, as a polygon: OpenCV's own lines have whole widths."""
        dx, dy = b[0] - a[0], b[1] - a[1]
        long = math.hypot(dx, dy) or 1.0
        nx, ny = -dy / long * thick / 2, dx / long * thick / 2
        self.polygon(
            [(a[0] + nx, a[1] + ny), (b[0] + nx, b[1] + ny), (b[0] - nx, b[1] - ny), (a[0] - nx, a[1] - ny)], colour
        )

    def oval(self, x: float, y: float, rx: float, ry: float, colour: tuple[float, ...]) -> None:
        self.polygon(
            [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 16, endpoint=False)],
            colour,
        )

    def done(self, flip: bool) -> Sprite:
        spread = cv2.dilate(self.colours, np.ones((3, 3), np.uint8))  # so that soft edges have the thing's own colour
        colours = np.where(self.colours.any(axis=2, keepdims=True), self.colours, spread).astype(np.float32)
        alpha = self.alpha.astype(np.float32) / 255
        return Sprite(colours[:, ::-1], alpha[:, ::-1]) if flip else Sprite(colours, alpha)


class Mover:
    """One person, vehicle or animal. tall: its height in heights of a person. tone: luma around which its own colours lie, or None for any."""

    kind = ""
    tall = 1.0
    wide = 0.5

    def __init__(self, rng: Rng, tone: float | None) -> None:
        self.rng = rng
        self.tone = tone
        self.spread = 8.0 if tone is not None else 0.0
        self.u, self.v = 128 + rng.normal(0, 18), 128 + rng.normal(0, 18)

    def colour(self, heat: float, coloured: float = 1.0) -> tuple[float, float, float, float]:
        """A colour of its own, drawn anew for each part."""
        luma = (
            self.rng.uniform(18, 225) if self.tone is None else self.tone + self.rng.uniform(-self.spread, self.spread)
        )
        return (
            float(np.clip(luma, 12, 240)),
            float(np.clip(128 + (self.u - 128) * coloured, 60, 200)),
            float(np.clip(128 + (self.v - 128) * coloured, 60, 200)),
            heat,
        )

    def sprite(self, pixels: float, phase: float, left: bool, fraction: tuple[float, float], toward: bool) -> Sprite:
        """pixels: its own height. phase: metres gone. left: it goes to the left. toward: seen from the front or the back."""
        raise AssertionError("each kind draws itself")


class Person(Mover):
    """kind: person."""

    kind, wide = "person", 0.42

    def __init__(self, rng: Rng, tone: float | None) -> None:
        super().__init__(rng, tone)
        self.tall = float(rng.uniform(0.85, 1.08))
        self.coat, self.trousers, self.skin = (
            self.colour(165),
            self.colour(150, 0.3),
            (float(np.clip(rng.uniform(90, 190), 0, 255)) if tone is None else tone, 120, 140, 205),
        )
        self.pack = rng.random() < 0.3
        self.stout = float(rng.uniform(0.85, 1.25))

    def sprite(self, pixels: float, phase: float, left: bool, fraction: tuple[float, float], toward: bool) -> Sprite:
        s = _Sheet(pixels, 0.3, fraction)
        step = math.sin(phase * 2 * math.pi / 1.4)
        swing = 0.16 * step * (0.4 if toward else 1)
        for sign in (1, -1):
            knee = (sign * swing * 0.6, 0.26)
            s.limb((0, 0.5), knee, 0.1 * self.stout, self.trousers)
            s.limb(knee, (sign * swing, max(0.0, -sign * step * 0.05)), 0.08, self.trousers)
        s.limb((0.01, 0.8), (-swing * 0.9, 0.48), 0.07, self.coat)
        s.oval(0, 0.65, 0.1 * self.stout, 0.19, self.coat)
        s.limb((0, 0.8), (swing * 0.9, 0.48), 0.07, self.coat)
        if self.pack and not toward:
            s.oval(-0.1, 0.68, 0.07, 0.12, self.trousers)
        s.oval(0.01, 0.91, 0.062, 0.082, self.skin)
        return s.done(left)


class Vehicle(Mover):
    """kind: vehicle. A car, a van or a lorry."""

    kind = "vehicle"

    def __init__(self, rng: Rng, tone: float | None) -> None:
        super().__init__(rng, tone)
        self.sort = str(rng.choice(["car", "car", "van", "lorry"]))
        self.tall = {"car": 0.85, "van": 1.2, "lorry": 1.9}[self.sort]
        self.long = {"car": 2.9, "van": 2.5, "lorry": 3.3}[self.sort]  # in its own heights
        self.wide = self.long
        self.body, self.glass, self.tyre = self.colour(120), self.colour(100, 0.1), (30.0, 128.0, 128.0, 190.0)
        if tone is not None:
            self.tyre = (tone, 128, 128, 190)
        self.warm = (self.body[0], self.body[1], self.body[2], float(rng.uniform(140, 200)))

    def sprite(self, pixels: float, phase: float, left: bool, fraction: tuple[float, float], toward: bool) -> Sprite:
        return self._front(pixels, fraction) if toward else self._side(pixels, phase, left, fraction)

    def _side(self, pixels: float, phase: float, left: bool, fraction: tuple[float, float]) -> Sprite:
        s, half = _Sheet(pixels, self.long / 2, fraction), self.long / 2
        if self.sort == "car":
            s.polygon([(-half, 0.16), (half, 0.16), (half, 0.5), (half * 0.55, 0.58), (-half * 0.95, 0.6)], self.body)
            s.polygon([(-half * 0.8, 0.58), (half * 0.52, 0.57), (half * 0.25, 0.98), (-half * 0.55, 0.98)], self.glass)
        else:
            s.polygon([(-half, 0.12), (half * 0.6, 0.12), (half * 0.6, 1.0), (-half, 1.0)], self.body)
            s.polygon([(half * 0.6, 0.12), (half, 0.12), (half, 0.5), (half * 0.8, 0.8), (half * 0.6, 0.8)], self.glass)
        s.polygon([(half * 0.55, 0.2), (half, 0.2), (half, 0.5), (half * 0.55, 0.5)], self.warm)
        for x in (-half * 0.62, half * 0.62):
            s.oval(x, 0.15, 0.16, 0.15, self.tyre)
            turn = phase * 2
            s.limb((x, 0.15), (x + 0.1 * math.cos(turn), 0.15 + 0.1 * math.sin(turn)), 0.05, (150, 128, 128, 150))
        return s.done(left)

    def _front(self, pixels: float, fraction: tuple[float, float]) -> Sprite:
        s = _Sheet(pixels, 0.7, fraction)
        s.polygon([(-0.58, 0.14), (0.58, 0.14), (0.58, 0.58), (0.45, 0.98), (-0.45, 0.98), (-0.58, 0.58)], self.body)
        s.polygon([(-0.48, 0.6), (0.48, 0.6), (0.38, 0.92), (-0.38, 0.92)], self.glass)
        for x in (-0.46, 0.46):
            s.polygon([(x - 0.1, 0), (x + 0.1, 0), (x + 0.1, 0.18), (x - 0.1, 0.18)], self.tyre)
            s.oval(x, 0.4, 0.09, 0.07, (235 if self.tone is None else self.tone, 126, 130, 170))
        return s.done(flip=False)


class Animal(Mover):
    """kind: animal. From a fox to a cow."""

    kind = "animal"

    def __init__(self, rng: Rng, tone: float | None) -> None:
        super().__init__(rng, tone)
        self.tall = float(rng.choice([0.3, 0.45, 0.75, 0.95]))
        self.long = float(rng.uniform(1.1, 1.5))
        self.wide = self.long
        self.fur, self.legs = self.colour(190, 0.4), self.colour(165, 0.4)

    def sprite(self, pixels: float, phase: float, left: bool, fraction: tuple[float, float], toward: bool) -> Sprite:
        half = self.long / 2 * (0.45 if toward else 1)
        s = _Sheet(pixels, half + 0.25, fraction)
        turn = phase * 2 * math.pi / max(0.4, self.tall * 1.1)
        for i, x in enumerate((-half * 0.75, -half * 0.6, half * 0.55, half * 0.7)):
            swing = 0.17 * math.sin(turn + (0, math.pi, math.pi * 0.6, math.pi * 1.6)[i])
            s.limb((x, 0.5), (x + swing, 0), 0.09, self.legs)
        s.oval(0, 0.6, half, 0.21, self.fur)
        s.limb((half * 0.8, 0.66), (half * 1.05, 0.88), 0.16, self.fur)
        s.oval(half * 1.12, 0.9, 0.16, 0.1, self.fur)
        s.limb((-half * 0.95, 0.66), (-half * 1.12, 0.45 + 0.08 * math.sin(turn)), 0.05, self.legs)
        return s.done(left)


def mover(rng: Rng, kind: str, tone: float | None) -> Mover:
    """A new one of this kind."""
    kinds: dict[str, Any] = {"person": Person, "vehicle": Vehicle, "animal": Animal}
    made: Mover = kinds[kind](rng, tone)
    return made
