"""What the recorder remarks: a device around its cameras that is silent, a battery that ends soon. It records all the same."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot


def rule(snapshot: Snapshot) -> list[Issue]:
    """One for each, none of which blocks."""
    return [Issue("remarked", "", said, blocks=False) for said in snapshot.remarked]
