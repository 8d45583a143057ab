"""The post has mains."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot


def rule(snapshot: Snapshot) -> list[Issue]:
    """One while its UPS says that it runs on the battery."""
    around = snapshot.around
    if around.mains != "off":
        return []
    left = [] if around.battery_percent is None else [f"{around.battery_percent} % are left"]
    left += [] if around.runtime_s is None else [f"about {around.runtime_s // 60} min"]
    return [
        Issue(
            "mains",
            "",
            "the mains are off, and the post runs on its battery",
            ", ".join(left),
            "look at the supply",
            blocks=False,
        )
    ]
