"""The decision table, row by row, the first that fits: docs/design/causes.md says why in this order."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

from longwatch.base.rfc3339 import format_us
from longwatch.causes import witnesses
from longwatch.causes.evidence import Evidence, Restart, Verdict
from longwatch.model.causes import Cause
from longwatch.model.sessions import Fault
from longwatch.model.surroundings import MainsState, Power

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
    Fault.MASKING: Cause.RECORDER_FAILED,
    Fault.NO_SECRET: Cause.RECORDER_FAILED,
}

DARK = frozenset({Fault.UNREACHABLE, Fault.DISCONNECTED, Fault.SILENT, Fault.TIMED_OUT})
"""What a camera without power, or without a network, looks like from here."""

RESTART_TAKES_US = 2_000_000
"""Nothing restarts quicker than this: a session that was reset and is back at once is just that."""
RESTART_US = 90_000_000
"""A camera that is back within this has restarted (SEMANTICS, "The timeline")."""

_CANNOT_TELL = {
    Fault.UNREACHABLE: ["camera without power", "camera failed", "network between", "address changed"],
    Fault.DISCONNECTED: ["camera restarted", "camera ended the session", "network between"],
    Fault.TIMED_OUT: ["camera hangs", "network between"],
    Fault.SILENT: ["camera hangs", "network between"],
}
_CANNOT_TELL_ANSWERING = {
    Fault.UNREACHABLE: ["its RTSP service failed", "another port", "a firewall between"],
    Fault.DISCONNECTED: ["its RTSP service restarted", "camera ended the session"],
    Fault.TIMED_OUT: ["its RTSP service hangs"],
    Fault.SILENT: ["its encoder hangs"],
}
_LONGEST = 200  # characters of a detail in an entry


def decide(evidence: Evidence) -> Verdict:
    """The cause of there being no video. Always answers; `unknown` where nothing speaks for anything."""
    for row in _ROWS:
        verdict = row(evidence)
        if verdict is not None:
            return verdict
    return Verdict(Cause.UNKNOWN, {})


def restarted(cause: Cause, evidence: Mapping[str, object], dark_us: int) -> Verdict | None:
    """What a gap of a camera's silence is, once it is back after dark_us with a fresh session: the refined verdict, or None
    where the first stands. What a switch, relay or meter said stands.
    """
    inferred = cause is Cause.CAMERA_SWITCHED_OFF and evidence.get("inferred") is True
    if not RESTART_TAKES_US <= dark_us <= RESTART_US or not (inferred or cause is Cause.CAMERA_UNREACHABLE):
        return None
    cannot_tell = ["camera restarted", "network between"]
    if evidence.get("address") == "answers":
        cannot_tell = ["its RTSP service restarted", *cannot_tell]
    finding = {
        "restarted": True,
        "back_after_ms": dark_us // 1000,
        "finding": "it was back soon with a fresh session: it restarted, or was cut off for a moment",
        "cannot_tell_apart": cannot_tell,
    }
    return Verdict(Cause.CAMERA_UNREACHABLE, {**_without_inference(evidence), **finding})


def went_on(cause: Cause, evidence: Mapping[str, object]) -> Verdict | None:
    """What a gap is, once footage goes on in the session that was there before it: an inferred `camera_switched_off` is taken
    back, since a session does not outlive its camera. None where the first word stands.
    """
    if cause is not Cause.CAMERA_SWITCHED_OFF or evidence.get("inferred") is not True:
        return None
    finding = {"finding": "its session went on: it was cut off, and not off", "cannot_tell_apart": ["network between"]}
    return Verdict(Cause.CAMERA_UNREACHABLE, {**_without_inference(evidence), **finding})


def _without_inference(evidence: Mapping[str, object]) -> dict[str, object]:
    return {name: fact for name, fact in evidence.items() if name != "inferred"}


class TakenBack(enum.Enum):
    """How much of a `camera_switched_off` is taken back."""

    NOTHING = enum.auto()
    FROM_NOW_ON = enum.auto()
    ALL = enum.auto()


def takes_back(named: Mapping[str, object], evidence: Evidence, age_us: int) -> TakenBack:
    """What later evidence does to a `camera_switched_off` that was named age_us ago on the evidence `named`.

    It stands while the camera stays silent: a switch that answers no more, or a neighbour that dies an hour later, is another story.
    """
    if evidence.fault not in DARK or witnesses.answers(evidence):
        return TakenBack.FROM_NOW_ON
    same_event = age_us < witnesses.TOGETHER_US
    if named.get("inferred"):
        return TakenBack.ALL if same_event else TakenBack.NOTHING
    if same_event and witnesses.mains_failed_first(evidence):
        return TakenBack.ALL
    return TakenBack.FROM_NOW_ON if evidence.around.port_power is Power.ON else TakenBack.NOTHING


# ---- what was wanted --------------------------------------------------------------------------------------------------


def _not_planned(e: Evidence) -> Verdict | None:
    return Verdict(Cause.NOT_SCHEDULED, {"why": e.not_planned}) if e.not_planned and e.pause is None else None


def _paused(e: Evidence) -> Verdict | None:
    if e.pause is None:
        return None
    facts: dict[str, object] = {"entry": e.pause.entry, "since": format_us(e.pause.since_us)}
    if e.pause.until_us is not None:
        facts["until"] = format_us(e.pause.until_us)
    return Verdict(e.pause.cause, facts)


def _power_plan(e: Evidence) -> Verdict | None:
    if not e.power_plan or e.fault not in DARK:
        return None
    return Verdict(Cause.POWER_PLAN, {"why": e.power_plan, "fault": str(e.fault)})


# ---- storage ----------------------------------------------------------------------------------------------------------


def _storage(e: Evidence) -> Verdict | None:
    return Verdict(e.storage, {"detail": e.storage_detail}) if e.storage is not None else None


def _dropped(e: Evidence) -> Verdict | None:
    if not e.dropped_bytes:
        return None
    facts: dict[str, object] = {"detail": "storage took no data in time", "dropped_bytes": e.dropped_bytes}
    return Verdict(Cause.STORAGE_FAILED, facts)


# ---- the camera -------------------------------------------------------------------------------------------------------


def _said(e: Evidence, finding: str = "", cannot_tell: list[str] | None = None) -> dict[str, object]:
    """What the session said, with when it was learnt, and what the surroundings say beside it."""
    assert e.fault is not None
    facts: dict[str, object] = {"fault": str(e.fault)}
    if e.detail:
        facts["detail"] = e.detail[:_LONGEST]
    if e.attempts:
        facts["attempts"] = e.attempts
    if e.learnt_us:
        facts["learnt"] = format_us(e.learnt_us)
    if e.durable_us is not None:
        facts["durable_until"] = format_us(e.durable_us)
    if e.heard:
        facts["heard"] = [f"{format_us(at_us)} {fault}" for at_us, fault in e.heard]
    facts |= witnesses.facts(e) if _is_dark(e) else witnesses.address(e)
    if finding:
        facts["finding"] = finding
    if cannot_tell is None:
        cannot_tell = (_CANNOT_TELL_ANSWERING if witnesses.answers(e) else _CANNOT_TELL).get(e.fault)
    if cannot_tell:
        facts["cannot_tell_apart"] = list(cannot_tell)
    return facts


def _is_dark(e: Evidence) -> bool:
    return e.fault in DARK and not witnesses.answers(e)


def _port_off(e: Evidence) -> Verdict | None:
    if e.fault not in DARK or not witnesses.port_off(e):
        return None
    if witnesses.mains_failed_first(e) or witnesses.switch_restarted(e):
        return None
    if e.around.port_ordered:
        return Verdict(Cause.CAMERA_SWITCHED_OFF, _said(e, "what feeds it was switched off", []))
    cannot_tell = ["switched off or unplugged", "its own cable", "camera failed"]
    return Verdict(Cause.CAMERA_SWITCHED_OFF, _said(e, "what feeds it gives no power", cannot_tell))


def _mains_failed(e: Evidence) -> Verdict | None:
    """Not a hand: the post is on battery, and what the mains feeds beside it is dark."""
    if not _is_dark(e) or not witnesses.mains_failed_first(e):
        return None
    finding = "the post's mains has failed, and the camera may be fed by it"
    return Verdict(Cause.CAMERA_UNREACHABLE, _said(e, finding, ["fed by the mains that failed", "switched off"]))


def _cable(e: Evidence) -> Verdict | None:
    if not _is_dark(e) or not witnesses.link_down(e) or witnesses.switch_restarted(e):
        return None
    finding = "its port has power and no link"
    return Verdict(Cause.CAMERA_UNREACHABLE, _said(e, finding, ["cable pulled or broken", "camera failed"]))


def _neighbour_answers(e: Evidence) -> Verdict | None:
    if not _is_dark(e) or not (witnesses.silent_on_the_wire(e) and e.around.switch and e.around.neighbours_answer):
        return None
    if e.around.port_link is Power.ON or witnesses.switch_restarted(e):
        return None  # something at the other end of the cable has power; or its neighbour was only quicker to start
    finding = "its address no longer answers, while a neighbour behind the same switch does"
    facts = _said(e, finding, ["switched off or unplugged", "its own cable", "camera failed"])
    return Verdict(Cause.CAMERA_SWITCHED_OFF, {"inferred": True, **facts})


def _all_behind_it(e: Evidence) -> Verdict | None:
    if not _is_dark(e):
        return None
    if witnesses.switch_restarted(e):
        finding = f"{e.around.switch or 'the switch'} itself restarted"
        return Verdict(
            Cause.CAMERA_UNREACHABLE, _said(e, finding, ["the switch lost power", "the switch was restarted"])
        )
    if not (witnesses.fell_silent(e) and e.around.switch and e.around.neighbours_silent):
        return None
    if e.around.neighbours_answer or e.around.neighbours_unknown:
        return None
    finding = f"no camera behind {e.around.switch} answers"
    cannot_tell = ["the switch without power", "the switch failed", "the cable to it"]
    return Verdict(Cause.CAMERA_UNREACHABLE, _said(e, finding, cannot_tell))


def _fault(e: Evidence) -> Verdict | None:
    return None if e.fault is None else Verdict(CAUSE_OF_FAULT[e.fault], _said(e))


def _packets_lost(e: Evidence) -> Verdict | None:
    return Verdict(Cause.PACKETS_LOST, {"packets": e.lost_packets}) if e.lost_packets else None


# ---- the post ---------------------------------------------------------------------------------------------------------


def _nobody_knows(e: Evidence) -> Verdict | None:
    if e.restart is None or e.restart.orderly or e.restart.last_heartbeat_wall_us is not None:
        return None
    return Verdict(
        Cause.UNKNOWN,
        {
            "detail": "the index was lost, and with it what was known of the recorder before this one",
            "cannot_tell_apart": ["post stopped", "recorder failed", "power lost"],
        },
    )


def _ended(restart: Restart, detail: str) -> dict[str, object]:
    facts: dict[str, object] = {"boot": "same" if restart.same_boot else "another", "detail": detail}
    if restart.last_heartbeat_wall_us is not None:
        facts["last_heartbeat"] = format_us(restart.last_heartbeat_wall_us)
    if restart.asked is not None:
        facts["asked"] = restart.asked
    return facts


def _last_words(mains: MainsState) -> dict[str, object]:
    """What the UPS said last."""
    facts: dict[str, object] = {"mains": str(mains.mains), "mains_learnt": format_us(mains.since_wall_us)}
    if mains.by:
        facts["mains_by"] = mains.by[:80]
    if mains.battery_percent is not None:
        facts["battery_percent"] = mains.battery_percent
    if mains.runtime_s is not None:
        facts["runtime_s"] = mains.runtime_s
    return facts


def _on_battery(restart: Restart) -> bool:
    return restart.mains is not None and restart.mains.mains is Power.OFF


def _shut_down_on_battery(e: Evidence) -> Verdict | None:
    r = e.restart
    if r is None or not r.orderly or r.same_boot or r.asked is not None or not _on_battery(r):
        return None
    assert r.mains is not None
    detail = "mains had failed, and the post was shut down in order before its battery was empty"
    return Verdict(Cause.POST_POWER_LOST, _ended(r, detail) | _last_words(r.mains))


def _stopped(e: Evidence) -> Verdict | None:
    if e.restart is None or not e.restart.orderly:
        return None
    return Verdict(Cause.POST_STOPPED, _ended(e.restart, "the recorder was stopped in order"))


def _crashed(e: Evidence) -> Verdict | None:
    if e.restart is None or not e.restart.same_boot:
        return None
    detail = "the recorder ended without a stop entry, and the host went on"
    return Verdict(Cause.RECORDER_FAILED, _ended(e.restart, detail))


def _battery_ran_out(e: Evidence) -> Verdict | None:
    r = e.restart
    if r is None or not _on_battery(r):
        return None
    assert r.mains is not None
    detail = "mains had failed, and the heartbeat ended without a stop entry"
    return Verdict(Cause.POST_POWER_LOST, _ended(r, detail) | _last_words(r.mains))


def _cut(e: Evidence) -> Verdict | None:
    r = e.restart
    if r is None:
        return None
    facts = _ended(r, "the heartbeat ended without a stop entry, and the host started anew")
    if r.mains is not None and r.mains.mains is Power.ON:
        facts |= _last_words(r.mains)
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
    _paused,
    _power_plan,
    _storage,
    _dropped,
    _port_off,
    _mains_failed,
    _cable,
    _neighbour_answers,
    _all_behind_it,
    _fault,
    _packets_lost,
    _nobody_knows,
    _shut_down_on_battery,
    _stopped,
    _crashed,
    _battery_ran_out,
    _cut,
    _ended_by_us,
    _starting,
    _timestamps,
    _clock_step,
    _failure,
)
