"""Cameras that are to be looked at are, and not long after."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot
from longwatch.model.watching import DetectionState, Doing

MOST_BEHIND_US = 30_000_000
_SAYS = {
    Doing.NOT_INSTALLED: "nothing here can look at its pictures",
    Doing.RESTING: "its pictures ended what decodes them several times, and are left alone for a while",
    Doing.FAILING: "its pictures cannot be decoded",
}


def rule(snapshot: Snapshot) -> list[Issue]:
    """One for each camera at which nobody looks, or more than half a minute late; over with the next look in time. Recording does not wait."""
    issues = []
    for one in snapshot.watching:
        what = _wrong(one)
        if what:
            remedy = "give detection more of the processor (detection.cores), or have fewer cameras looked at"
            issues.append(Issue("detection", one.camera, what, one.why, remedy, one.camera, blocks=False))
    return issues


def _wrong(one: DetectionState) -> str:
    if one.doing in _SAYS:
        return f"{one.camera} is not looked at: {_SAYS[one.doing]}"
    if one.doing is Doing.LOOKING and one.behind_us > MOST_BEHIND_US:
        return f"{one.camera}: detection is {one.behind_us // 1_000_000} s behind"
    return ""
