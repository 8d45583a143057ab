"""A picture that stands still though time goes on: frozen. Pure.

No sensor gives the same picture twice: its noise differs, and after the encoder something of that is left. So two looks some seconds apart are compared, block by block, and a block in which next to nothing
differs is *dead*. Where a camera's pictures usually have few dead blocks and now nearly all are dead, the picture is frozen. Where many blocks were always dead (a picture without noise,
burnt out or black), nothing is said: that needs evidence.

A thermal camera holds its picture for a second or two while it calibrates; that is shorter than SPAN_S.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longwatch.detection import planes
from longwatch.detection.planes import U8

POINTS = (80, 45)
BLOCKS = (16, 9)
DEAD = 0.15
"""Mean difference of a block's points, in grey levels."""
FROZEN, LIVE = 0.5, 0.3
"""Parts of the blocks that are dead: so many are frozen, fewer than so many are not."""
MOST_USUAL = 0.25
LEAST_LIT = 0.35
MOVING, MOST_MOVING = 4.0, 0.05
"""A block that differs by more levels; with more such blocks than a clock in the corner has, something moves: that is not frozen, and such a camera has no noise to go by."""
FIRST_RISE, RISE, FALL = 0.6, 0.05, 0.001
"""How fast the usual part of dead blocks is learnt, by comparison: it is rather the most than the mean of the last hours."""
LEAST_COMPARED = 4
SPAN_S, LONGEST_S = 3.4, 30.0
KEPT = 5
SPACING_S = 0.85


class Sameness:
    """Of one camera. Keeps a few points of its last pictures."""

    def __init__(self) -> None:
        self.frozen = False
        self._size: tuple[int, ...] = ()
        self._pictures: list[tuple[int, U8]] = []
        self._usual = 0.0
        self._compared = 0

    def look(self, luma: U8, now_us: int) -> bool:
        """Whether the picture is frozen."""
        soon = bool(self._pictures) and 0 <= now_us - self._pictures[-1][0] < SPACING_S * 1e6
        if soon and self._size == luma.shape:
            return self.frozen
        self._size = luma.shape
        points = np.ascontiguousarray(
            luma[:: max(luma.shape[0] // POINTS[1], 1), :: max(luma.shape[1] // POINTS[0], 1)][: POINTS[1], : POINTS[0]]
        )
        if self._pictures and (now_us < self._pictures[-1][0] or points.shape != self._pictures[-1][1].shape):
            self._pictures = []
        if self._pictures and now_us - self._pictures[-1][0] < SPACING_S * 1e6:
            return self.frozen
        before = self._before(now_us)
        if before is not None:
            self._compare(points, before)
        self._pictures = [*self._pictures[-(KEPT - 1) :], (now_us, points)]
        return self.frozen

    def _before(self, now_us: int) -> U8 | None:
        """The youngest picture that is old enough."""
        for at_us, points in reversed(self._pictures):
            if now_us - at_us >= SPAN_S * 1e6:
                return points if now_us - at_us <= LONGEST_S * 1e6 else None
        return None

    def _compare(self, points: U8, before: U8) -> None:
        apart = planes.shrunk(planes.apart(points, before).astype(np.float32), *BLOCKS)
        level = planes.shrunk(points, *BLOCKS)
        lit = (level > 20) & (level < 240)
        count = int(lit.sum())
        if count < LEAST_LIT * lit.size:
            return
        dead = float((lit & (apart < DEAD)).sum()) / count
        moving = float((apart > MOVING).mean()) > MOST_MOVING
        if self.frozen and (dead < LIVE or moving):
            self.frozen = False
            self._usual = max(self._usual, dead)
        elif (
            not self.frozen
            and dead >= FROZEN
            and not moving
            and self._compared >= LEAST_COMPARED
            and self._usual < MOST_USUAL
        ):
            self.frozen = True
        if not self.frozen:
            rise = RISE if self._compared > LEAST_COMPARED else FIRST_RISE
            self._usual += (rise if dead > self._usual else FALL) * (dead - self._usual)
            self._compared = min(self._compared + 1, 1000)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is saved."""
        return {f"points{k}": points for k, (_, points) in enumerate(self._pictures)}

    def head(self) -> dict[str, Any]:
        """What is saved of it as JSON."""
        return {
            "frozen": self.frozen,
            "usual": self._usual,
            "compared": self._compared,
            "at": [at_us for at_us, _ in self._pictures],
        }

    def restore(self, head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Back from both. Raises KeyError, TypeError or ValueError where they are of another form."""
        self.frozen, self._usual, self._compared = bool(head["frozen"]), float(head["usual"]), int(head["compared"])
        self._pictures = [
            (int(at_us), _points(arrays[f"points{k}"])) for k, at_us in enumerate(list(head["at"])[:KEPT])
        ]


def _points(array: NDArray[Any]) -> U8:
    if array.ndim != 2 or array.dtype != np.uint8:
        raise ValueError("points of another form")
    return array
