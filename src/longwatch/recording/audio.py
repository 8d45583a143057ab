"""A second track beside the video of a run: its media time laid beside the video's. Pure.

Both are placed by arrival: the least delay of the track's own packets. The camera's audio clock drifts against its video
clock, so each segment aligns anew where they are more than REALIGN_US apart; inside a segment the track runs by its own
clock.
"""

from __future__ import annotations

from longwatch.formats.media import Sample, SenderReport

REALIGN_US = 60_000


class AudioLine:
    """Owner of its state: its stream's recorder. run_boot_us: CLOCK_BOOTTIME of the run's media time 0."""

    __slots__ = ("_aligning", "_base", "_end", "_held", "_least_us", "_nominal", "_run_boot_us", "_timescale")

    def __init__(self, timescale: int, run_boot_us: int) -> None:
        self._timescale = timescale
        self._run_boot_us = run_boot_us
        self._base: int | None = None  # what is taken off the session's media time
        self._least_us: int | None = None  # least arrival minus media time since the last alignment
        self._held: Sample | None = None
        self._nominal = timescale // 50
        self._end = 0
        self._aligning = False

    def realign(self) -> None:
        """A segment begins: from its first sample on the track may be laid anew."""
        self._aligning = True

    def report(self, report: SenderReport) -> None:
        """The camera's own word of this track's clock; arrival is good enough here, so it only counts as a packet."""
        self._observe(report.media_time, report.arrival_boot_us)

    def _observe(self, media: int, arrival_boot_us: int) -> None:
        least_us = arrival_boot_us - media * 1_000_000 // self._timescale
        if self._least_us is None or least_us < self._least_us:
            self._least_us = least_us

    def take(self, sample: Sample) -> tuple[int, int, int, bool, bytes, bool] | None:
        """A sample comes; gives the one before it, as it is stored, or None where there is none yet."""
        self._observe(sample.dts, sample.arrival_boot_us)
        assert self._least_us is not None
        wanted = (self._run_boot_us - self._least_us) * self._timescale // 1_000_000
        if self._base is None:
            self._base = wanted
        elif self._aligning:
            off = wanted - self._base
            if abs(off) * 1_000_000 > REALIGN_US * self._timescale:
                self._base = wanted
            self._least_us = None
        self._aligning = False
        held, self._held = self._held, sample
        if held is None:
            return None
        return self._stored(held, sample.dts - held.dts)

    def _stored(self, held: Sample, delta: int) -> tuple[int, int, int, bool, bytes, bool] | None:
        assert self._base is not None
        if 0 < delta <= 4 * self._nominal:
            self._nominal = delta
        at = held.dts - self._base
        if at < self._end:
            if self._end - at > self._nominal // 2 or at < 0:
                return None  # before the run's first picture, or laid back by an alignment
            at = self._end
        duration = self._nominal if not 0 < delta <= 4 * self._nominal else delta
        self._end = at + duration
        return at, held.cts_offset, duration, True, held.data, held.damaged
