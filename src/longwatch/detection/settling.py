"""Whether the exposure is on its way: then pictures tell nothing of what moves, and nothing of them is to be learnt. Pure.

Where the infra-red filter moves, or a light is switched, all changes at once: the picture is black for half a second, burnt white for some more, and comes down over seconds. What is
told from it meanwhile are the ghosts of its burnt parts, and a background that learns them shows them again afterwards. A thing changes its own part of the picture and no more.
"""

from __future__ import annotations

import math

import numpy as np

from longwatch.detection import planes
from longwatch.detection.planes import F32

BURNT, MOSTLY = 238.0, 0.4
"""Levels; and the part of the picture that is burnt out besides what usually is, from which on nothing is told from the rest."""
JUMP, WITHIN_S = 1.8, 5.0
"""Times as light, or as dark, as the whole picture was so many seconds ago at most."""
STEADY, STEADY_S = 8.0, 0.9
"""Levels a second by which the whole picture still changes where the exposure has come to rest, and for how long."""
LEAST_LEVELS = 6.0
"""A darker picture counts as so light: noise doubles what is black."""
LEAST_RESTING, MOST_RESTING = 3, 9
"""Pictures that the background is begun with."""
MOST_S = 15.0
"""Then it is taken as it is: a light that pulses must not hide all that moves."""


FILTER_S = 5.0
"""So long a moving filter excuses what is burnt or black, soft or pale. A light held into the lens takes the colours as a filter does, and stays; so does a hand."""


class Settling:
    """Of one camera."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._at_us = 0
        self._since_us = 0
        self._calm_us = 0
        self.on = False
        self.turned = False
        """Whether the filter moved in it, or colours went as if it had (`excuses`)."""
        self._rest: list[F32] = []

    def excuses(self, now_us: int) -> bool:
        """Whether what the view has lost may be the filter's doing: then it is no sabotage."""
        return self.on and self.turned and now_us - self._since_us < FILTER_S * 1e6

    def look(self, cells: F32, usual: F32, now_us: int, *, turned: bool) -> bool:
        """Whether the exposure is on its way. usual: the background. turned: from colours to none, or back: the filter has moved."""
        mean = max(planes.mean(cells), LEAST_LEVELS)
        passed_s = (now_us - self._at_us) / 1e6
        before, self._mean, self._at_us = self._mean, mean, now_us
        if before is None or not passed_s > 0:
            return self.on
        burnt = _is_burnt(cells, usual, mean)
        jumped = passed_s <= WITHIN_S and abs(math.log(mean / before)) > math.log(JUMP)
        if not self.on:
            if turned or burnt or jumped:
                self.on, self._since_us, self._calm_us, self.turned = True, now_us, 0, turned
            return self.on
        self.turned = self.turned or turned
        if burnt or turned or abs(mean - before) > STEADY * passed_s:
            self._calm_us, self._rest = 0, []
        else:
            self._calm_us = self._calm_us or now_us
            self._rest = [*self._rest[-MOST_RESTING + 1 :], cells]
        calm = self._calm_us and now_us - self._calm_us >= STEADY_S * 1e6
        self.on = not calm and now_us - self._since_us < MOST_S * 1e6
        return self.on

    def rested(self) -> F32 | None:
        """What the place looks like since the exposure has come to rest, without what falls through single pictures; None where there is nothing to go by."""
        taken, self._rest = self._rest, []
        if len(taken) < LEAST_RESTING:
            return taken[-1] if taken else None
        made: F32 = np.median(np.stack(taken), axis=0)
        return made


def _is_burnt(cells: F32, usual: F32, mean: float) -> bool:
    if mean < MOSTLY * BURNT:
        return False
    over = planes.count((cells > BURNT).view("u1"))
    return over > MOSTLY * cells.size and over - planes.count((usual > BURNT).view("u1")) > MOSTLY * cells.size
