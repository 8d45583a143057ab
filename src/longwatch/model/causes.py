"""Why there is no video: the names of CONTRACT, and nothing else."""

from __future__ import annotations

import enum


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
