"""The look of a cheap thermal camera: coarse, smooth, bloom about what is hot, stripes that grow until the shutter closes for a moment."""

from __future__ import annotations

import cv2
import numpy as np
from tests.scenes.recipe import Recipe
from tests.scenes.textures import Plane, Rng, cloud


class Thermal:
    """Steps from picture to picture. shut: the shutter is closed for a calibration, the picture stands still."""

    def __init__(self, rng: Rng, recipe: Recipe) -> None:
        self.rng, self.r = rng, recipe
        h, w = recipe.height, recipe.width
        stripes = cv2.resize(
            rng.standard_normal((1, w // 2)).astype(np.float32), (w, h), interpolation=cv2.INTER_NEAREST
        )
        self.pattern = 0.6 * stripes + 0.8 * cloud(rng, h, w, 200, 2)
        self.every_s = float(rng.uniform(45, 150))
        self.last_s = float(rng.uniform(0.4, 1.2))
        self.next_s = float(rng.uniform(20, self.every_s))
        self.since_s = 0.0
        self.gain, self.offset = float(rng.uniform(1.0, 1.5)), 0.0
        self.step = 0.0

    def shut(self, now_s: float) -> bool:
        """Whether the shutter is closed at this moment."""
        if now_s >= self.next_s + self.last_s:
            self.since_s, self.next_s = now_s, now_s + self.every_s
            self.step = float(self.rng.normal(0, 1.5))
        return self.next_s <= now_s

    def look(self, heat: Plane, now_s: float) -> Plane:
        """Grey levels of a heat picture: bloom, slow gain control, growing stripes. Noise comes after."""
        h, w = heat.shape
        small = cv2.resize(heat, (w // 2, h // 2), interpolation=cv2.INTER_AREA)
        glow = cv2.GaussianBlur(np.maximum(small - 150, 0), (0, 0), 5)
        small = cv2.GaussianBlur(small, (0, 0), 0.8) + np.float32(0.6) * glow
        wanted = 92.0 - float(small[::4, ::4].mean()) * self.gain
        self.offset += (wanted - self.offset) * min(1.0, 1 / self.r.fps / 4)
        out = cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR) * np.float32(self.gain) + np.float32(
            self.offset + self.step
        )
        out = out + self.pattern * np.float32(min(2.5, (now_s - self.since_s) * 0.02))
        return 255 - out if self.r.inverse else out
