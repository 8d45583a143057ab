"""Thermal cameras that are to give stills do, and they can be read."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot
from longwatch.model.sessions import StreamKey


def rule(snapshot: Snapshot) -> list[Issue]:
    """One for each camera whose video is recorded and whose stills are not, or cannot be read; over with the next that can. Without video none is asked for."""
    issues = []
    for one in snapshot.stills:
        main = snapshot.by_key.get(StreamKey(one.camera, "main"))
        if main is not None and main.recording:
            what = f"{one.camera} gives no thermal still that can be read: its temperatures are not known"
            remedy = (
                "open the address of radiometry.stills in a browser: it has to answer with a file, without a redirect"
            )
            issues.append(Issue("thermal_stills", one.camera, what, one.why, remedy, one.camera, blocks=False))
    return issues
