"""A picture that stands still though time goes on: frozen. Pure.

No sensor gives the same picture twice: its noise differs, and after the encoder something of that is left. So two looks some seconds apart are compared, block by block, and a block in which next to nothing
differs is *dead*. Where a camera's pictures usually have few dead blocks and now nearly all are dead, the picture is frozen. Where many blocks were always dead (a picture without noise,
burnt out or black), nothing is said: that needs evidence.

An encoder needs some groups of pictures to refine what stands still, ten seconds and more at a low rate; until then pictures of a frozen camera differ, though by much less than its noise made them differ before. So sync samples,
which each say all anew, are compared with each other as well: where most blocks differ by a quarter less than is the least usual, and usual in the same light, two times in a row, the noise is gone and the picture is frozen:
of a live camera it hardly strays from one pair of them to the next.
Other pictures are left out of that: an encoder that has little to say of a group does not say it, and they are alike in a live camera too.

A thermal camera holds its picture for a second or two while it calibrates; that is shorter than SPAN_S.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longwatch.detection import planes
from longwatch.detection.planes import F32, U8

POINTS = (80, 45)
BLOCKS = (16, 9)
DEAD = 0.15
"""Mean difference of a block's points, in grey levels."""
FROZEN, LIVE = 0.5, 0.3
"""Parts of the blocks that are dead: so many are frozen, fewer than so many are not."""
MOST_USUAL = 0.25
LEAST_LIT = 0.35
MOVING, OVER_NOISE, MOST_MOVING = 4.0, 1.5, 0.05
"""A block that differs by more levels, and by more than noise does; with more such blocks than a clock in the corner has, something moves: that is not frozen, and such a camera has no noise to go by."""
FIRST_RISE, RISE, FALL = 0.6, 0.05, 0.001
"""How fast the usual part of dead blocks is learnt, by comparison: it is rather the most than the mean of the last hours."""
LEAST_COMPARED = 4
COLLAPSED, NEARLY, MOSTLY = 0.74, 0.81, 0.75
"""Of the noise by which sync samples differed lately, two times in a row, one of them a little less of a collapse; in so large a part of the blocks. What a whole block differs by is light, and left out."""
LEAST_KNOWN, KEPT_NOISE, STEADY, LEAST_NOISE = 6, 20, 1.3, 0.6
"""So many of the last comparisons in which nothing moved must have found the same noise, give or take so much, and none of the last twenty less than so many grey levels; what is gone is gone from the least of them, in
whatever light: what falls since somebody walked there, or since a lamp swayed, is no noise that is gone.
"""
EVEN = 1.1
"""Where the least of them is less than the middle one by more than that, noise comes and goes by itself, as rain does: by as much less must be left of it."""
OTHER_LIGHT = 10.0
"""Levels by which half of the blocks differ in another light: a lamp, infra-red. Its noise is another, and that of before says nothing of it: a frozen picture has the light of the last live one."""
COLLAPSES, AGAIN_S = 2, 1.0
"""So often in a row it must be so, and so far apart."""
UNSTEADY, LESS_S = 0.6, 12.0
"""Where the sizes of the stream became far smaller at most so long ago, once is enough, and so much less where it was not steady before: they are another witness."""
REFINED_S, SURELY_S = 20.0, 5.0
"""After so long nothing is left to refine: what still differs is live, and its noise less than it was. So it is where the noise is nearly gone for so long and no more than nearly: it goes on going from a frozen picture."""
KEPT_KEYS = 4
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
        self._keys: list[tuple[int, U8]] = []
        self._noise: list[tuple[float, F32]] = []  # and the light of it, by block
        self._collapses, self._surely = 0, False
        self._since_us = self._collapsed_us = 0  # the first and the last of them
        self._less_us = self._sync_us = -(1 << 62)

    @property
    def doubts(self) -> bool:
        """Whether the noise seems to be gone, and another sync sample is waited for."""
        return self._collapses > 0 and not self.frozen

    def look(self, luma: U8, now_us: int, *, key: bool = False, moves: bool = False, less: bool = False) -> bool:
        """Whether the picture is frozen. key: it is a sync sample. moves: something did a moment ago. less: the sizes of the stream are far smaller than usual."""
        if key:
            self._sync_us = now_us
        key = key and not moves
        if less:
            self._less_us = now_us
        soon = bool(self._pictures) and 0 <= now_us - self._pictures[-1][0] < SPACING_S * 1e6
        if soon and self._size == luma.shape and not key:
            return self.frozen
        self._size = luma.shape
        points = np.ascontiguousarray(
            luma[:: max(luma.shape[0] // POINTS[1], 1), :: max(luma.shape[1] // POINTS[0], 1)][: POINTS[1], : POINTS[0]]
        )
        if self._pictures and (now_us < self._pictures[-1][0] or points.shape != self._pictures[-1][1].shape):
            self._pictures, self._keys = [], []
        before = earlier = None
        within = False
        if key and not (self._keys and now_us - self._keys[-1][0] < SPACING_S * 1e6):
            earlier = _before(self._keys, now_us)
            self._keys = [*self._keys[-(KEPT_KEYS - 1) :], (now_us, points)]
        if not soon:
            before = _before(self._pictures, now_us)
            within = any(points is before and at_us >= self._sync_us for at_us, points in self._pictures)
            within = within and not self._is_told(now_us)
            self._pictures = [*self._pictures[-(KEPT - 1) :], (now_us, points)]
        apart = None if earlier is None else _apart(points, earlier)
        if apart is not None:
            self._refines(apart, now_us)
        if before is not None:
            made = apart if apart is not None and before is earlier else _apart(points, before)
            self._compare(made, now_us, within=within)
        return self.frozen

    def _refines(self, made: _Apart, now_us: int) -> None:
        """Of two sync samples: whether the noise is gone from between them."""
        if not made.tells:
            return
        if made.moving or _is_other(made.light, planes.shrunk(made.before, *BLOCKS)):
            self._collapses = 0
            return
        differ = made.noise
        least = min((noise for noise, _ in self._noise), default=0.0)
        left = differ / least if least >= LEAST_NOISE else 1.0
        gone, surely = self._bounds(made, now_us) if left < NEARLY else (0.0, 0.0)
        if left >= gone:
            self._collapses = 0
            self._noise = [*self._noise[-(KEPT_NOISE - 1) :], (differ, made.light)]
        elif self._collapses and not self._surely and left >= surely and now_us - self._since_us >= SURELY_S * 1e6:
            self._collapses, self._noise = 0, [(differ, made.light)]
        elif not self._collapses or now_us - self._collapsed_us >= AGAIN_S * 1e6:
            if not self._collapses:
                self._since_us, self._surely = now_us, False
            self._collapses += 1
            self._collapsed_us = now_us
            self._surely = self._surely or left < surely
            witnessed = self._collapses >= COLLAPSES or self._is_told(now_us)
            if self._surely and witnessed and self._usual < MOST_USUAL:
                self.frozen = True

    def _is_told(self, now_us: int) -> bool:
        """Whether sizes were far smaller than usual lately."""
        return 0 <= now_us - self._less_us < LESS_S * 1e6

    def _bounds(self, made: _Apart, now_us: int) -> tuple[float, float]:
        """Of what is left of the noise: below which part it is gone, and below which surely. 0: nothing is known of this light, or noise comes and goes in it."""
        lately = [noise for noise, light in self._noise if not _is_other(made.light, light)][-LEAST_KNOWN:]
        if len(lately) < LEAST_KNOWN:
            return 0.0, 0.0
        if max(lately) <= STEADY * min(lately):
            known = sorted(noise for noise, light in self._noise if not _is_other(made.light, light))
            even = min(EVEN * min(noise for noise, _ in self._noise) / known[len(known) // 2], 1.0)
            return NEARLY * even, COLLAPSED * even
        return (UNSTEADY, UNSTEADY) if self._is_told(now_us) else (0.0, 0.0)

    def _compare(self, made: _Apart, now_us: int, *, within: bool) -> None:
        """within: no sync sample is between the two, nor did sizes become far smaller. An encoder that has little to say of a clean picture repeats itself until the next one: that is no evidence, and says nothing of what is usual."""
        if not made.tells:
            return
        dead = np.count_nonzero(made.lit & (made.apart < DEAD)) / made.count
        if self._collapses and dead < LIVE and now_us - self._since_us > REFINED_S * 1e6:
            self._collapses, self._noise = 0, []  # it stands no stiller than that: its noise is less than it was
        if self.frozen and (made.moving or (dead < LIVE and not self._collapses)):
            self.frozen = False
            self._usual = max(self._usual, dead)
        elif within:
            return
        elif (
            not self.frozen
            and dead >= FROZEN
            and not made.moving
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


def _before(pictures: list[tuple[int, U8]], now_us: int) -> U8 | None:
    """The youngest that is old enough."""
    for at_us, points in reversed(pictures):
        if now_us - at_us >= SPAN_S * 1e6:
            return points if now_us - at_us <= LONGEST_S * 1e6 else None
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Apart:
    """By how much each block of two pictures differs. lit: which of them are neither black nor burnt out, count: how many."""

    now: U8
    before: U8
    light: F32
    apart: F32
    lit: NDArray[np.bool_]
    count: int

    @property
    def tells(self) -> bool:
        return self.count >= LEAST_LIT * self.lit.size

    @property
    def moving(self) -> bool:
        most = MOST_MOVING * self.apart.size
        if np.count_nonzero(self.apart > MOVING) <= most:
            return False
        if not self.tells:
            return True
        return int(np.count_nonzero(self.apart > max(MOVING, OVER_NOISE * self.noise))) > most

    @property
    def noise(self) -> float:
        """By how much points differ within a block, at most, in most of the blocks; what a whole block differs by is light."""
        signed = self.now.astype(np.float32) - self.before
        strays = (planes.shrunk(signed * signed, *BLOCKS) - np.square(planes.shrunk(signed, *BLOCKS)))[self.lit]
        place = int(MOSTLY * (strays.size - 1))
        return math.sqrt(max(float(np.partition(strays, place)[place]), 0.0))


def _apart(points: U8, before: U8) -> _Apart:
    apart = planes.shrunk(planes.apart(points, before).astype(np.float32), *BLOCKS)
    level = planes.shrunk(points, *BLOCKS)
    lit = (level > 20) & (level < 240)
    return _Apart(points, before, level, apart, lit, int(np.count_nonzero(lit)))


def _is_other(light: F32, before: F32) -> bool:
    apart = np.sort(np.abs(light - before), axis=None)
    middle = apart.size // 2  # of an even number of blocks: their median, at a tenth of what numpy takes for it
    return float(apart[middle - 1] + apart[middle]) > 2 * OTHER_LIGHT


def _points(array: NDArray[Any]) -> U8:
    if array.ndim != 2 or array.dtype != np.uint8:
        raise ValueError("points of another form")
    return array
