"""The model for objects, where the settings name one, is used."""

from __future__ import annotations

from longwatch.health.rules.issue import Issue
from longwatch.health.snapshot import Snapshot

_SAYS = {
    "failing": "the model for objects is not used: what moves has no class",
    "resting": "the model for objects is left alone for a while: what moves has no class",
}


def rule(snapshot: Snapshot) -> list[Issue]:
    """One while it is refused, or rests since it ended a process; over once it is asked again. Recording and motion do not wait for it."""
    what = _SAYS.get(snapshot.model.doing)
    if what is None:
        return []
    remedy = "`longwatch model check DIR` says what is wrong with it"
    return [Issue("objects", snapshot.model.name or "model", what, snapshot.model.why, remedy, blocks=False)]
