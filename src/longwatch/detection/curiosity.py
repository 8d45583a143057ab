"""What is worth a closer look: not what this view shows in vain all the time. Pure.

A closer look is dear: all pictures are decoded for some seconds. Snow, rain, branches and lamps show something new in nearly every picture, and none of it is ever confirmed as a thing.
So it is learnt how large what came to nothing was, in each part of the picture (a tree) and over all of it (snow), and only what is larger makes curious. Whoever is
not larger than the flakes is still found where sizes open the gate, or goes slowly enough for key frames. What was learnt fades within minutes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from longwatch.detection.planes import F32
from longwatch.detection.tracking import Track

COLUMNS, ROWS = 16, 9
OVER = 1.3
"""Times the size of what came to nothing: what is larger is worth a look."""
LIKE = 0.6
"""Likeness of the ground's texture before and after: above it is a branch, or light, and will never be confirmed; it makes nobody curious, and teaches nothing."""
SURE_HITS = 3
"""What key frames alone confirmed, and was not seen so often, is not said yet: whoever is on his way is gone before the next one."""
HIDING_TEXTURE, HIDING_EDGE = 0.25, 0.75
TIME_S = 2.4
"""Of close looking, in which a thing would have been confirmed; beyond it, it came to nothing."""
DENSE_S = 1.0
"""Between two looks; what lies further apart is no close look."""
HALF_LIFE_S = 300.0
OFTEN_S = 90.0
"""Half-life of how often something came to nothing."""
APART_S = 3.0
"""What comes to nothing at the same time counts once, as large as the largest of it: a lamp that sweeps makes a dozen of them, and of flakes it is the largest that made curious."""
SURELY = 3.0
"""So often it must have come to nothing lately until the same is expected everywhere; less often, only where it was."""
LARGER, SMALLER = 1.6, 0.94
"""By each that came to nothing, a step up or down: so that seven in eight are no larger, and a single one of great size changes little."""
MOST_EVERYWHERE = 16.0
"""Cells: larger flakes than this are expected only where they were. Whoever is larger, and was not seen there, is worth a look however much it snows."""
LEAST, MOST_PART = 5.0, 0.04
"""Cells; and part of the picture: what is larger is a light, or the view, and teaches nothing."""


class Curiosity:
    """Of one camera. here: cells that what came to nothing in each part of the picture seldom exceeds; hiding: the same of what hid the ground; everywhere: in all of it, of late;
    often: how many did, of late.
    """

    def __init__(
        self, here: F32 | None = None, everywhere: float = 0.0, often: float = 0.0, hiding: F32 | None = None
    ) -> None:
        """Raises ValueError for a grid of another size."""
        for grid in (here, hiding):
            if grid is not None and grid.shape != (ROWS, COLUMNS):
                raise ValueError("a grid of another size")
        self.here = np.zeros((ROWS, COLUMNS), np.float32) if here is None else here
        self.hiding = np.zeros((ROWS, COLUMNS), np.float32) if hiding is None else hiding
        self.everywhere, self.often = everywhere, often
        self._looked: dict[int, float] = {}
        self._since_s = math.inf
        self._largest = 0.0

    def look(
        self, tracks: Sequence[Track], over: Sequence[Track], shape: tuple[int, int], passed_s: float, *, learns: bool
    ) -> bool:
        """Whether one of the tracks deserves a closer look. over: those that ended with this look; shape: rows and columns of cells. learns: the background is old enough
        for what comes to nothing to mean something.
        """
        fade = math.exp2(-passed_s / HALF_LIFE_S)
        self.here *= np.float32(fade)
        self.hiding *= np.float32(fade)
        self.everywhere *= fade
        self._since_s += passed_s
        self.often *= math.exp2(-passed_s / OFTEN_S)
        known, self._looked = self._looked, {}
        curious = False
        for track in tracks:
            if track.confirmed or track.texture > LIKE:
                curious = curious or (is_unsaid(track) and not track.missed)
                continue
            looked_s = known.get(track.number, 0.0) + (passed_s if passed_s < DENSE_S else 0.0)
            if looked_s >= TIME_S and learns:
                self._in_vain(track, shape)
                looked_s = 0.0
            self._looked[track.number] = looked_s
            curious = curious or (not track.missed and self.is_worth(track, shape))
        for track in over:
            if learns and not track.confirmed and track.texture <= LIKE and known.get(track.number, 0.0) > 0:
                self._in_vain(track, shape)
        return curious

    def is_worth(self, track: Track, shape: tuple[int, int]) -> bool:
        """Whether it is larger than what comes to nothing here."""
        if track.texture > LIKE:
            return False
        grid = self.hiding if _hides(track) else self.here
        usual = float(grid[_parts(track.box, shape, 0)].min())
        often = min(max((self.often - 1) / SURELY, 0.0), 1.0)
        return track.cells > OVER * max(usual, min(often * self.everywhere, MOST_EVERYWHERE))

    def _in_vain(self, track: Track, shape: tuple[int, int]) -> None:
        if track.cells > MOST_PART * shape[0] * shape[1]:
            return
        for grid in (self.here, self.hiding) if _hides(track) else (self.here,):
            part = grid[_parts(track.box, shape, 1)]
            np.maximum(part, np.float32(LEAST), out=part)
            part[:] = np.where(
                track.cells > part,
                np.minimum(part * np.float32(LARGER), np.float32(track.cells)),
                part * np.float32(SMALLER),
            )
        self._largest = max(self._largest, track.cells)
        if self._since_s < APART_S:
            return
        largest, self._largest, self._since_s = self._largest, 0.0, 0.0
        usual = max(self.everywhere, LEAST)
        self.everywhere = min(usual * LARGER, largest) if largest > usual else usual * SMALLER
        self.often = min(self.often + 1, 2 * SURELY)


def is_unsaid(track: Track) -> bool:
    """Whether it is confirmed, and not to be said before it was seen again, or was seen to go on."""
    return track.confirmed and (track.hits < SURE_HITS or not track.sure)


def _hides(track: Track) -> bool:
    """Whether it leaves nothing of the ground's texture and ends sharply: it is held against such alone, or branches and lamps would speak for whoever passes there."""
    return track.texture <= HIDING_TEXTURE and track.edge >= HIDING_EDGE


def _parts(box: tuple[float, float, float, float], shape: tuple[int, int], beside: int) -> tuple[slice, slice]:
    """The parts of the picture that a box of cells touches, and so many beside them; at least one."""
    left, top, width, height = box
    rows, columns = shape
    return _side(top * ROWS / rows, (top + height) * ROWS / rows, ROWS, beside), _side(
        left * COLUMNS / columns, (left + width) * COLUMNS / columns, COLUMNS, beside
    )


def _side(begin: float, end: float, many: int, beside: int) -> slice:
    first = min(max(int(begin), 0), many - 1)
    last = min(max(math.ceil(end), first + 1), many)
    return slice(max(first - beside, 0), last + beside)
