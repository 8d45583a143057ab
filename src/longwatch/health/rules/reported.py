"""What the recorder itself reports: a task that died, an index that fails, a clock that is not trusted."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot


def rule(snapshot: Snapshot) -> list[Issue]:
    """One issue for each."""
    return [Issue("reported", "", said) for said in snapshot.reported]
