"""RTP timestamps to a media time that never wraps, and decode times for pictures that are sent out of display order.

`MediaClock` unwraps 32-bit timestamps and takes the sting out of jumps: a camera that sets its clock an hour on, or back,
must neither make an hour of footage nor stop the recording. `DecodeTimes` gives each picture a decode time (RTP carries
only the time of display), and `PictureOrder` learns from picture order counts how far pictures are reordered.
"""

from __future__ import annotations

import heapq

_BACK_TOLERATED_S = 1
_AHEAD_TOLERATED_S = 10
_MAX_DEPTH = 16


class MediaClock:
    """Unwraps the timestamps of one track. State: the last timestamp, its media time, and the smallest delay seen.

    A step back of more than a second, or a media time more than 10 s ahead of what arrival allows, is a jump: media time
    then goes on by the time that passed between arrivals. A step forward behind a pause of as long (a stall, a power cut
    in the camera) is no jump. Smaller steps back are reordered pictures, or are nudged by the caller with `shift`.
    """

    __slots__ = ("_arrival_us", "_jump", "_lag", "_media", "_rate", "_timestamp", "jumps")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._timestamp = -1
        self._media = 0
        self._arrival_us = 0
        self._lag = (
            0  # smallest (arrival - media) seen, in ticks; creeps up by 1000 ppm so that a slow clock is followed
        )
        self._jump = False
        self.jumps = 0

    @property
    def started(self) -> bool:
        """Whether a timestamp has been seen."""
        return self._timestamp >= 0

    def unwrap(self, timestamp: int, arrival_us: int) -> int:
        """The media time of a packet that arrived just now. The first one is its own timestamp plus 2**32."""
        if self._timestamp < 0:
            self._timestamp, self._arrival_us = timestamp, arrival_us
            self._media = timestamp + (1 << 32)
            self._lag = arrival_us * self._rate // 1_000_000 - self._media
            return self._media
        delta = ((timestamp - self._timestamp + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
        elapsed = max(0, arrival_us - self._arrival_us) * self._rate // 1_000_000
        at = arrival_us * self._rate // 1_000_000
        floor = self._lag + elapsed // 1000
        lag = at - (self._media + delta)
        ahead = floor - lag
        if self._jump or delta < -_BACK_TOLERATED_S * self._rate or ahead > _AHEAD_TOLERATED_S * self._rate:
            self.jumps += not self._jump
            self._jump = False
            delta = max(1, elapsed)
            lag = at - (self._media + delta)
        self._media += delta
        self._lag = min(lag, floor)
        self._timestamp, self._arrival_us = timestamp, arrival_us
        return self._media

    def near(self, timestamp: int) -> int:
        """The media time of a timestamp near the last one (a sender report's), changing nothing."""
        return self._media + ((timestamp - self._timestamp + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000

    def shift(self, ticks: int) -> None:
        """From here on media time is `ticks` later: the caller nudged a time that went back."""
        self._media += ticks
        self._lag -= ticks
        self.jumps += 1

    def source_changed(self) -> None:
        """The next timestamp has nothing to do with the last one (new SSRC): go on by arrival."""
        self._jump = self._timestamp >= 0


class DecodeTimes:
    """Decode times: each picture takes the display time of the one shown `depth` pictures before it in display order.

    That is what a decoder with a reorder buffer of `depth` does, so no lookahead is needed; decode times rise strictly
    and never pass the display time. frame_ticks: the nominal duration, used only to begin `depth` pictures earlier.
    """

    __slots__ = ("_waiting", "depth", "frame_ticks", "last")

    def __init__(self, depth: int, frame_ticks: int) -> None:
        self.depth = min(depth, _MAX_DEPTH)
        self.last: int | None = None
        self.frame_ticks = frame_ticks
        self._waiting: list[int] = []

    def next(self, pts: int) -> int | None:
        """The decode time of the next picture in decode order; None where `pts` is not after the last decode time."""
        last = self.last
        if last is not None and pts <= last:
            return None
        if not self.depth:
            self.last = pts
            return pts
        if not self._waiting:
            self._waiting = [pts - k * self.frame_ticks for k in range(self.depth, 0, -1)]
        dts = heapq.heappushpop(self._waiting, pts)
        if last is not None and dts <= last:
            dts = last + 1
        self.last = dts
        return dts

    def grow(self, depth: int) -> None:
        """Pictures turn out to be reordered further than was known: squeeze the next decode times together."""
        depth = min(depth, _MAX_DEPTH)
        if self.last is not None:
            for _ in range(depth - self.depth):
                heapq.heappush(self._waiting, self.last)
        self.depth = max(self.depth, depth)

    def restart(self, depth: int | None = None) -> None:
        """Begin again with the next picture, after the last decode time."""
        self._waiting = []
        if depth is not None:
            self.depth = min(depth, _MAX_DEPTH)


class PictureOrder:
    """Learns the reorder depth of an H.264 stream that does not say it, from picture order counts (H.264, 8.2.1.1).

    After an IDR picture, counts rise by two a frame in display order. A picture whose count is higher than the lowest one
    still missing has to wait for that; the most that ever wait is the depth. Counts with holes (skipped frames) look like
    waiting, so what was learnt is forgotten when no display time has gone back for 100 pictures. After 250 pictures what is
    known is settled, and slices need not be read any more.
    """

    __slots__ = ("_above", "_high", "_last_pts", "_next", "_seen", "_since_back", "cap", "depth", "learning")

    def __init__(self, cap: int) -> None:
        self.cap = max(1, min(cap, _MAX_DEPTH))
        self.depth = 0
        self.learning = True
        self._above: set[int] = set()
        self._next = -1
        self._high = 0
        self._last_pts: int | None = None
        self._since_back = 0
        self._seen = 0

    @property
    def settled(self) -> bool:
        """Whether enough was seen."""
        return self._seen > 250

    def begin_again(self) -> None:
        """What was learnt does not hold: look again, from the next IDR picture on."""
        self._seen = 0
        self._next = -1

    def lost(self) -> None:
        """Pictures are missing: learn nothing until the next IDR picture."""
        self._next = -1

    def see(self, pts: int, poc_lsb: int, log2_poc: int, *, idr: bool) -> int:
        """Take in the next picture in decode order; returns the depth now known."""
        if self._last_pts is not None and pts < self._last_pts:
            self._since_back = 0
            self.learning = True
        self._last_pts = pts
        self._since_back += 1
        self._seen += 1
        if self.depth and self._since_back > 100:
            self.depth, self.learning = 0, False
        if idr:
            self._above.clear()
            self._high, self._next = poc_lsb, poc_lsb + 2
            return self.depth
        if self._next < 0 or not self.learning:
            return self.depth
        span = 1 << log2_poc
        poc = self._high + ((poc_lsb - self._high + span // 2) & (span - 1)) - span // 2
        self._high = max(self._high, poc)
        if poc >= self._next:
            self._above.add(poc)
        while self._next in self._above:
            self._above.remove(self._next)
            self._next += 2
        if len(self._above) > self.depth:
            self.depth = min(len(self._above), self.cap)
        if len(self._above) > 4 * _MAX_DEPTH:
            self._next = -1
        return self.depth
