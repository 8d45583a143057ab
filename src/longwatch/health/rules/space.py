"""Each volume has room for what is being written, and for last words."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot

LEAST_BYTES = 256 << 20


def rule(snapshot: Snapshot) -> list[Issue]:
    """One for each that is well and yet has less than 256 MiB free: retention does not keep up, or something else fills it."""
    return [
        Issue(
            "space", volume.path, f"only {volume.free_bytes >> 20} MiB are free", "retention does not keep up, or something else fills the disk",
            "look at what lies on it; raise retention.keep_free", blocks=False,
        )
        for volume in snapshot.volumes
        if volume.state == "ok" and volume.free_bytes is not None and volume.free_bytes < LEAST_BYTES
    ]  # fmt: skip
