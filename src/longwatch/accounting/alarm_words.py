"""What an alarm says to people, in plain sentences: as messages of the catalogue, or in words. No times in it: who shows it knows the zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from longwatch.base.messages import ENGLISH
from longwatch.model.alarms import Alarm, AlarmKind
from longwatch.model.causes import Cause
from longwatch.model.said import Said, Words, first_of, in_words
from longwatch.model.sessions import Fault

_MOST_NAMED = 3


def sentence(alarm: Alarm, camera_name: str = "", language: str = ENGLISH) -> str:
    """What it says. camera_name: for people; default the id."""
    return in_words(said_of(alarm, camera_name), language)


def said_of(alarm: Alarm, camera_name: str = "") -> Words:
    """The same, in no language yet."""
    said = _SAYS[alarm.kind](alarm, camera_name or alarm.camera)
    if alarm.ended_us is not None and alarm.acknowledged is None:
        said = (*said, Said("alarms.over"))
    return said


_Sentences = tuple[Words, ...]


def _silent(alarm: Alarm, name: str) -> _Sentences:
    why = Said(first_of(f"alarms.why.{alarm.cause}", "alarms.why.unknown"))
    said: _Sentences = (Said("alarms.silent", {"name": name, "why": why}),)
    if alarm.cause == Cause.CAMERA_SWITCHED_OFF and alarm.evidence.get("inferred"):
        said = (*said, Said("alarms.inferred"))
    if alarm.evidence.get("fault") == Fault.NO_SECRET:
        said = (*said, Said("alarms.noSecret"))
    if alarm.body.get("mains") == "off":
        said = (*said, Said("alarms.onBattery"))
    return said


def _unknown(alarm: Alarm, name: str) -> _Sentences:
    gaps, missing = alarm.body.get("gaps", 1), alarm.body.get("missing_us", 0)
    said: _Sentences = (Said("alarms.unknownCause", {"name": name, "n": gaps if isinstance(gaps, int) else 1}),)
    if isinstance(missing, int) and missing:
        said = (*said, Said("alarms.missing", {"s": round(missing / 1_000_000, 1)}))
    return said


def _reduced(alarm: Alarm, _: str) -> _Sentences:
    if alarm.subject == "stop":
        return (Said("alarms.reducedStop"),)
    return (Said("alarms.reduced"), *told(alarm.body.get("reduces")))


def _storage(alarm: Alarm, _: str) -> _Sentences:
    what = "Full" if alarm.cause == Cause.STORAGE_FULL else "Fails"
    if alarm.subject == "index":
        return (Said(f"alarms.index{what}"), *_detail(alarm))
    where = str(alarm.evidence.get("path", alarm.subject))
    return (Said(f"alarms.volume{what}", {"where": where}), *_detail(alarm))


def _ledger(alarm: Alarm, _: str) -> _Sentences:
    return (Said("alarms.ledger"), *(_detail(alarm) or (Said("alarms.ledgerAnew"),)))


def _removed(_alarm: Alarm, _: str) -> _Sentences:
    return (Said("alarms.removed"),)


def _hold(alarm: Alarm, _: str) -> _Sentences:
    number, overruled = str(alarm.evidence.get("hold")), alarm.evidence.get("overruled")
    if overruled is not None:
        return (Said("alarms.holdLaw" if overruled == "max_age" else "alarms.holdRoom", {"n": number}),)
    days = alarm.evidence.get("days")
    return (Said("alarms.holdSoon", {"n": number, "days": days if isinstance(days, int) else 1}),)


def _post_silent(alarm: Alarm, _: str) -> _Sentences:
    why = Said(first_of(f"alarms.silence.{alarm.cause}", "alarms.silence.unknown"))
    return (Said("alarms.postSilent", {"name": str(alarm.evidence.get("name", alarm.subject)), "why": why}),)


def _blind(alarm: Alarm, name: str) -> _Sentences:
    how = Said(first_of(f"alarms.how.{alarm.cause}", "alarms.how.hidden"))
    return (Said("alarms.blind", {"name": name, "how": how}),)


def _detail(alarm: Alarm) -> _Sentences:
    """What a disk or a file said itself, in its own words."""
    detail = alarm.evidence.get("detail")
    return (f"{detail}.",) if detail else ()


def told(reduces: object) -> _Sentences:
    """A list of what is taken away, as the settings word it."""
    items = [str(item) for item in reduces] if isinstance(reduces, Sequence) and not isinstance(reduces, str) else []
    said: _Sentences = (f"{'; '.join(items[:_MOST_NAMED])}.",) if items else ()
    return (*said, Said("alarms.andMore", {"n": len(items) - _MOST_NAMED})) if len(items) > _MOST_NAMED else said


_SAYS: Mapping[AlarmKind, Callable[[Alarm, str], _Sentences]] = {
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
