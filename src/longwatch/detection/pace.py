"""Which of a stream's pictures are looked at where so many a second are enough. Pure.

A stream of 6.25 a second holds no five that are evenly apart: of its pictures four in five are taken. To ask for a pause between two instead would take every other one, which is
3.1 a second, and whoever crosses in a second was seen in two pictures.
"""

from __future__ import annotations


class Pace:
    """Of one camera. Times are those of the pictures."""

    def __init__(self) -> None:
        self._due_us = 0

    def is_due(self, wall_us: int, each_us: int) -> bool:
        """Whether a picture is one of those in which one in each_us is looked at, on average; a tenth too early counts."""
        early_us = self._due_us - wall_us
        return not each_us // 10 < early_us < 2 * each_us

    def looked(self, wall_us: int, each_us: int) -> None:
        """It was looked at, whether it was due or not."""
        near = -each_us < self._due_us - wall_us < each_us
        self._due_us = (self._due_us if near else wall_us) + each_us
