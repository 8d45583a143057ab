"""A loop fed in place of a camera, told from the sizes of access units alone: nothing is decoded for it. Pure.

The size of a picture that builds on others is as noisy as the picture. A dozen of them in a row, each to the byte as it was before, is no chance where sizes
differ much: how unlikely it is by chance is counted from how often this stream has each of these sizes, in bits. A stream of few sizes (no noise, or padded to a
constant rate) tells too little and is never called a loop.

A loop that was decoded and encoded anew has other sizes, and only the noise of the pictures tells it (`replay`). But whoever feeds it in place of the camera begins with a picture that builds on no others, wherever the camera is in
its group of pictures, or with a session of its own; and many an encoder says who it is in a NAL unit of its own before its first picture, and never again. By itself that proves nothing (a camera may begin anew when it likes): it only says when it is worth while to look closely (`begins`).

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
GROUPS, ANEW_US, ANEW_EACH_US = 8, 12_000_000, 600_000_000
"""So many groups of pictures in a row had as many pictures, and one broke off; or so many sync samples were made of the same kinds of NAL units, and one is not; for so long that counts; at most so often: there are cameras that begin a group when they like."""
_SIZE = struct.Struct("=I")
_BYTES = _SIZE.size


class Repeats:
    """Of one stream. ago_us: how long ago what comes now has been before; 0: it is new. anew_until_us: until when it counts as begun anew."""

    def __init__(self) -> None:
        self.ago_us = 0
        self.anew_until_us = self._anew_us = -(1 << 62)
        self._group, self._alike = 0, 0  # how many pictures the last one had, and how many before it had as many
        self._makeup, self._made_so = 0, 0  # of what the last sync sample was made, and how many before it
        self._sizes = bytearray()  # four bytes each: what is searched for is a run of bytes
        self._times = array("q")
        self._place = 0
        self._trimmed = False
        self._file = False
        self._run_us = 0
        self._since = 0

    def sample(self, size_bytes: int, wall_us: int, *, sync: bool = False, makeup: int = 0) -> int:
        """The next access unit. Gives `ago_us`. sync: it builds on no others, and only begins a group. makeup: of such a one, another number for other kinds of NAL units."""
        if sync:
            if makeup == self._makeup:
                self._made_so += 1
            else:
                if self._made_so >= GROUPS:
                    self.begins(wall_us)
                self._makeup, self._made_so = makeup, 0
            if self._place == self._group:
                self._alike += 1
            else:
                if self._place < self._group and self._alike >= GROUPS:
                    self.begins(wall_us)
                self._group, self._alike = self._place, 0
            self._place = 0
            return self.ago_us
        if self._times and wall_us < self._times[-1]:
            begun = self.anew_until_us, self._anew_us
            self.__init__()  # type: ignore[misc]  # the clock was set back: begins as one that has heard nothing
            self.anew_until_us, self._anew_us = begun  # but is not looked at closely once more
        self._sizes += _SIZE.pack(min(size_bytes, 0xFFFFFFFF))
        self._times.append(wall_us)
        self._place += 1
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
            self._trimmed = True
        return self.ago_us

    def begins(self, wall_us: int) -> None:
        """The stream begins anew, as far as that can be told: another encoder may have taken over, or the same one was asked for a whole picture."""
        if not 0 <= wall_us - self._anew_us < ANEW_EACH_US:
            self._anew_us, self.anew_until_us = wall_us, wall_us + ANEW_US

    def is_anew(self, wall_us: int) -> bool:
        """Whether it counts as begun anew. Not for as long as a clock was set back by."""
        return 0 < self.anew_until_us - wall_us <= ANEW_US

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
