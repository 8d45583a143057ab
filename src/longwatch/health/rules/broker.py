"""The MQTT broker of the settings is there."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot

PATIENCE_US = 60_000_000


def rule(snapshot: Snapshot) -> list[Issue]:
    """One where it has been away for a minute; over once it is back."""
    broker = snapshot.telling.broker
    if (
        broker is None
        or broker.connected
        or broker.since_us is None
        or snapshot.wall_us - broker.since_us < PATIENCE_US
    ):
        return []
    return [
        Issue(
            "broker",
            "",
            "the MQTT broker is not there",
            broker.problem,
            "start it, or mend mqtt in the settings",
            blocks=False,
        )
    ]
