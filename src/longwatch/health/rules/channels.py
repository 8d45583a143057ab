"""Messages to people come through."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot


def rule(snapshot: Snapshot) -> list[Issue]:
    """One for each channel through which nothing comes; it records all the same. Over with the first message that does."""
    return [
        Issue(
            "channels", one.name, f"messages by {one.name} do not arrive: {one.failing} attempts in a row failed", one.problem,
            "see Notifications for the last attempts; a trial message can be sent there", blocks=False,
        )
        for one in snapshot.telling.channels
        if one.dead
    ]  # fmt: skip
