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
WIDE = 31
CLIP = 8.0


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
    coarse = np.abs(planes.averaged(picture - background if apart is None else apart, *COARSE))
    free = None if hidden is None else planes.averaged(hidden.astype(np.float32), *COARSE) < FREE
    if free is not None:
        coarse = coarse[free]
    if np.count_nonzero(coarse < CALM) >= CALM_PART * coarse.size:
        return Light(explained=np.count_nonzero(coarse < FITS) / coarse.size)
    old = planes.averaged(background, *COARSE)
    new = planes.averaged(picture, *COARSE)
    old, new = (old.ravel(), new.ravel()) if free is None else (old[free], new[free])
    base_old, base_new = old.mean(), new.mean()
    old, new = old - base_old, new - base_new
    kept = int(KEPT * old.size)
    gain, offset = 1.0, float(np.partition(new - old, old.size // 2)[old.size // 2])
    for _ in range(3):
        apart = np.abs(new - np.float32(gain) * old - np.float32(offset))
        fits = (apart < np.partition(apart, kept)[kept]).astype(np.float32)
        gain, offset = _line(old, new, fits)
    apart = np.abs(new - np.float32(gain) * old - np.float32(offset))
    explained = np.count_nonzero(apart < FITS) / apart.size
    return Light(gain, offset + float(base_new) - gain * float(base_old), explained)


def _line(old: F32, new: F32, fits: F32) -> tuple[float, float]:
    """Gain and offset by least squares over the cells where `fits` is 1. Both are centred, so that their squares stay small."""
    count = max(float(fits.sum()), 1.0)
    chosen = old * fits
    mean_old, mean_new = float(chosen.sum()) / count, float(new @ fits) / count
    variance = float(chosen @ old) / count - mean_old**2
    gain = (float(chosen @ new) / count - mean_old * mean_new) / variance if variance > 4 else 1.0
    gain = min(max(gain, LEAST_GAIN), MOST_GAIN)
    return gain, mean_new - gain * mean_old


def local(difference: F32) -> F32:
    """The part of a difference that is the same over a wide neighbourhood. Clipped first, so that a thing in the picture throws no shadow on what is around it."""
    return planes.blurred(planes.clipped(difference, -CLIP, CLIP), WIDE)
