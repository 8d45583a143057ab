"""A track beside the video whose samples are single moments, minutes apart maybe: stills of a thermal camera. Pure.

Unlike sound (`recording.audio`) none waits for the next one to learn how long it lasts: what came is written with the tick that it came in, as the picture
beside it. Each is placed by its arrival.
"""

from __future__ import annotations

from longwatch.formats.media import Sample, SenderReport

_SHORTEST = 100
"""Of a second, the part that a moment lasts until the next one is known: one of these."""


class MomentLine:
    """Owner of its state: its stream's recorder. run_boot_us: CLOCK_BOOTTIME of the run's media time 0."""

    __slots__ = ("_end", "_run_boot_us", "_timescale")

    def __init__(self, timescale: int, run_boot_us: int) -> None:
        self._timescale = timescale
        self._run_boot_us = run_boot_us
        self._end = 0

    def realign(self) -> None:
        """Nothing to lay anew: each has its own time."""

    def report(self, report: SenderReport) -> None:
        """It has no clock of its own."""

    def take(self, sample: Sample) -> tuple[int, int, int, bool, bytes, bool] | None:
        """The sample as it is stored; None for one from before the run's first picture."""
        at = (sample.arrival_boot_us - self._run_boot_us) * self._timescale // 1_000_000
        if at < 0:
            return None
        at = max(at, self._end)
        duration = self._timescale // _SHORTEST
        self._end = at + duration
        return at, sample.cts_offset, duration, True, sample.data, sample.damaged
