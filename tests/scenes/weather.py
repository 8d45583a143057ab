"""What passes before the lens and is nobody: rain, snow, insects, a spider; and what the wind does to trees and to the mast."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from tests.scenes.recipe import Recipe
from tests.scenes.textures import Plane, Rng, cloud


class Wind:
    """Shakes the camera, sways the trees. Gusts come and go."""

    def __init__(
        self, rng: Rng, recipe: Recipe, trees: list[tuple[int, int, int, int]], origin: tuple[int, int]
    ) -> None:
        """trees: boxes on the canvas; origin: of the picture on it."""
        self.shakes, self.sways = "shake" in recipe.nuisances, "wind" in recipe.nuisances and bool(trees)
        self.waves = [
            (float(rng.uniform(0.4, 3.5)), float(rng.uniform(0, 6.28)), float(rng.uniform(0.2, 1.0))) for _ in range(4)
        ]
        self.most = float(rng.uniform(0.6, 2.6))
        self.reach = float(rng.uniform(1.0, 4.5))
        self.gust_s = float(rng.uniform(8, 30))
        h, w = recipe.height, recipe.width
        self.xs, self.ys = (a.astype(np.float32) for a in np.meshgrid(np.arange(w), np.arange(h)))
        weight = np.zeros((h, w), np.float32)
        for x0, y0, x1, y1 in trees:
            part = weight[
                max(0, y0 - origin[1]) : max(0, y1 - origin[1]), max(0, x0 - origin[0]) : max(0, x1 - origin[0])
            ]
            rows = np.linspace(1, 0.1, max(1, part.shape[0]), dtype=np.float32)[:, None]
            np.maximum(part, rows, out=part) if part.size else None
        self.weight = cv2.GaussianBlur(weight, (0, 0), 5)
        self.fields = [cloud(rng, h, w, size, 3) * self.weight for size in (90, 40, 24)] if self.sways else []

    def _gust(self, now_s: float) -> float:
        return 0.35 + 0.65 * max(0.0, math.sin(now_s * 6.28 / self.gust_s)) ** 2

    def shake(self, now_s: float) -> tuple[float, float]:
        """How far the camera is off, in pixels."""
        if not self.shakes:
            return 0.0, 0.0
        off = [sum(a * math.sin(now_s * 6.28 * f + p + k * 1.7) for f, p, a in self.waves) for k in (0, 1)]
        scale = self.most * self._gust(now_s) / 2
        return off[0] * scale, off[1] * scale * 0.6

    def sway(self, now_s: float, picture: Plane) -> Plane:
        """The picture with its trees bent."""
        if not self.sways:
            return picture
        gust = self._gust(now_s) * self.reach
        pulls = [np.float32(gust * math.sin(now_s * 6.28 * f + p)) for f, p, _ in self.waves[:3]]
        dx = self.weight * np.float32(gust * 0.6 * (1 + math.sin(now_s * 1.9)))
        for pull, field in zip(pulls, self.fields, strict=True):
            dx = dx + pull * field
        return cv2.remap(
            picture, self.xs + dx, self.ys + dx * np.float32(0.3), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )


class Weather:
    """Adds what falls and flies. near: lit by the camera's own infra-red, so drops, flakes and insects are bright."""

    def __init__(self, rng: Rng, recipe: Recipe) -> None:
        self.rng, self.r = rng, recipe
        self.h, self.w = recipe.height, recipe.width
        self.rain = int(rng.integers(30, 220)) if "rain" in recipe.nuisances else 0
        self.snow = int(rng.integers(40, 200)) if "snow" in recipe.nuisances else 0
        self.slant = float(rng.uniform(-0.3, 0.3))
        self.flakes = rng.uniform(0, 1, (self.snow, 3)) if self.snow else np.zeros((0, 3))
        self.insects: list[list[float]] = []
        self.insect_rate = float(rng.uniform(0.05, 0.5)) if "insects" in recipe.nuisances else 0.0
        self.spider = [
            float(rng.uniform(0.1, 0.9)) * self.w,
            float(rng.uniform(0.1, 0.9)) * self.h,
            float(rng.uniform(14, 34)),
            0.0,
        ]
        self.gust = float(rng.uniform(10, 40))

    def fall(self, luma: Plane, now_s: float, *, near: bool) -> Plane:
        """The picture with what is in the air. near: by infra-red."""
        if not (self.rain or self.snow or self.insect_rate or "spider" in self.r.nuisances):
            return luma
        over = np.zeros((self.h, self.w), np.uint8)
        if self.rain:
            self._drops(over, now_s, near=near)
        if self.snow:
            self._flakes(over)
        over = cv2.GaussianBlur(over, (3, 3), 0)
        out = luma + over.astype(np.float32) * np.float32(0.9 if near else 0.45)
        if near and self.insect_rate:
            out = self._insects(out)
        if near and "spider" in self.r.nuisances:
            out = self._spider(out, now_s)
        return out

    def _drops(self, over: np.ndarray, now_s: float, *, near: bool) -> None:
        many = self.rng.poisson(self.rain * (0.7 + 0.3 * math.sin(now_s * 6.28 / self.gust)))
        xs, ys, size = (
            self.rng.uniform(0, self.w, many),
            self.rng.uniform(-20, self.h, many),
            self.rng.uniform(0.3, 1, many) ** 2,
        )
        for x, y, s in zip(xs, ys, size, strict=True):
            long = 6 + 26 * s
            cv2.line(
                over,
                (int(x), int(y)),
                (int(x + self.slant * long), int(y + long)),
                int(25 + (110 if near else 50) * s),
                1,
            )

    def _flakes(self, over: np.ndarray) -> None:
        step = 1 / self.r.fps
        self.flakes[:, 1] = self.flakes[:, 1] + step * (0.15 + 0.5 * self.flakes[:, 2])
        self.flakes[:, 0] = (self.flakes[:, 0] + step * (self.slant * 0.4 + self.rng.normal(0, 0.05, self.snow))) % 1
        out = self.flakes[:, 1] > 1
        self.flakes[out, 1], self.flakes[out, 0] = 0, self.rng.uniform(0, 1, int(out.sum()))
        for x, y, s in self.flakes:
            cv2.circle(over, (int(x * self.w), int(y * self.h)), 1 + int(s * s * 2.6), int(60 + 120 * s), -1)

    def _insects(self, out: Plane) -> Plane:
        dt = 1 / self.r.fps
        if self.rng.random() < self.insect_rate * dt * 2:
            side, speed = float(self.rng.choice([-1, 1])), float(self.rng.uniform(0.7, 3.0)) * self.w
            self.insects.append(
                [
                    self.w / 2 - side * self.w * 0.55,
                    float(self.rng.uniform(0, self.h)),
                    side * speed,
                    float(self.rng.normal(0, 90)),
                    float(self.rng.uniform(2, 9)),
                ]
            )
        glow = np.zeros((self.h // 2, self.w // 2), np.float32)
        for one in self.insects:
            x, y = one[0], one[1]
            one[3] += float(self.rng.normal(0, 220)) * dt * 4
            one[0], one[1] = x + one[2] * dt, y + one[3] * dt
            tail = (int((x - one[2] * 0.03) / 2), int((y - one[3] * 0.03) / 2))  # blurred along its way by the exposure
            cv2.line(glow, tail, (int(x / 2), int(y / 2)), 150.0, max(1, int(one[4] / 2)))
        self.insects = [one for one in self.insects if -80 < one[0] < self.w + 80 and -80 < one[1] < self.h + 80]
        blurred: Any = cv2.resize(cv2.GaussianBlur(glow, (0, 0), 1.5), (self.w, self.h))
        return out + blurred

    def _spider(self, out: Plane, now_s: float) -> Plane:
        s, dt = self.spider, 1 / self.r.fps
        walks = math.sin(now_s * 0.21) > 0.3
        if walks:
            s[3] += float(self.rng.normal(0, 1.2)) * dt
            s[0], s[1] = s[0] + 20 * math.cos(s[3]) * dt, s[1] + 20 * math.sin(s[3]) * dt
        s[0], s[1] = s[0] % self.w, s[1] % self.h
        glow = np.zeros((self.h // 4, self.w // 4), np.float32)
        centre = (int(s[0] / 4), int(s[1] / 4))
        cv2.circle(glow, centre, max(2, int(s[2] / 8)), 120.0, -1)
        for leg in range(8):
            turn = leg * 0.785 + (0.25 * math.sin(now_s * 9 + leg * 2) if walks else 0)
            cv2.line(
                glow,
                centre,
                (int(centre[0] + s[2] / 3 * math.cos(turn)), int(centre[1] + s[2] / 3 * math.sin(turn))),
                80.0,
                1,
            )
        thread = 40 + 6 * math.sin(now_s * 1.3)
        cv2.line(glow, (0, int(thread)), (self.w // 4, int(thread * 0.4 + 20)), 25.0, 1)
        blurred: Any = cv2.resize(cv2.GaussianBlur(glow, (0, 0), 1.6), (self.w, self.h))
        return out + blurred
