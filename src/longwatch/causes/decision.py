"""The decision table, row by row, the first that fits: docs/design/causes.md says why in this order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from longwatch.base.rfc3339 import format_us
from longwatch.model.causes import Cause
from longwatch.model.sessions import Fault


@dataclass(frozen=True, slots=True)
class Restart:
    """How the recorder's process before this one ended, as its heartbeat and the boot id tell.

    orderly: its last entry is a stop. same_boot: the host has not started anew since. last_heartbeat_wall_us: None where
    there is none, so that nobody knows.
    """

    orderly: bool
    same_boot: bool
    last_heartbeat_wall_us: int | None


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


class Verdict(NamedTuple):
    """A cause, and the JSON-able facts that speak for it (integers and text only, for the ledger's sake)."""

    cause: Cause
    evidence: dict[str, object]


CAUSE_OF_FAULT = {
    Fault.UNREACHABLE: Cause.CAMERA_UNREACHABLE,
    Fault.DISCONNECTED: Cause.CAMERA_UNREACHABLE,
    Fault.LOGIN_REFUSED: Cause.CAMERA_REFUSED,
    Fault.REFUSED: Cause.CAMERA_REFUSED,
    Fault.PROTOCOL_ERROR: Cause.CAMERA_REFUSED,
    Fault.TIMED_OUT: Cause.STREAM_STALLED,
    Fault.SILENT: Cause.STREAM_STALLED,
    Fault.AUDIO_ONLY: Cause.STREAM_STALLED,
    Fault.FROZEN: Cause.STREAM_STALLED,
    Fault.UNUSABLE: Cause.STREAM_STALLED,
}

_CANNOT_TELL = {
    Fault.UNREACHABLE: ["camera without power", "camera failed", "network between", "address changed"],
    Fault.DISCONNECTED: ["camera restarted", "camera ended the session", "network between"],
    Fault.TIMED_OUT: ["camera hangs", "network between"],
    Fault.SILENT: ["camera hangs", "network between"],
}


def decide(evidence: Evidence) -> Verdict:
    """The cause of there being no video. Always answers; `unknown` where nothing speaks for anything."""
    for row in _ROWS:
        verdict = row(evidence)
        if verdict is not None:
            return verdict
    return Verdict(Cause.UNKNOWN, {})


def _not_planned(e: Evidence) -> Verdict | None:
    return Verdict(Cause.NOT_SCHEDULED, {"why": e.not_planned}) if e.not_planned else None


def _storage(e: Evidence) -> Verdict | None:
    return Verdict(e.storage, {"detail": e.storage_detail}) if e.storage is not None else None


def _dropped(e: Evidence) -> Verdict | None:
    if not e.dropped_bytes:
        return None
    facts: dict[str, object] = {"detail": "storage took no data in time", "dropped_bytes": e.dropped_bytes}
    return Verdict(Cause.STORAGE_FAILED, facts)


def _fault(e: Evidence) -> Verdict | None:
    if e.fault is None:
        return None
    facts: dict[str, object] = {"fault": str(e.fault)}
    if e.detail:
        facts["detail"] = e.detail
    if e.attempts:
        facts["attempts"] = e.attempts
    if e.fault in _CANNOT_TELL:
        facts["cannot_tell_apart"] = list(_CANNOT_TELL[e.fault])
    return Verdict(CAUSE_OF_FAULT[e.fault], facts)


def _packets_lost(e: Evidence) -> Verdict | None:
    return Verdict(Cause.PACKETS_LOST, {"packets": e.lost_packets}) if e.lost_packets else None


def _restart(e: Evidence) -> Verdict | None:
    if e.restart is None:
        return None
    if not e.restart.orderly and e.restart.last_heartbeat_wall_us is None:
        return Verdict(
            Cause.UNKNOWN,
            {
                "detail": "the index was lost, and with it what was known of the recorder before this one",
                "cannot_tell_apart": ["post stopped", "recorder failed", "power lost"],
            },
        )
    facts: dict[str, object] = {"boot": "same" if e.restart.same_boot else "another"}
    if e.restart.last_heartbeat_wall_us is not None:
        facts["last_heartbeat"] = format_us(e.restart.last_heartbeat_wall_us)
    if e.restart.orderly:
        facts["detail"] = "the recorder was stopped in order"
        return Verdict(Cause.POST_STOPPED, facts)
    if e.restart.same_boot:
        facts["detail"] = "the recorder ended without a stop entry, and the host went on"
        return Verdict(Cause.RECORDER_FAILED, facts)
    facts["detail"] = "the heartbeat ended without a stop entry, and the host started anew"
    facts["cannot_tell_apart"] = ["power lost", "host reset", "host crashed"]
    return Verdict(Cause.POST_POWER_LOST, facts)


def _ended_by_us(e: Evidence) -> Verdict | None:
    return Verdict(Cause.POST_STOPPED, {"detail": e.ended_by_us}) if e.ended_by_us else None


def _starting(e: Evidence) -> Verdict | None:
    return Verdict(Cause.POST_STOPPED, {"detail": "recording of this stream was being started"}) if e.starting else None


def _timestamps(e: Evidence) -> Verdict | None:
    return Verdict(Cause.STREAM_STALLED, {"detail": e.timestamps}) if e.timestamps else None


def _clock_step(e: Evidence) -> Verdict | None:
    if not e.clock_step_us:
        return None
    return Verdict(
        Cause.UNKNOWN,
        {
            "clock_step_us": e.clock_step_us,
            "detail": "a clock was set, the host's or that which is believed; no footage is missing",
        },
    )


def _failure(e: Evidence) -> Verdict | None:
    return Verdict(Cause.RECORDER_FAILED, {"detail": e.failure}) if e.failure else None


_ROWS: tuple[Callable[[Evidence], Verdict | None], ...] = (
    _not_planned,
    _storage,
    _dropped,
    _fault,
    _packets_lost,
    _restart,
    _ended_by_us,
    _starting,
    _timestamps,
    _clock_step,
    _failure,
)
