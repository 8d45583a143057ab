"""How much goes on in a picture, told from its motion vectors alone. Pure.

Noise moves a vector here and there, each another way; a thing moves several side by side the same way, or is so new that its macroblocks build on nothing. What is usual is learnt of each place: trees sway and snow falls all the
time. Nothing of it is kept over a restart: some pictures do.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

_SHAKES = 0.5
"""Pixels: what half of all vectors say together is the camera."""
_LEARNS = 0.05
"""By look, at least: the first ones teach more."""
_SURPRISE = 2.0
"""What goes by is learnt as no more than twice what is usual, and a pixel."""
_LEAST, _LEAST_NEW = 0.2, 0.02
"""Squares of what is taken for usual at least."""
_STRONG, _STRONG_NEW = 12.0, 3.6
"""Of the one and of the other evidence: as much as comes equally seldom where nothing is."""
_FEW = 2.0
"""Macroblocks with vectors, of nine: of fewer there is no mean."""
_AROUND = 9


class Stirring:
    """Of one stream. Owner of what is usual in it."""

    def __init__(self) -> None:
        self._looks = 0
        self._square, self._new, self._new_square = (np.zeros((0, 0), np.float32) for _ in range(3))

    def look(self, sums: F32, counts: F32) -> float:
        """How far it is from what is usual where it is farthest: two and more where something goes by, less of most noise. sums, counts: as `pictures.vectors.Vectors.field` gives them."""
        if counts.shape != self._square.shape:
            self._looks = 0
            self._square, self._new = np.ones_like(counts), np.full_like(counts, 0.3)
            self._new_square = np.full_like(counts, 0.1)
        self._looks += 1
        part = max(_LEARNS, 1 / self._looks)
        near = _around(counts)
        return self._moves(sums, counts, near, part) / _STRONG + self._is_new(near, part) / _STRONG_NEW

    def _moves(self, sums: F32, counts: F32, near: F32, part: float) -> float:
        """Of vectors side by side, as a mean weighed by how many they are, against its usual one there."""
        across, down = _steadied(sums, counts)
        square, other = _around(across), _around(down)
        square *= square
        other *= other
        square += other
        square /= np.maximum(near, 1.0)
        usual = self._square
        square[near < _FEW] = 0.0
        most = math.sqrt(float((square / usual).max()))
        np.minimum(square, (_SURPRISE * np.sqrt(usual) + 1.0) ** 2, out=square)
        square -= usual
        square[near < _FEW] = 0.0
        usual += part * square
        np.maximum(usual, _LEAST, out=usual)
        return most

    def _is_new(self, near: F32, part: float) -> float:
        """Of what builds on no other picture, beyond what is so everywhere."""
        away = 1.0 - near / _AROUND - self._new
        far = away / np.sqrt(self._new_square + _LEAST_NEW)
        most = float(far.max()) - float(away.mean())
        self._new += part * away
        self._new_square += part * (np.minimum(away * away, 1.0) - self._new_square)
        return max(0.0, most)


def _steadied(sums: F32, counts: F32) -> tuple[F32, F32]:
    """Without what half of all vectors say, which is a camera that shakes: its mean is far from none as well, and that costs a tenth to ask."""
    across, down = sums
    many = float(counts.sum())
    if math.hypot(float(across.sum()), float(down.sum())) <= _SHAKES / 2 * many:
        return across, down
    has = counts > 0
    shift = [float(np.median(axis[has] / counts[has])) for axis in sums]
    if math.hypot(*shift) <= _SHAKES:
        return across, down
    return across - np.float32(shift[0]) * counts, down - np.float32(shift[1]) * counts


def _around(values: F32) -> F32:
    """The sum of each place and of the eight around it."""
    return cv2.boxFilter(values, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)  # type: ignore[return-value]
