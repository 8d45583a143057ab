"""What an alarm says to people, in one plain sentence or two. No times in it: who shows it knows the zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from longwatch.model.alarms import Alarm, AlarmKind
from longwatch.model.causes import Cause

_CAUSES: Mapping[str, str] = {
    Cause.CAMERA_SWITCHED_OFF: "it was switched off while this post had power",
    Cause.CAMERA_UNREACHABLE: "it cannot be reached",
    Cause.CAMERA_REFUSED: "it refuses to send its stream",
    Cause.STREAM_STALLED: "it answers, and sends no video that can be recorded",
    Cause.PACKETS_LOST: "what it sends is lost on the way",
    Cause.RECORDER_FAILED: "this program failed at it",
    Cause.POST_POWER_LOST: "it has not come back since the post lost power",
    Cause.POST_STOPPED: "it has not come back since the recorder was started",
    Cause.STORAGE_FULL: "there is no room for it",
    Cause.STORAGE_FAILED: "the disk does not take it",
    Cause.UNKNOWN: "nothing says why",
}
_SILENCES: Mapping[str, str] = {
    "plan": "it has not come back from its planned rest",
    "link": "it had power, so that the link is to blame as far as can be told",
    "power": "it ran on its battery when it was heard last",
    "hand": "it was stopped by hand",
    "unknown": "nothing says why",
}
_BLIND: Mapping[str, str] = {
    "covered": "something covers it",
    "sprayed": "something is on its lens",
    "turned": "it was turned away",
    "moved": "it was moved",
    "defocused": "it is out of focus",
    "fogged": "fog, ice or dirt is on its window",
    "blinded": "a light blinds it",
    "frozen": "its picture stands still",
    "replayed": "its picture repeats what was shown before",
}
_MOST_NAMED = 3


def sentence(alarm: Alarm, camera_name: str = "") -> str:
    """What it says. camera_name: for people; default the id."""
    name = camera_name or alarm.camera
    said = _SAYS[alarm.kind](alarm, name)
    if alarm.ended_us is not None and alarm.acknowledged is None:
        said += " It is over, and nobody has acknowledged it."
    return said


def _silent(alarm: Alarm, name: str) -> str:
    said = f"Camera {name} sends no video: {_CAUSES.get(alarm.cause, 'nothing says why')}."
    if alarm.cause == Cause.CAMERA_SWITCHED_OFF and alarm.evidence.get("inferred"):
        said = (
            f"Camera {name} sends no video: it was switched off while this post had power, as far as can be inferred."
        )
    if alarm.body.get("mains") == "off":
        said += " The mains are off and this post runs on its battery: a camera on the mains has no power either."
    return said


def _unknown(alarm: Alarm, name: str) -> str:
    gaps, missing = alarm.body.get("gaps", 1), alarm.body.get("missing_us", 0)
    many = f"{gaps} gaps" if gaps != 1 else "A gap"
    last = f", {missing / 1_000_000:.1f} s in all," if isinstance(missing, int) and missing else ""
    return f"{many} of camera {name}{last} {'have' if gaps != 1 else 'has'} no known cause."


def _reduced(alarm: Alarm, _: str) -> str:
    if alarm.subject == "stop":
        return "Recording was stopped, and nobody gave a reason."
    return f"The settings were changed without a reason: {told(alarm.body.get('reduces'))}."


def _storage(alarm: Alarm, _: str) -> str:
    detail = alarm.evidence.get("detail")
    what = "is full" if alarm.cause == Cause.STORAGE_FULL else "does not take recordings"
    where = "The index" if alarm.subject == "index" else f"The volume {alarm.evidence.get('path', alarm.subject)}"
    return f"{where} {what}{f': {detail}' if detail else ''}."


def _ledger(alarm: Alarm, _: str) -> str:
    return f"The ledger needs a look: {alarm.evidence.get('detail', 'it was begun anew')}."


def _removed(_alarm: Alarm, _: str) -> str:
    return "There is too little room: footage that no hub holds is removed before its time."


def _hold(alarm: Alarm, _: str) -> str:
    number, overruled = alarm.evidence.get("hold"), alarm.evidence.get("overruled")
    if overruled == "max_age":
        return f"The maximum age takes footage that hold {number} protects: the hold names no authority with an end of its own."
    if overruled is not None:
        return f"There is no room to record: footage that hold {number} protects is removed, the oldest first."
    days = alarm.evidence.get("days")
    when = "a day" if days == 1 else f"{days} days"
    return f"Within {when} the maximum age begins to take footage that hold {number} protects."


def _post_silent(alarm: Alarm, _: str) -> str:
    name = alarm.evidence.get("name", alarm.subject)
    return f"The post {name} is not in touch, and should be: {_SILENCES.get(alarm.cause, _SILENCES['unknown'])}."


def _blind(alarm: Alarm, name: str) -> str:
    return f"Camera {name} is recorded and sees nothing of use: {_BLIND.get(alarm.cause, 'its view is hidden')}."


def told(reduces: object) -> str:
    """A list of what is taken away, for a sentence."""
    items = [str(item) for item in reduces] if isinstance(reduces, Sequence) and not isinstance(reduces, str) else []
    rest = f"; and {len(items) - _MOST_NAMED} more" if len(items) > _MOST_NAMED else ""
    return "; ".join(items[:_MOST_NAMED]) + rest if items else "less is recorded or kept"


_SAYS = {
    AlarmKind.CAMERA_SILENT: _silent,
    AlarmKind.UNKNOWN_CAUSE: _unknown,
    AlarmKind.ACCOUNTING_REDUCED: _reduced,
    AlarmKind.STORAGE: _storage,
    AlarmKind.LEDGER: _ledger,
    AlarmKind.UNCONFIRMED_REMOVED: _removed,
    AlarmKind.HOLD: _hold,
    AlarmKind.POST_SILENT: _post_silent,
    AlarmKind.CAMERA_BLIND: _blind,
}
