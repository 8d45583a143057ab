"""The view as it should be, and how much of it is still to be seen. Pure.

What stays the same while light, exposure and noise change are the places and directions of edges. So a reference picture is kept that learns slowly, and its gradients are
compared with the picture's, by blocks, as directions (normalised correlation): after Lee, Lee and Lim, "Unified camera tamper detection based on edge and object
information" (Sensors 2015), who count edges that have disappeared. A switch between colour and infrared may turn contrasts round; a direction and its opposite count as the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longwatch.detection import planes
from longwatch.detection.planes import F32, U8

BLOCKS = (16, 9)
COARSE = (80, 45)
BROAD = (20, 11)
STRUCTURE = 0.9
"""Levels per cell: a block with less gradient in the reference tells nothing."""
KEPT = 0.4
FLAT = 0.45
"""Least likeness of directions in a block that is kept; strength of gradients, of what the reference has, below which it is flat."""
HIDDEN = 0.3
"""Part of a block that a thing hides, from which on the block is left out."""
NOTHING = 0.6
"""Levels per cell: what has less has no structure at all, only noise."""
LEAST_BLOCKS = 10
GLARE = 247
FIRST_LOOKS = 4
LEARN_S = 240.0
EDGES_S = 40.0
"""The reference's edges and shades are taken anew so often: it learns far more slowly."""
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Likeness:
    """What of the reference is in the picture. blocks: how many have structure. kept, flat, strange: parts of them with the same edges, with none, with others. fine: strength of
    the reference's fine edges in the picture. broad: the same for its broad shades; alike: their normalised correlation. raised: levels by which the picture is lighter than its
    contrast explains. sharp: energy of the picture's fine edges, of what the reference has, wherever they are: a shift leaves it, a blur takes it. glare, dark: parts of the picture that are burnt out or black; calm, usual_calm: deviation of its broad shades, and of the reference's. mean: of all.
    """

    blocks: int
    kept: float
    flat: float
    strange: float
    fine: float
    broad: float
    alike: float
    raised: float
    glare: float
    more_glare: float
    dark: float
    calm: float
    usual_calm: float
    mean: float
    sharp: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """What pictures are compared with, of the reference: gradients of its cells and their energy, gradients of its coarse copy and their energy by blocks, its broad shades, its mean."""

    fine_x: F32
    fine_y: F32
    fine2: float
    coarse_x: F32
    coarse_y: F32
    blocks2: F32
    shades: F32
    mean: float


