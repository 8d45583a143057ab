"""A picture that has been before: a loop fed in place of the camera. Pure.

Noise never comes twice. What a look at a key frame shows beside the learnt background, without its broad part and weighed by how restless each cell is, is mostly noise. Its signs over many
random groups of cells make a *fingerprint* of 1,024 bits (random projections: Charikar, STOC 2002), of which half differ between two moments of a live camera, and few between a picture
and its copy, re-encoded or not. The idea is that of inter-frame duplication detection by residuals (Fadl, Han and Li, J. Forensic Sci. 2018).

A match must stand alone: a lamp or a shaken mast that comes back makes neighbours of the matched moment alike as well, a copy does not. There must be three of them, all equally long ago,
and they must be unlike each other: what is the same from look to look is the scene that stands still, or the structure of its encoding. Nothing is said before it is known how alike
this camera's live pictures are, nor of a camera in which they often are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longwatch.detection import planes
from longwatch.detection.planes import F32, U8

BITS = 1024
MOST = 256
"""Fingerprints kept: at one in 4 s about 17 minutes."""
ALIKE = 0.60
"""Of the bits, to be a match. Two moments of a live camera: 0.5, give or take 0.016."""
AWAY, LEARN = 6.0, 0.06
"""A match must also stand out from how alike the most alike of this camera's pictures are at other times, by so many times their mean deviation."""
FIRST_STRAY = 0.012
STRONG, HINT_S = 0.68, 0.35
"""A match of so many bits counts for one more, and so does one at a time that the sizes of the stream guessed as well, to so many seconds (`repeats`). Not where something is new in the picture: whoever enters makes an encoder of constant rate answer as it did when another entered,
in pictures and sizes. Both together are no more than one of them: a single picture is never enough."""
ENOUGH, RESTLESS = 3, 0.555
"""So many points, all equally long ago; a match is one. And how alike the most alike of this camera's pictures may usually be: where it is more, it is no noise by which they are told apart."""
NEAR_S = 5.0
"""For so long after a match that lacks one more each sync sample is asked for: whoever has one each second was looked at in others than those that match."""
LEARNT = 8
"""So many comparisons only teach what is usual."""
CHANGED = 0.57
"""Looks that match must be less alike with each other: else nothing changes that could come again."""
LONE = 0.45
"""Of a match's height over one half: its neighbours in time must stay below."""
LEAST_AGO_S = 40.0
AGAIN_S = 16.0
SAME_AGO_S = 0.3
"""All must be equally long ago."""
OVER_S = 20.0
SMOOTH = 7
CLIP = 3.0
STEEP, CALM_PART = 3.0, 0.4
"""Levels per cell: on steeper ground a shaken mast says more than noise does. At least this part of the cells is used, the calmest."""
LEAST_LEVELS = 0.2
"""Mean strength of what is left in a picture, in grey levels: rounding alone makes half of it."""
LEAST_NOISE = 0.03
"""Mean strength of what is left in a picture, in spreads; with less there is nothing to tell pictures apart by."""
GROUND_S = 40.0
"""How steep the background is, and how restless, is asked so often: it learns far more slowly, and a picture and its copy never met the same."""


