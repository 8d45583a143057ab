"""What arrives becomes durable in time: a disk that hangs is no error, but it is no recording either."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot

MOST_BEHIND_US = 5_000_000


def rule(snapshot: Snapshot) -> list[Issue]:
    """One issue where nothing has been accounted for in the last five seconds (it is a tick, 0.7 s, when all is well)."""
    if not snapshot.running or not snapshot.accounted_until_us:
        return []
    behind_us = snapshot.wall_us - snapshot.accounted_until_us
    if behind_us <= MOST_BEHIND_US:
        return []
    return [
        Issue(
            "durability",
            "",
            f"nothing has become durable for {behind_us // 1_000_000} s",
            "a disk hangs or is much too slow",
            "look at the volumes and the kernel's log",
        )
    ]
