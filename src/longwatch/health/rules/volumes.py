"""Every volume takes media."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot

_REMEDIES = {
    "full": "give it space, or lower retention.max_size",
    "failed": "replace the disk; what it holds can still be read",
    "missing": "mount it",
    "foreign": "mount the disk that belongs here",
}


def rule(snapshot: Snapshot) -> list[Issue]:
    """One issue for each volume that does not."""
    return [
        Issue("volumes", volume.path, f"the volume is {volume.state}", volume.detail, _REMEDIES.get(volume.state, ""))
        for volume in snapshot.volumes
        if volume.state != "ok"
    ]
