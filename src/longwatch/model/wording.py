"""How causes, evidence and lengths of time are said to people, in English: by verbs, reports and packages alike."""

from __future__ import annotations

from collections.abc import Mapping

from longwatch.base.rfc3339 import format_us
from longwatch.model.causes import Cause

_FIRST_MOMENT_US = 10**15  # of September 2001: a number of microseconds above it is a time, below it a duration

CAUSES: Mapping[Cause, str] = {
    Cause.NOT_SCHEDULED: "not to be recorded then, by its settings",
    Cause.POWER_PLAN: "switched off by the plan of power",
    Cause.PAUSED_BY_OPERATOR: "paused by an operator",
    Cause.CAMERA_SWITCHED_OFF: "the camera was switched off",
    Cause.CAMERA_UNREACHABLE: "the camera could not be reached",
    Cause.CAMERA_REFUSED: "the camera refused",
    Cause.STREAM_STALLED: "the camera answered and sent no pictures",
    Cause.PACKETS_LOST: "pictures were lost on the way from the camera",
    Cause.POST_POWER_LOST: "the post had no power",
    Cause.POST_STOPPED: "the post was stopped",
    Cause.RECORDER_FAILED: "the recorder failed",
    Cause.STORAGE_FULL: "the disk was full",
    Cause.STORAGE_FAILED: "the disk failed",
    Cause.PRIVACY_PAUSE: "paused for privacy",
    Cause.NEVER_RECORDED: "the camera was not set up yet",
    Cause.UNKNOWN: "not known",
}


def duration(us: int) -> str:
    """As a person says it: `20.6 s`, `3 min 05 s`, `2 h 05 min`, `3 d 04 h`."""
    seconds = us // 1_000_000
    if seconds < 60:
        return f"{us / 1_000_000:.1f} s"
    if seconds < 3_600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    if seconds < 86_400:
        return f"{seconds // 3_600} h {seconds % 3_600 // 60:02} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3_600:02} h"


def evidence(facts: Mapping[str, object]) -> str:
    """Evidence in words on one line, the sentence first. Programs read it as it is kept."""
    return "; ".join(evidence_lines(facts))


def evidence_lines(facts: Mapping[str, object]) -> list[str]:
    """The same, a line for each fact that says something."""
    said = []
    for name, value in sorted(facts.items(), key=lambda item: item[0] != "detail"):
        if value is None or value in ("", []):
            continue
        if name.endswith("_us") and isinstance(value, int):
            label = name.removesuffix("_us")
            words = format_us(value) if value > _FIRST_MOMENT_US else f"{value / 1_000_000:g} s"
        else:
            label = name
            words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        said.append(words if name == "detail" else f"{label.replace('_', ' ')}: {words}")
    return said
