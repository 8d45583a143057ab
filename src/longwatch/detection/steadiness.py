"""Camera shake: how far a picture is shifted against the background, and the picture shifted back. Pure.

Phase correlation (Kuglin and Hines 1975, with a Hanning window) on the gradients of a coarse picture: gradients, because a change of
light moves no edge. A shift counts only where the peak stands out, and only up to a few cells: more is not a shake but a camera that was moved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longwatch.detection import planes
from longwatch.detection.planes import F32

COARSE = (80, 44)
"""Even sides: with an odd one the estimate is off."""
CLEAR = 0.3
"""Least height of the peak, of 1 for two equal pictures. Of nine in ten pictures of masts that shake it is 0.35 and more; what a lamp and the exposure feign has 0.2 mostly."""
LEAST, MOST = 0.2, 6.0
"""Cells of the coarse picture: less is not worth shifting by, more is no shake."""


@dataclass(frozen=True, slots=True)
class Shift:
    """dx, dy: in parts of the picture's width and height, how far it lies right and below of where it should. clear: height of the peak, 0..1."""

    dx: float = 0.0
    dy: float = 0.0
    clear: float = 0.0


Edges = NDArray[np.complex64]
"""The spectrum of where a picture has edges."""


def edges(picture: F32) -> Edges:
    """Of the strength of edges of a coarse copy, evened out so that one strong edge does not speak for all."""
    over = picture.shape[0] % COARSE[1]
    if over == 2:  # of 90 rows two are left out, so that each coarse cell is four cells: a fifth of the cost
        picture = picture[1:-1]
    x, y = planes.gradient(planes.shrunk(picture, *COARSE))
    return planes.spectrum(np.sqrt(planes.magnitude(x, y)))


def between(reference: Edges, current: Edges) -> Shift:
    """Shift of one picture against another."""
    x, y, clear = planes.correlated(reference, current, COARSE[::-1])
    return Shift(x / COARSE[0], y / COARSE[1], clear)


def is_shake(shift: Shift) -> bool:
    """Whether it is clear, worth taking out and small enough for a shake."""
    x, y = abs(shift.dx) * COARSE[0], abs(shift.dy) * COARSE[1]
    return shift.clear >= CLEAR and LEAST <= max(x, y) <= MOST


def steadied(picture: F32, shift: Shift) -> F32:
    """The picture shifted back by as much; what was outside is repeated from the border."""
    height, width = picture.shape
    return planes.shifted(picture, shift.dx * width, shift.dy * height)
