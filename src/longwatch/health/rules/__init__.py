"""The rules, in the order in which their issues are told. A rule takes a snapshot and returns what is wrong now."""

from __future__ import annotations

from collections.abc import Callable

from longwatch.health.rules import durability, recorder, reported, streams, volumes
from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot

__all__ = ["RULES", "Issue", "examine"]

RULES: tuple[Callable[[Snapshot], list[Issue]], ...] = (
    recorder.rule,
    volumes.rule,
    durability.rule,
    streams.rule,
    reported.rule,
)


def examine(snapshot: Snapshot) -> list[Issue]:
    """Everything that keeps this post from recording as planned; empty where it does."""
    return [issue for rule in RULES for issue in rule(snapshot)]