class Replay:
    """Of one camera."""

    def __init__(self) -> None:
        self.replayed = False
        self._prints = np.zeros((0, BITS // 8), np.uint8)
        self._times = np.zeros(0, np.int64)
        self._match_us = self._ago_us = self._matches = 0
        self._usual, self._stray, self._compared = 0.53, FIRST_STRAY, 0
        self._last = np.zeros(0, np.uint8)
        self.alike = 0.0
        self._ground: _Ground | None = None
        self._ground_us = 0

    def is_near(self, now_us: int) -> bool:
        """Whether one more match would do: then all sync samples are worth a look for some seconds, not those of every fourth second alone."""
        return self._matches >= ENOUGH - 1 and not self.replayed and 0 <= now_us - self._match_us < NEAR_S * 1e6

    def look(
        self, level: F32, usual: F32, spread: F32, now_us: int, perhaps: Sequence[int] = (), *, stirs: bool = False
    ) -> bool:
        """Whether pictures come again. stirs: something is new in the picture, so that its encoder may answer as it did before. level, usual: picture and background in the same light; spread: how restless each cell is. perhaps: how long ago it may be, as others guess."""
        ground = self._ground
        if ground is None or ground.weight.shape != level.shape or not 0 <= now_us - self._ground_us < GROUND_S * 1e6:
            ground = self._ground = ground_of(usual, spread)
            self._ground_us = now_us
        made = fingerprint(level - usual, ground)
        if made is None:
            return self.replayed
        if self._times.size and now_us <= int(self._times[-1]):
            self.forget()
        matched_us = self._matched(made, now_us)
        if matched_us:
            ago_us = now_us - matched_us
            hinted = any(abs(each - ago_us) <= HINT_S * 1e6 for each in perhaps)
            self._count(made, now_us, ago_us, 2 if not stirs and (hinted or self.alike >= STRONG) else 1)
        elif self._match_us and now_us - self._match_us > OVER_S * 1e6:
            self.replayed, self._match_us = False, 0
        self._prints = np.concatenate((self._prints[-(MOST - 1) :], made[None]))
        self._times = np.append(self._times[-(MOST - 1) :], now_us)
        return self.replayed

    def _count(self, made: U8, now_us: int, ago_us: int, points: int) -> None:
        """One more match, or the first of others."""
        again = 0 < now_us - self._match_us <= AGAIN_S * 1e6 and abs(ago_us - self._ago_us) <= SAME_AGO_S * 1e6
        changed = self._last.shape != made.shape or _likeness(self._last[None], made)[0] < CHANGED
        if not (again and self._matches):
            self._matches = points
        elif changed:
            self._matches += points
        self.replayed = self.replayed or self._matches >= ENOUGH
        self._match_us, self._ago_us, self._last = now_us, ago_us, made

    def forget(self) -> None:
        """The clock was set back, or the view is another: older pictures tell nothing."""
        self.__init__()  # type: ignore[misc]  # begins as one that has seen nothing

    def _matched(self, made: U8, now_us: int) -> int:
        """When the picture has been before; 0: never, as far as is known."""
        old = int(np.searchsorted(self._times, now_us - int(LEAST_AGO_S * 1e6)))
        self.alike = 0.0
        if old < 3:
            return 0
        alike = _likeness(self._prints[:old], made)
        best = int(alike.argmax())
        self.alike = float(alike[best])
        least = max(ALIKE, self._usual + AWAY * self._stray)
        self._compared = min(self._compared + 1, LEARNT + 1)
        if self.alike < least or self._compared <= LEARNT:
            self._usual += LEARN * (self.alike - self._usual)
            self._stray += LEARN * (abs(self.alike - self._usual) - self._stray)
            return 0
        if self._usual >= RESTLESS:
            return 0
        beside = [float(alike[k]) for k in (best - 1, best + 1) if 0 <= k < old]
        lone = all(each - 0.5 < LONE * (self.alike - 0.5) for each in beside)
        return int(self._times[best]) if lone else 0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is saved."""
        return {"prints": self._prints, "print_times": self._times}

    def head(self) -> dict[str, Any]:
        """What is saved of it as JSON."""
        return {
            "replayed": self.replayed,
            "match_us": self._match_us,
            "ago_us": self._ago_us,
            "matches": self._matches,
            "usual": self._usual,
            "stray": self._stray,
            "compared": self._compared,
        }

    def restore(self, head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Back from both. Raises KeyError, TypeError or ValueError where they are of another form."""
        prints, times = arrays["prints"], arrays["print_times"]
        if (
            prints.dtype != np.uint8
            or prints.ndim != 2
            or prints.shape[1] != BITS // 8
            or times.shape != prints.shape[:1]
        ):
            raise ValueError("fingerprints of another form")
        self._prints, self._times = prints[-MOST:], times.astype(np.int64)[-MOST:]
        self.replayed, self._match_us = bool(head["replayed"]), int(head["match_us"])
        self._ago_us = int(head["ago_us"])
        self._matches = int(head["matches"])
        self._usual, self._stray = float(head["usual"]), float(head["stray"])
        self._compared = int(head.get("compared", 0))


def _likeness(prints: U8, made: U8) -> NDArray[np.float64]:
    """Part of the bits in which each of the prints agrees with the one."""
    apart = np.ascontiguousarray(prints ^ made).view(np.uint64)
    agree: NDArray[np.float64] = 1 - np.bitwise_count(apart).sum(axis=1, dtype=np.int64) / BITS
    return agree


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """What a background says of each cell. used: 1 where it is calm enough. weight: how much its noise counts. own: the background's own fine parts, so weighed; own2: their energy."""

    used: F32
    many: int
    weight: F32
    own: F32
    own2: float


def ground_of(usual: F32, spread: F32) -> _Ground:
    """Of a background: what each cell looks like, and how restless it is."""
    steep = planes.magnitude(*planes.gradient(usual))
    calm = int(CALM_PART * steep.size)
    used = steep < np.float32(STEEP)
    many = planes.count(used.view(np.uint8))
    if many <= calm:
        used = steep < np.partition(steep.ravel(), calm)[calm]
        many = planes.count(used.view(np.uint8))
    weight = used / (spread + steep + np.float32(0.3))
    own = (usual - planes.blurred(usual, SMOOTH)) * weight
    return _Ground(used.astype(np.float32), many, weight, own, float(np.vdot(own, own)) + 1e-6)


def fingerprint(left: F32, ground: _Ground) -> U8 | None:
    """128 bytes of what a picture has beside the background; None where there is too little noise to tell pictures apart by."""
    left = left - planes.blurred(left, SMOOTH)
    if float(np.vdot(np.abs(left), ground.used)) < LEAST_LEVELS * ground.many:
        return None
    left *= ground.weight
    left -= ground.own * np.float32(float(np.vdot(left, ground.own)) / ground.own2)
    np.clip(left, np.float32(-CLIP), np.float32(CLIP), out=left)
    if planes.strength(left) < LEAST_NOISE * ground.many:
        return None
    order, signs = _groups(left.size)
    signed = np.take(left.ravel(), order)
    signed *= signs
    sums = signed.reshape(BITS, -1) @ _ones(order.size // BITS)
    return np.packbits(sums > 0)


@lru_cache(maxsize=8)
def _ones(count: int) -> F32:
    return np.ones(count, np.float32)


@lru_cache(maxsize=8)
def _groups(cells: int) -> tuple[NDArray[np.int64], F32]:
    """Which cells, with which signs, make each bit: the same for ever, so that saved fingerprints keep their meaning."""
    drawn = np.random.Generator(np.random.PCG64(20_150_040))
    each = cells // BITS
    order = drawn.permutation(cells)[: each * BITS]
    signs = drawn.integers(0, 2, order.size) * 2 - 1
    return order, signs.astype(np.float32)
