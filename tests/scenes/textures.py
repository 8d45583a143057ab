"""Random fields and planes from which scenes are made."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Rng = np.random.Generator


def cloud(rng: Rng, height: int, width: int, coarse: int, octaves: int = 4, fall: float = 0.55) -> Plane:
    """Smooth random field of about -1..1 with details down to coarse / 2^octaves pixels."""
    total = np.zeros((height, width), np.float32)
    strength = 1.0
    for octave in range(octaves):
        cell = max(2, coarse >> octave)
        grid = rng.standard_normal((height // cell + 3, width // cell + 3)).astype(np.float32)
        total += strength * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        strength *= fall
    return total / np.float32(np.abs(total).max() + 1e-6)


def receding(rng: Rng, height: int, width: int, far: float = 0.06) -> Plane:
    """A ground of which the top row is far away: the same texture, finer and flatter toward the top."""
    tile = cloud(rng, 1024, 1024, 64, 6, 0.75)
    y = np.linspace(far, 1.0, height, dtype=np.float32)[:, None]
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    u = (x / y * 420 + 512) % 1023
    v = np.broadcast_to((160 / y) % 1023, u.shape)
    flat: Any = cv2.remap(tile, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR)
    return flat * np.clip(y * 3, 0.25, 1.0)


class Noise:
    """Sensor noise: planes drawn once, used at random offsets. soft: smoothed, as after a camera's noise reduction."""

    def __init__(self, rng: Rng, height: int, width: int, *, soft: bool) -> None:
        """Twelve planes of one standard deviation each."""
        self._rng, self._height, self._width = rng, height, width
        self._planes = []
        for _ in range(12):
            plane = rng.standard_normal((height + 48, width + 48)).astype(np.float32)
            if soft:
                plane = cv2.GaussianBlur(plane, (0, 0), 0.8)
                plane /= plane.std()
            self._planes.append(plane)

    def of(self, sigma: float) -> Plane:
        """One picture's noise."""
        plane = self._planes[self._rng.integers(12)]
        dy, dx = self._rng.integers(0, 48, 2)
        return plane[dy : dy + self._height, dx : dx + self._width] * np.float32(sigma * self._rng.choice((-1, 1)))
