"""Every process of a hub that did not end in order is there."""

from __future__ import annotations

from longwatch.base.rfc3339 import format_us
from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot


def rule(snapshot: Snapshot) -> list[Issue]:
    """One for each that stopped saying so; over once it is back, or was stopped in order. Posts dial in at another one meanwhile."""
    return [
        Issue(
            "doors",
            one.name,
            f"the door {one.name} of this hub is away",
            f"at {one.address}, heard last at {format_us(one.seen_us)}",
            "start it again, or stop it in order if it is not wanted any more",
            blocks=False,
        )
        for one in snapshot.doors
        if not one.here and not one.ended
    ]
