"""Changes of light over the whole picture, taken out before anything is compared. Pure.

Auto-exposure, a light that is switched, dusk and the first-order part of an IR-cut switch all map old grey values to new ones by a gain and an
offset. They are estimated on a coarse picture by least squares over the cells that fit best (least trimmed squares, Rousseeuw 1984), so that what
moves does not count. What is left over a wide neighbourhood (a cloud's shadow, a lamp at one side) is taken out by a clipped local mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from longwatch.detection import planes
from longwatch.detection.planes import F32, U8

COARSE = (40, 22)
LEAST_GAIN, MOST_GAIN = 0.25, 4.0
KEPT = 0.6
"""Of the coarse cells, the part that the fit is made of: what moves may fill the rest."""
FREE = 0.3
"""Of a coarse cell: where more is hidden it tells nothing of the light."""
FITS = 8.0
"""Grey levels between a coarse cell and what the fit says of it, up to which the cell counts as explained."""
CALM, CALM_PART = 1.6, 0.85
"""Grey levels; where so large a part of the coarse cells differs by less, the light is the same, and nothing is fitted."""
ROUNDS, SURE_GAIN, SURE_LEVELS = 3, 0.005, 0.2
"""The fit is repeated over the cells that fitted best at most so often, and no more once it changes by less: a small part of what counts as changed."""
WIDE, CLIP = 7, 8.0
"""Coarse cells, 28 cells; grey levels."""


@dataclass(frozen=True, slots=True)
class Light:
    """picture = gain x background + offset. explained: the part of the coarse cells for which that holds."""

    gain: float = 1.0
    offset: float = 0.0
    explained: float = 1.0

    @property
    def changed(self) -> bool:
        """Whether it is more than the estimate's own unrest."""
        return abs(self.gain - 1) > 0.04 or abs(self.offset) > 2.5

    def undone(self, picture: F32) -> F32:
        """The picture as it would be in the light of the background."""
        return (picture - np.float32(self.offset)) * np.float32(1 / self.gain) if self.changed else picture


def between(background: F32, picture: F32, apart: F32 | None = None, hidden: U8 | None = None) -> Light:
    """How the light of `picture` differs from that of `background`; both of the same size. apart: picture - background, where that is known.
    hidden: 1 where something stands before it: that tells nothing of the light, and may be more than the fit can leave out.
    """
    coarse = _coarse(picture - background if apart is None else apart)
    free = None if hidden is None else _coarse(hidden.astype(np.float32)) < FREE
    far = np.abs(coarse if free is None else coarse[free])
    if np.count_nonzero(far < CALM) >= CALM_PART * far.size:
        return Light(explained=np.count_nonzero(far < FITS) / far.size)
    old = _coarse(background)
    new = old + coarse
    return _fitted(old.ravel(), new.ravel()) if free is None else _fitted(old[free], new[free])


def _coarse(plane: F32) -> F32:
    """A grid of COARSE. Of 90 rows two are left out, so that each of its cells is sixteen cells: a third of the cost."""
    columns, rows = COARSE
    if plane.shape[1] == 4 * columns and plane.shape[0] // 4 == rows:
        return planes.shrunk(planes.shrunk(plane[: 4 * rows], 2 * columns, 2 * rows), columns, rows)
    return planes.averaged(plane, columns, rows)


def _fitted(old: F32, new: F32) -> Light:
    size = old.size
    base_old, base_new = float(old.sum()) / size, float(new.sum()) / size
    terms = np.ones((5, size), np.float32)  # both centred, so that their squares stay small
    old, new = terms[1], terms[2] = old - np.float32(base_old), new - np.float32(base_new)
    np.multiply(old, old, terms[3])
    np.multiply(old, new, terms[4])
    kept = int(KEPT * size)
    gain, offset = 1.0, float(np.partition(new - old, size // 2)[size // 2])
    for _ in range(ROUNDS):
        before = gain, offset
        apart = np.abs(new - np.float32(gain) * old - np.float32(offset))
        fits = (apart < np.partition(apart, kept)[kept]).astype(np.float32)
        gain, offset = _line(*(terms @ fits).tolist())
        if abs(gain - before[0]) < SURE_GAIN and abs(offset - before[1]) < SURE_LEVELS:
            break
    apart = np.abs(new - np.float32(gain) * old - np.float32(offset))
    explained = np.count_nonzero(apart < FITS) / size
    return Light(gain, offset + base_new - gain * base_old, explained)


def _line(count: float, old: float, new: float, old2: float, both: float) -> tuple[float, float]:
    """Gain and offset by least squares, from sums over the cells that fit: of ones, of both, of squares and of products."""
    count = max(count, 1.0)
    old, new = old / count, new / count
    variance = old2 / count - old**2
    gain = (both / count - old * new) / variance if variance > 4 else 1.0
    gain = min(max(gain, LEAST_GAIN), MOST_GAIN)
    return gain, new - gain * old


def local(difference: F32) -> F32:
    """The part of a difference that is the same over a wide neighbourhood. Clipped first, so that a thing in the picture throws no shadow on what is around it."""
    broad = planes.blurred(_coarse(planes.clipped(difference, -CLIP, CLIP)), WIDE)
    return planes.enlarged(broad, difference.shape[1], difference.shape[0])
