"""Camera shake: how far a picture is shifted against the background, and the picture shifted back. Pure.

Phase correlation (Kuglin and Hines 1975, with a Hanning window) on the gradients of a coarse picture: gradients, because a change of
light moves no edge. A shift counts only where the peak stands out, and only up to a few cells: more is not a shake but a camera that was moved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longwatch.detection import planes
from longwatch.detection.planes import F32, U8

COARSE = (80, 44)
"""Even sides: with an odd one the estimate is off."""
CLEAR = 0.3
"""Least height of the peak, of 1 for two equal pictures. Of nine in ten pictures of masts that shake it is 0.35 and more; what a lamp and the exposure feign has 0.2 mostly."""
LEAST, MOST = 0.2, 6.0
"""Cells of the coarse picture: less is not worth shifting by, more is no shake."""
COMMON_S, LONGEST_S = 120.0, 4.0
"""A mast swings about its place: what all shifts of so long have in common is no shake. So much of it at most is learnt from one picture, however long nobody asked."""
SEEN = 0.5
"""Of a cell: of what lies farther outside of the picture nothing was seen."""


@dataclass(frozen=True, slots=True)
class Shift:
    """dx, dy: in parts of the picture's width and of its height as far as it was looked at (`_left_out`), how far it lies right and below of where it should. clear: height of the peak, 0..1."""

    dx: float = 0.0
    dy: float = 0.0
    clear: float = 0.0


Edges = NDArray[np.complex64]
"""The spectrum of where a picture has edges."""


def edges(picture: F32) -> Edges:
    """Of the strength of edges of a coarse copy, evened out so that one strong edge does not speak for all."""
    if _left_out(picture.shape[0]):
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


class Swing:
    """Of one mast: where its pictures lie on average against the background.

    The background learns from pictures that were shifted back to it, so nothing else holds it in its place: what each estimate errs by on average, and be it a tenth of a cell, adds up
    until the background has walked off. A mast that swings comes back; so what is common to all shifts is left in the pictures, and the background follows them.
    """

    def __init__(self) -> None:
        self._dx = self._dy = 0.0

    def about(self, shift: Shift, passed_s: float) -> Shift:
        """Without what is common to all. passed_s: since the shift before."""
        if shift.clear < CLEAR:
            return shift
        part = 1 - math.exp(-min(max(passed_s, 0.0), LONGEST_S) / COMMON_S)
        self._dx += part * (shift.dx - self._dx)
        self._dy += part * (shift.dy - self._dy)
        return Shift(_without(shift.dx, self._dx), _without(shift.dy, self._dy), shift.clear)


def _without(shift: float, common: float) -> float:
    """At most the shift itself is left in: a picture that lies where it should stays there, whatever was before."""
    return shift - min(max(common, min(shift, 0.0)), max(shift, 0.0))


def steadied(picture: F32, shift: Shift) -> F32:
    """The picture shifted back by as much; what was outside is repeated from the border."""
    height, width = picture.shape
    return planes.shifted(picture, shift.dx * width, shift.dy * (height - _left_out(height)))


def unseen(shape: tuple[int, int], shift: Shift) -> U8:
    """1 in the cells of a picture shifted back by as much that lay outside of it: nothing was seen there."""
    rows, columns = shape
    x = np.arange(columns) + shift.dx * columns
    y = np.arange(rows) + shift.dy * (rows - _left_out(rows))
    out_x, out_y = (np.abs(at - (size - 1) / 2) > (size - 1) / 2 + SEEN for at, size in ((x, columns), (y, rows)))
    made: U8 = (out_y[:, None] | out_x).view(np.uint8)
    return made


def _left_out(rows: int) -> int:
    """Of 90 rows two are left out, so that each coarse cell is four cells: a fifth of the cost."""
    return 2 if rows % COARSE[1] == 2 else 0
