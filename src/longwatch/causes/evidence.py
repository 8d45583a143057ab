"""What speaks for a cause, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from longwatch.model.causes import Cause, Pause
from longwatch.model.sessions import Fault
from longwatch.model.surroundings import UNKNOWN, MainsState, Surroundings


@dataclass(frozen=True, slots=True)
class Restart:
    """How the recorder's process before this one ended, as its heartbeat, the boot id and its last entries tell.

    orderly: its last entry is a stop. same_boot: the host has not started anew since. last_heartbeat_wall_us: None where
    there is none, so that nobody knows. mains: the last word of the UPS before the end. asked: number of the entry by which
    somebody asked for the stop.
    """

    orderly: bool
    same_boot: bool
    last_heartbeat_wall_us: int | None
    mains: MainsState | None = None
    asked: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one stream while it has no video. What is not known is None, False or 0.

    not_planned: why recording is not wanted now ("outside the schedule", "record: never", "waiting for a picture that stands
    alone"). storage: storage_full or storage_failed, with storage_detail. dropped_bytes: what the recorder's
    buffer could not hold. lost_packets: since the last sample. fault, detail: the newest verdict of the stream's source; detail for
    people, without secrets. attempts: how many failed in a row. restart: until the first session after it.
    starting: the first session of this stream in this process has not come yet, and no attempt has failed.
    ended_by_us: why the recorder itself ended the session. clock_step_us: by how much the host's clock was set.
    timestamps: what was wrong with the camera's media times. failure: an error of the recorder itself at this stream.
    pause: recording is paused. power_plan: why the camera need not have power now. around: the surroundings of the camera.
    dark_boot_us: since when no footage has come, CLOCK_BOOTTIME; older words of the surroundings are no evidence.
    wall_minus_boot_us: places CLOCK_BOOTTIME on the wall. learnt_us: wall time when the fault was learnt. durable_us: wall
    time up to which footage became durable before. heard: faults before this one since then, each with its wall time.
    """

    not_planned: str = ""
    storage: Cause | None = None
    storage_detail: str = ""
    dropped_bytes: int = 0
    lost_packets: int = 0
    fault: Fault | None = None
    detail: str = ""
    attempts: int = 0
    restart: Restart | None = None
    starting: bool = False
    ended_by_us: str = ""
    clock_step_us: int = 0
    timestamps: str = ""
    failure: str = ""
    pause: Pause | None = None
    power_plan: str = ""
    around: Surroundings = UNKNOWN
    dark_boot_us: int = 0
    wall_minus_boot_us: int = 0
    learnt_us: int = 0
    durable_us: int | None = None
    heard: tuple[tuple[int, Fault], ...] = ()


class Verdict(NamedTuple):
    """A cause, and the JSON-able facts that speak for it (integers and text only, for the ledger's sake)."""

    cause: Cause
    evidence: dict[str, object]
