"""Who goes on one line for many seconds, among much that passes. Pure.

In snow, rain or insects the nearest blob is often another's, and whoever is no larger than what falls is told by no step of his. But what was seen again and again just where a
line through two of its places says is not there by chance. So each look adds to the evidence: where it was seen, by how seldom anything is to be seen at such a place; where it
was not, against it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longwatch.detection.planes import F32
from longwatch.detection.tracking import MOST_TRACKS, Track

APART_S = 0.5
"""Between two looks that count: what falls is not seen in both."""
ASKED_S = 1.5
"""So often it is asked what lies on a line, until something may: it takes seconds to be known, and costs as much as a look where much passes."""
KEPT_S, KEPT = 32.0, 32
"""How long, and how many looks, are remembered."""
MOST_PLACES, FARTHEST = (KEPT + 1) * 2 * MOST_TRACKS, 1e5
"""Of what was saved: more places than all looks together can have, each compared with each; and cells that nothing is away, or large."""
SINCE_S, BETWEEN = 2.5, 2
"""Between the two ends of a line, at least; and so many looks, of which this part must have seen it:"""
PART = 0.6
FARTHER, SLOWEST, FASTEST = 8.0, 1.2, 25.0
"""Cells that it goes at least; and cells a second: what is slower sways, or crawls over the lens."""
LIKE = 4.0
"""Its two ends are at most so many times as large as one another."""
BESIDE, AROUND = 2.0, 6.0
"""Cells that a place may lie beside the line; and how far around it all else is counted that is to be seen there at other times."""
MISSED = 1.0
"""Evidence against it of a look that did not see it; as logarithms, like that for it."""
SURELY, PERHAPS = 10.0, 5.0
"""From so much on it is a thing; from so much on it is worth a closer look. In ten hours of seen scenes nothing else came to more than 8.2."""

Times = NDArray[np.int64]


class Lines:
    """Of one camera. _at: when the looks were. _look, _places: of all that was seen in them the number of the look, and x, y and cells."""

    def __init__(self) -> None:
        self._at: Times = np.zeros(0, np.int64)
        self._look: Times = np.zeros(0, np.int64)
        self._places: F32 = np.zeros((0, 3), np.float32)
        self._asked_us = 0

    def look(self, tracks: Sequence[Track], now_us: int, size: tuple[int, int]) -> list[tuple[Track, float]]:
        """What lies on a line with what was seen before, and the evidence for it. tracks: what was seen now and is not known for a thing. size: of the picture in cells."""
        if len(self._at) and 0 <= now_us - int(self._at[-1]) < APART_S * 1e6:
            return []
        self._forget(now_us)
        now = np.array([(track.x, track.y, track.cells) for track in tracks], np.float32).reshape(-1, 3)
        made: list[tuple[Track, float]] = []
        if len(self._at) > BETWEEN and len(self._look) and not 0 <= now_us - self._asked_us < ASKED_S * 1e6:
            self._asked_us = now_us
            when = (self._at - now_us) / 1e6
            for track, place in zip(tracks, now, strict=True):
                evidence = self._evidence(place, when, size)
                if evidence >= PERHAPS:
                    made.append((track, evidence))
                    self._asked_us = 0  # whoever may be one is asked about in each look, while he is there
        self._look = np.concatenate([self._look, np.full(len(now), len(self._at))])
        self._places = np.concatenate([self._places, now])
        self._at = np.append(self._at, now_us)
        return made

    def _forget(self, now_us: int) -> None:
        kept = (self._at < now_us) & (self._at >= now_us - KEPT_S * 1e6)
        kept[: max(len(kept) - KEPT, 0)] = False
        stay = kept[self._look]
        self._places, self._look = self._places[stay], (np.cumsum(kept) - 1)[self._look[stay]]
        self._at = self._at[kept]

    def _evidence(self, place: F32, when: NDArray[np.float64], size: tuple[int, int]) -> float:
        """Of the line to `place` that most looks saw. when: the looks, in seconds from now."""
        at = when[self._look]
        way = place[:2] - self._places[:, :2]
        across, down = np.abs(way[:, 0]), np.abs(way[:, 1])
        far = np.hypot(across, down)
        like = (self._places[:, 2] < LIKE * place[2]) & (place[2] < LIKE * self._places[:, 2])
        fast = (far >= np.maximum(FARTHER, -SLOWEST * at)) & (far <= -FASTEST * at)
        ends = np.flatnonzero(like & fast & (at <= -SINCE_S) & (down <= np.maximum(across, -at)))
        if not len(ends):
            return 0.0
        pace = way[ends] / -at[ends, None]
        on = np.abs(self._places[:, 0] - place[0] - pace[:, :1] * at) <= BESIDE
        on &= np.abs(self._places[:, 1] - place[1] - pace[:, 1:] * at) <= BESIDE
        on &= self._look > self._look[ends][:, None]
        first = np.flatnonzero(np.diff(self._look, prepend=-1))
        seen = np.logical_or.reduceat(on, first, axis=1).sum(axis=1)
        looks = len(when) - 1 - self._look[ends]
        best = int(np.argmax(2 * seen - looks))
        if seen[best] < BETWEEN or seen[best] < PART * looks[best]:
            return 0.0
        return self._weighed(place, pace[best], on[best], when, int(self._look[ends[best]]), size)

    def _weighed(
        self, place: F32, pace: F32, on: NDArray[np.bool_], when: NDArray[np.float64], since: int, size: tuple[int, int]
    ) -> float:
        """By how seldom all this is so by chance: each of the places before may be the other end. since: the look of that end."""
        looks, others = len(when), self._places[~on, :2]
        usual = max(len(self._places), 1) / looks / (size[0] * size[1])
        evidence = -math.log(max(len(self._places), 2))
        saw = set(self._look[on].tolist())
        for look in range(since + 1, looks):
            if look not in saw:
                evidence -= MISSED
                continue
            near = np.abs(others - place[:2] - pace * when[look]) <= AROUND
            often = max(np.count_nonzero(near.all(axis=1)) / looks / (2 * AROUND + 1) ** 2, usual)
            evidence -= math.log(-math.expm1(-often * (2 * BESIDE + 1) ** 2))
        return evidence

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is saved."""
        return {
            "line_at": self._at,
            "line_look": self._look,
            "line_places": self._places,
            "line_asked": np.array([self._asked_us]),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Back from `arrays`, if they are among them. Raises ValueError where they are of another form."""
        if "line_at" not in arrays:
            return
        at, look, places, asked = (arrays[f"line_{name}"] for name in ("at", "look", "places", "asked"))
        if at.ndim != 1 or look.ndim != 1 or places.shape != (len(look), 3) or asked.shape != (1,):
            raise ValueError("lines of another form")
        if any(each.dtype.kind != "i" for each in (at, look, asked)) or not (np.abs(places) <= FARTHEST).all():
            raise ValueError("lines of other numbers")
        if len(at) > KEPT + 1 or len(look) > MOST_PLACES:
            raise ValueError("more lines than are kept")
        if (
            np.any(np.diff(at) <= 0)
            or np.any(np.diff(look) < 0)
            or (len(look) and not 0 <= look[0] <= look[-1] < len(at))
        ):
            raise ValueError("lines of looks that were not")
        self._asked_us = int(asked[0])
        self._at, self._look, self._places = at.astype(np.int64), look.astype(np.int64), places.astype(np.float32)
