"""What the recorder and a masking child say to each other, as frames (`wire`) over two pipes. docs/design/masks.md lists them.

The recorder says `hello`, then one `job` with where the camera is and what to hide, then `try_now` and `hurry` at any time. The child says
`hello`, then `state`, `live_format`, `live_sample` (`wire.media`), `lost`, `report`, `closed`, a `beat` twice a second, and `failed` as its last word.
"""

from __future__ import annotations

from typing import Any

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Loss, SenderReport
from longwatch.model.areas import Area
from longwatch.model.sessions import Activity, Fault, StreamStatus
from longwatch.wire.frames import Frame, encode


def encode_job(job: dict[str, Any]) -> bytes:
    """Where, how and what to hide. It holds the camera's password: it goes through a pipe, and is never written down."""
    return encode({"type": "job", **job})


def told(areas: tuple[Area, ...]) -> dict[str, list[list[float]]]:
    """Name to polygon: the reverse of `model.areas.areas_of`."""
    return {area.name: [list(point) for point in area.points] for area in areas}


def encode_state(status: StreamStatus) -> bytes:
    """What the child's source says of itself."""
    return encode(
        {
            "type": "state", "activity": status.activity, "since": status.since_boot_us, "fault": status.fault,
            "detail": status.detail, "next": status.next_attempt_boot_us, "attempt": status.attempt, "server": status.server,
        }
    )  # fmt: skip


def decode_state(frame: Frame) -> StreamStatus:
    """The reverse of encode_state. Raises LongwatchError."""
    h = frame.header
    try:
        fault = None if h["fault"] is None else Fault(h["fault"])
        return StreamStatus(
            Activity(h["activity"]), int(h["since"]), fault, str(h["detail"]), h["next"], int(h["attempt"]), str(h["server"])
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise LongwatchError("a state frame cannot be read", why=repr(error)) from error


def encode_loss(loss: Loss) -> bytes:
    """Packets that the camera's network lost."""
    return encode({"type": "lost", "track": loss.track, "packets": loss.packets, "at": loss.at_boot_us})


def decode_loss(frame: Frame) -> Loss:
    """The reverse of encode_loss. Raises LongwatchError."""
    h = frame.header
    try:
        return Loss(int(h["track"]), int(h["packets"]), int(h["at"]))
    except (KeyError, TypeError, ValueError) as error:
        raise LongwatchError("a lost frame cannot be read", why=repr(error)) from error


def encode_report(report: SenderReport) -> bytes:
    """The camera's own clock. Media times are those of the camera, and so are those of the masked samples."""
    return encode(
        {
            "type": "report", "track": report.track, "media": report.media_time, "ntp": report.ntp_wall_us,
            "at": report.arrival_boot_us,
        }
    )  # fmt: skip


def decode_report(frame: Frame) -> SenderReport:
    """The reverse of encode_report. Raises LongwatchError."""
    h = frame.header
    try:
        return SenderReport(int(h["track"]), int(h["media"]), int(h["ntp"]), int(h["at"]))
    except (KeyError, TypeError, ValueError) as error:
        raise LongwatchError("a report frame cannot be read", why=repr(error)) from error


def encode_closed(fault: Fault | None, detail: str) -> bytes:
    """The session with the camera is over."""
    return encode({"type": "closed", "fault": fault, "detail": detail})


def decode_closed(frame: Frame) -> tuple[Fault | None, str]:
    """The reverse of encode_closed. Raises LongwatchError."""
    fault = frame.header.get("fault")
    try:
        return None if fault is None else Fault(fault), str(frame.header.get("detail", ""))
    except ValueError as error:
        raise LongwatchError("a closed frame cannot be read", why=repr(error)) from error


def encode_failed(why: str) -> bytes:
    """Why the child ends."""
    return encode({"type": "failed", "detail": why[:500]})
