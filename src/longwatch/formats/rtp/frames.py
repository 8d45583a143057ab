"""Encodings whose samples need no decode order: audio, JPEG, metadata. Each access unit is a sync sample of its own."""

from __future__ import annotations

from abc import abstractmethod

from longwatch.formats.media import Sample
from longwatch.formats.rtp.receiver import TrackReceiver


class FrameReceiver(TrackReceiver):
    """Hands on whole frames with times that rise strictly."""

    _leans_on_previous = False  # a decoder needs the frame before (overlapping windows, prediction)
    _last_dts: int | None = None
    _delivered_us = 0
    _nudged = False  # the frame before this one was moved too
    _after_gap = False

    def _gap(self) -> None:
        self._after_gap = self._leans_on_previous
        self._drop()

    def _end(self) -> None:
        self._drop()

    @abstractmethod
    def _drop(self) -> None:
        """Forget a frame that is not whole."""

    def _frame(self, media_time: int, data: bytes) -> None:
        """Deliver one frame. damaged marks the first one behind a loss (a decoder's overlap is wrong there)."""
        last = self._last_dts
        if last is not None and media_time <= last:
            # As for video: a little back moves this frame alone, more (or standing still) moves all that follow.
            self.note("timestamps went back or stood still")
            elapsed = (self._arrival_us - self._delivered_us) * self._rate // 1_000_000
            moved = last + max(1, min(elapsed, self._rate))
            if media_time <= last - self._rate // 10 or self._nudged:
                self.clock.shift(moved - media_time)
                media_time = moved
            else:
                media_time = last + 1
            self._nudged = True
        else:
            self._nudged = False
        self._delivered_us = self._arrival_us
        self._last_dts = media_time
        self.bytes += len(data)
        self._out.append(Sample(self.track, media_time, 0, True, data, self._arrival_us, self._after_gap))
        self._after_gap = False
