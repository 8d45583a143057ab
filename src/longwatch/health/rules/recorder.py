"""The recorder answers."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot


def rule(snapshot: Snapshot) -> list[Issue]:
    """One issue where it does not; the other rules then have nothing to look at."""
    if snapshot.running:
        return []
    return [Issue("recorder", "", "the recorder does not answer", snapshot.why_not, "see its log; start it")]
