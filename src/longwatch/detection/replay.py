"""A picture that has been before: a loop fed in place of the camera. Pure.

Noise never comes twice. What a look at a key frame shows beside the learnt background, without its broad part and weighed by how restless each cell is, is mostly noise. Its signs over many
random groups of cells make a *fingerprint* of 1,024 bits (random projections: Charikar, STOC 2002), of which half differ between two moments of a live camera, and few between a picture
and its copy, re-encoded or not. The idea is that of inter-frame duplication detection by residuals (Fadl, Han and Li, J. Forensic Sci. 2018).

A match must stand alone: a lamp or a shaken mast that comes back makes neighbours of the matched moment alike as well, a copy does not. There must be two of them (three where they are weak or something is new in the picture), all equally long ago,
none between them that was not there then, and they must be unlike each other: what is the same from look to look is the scene that stands still, or the structure of its encoding. Nor may a match last: the noise of the next picture is another one. What is new in a picture is left out:
somebody who walks there again is no noise. Nothing is said before it is known how alike this camera's live pictures are.

Where they often are (a mast that shakes, threads that sway) no height of a match tells. But what comes back by itself comes from any time, and a loop from one distance alone: three sync samples, and all between them whose copy was looked at, must be most alike to what was equally long ago (`IN_STEP`). What comes round
(a traffic light, a sign that turns) was there twice as long ago as well; whoever feeds a loop for the first time has nothing there.

Sync samples are kept and compared. While the stream has just begun anew all other pictures are compared with those as well: whoever encodes a loop anew begins groups of pictures at other moments of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
CALM, STIRRED, ENOUGH, STIRS = 3, 2, 6, 0.001
"""What matches of several moments, all equally long ago, count for: two will do, or three where they are not `STRONG`, or something is new in more than so much of the picture, and the stream did not just begin anew. Whoever enters makes an encoder of constant rate answer as it did when another entered, and what it codes coarsely is structure."""
RESTLESS = 0.555
"""How alike the most alike of this camera's pictures may usually be: where it is more, it is no noise by which they are told apart."""
IN_STEP = 3
"""Sync samples in a row, each at least `ALIKE` to what was equally long ago and to nothing else as much; those whose copy was not looked at are passed over. In 13,000 of live cameras two in a row were found five times, and never three."""
LEARNT = 8
"""So many comparisons only teach what is usual."""
CHANGED = 0.6
"""Of a match's height over one half: looks that match must be less alike with each other, else nothing changes that could come again."""
STRONG = 0.65
"""Of the bits. Threads of a web before the lens that sway back to where they hung are alike in up to 0.64."""
LOST, MOMENT_S = 0.5, 0.06
"""Of a match's height over one half: a picture between two matches whose copy was looked at too must be as like it, or it is no loop but something that sways. So near a copy is in time."""
LONE = 0.45
"""Of a match's height over one half: its neighbours in time must stay below."""
LEAST_AGO_S = 40.0
AGAIN_S = 16.0
SAME_AGO_S, STICKS_S = 0.3, 3.5
"""All must be equally long ago; and what matches for longer than a group of pictures lasts is no noise: somebody walks there again, or a mast stands as it stood. That picture is forgotten."""
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
        self._match_us = 0
        self._found: list[_Match] = []
        self._others: list[tuple[int, U8]] = []  # the last sync samples that matched nothing
        self._usual, self._stray, self._compared = 0.53, FIRST_STRAY, 0
        self.alike, self._most_us = 0.0, 0  # how alike the most alike was, and when
        self._twice: float | None = None  # and how alike what was twice as long ago is, if that was looked at
        self._recent: list[_Match] = []  # the last sync samples, and what each is most like
        self._ground: _Ground | None = None
        self._ground_us = 0

    def look(
        self,
        level: F32,
        usual: F32,
        spread: F32,
        now_us: int,
        new: U8 | None = None,
        *,
        key: bool = True,
        anew: bool = False,
    ) -> bool:
        """Whether pictures come again. level, usual: picture and background in the same light; spread: how restless each cell is. new: where something is that is not the background's: it may well come again,
        and says nothing. key: it is a sync sample; others are compared with those, and not kept. anew: the stream has just begun anew.
        """
        ground = self._ground
        if ground is None or ground.weight.shape != level.shape or not 0 <= now_us - self._ground_us < GROUND_S * 1e6:
            ground = self._ground = ground_of(usual, spread)
            self._ground_us = now_us
        left = level - usual
        stirred = 0 if new is None else planes.count(new)
        if new is not None and stirred:
            left[planes.near((planes.near(new) > 0).view(np.uint8)) > 0] = 0
        made = fingerprint(left, ground)
        if made is None:
            return self.replayed
        if self._times.size and now_us <= int(self._times[-1]):
            self.forget()
        matched_us = self._matched(made, now_us, learns=key)
        if matched_us:
            counts = CALM if anew or (self.alike >= STRONG and stirred <= STIRS * left.size) else STIRRED
            self._count(_Match(now_us, matched_us, made, self.alike, now_us, counts))
        elif self._match_us and now_us - self._match_us > OVER_S * 1e6:
            self.replayed, self._match_us = False, 0
        if key:
            self._steps(_Match(now_us, self._most_us, made, self.alike, now_us, CALM, self._twice), anew=anew)
            if not matched_us:
                recent = [each for each in self._others if now_us - each[0] <= AGAIN_S * 1e6]
                self._others = [*recent, (now_us, made)]
            self._prints = np.concatenate((self._prints[-(MOST - 1) :], made[None]))
            self._times = np.append(self._times[-(MOST - 1) :], now_us)
        return self.replayed

    def _count(self, match: _Match) -> None:
        """One more. Of those of one picture the one counts that is most alike."""
        found = [each for each in self._found if match.now_us - each.now_us <= AGAIN_S * 1e6]
        before = next((each for each in found if each.was_us == match.was_us), match)
        others = [each for each in found if each.was_us != match.was_us]
        self._found = others
        if match.now_us - before.first_us > STICKS_S * 1e6:
            kept = self._times != match.was_us
            self._prints, self._times = self._prints[kept], self._times[kept]
            return
        best = replace(max(before, match, key=lambda each: each.alike), first_us=before.first_us)
        self._found = [*others, best]
        self._match_us = match.now_us
        alike_long = [each for each in others if best.is_as_long_ago(each)]
        if any(self._is_broken(each, best) for each in alike_long):
            return
        agree = [each.counts for each in alike_long if best.is_another(each)]
        self.replayed = self.replayed or (bool(agree) and sum(agree) + best.counts >= ENOUGH)

    def _steps(self, match: _Match, *, anew: bool) -> None:
        """The next sync sample and what it is most like, also in a camera whose pictures often are alike. anew: the stream has just begun anew; else what was twice as long ago must be known, and unlike."""
        self._recent = [*(each for each in self._recent if match.now_us - each.now_us <= AGAIN_S * 1e6), match]
        if match.alike < ALIKE or self._compared <= LEARNT:
            return
        steps: list[_Match] = []
        for each in reversed(self._recent):
            if each.alike >= ALIKE and each.is_as_long_ago(match) and (not steps or each.is_another(steps[-1])):
                steps.append(each)
            elif self._was_kept(each.now_us - match.now_us + match.was_us):
                break
        seen = [each for each in steps if each.twice is not None]
        if len(steps) >= IN_STEP and (seen or anew) and not any(each.comes_round for each in seen):
            self.replayed, self._match_us = True, match.now_us

    def _was_kept(self, at_us: int) -> bool:
        """Whether the picture of that moment was a sync sample that was looked at."""
        return bool((np.abs(self._times - at_us) <= MOMENT_S * 1e6).any())

    def _is_broken(self, first: _Match, last: _Match) -> bool:
        """Whether a picture between the two is not what it would be in their loop."""
        least = 0.5 + LOST * (min(first.alike, last.alike) - 0.5)
        for now_us, made in self._others:
            if not min(first.now_us, last.now_us) < now_us < max(first.now_us, last.now_us):
                continue
            away_us = np.abs(self._times - (now_us - last.now_us + last.was_us))
            k = int(away_us.argmin())
            if away_us[k] <= MOMENT_S * 1e6 and _likeness(self._prints[k : k + 1], made)[0] < least:
                return True
        return False

    def forget(self) -> None:
        """The clock was set back, or the view is another: older pictures tell nothing."""
        self.__init__()  # type: ignore[misc]  # begins as one that has seen nothing

    def _matched(self, made: U8, now_us: int, *, learns: bool) -> int:
        """When the picture has been before; 0: never, as far as is known."""
        old = int(np.searchsorted(self._times, now_us - int(LEAST_AGO_S * 1e6)))
        self.alike, self._most_us, self._twice = 0.0, 0, None
        if old < 3:
            return 0
        alike = _likeness(self._prints[:old], made)
        best = int(alike.argmax())
        self.alike, self._most_us = float(alike[best]), int(self._times[best])
        away_us = np.abs(self._times[:old] - (2 * self._most_us - now_us))
        k = int(away_us.argmin())
        self._twice = float(alike[k]) if away_us[k] <= SAME_AGO_S * 1e6 else None
        least = max(ALIKE, self._usual + AWAY * self._stray)
        self._compared = min(self._compared + learns, LEARNT + 1)
        if self.alike < least or self._compared <= LEARNT:
            if learns:
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
        self._usual, self._stray = float(head["usual"]), float(head["stray"])
        self._compared = int(head.get("compared", 0))


