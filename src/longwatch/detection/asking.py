"""How many crops a model is asked about: so many a second over all cameras, shared fairly. Pure; times are of a clock that never goes back.

What is not asked about is counted where it was due, and nothing waits for it: motion is looked at as ever. A camera on which all trees move takes no more than its share where others want too.
"""

from __future__ import annotations

import math

MOST_A_JOB = 4
_HUNGRY_US = 5_000_000
_FADE_US = 10_000_000


class Asks:
    """Owner of its state. rate: crops a second."""

    def __init__(self, rate: float, now_us: int) -> None:
        self.rate = rate
        self._room = self._most
        self._at_us = now_us
        self._used: dict[str, tuple[float, int]] = {}
        self._hungry_us: dict[str, int] = {}

    @property
    def _most(self) -> float:
        return max(2.0, 2 * self.rate)

    def grant(self, camera: str, now_us: int) -> int:
        """How many crops a camera's next job may ask about; they are its own until `used`."""
        self._room = min(self._most, self._room + max(0, now_us - self._at_us) * self.rate / 1e6)
        self._at_us = max(now_us, self._at_us)
        others = [
            other for other, since_us in self._hungry_us.items() if other != camera and now_us - since_us < _HUNGRY_US
        ]
        if others and self._lately(camera, now_us) > min(self._lately(other, now_us) for other in others) + 1:
            return 0
        granted = min(MOST_A_JOB, int(self._room))
        self._room -= granted
        return granted

    def used(self, camera: str, granted: int, asked: int, passed: int, now_us: int) -> None:
        """A job is over. passed: crops that were due, and for which there was no room."""
        self._room = min(self._most, self._room + max(0, granted - asked))
        self._used[camera] = self._lately(camera, now_us) + asked, now_us
        if passed:
            self._hungry_us[camera] = now_us
        else:
            self._hungry_us.pop(camera, None)

    def forget(self, camera: str) -> None:
        """It is not looked at any more."""
        self._used.pop(camera, None)
        self._hungry_us.pop(camera, None)

    def _lately(self, camera: str, now_us: int) -> float:
        used, at_us = self._used.get(camera, (0.0, now_us))
        return used * math.exp(-max(0, now_us - at_us) / _FADE_US)
