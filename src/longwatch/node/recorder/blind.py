"""Hidden views, as the server tells the recorder of them: recorded, and blind. docs/design/events.md."""

from __future__ import annotations

from typing import Any

from longwatch.accounting.alarms import Subject, Trouble
from longwatch.base.clock import Clock
from longwatch.base.errors import UsageError
from longwatch.model.alarms import AlarmKind
from longwatch.model.events import TAMPERS
from longwatch.node.recorder.told import Judged, Told

_MOST_EVENT = 40


def blind_cameras(clock: Clock) -> Told:
    """Request `views_seen {blind: [{camera, how, since_us, event}], clear: [camera], unclear: [camera]}`; how: one of `model.events.TAMPERS`."""
    return Told(
        clock,
        Judged("views_seen", AlarmKind.CAMERA_BLIND, "camera", "blind", "clear", "it is not looked at now", _trouble),
    )


def _trouble(subject: Subject, item: dict[str, Any]) -> Trouble:
    how, event = item.get("how"), item.get("event")
    if how not in TAMPERS or not isinstance(event, str) or len(event) > _MOST_EVENT:
        raise UsageError(f"`how` is one of {', '.join(TAMPERS)}, and `event` an id")
    since_us = item["since_us"]
    return Trouble(subject, since_us, subject.name, str(how), {"event": event, "since_us": since_us})
