"""What is told of an issue of health, in no language yet. What a disk, a broker or a receiver said itself stands behind it in its own words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from longwatch.health import Issue, Snapshot
from longwatch.model.said import Said, Words
from longwatch.model.watching import Doing

_DETECTION: Mapping[Doing, str] = {
    Doing.NOT_INSTALLED: "told.unwatched", Doing.RESTING: "told.resting", Doing.FAILING: "told.undecoded",
}  # fmt: skip


def says(issue: Issue, snapshot: Snapshot, name: str) -> Words:
    """name: of its camera, for people."""
    return _SAYS[issue.rule](issue, snapshot, name)


def _with_why(key: str) -> Callable[[Issue, Snapshot, str], Words]:
    def said(issue: Issue, _snapshot: Snapshot, _name: str) -> Words:
        return (Said(key, {"name": issue.subject}), f"{issue.why}." if issue.why else "")

    return said


def _durability(_issue: Issue, _snapshot: Snapshot, _name: str) -> Words:
    return Said("told.durability")


def _mains(_issue: Issue, snapshot: Snapshot, _name: str) -> Words:
    around = snapshot.around
    said: tuple[Words, ...] = (Said("told.mains"),)
    if around.battery_percent is not None:
        said = (*said, Said("told.battery", {"percent": around.battery_percent}))
    if around.runtime_s is not None:
        said = (*said, Said("told.lasts", {"n": around.runtime_s // 60}))
    return said


def _detection(issue: Issue, snapshot: Snapshot, name: str) -> Words:
    doing = next((one.doing for one in snapshot.watching if one.camera == issue.camera), None)
    key = "told.late" if doing is None else _DETECTION.get(doing, "told.late")
    return (Said(key, {"name": name or issue.subject}), f"{issue.why}." if issue.why else "")


_SAYS: Mapping[str, Callable[[Issue, Snapshot, str], Words]] = {
    "recorder": _with_why("told.recorder"),
    "durability": _durability,
    "mains": _mains,
    "detection": _detection,
    "channels": _with_why("told.channel"),
    "broker": _with_why("told.broker"),
}
TOLD = frozenset(_SAYS)
"""Rules of health whose issues people are told of."""
