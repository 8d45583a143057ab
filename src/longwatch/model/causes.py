"""Why there is no video: the names of CONTRACT, and nothing else."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Cause(enum.StrEnum):
    """The cause of a gap."""

    NOT_SCHEDULED = "not_scheduled"
    POWER_PLAN = "power_plan"
    PAUSED_BY_OPERATOR = "paused_by_operator"
    CAMERA_SWITCHED_OFF = "camera_switched_off"
    CAMERA_UNREACHABLE = "camera_unreachable"
    CAMERA_REFUSED = "camera_refused"
    STREAM_STALLED = "stream_stalled"
    PACKETS_LOST = "packets_lost"
    POST_POWER_LOST = "post_power_lost"
    POST_STOPPED = "post_stopped"
    RECORDER_FAILED = "recorder_failed"
    STORAGE_FULL = "storage_full"
    STORAGE_FAILED = "storage_failed"
    PRIVACY_PAUSE = "privacy_pause"
    NEVER_RECORDED = "never_recorded"
    UNKNOWN = "unknown"


PLANNED = frozenset({Cause.NOT_SCHEDULED, Cause.POWER_PLAN, Cause.PAUSED_BY_OPERATOR, Cause.PRIVACY_PAUSE})
"""What somebody wanted so: no alarm, and nothing to mend."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A camera whose recording an operator paused. cause: PAUSED_BY_OPERATOR or PRIVACY_PAUSE. Wall times; until_us: None is
    until it is resumed. entry: number of the ledger's entry that says who and why.
    """

    cause: Cause
    since_us: int
    until_us: int | None
    entry: int

    def holds(self, wall_us: int) -> bool:
        """Whether it is not over yet."""
        return self.until_us is None or wall_us < self.until_us
