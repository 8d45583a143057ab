"""Silent posts, as a hub's server tells its recorder of them. docs/design/silence.md."""

from __future__ import annotations

from typing import Any

from longwatch.accounting.alarms import Subject, Trouble
from longwatch.base.clock import Clock
from longwatch.base.errors import UsageError
from longwatch.model.alarms import AlarmKind
from longwatch.model.silence import Silence
from longwatch.node.recorder.told import Judged, Told

_MOST_EVIDENCE = 12


def silent_posts(clock: Clock) -> Told:
    """Request `posts_seen {silent: [{post, name, cause, since_us, evidence}], well: [post], resting: [post], unclear: [post]}`."""
    return Told(
        clock,
        Judged("posts_seen", AlarmKind.POST_SILENT, "post", "silent", "well", "it is to have no power now", _trouble),
    )


def _trouble(subject: Subject, item: dict[str, Any]) -> Trouble:
    evidence = item.get("evidence")
    if not isinstance(evidence, dict):
        raise UsageError("a silent post has `evidence`")
    if item.get("cause") not in set(Silence) or len(evidence) > _MOST_EVIDENCE:
        raise UsageError(f"`cause` is one of {', '.join(Silence)}")
    said = {str(key)[:40]: value[:200] if isinstance(value, str) else value for key, value in evidence.items()}
    plain = {key: value for key, value in said.items() if isinstance(value, str) or type(value) in {int, bool}}
    facts = {"post": subject.name, "name": str(item.get("name") or subject.name)[:120]}
    return Trouble(subject, item["since_us"], "", str(item["cause"]), {**plain, **facts})
