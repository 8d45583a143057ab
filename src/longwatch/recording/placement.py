"""Where a run lies on the wall: arrival times, sender reports and the host's clock to a piecewise linear line. Pure.

A packet is never early, so the least delay seen in some seconds (a min-filter over arrival minus media time) is the
line the camera's clock runs on; jitter only adds to it. Every ADJUST_US the line's rate is set so that it follows the
camera's drift and takes back the error found, within MAX_RATE_PPB: no step, no overlap, order kept. Rows are
append-only and meet end to end. An error beyond RERUN_US cannot be slewed away: the run is to be ended and another begun.
Without NTP a camera's sender reports (RFC 3550, 6.4.1) are better than a host clock that nothing disciplines, once two agree.
"""

from __future__ import annotations

from longwatch.archive.ops import Placement
from longwatch.formats.media import SenderReport
from longwatch.model.stores import Provenance
from longwatch.recording.host_time import EARLIEST_WALL_US, HostTime

ADJUST_US = 10_000_000
SETTLED_ADJUST_US = 60_000_000
MAX_RATE_PPB = 600_000
TAKE_BACK_US = 30_000_000  # an error is taken back over this time
TOLERATED_ERROR_US = 15_000
TOLERATED_RATE_PPB = 40_000
RERUN_US = 2_000_000
BUCKETS = 7
_REPORTS_AGREE_US = 50_000
_DAY_US = 86_400_000_000


def us_of_90k(ticks: int) -> int:
    """90 kHz ticks in microseconds."""
    return ticks * 100 // 9


class CameraClock:
    """What a session's sender reports say of the wall: kept over the runs of a session. Pure."""

    __slots__ = ("_last", "_minus_media_us", "distrusted")

    def __init__(self) -> None:
        self._last: SenderReport | None = None
        self._minus_media_us: int | None = None
        self.distrusted = 0

    def report(self, report: SenderReport, shift_90k: int) -> None:
        """A report of the video track; shift_90k: what is added to its media time to stand with the samples'."""
        minus_us = report.ntp_wall_us - us_of_90k(report.media_time + shift_90k)
        agrees = self._minus_media_us is not None and abs(minus_us - self._minus_media_us) < _REPORTS_AGREE_US
        self._last = report if agrees else None
        self._minus_media_us = minus_us

    def wall_minus_media_us(self, host: HostTime) -> int | None:
        """Wall time of media time 0 of the session as the camera says it; None where it is not to be believed."""
        if self._last is None or self._minus_media_us is None or self.distrusted > 1:
            return None
        if host.provenance is Provenance.NTP or self._last.ntp_wall_us < EARLIEST_WALL_US:
            return None
        apart_us = abs(self._last.ntp_wall_us - host.wall_us(self._last.arrival_boot_us))
        if host.provenance is Provenance.RTC and apart_us > _DAY_US:
            return None
        return self._minus_media_us


class Placer:
    """The line of one run. Media times are those of the run, in 1/90000 s. Owner of its state: its stream's recorder."""

    __slots__ = (
        "_adjusted_90k", "_bucket_90k", "_buckets", "_least_us", "_settled", "at_90k", "provenance", "rate_ppb", "wall_at_us",
    )  # fmt: skip

    def __init__(self, wall_us: int, provenance: Provenance) -> None:
        self.at_90k = 0
        self.wall_at_us = wall_us
        self.rate_ppb = 0
        self.provenance = provenance
        self._least_us: int | None = None  # of the open bucket
        self._bucket_90k = 0
        self._buckets: list[tuple[int, int]] = []  # (media time at its end, least arrival minus media)
        self._adjusted_90k = 0
        self._settled = 0

    def wall_us(self, media_90k: int) -> int:
        """Where media time stands on the wall. For times from the last row on."""
        us = (media_90k - self.at_90k) * 100 // 9
        return self.wall_at_us + us + us * self.rate_ppb // 1_000_000_000

    def observe(self, media_90k: int, arrival_boot_us: int) -> None:
        """A sample of this media time arrived."""
        delay_us = arrival_boot_us - media_90k * 100 // 9
        if self._least_us is None or delay_us < self._least_us:
            self._least_us = delay_us

    def least_delay_us(self) -> int | None:
        """CLOCK_BOOTTIME of media time 0, as the quickest packets of the last seconds say; None before the first."""
        known = [least for _, least in self._buckets[-1:]]
        if self._least_us is not None:
            known.append(self._least_us)
        return min(known) if known else None

    def adjust(self, run: int, media_90k: int, host: HostTime, camera_wall_us: int | None) -> Placement | str | None:
        """Follow the drift. media_90k: the latest media time that was placed; rows begin there.

        camera_wall_us: where the camera says media time 0 of the run lies, where it is to be believed. Gives a new row, or the reason why the run has
        to be ended and begun anew, or None.
        """
        if us_of_90k(media_90k - self._bucket_90k) < ADJUST_US or self._least_us is None:
            return None
        self._buckets.append((media_90k, self._least_us))
        del self._buckets[:-BUCKETS]
        least_us = min(least for _, least in self._buckets[-2:])
        self._bucket_90k, self._least_us = media_90k, None
        provenance = host.provenance if camera_wall_us is None else Provenance.RTCP
        if camera_wall_us is not None:
            estimate_us = camera_wall_us + us_of_90k(media_90k)
        else:
            estimate_us = host.wall_us(least_us + us_of_90k(media_90k))
        error_us = estimate_us - self.wall_us(media_90k)
        if abs(error_us) > RERUN_US:
            return f"{'the camera' if camera_wall_us is not None else 'media time'} is {error_us / 1e6:+.1f} s off"
        drift_ppb = 0 if camera_wall_us is not None else self._drift_ppb()
        rate_ppb = max(-MAX_RATE_PPB, min(MAX_RATE_PPB, drift_ppb + error_us * 1_000_000_000 // TAKE_BACK_US))
        return self._row(run, media_90k, rate_ppb, error_us, provenance)

    def _drift_ppb(self) -> int:
        first, last = self._buckets[0], self._buckets[-1]
        elapsed_us = us_of_90k(last[0] - first[0])
        return (last[1] - first[1]) * 1_000_000_000 // elapsed_us if elapsed_us else 0

    def _row(self, run: int, media_90k: int, rate_ppb: int, error_us: int, provenance: Provenance) -> Placement | None:
        fits = abs(error_us) < TOLERATED_ERROR_US and abs(rate_ppb - self.rate_ppb) < TOLERATED_RATE_PPB
        wait_us = SETTLED_ADJUST_US if self._settled > 6 else ADJUST_US
        too_soon = us_of_90k(media_90k - self._adjusted_90k) < wait_us
        if provenance == self.provenance and (fits or too_soon):
            return None
        self.wall_at_us = self.wall_us(media_90k)
        self.at_90k = self._adjusted_90k = media_90k
        self.rate_ppb = rate_ppb
        self.provenance = provenance
        self._settled += 1
        return Placement(run, media_90k, self.wall_at_us, rate_ppb, provenance, f"error {error_us} us")