class View:
    """The reference of one camera, at the size of the looker's cells."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.looks = 0
        self.glare = 0.0
        self._usual = np.zeros(shape, np.float32)
        self._edges: _Edges | None = None
        self._edges_s = 0.0

    @property
    def known(self) -> bool:
        """Whether it has seen enough to judge."""
        return self.looks >= FIRST_LOOKS

    @property
    def usual(self) -> F32:
        """The reference picture."""
        return self._usual

    def likeness(self, cells: F32, glare: float, dark: float, hidden: U8 | None = None) -> Likeness:
        """Of a picture to the reference. glare, dark: parts of it that are burnt out or black. hidden: 1 in cells before which something stands: what they hide tells nothing."""
        was = self._reference()
        small = planes.shrunk(cells, *COARSE)
        now_x, now_y = planes.gradient(small)
        was2, now2 = was.blocks2, _blocks(now_x * now_x + now_y * now_y)
        both = np.abs(_blocks(was.coarse_x * now_x + was.coarse_y * now_y))
        alive = was2 > STRUCTURE**2
        if hidden is not None:
            alive &= _blocks(hidden.astype(np.float32)) < HIDDEN
        same = both > KEPT * np.sqrt(was2 * now2 + _TINY)
        weak = now2 < np.maximum(FLAT**2 * was2, NOTHING**2)
        blocks = int(np.count_nonzero(alive))
        count = max(blocks, 1)
        kept = np.count_nonzero(alive & same & ~weak) / count
        flat = np.count_nonzero(alive & weak) / count
        here_x, here_y = planes.gradient(cells)
        fine_x, fine_y, had = was.fine_x, was.fine_y, was.fine2
        if hidden is not None:
            seen = planes.not_of(hidden).astype(np.float32)
            fine_x, fine_y = fine_x * seen, fine_y * seen
            here_x, here_y = here_x * seen, here_y * seen
            had = float(np.vdot(fine_x, fine_x) + np.vdot(fine_y, fine_y)) + _TINY
        fine = float(np.vdot(fine_x, here_x) + np.vdot(fine_y, here_y)) / had
        sharp = float(np.vdot(here_x, here_x) + np.vdot(here_y, here_y)) / had
        broad, alike, calm, usual_calm = _shades(was.shades, planes.averaged(small, *BROAD))
        mean = planes.mean(small)
        raised = mean - max(broad, 0.0) * was.mean
        return Likeness(
            blocks, kept, flat, 1 - kept - flat if blocks else 0.0, fine, broad, alike, raised, glare, glare - self.glare, dark, calm, usual_calm, mean, sharp,
        )  # fmt: skip

    def learn(self, cells: F32, glare: float, passed_s: float) -> None:
        """Go on learning; the caller judges whether the view is what it should be."""
        self.looks += 1
        rate = max(1 - float(np.exp(-passed_s / LEARN_S)), 1 / self.looks if self.looks <= 8 else 0.0)
        self._usual += np.float32(rate) * (cells - self._usual)
        self.glare += rate * (glare - self.glare)
        self._edges_s += passed_s
        if self.looks <= 8 or self._edges_s >= EDGES_S:
            self._edges = None

    def relight(self, gain: float, offset: float) -> None:
        """Move the reference to a new light."""
        self._usual *= np.float32(gain)
        self._usual += np.float32(offset)
        self._edges = None

    def replace(self, cells: F32, glare: float) -> None:
        """A new view: begin again with it."""
        self._usual[:] = cells
        self.glare = glare
        self.looks = 1
        self._edges = None

    def _reference(self) -> _Edges:
        if self._edges is None:
            self._edges, self._edges_s = _edges(self._usual), 0.0
        return self._edges

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is saved."""
        return {"view": self._usual.astype(np.float16)}

    def head(self) -> dict[str, Any]:
        """What is saved of it as JSON."""
        return {"looks": self.looks, "glare": self.glare}

    def restore(self, head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Back from both. Raises KeyError, TypeError or ValueError where they are of another form."""
        usual = np.nan_to_num(arrays["view"].astype(np.float32), nan=0.0, posinf=255.0, neginf=0.0)
        if usual.shape != self.shape:
            raise ValueError("a view of another size")
        self._usual, self.looks, self.glare = usual, int(head["looks"]), float(head["glare"])
        self._edges = None


def _edges(usual: F32) -> _Edges:
    fine_x, fine_y = planes.gradient(usual)
    coarse_x, coarse_y = planes.gradient(planes.shrunk(usual, *COARSE))
    return _Edges(
        fine_x, fine_y, float(np.vdot(fine_x, fine_x) + np.vdot(fine_y, fine_y)) + _TINY, coarse_x, coarse_y,
        _blocks(coarse_x * coarse_x + coarse_y * coarse_y), planes.averaged(usual, *BROAD), planes.mean(usual),
    )  # fmt: skip


def _blocks(plane: F32) -> F32:
    return planes.shrunk(plane, *BLOCKS)


def _shades(was: F32, now: F32) -> tuple[float, float, float, float]:
    """(regression of now on was, correlation, deviation of now, of was)."""
    was0, now0 = was - was.sum() / was.size, now - now.sum() / now.size
    var_was, var_now = float(np.vdot(was0, was0)) / was.size, float(np.vdot(now0, now0)) / now.size
    cov = float(np.vdot(was0, now0)) / was.size
    return cov / (var_was + _TINY), cov / ((var_was * var_now) ** 0.5 + _TINY), var_now**0.5, var_was**0.5
