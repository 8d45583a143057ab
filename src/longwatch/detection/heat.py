"""Where things move: a coarse grid of seconds, to help set zones and sensitivity. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longwatch.detection import planes
from longwatch.detection.heat_hours import COLUMNS, MOST_TENTHS, ROWS
from longwatch.detection.planes import F32, U8

MOST_PASSED_S = 5.0
"""Of movement between two looks: nobody saw what was between them."""
_MOST_S = 1e7


class Heat:
    """Seconds of movement in each part of the picture, and seconds looked at, that nobody was told of yet. Who is told keeps them (`heat_hours`)."""

    def __init__(self, seconds: F32 | None = None, looked_s: float = 0.0) -> None:
        """Raises ValueError for what no other one has had."""
        if seconds is not None and (
            seconds.shape != (ROWS, COLUMNS) or not bool(((seconds >= 0) & (seconds <= _MOST_S)).all())
        ):
            raise ValueError("a heat map of another size")
        if not 0 <= looked_s <= _MOST_S:
            raise ValueError("a heat map of another time")
        self.seconds = np.zeros((ROWS, COLUMNS), np.float32) if seconds is None else seconds
        self.looked_s = looked_s

    def add(self, moving: U8 | None, passed_s: float) -> None:
        """moving: 1 in cells in which something moved; None where nothing did. passed_s: since the look before."""
        self.looked_s += passed_s
        if moving is not None:
            part = planes.shrunk(moving.astype(np.float32), COLUMNS, ROWS)
            self.seconds += part * min(passed_s, MOST_PASSED_S)

    def told(self) -> tuple[int, bytes]:
        """Tenths of a second looked at, and of movement in each part: `heat_hours.Heat16`, nothing where nothing moved. What is less than a tenth stays."""
        tenths: NDArray[np.float32] = np.floor(np.clip(self.seconds * 10, 0, MOST_TENTHS))
        self.seconds -= tenths / 10
        looked = min(int(self.looked_s * 10), MOST_TENTHS)
        self.looked_s = max(0.0, self.looked_s - looked / 10)
        return looked, tenths.astype("<u2").tobytes() if tenths.any() else b""
