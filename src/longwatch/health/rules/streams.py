"""Every stream that is planned to be recorded now is being recorded."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot


def rule(snapshot: Snapshot) -> list[Issue]:
    """One issue for each stream that is not."""
    return [
        Issue(
            "streams",
            f"{stream.key.camera}/{stream.key.stream}",
            f"not recording: {stream.cause or stream.fault or stream.activity}",
            stream.detail,
            "it is tried again by itself",
            stream.key.camera,
        )
        for stream in snapshot.streams
        if stream.planned and not stream.recording
    ]
