"""The host's clocks, watched: CLOCK_BOOTTIME to wall time, with provenance, and every step of the wall clock named. Pure.

Behaviour over time: `observe` is called at every tick. While the wall clock runs with CLOCK_BOOTTIME (NTP slews it by at most
500 ppm) its offset is followed. A jump beyond STEP_US is a step: `epoch` rises, and each run is closed and the next opened.
A clock that steps more than STEPS_TOLERATED times in UNSTEADY_WINDOW_US is not followed any more: time goes on by
CLOCK_BOOTTIME, as `inferred`, until it has run evenly for STEADY_US. A clock that is behind the archive's own last word
(a host without a battery boots in 1970) is not believed unless NTP vouches for it: time goes on from that last word, as `inferred`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from longwatch.model.stores import Provenance

STEP_US = 200_000
STEPS_TOLERATED = 3
UNSTEADY_WINDOW_US = 600_000_000
STEADY_US = 60_000_000
EVEN_PPM = 600
EARLIEST_WALL_US = 1_735_689_600_000_000  # 2025-01-01: no clock of this program's time shows less


@dataclass(frozen=True, slots=True)
class Step:
    """The wall clock was set (or found, or lost). from_us, to_us: what it said before and says now, at boot_us."""

    by_us: int
    boot_us: int
    from_us: int
    to_us: int
    provenance: Provenance
    unsteady: bool = False


class HostTime:
    """Owner of its state: the recorder's loop. last_known_us: the archive's last word of wall time; None where it is new."""

    def __init__(self, boot_us: int, wall_us: int, synchronised: bool, last_known_us: int | None = None) -> None:
        self.epoch = 0
        self.unsteady = False
        self._floor_us = last_known_us if last_known_us is not None else 0
        self._steps: deque[int] = deque()
        self._even_since_us = boot_us
        self._seen_boot_us = boot_us
        self._seen_offset_us = wall_us - boot_us
        self.agreed_since_us: int | None = boot_us if synchronised else None
        if self._believable(wall_us, synchronised):
            self.offset_us = wall_us - boot_us
            self.provenance = self._provenance(wall_us, synchronised)
        else:
            self.offset_us = max(wall_us, self._floor_us) - boot_us
            self.provenance = Provenance.INFERRED

    def wall_us(self, boot_us: int) -> int:
        """Where CLOCK_BOOTTIME stands on the wall, as far as is known."""
        return boot_us + self.offset_us

    def agreed_for_us(self, boot_us: int) -> int:
        """For how long NTP has vouched for the clock without a break."""
        return 0 if self.agreed_since_us is None else boot_us - self.agreed_since_us

    def _believable(self, wall_us: int, synchronised: bool) -> bool:
        return synchronised or wall_us >= self._floor_us

    @staticmethod
    def _provenance(wall_us: int, synchronised: bool) -> Provenance:
        if synchronised:
            return Provenance.NTP
        return Provenance.RTC if wall_us >= EARLIEST_WALL_US else Provenance.INFERRED

    def observe(self, boot_us: int, wall_us: int, synchronised: bool) -> Step | None:
        """Take in both clocks, read at one moment. Answers with the step, where this is one."""
        offset_us = wall_us - boot_us
        self._note_evenness(boot_us, offset_us)
        moved_us = offset_us - self.offset_us
        jumped = abs(moved_us) > STEP_US
        if not synchronised or jumped:
            self.agreed_since_us = None
        elif self.agreed_since_us is None:
            self.agreed_since_us = boot_us
        if self.unsteady:
            if boot_us - self._even_since_us < STEADY_US:
                return None
            self.unsteady = False
            self._steps.clear()
        if not self._believable(wall_us, synchronised):
            if self.provenance is not Provenance.INFERRED or wall_us >= EARLIEST_WALL_US:
                return self._follow(boot_us, wall_us, synchronised) if jumped else None
            return None
        if jumped:
            return self._follow(boot_us, wall_us, synchronised)
        self.offset_us = offset_us
        self.provenance = self._provenance(wall_us, synchronised)
        return None

    def _note_evenness(self, boot_us: int, offset_us: int) -> None:
        allowed_us = 2_000 + (boot_us - self._seen_boot_us) * EVEN_PPM // 1_000_000
        if abs(offset_us - self._seen_offset_us) > allowed_us:
            self._even_since_us = boot_us
        self._seen_boot_us, self._seen_offset_us = boot_us, offset_us

    def _follow(self, boot_us: int, wall_us: int, synchronised: bool) -> Step:
        self._steps.append(boot_us)
        while self._steps[0] < boot_us - UNSTEADY_WINDOW_US:
            self._steps.popleft()
        before_us = self.wall_us(boot_us)
        self.epoch += 1
        if len(self._steps) > STEPS_TOLERATED:
            self.unsteady = True
            self._even_since_us = boot_us
            self.provenance = Provenance.INFERRED
            return Step(0, boot_us, before_us, before_us, self.provenance, unsteady=True)
        self.offset_us = wall_us - boot_us
        self._floor_us = 0
        self.provenance = self._provenance(wall_us, synchronised)
        return Step(wall_us - before_us, boot_us, before_us, wall_us, self.provenance)
