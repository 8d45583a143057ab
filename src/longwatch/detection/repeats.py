"""A loop fed in place of a camera, told from the sizes of access units alone: nothing is decoded for it. Pure.

The size of a picture that builds on others is as noisy as the picture. A dozen of them in a row, each to the byte as it was before, is no chance where sizes
differ much: how unlikely it is by chance is counted from how often this stream has each of these sizes, in bits. A stream of few sizes (no noise, or padded to a
constant rate) tells too little and is never called a loop.

A loop that was decoded and encoded anew has other sizes, but what is hard to encode in the first stays hard in the second: the sizes of the last seconds, each beside what is
usual at its place in the group of pictures, go up and down with those of then. By itself that proves nothing; `perhaps` says how long ago it may be, and the noise of the
pictures (`replay`) decides.

A stream that has come again since the first picture that was ever heard of it is a file that is played over and over, and no camera that somebody has
cut off: it is left alone.
"""

from __future__ import annotations

import math
import struct
from array import array

import numpy as np

RUN = 12
"""Sizes in a row that must be as before."""
CHECK = 4
"""After so many samples it is asked again."""
BITS = 60.0
"""Improbability of a run. A stream is compared with its last MOST sizes a few times a second: in a year that is 2 to the 41st comparisons."""
MOST, TRIM = 12_000, 2_000
"""Sizes that are kept: 20 minutes at 10 a second."""
LEAST_AGO_US = 8_000_000
OVER_US = 4_000_000
"""So long after the last run the loop is over."""
FRESH_US = 60_000_000
"""Of a stream that was a file from its beginning: for so long nothing must have come again until it counts as a camera."""
PERHAPS_S, PERHAPS, LEAST_KNOWN_S, FARTHEST = 6.0, 12, 45.0, 6_000
"""Seconds that are compared with all before, how many of the most alike are told, after how many seconds that begins, and how many sizes back it goes."""
LEVEL_PART, CLIP = 0.25, 1.25
"""How fast what is usual at a place in the group is learnt, by sample; sizes farther off than so many mean deviations count as if they were not: one lamp that is switched must not speak for all."""
_SIZE = struct.Struct("=I")
_BYTES = _SIZE.size


class Repeats:
    """Of one stream. ago_us: how long ago what comes now has been before; 0: it is new."""

    def __init__(self) -> None:
        self.ago_us = 0
        self._sizes = bytearray()  # four bytes each: what is searched for is a run of bytes
        self._times = array("q")
        self._away = array("f")
        self._levels = [math.nan] * 8
        self._place = 0
        self._trimmed = False
        self._file = False
        self._run_us = 0
        self._since = 0

    def sample(self, size_bytes: int, wall_us: int, *, sync: bool = False) -> int:
        """The next access unit. Gives `ago_us`. sync: it builds on no others, and only begins a group."""
        if sync:
            self._place = 0
            return self.ago_us
        if self._times and wall_us < self._times[-1]:
            self.__init__()  # type: ignore[misc]  # the clock was set back: begins as one that has heard nothing
        self._sizes += _SIZE.pack(min(size_bytes, 0xFFFFFFFF))
        self._times.append(wall_us)
        self._place = place = self._place + 1
        place = place if place < 4 else 4 + (place & 3)
        value = math.log(size_bytes + 32)
        level = self._levels[place]
        away = value - level if level == level else 0.0  # noqa: PLR0124 - not a number before its first
        self._levels[place] = value - (1 - LEVEL_PART) * away
        self._away.append(away)
        self._since += 1
        if self._since < CHECK:
            return self.ago_us
        self._since = 0
        found = self._before()
        if found >= 0:
            self._run_us = wall_us
            if not self._trimmed and found < CHECK:
                self._file = True
            self.ago_us = 0 if self._file else wall_us - self._times[found + RUN - 1]
        elif self._run_us and wall_us - self._run_us > OVER_US:
            self.ago_us = 0
            if wall_us - self._run_us > FRESH_US:
                self._file, self._run_us = False, 0
        if len(self._times) > MOST:
            del self._sizes[: TRIM * _BYTES]
            del self._times[:TRIM]
            del self._away[:TRIM]
            self._trimmed = True
        return self.ago_us

    def perhaps(self) -> tuple[int, ...]:
        """How long ago, in microseconds, the stream was most like what it is now: some guesses, of which mostly none is right."""
        count = len(self._times)
        times = np.frombuffer(self._times, np.int64)[-FARTHEST:]
        if count < 4 * RUN or times[-1] - times[0] < LEAST_KNOWN_S * 1e6 or self._file:
            return ()
        away = np.frombuffer(self._away, np.float32)[-FARTHEST:]
        wide = float(np.abs(away).mean()) * np.float32(CLIP) + np.float32(1e-6)
        away = np.clip(away / wide, -1, 1)
        begin = int(np.searchsorted(times, times[-1] - int(PERHAPS_S * 1e6)))
        now = away[begin:] - away[begin:].mean()
        old = away[: int(np.searchsorted(times, times[-1] - LEAST_AGO_US))]
        if now.size < RUN or old.size < 2 * now.size:
            return ()
        sums, squares = (np.cumsum(np.concatenate(([0.0], each))) for each in (old, old * old))
        local = squares[now.size :] - squares[: -now.size] - (sums[now.size :] - sums[: -now.size]) ** 2 / now.size
        alike = np.correlate(old, now, "valid") / np.sqrt(np.maximum(local, 0.5))
        best = np.argpartition(alike, -PERHAPS)[-PERHAPS:]
        return tuple(int(times[-1] - times[k + now.size - 1]) for k in best)

    def _before(self) -> int:
        """Where the last run has been before, as far back as is known; -1: nowhere, or it says nothing."""
        held = self._sizes
        old = len(self._times) - RUN
        if old < RUN:
            return -1
        end = old * _BYTES
        run = held[end:]
        at = held.find(run, 0, end)
        while at >= 0 and (at % _BYTES or self._times[-1] - self._times[at // _BYTES + RUN - 1] < LEAST_AGO_US):
            if at % _BYTES == 0:
                return -1
            at = held.find(run, at + 1, end)
        return at // _BYTES if at >= 0 and self._bits(old) >= BITS else -1

    def _bits(self, old: int) -> float:
        known = np.frombuffer(self._sizes, np.uint32)
        before = known[:old]
        return sum(math.log2(old / max(1, int((before == size).sum()))) for size in known[old:])
