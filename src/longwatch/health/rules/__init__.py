"""The rules, in the order in which their issues are told. A rule takes a snapshot and returns what is wrong now."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from longwatch.health.rules import (
    broker,
    channels,
    detection,
    doors,
    durability,
    mains,
    objects,
    recorder,
    remarked,
    reported,
    space,
    streams,
    thermal_stills,
    volumes,
)
from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot

__all__ = ["RULES", "Issue", "examine", "is_ready"]

RULES: tuple[Callable[[Snapshot], list[Issue]], ...] = (
    recorder.rule,
    volumes.rule,
    durability.rule,
    streams.rule,
    reported.rule,
    remarked.rule,
    mains.rule,
    space.rule,
    detection.rule,
    objects.rule,
    thermal_stills.rule,
    channels.rule,
    broker.rule,
    doors.rule,
)


def examine(snapshot: Snapshot) -> list[Issue]:
    """Everything that keeps this post from recording as planned, and what else is to be seen to."""
    return [issue for rule in RULES for issue in rule(snapshot)]


def is_ready(issues: Iterable[Issue]) -> bool:
    """Whether the post records as planned."""
    return not any(issue.blocks for issue in issues)