def _likeness(prints: U8, made: U8) -> NDArray[np.float64]:
    """Part of the bits in which each of the prints agrees with the one."""
    apart = np.ascontiguousarray(prints ^ made).view(np.uint64)
    agree: NDArray[np.float64] = 1 - np.bitwise_count(apart).sum(axis=1, dtype=np.int64) / BITS
    return agree


@dataclass(frozen=True, slots=True, eq=False)
class _Match:
    """A picture that has been before. was_us: when. first_us: when one first was like that. twice: how alike it is to what was twice as long ago, if that was looked at."""

    now_us: int
    was_us: int
    made: U8
    alike: float
    first_us: int
    counts: int
    twice: float | None = None

    @property
    def comes_round(self) -> bool:
        """Whether it was there twice as long ago too."""
        return self.twice is not None and self.twice - 0.5 >= LOST * (self.alike - 0.5)

    def is_as_long_ago(self, before: _Match) -> bool:
        """Whether it may be another moment of the same loop."""
        return abs(self.now_us - self.was_us - before.now_us + before.was_us) <= SAME_AGO_S * 1e6

    def is_another(self, before: _Match) -> bool:
        """Whether the two are unlike each other."""
        most = 0.5 + CHANGED * (min(self.alike, before.alike) - 0.5)
        return float(_likeness(self.made[None], before.made)[0]) < most


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
