"""Light, and what a camera makes of it: daylight, dusk, infra-red, lamps, headlights, clouds, exposure and gain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from tests.scenes.recipe import Recipe
from tests.scenes.textures import Plane, Rng, cloud

_TARGET = 100.0  # mean grey level that exposure aims at
_MOST_GAIN = 14.0


@dataclass(frozen=True, slots=True)
class Lighting:
    """Of one picture. falls: light on each pixel (1: bright day), or one number for all. gain: of the exposure. noise: sigma in grey levels. flash: the filter is moving."""

    falls: Plane | float
    gain: float
    noise: float
    grey: bool
    flash: float


def pool(height: int, width: int, x: float, y: float, rx: float, ry: float) -> Plane:
    """A soft ellipse of light, 0..1; made small and scaled up, as light has no detail."""
    ys, xs = np.mgrid[0:height:8, 0:width:8].astype(np.float32)
    small = np.exp(-(((xs - x) / rx) ** 2) - ((ys - y) / ry) ** 2)
    return cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


class Light:
    """Steps from picture to picture: exposure has a memory."""

    def __init__(self, rng: Rng, recipe: Recipe, base: Plane) -> None:
        """base: the picture in full daylight, for the exposure's start."""
        self.r, self.rng = recipe, rng
        self.h, self.w = recipe.height, recipe.width
        self.dark_first = bool(rng.random() < 0.5)  # a dawn rather than a dusk
        self.turn_s = float(rng.uniform(0.35, 0.6)) * recipe.seconds
        self.pace_s = float(rng.uniform(16, 30))  # seconds in which the light falls by e: hours, compressed
        self.ir = (recipe.look == "night" and not recipe.lit) or (recipe.look == "dusk" and self.dark_first)
        self.switched_s = -99.0
        self.ir_map = self._ir_map()
        self.lamp_map = pool(
            self.h,
            self.w,
            rng.uniform(0, self.w),
            rng.uniform(0, self.h * 0.8),
            rng.uniform(0.15, 0.5) * self.w,
            rng.uniform(0.2, 0.6) * self.h,
        )
        self.lit_map = np.float32(0.03) + np.float32(0.16) * pool(
            self.h, self.w, rng.uniform(0.2, 0.8) * self.w, self.h * 0.6, 0.5 * self.w, 0.5 * self.h
        )
        self.steps = self._steps()
        self.sweeps = self._sweeps()
        self.drift = [
            (float(rng.uniform(8, 60)), float(rng.uniform(0, 6.28)), float(rng.uniform(0.02, 0.1))) for _ in range(3)
        ]
        self.field = 0.75 + 0.35 * cloud(rng, 64, 400, 40, 3) if "clouds" in recipe.nuisances else None
        self.field_speed = float(rng.uniform(0.3, 2.0))
        self.floor = float(rng.uniform(0.6, 1.6))
        self.ir_noise = float(rng.uniform(1.2, 3.2))
        self.gain = _TARGET / max(4.0, float(base.mean()) * self._mean(0.0))
        self.gain = min(self.gain, _MOST_GAIN)

    def _ir_map(self) -> Plane:
        rng = self.rng
        centre = pool(
            self.h, self.w, rng.uniform(0.4, 0.6) * self.w, rng.uniform(0.6, 0.9) * self.h, 0.62 * self.w, 0.75 * self.h
        )
        return np.float32(0.05) + np.float32(rng.uniform(0.5, 0.9)) * centre

    def _steps(self) -> list[tuple[float, float]]:
        """When the lamp is on."""
        if "lamp" not in self.r.nuisances:
            return []
        at, spans = float(self.rng.uniform(35, 60)), []
        while at < self.r.seconds:
            last = float(self.rng.uniform(8, 60))
            spans.append((at, at + last))
            at += last + float(self.rng.uniform(15, 60))
        return spans

    def _sweeps(self) -> list[tuple[float, float, float, float]]:
        """begin, seconds, height, direction of each pair of headlights that passes out of sight."""
        if "headlights" not in self.r.nuisances:
            return []
        at, all_of = float(self.rng.uniform(35, 50)), []
        while at < self.r.seconds:
            all_of.append(
                (
                    at,
                    float(self.rng.uniform(1.2, 5)),
                    float(self.rng.uniform(0.3, 0.8)),
                    float(self.rng.choice([-1, 1])),
                )
            )
            at += float(self.rng.uniform(10, 45))
        return all_of

    def sun(self, now_s: float) -> float:
        """Daylight, 1 by day, down to 0.002."""
        if self.r.look == "day":
            return 1.0
        if self.r.look == "night":
            return 0.0
        sign = 1 if self.dark_first else -1
        return float(np.clip(math.exp(sign * (now_s - self.turn_s) / self.pace_s) * 0.12, 0.002, 1.0))

    def _mean(self, now_s: float) -> float:
        falls = self._falls(now_s)
        return float(falls if isinstance(falls, float) else falls[::8, ::8].mean())

    def _falls(self, now_s: float) -> Plane | float:
        falls: Plane | float = self.sun(now_s)
        if self.r.lit:
            falls = self.lit_map
        elif self.ir:
            falls = self.ir_map + np.float32(self.sun(now_s))
        if self.field is not None:
            x = now_s * self.field_speed % (self.field.shape[1] - 130)
            part = self.field[:, int(x) : int(x) + 129]
            shadow = cv2.warpAffine(
                part,
                np.array([[5.0, 0, -(x % 1) * 5.0], [0, 5.625, 0]]),
                (self.w, self.h),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            falls = falls * np.clip(shadow, 0.45, 1.05)
        if any(a <= now_s < b for a, b in self.steps):
            falls = falls + self.lamp_map * np.float32(0.35 if self.r.look == "day" else 0.5)
        for begin, last, row, sign in self.sweeps:
            if begin <= now_s < begin + last:
                share = (now_s - begin) / last
                x = (share * 1.6 - 0.3 if sign > 0 else 1.3 - share * 1.6) * self.w
                strength = math.sin(share * math.pi) * (0.9 if self.sun(now_s) < 0.1 else 0.05)
                falls = falls + np.float32(strength) * pool(
                    self.h, self.w, x, row * self.h, 0.22 * self.w, 0.16 * self.h
                )
        return falls

    def step(self, now_s: float, mean: float) -> Lighting:
        """Light of the picture at now_s. mean: grey level of the last picture, to which the exposure answers."""
        dt = 1 / self.r.fps
        wanted = self.gain * _TARGET / max(6.0, mean)
        self.gain += (wanted - self.gain) * min(1.0, dt / 1.4)
        self.gain = float(np.clip(self.gain, 0.05, _MOST_GAIN))
        if self.r.look == "dusk" and now_s - self.switched_s > 20:
            sun = self.sun(now_s)
            if (not self.ir and sun < 0.02) or (self.ir and sun > 0.25):
                self.ir, self.switched_s = not self.ir, now_s
        flash = max(0.0, 1 - (now_s - self.switched_s) / 0.7)
        gain = self.gain
        if "exposure" in self.r.nuisances:
            gain *= 1 + sum(a * math.sin(now_s * 6.28 / period + phase) for period, phase, a in self.drift)
        noise = self.ir_noise if self.ir else min(5.0, self.floor + 0.35 * max(0.0, self.gain - 1))
        return Lighting(self._falls(now_s), gain, noise, self.ir, flash)
